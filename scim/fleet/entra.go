package fleet

import (
	"context"
	"errors"
	"net/http"
	"net/url"
)

// entra is Microsoft Entra ID: in its own dialect, or strict, nearer to the RFC, with aadOptscim062020 in the address.
// It finds people by userName, pushes only what has changed, by PATCH, and deactivates with a text.
type entra struct{ strict bool }

func (entra) agent() string { return "" }

func (entra) deletes() bool { return true }

func (entra) managers() bool { return true }

// begin is what a test of the connection asks.
func (entra) begin(ctx context.Context, t *talk) error {
	for _, path := range []string{"/Users?filter=" + url.QueryEscape(`userName eq "`+"4b5d1f8a-none"+`"`), "/Groups?excludedAttributes=members&filter=" + url.QueryEscape(`displayName eq "none-4b5d"`)} {
		if id, err := t.find(ctx, path); err != nil || id != "" {
			return errors.Join(err, errFoundNobody(id))
		}
	}
	return nil
}

func errFoundNobody(id string) error {
	if id == "" {
		return nil
	}
	return errors.New("somebody was found who does not exist: " + id)
}

// word is an operation as the dialect spells it.
func (e entra) word(op string) string {
	if e.strict {
		return op
	}
	return map[string]string{"add": "Add", "replace": "Replace", "remove": "Remove"}[op]
}

func (e entra) op(op, path string, value any) object {
	o := object{"op": e.word(op), "path": path}
	if value != nil {
		o["value"] = value
	}
	return o
}

func (e entra) person(ctx context.Context, t *talk, known *pushedPerson, p Person) (string, error) {
	if known != nil {
		return known.id, e.update(ctx, t, known.id, &known.Person, p)
	}
	id, err := e.match(ctx, t, p)
	if err != nil {
		return "", err
	}
	if id == "" {
		r, err := t.expect(ctx, http.MethodPost, "/Users", e.post(p), http.StatusCreated, http.StatusConflict)
		if err != nil || r.status == http.StatusCreated {
			return r.id(), err
		}
		if id, err = e.match(ctx, t, p); err != nil { // the next cycle would do that
			return "", err
		}
		if id == "" {
			return "", errors.New("a conflict with somebody who is not to be found: " + r.String())
		}
	}
	return id, e.update(ctx, t, id, nil, p)
}

// match looks for somebody by the attributes that are configured for it.
func (e entra) match(ctx context.Context, t *talk, p Person) (string, error) {
	filters := []string{`userName eq ` + quoted(p.UserName), `externalId eq ` + quoted(p.Key), `emails[type eq "work"].value eq ` + quoted(p.Email)}
	for _, f := range filters {
		if id, err := t.find(ctx, "/Users?filter="+url.QueryEscape(f)); err != nil || id != "" {
			return id, err
		}
	}
	return "", nil
}

func (entra) post(p Person) object {
	o := object{
		"schemas": []string{userURN, enterpriseURN}, "externalId": p.Key, "userName": p.UserName, "active": p.Enabled, "displayName": p.DisplayName(),
		"emails": []any{object{"primary": true, "type": "work", "value": p.Email}}, "meta": object{"resourceType": "User"},
		"name": object{"familyName": p.Family, "givenName": p.Given}, "roles": []any{},
	}
	setOrNot(o, "title", p.Title)
	enterprise := object{}
	setOrNot(enterprise, "department", p.Department)
	setOrNot(enterprise, "employeeNumber", p.Number)
	if o[enterpriseURN] = enterprise; len(enterprise) == 0 {
		delete(o, enterpriseURN)
	}
	return o
}

// update sends what differs from before, everything where that is nil.
func (e entra) update(ctx context.Context, t *talk, id string, before *Person, p Person) error {
	var ops []object
	flat := object{} // what the strict dialect says in one operation without a path
	say := func(path, was, is string) {
		switch {
		case before != nil && was == is:
		case is == "":
			ops = append(ops, e.op("remove", path, nil))
		case e.strict && path != emailPath:
			flat[path] = is
		default:
			ops = append(ops, e.op(map[bool]string{true: "add", false: "replace"}[was == ""], path, is))
		}
	}
	was := Person{}
	if before != nil {
		was = *before
	}
	say("userName", was.UserName, p.UserName)
	say("displayName", was.DisplayName(), p.DisplayName())
	say("name.givenName", was.Given, p.Given)
	say("name.familyName", was.Family, p.Family)
	say(emailPath, was.Email, p.Email)
	say("title", was.Title, p.Title)
	say("externalId", was.Key, p.Key)
	say(enterpriseURN+":department", was.Department, p.Department)
	say(enterpriseURN+":employeeNumber", was.Number, p.Number)
	if before == nil || was.Enabled != p.Enabled || was.Gone {
		ops = append(ops, e.active(p.Enabled))
	}
	if len(flat) > 0 {
		ops = append(ops, object{"op": "replace", "value": flat})
	}
	if len(ops) == 0 {
		return nil
	}
	if t.rand.IntN(4) == 0 { // now and then it looks first
		if _, err := t.expect(ctx, http.MethodGet, "/Users/"+id, nil, http.StatusOK); err != nil {
			return err
		}
	}
	return t.patch(ctx, "/Users/"+id, ops...)
}

