package scim_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// shelf is users or groups of a client, some of which come and go while somebody reads them.
type shelf struct {
	*world
	rand     *rand.Rand
	endpoint string
	paths    map[string]string // of those that are there, by name
	serial   int
	fixed    map[string]bool // ids of those that stay
}

func newShelf(t *testing.T, endpoint string, n int) *shelf {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	s := &shelf{world: newWorld(t), rand: rand.New(rand.NewPCG(seed, 1)), endpoint: endpoint, paths: map[string]string{}, fixed: map[string]bool{}}
	for range (n + 49) / 50 {
		s.add(min(n-len(s.paths), 50))
	}
	return s
}

// add puts n more there, each at a place of its own in every order.
func (s *shelf) add(n int) {
	s.t.Helper()
	names, endpoints := make([]string, n), make([]string, n)
	bodies, answers := make([]string, n), make([]response, n)
	for i := range n {
		s.serial++
		names[i] = fmt.Sprintf("%c%c%d", 'a'+s.rand.IntN(26), 'a'+s.rand.IntN(26), s.serial)
		if endpoints[i] = s.endpoint; s.endpoint == "/" {
			endpoints[i] = [...]string{"/Users", "/Groups"}[s.serial%2]
		}
		bodies[i] = `{"displayName":"` + names[i] + `"}`
		if endpoints[i] == "/Users" {
			bodies[i] = person(names[i], `,"title":"`+strconv.Itoa(s.rand.IntN(5))+`","displayName":"`+names[i]+`"`)
		}
	}
	together(n, func(i int) { answers[i] = s.tries("POST", endpoints[i], bodies[i]) })
	for i, r := range answers {
		if r.status != http.StatusCreated {
			s.t.Fatalf("%d %s", r.status, r.body)
		}
		s.paths[names[i]] = endpoints[i] + "/" + r.text("id")
	}
}

func id(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// stir adds and removes some; those that are fixed stay.
func (s *shelf) stir() {
	s.t.Helper()
	s.add(s.rand.IntN(3))
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(s.paths)), func(name string) bool { return s.fixed[id(s.paths[name])] })
	for range min(s.rand.IntN(4), len(names)) {
		i := s.rand.IntN(len(names))
		if r := s.send("DELETE", s.paths[names[i]], ""); r.status != http.StatusNoContent {
			s.t.Fatalf("%d %s", r.status, r.body)
		}
		delete(s.paths, names[i])
		names = slices.Delete(names, i, i+1)
	}
}

// begin fixes two of three of what is there, taken at random.
func (s *shelf) begin() {
	clear(s.fixed)
	for _, name := range slices.Sorted(maps.Keys(s.paths)) {
		if s.rand.IntN(3) > 0 {
			s.fixed[id(s.paths[name])] = true
		}
	}
}

// page reads one page and returns the ids in it.
func (s *shelf) page(query string) (ids []string, r response) {
	s.t.Helper()
	if r = s.send("GET", s.endpoint+"?"+query, ""); r.status != http.StatusOK {
		s.t.Fatalf("%s: %d %s", query, r.status, r.body)
	}
	list, _ := r.field("Resources").([]any)
	for _, v := range list {
		ids = append(ids, v.(map[string]any)["id"].(string))
	}
	return ids, r
}

// met demands that each of those that stayed was met once, and nobody twice.
func (s *shelf) met(how string, ids []string) {
	s.t.Helper()
	times := map[string]int{}
	for _, id := range ids {
		if times[id]++; times[id] == 2 {
			s.t.Errorf("%s: %s was met twice", how, id)
		}
	}
	for id := range s.fixed {
		if times[id] == 0 {
			s.t.Errorf("%s: %s stayed and was not met", how, id)
		}
	}
}

