package scim_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	es "github.com/elimity-com/scim"
	eerrors "github.com/elimity-com/scim/errors"
	eschema "github.com/elimity-com/scim/schema"

	"usherd/connector"
	"usherd/scim/filter"
	"usherd/scim/schema"
)

// shelfOf keeps what the server of elimity-com/scim hands it, in memory. The server reads requests, checks them by its
// schemas and writes answers; the shelf knows only that a userName is given once and has to be there.
type shelfOf struct {
	next  int
	order []string
	users map[string]es.ResourceAttributes
}

var errGone = eerrors.ScimErrorResourceNotFound

func (s *shelfOf) keep(id string, a es.ResourceAttributes) (es.Resource, error) {
	name, _ := a["userName"].(string)
	if strings.TrimSpace(name) == "" {
		return es.Resource{}, eerrors.ScimErrorInvalidValue
	}
	for other, u := range s.users {
		if taken, _ := u["userName"].(string); other != id && connector.Fold(taken) == connector.Fold(name) {
			return es.Resource{}, eerrors.ScimErrorUniqueness
		}
	}
	if _, ok := a["active"]; !ok {
		a["active"] = true
	}
	if id == "" {
		s.next++
		id = "theirs-" + strconv.Itoa(s.next)
		s.order = append(s.order, id)
	}
	s.users[id] = a
	return s.shown(id), nil
}

// shown is a copy: the server writes into what it is given.
func (s *shelfOf) shown(id string) es.Resource {
	return es.Resource{ID: id, Attributes: maps.Clone(s.users[id])}
}

func (s *shelfOf) Create(_ *http.Request, a es.ResourceAttributes) (es.Resource, error) {
	return s.keep("", a)
}

func (s *shelfOf) Get(_ *http.Request, id string) (es.Resource, error) {
	if s.users[id] == nil {
		return es.Resource{}, eerrors.ScimErrorResourceNotFound(id)
	}
	return s.shown(id), nil
}

func (s *shelfOf) Replace(_ *http.Request, id string, a es.ResourceAttributes) (es.Resource, error) {
	if s.users[id] == nil {
		return es.Resource{}, errGone(id)
	}
	return s.keep(id, a)
}

func (s *shelfOf) Delete(_ *http.Request, id string) error {
	if s.users[id] == nil {
		return errGone(id)
	}
	delete(s.users, id)
	s.order = slices.DeleteFunc(s.order, func(o string) bool { return o == id })
	return nil
}

func (s *shelfOf) Patch(*http.Request, string, []es.PatchOperation) (es.Resource, error) {
	return es.Resource{}, eerrors.ScimErrorInternal // the package only checks PATCH: applying it is scim/patch's, and tested there
}

// GetAll answers what their parser has read of a filter with our evaluator: theirs panics. So nothing is learned here of
// what a filter may compare.
func (s *shelfOf) GetAll(_ *http.Request, p es.ListRequestParams) (es.Page, error) {
	page := es.Page{Resources: []es.Resource{}}
	var match *filter.Filter
	if p.FilterValidator != nil {
		f, err := filter.Compile(schema.User(), p.FilterValidator.GetFilter())
		if err != nil {
			return es.Page{}, eerrors.ScimErrorInvalidFilter
		}
		match = f
	}
	for _, id := range s.order {
		if match != nil && !match.Match(s.users[id]) {
			continue
		}
		if page.TotalResults++; page.TotalResults >= p.StartIndex && len(page.Resources) < p.Count {
			page.Resources = append(page.Resources, s.shown(id))
		}
	}
	return page, nil
}

// twins are our door and the other server, which get the same requests.
type twins struct {
	*world
	other *httptest.Server
	ids   [2]map[string]string // real -> as it is compared
	used  map[string]bool      // differences that have occurred
}

