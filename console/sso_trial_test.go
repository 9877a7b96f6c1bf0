package console_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/sources"
)

// A sign-in is tried by who may run things, where there is a door and attempts are kept; what was seen is shown, masked for auditors.
func TestSignInsAreTried(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	is, by, back := sources.IDP{EntityID: "https://idp.test"}, "", ""
	on := &sources.SignOn{
		Base: "https://login.acme.test/saml/acme/entra", IDP: func() sources.IDP { return is }, Keep: time.Hour,
		Try: func(_ context.Context, who, to string) (string, error) {
			by, back = who, to
			return "https://login.acme.test/saml/acme/entra/login?test=<s>", nil
		},
	}
	w.signsIn("entra", on)
	const path = "/sso/idps/entra/sign-in"
	b := w.as("operator")
	w.want(b.get("/sso/idps/entra"), http.StatusOK, `href="/admin`+path+`"`)
	w.want(b.get(path), http.StatusOK, "nothing changes")
	a := b.post(path, nil)
	w.want(a, http.StatusOK, `href="https://login.acme.test/saml/acme/entra/login?test=%3cs%3e" rel="noreferrer"`, "good once")
	if by == "" || !strings.HasSuffix(back, "/admin/sso/attempts") || !strings.HasPrefix(back, "http") {
		t.Errorf("%q %q", by, back)
	}
	w.as("root").post(path, nil)
	if !strings.HasSuffix(back, "/admin/sso/attempts?org=acme") {
		t.Error(back)
	}
	w.want(w.as("helpdesk").get(path), http.StatusForbidden)
	w.not(w.as("helpdesk").get("/sso/idps/entra"), path)
	for name, spoil := range map[string]func(){
		"not kept": func() { on.Keep = 0 }, "not known": func() { is.Code = 11 }, "no door": func() { on.Try = nil },
	} {
		former, was := *on, is
		spoil()
		w.not(b.get("/sso/idps/entra"), path)
		a := b.get(path)
		w.want(a, http.StatusOK, "No sign-in can be tried now")
		if strings.Contains(a.text, "Begin the test") {
			t.Error(name, "is begun")
		}
		*on, is = former, was
	}

	list := w.tried(4, func(i int, x *connector.Attempt) {
		if i > 1 {
			return
		}
		x.Test = &connector.AttemptTest{
			By: "<b>root</b>", Subject: "e-<i>1", Left: 3 * i,
			Attributes: []connector.SaidAttribute{{Name: "mail", Values: []string{"=cmd@example.com", "\u202eevil"}}, {Name: "<u>empty</u>"}},
			Fields:     []connector.FieldChange{{Field: "title", Before: []string{"Clerk"}, After: []string{"Chief"}}},
		}
	})
	refused, in := "/sso/attempts/"+list[0].ID.String(), "/sso/attempts/"+list[1].ID.String()
	w.want(b.get(refused), http.StatusOK, "Test: would be refused (31)", "Nobody was signed in", "no seat of standard")
	a = b.get(in)
	w.want(a, http.StatusOK, "Test: would be signed in", "&lt;b&gt;root", "e-&lt;i&gt;1", "<bdi>=cmd@example.com</bdi>", "&lt;u&gt;empty", "3 more attributes", "Clerk", "Chief")
	w.not(a, "<b>", "<i>", "<u>")
	w.not(b.get("/sso/attempts/"+list[2].ID.String()), "This was a test")
	w.want(b.get("/sso/attempts"), http.StatusOK, "Test: would be signed in", "Test: would be refused (31)", "Signed in")
	w.not(w.as("auditor").get(in), "cmd@example.com", "e-&lt;i&gt;1", "evil", "Chief")
	w.want(b.get("/sso"), http.StatusOK, `since=1d">2</a>`) // tests are counted nowhere
	w.want(b.get("/sso/attempts/export.csv"), http.StatusOK, ",refused_at_step,test", ",seat,true")
}
