package scim_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/scim"
	"usherd/scim/schema"
)

// together calls f for 0 to n-1 at once.
func together(n int, f func(i int)) {
	begin := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-begin
			f(i)
		})
	}
	close(begin)
	wg.Wait()
}

// tries is send for goroutines, as patient as clients are with a server that is busy.
func (w *world) tries(method, path, body string, header ...string) response {
	for {
		r, err := w.trySend("acme:idp", method, path, body, header...)
		if err != nil {
			w.t.Error(err)
		}
		if r.status != http.StatusTooManyRequests {
			return r
		}
	}
}

// users posts u0, u1 … at once and returns their ids.
func (w *world) users(n int) []string {
	ids := make([]string, n)
	together(n, func(i int) {
		r := w.tries("POST", "/Users", person("u"+strconv.Itoa(i), ""))
		if ids[i] = r.text("id"); r.status != http.StatusCreated {
			w.t.Errorf("%d %s", r.status, r.body)
		}
	})
	return ids
}

// members are the ids in a group, in order.
func (w *world) members(group string) []string {
	w.t.Helper()
	r := w.send("GET", "/Groups/"+group, "")
	list, ok := r.field("members").([]any)
	if r.status != http.StatusOK || !ok {
		w.t.Fatalf("%d %s", r.status, r.body)
	}
	ids := make([]string, len(list))
	for i, m := range list {
		ids[i], _ = m.(map[string]any)["value"].(string)
	}
	slices.Sort(ids)
	return ids
}

// Requests at once that add and remove different members all hold, in whatever form they say it.
func TestMembershipsAtOnceAllHold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const n = 24
	ids := w.users(n)
	team := w.send("POST", "/Groups", group("Team", ids[:n/2]...)).want(t, http.StatusCreated).text("id")
	together(n, func(i int) { // the first half goes, the second comes
		op := [...]string{
			`{"op":"remove","path":"members[value eq \"%s\"]"}`, `{"op":"Remove","path":"members","value":[{"value":"%s"}]}`,
			`{"op":"add","path":"members","value":[{"value":"%s"}]}`, `{"op":"Add","value":{"members":[{"value":"%s"}]}}`,
		}[i/(n/2)*2+i%2]
		r := w.tries("PATCH", "/Groups/"+team, patchOf(strings.ReplaceAll(op, "%s", ids[i])))
		if r.status != http.StatusOK && r.status != http.StatusNoContent {
			t.Errorf("%d %s", r.status, r.body)
		}
	})
	if diff := cmp.Diff(slices.Sorted(slices.Values(ids[n/2:])), w.members(team)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// So do changes of different attributes of one user.
func TestAttributesAtOnceAllHold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.users(1)[0]
	names := []string{"title", "nickName", "displayName", "userType", "locale", "timezone", "preferredLanguage", "name.middleName", "name.honorificPrefix", schema.EnterpriseURN + ":department"}
	values := []string{"a", "b", "c", "d", "sv-SE", "Europe/Stockholm", "sv", "h", "i", "j"}
	together(len(names), func(i int) {
		r := w.tries("PATCH", "/Users/"+id, patchOf(`{"op":"add","path":"`+names[i]+`","value":"`+values[i]+`"}`))
		if r.status != http.StatusOK {
			t.Errorf("%s: %d %s", names[i], r.status, r.body)
		}
	})
	r := w.send("GET", "/Users/"+id, "")
	for i, name := range names {
		path := strings.Split(name, ".")
		if at := strings.LastIndex(name, ":"); at > 0 {
			path = []string{name[:at], name[at+1:]}
		}
		if got := r.text(path...); got != values[i] {
			t.Errorf("%s is %q, want %q", name, got, values[i])
		}
	}
}

// The same request several times at once makes one resource, and nobody is told an id that is none.
func TestTheSamePostAtOnceMakesOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for round := range 5 {
		name := "r" + strconv.Itoa(round)
		for endpoint, body := range map[string]string{
			"/Users": person(name, `,"externalId":"`+name+`"`), "/Groups": `{"displayName":"` + name + `","externalId":"` + name + `"}`,
		} {
			answers := make([]response, 4)
			together(len(answers), func(i int) { answers[i] = w.tries("POST", endpoint, body) })
			ids := map[string]bool{}
			for _, r := range answers {
				switch {
				case r.status == http.StatusCreated:
					ids[r.text("id")] = true
				case r.status != http.StatusConflict || r.text("scimType") != "uniqueness":
					t.Errorf("%s: %d %s", endpoint, r.status, r.body)
				}
			}
			r := w.send("GET", endpoint+`?filter=externalId+eq+"`+name+`"`, "")
			list, _ := r.field("Resources").([]any)
			if len(list) != 1 || len(ids) != 1 || !ids[list[0].(map[string]any)["id"].(string)] {
				t.Errorf("%s: told %v; there is %s", endpoint, ids, r.body)
			}
		}
	}
}