func newTwins(t *testing.T) *twins {
	t.Helper()
	w := newWorld(t)
	w.speak("acme:idp", "strict")
	server, err := es.NewServer(&es.ServerArgs{
		ServiceProviderConfig: &es.ServiceProviderConfig{MaxResults: 1000, SupportFiltering: true, SupportPatch: true},
		ResourceTypes: []es.ResourceType{{
			Name: "User", Endpoint: "/Users", Schema: eschema.CoreUserSchema(), SchemaExtensions: []es.SchemaExtension{{Schema: eschema.ExtensionEnterpriseUser()}},
			Handler: &shelfOf{users: map[string]es.ResourceAttributes{}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	other := httptest.NewServer(server)
	t.Cleanup(other.Close)
	return &twins{world: w, other: other, ids: [2]map[string]string{{}, {}}, used: map[string]bool{}}
}

// asked is a request and both answers, as they are compared: lines, with ids by number.
type asked struct {
	method, path, body string
	status             [2]int
	lines              [2][]string
	id, made           [2]string // of the resources that were answered, and of those that were new
}

// differ are lines that only one of both has.
func (a *asked) differ() []string {
	var out []string
	for i := range 2 {
		for _, l := range a.lines[i] {
			if !slices.Contains(a.lines[1-i], l) {
				out = append(out, [2]string{"ours   ", "theirs "}[i]+l)
			}
		}
	}
	slices.Sort(out)
	return out
}

// ask sends a request to both. {1} in the path is the first user that was made, and so on.
func (w *twins) ask(t *testing.T, method, path, body string) *asked {
	t.Helper()
	a := &asked{method: method, path: path, body: body}
	for i := range 2 {
		at := w.real(i, path)
		var r response
		if i == 0 {
			r = w.send(method, at, body)
		} else {
			r = w.ofOther(t, method, at, body)
		}
		a.status[i] = r.status
		if a.id[i] = r.text("id"); a.id[i] != "" && w.ids[i][a.id[i]] == "" {
			id := a.id[i]
			w.ids[i][id], a.made[i] = fmt.Sprintf("{%d}", len(w.ids[i])+1), id
		}
		var quoted []string
		for real, shown := range w.ids[i] {
			quoted = append(quoted, strconv.Quote(real), strconv.Quote(shown))
		}
		shown := strings.NewReplacer(quoted...)
		for _, l := range inOrder(r).lines(t) {
			l = shown.Replace(l)
			if !uncompared.MatchString(l) {
				a.lines[i] = append(a.lines[i], l)
			}
		}
	}
	w.align(t, a)
	return a
}

// align keeps both at the same users where only one of them has done what was asked: that user is deleted.
func (w *twins) align(t *testing.T, a *asked) {
	t.Helper()
	did := [2]bool{a.status[0] < 300, a.status[1] < 300}
	if did[0] == did[1] || a.method != http.MethodPost && a.method != http.MethodPut {
		return
	}
	for i := range 2 {
		if did[i] && a.made[i] != "" { // the other has none
			w.remove(t, i, "/Users/"+a.made[i])
			delete(w.ids[i], a.made[i])
			return
		}
		if did[i] {
			w.remove(t, 0, w.real(0, "/Users/"+w.ids[i][a.id[i]]))
			w.remove(t, 1, w.real(1, "/Users/"+w.ids[i][a.id[i]]))
			return
		}
	}
}

// real is a path with the ids of one of both.
func (w *twins) real(i int, path string) string {
	for real, shown := range w.ids[i] {
		path = strings.ReplaceAll(path, shown, real)
	}
	return path
}

func (w *twins) remove(t *testing.T, i int, path string) {
	t.Helper()
	if i == 0 {
		w.send("DELETE", path, "")
	} else {
		w.ofOther(t, "DELETE", path, "")
	}
}

// inOrder sorts the values of each attribute: their order says nothing (RFC 7643 section 2.4), and telephone numbers
// come back work first.
func inOrder(r response) response {
	var v any
	d := json.NewDecoder(strings.NewReader(r.body))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return r
	}
	var sorted func(v any)
	sorted = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, e := range v {
				sorted(e)
			}
		case []any:
			for _, e := range v {
				sorted(e)
			}
			if len(v) > 0 && !strings.Contains(fmt.Sprint(v[0]), "userName") {
				slices.SortStableFunc(v, func(a, b any) int { return strings.Compare(valueOf(a), valueOf(b)) })
			}
		}
	}
	sorted(v)
	b, err := json.Marshal(v)
	if err != nil {
		return r
	}
	r.body = string(b)
	return r
}

func valueOf(v any) string {
	if m, ok := v.(map[string]any); ok {
		return fmt.Sprint(m["value"])
	}
	return fmt.Sprint(v)
}

func (w *twins) ofOther(t *testing.T, method, path, body string) response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, w.other.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := w.other.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var raw json.RawMessage
	if err := json.NewDecoder(resp.Body).Decode(&raw); err != nil {
		raw = nil // 204, or an answer without a body
	}
	return response{resp.StatusCode, resp.Header, string(raw)}
}

// uncompared are lines of answers that are never compared, since the package has its own (see
// TestWhatThePinnedServerGetsWrong): headers, meta without an absolute location or version, schemas with every
// extension, details of errors, which are ours in our words, and what is usherd's alone.
var uncompared = regexp.MustCompile(`^([A-Z][A-Za-z-]*: |(Resources\[\d+\]\.)?(meta|schemas|urn:usherd)|detail|startIndex)`)

func unescaped(path string) string {
	s, err := url.QueryUnescape(path)
	if err != nil {
		return path
	}
	return s
}

// agree holds both answers to be one, or to differ as is known.
func (w *twins) agree(t *testing.T, a *asked) {
	t.Helper()
	if a.status[0] == a.status[1] && len(a.differ()) == 0 {
		return
	}
	for _, d := range differences {
		if d.whole != nil && d.whole(a) {
			w.used[d.name] = true
			return
		}
	}
	if a.status[0] == a.status[1] && w.explained(a) {
		return
	}
	t.Errorf("%s %s\n%s\nours %d, theirs %d\n%s", a.method, unescaped(a.path), a.body, a.status[0], a.status[1], strings.Join(a.differ(), "\n"))
}

// explained reports whether every line that differs is one of those that may.
func (w *twins) explained(a *asked) bool {
	for _, l := range a.differ() {
		i := slices.IndexFunc(differences, func(d difference) bool {
			return d.line != nil && (d.method == "" || d.method == a.method) && d.line.MatchString(l)
		})
		if i < 0 {
			return false
		}
		w.used[differences[i].name] = true
	}
	return true
}

// The server of elimity-com/scim is a second opinion on what it supports: requests of every day, those in which it is
// known to be wrong, and random ones. Where it answers otherwise than we do, the difference is on the list above.
func TestSecondOpinion(t *testing.T) {
	t.Parallel()
	w := newTwins(t)
	for _, r := range fixedRequests() {
		w.agree(t, w.ask(t, r[0], r[1], r[2]))
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	g := &inventor{Rand: rand.New(rand.NewPCG(seed, 2))}
	names := map[string]string{} // of who is there, by address
	for range 200 {
		path, method, name := "/Users", "POST", g.fresh()
		if len(names) > 0 && g.IntN(3) == 0 {
			path, method = g.one(names), "PUT"
		}
		if len(names) > 0 && g.IntN(5) == 0 {
			name = names[g.one(names)] // perhaps of somebody else
		}
		a := w.ask(t, method, path, g.user(name))
		w.agree(t, a)
		did := [2]bool{a.status[0] < 300, a.status[1] < 300}
		if did[0] != did[1] { // see align
			maps.DeleteFunc(names, func(p, n string) bool { return p == path || method == "POST" && n == name })
			continue
		}
		if did[0] {
			path = "/Users/" + w.ids[0][a.id[0]]
			names[path] = name
		}
		if path != "/Users" {
			w.agree(t, w.ask(t, "GET", path, ""))
		}
		if len(names) > 0 && g.IntN(10) == 0 {
			path = g.one(names)
			w.agree(t, w.ask(t, "DELETE", path, ""))
			delete(names, path)
			w.agree(t, w.ask(t, "GET", path, ""))
			w.agree(t, w.ask(t, "GET", "/Users?count=1000", ""))
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	w.agree(t, w.ask(t, "GET", "/Users?count=1000", ""))
	for _, d := range differences {
		if !w.used[d.name] {
			t.Errorf("the difference %q has not occurred: take it off the list", d.name)
		}
	}
}

// inventor makes users of which most are right.
type inventor struct {
	*rand.Rand
	serial int
}

// fresh is a name that nobody has had: who comes back under one keeps the id here, and not there.
func (g *inventor) fresh() string {
	g.serial++
	return fmt.Sprintf("r%d", g.serial)
}

func (g *inventor) one(names map[string]string) string {
	all := slices.Sorted(maps.Keys(names))
	return all[g.IntN(len(all))]
}

func (g *inventor) pick(values ...any) any { return values[g.IntN(len(values))] }

func (g *inventor) text() any {
	return g.pick("a", "Łukasz", "x y", "\U0001F600", "\"quoted\" \\ /", strings.Repeat("z", 60), "1", "true")
}

func (g *inventor) user(name string) string {
	const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	u := map[string]any{
		"schemas": []any{schema.UserURN}, "userName": name, "name": map[string]any{"familyName": g.text(), "givenName": g.text()},
		"emails": []any{map[string]any{"value": name + "@example.com", "type": g.pick("work", "home")}},
	}
	for _, key := range []string{"displayName", "nickName", "title", "userType", "locale", "preferredLanguage"} {
		if g.IntN(3) == 0 {
			u[key] = g.text()
		}
	}
	if g.IntN(3) == 0 {
		u["active"] = g.pick(true, false)
	}
	for _, key := range []string{"phoneNumbers", "ims", "photos", "roles", "entitlements"} {
		if g.IntN(4) == 0 {
			u[key] = g.values(key)
		}
	}
	if g.IntN(3) == 0 {
		u["schemas"] = []any{schema.UserURN, enterprise}
		u[enterprise] = map[string]any{"department": g.text(), "employeeNumber": g.text()}
	}
	if g.IntN(30) == 0 {
		u["userName"] = g.pick(5, true, nil, "", map[string]any{"value": name})
	}
	if g.IntN(6) == 0 { // of another type
		u[g.pick("title", "name", "emails", "active", "phoneNumbers").(string)] = g.pick(5, true, "x", []any{5}, map[string]any{"value": 7}, []any{"x"}) //nolint:forcetypeassert // texts
	}
	if g.IntN(10) == 0 { // unknown
		u["shoe"] = g.text()
	}
	if g.IntN(5) == 0 { // in another case
		if v, ok := u["title"]; ok {
			delete(u, "title")
			u["TITLE"] = v
		}
	}
	b, _ := json.Marshal(u) //nolint:errchkjson // made of JSON's own types
	return string(b)
}

func (g *inventor) values(key string) []any {
	var list []any
	for i := range 1 + g.IntN(3) {
		e := map[string]any{"value": fmt.Sprintf("v%d", i), "type": g.pick("work", "home", "other")}
		if key == "photos" {
			e["value"] = fmt.Sprintf("https://example.com/%d", i)
		}
		if g.IntN(2) == 0 {
			e["display"] = g.text()
		}
		list = append(list, e)
	}
	return list
}
