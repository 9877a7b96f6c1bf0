package console_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"usherd/connector"
	"usherd/connector/mapping"
	"usherd/connector/provision"
	"usherd/internal/webdriver"
)

// templates gives the organization two templates: addresses of phones are not believed, those of shop are, whose package has one seat.
func (w *world) templates() {
	w.t.Helper()
	w.org.Packages = append(w.org.Packages, connector.Package{ID: "line", Name: "Line", Seats: 1})
	if err := w.db.SetPackages(w.t.Context(), "acme", w.org.Packages); err != nil {
		w.t.Fatal(err)
	}
	w.org.Templates = []connector.TemplateSettings{{ID: "phones", Name: "Phones", Untrusted: true}, {ID: "shop", Name: "Shop"}}
	w.org.Sources = append(w.org.Sources, connector.SourceSettings{ID: "phones", Kind: connector.Template}, connector.SourceSettings{ID: "shop", Kind: connector.Template, Package: "line"})
	mappings := map[string]*mapping.Mapping{}
	for _, x := range w.org.Templates {
		m, faults := mapping.Compile(mapping.Config{Preset: mapping.SCIM})
		if len(faults) > 0 {
			w.t.Fatal(faults)
		}
		mappings[x.ID] = m
	}
	w.prov = provision.New(provision.Options{Store: w.db, Org: w.org, Mappings: mappings, Now: w.clock})
	w.set.Organizations[0].Writer = w.prov
	w.server.Replace(w.set)
}

// announce tells of a subscriber.
func (w *world) announce(template, name, email string) {
	w.t.Helper()
	p := connector.Profile{}
	p.Set(connector.Email, email)
	p.Set(connector.UserName, email)
	p.Set(connector.GivenName, "Given")
	p.Set(connector.FamilyName, name)
	if _, err := w.prov.Announce(w.t.Context(), []connector.Announcement{{Template: template, Name: name, Profile: p}}, "test"); err != nil {
		w.t.Fatal(err)
	}
}

var subscriberLink = regexp.MustCompile(`href="(?:/admin)?(/provisioning/[0-9a-f-]{36})"`)

// row is the page of the only subscriber that fits.
func (b *browser) row(query string) string {
	b.w.t.Helper()
	a := b.get("/provisioning?" + query)
	m := subscriberLink.FindAllStringSubmatch(a.text, -1)
	if len(m) != 1 {
		b.w.t.Fatalf("%s: %d rows\n%s", query, len(m), a.text)
	}
	return m[0][1]
}

func TestProvisioningStatus(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as("helpdesk")
	w.want(b.get("/provisioning"), http.StatusOK, "No template")
	w.templates()
	w.want(b.get("/provisioning"), http.StatusOK, "Nobody has been announced yet")
	w.announce("shop", "4711", "ann@home.test")
	w.announce("shop", "4712<i>", "bo@home.test")
	w.announce("phones", "=cmd", "cy@home.test")
	all := b.get("/provisioning")
	w.want(all, http.StatusOK, "4711", "4712&lt;i&gt;", "Waits for an address", "no_seat", "Auto account creation failed (31)", "Line", "Export CSV")
	w.not(b.get("/provisioning?exclude=provisioned"), "4711")
	w.not(b.get("/provisioning?status=error"), "4711", "=cmd")
	w.not(b.get("/provisioning?reason=no_seat"), "4711")
	w.want(b.get("/provisioning?q=nobody"), http.StatusOK, "No subscriber fits")

	// Nobody is told apart by who may not see names.
	auditor := w.as("auditor")
	w.not(auditor.get("/provisioning"), "4711", "ann@home.test")
	file := auditor.get("/provisioning/export.csv")
	w.want(file, http.StatusOK, "subscriber_id,template", "no_seat")
	w.not(file, "4711", "ann@home.test")

	// What a file holds is what the filters ask for, and no formula.
	file = b.get("/provisioning/export.csv?template=phones")
	w.want(file, http.StatusOK, "\n'=cmd,phones,pending_email_input")
	w.not(file, "4711")

	bo := b.row("q=4712")
	w.want(b.get(bo), http.StatusOK, "Copy error text", "Retry activation…", "Change package type…", "Announced")
	w.not(b.get(bo), "Delete…") // not of the helpdesk
	w.want(b.get(bo+"/delete"), http.StatusForbidden)
	w.want(b.post(bo+"/retry", url.Values{"email": {"bo@home.test"}}), http.StatusConflict, "no_seat")
	w.want(b.post(bo+"/retry", url.Values{"email": {"no address"}}), http.StatusUnprocessableEntity, `aria-invalid="true"`, "no address")
	w.want(b.get(bo+"/package"), http.StatusOK, `value="line" required checked`, "guest")
	if a := b.post(bo+"/package", url.Values{"choice": {"guest"}}); a.to() != "/admin"+bo {
		t.Errorf("%d %s", a.StatusCode, a.text)
	}
	w.want(b.get(bo), http.StatusOK, "has the other package: Provisioned", "Another package")

	cy := b.row("template=phones")
	if a := b.post(cy+"/retry", url.Values{"email": {"cy@other.test"}}); a.to() != "/admin"+cy {
		t.Errorf("%d %s", a.StatusCode, a.text)
	}
	w.want(b.get(cy), http.StatusOK, "Waits for proof of the address", "cy@other.test", "Tried again")
	owner := w.as("owner")
	ann := owner.row("q=4711")
	w.want(owner.get(ann), http.StatusOK, `/users/`)
	w.want(owner.post(ann+"/delete", nil), http.StatusSeeOther)
	w.want(owner.get(ann), http.StatusNotFound)
	if u := w.user("ann@home.test"); u.State != connector.Inactive {
		t.Errorf("%s", u.State)
	}
	w.want(owner.get("/provisioning?lang=sv"), http.StatusOK, "Exkludera etablerade användare", "Etablerad")
	w.want(b.get("/provisioning/"+strings.Repeat("x", 36)), http.StatusNotFound)
}

// An administrator finds somebody who has not activated, enters another address and sees what becomes of it, in a real browser with and
// without script.
func TestProvisioningInABrowser(t *testing.T) {
	t.Parallel()
	d := webdriver.Start(t)
	for _, script := range []bool{true, false} {
		w := newWorld(t)
		w.templates()
		w.announce("shop", "4711", "ann@home.test")
		w.announce("shop", "4712", "bo@home.test")
		w.announce("phones", strings.Repeat("a very long subscriber id ", 8), "cy@home.test")
		w.announce("phones", "\u202eשלום<b>", "dan@home.test")
		srv := httptest.NewServer(nil)
		t.Cleanup(srv.Close)
		w.serve(srv.URL)
		srv.Config.Handler = w.server
		b := d.Browser(t, script, "en")
		b.Open(srv.URL + "/provisioning?template=phones")
		b.Type("#name", "owner")
		b.Type("#password", secret)
		b.Click("button.act")
		b.Leave(srv.URL + "/login")
		b.Click("tbody a")
		if script {
			shoot(t, b, srv.URL, "/provisioning", "provisioning")
			bo := w.as("owner").row("q=4712")
			shoot(t, b, srv.URL, bo, "subscriber")
			shoot(t, b, srv.URL, bo+"/retry", "activation")
			b.Open(srv.URL + w.as("owner").row("q=a+very"))
		}
		b.Click(".actions a")
		b.Type("#email", "x")
		b.Click("button.act")
		if got := b.Text(".flash"); !strings.HasSuffix(got, "Waits for proof of the address.") {
			t.Error(got)
		}
		if faults := b.Faults(); len(faults) > 0 {
			t.Error(faults)
		}
	}
}