// Of different people who want one name at once, one gets it.
func TestOneNameAtOnceIsOnesOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const n = 8
	for round := range 5 {
		name := "r" + strconv.Itoa(round)
		var mu sync.Mutex
		var won []string
		together(n, func(i int) {
			r := w.tries("POST", "/Users", strings.Replace(person(name, fmt.Sprintf(`,"externalId":"%s-%d"`, name, i)), name+"@", name+strconv.Itoa(i)+"@", 1))
			switch {
			case r.status == http.StatusCreated:
				mu.Lock()
				defer mu.Unlock()
				won = append(won, r.text("externalId"))
			case r.status != http.StatusConflict || r.text("scimType") != "uniqueness":
				t.Errorf("%d %s", r.status, r.body)
			}
		})
		r := w.send("GET", `/Users?filter=userName+eq+"`+name+`"`, "")
		list, _ := r.field("Resources").([]any)
		if len(won) != 1 || len(list) != 1 || list[0].(map[string]any)["externalId"] != won[0] {
			t.Errorf("%v won: %s", won, r.body)
		}
	}
}

// Who is deleted while being changed is deleted, and what was changed is not a fault of the server.
func TestChangesAgainstDeletion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := w.users(8)
	team := w.send("POST", "/Groups", group("Team")).want(t, http.StatusCreated).text("id")
	for _, id := range ids {
		requests := [...]struct {
			method, path, body string
			may                []int
		}{
			{"DELETE", "/Users/" + id, "", []int{http.StatusNoContent}},
			{"PATCH", "/Users/" + id, patchOf(`{"op":"replace","path":"title","value":"Boss"}`), []int{http.StatusOK, http.StatusNotFound}},
			{"PUT", "/Users/" + id, person("new"+id, `,"active":true`), []int{http.StatusOK, http.StatusNotFound}},
			{"PATCH", "/Users/" + id, patchOf(`{"op":"replace","path":"active","value":true}`), []int{http.StatusOK, http.StatusNotFound}},
			{"PATCH", "/Groups/" + team, patchOf(`{"op":"add","path":"members","value":[{"value":"` + id + `"}]}`), []int{http.StatusOK}},
			{"GET", "/Users/" + id, "", []int{http.StatusOK, http.StatusNotFound}},
		}
		together(len(requests), func(i int) {
			x := requests[i]
			if r := w.tries(x.method, x.path, x.body); !slices.Contains(x.may, r.status) {
				t.Errorf("%s: %d %s", x.method, r.status, r.body)
			}
		})
		w.send("GET", "/Users/"+id, "").want(t, http.StatusNotFound)
	}
	if m := w.members(team); len(m) > 0 {
		t.Errorf("the group has members that do not exist: %v", m)
	}
	if r := w.send("GET", "/Users", ""); r.field("totalResults") != 0.0 {
		t.Errorf("%s", r.body)
	}
}

// Of all requests that want to change the same version, exactly one does.
func TestOneVersionIsChangedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user := w.users(1)[0]
	team := w.send("POST", "/Groups", group("Team")).want(t, http.StatusCreated).text("id")
	const n = 12
	for range 2 {
		for path, attribute := range map[string]string{"/Users/" + user: "nickName", "/Groups/" + team: "externalId"} {
			tag := w.send("GET", path, "").want(t, http.StatusOK).header.Get("Etag")
			var mu sync.Mutex
			var won []string
			together(n, func(i int) {
				value := tag + strconv.Itoa(i)
				body := patchOf(`{"op":"replace","path":"` + attribute + `","value":` + strconv.Quote(value) + `}`)
				switch r := w.tries("PATCH", path, body, "If-Match", tag); r.status {
				case http.StatusOK:
					mu.Lock()
					won = append(won, value)
					mu.Unlock()
				case http.StatusPreconditionFailed:
				default:
					t.Errorf("%d %s", r.status, r.body)
				}
			})
			r := w.send("GET", path, "").want(t, http.StatusOK)
			if len(won) != 1 || r.text(attribute) != won[0] || r.header.Get("Etag") == tag {
				t.Errorf("%v won, and it is %s", won, r.body)
			}
		}
	}
	tag := w.send("GET", "/Users/"+user, "").header.Get("Etag")
	var deleted, changed int
	var mu sync.Mutex
	together(n, func(i int) {
		method, body := "DELETE", ""
		if i%2 == 0 {
			method, body = "PUT", person("u0", `,"title":"T`+strconv.Itoa(i)+`"`)
		}
		r := w.tries(method, "/Users/"+user, body, "If-Match", tag)
		mu.Lock()
		defer mu.Unlock()
		switch r.status {
		case http.StatusNoContent:
			deleted++
		case http.StatusOK:
			changed++
		case http.StatusPreconditionFailed, http.StatusNotFound:
		default:
			t.Errorf("%d %s", r.status, r.body)
		}
	})
	if deleted+changed != 1 {
		t.Errorf("%d deleted and %d changed the same version", deleted, changed)
	}
}