// orders are ways to sort and to choose, of which an index answers some, and some not.
var orders = map[string][]string{
	"/Users": {
		"", "sortBy=userName", "sortBy=displayName&sortOrder=descending", "sortBy=meta.created", "sortBy=title", "sortBy=title&sortOrder=descending",
		"sortBy=name.familyName", "filter=" + url.QueryEscape(`userName pr`), "filter=" + url.QueryEscape(`title pr and not (title eq "nothing")`),
		"filter=" + url.QueryEscape(`emails co "example"`) + "&sortBy=emails",
	},
	"/":       {"", "sortBy=displayName", "sortBy=meta.lastModified&sortOrder=descending", "filter=" + url.QueryEscape(`meta.resourceType eq "User" or displayName pr`)},
	"/Groups": {"", "sortBy=displayName", "sortBy=externalId", "sortBy=meta.created&sortOrder=descending", "filter=" + url.QueryEscape(`displayName pr`), "filter=" + url.QueryEscape(`not (members pr)`)},
}

// everyOrder runs a walk for each way to sort and choose.
func everyOrder(t *testing.T, walk func(s *shelf, order string) []string) {
	t.Helper()
	for endpoint, list := range orders {
		t.Run("at "+endpoint, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t, endpoint, 30)
			for _, order := range list {
				s.add(max(30-len(s.paths), 0))
				s.begin()
				s.met(order, walk(s, order))
				if t.Failed() {
					t.FailNow()
				}
			}
		})
	}
}

// Whoever reads by cursors meets each of those that stay once, whatever comes and goes in between.
func TestCursorsMeetWhatStays(t *testing.T) {
	t.Parallel()
	everyOrder(t, func(s *shelf, order string) (met []string) {
		for cursor := ""; ; {
			ids, r := s.page(order + "&count=7&cursor=" + cursor)
			met = append(met, ids...)
			if cursor = r.text("nextCursor"); cursor == "" {
				return met
			}
			s.stir()
		}
	})
}

// So does who reads by numbers, as long as pages are asked for one after the other.
func TestNumbersMeetWhatStays(t *testing.T) {
	t.Parallel()
	everyOrder(t, func(s *shelf, order string) (met []string) {
		for {
			ids, r := s.page(order + "&count=7&startIndex=" + strconv.Itoa(len(met)+1))
			if met = append(met, ids...); len(ids) < 7 {
				if total := r.field("totalResults").(float64); len(ids) == 0 && float64(len(met)) < total-float64(s.serial) {
					s.t.Errorf("%d of %v were met", len(met), total)
				}
				return met
			}
			s.stir()
		}
	})
}

// Backwards by cursors it is the same list.
func TestCursorsGoBack(t *testing.T) {
	t.Parallel()
	everyOrder(t, func(s *shelf, order string) []string {
		var forth, back []string
		var previous string
		for cursor := ""; ; {
			ids, r := s.page(order + "&count=7&cursor=" + cursor)
			forth, previous = append(forth, ids...), r.text("previousCursor")
			if cursor = r.text("nextCursor"); cursor == "" {
				back = ids
				break
			}
		}
		for previous != "" {
			ids, r := s.page(order + "&count=7&cursor=" + previous)
			if back = append(slices.Clone(ids), back...); len(back) > len(forth) {
				s.t.Fatalf("%s: %d go forth and %d back", order, len(forth), len(back))
			}
			previous = r.text("previousCursor")
		}
		if !slices.Equal(forth, back) {
			s.t.Errorf("%s: forth %v, back %v", order, forth, back)
		}
		return forth
	})
}

// authentik asks for as many as the first answer has told, from what it has seen on, and knows no other end. Whoever
// comes meanwhile is as good as one who was there; who has been seen may go.
func TestTheWalkOfAuthentikEnds(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{"/Users", "/Groups"} {
		t.Run(strings.TrimPrefix(endpoint, "/"), func(t *testing.T) {
			t.Parallel()
			s := newShelf(t, endpoint, 230)
			ids, r := s.page("")
			expected := int(r.field("totalResults").(float64))
			var seen []string
			for {
				if seen = append(seen, ids...); len(seen) >= expected {
					break
				}
				if len(ids) == 0 {
					t.Fatalf("it would never end: %d of %d seen", len(seen), expected)
				}
				s.add(3)
				first := seen[s.rand.IntN(80):][:20] // some of the first page
				together(len(first), func(i int) { s.tries("DELETE", endpoint+"/"+first[i], "") })
				ids, _ = s.page("startIndex=" + strconv.Itoa(len(seen)+1))
			}
			s.met("authentik", seen)
		})
	}
}
