package scim_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
	"usherd/scim/schema"
)

// strangers are the resources of client idp of globex, and of client second of acme, which idp of acme must not see.
type strangers struct {
	*world
	user, group string // of globex
	other       string // a group of acme's second client
	own, team   string // a user and a group of acme's idp
}

// newStrangers fills both organizations. All names differ, so that an answer that shows one tells whose it is.
func newStrangers(t *testing.T) *strangers {
	t.Helper()
	s := &strangers{world: newWorld(t)}
	made := func(token, path, body string) string {
		t.Helper()
		return s.sendAs(token, "POST", path, body).want(t, http.StatusCreated).text("id")
	}
	s.user = made("globex:idp", "/Users", person("secret", `,"externalId":"x-1","title":"Spy"`))
	s.group = made("globex:idp", "/Groups", group("Hidden", s.user))
	s.own = made("acme:idp", "/Users", person("ann", `,"externalId":"e-1"`))
	s.team = made("acme:idp", "/Groups", group("Team", s.own))
	s.other = made("acme:second", "/Groups", group("Cabal", s.own))
	return s
}

// group is the body of a POST.
func group(name string, members ...string) string {
	list := make([]string, len(members))
	for i, m := range members {
		list[i] = `{"value":"` + m + `"}`
	}
	return `{"schemas":["` + schema.GroupURN + `"],"displayName":"` + name + `","members":[` + strings.Join(list, ",") + `]}`
}

