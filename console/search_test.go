package console_test

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/clients"
	"usherd/connector/sources"
	"usherd/internal/webdriver"
)

var (
	foundGroup = regexp.MustCompile(`(?s)<section><h2>([^<]*)</h2><div class="scroll".*?</section>`)
	foundHit   = regexp.MustCompile(`<th scope="row"><a href="(?:/admin)?([^"]*)"><bdi>([^<]*)</bdi>`)
	foundAll   = regexp.MustCompile(`<p><a href="(?:/admin)?([^"]*)">Show all`)
)

// found is what a search shows: each kind with its hits as "text address", and at its end the address of the list of all.
func (b *browser) found(q string) map[string][]string {
	b.w.t.Helper()
	a := b.get("/search?q=" + url.QueryEscape(q))
	b.w.want(a, http.StatusOK)
	groups := map[string][]string{}
	for _, g := range foundGroup.FindAllStringSubmatch(a.text, -1) {
		for _, h := range foundHit.FindAllStringSubmatch(g[0], -1) {
			groups[g[1]] = append(groups[g[1]], html.UnescapeString(h[2]+" "+h[1]))
		}
		if m := foundAll.FindStringSubmatch(g[0]); m != nil {
			groups[g[1]] = append(groups[g[1]], "all "+html.UnescapeString(m[1]))
		}
	}
	return groups
}

// finds asks for what a search shows, kind by kind.
func (b *browser) finds(q string, want map[string]string) {
	b.w.t.Helper()
	got := map[string]string{}
	for kind, hits := range b.found(q) {
		got[kind] = strings.Join(hits, "; ")
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		b.w.t.Errorf("%q finds\n%v\nwant\n%v", q, got, want)
	}
}

func TestSearchFindsPeople(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.create("ann", connector.Active)
	gone := w.create("anton", connector.Inactive, func(u *connector.User) { u.Profile.Set(connector.DisplayName, "Zoë <b>O’Neil</b>") })
	b := w.as("helpdesk")
	w.want(b.get("/"), http.StatusOK, `role="search" method="get" action="/admin/search"`)
	w.want(b.get("/search"), http.StatusOK, "Type the beginning of a name")
	b.finds("AN", map[string]string{"People": "Given ann " + path(ann, "") + "; Zoë <b>O’Neil</b> " + path(gone, "") + "; all /users?active=any&q=AN"})
	b.finds("zoË", map[string]string{"People": "Zoë <b>O’Neil</b> " + path(gone, "") + "; all /users?active=any&q=zo%C3%8B"})
	w.want(b.get("/search?q=anton@example.com"), http.StatusOK, "Inactive", "Zoë &lt;b&gt;O’Neil&lt;/b&gt;")
	b.finds("x"+strings.Repeat("y", 5000), map[string]string{})
	w.want(b.get("/search?q=%3Cscript%3E&lang=pl"), http.StatusOK, "Nic nie zaczyna się od „&lt;script&gt;”")
	w.want(b.get("/search?q=%E2%80%AE%D7%A9&lang=en"), http.StatusOK, "Nothing begins with", "Open failures of whoever", "Ask office for this entry")
	for i := range 12 {
		w.create(fmt.Sprintf("many%02d", i), connector.Active)
	}
	if list := b.found("many")["People"]; len(list) != 9 || list[8] != "all /users?active=any&q=many" {
		t.Error(list)
	}
	auditor := w.as("auditor")
	w.not(auditor.get("/search?q=ann"), "Given ann", "ann@example.com", "Ask office")
	w.want(auditor.get("/search?q=ann"), http.StatusOK, "G•••", path(ann, ""))
}

// Whoever types a whole id or reference is led to what it belongs to, if nothing else fits.
func TestSearchByIDLeadsThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.templates()
	ann := w.create("ann", connector.Active)
	w.announce("shop", "S-1", "s1@example.com")
	w.fails("office", failed("bob", connector.NoSeat))
	items, _, err := w.db.OpenItems(t.Context(), connector.ItemQuery{Org: "acme"})
	if err != nil || len(items) != 1 {
		t.Fatal(items, err)
	}
	run, foreign := w.run(connector.ResultOK), w.run(connector.ResultOK, func(r *connector.Run) { r.Org = "other" })
	b := w.as("operator")
	subscriber := b.row("q=S-1")
	for q, to := range map[string]string{
		ann.ID.String():                                  path(ann, ""),
		strings.ToUpper(ann.ID.String()):                 path(ann, ""),
		run.ID.String():                                  "/runs/" + run.ID.String(),
		" " + run.ID.Short():                             "/runs/" + run.ID.String(),
		strings.ToLower(items[0].Ref):                    "/failures/" + items[0].Ref,
		strings.TrimPrefix(subscriber, "/provisioning/"): subscriber,
	} {
		if a := b.get("/search?q=" + url.QueryEscape(q)); a.to() != "/admin"+to {
			t.Errorf("%s: %d %s\n%s", q, a.StatusCode, a.to(), a.text)
		}
	}
	w.create("s-1", connector.Active) // goes by the name of the subscriber
	b.finds("s-1", map[string]string{
		"People": "Given s-1 " + path(w.user("s-1"), "") + "; all /users?active=any&q=s-1", "Provisioning": "S-1 " + subscriber + "; all /provisioning?q=s-1",
	})
	for _, q := range []string{foreign.ID.String(), foreign.ID.Short(), connector.NewID(w.now).String(), "0000-0000", "last"} {
		b.finds(q, map[string]string{})
	}
}