// What is read is never half of a change, whatever else goes on.
func TestReadersSeeWholeChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := w.users(4)
	team := w.send("POST", "/Groups", group("Team", ids[:2]...)).want(t, http.StatusCreated).text("id")
	together(16, func(i int) {
		id := ids[i%len(ids)]
		for round := range 4 {
			v := strconv.Itoa(i*100 + round)
			var r response
			switch i % 4 {
			case 0:
				r = w.tries("PATCH", "/Users/"+id, patchOf(`{"op":"replace","value":{"title":"`+v+`","nickName":"`+v+`"}}`))
			case 1: // two members at a time
				r = w.tries("PATCH", "/Groups/"+team, patchOf(`{"op":"replace","path":"members","value":[{"value":"`+ids[round%2*2]+`"},{"value":"`+ids[round%2*2+1]+`"}]}`))
			case 2:
				r = w.tries("GET", "/Users?attributes=title,nickName,groups", "")
				for _, u := range r.field("Resources").([]any) {
					if u := u.(map[string]any); u["title"] != u["nickName"] {
						t.Errorf("%v", u)
					}
				}
			default:
				r = w.tries("GET", "/Groups/"+team, "")
				if m, _ := r.field("members").([]any); len(m) != 2 {
					t.Errorf("%d members: %s", len(m), r.body)
				}
			}
			if r.status != http.StatusOK {
				t.Errorf("%d %s", r.status, r.body)
			}
		}
	})
}

// again is a writer whose first try of each group is lost: with those that shared its transaction it is made again.
type again struct{ scim.Writer }

func (a again) PushGroup(ctx context.Context, p provision.GroupPush) (*connector.GroupChange, error) {
	made := p.Change
	p.Change = func(ctx context.Context, r connector.Reader) (*connector.GroupChange, error) {
		if _, err := made(ctx, r); err != nil {
			return nil, err
		}
		return made(ctx, r)
	}
	return a.Writer.PushGroup(ctx, p)
}

// What a client has sent once is counted once, however often it takes to write it.
func TestTriesAreNotCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.speak("acme:idp", "generic")
	for _, o := range w.orgs {
		o.Writer = again{o.Writer}
	}
	w.replace()
	at := "/Groups/" + w.send("POST", "/Groups", group("Odd", "x", "y")).want(t, http.StatusCreated).text("id")
	w.send("PATCH", at, patchOf(`{"op":"add","path":"members","value":[{"value":"z"}]},{"op":"add","path":"members","value":[{"value":"z"}]}`)).want(t, http.StatusOK)
	if n := w.count("usherd_scim_quirks_total", "quirk", "unknown-member"); n != 4 {
		t.Errorf("%v members that nobody knows, 4 were sent", n)
	}
}

// away is a reader whose database has gone away.
type away struct{ connector.Reader }

var errAway = errors.New("the database is away")

func (away) ClientGroups(context.Context, connector.ResourceQuery) (*connector.Page[connector.ClientGroup], error) {
	return nil, errAway
}

// outage is a writer that loses its database in the first try of each group.
type outage struct{ scim.Writer }

func (o outage) PushGroup(ctx context.Context, p provision.GroupPush) (*connector.GroupChange, error) {
	made := p.Change
	p.Change = func(ctx context.Context, r connector.Reader) (*connector.GroupChange, error) {
		if _, err := made(ctx, away{r}); !errors.Is(err, errAway) {
			return nil, fmt.Errorf("the try that was to be lost: %w", err)
		}
		return made(ctx, r)
	}
	return o.Writer.PushGroup(ctx, p)
}

// A group that is made by the second try only has the id by which it is answered and known.
func TestGroupMadeAgainAfterAnOutage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, o := range w.orgs {
		o.Writer = outage{o.Writer}
	}
	w.replace()
	made := w.send("POST", "/Groups", group("Lasting")).want(t, http.StatusCreated)
	w.send("GET", "/Groups/"+made.text("id"), "").want(t, http.StatusOK)
}