// everything is what other clients see of what is theirs, versions and times included.
func (s *strangers) everything() string {
	var all []string
	for token, paths := range map[string][]string{"globex:idp": {"/Users", "/Groups"}, "globex:second": {"/Users"}, "acme:second": {"/Groups"}} {
		for _, p := range paths {
			all = append(all, token+p+s.sendAs(token, "GET", p, "").want(s.t.(*testing.T), http.StatusOK).body)
		}
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// missing is an id that nobody has.
func (s *strangers) missing() string { return connector.NewID(s.clock()).String() }

var anyTime = regexp.MustCompile(`2026-03-01T[0-9:.]+Z`)

// alike demands that an answer about what is somebody else's is the one about what is not there.
func (s *strangers) alike(what string, foreign, missing response, foreignID, missingID string) {
	s.t.Helper()
	plain := func(r response, id string) string {
		r.header.Del("Date")
		var head strings.Builder
		if err := r.header.Write(&head); err != nil {
			s.t.Fatal(err)
		}
		return anyTime.ReplaceAllString(strings.NewReplacer(id, "ID", strings.ToUpper(id), "ID").Replace(head.String()+r.body), "TIME")
	}
	if foreign.status != missing.status {
		s.t.Errorf("%s: status %d, of what is not there %d", what, foreign.status, missing.status)
	}
	if diff := cmp.Diff(plain(missing, missingID), plain(foreign, foreignID)); diff != "" {
		s.t.Errorf("%s: -what is not there +what is another's:\n%s", what, diff)
	}
	for _, secret := range []string{"secret", "Hidden", "Spy", "x-1", "Cabal"} {
		if strings.Contains(foreign.body, secret) {
			s.t.Errorf("%s: the answer shows %q: %s", what, secret, foreign.body)
		}
	}
}

// everyMethod is each method with a body for it.
var everyMethod = []struct{ method, body string }{
	{"GET", ""},
	{"HEAD", ""},
	{"DELETE", ""},
	{"OPTIONS", ""},
	{"PUT", person("eve", "")},
	{"PUT", `{"displayName":"Eve","members":[]}`},
	{"PATCH", patchOf(`{"op":"replace","path":"active","value":false}`)},
	{"PATCH", patchOf(`{"op":"replace","path":"displayName","value":"Eve"},{"op":"replace","path":"members","value":[]}`)},
	{"POST", person("eve2", "")},
}

// everyHeader changes what a method does.
var everyHeader = [][]string{nil, {"If-Match", "*"}, {"If-Match", `W/"1"`}, {"If-Match", `W/"99"`}, {"If-None-Match", "*"}, {"If-None-Match", `W/"1"`}}

// Whatever is asked of an id of another organization, or of another client's group, is answered as of an id that nobody has.
func TestIDsOfOthersAreThoseOfNobody(t *testing.T) {
	t.Parallel()
	s := newStrangers(t)
	before := s.everything()
	for _, c := range []struct{ path, id, profile string }{
		{"/Users/%s", s.user, "generic"},
		{"/Groups/%s", s.group, "generic"},
		{"/Groups/%s", s.other, "generic"},
		{"/Users/%s?attributes=userName", s.user, "strict"},
		{"/Groups/%s?excludedAttributes=members", s.group, "strict"},
		{"/Groups/%s", s.user, "entra"}, // the wrong type
		{"/Users/%s/", s.group, "okta"},
		{"/Users/%s/groups", s.user, "generic"},
		{"/users/%s", s.user, "generic"},
	} {
		s.speak("acme:idp", c.profile)
		for _, m := range everyMethod {
			for _, h := range everyHeader {
				none := s.missing()
				foreign := s.send(m.method, strings.ReplaceAll(c.path, "%s", c.id), m.body, h...)
				missing := s.send(m.method, strings.ReplaceAll(c.path, "%s", none), m.body, h...)
				s.alike(m.method+" "+c.path+" "+strings.Join(h, " "), foreign, missing, c.id, none)
				if foreign.status < 400 {
					t.Errorf("%s %s: %d %s", m.method, c.path, foreign.status, foreign.body)
				}
				if foreign.status == http.StatusMethodNotAllowed {
					break // whatever the headers
				}
			}
		}
	}
	if diff := cmp.Diff(before, s.everything()); diff != "" {
		t.Errorf("something of others has changed:\n%s", diff)
	}
}

// everyPath is each route there is, and some that there are not.
func (s *strangers) everyPath() []string {
	return []string{
		"", "/", "/Users", "/Groups", "/Users/" + s.user, "/Groups/" + s.group, "/Users/" + s.missing(), "/Users/.search", "/Groups/.search",
		"/.search", "/Bulk", "/Me", "/ServiceProviderConfig", "/ResourceTypes", "/ResourceTypes/User", "/Schemas", "/Schemas/" + schema.UserURN,
		"/nothing", "/Users/" + s.user + "/more",
	}
}

// With a token of one organization, another one is like one that does not exist.
func TestOrganizationsOfOthersDoNotExist(t *testing.T) {
	t.Parallel()
	s := newStrangers(t)
	before := s.everything()
	token := s.tokens["acme:idp"]
	for _, path := range s.everyPath() {
		for _, m := range everyMethod {
			foreign := s.sendTo("globex", token, m.method, path, m.body)
			missing := s.sendTo("nobody", token, m.method, path, m.body)
			s.alike(m.method+" "+path, foreign, missing, "globex", "nobody")
			if foreign.status != http.StatusNotFound {
				t.Errorf("%s %s: %d %s", m.method, path, foreign.status, foreign.body)
			}
		}
	}
	if diff := cmp.Diff(before, s.everything()); diff != "" {
		t.Errorf("something of others has changed:\n%s", diff)
	}
}

// sendTo is sendAs with a path and a token that need not fit.
func (w *world) sendTo(org, token, method, path, body string, header ...string) response {
	w.t.Helper()
	r, err := w.request(org, token, method, path, body, header...)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// No spelling of a path leads out of the organization.
func TestPathsDoNotLeadOut(t *testing.T) {
	t.Parallel()
	s := newStrangers(t)
	before := s.everything()
	for _, path := range []string{
		"/../../globex/v2/Users/" + s.user, "/%2e%2e/%2e%2e/globex/v2/Users/" + s.user, "/Users/../../../globex/v2/Users/" + s.user,
		"/Users/..%2f..%2f..%2fglobex%2fv2%2fUsers%2f" + s.user, "//globex/v2/Users/" + s.user, "/Users//" + s.user, "/Users/%00" + s.user,
		"/Users/" + s.user + "%00", "/Users/" + strings.ToUpper(s.user), "/Users/{" + s.user + "}", "/Users/urn:uuid:" + s.user,
		"/Users/" + strings.ReplaceAll(s.user, "-", ""), "/Users/%20" + s.user, "/Users/" + s.own + "/../" + s.user,
		"/Users/" + s.own + ";/" + s.user, "/Users/" + s.user + "?org=globex&client=idp", "/Users/" + s.user + "#",
	} {
		for _, m := range everyMethod {
			r := s.sendTo("acme", s.tokens["acme:idp"], m.method, path, m.body, "X-Original-URL", "/scim/globex/v2/Users/"+s.user,
				"X-Rewrite-URL", "/scim/globex/v2/Users/"+s.user, "X-Forwarded-Prefix", "/scim/globex", "X-HTTP-Method-Override", "DELETE")
			if r.status < 400 || strings.Contains(r.body, "secret") || strings.Contains(r.body, "Hidden") {
				t.Errorf("%s %s: %d %s", m.method, path, r.status, r.body)
			}
		}
	}
	for _, org := range []string{"acme/../globex", "acme%2f..%2fglobex", "globex%00", "GLOBEX", "globex ", "./globex", "acme/v2/../../globex"} {
		r := s.sendTo(org, s.tokens["acme:idp"], "GET", "/Users/"+s.user, "")
		if r.status < 400 || strings.Contains(r.body, "secret") {
			t.Errorf("%s: %d %s", org, r.status, r.body)
		}
	}
	if diff := cmp.Diff(before, s.everything()); diff != "" {
		t.Errorf("something of others has changed:\n%s", diff)
	}
}

// A filter finds nobody of another organization and nothing of another client, by whatever it names.
func TestFiltersFindNothingOfOthers(t *testing.T) {
	t.Parallel()
	s := newStrangers(t)
	for _, c := range []struct{ endpoint, filter, found, missing string }{
		{"/Users", `id eq "%s"`, s.user, s.missing()},
		{"/Users", `userName eq "%s"`, "secret", "nobody"},
		{"/Users", `userName sw "%s"`, "secre", "nobod"},
		{"/Users", `externalId eq "%s"`, "x-1", "x-2"},
		{"/Users", `emails eq "%s"`, "secret@example.com", "nobody@example.com"},
		{"/Users", `emails[value eq "%s"]`, "secret@example.com", "nobody@example.com"},
		{"/Users", `title eq "%s"`, "Spy", "Fly"},
		{"/Users", `groups.value eq "%s"`, s.group, s.missing()},
		{"/Users", `groups eq "%s"`, s.group, s.missing()},
		{"/Users", `groups[display eq "%s"]`, "Hidden", "Nothing"},
		{"/Users", `meta.location eq "https://scim.test/scim/globex/v2/Users/%s"`, s.user, s.missing()},
		{"/Groups", `id eq "%s"`, s.group, s.missing()},
		{"/Groups", `displayName eq "%s"`, "Hidden", "Nothing"},
		{"/Groups", `members.value eq "%s"`, s.user, s.missing()},
		{"/Groups", `members[value eq "%s"]`, s.user, s.missing()},
		{"/Groups", `id eq "%s"`, s.other, s.missing()},
		{"/Groups", `displayName eq "%s"`, "Cabal", "Nothing"},
		{"", `id eq "%s"`, s.user, s.missing()},
		{"", `displayName eq "%s" or id pr and id eq "x"`, "Hidden", "Nothing"},
	} {
		of := func(value string) string { return strings.ReplaceAll(c.filter, "%s", value) }
		foreign := s.send("GET", c.endpoint+"?filter="+url.QueryEscape(of(c.found)), "")
		missing := s.send("GET", c.endpoint+"?filter="+url.QueryEscape(of(c.missing)), "")
		s.alike(c.endpoint+" "+c.filter, foreign, missing, c.found, c.missing)
		if foreign.status != http.StatusOK || foreign.field("totalResults") != 0.0 {
			t.Errorf("%s %s: %d %s", c.endpoint, c.filter, foreign.status, foreign.body)
		}
		quoted := strings.ReplaceAll(of(c.found), `"`, `\"`)
		r := s.send("POST", c.endpoint+"/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"`+quoted+`"}`)
		if r.status != http.StatusOK || r.field("totalResults") != 0.0 {
			t.Errorf("%s/.search %s: %d %s", c.endpoint, c.filter, r.status, r.body)
		}
	}
	for _, q := range []string{"/Users", "/Groups", "", "/Users?sortBy=userName", "/Users?filter=id+pr", "/Groups?filter=not+(displayName+eq+%22x%22)", "/?filter=id+pr&count=1000", "/Users?cursor="} {
		r := s.send("GET", q, "").want(t, http.StatusOK)
		for _, secret := range []string{"secret", "Hidden", s.user, s.group} {
			if strings.Contains(r.body, secret) {
				t.Errorf("%s shows %q", q, secret)
			}
		}
	}
}

// Somebody of another organization, a group of another client and an id of the wrong type are members as little as an
// id that nobody has, whatever way they come.
func TestMembersOfOthersAreUnknown(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{"strict", "generic", "entra", "okta"} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			s := newStrangers(t)
			s.speak("acme:idp", profile)
			before := s.everything()
			for i, way := range []struct{ method, path, body string }{
				{"POST", "/Groups", `{"schemas":["` + schema.GroupURN + `"],"displayName":"New N","members":[{"value":"%s"}]}`},
				{"PUT", "/Groups/" + s.team, group("Team", "%s", s.own)},
				{"PATCH", "/Groups/" + s.team, patchOf(`{"op":"add","path":"members","value":[{"value":"%s"}]}`)},
				{"PATCH", "/Groups/" + s.team, patchOf(`{"op":"add","value":{"members":[{"value":"%s","$ref":"https://scim.test/scim/globex/v2/Users/%s"}]}}`)},
				{"PATCH", "/Groups/" + s.team, patchOf(`{"op":"replace","path":"members","value":[{"value":"` + s.own + `"},{"value":"%s"}]}`)},
				{"PATCH", "/Groups/" + s.team, patchOf(`{"op":"add","path":"members[value eq \"%s\"]","value":{"value":"%s"}}`)},
				{"PATCH", "/Groups/" + s.team, patchOf(`{"op":"remove","path":"members[value eq \"%s\"]"}`)},
				{"PATCH", "/Groups/" + s.team, patchOf(`{"op":"remove","path":"members","value":[{"value":"%s"}]}`)},
			} {
				for j, foreign := range []string{s.user, s.group, s.other} {
					none := s.missing()
					of := func(id string, nth int) string {
						return strings.ReplaceAll(strings.ReplaceAll(way.body, "%s", id), "New N", "New "+string(rune('A'+10*i+2*j+nth)))
					}
					a := s.send(way.method, way.path, of(foreign, 0))
					b := s.send(way.method, way.path, of(none, 1))
					if way.method == "POST" { // two groups
						a, b = s.nameless(a), s.nameless(b)
					}
					s.alike(profile+" "+way.method+" "+way.body, a, b, foreign, none)
				}
			}
			r := s.send("GET", "/Groups/"+s.team, "").want(t, http.StatusOK)
			if m, _ := r.field("members").([]any); len(m) != 1 {
				t.Errorf("%s", r.body)
			}
			if diff := cmp.Diff(before, s.everything()); diff != "" {
				t.Errorf("something of others has changed:\n%s", diff)
			}
		})
	}
}

var (
	anyID  = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)
	anyNew = regexp.MustCompile(`New .`)
)