// What somebody was shown at sign-in leads to the attempt, and where there are several to each of them.
func TestSearchFindsSignInsByReference(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as("helpdesk")
	w.tried(2, nil)
	if a := b.get("/search?q=7kq2-m4zt"); !strings.HasPrefix(a.to(), "/admin/sso/attempts/") {
		t.Errorf("%d %s", a.StatusCode, a.to())
	}
	w.now = w.now.Add(10 * time.Minute)
	w.tried(1, nil)
	if list := b.found("7KQ2-M4ZT")["Sign-ins"]; len(list) != 2 || !strings.HasPrefix(list[0], "=bob@example.com /sso/attempts/") {
		t.Error(list)
	}
	w.not(w.as("auditor").get("/search?q=7KQ2-M4ZT"), "=bob@")
}

func TestSearchFindsWhatIsConfigured(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.templates()
	w.signsIn("login", &sources.SignOn{IDP: func() sources.IDP { return sources.IDP{EntityID: "https://idp.acme.test/meta"} }})
	w.org.Sources = append(w.org.Sources, connector.SourceSettings{ID: "okta-hr", Kind: connector.SCIM})
	w.set.Organizations[0].Clients = map[string]clients.Settings{"okta-hr": {}}
	b := w.as("auditor")
	b.finds("hr", map[string]string{"Sources": "okta-hr /sources/okta-hr", "SCIM": "okta-hr /scim/clients/okta-hr"})
	b.finds("idp.acme", map[string]string{"Single sign-on": "login /sso/idps/login"})
	b.finds("Stand", map[string]string{"Seats": "Standard /seats/standard"})
	b.finds("phones", map[string]string{"Sources": "phones /sources/phones", "Templates": "Phones /templates/phones"})
	b.finds("31", map[string]string{"Error codes": "Auto account creation failed (31) /errors/31"})
	b.finds("no_se", map[string]string{"Error codes": "Auto account creation failed (31) /errors/31#no_seat; Auto account update failed (32) /errors/32#no_seat"})
	b.finds("config", map[string]string{
		"Error codes": "No certificate configured (4) /errors/4; The configuration cannot be loaded (9) /errors/9", "Pages": "Configuration /config",
	})
	b.finds("fields", map[string]string{"Pages": "Fields /users/fields"})
	b.finds("kta", map[string]string{}) // not the beginning of a word
	w.want(b.get("/search?q=k%C3%A4llor&lang=sv"), http.StatusOK, "Källor", `href="/admin/sources"`)
	if a := w.as("root").get("/search?q=stand&org=acme&lang=en"); !strings.Contains(a.text, `href="/admin/seats/standard?org=acme"`) {
		t.Error(a.text)
	}
	w.not(w.as("root").get("/search?q=stand&org=other"), "standard")
}

// The box of each page is reached by a key, and finds in a real browser, with and without script.
func TestSearchInABrowser(t *testing.T) {
	t.Parallel()
	d := webdriver.Start(t)
	for _, script := range []bool{true, false} {
		w := newWorld(t)
		w.create("ann", connector.Active, func(u *connector.User) { u.Package = "standard" })
		w.create("standa", connector.Inactive, func(u *connector.User) {
			u.Profile.Set(connector.DisplayName, strings.Repeat("Wolfeschlegelsteinhausen ", 6))
		})
		w.create("standb", connector.NotVerified, func(u *connector.User) {
			u.PendingApproval = true
			u.Profile.Set(connector.DisplayName, "\u202eשלום עולם (admin)")
		})
		run := w.run(connector.ResultOK)
		srv := w.listens()
		b := d.Browser(t, script, "en")
		enter(b, srv.URL, "/", "owner")
		if script {
			shoot(t, b, srv.URL, "/search", "search-empty")
			shoot(t, b, srv.URL, "/search?q=stand", "search")
			shoot(t, b, srv.URL, "/search?q=zzz", "search-none")
			b.Open(srv.URL + "/")
			b.Type("body", "/")
		}
		b.Type("#find", run.ID.Short()+"\n")
		b.Leave(srv.URL + "/?")
		if got := b.Address(); !strings.HasSuffix(got, "/runs/"+run.ID.String()) {
			t.Error(got)
		}
		b.Type("#find", "standa\n")
		b.Leave(srv.URL + "/runs")
		b.Click(".hits a")
		b.Await(".pill", "Inactive")
		if faults := b.Faults(); len(faults) > 0 {
			t.Error(faults)
		}
	}
}
