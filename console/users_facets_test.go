package console_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/internal/webdriver"
)

var (
	facetRow    = regexp.MustCompile(`(?s)<div class="facet"><h2>([^<]*)</h2>(.*?)</div>`)
	facetChoice = regexp.MustCompile(`<a href="(?:/admin)?([^"]*)"( aria-current="true")?><bdi>([^<]*)</bdi>(?: <span>([^<]*)</span>)?`)
	listedUser  = regexp.MustCompile(`<th scope="row"><a href="[^"]*"><bdi>Given ([^<]*)</bdi>`)
)

// narrowed is what a list of people shows: its choices as "facet/choice number", with the address of each, and who is listed.
func (b *browser) narrowed(target string) (choices map[string]string, names string) {
	b.w.t.Helper()
	a := b.get(target)
	b.w.want(a, http.StatusOK)
	choices = map[string]string{}
	for _, f := range facetRow.FindAllStringSubmatch(a.text, -1) {
		for _, c := range facetChoice.FindAllStringSubmatch(f[2], -1) {
			key := strings.TrimSpace(f[1] + "/" + html.UnescapeString(c[3]) + " " + c[4])
			if c[2] != "" {
				key = "*" + key
			}
			choices[key] = html.UnescapeString(c[1])
		}
	}
	var list []string
	for _, m := range listedUser.FindAllStringSubmatch(a.text, -1) {
		list = append(list, m[1])
	}
	return choices, strings.Join(list, " ")
}

// fillFacets makes people of each kind that facets choose.
func (w *world) fillFacets() {
	w.t.Helper()
	w.linked("ann", connector.Active, "office")
	w.linked("bob", connector.Verified, "office")
	w.create("cy", connector.Active, func(u *connector.User) { u.Package = "standard" })
	w.create("di", connector.Active, func(u *connector.User) { u.Profile.Set(connector.Email, "di@sub.acme.test") })
	if err := w.db.AddDomain(w.t.Context(), connector.Domain{Org: "acme", Name: "acme.test", Token: "t", AddedAt: w.now}); err != nil {
		w.t.Fatal(err)
	}
	f := failed("bob", connector.EmailTaken)
	f.Failures[0].Code, f.Failures[0].UserID = connector.CodeUpdate, w.user("bob").ID
	w.fails("office", f)
	eve := w.create("eve", connector.Active)
	if _, err := w.prov.Deactivate(w.t.Context(), provision.Command{User: eve.ID, Actor: "test"}); err != nil {
		w.t.Fatal(err)
	}
}

func TestFacetsNarrowTheListOfPeople(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as("helpdesk")
	if choices, _ := b.narrowed("/users"); len(choices) != 0 {
		t.Error(choices)
	}
	w.fillFacets()
	w.create("<b>", connector.Inactive, func(u *connector.User) { u.DeleteAt, u.DeactivatedBy = w.now.AddDate(0, 0, 9), connector.BySource })
	choices, _ := b.narrowed("/users")
	for choice, want := range map[string]string{
		"State/Active 3": "ann cy di", "State/Inactive 2": "eve &lt;b&gt;", "Package/Standard 1": "cy", "Source/office 2": "ann bob", "E-mail domain/acme.test": "di",
		"Needs attention/With an open failure 1": "bob", "Needs attention/Leaving: will be deleted 1": "&lt;b&gt;",
	} {
		to, there := choices[choice]
		if !there {
			t.Errorf("there is no %s in %v", choice, choices)
			continue
		}
		taken, names := b.narrowed(to)
		if names != want {
			t.Errorf("%s lists %q, want %q", to, names, want)
		}
		if back := taken["*"+choice]; back != "/users" {
			t.Errorf("%s is given up by %q", choice, back)
		}
	}
	if _, names := b.narrowed("/users?source=office&failing=1"); names != "bob" {
		t.Error(names)
	}
	a := b.get("/users?source=office&q=an")
	w.want(a, http.StatusOK, `<input type="hidden" name="source" value="office">`, "Given ann")
	w.not(a, "Given bob")
	w.want(b.get("/users/export.csv?source=office"), http.StatusOK, ",ann,", ",bob,")
	w.not(b.get("/users/export.csv?source=office"), ",cy,")
	hostile := b.get("/users?domain=" + url.QueryEscape(`"><script>`) + "&reason=%3Db%3E&source=x")
	w.want(hostile, http.StatusOK, "&lt;script&gt;")
	w.not(hostile, "<script>")
	w.want(b.get("/users?leaving=1&lang=pl"), http.StatusOK, "Odchodzące", "(wybrane")
}

// Facets are chosen in a real browser, and a search keeps them.
func TestFacetsInABrowser(t *testing.T) {
	t.Parallel()
	d := webdriver.Start(t)
	w := newWorld(t)
	w.fillFacets()
	srv := w.listens()
	b := d.Browser(t, true, "en")
	enter(b, srv.URL, "/users", "owner")
	shoot(t, b, srv.URL, "/users?source=office", "facets")
	b.Open(srv.URL + "/users")
	b.Click(`.facet a[href*="source=office"]`)
	b.Await(`.facet a[aria-current] bdi`, "office")
	b.Type("#q", "bo")
	b.Click(".filters button.act")
	b.Await("tbody th", "Given bob")
	if faults := b.Faults(); len(faults) > 0 {
		t.Error(faults)
	}
}
