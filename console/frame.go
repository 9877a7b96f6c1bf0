package console

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"usherd/connector"
)

// frame is what the layout shows around a page. A page fills in the first part, the rest is filled in by show.
type frame struct {
	Title   string  // the heading, and that of the window
	State   string  // one sentence below it; "" = none
	Crumbs  []crumb // from the second level on
	Refresh int     // seconds after which the browser asks again, of what goes on; 0 = never
	Rows    int     // seconds after which it asks again for single rows, which the page says; 0 = never

	v        *visit
	Paused   bool // the person does not want it asked again, here and elsewhere, until that is said otherwise
	Nav      []navItem
	Orgs     []orgChoice // none where there is only one
	Org      string
	Who      string // "" = nobody is signed in
	Role     string
	Flash    *flash
	Banners  []banner
	Theme    string
	Revision string
	Version  string
	Query    string // what was searched
	Help     topicLink
}

// crumb is a page above this one.
type crumb struct{ Text, Address string }

// orgChoice is an organization that one can change to.
type orgChoice struct {
	ID, Name string
	Current  bool
}

// navItem is one entry of the navigation.
type navItem struct {
	Text, Address string
	Count         string // of what waits; "" = nothing
	Current       bool
	Group         bool // a line is drawn before it
}

// navigation are all pages that have an entry, in order; those that are not registered have none. The text is nav.NAME.
var navigation = []struct {
	path, name string
	group      bool
}{
	{"/", "overview", false},
	{"/runs", "runs", false},
	{"/approvals", "approvals", false},
	{"/failures", "failures", false},
	{"/users", "users", true},
	{"/provisioning", "provisioning", false},
	{"/claims", "claims", false},
	{"/domains", "domains", false},
	{"/seats", "seats", false},
	{"/sources", "sources", true},
	{"/scim", "scim", false},
	{"/sso", "sso", false},
	{"/templates", "templates", false},
	{"/organizations", "organizations", false},
	{"/tokens", "tokens", false},
	{"/errors", "errors", true},
	{"/audit", "audit", false},
	{"/reports", "reports", false},
	{"/config", "config", false},
	{"/system", "system", false},
}

// count says how many wait on a page, for the navigation. It must cost little: it is asked with every page.
type count func(v *visit) (int, error)

// waits has the navigation show how many wait on a page.
func (s *Server) waits(path string, f count) { s.counts[path] = f }

// complete fills in what does not depend on the page.
func (v *visit) complete(f *frame) *frame {
	f.v, f.Version, f.Revision, f.Theme = v, v.s.o.Version, v.set.Revision, v.theme()
	f.Title = strings.TrimSuffix(f.Title, "…") // it stands on what leads here, where more is asked
	if f.Every() > 0 && v.pauses() {
		f.Refresh, f.Rows, f.Paused = 0, 0, true
	}
	if v.session == nil {
		return f
	}
	f.Who, f.Flash, f.Query = v.session.Name, v.takeFlash(), v.query("q")
	if v.org == nil {
		return f
	}
	f.Org, f.Role = v.id(), v.t("words.role."+string(v.role), nil)
	if len(v.roles) > 1 {
		for _, o := range v.set.Organizations {
			if _, has := v.roles[o.Settings.ID]; has {
				f.Orgs = append(f.Orgs, orgChoice{o.Settings.ID, o.Settings.Name, o == v.org})
			}
		}
	}
	if v.r.Header.Get("HX-Request") == "" {
		f.Nav, f.Banners, f.Help = v.navigation(), v.banners(), v.helpFor(v.r.URL.Path)
	}
	return f
}

// Every is after how many seconds anything of the page is asked for again.
func (f *frame) Every() int { return max(f.Refresh, f.Rows) }

// navigation is what of all pages this person may see.
func (v *visit) navigation() []navItem {
	var list []navItem
	for _, n := range navigation {
		p, ok := v.s.permissionOf(n.path)
		if !ok || !v.may(p) {
			continue
		}
		item := navItem{Text: v.t("nav."+n.name, nil), Address: v.link(n.path), Current: under(v.r.URL.Path, n.path), Group: n.group}
		if f := v.s.counts[n.path]; f != nil {
			switch k, err := f(v); {
			case err != nil:
				v.logError("the count of "+n.path, err)
			case k > 0:
				item.Count = atMost(k)
			}
		}
		list = append(list, item)
	}
	return list
}

// atMost writes a count that is not counted to its end.
func atMost(n int) string {
	if n > maxCounted {
		return strconv.Itoa(maxCounted) + "+"
	}
	return strconv.Itoa(n)
}

const maxCounted = 99

// permissionOf is what the page at a path asks for; ok is false where it is not registered.
func (s *Server) permissionOf(path string) (permission, bool) {
	if path == "/" {
		path = "/{$}"
	}
	for _, r := range s.routes {
		if r.pattern == http.MethodGet+" "+path {
			return r.permission, true
		}
	}
	return "", false
}

// under reports whether a path is that of a page or below it.
func under(path, page string) bool {
	if page == "/" {
		return path == "/"
	}
	rest, ok := cutPrefix(path, page)
	return ok && (rest == "" || rest[0] == '/')
}

// Link is a path of the console as pages write it: with the organization, and parameters in pairs.
func (f *frame) Link(path string, pairs ...string) string { return f.v.link(path, pairs...) }

// With is the address of this page with one parameter changed.
func (f *frame) With(name, value string) string { return f.v.with(name, value) }

// Here is the address of this page.
func (f *frame) Here() string { return f.v.s.path + f.v.back() }

// May reports whether the person has a permission, by its name.
func (f *frame) May(p string) bool { return f.v.may(permission(p)) }

// Key is a fresh key for a form.
func (f *frame) Key() string { return f.v.formKey() }

// Personal is a text about a person as this administrator may see it.
func (f *frame) Personal(text string) string { return f.v.personal(text) }

// instant is a time as pages show it.
type instant struct{ ISO, Text, Title string }

// At is a time for the template "time": how long ago in text, and the whole time besides.
func (f *frame) At(t time.Time) *instant {
	if t.IsZero() {
		return nil
	}
	u := t.UTC()
	return &instant{u.Format(time.RFC3339), f.v.relative(t), u.Format("2006-01-02 15:04:05") + " UTC"}
}

// pill is a word with a colour and an icon, for the template "pill".
type pill struct{ Text, Kind string } // good, bad, warn, wait, off, info

// StatePill is the state of a user.
func (f *frame) StatePill(s connector.State) pill {
	kinds := map[connector.State]string{
		connector.Active: "good", connector.Verified: "info", connector.NotVerified: "wait", connector.Inactive: "off", connector.ClaimPending: "warn",
		connector.ConvertedAway: "off", connector.Deleted: "off",
	}
	return pill{f.v.t("words.state."+string(s), nil), kinds[s]}
}

// ResultPill is how a run ended, or that it goes on.
func (f *frame) ResultPill(r connector.Result) pill {
	kinds := map[connector.Result]string{
		connector.ResultRunning: "info", connector.ResultOK: "good", connector.ResultPartial: "warn", connector.ResultHeld: "wait", connector.ResultFailed: "bad",
		connector.ResultCancelled: "off",
	}
	return pill{f.v.t("words.result."+string(r), nil), kinds[r]}
}
