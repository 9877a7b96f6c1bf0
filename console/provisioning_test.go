package console_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/mapping"
	"usherd/connector/provision"
	"usherd/console"
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
	all := b.get("/provisioning?exclude=none")
	w.want(all, http.StatusOK, "4711", "4712&lt;i&gt;", "Waits for an address", "no_seat", "Auto account creation failed (31)", "Line", "Export CSV")
	w.want(all, http.StatusOK, "goes on when a seat is free", "(not proven)", `href="/admin`+b.row("q=4712")+`/package"`)
	w.not(b.get("/provisioning?exclude=provisioned"), "4711")
	w.want(b.get("/provisioning"), http.StatusOK, "1 provisioned user is hidden", "exclude=none", "/provisioning/export.csv?exclude=provisioned", "all 2 that match:") // something has failed
	w.not(b.get("/provisioning"), "4711")
	w.not(b.get("/provisioning?status=error"), "4711", "=cmd")
	w.want(b.get("/provisioning?exclude=provisioned&status=provisioned"), http.StatusOK, "4711") // whoever asks for them sees them
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
	w.want(b.get("/provisioning"), http.StatusOK, "4711") // nothing has failed any more
	w.want(b.get("/provisioning?template=shop&exclude=provisioned"), http.StatusOK, "Everyone is provisioned")
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
		srv := w.listens()
		b := d.Browser(t, script, "en")
		enter(b, srv.URL, "/provisioning?template=phones", "owner")
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

// chooseOf ticks subscribers, or all that match, and gives the page of the selection.
func (b *browser) chooseOf(deed, query string, form url.Values) string {
	b.w.t.Helper()
	form.Set("deed", deed)
	a := b.post("/provisioning"+query, form)
	if to := strings.TrimPrefix(a.to(), "/admin"); strings.HasPrefix(to, "/selections/") {
		return to
	}
	b.w.t.Fatalf("%d %s\n%s", a.StatusCode, a.to(), a.text)
	return ""
}

// id is that of the only subscriber that fits.
func (b *browser) id(query string) string { return strings.TrimPrefix(b.row(query), "/provisioning/") }

func TestManySubscribers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.templates()
	w.announce("shop", "4711", "ann@home.test")
	for _, name := range []string{"=cmd", "4713<b>", "4714"} {
		w.announce("shop", name, "x"+name[1:4]+"@home.test") // there is one seat, and ann has it
	}
	w.announce("phones", "4715", "eve@home.test")
	b, auditor := w.as("helpdesk"), w.as("auditor")
	w.want(b.get("/provisioning?exclude=none"), http.StatusOK, "all 5 that match:", `value="retry"`, `name="deed" value="package"`, `value="export"`)
	w.not(b.get("/provisioning?exclude=none"), `value="delete"`)
	w.want(b.get("/provisioning?status=error"), http.StatusOK, "all 3 that match:")
	w.want(b.get("/provisioning?q=47"), http.StatusOK, "all that match:")

	// A file has exactly those who are ticked, masked for whoever sees them masked; nothing else is an auditor's.
	w.not(auditor.get("/provisioning?exclude=none"), `value="retry"`, `name="deed" value="package"`)
	w.want(auditor.post("/provisioning", url.Values{"deed": {"retry"}, "all": {"1"}}), http.StatusForbidden)
	ids := url.Values{"user": {b.id("q=%3Dcmd"), b.id("q=4715"), "no id"}}
	page := b.chooseOf("export", "", ids)
	w.want(b.get(page), http.StatusOK, "The file has exactly these", page+"/export.csv", "=cmd")
	w.not(b.get(page), "4714")
	file := b.get(page + "/export.csv")
	w.want(file, http.StatusOK, "\n'=cmd,shop,error", "\n4715,phones,")
	w.not(file, "4711", "4714")
	w.want(auditor.get(page+"/export.csv"), http.StatusNotFound) // of another administrator
	masked := auditor.chooseOf("export", "?status=error", url.Values{"all": {"1"}})
	w.not(auditor.get(masked), "4714", "=cmd", "x714@")
	w.not(auditor.get(masked+"/export.csv"), "4714")
	w.want(b.get(b.chooseOf("retry", "", ids)+"/export.csv"), http.StatusNotFound)

	// Whoever has no address, or is provisioned, is left out; who finds no seat is told.
	page = b.chooseOf("retry", "", url.Values{"user": {b.id("q=4711"), b.id("q=4713"), b.id("q=4714"), b.id("q=4715")}})
	w.want(b.get(page), http.StatusOK, "Retry 3 activations", "Left out", "4711", "Line: 2 seats are needed and 0 are free", "4713&lt;b&gt;")
	w.want(b.get(page+"?lang=pl"), http.StatusOK, "Ponów 3 aktywacje")
	w.want(b.post(page, url.Values{"lang": {"en"}}), http.StatusSeeOther)
	w.want(b.get(page+"?lang=en"), http.StatusOK, "1 was tried again", "no_seat", "Copy error text", "4713&lt;b&gt;")
	w.not(b.get(page), "4711")

	// The package that is chosen is for all of them; a full one cannot be chosen.
	page = b.chooseOf("package", "?status=error", url.Values{"all": {"1"}})
	w.want(b.get(page), http.StatusOK, `value="line" required disabled`, "Change the package of 3 subscribers")
	w.want(b.post(page, url.Values{"choice": {"line"}}), http.StatusUnprocessableEntity, "Choose one of them that is free")
	w.want(b.post(page, nil), http.StatusUnprocessableEntity)
	w.want(b.post(page, url.Values{"choice": {"guest"}}), http.StatusSeeOther)
	w.want(b.get(page), http.StatusOK, "3 have the package")
	w.want(b.get("/provisioning?status=error"), http.StatusOK, "No subscriber fits")

	// They are forgotten, and their accounts end: more than the guard lets through are typed.
	w.org.Sources[0].Guard = connector.Guard{Min: 1, Percent: 5}
	w.want(b.post("/provisioning?template=shop", url.Values{"deed": {"delete"}, "all": {"1"}}), http.StatusForbidden)
	owner := w.as("owner")
	page = owner.chooseOf("delete", "?template=shop", url.Values{"all": {"1"}})
	w.want(owner.get(page), http.StatusOK, "Delete 4 subscribers", "is deactivated", `name="typed"`)
	w.want(owner.post(page, url.Values{"typed": {"3"}}), http.StatusUnprocessableEntity)
	w.want(owner.post(page, url.Values{"typed": {"4"}}), http.StatusSeeOther)
	w.want(owner.get(page), http.StatusOK, "4 are forgotten")
	w.want(owner.get("/provisioning?template=shop"), http.StatusOK, "Nobody has been announced")
	if u := w.user("ann@home.test"); u.State != connector.Inactive {
		t.Error(u.State)
	}
	w.want(owner.post(page, nil), http.StatusSeeOther) // nothing is done twice
}

