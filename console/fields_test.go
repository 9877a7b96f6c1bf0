package console_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"usherd/connector"
	"usherd/internal/webdriver"
)

func TestFieldsOfEachDoorAndWhatWouldBeAccepted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.org.Required = []string{"custom.badge", "uid"}
	w.org.DefaultPackage = "standard"
	w.org.Sources = append(w.org.Sources, connector.SourceSettings{ID: "phones", Kind: connector.Template})
	w.org.Templates = []connector.TemplateSettings{{ID: "phones", Name: "=Phones", Fields: []string{connector.GivenName, connector.FamilyName, "department"}}}
	b := w.as("helpdesk")
	a := b.get("/users/fields")
	w.want(a, http.StatusOK, `<th scope="row">User Name <abbr title="required">*</abbr></th>`, "badge <abbr", "=Phones", "uid and updatetimestamp are not required")
	w.not(a, `<code>uid</code>`)
	w.not(w.as("auditor").get("/users/fields"), "/users/fields/check")
	w.want(w.as("auditor").get("/users/fields/check"), http.StatusForbidden)

	form := func(name string, more ...string) url.Values {
		v := url.Values{"source": {"office"}, "f.userName": {name}, "f.email": {name + "@example.com"}, "f.givenName": {"<i>Ann</i>"}, "f.familyName": {"\u202eלי"}, "f.custom.badge": {"7"}}
		for i := 0; i+1 < len(more); i += 2 {
			v.Set(more[i], more[i+1])
		}
		return v
	}
	a = b.post("/users/fields/check", form("ann"))
	w.want(a, http.StatusOK, "Yes, this would be accepted", `value="&lt;i&gt;Ann&lt;/i&gt;"`, "Standard", "Created")
	if _, err := w.db.FindUser(t.Context(), "acme", "ann"); connector.KindOf(err) != connector.NotFound {
		t.Error("somebody was created:", err)
	}
	w.want(b.post("/users/fields/check", url.Values{"source": {"office"}}), http.StatusOK, "No, this would be refused", "required_missing", `aria-invalid="true"`)
	w.want(b.post("/users/fields/check", form("ann", "f.email", "nobody")), http.StatusOK, "No, this would be refused", "email_invalid")
	w.want(b.post("/users/fields/check", form("ann", "f.memberStatus", "active")), http.StatusOK, "member_status_present")
	w.want(b.post("/users/fields/check", form("ann", "source", "none")), http.StatusUnprocessableEntity, "Choose the source")
	for _, name := range []string{"a", "b", "c"} {
		w.create(name, connector.Active, func(u *connector.User) { u.Package = "standard" })
	}
	w.want(b.post("/users/fields/check", form("ann")), http.StatusOK, "no_seat")
	w.want(b.post("/users/fields/check", form("ann", "package", "guest")), http.StatusOK, "Yes, this would be accepted", "guest")
	w.want(b.post("/users/fields/check", form("new", "f.email", "a@example.com")), http.StatusOK, "Yes, this would be accepted", ">this account<")
	w.want(w.as("root").get("/users/fields?org=other&lang=en"), http.StatusOK, "has no sources")
}

func TestFieldsInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.org.Required = []string{"department", "custom." + strings.Repeat("long", 20)}
	srv := w.listens()
	b := webdriver.Start(t).Browser(t, true, "en")
	enter(b, srv.URL, "/users/fields", "owner")
	shoot(t, b, srv.URL, "/users/fields", "fields")
	shoot(t, b, srv.URL, "/users/fields/check", "check")
	b.Open(srv.URL + "/users/fields/check")
	b.Type(`input[name="f.userName"]`, "ann")
	b.Click("main button.act")
	b.Await("#answer h2", "No, this would be refused")
	if got := b.Text(".failcard code"); got != "required_missing" {
		t.Error(got)
	}
	if shots != "" {
		b.Size(1280, 900)
		if err := os.WriteFile(filepath.Join(shots, "answer.png"), b.Screenshot(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if faults := b.Faults(); len(faults) > 0 {
		t.Error(faults)
	}
}
