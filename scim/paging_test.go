package scim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"usherd/scim"
)

// page is a ListResponse as a client sees it.
type page struct {
	TotalResults, ItemsPerPage int
	StartIndex                 *int
	Resources                  []map[string]any
	NextCursor, PreviousCursor string
}

func (w *world) page(path string) page {
	w.t.Helper()
	r := w.send(http.MethodGet, path, "")
	var p page
	if err := json.Unmarshal([]byte(r.body), &p); err != nil || r.status != http.StatusOK {
		w.t.Fatalf("GET %s: %d %v\n%s", path, r.status, err, r.body)
	}
	return p
}

func (p page) ids() []string {
	out := []string{}
	for _, r := range p.Resources {
		out = append(out, fmt.Sprint(r["id"]))
	}
	return out
}

// people makes users and groups and returns the ids of all.
func (w *world) people(users, groups int) (ids []string) {
	w.t.Helper()
	make1 := func(path, body string) {
		r := w.send(http.MethodPost, path, body)
		if r.status != http.StatusCreated {
			w.t.Fatalf("POST %s: %d %s", path, r.status, r.body)
		}
		ids = append(ids, r.id(w.t))
	}
	for i := range users {
		make1("/Users", fmt.Sprintf(`{"userName":"u%03d","name":{"givenName":"G","familyName":"F%03d"},"emails":[{"value":"u%03d@example.com"}]}`, i, users-i, i))
	}
	for i := range groups {
		make1("/Groups", fmt.Sprintf(`{"displayName":"g%03d"}`, i))
	}
	return ids
}

// id is that of the resource that was answered.
func (r response) id(tb testing.TB) string {
	tb.Helper()
	var m struct{ ID string }
	if err := json.Unmarshal([]byte(r.body), &m); err != nil || m.ID == "" {
		tb.Fatalf("no id in %d %s", r.status, r.body)
	}
	return m.ID
}

// Whoever walks by cursor meets everybody once, forwards and backwards, in lists of every kind: those that an index
// has, those that are looked through, and those of all types at once.
func TestCursorsMeetEverybodyOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := w.people(7, 4)
	for list, want := range map[string][]string{
		"/Users?count=3": all[:7], "/Users?count=3&sortBy=userName&sortOrder=descending": reversed(all[:7]), "/Users?count=2&sortBy=name.familyName": reversed(all[:7]),
		"/Users?count=2&filter=" + url.QueryEscape(`name.givenName eq "G"`): all[:7], "/Groups?count=3": all[7:],
		"/?count=3": nil, "/?count=2&sortBy=userName": nil,
	} {
		var met []string
		var last page
		for cursor, pages := "", 0; ; pages++ {
			last = w.page(list + "&cursor=" + cursor)
			if last.TotalResults != max(len(want), 4) && want != nil || last.StartIndex != nil || pages > len(all) {
				t.Fatalf("%s: totalResults %d, startIndex %v on page %d", list, last.TotalResults, last.StartIndex, pages)
			}
			met = append(met, last.ids()...)
			if cursor = last.NextCursor; cursor == "" {
				break
			}
		}
		if want == nil { // in an order of its own
			want = slices.Sorted(slices.Values(all))
			slices.Sort(met)
		}
		if d := cmp.Diff(want, met); d != "" {
			t.Errorf("%s (-want +met):\n%s", list, d)
		}
		back := last.ids()
		for p := last; p.PreviousCursor != ""; {
			p = w.page(list + "&cursor=" + p.PreviousCursor)
			back = append(p.ids(), back...)
		}
		if want == nil {
			slices.Sort(back)
		}
		if d := cmp.Diff(met, back); d != "" {
			t.Errorf("%s, backwards (-met +back):\n%s", list, d)
		}
	}
}

// A cursor lives as long as discovery says, and is of one list: filter, order and size are those it was given for.
func TestCursorsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.people(3, 0)
	next := w.page("/Users?count=2&cursor=").NextCursor
	for _, other := range []string{
		"/Users?count=1&cursor=", "/Users?count=2&sortBy=userName&cursor=", "/Users?count=2&sortOrder=descending&cursor=", "/Groups?count=2&cursor=", "/?count=2&cursor=",
		"/Users?count=2&" + encoded("filter=userName pr") + "&cursor=",
	} {
		if r := w.send(http.MethodGet, other+next, ""); r.status != http.StatusBadRequest || r.text("scimType") != "invalidCursor" {
			t.Errorf("%s: %d %s", other, r.status, r.body)
		}
	}
	w.send(http.MethodGet, "/Users?count=2&attributes=id&cursor="+next, "").want(t, http.StatusOK) // what is shown is no matter
	life, _ := w.send(http.MethodGet, "/ServiceProviderConfig", "").field("pagination", "cursorTimeout").(float64)
	pass := func(d time.Duration) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.now = w.now.Add(d)
	}
	pass(time.Duration(life)*time.Second - time.Minute)
	w.send(http.MethodGet, "/Users?count=2&cursor="+next, "").want(t, http.StatusOK)
	pass(2 * time.Minute)
	if r := w.send(http.MethodGet, "/Users?count=2&cursor="+next, "").want(t, http.StatusBadRequest); r.text("scimType") != "expiredCursor" {
		t.Errorf("%s", r.body)
	}
}

func reversed(list []string) []string {
	out := slices.Clone(list)
	slices.Reverse(out)
	return out
}

// Whoever walks by index meets everybody once, whichever process answers a page, and whatever they have answered before.
func TestPagesByIndexAreTheSameOfAnyReplica(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := w.people(10, 7)
	users, groups := all[:10], all[10:]
	var replicas []*httptest.Server
	for range 2 {
		s, err := scim.New(scim.Options{Store: w.db, Gate: w.gate, URL: "https://scim.test", Now: w.clock, Log: zap.NewNop(), Shared: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Replace(w.orgs); err != nil {
			t.Fatal(err)
		}
		srv := httptest.NewServer(s)
		t.Cleanup(srv.Close)
		replicas = append(replicas, srv)
	}
	own := w.srv
	defer func() { w.srv = own }()
	walk := func(list string, answers func(page int) int) (met []string) {
		for n := 0; ; n++ {
			w.srv = replicas[answers(n)]
			p := w.page(list + "&startIndex=" + strconv.Itoa(len(met)+1))
			if met = append(met, p.ids()...); len(p.Resources) == 0 {
				return met
			}
		}
	}
	lists := map[string]*[]string{
		"/Users?count=2": &users, "/Users?count=3&sortBy=userName": &users, "/Groups?count=2": &groups,
		"/Users?count=2&filter=" + url.QueryEscape(`name.givenName eq "G" and not (title pr)`): &users,
	}
	for list := range lists {
		for i := range replicas {
			walk(list, func(int) int { return i })
		}
	}
	for _, gone := range []string{"/Users/" + users[1], "/Groups/" + groups[0]} {
		if r := w.send(http.MethodDelete, gone, ""); r.status != http.StatusNoContent {
			t.Fatal(r.status, r.body)
		}
	}
	users, groups = slices.Delete(users, 1, 2), groups[1:]
	for list, want := range lists {
		if d := cmp.Diff(*want, walk(list, func(page int) int { return page % 2 })); d != "" {
			t.Errorf("%s (-want +met):\n%s", list, d)
		}
	}
}
