package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// Differences reads everything that the service provider has, by numbers and by cursors, and says where it is not what
// the company is. Others are the other clients of the organization: their people are there too, under names of
// their own, but not their groups. All clients must have finished a cycle since their companies changed.
func (c *Client) Differences(ctx context.Context, others ...*Client) ([]string, error) {
	t := c.talk("compare")
	t.c = &Client{o: c.o, product: c.product, http: c.http} // nothing happens to these requests
	t.c.o.Faults = 0
	var found []string
	for path, want := range map[string]map[string]object{"/Users?": c.wantedPeople(others), "/Groups?": c.wantedTeams()} {
		got, faults, err := t.everything(ctx, path)
		if err != nil {
			return nil, err
		}
		found = append(found, faults...)
		found = append(found, compared(path, want, got)...)
	}
	slices.Sort(found)
	return found, nil
}

// Seats are how many people use one.
func (c *Client) Seats() (n int) {
	for _, p := range c.o.Company.people {
		if p.Enabled && !p.Gone {
			n++
		}
	}
	return n
}

// People are the ids of everybody who was ever pushed.
func (c *Client) People() []string { return slices.Sorted(maps.Values(c.ids())) }

// wantedPeople are the users as this client must see them, by id.
func (c *Client) wantedPeople(others []*Client) map[string]object {
	want := map[string]object{}
	ids, teams := c.ids(), c.teamsOf()
	for key, known := range c.people {
		p := c.lastOf(key)
		if p.Gone && c.product.deletes() {
			continue
		}
		want[known.id] = full(c.product.resource(p, ids[p.Manager]), known.id, c.state(p), teams[key])
	}
	for _, o := range others {
		ids := o.ids()
		for key, known := range o.people {
			p := o.lastOf(key)
			r := full(o.product.resource(p, ids[p.Manager]), known.id, o.state(p), nil)
			if delete(r, "externalId"); p.Gone && o.product.deletes() {
				r = nil // it is there, and inactive; what is left of it is of no interest
			}
			want[known.id] = r
		}
	}
	return want
}

// lastOf is somebody as the company has the person, or had when it was deleted: what changed on that day was not pushed.
func (c *Client) lastOf(key string) Person {
	p := *c.o.Company.byKey[key]
	if p.Gone {
		p = c.people[key].Person
	}
	return p
}

func (c *Client) state(p Person) string {
	if p.Enabled {
		return c.o.State
	}
	return "inactive"
}

// full is a resource in the form in which JSON gives it, with what the service provider adds.
func full(r object, id, state string, teams []string) object {
	r["id"], r["state"] = id, state
	if delete(r, "schemas"); len(teams) > 0 {
		r["groups"] = teams
	}
	b, err := json.Marshal(r)
	if err != nil {
		panic(err) // texts
	}
	out := object{}
	if err := json.Unmarshal(b, &out); err != nil {
		panic(err) // just written
	}
	return out
}

// teamsOf are the ids of the groups that everybody is in, in order.
func (c *Client) teamsOf() map[string][]string {
	of := map[string][]string{}
	for _, t := range c.o.Company.teams {
		for _, key := range t.members() {
			of[key] = append(of[key], c.teams[t.Key].id)
		}
	}
	for _, list := range of {
		slices.Sort(list)
	}
	return of
}

func (c *Client) wantedTeams() map[string]object {
	want, ids := map[string]object{}, c.ids()
	for _, t := range c.o.Company.teams {
		if t.Gone {
			continue
		}
		members := []any{}
		for _, key := range t.members() {
			members = append(members, ids[key])
		}
		slices.SortFunc(members, compareText)
		g := object{"id": c.teams[t.Key].id, "displayName": t.Name, "members": members}
		setOrNot(g, "externalId", c.product.teamID(t))
		want[c.teams[t.Key].id] = g
	}
	return want
}

func compareText(a, b any) int {
	x, _ := a.(string)
	y, _ := b.(string)
	return strings.Compare(x, y)
}

// everything reads a list in two ways, which must give the same.
func (t *talk) everything(ctx context.Context, path string) (got map[string]object, faults []string, err error) {
	all, err := t.walk(ctx, path, 100)
	if err != nil {
		return nil, nil, err
	}
	got = map[string]object{}
	for _, r := range all {
		id := reply{body: r}.id()
		if got[id] != nil {
			faults = append(faults, path+" shows "+id+" twice")
		}
		got[id] = plain(r)
	}
	n := 0
	for cursor := ""; ; {
		r, err := t.expect(ctx, http.MethodGet, path+"count=77&cursor="+url.QueryEscape(cursor), nil, http.StatusOK)
		if err != nil {
			return nil, nil, err
		}
		list, _ := r.body["Resources"].([]any)
		for _, v := range list {
			one, _ := v.(object)
			if n++; !reflect.DeepEqual(plain(one), got[reply{body: one}.id()]) {
				faults = append(faults, fmt.Sprintf("%s by cursor shows %v", path, one))
			}
		}
		if cursor, _ = r.body["nextCursor"].(string); cursor == "" {
			break
		}
	}
	if n != len(all) {
		faults = append(faults, fmt.Sprintf("%s has %d by number and %d by cursor", path, len(all), n))
	}
	return got, faults, nil
}

// plain is a resource without what is the service provider's own, members and groups as their ids in order.
func plain(r object) object {
	out := maps.Clone(r)
	for _, name := range []string{"meta", "schemas"} {
		delete(out, name)
	}
	if own, ok := out[usherdURN].(object); ok {
		out["state"] = own["state"]
		delete(out, usherdURN)
	}
	for _, name := range []string{"members", "groups"} {
		list, ok := out[name].([]any)
		if !ok {
			continue
		}
		ids := make([]any, len(list))
		for i, v := range list {
			m, _ := v.(object)
			ids[i] = m["value"]
		}
		slices.SortFunc(ids, compareText)
		out[name] = ids
	}
	return out
}

const usherdURN = "urn:usherd:params:scim:schemas:extension:2.0:User"

// compared says what differs; of a wanted nil, only that it is there counts.
func compared(path string, want, got map[string]object) (found []string) {
	for id, w := range want {
		g, ok := got[id]
		switch {
		case !ok:
			found = append(found, fmt.Sprintf("%s misses %s %v", path, id, w))
		case w == nil && g["state"] != "inactive":
			found = append(found, fmt.Sprintf("%s: want nobody active: %v", path, g))
		case w != nil && !reflect.DeepEqual(w, g):
			found = append(found, fmt.Sprintf("%s\nwant %v\ngot  %v", path, w, g))
		}
	}
	for id, g := range got {
		if _, ok := want[id]; !ok {
			found = append(found, fmt.Sprintf("%s has too much: %v", path, g))
		}
	}
	return found
}
