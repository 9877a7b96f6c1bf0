package fleet

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// okta is Okta: it writes whole profiles by PUT, never deletes anybody, and takes a conflict as final.
type okta struct {
	groups map[string]string // ids by name, as the last import found them
}

func (*okta) agent() string { return "Okta SCIM Client 1.0.0" }

func (*okta) deletes() bool { return false }

func (*okta) managers() bool { return false }

// begin is an import: all users and groups.
func (o *okta) begin(ctx context.Context, t *talk) error {
	if _, err := t.walk(ctx, "/Users?", 100); err != nil {
		return err
	}
	all, err := t.walk(ctx, "/Groups?", 100)
	o.groups = map[string]string{}
	for _, g := range all {
		name, _ := g["displayName"].(string)
		o.groups[name] = reply{body: g}.id()
	}
	return err
}

func (o *okta) person(ctx context.Context, t *talk, known *pushedPerson, p Person) (string, error) {
	if known == nil {
		id, err := t.find(ctx, "/Users?filter="+url.QueryEscape("userName eq "+quoted(p.UserName))+"&startIndex=1&count=100")
		if err != nil {
			return "", err
		}
		return o.write(ctx, t, id, p)
	}
	if off := known.Person; known.Enabled && !p.Enabled && o.only(&off, p) {
		return known.id, o.leaves(ctx, t, known.id)
	}
	return o.write(ctx, t, known.id, p)
}

// write creates somebody, or replaces the profile.
func (o *okta) write(ctx context.Context, t *talk, id string, p Person) (string, error) {
	profile := o.profile(p)
	if id == "" {
		profile["password"] = fmt.Sprintf("1mz050nq-%d", t.rand.IntN(1000))
		r, err := t.expect(ctx, http.MethodPost, "/Users", profile, http.StatusCreated)
		return r.id(), err
	}
	profile["id"], profile["meta"] = id, object{"resourceType": "User"}
	_, err := t.expect(ctx, http.MethodPut, "/Users/"+id, profile, http.StatusOK)
	return id, err
}

// only reports whether nothing but the access has changed.
func (*okta) only(before *Person, p Person) bool {
	before.Enabled = p.Enabled
	return *before == p
}

func (*okta) profile(p Person) object {
	o := object{
		"schemas": []string{userURN}, "userName": p.UserName, "name": object{"givenName": p.Given, "familyName": p.Family},
		"emails": []any{object{"primary": true, "value": p.Email, "type": "work"}}, "displayName": p.DisplayName(), "locale": "en-US",
		"externalId": "00u" + p.Key, "groups": []any{}, "active": p.Enabled,
	}
	setOrNot(o, "title", p.Title)
	enterprise := object{}
	setOrNot(enterprise, "department", p.Department)
	setOrNot(enterprise, "employeeNumber", p.Number)
	if len(enterprise) > 0 {
		o["schemas"], o[enterpriseURN] = []string{userURN, enterpriseURN}, enterprise
	}
	return o
}

func (*okta) manager(context.Context, *talk, string, string, string) error { return nil }

func (*okta) leaves(ctx context.Context, t *talk, id string) error {
	return t.patch(ctx, "/Users/"+id, object{"op": "replace", "value": object{"active": false}})
}

func (o *okta) team(ctx context.Context, t *talk, known *pushedTeam, team *Team, ids map[string]string) (string, error) {
	if known == nil {
		id := o.groups[team.Name]
		if id == "" {
			r, err := t.expect(ctx, http.MethodPost, "/Groups", object{"schemas": []string{groupURN}, "displayName": team.Name, "members": o.list(team.members(), ids)}, http.StatusCreated)
			return r.id(), err
		}
		return id, t.patch(ctx, "/Groups/"+id, object{"op": "replace", "path": "members", "value": o.list(team.members(), ids)})
	}
	if err := o.members(ctx, t, known, team, ids); err != nil {
		return "", err
	}
	return known.id, t.patch(ctx, "/Groups/"+known.id, object{"op": "replace", "value": object{"id": known.id, "displayName": team.Name}})
}

func (*okta) list(keys []string, ids map[string]string) []any {
	list := make([]any, len(keys))
	for i, key := range keys {
		list[i] = object{"value": ids[key], "display": key + "@okta.local"}
	}
	return list
}

func (o *okta) members(ctx context.Context, t *talk, known *pushedTeam, team *Team, ids map[string]string) error {
	in, out := difference(known.members, team.Members)
	switch {
	case len(in)+len(out) == 0:
		return nil
	case len(team.Members) == 0 || len(in)+len(out) > 2*len(team.Members):
		return t.patch(ctx, "/Groups/"+known.id, object{"op": "replace", "path": "members", "value": o.list(team.members(), ids)})
	}
	var ops []object
	for _, key := range out {
		ops = append(ops, object{"op": "remove", "path": "members[value eq " + quoted(ids[key]) + "]"})
	}
	if len(in) > 0 {
		ops = append(ops, object{"op": "add", "path": "members", "value": o.list(in, ids)})
	}
	return t.patch(ctx, "/Groups/"+known.id, ops...)
}

func (*okta) dissolved(ctx context.Context, t *talk, id string) error {
	return t.remove(ctx, "/Groups/"+id)
}

func (o *okta) resource(p Person, _ string) map[string]any {
	r := o.profile(p)
	delete(r, "groups")
	return r
}

func (*okta) teamID(*Team) string { return "" }