const emailPath = `emails[type eq "work"].value`

func (e entra) active(is bool) object {
	if e.strict {
		return e.op("replace", "active", is)
	}
	return e.op("replace", "active", map[bool]string{true: "True", false: "False"}[is])
}

func (e entra) manager(ctx context.Context, t *talk, id, before, after string) error {
	const path = enterpriseURN + ":manager"
	switch {
	case after != "":
		return t.patch(ctx, "/Users/"+id, e.op("add", path, after))
	case e.strict:
		return t.patch(ctx, "/Users/"+id, e.op("remove", "manager[value eq "+quoted(before)+"]", nil))
	}
	return t.patch(ctx, "/Users/"+id, e.op("add", path, ""))
}

func (entra) leaves(ctx context.Context, t *talk, id string) error {
	return t.remove(ctx, "/Users/"+id)
}

func (e entra) team(ctx context.Context, t *talk, known *pushedTeam, team *Team, ids map[string]string) (string, error) {
	if known == nil {
		id, err := e.foundTeam(ctx, t, team)
		if err != nil {
			return "", err
		}
		known = &pushedTeam{id: id}
		if known.members, err = e.read(ctx, t, id, ids); err != nil {
			return "", err
		}
	}
	if known.name != team.Name {
		if err := t.patch(ctx, "/Groups/"+known.id, e.op("replace", "displayName", team.Name)); err != nil {
			return "", err
		}
	}
	return known.id, e.members(ctx, t, known, team, ids)
}

// foundTeam finds a group by its name, or makes it, without members.
func (e entra) foundTeam(ctx context.Context, t *talk, team *Team) (string, error) {
	path := "/Groups?excludedAttributes=members&filter=" + url.QueryEscape("displayName eq "+quoted(team.Name))
	id, err := t.find(ctx, path)
	if err != nil || id != "" {
		return id, err
	}
	r, err := t.expect(ctx, http.MethodPost, "/Groups", object{
		"schemas":    []string{groupURN, "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"},
		"externalId": team.Key, "displayName": team.Name, "meta": object{"resourceType": "Group"},
	}, http.StatusCreated, http.StatusConflict)
	if err != nil || r.status == http.StatusCreated {
		return r.id(), err
	}
	return t.find(ctx, path)
}

// read asks who is in a group. Entra asks for each member whether it is in; that it finds out is what counts here.
func (entra) read(ctx context.Context, t *talk, id string, ids map[string]string) (map[string]bool, error) {
	r, err := t.expect(ctx, http.MethodGet, "/Groups/"+id, nil, http.StatusOK)
	if err != nil {
		return nil, err
	}
	return keysOf(r.body, ids), nil
}

// keysOf are the keys of the members of a group that was read.
func keysOf(group object, ids map[string]string) map[string]bool {
	byID := make(map[string]string, len(ids))
	for key, id := range ids {
		byID[id] = key
	}
	keys := map[string]bool{}
	list, _ := group["members"].([]any)
	for _, v := range list {
		m, _ := v.(object)
		id, _ := m["value"].(string)
		keys[byID[id]] = true
	}
	return keys
}

// members adds several people at a time, and removes them one by one where the path names whom.
func (e entra) members(ctx context.Context, t *talk, known *pushedTeam, team *Team, ids map[string]string) error {
	in, out := difference(known.members, team.Members)
	const most = 20
	for len(in) > 0 {
		n := min(len(in), most)
		var list []any
		for _, key := range in[:n] {
			m := object{"value": ids[key]}
			if !e.strict {
				m["$ref"] = nil
			}
			list = append(list, m)
		}
		in = in[n:]
		if err := t.patch(ctx, "/Groups/"+known.id, e.op("add", "members", list)); err != nil {
			return err
		}
	}
	for _, key := range out {
		op := e.op("remove", "members", []any{object{"value": ids[key]}})
		if e.strict {
			op = e.op("remove", "members[value eq "+quoted(ids[key])+"]", nil)
		}
		if err := t.patch(ctx, "/Groups/"+known.id, op); err != nil {
			return err
		}
	}
	return nil
}

func (entra) dissolved(ctx context.Context, t *talk, id string) error {
	return t.remove(ctx, "/Groups/"+id)
}

func (e entra) resource(p Person, manager string) map[string]any {
	o := e.post(p)
	delete(o, "meta")
	delete(o, "roles")
	if manager != "" {
		enterprise, _ := o[enterpriseURN].(object)
		if enterprise == nil {
			enterprise = object{}
		}
		enterprise["manager"] = object{"value": manager}
		o[enterpriseURN] = enterprise
	}
	return o
}

func (entra) teamID(t *Team) string { return t.Key }