// forgetting counts who is forgotten, and calls what is to be called after so many.
type forgetting struct {
	console.Writer
	n     int
	after map[int]func()
}

func (x *forgetting) DeleteSubscriber(ctx context.Context, c provision.SubscriberCommand) error {
	err := x.Writer.DeleteSubscriber(ctx, c)
	if x.n++; x.after[x.n] != nil {
		x.after[x.n]()
	}
	return err
}

// More than are done while a browser waits go on by themselves; what stopped is gone on with by a button.
func TestManySubscribersGoOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.templates()
	const all = 600
	list := make([]connector.Announcement, all)
	for i := range list {
		list[i] = connector.Announcement{Template: "phones", Name: fmt.Sprintf("n%04d", i), Profile: connector.Profile{}}
	}
	if _, err := w.prov.Announce(t.Context(), list, "test"); err != nil {
		t.Fatal(err)
	}
	forgets := &forgetting{Writer: w.prov, after: map[int]func(){}}
	w.set.Organizations[0].Writer = forgets
	var begun []func(context.Context)
	w.background = func(work func(stop context.Context)) { begun = append(begun, work) }
	w.serve(address)
	b := w.as("owner")
	page := b.chooseOf("delete", "", url.Values{"all": {"1"}})
	w.want(b.get(page), http.StatusOK, "Delete 600 subscribers", "and 550 more")
	w.want(b.post(page, nil), http.StatusSeeOther)
	w.want(b.get(page), http.StatusOK, "This is being done: 0 of 600")
	if len(begun) != 1 {
		t.Fatal(len(begun))
	}
	stop, cancel := context.WithCancel(t.Context())
	forgets.after[300] = cancel
	begun[0](stop)
	w.want(b.get(page), http.StatusOK, "This is being done: 300 of 600", `value="50"`)
	w.now = w.now.Add(3 * time.Minute)
	w.want(b.get(page), http.StatusOK, "Nobody goes on with this: 300 of 600", "Go on with 300 more")
	w.want(b.post(page, nil), http.StatusSeeOther)
	w.want(b.get(page), http.StatusOK, "This is being done: 300 of 600")
	begun[0](t.Context()) // whoever was thought gone comes back: the selection is not theirs any more
	if forgets.n != 300 {
		t.Error(forgets.n)
	}
	begun[1](t.Context())
	w.want(b.get(page), http.StatusOK, "600 are forgotten")
	w.want(b.get("/provisioning"), http.StatusOK, "Nobody has been announced yet")
}