// nameless is an answer that shows a new group, without its name and id.
func (s *strangers) nameless(r response) response {
	r.body = anyNew.ReplaceAllString(anyID.ReplaceAllString(r.body, "ID"), "New")
	for _, name := range []string{"Location", "Content-Length"} {
		if r.header.Get(name) != "" {
			r.header.Set(name, "differs")
		}
	}
	return r
}

// Operations of a bulk request reach no farther than requests.
func TestBulkReachesNobodyElse(t *testing.T) {
	t.Parallel()
	s := newStrangers(t)
	before := s.everything()
	bulk := func(op string) string {
		return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[` + op + `]}`
	}
	for _, op := range []string{
		`{"method":"DELETE","path":"/Users/%s"}`,
		`{"method":"DELETE","path":"/Groups/%s"}`,
		`{"method":"DELETE","path":"/Users/%s","version":"W/\"1\""}`,
		`{"method":"PUT","path":"/Users/%s","data":` + person("eve", "") + `}`,
		`{"method":"PATCH","path":"/Groups/%s","data":` + patchOf(`{"op":"replace","path":"members","value":[]}`) + `}`,
		`{"method":"PATCH","path":"/Groups/` + s.team + `","data":` + patchOf(`{"op":"add","path":"members","value":[{"value":"%s"}]}`) + `}`,
		`{"method":"PATCH","path":"https://scim.test/scim/globex/v2/Users/%s","data":` + patchOf(`{"op":"replace","path":"active","value":false}`) + `}`,
		`{"method":"DELETE","path":"/../../globex/v2/Users/%s"}`,
		`{"method":"DELETE","path":"/Users/../../globex/v2/Users/%s"}`,
		`{"method":"DELETE","path":"/Users/x/../%s"}`,
		`{"method":"POST","path":"/Groups","bulkId":"%s","data":{"displayName":"Bulky","members":[{"value":"bulkId:%s"}]}}`,
	} {
		for _, foreign := range []string{s.user, s.group, s.other} {
			none := s.missing()
			a := s.send("POST", "/Bulk", bulk(strings.ReplaceAll(op, "%s", foreign)))
			s.forget("Bulky")
			b := s.send("POST", "/Bulk", bulk(strings.ReplaceAll(op, "%s", none)))
			s.forget("Bulky")
			if strings.Contains(op, "Bulky") {
				a, b = s.nameless(a), s.nameless(b)
			}
			s.alike(op, a, b, foreign, none)
		}
	}
	if diff := cmp.Diff(before, s.everything()); diff != "" {
		t.Errorf("something of others has changed:\n%s", diff)
	}
}

// forget deletes a group of acme's idp, if there is one of that name.
func (s *strangers) forget(name string) {
	s.t.Helper()
	r := s.send("GET", `/Groups?filter=displayName+eq+"`+name+`"`, "")
	for _, g := range r.field("Resources").([]any) {
		s.send("DELETE", "/Groups/"+g.(map[string]any)["id"].(string), "")
	}
}
