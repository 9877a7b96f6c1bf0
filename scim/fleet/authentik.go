package fleet

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// authentik is authentik: it walks all resources without a page size, writes people by PUT, and members one operation
// each, as many in a request as bulk.maxOperations says.
type authentik struct {
	most int // operations in a request
}

func (*authentik) agent() string { return "authentik@2026.2.1" }

func (*authentik) deletes() bool { return true }

func (*authentik) managers() bool { return false }

// begin asks what the service provider can do, and which users and groups it has.
func (a *authentik) begin(ctx context.Context, t *talk) error {
	r, err := t.expect(ctx, http.MethodGet, "/ServiceProviderConfig", nil, http.StatusOK)
	if err != nil {
		return err
	}
	bulk, _ := r.body["bulk"].(object)
	most, _ := bulk["maxOperations"].(float64)
	if a.most = int(most); a.most < 1 {
		return fmt.Errorf("bulk.maxOperations of ServiceProviderConfig: %s", r)
	}
	for _, path := range []string{"/Users?", "/Groups?"} {
		if _, err := t.walk(ctx, path, 0); err != nil {
			return err
		}
	}
	return nil
}

func (a *authentik) person(ctx context.Context, t *talk, known *pushedPerson, p Person) (string, error) {
	body := a.user(p)
	if known != nil {
		body["id"] = known.id
		_, err := t.expect(ctx, http.MethodPut, "/Users/"+known.id, body, http.StatusOK)
		return known.id, err
	}
	r, err := t.expect(ctx, http.MethodPost, "/Users", body, http.StatusCreated, http.StatusConflict)
	if err != nil || r.status == http.StatusCreated {
		return r.id(), err
	}
	id, err := t.find(ctx, "/Users?"+url.Values{"filter": {"userName eq " + quoted(p.UserName)}}.Encode())
	if err != nil || id == "" {
		return "", fmt.Errorf("a conflict with somebody who is not to be found (%w): %s", err, r)
	}
	body["id"] = id
	_, err = t.expect(ctx, http.MethodPut, "/Users/"+id, body, http.StatusOK)
	return id, err
}

func (*authentik) user(p Person) object {
	o := object{
		"schemas": []string{userURN}, "userName": p.UserName, "name": object{"formatted": p.DisplayName(), "givenName": p.Given, "familyName": p.Family},
		"displayName": p.DisplayName(), "active": p.Enabled, "emails": []any{object{"value": p.Email, "type": "other", "primary": true}},
		"externalId": p.Key,
	}
	setOrNot(o, "title", p.Title)
	return o
}

func (*authentik) manager(context.Context, *talk, string, string, string) error { return nil }

func (*authentik) leaves(ctx context.Context, t *talk, id string) error {
	return t.remove(ctx, "/Users/"+id)
}

func (a *authentik) team(ctx context.Context, t *talk, known *pushedTeam, team *Team, ids map[string]string) (string, error) {
	body := object{"schemas": []string{groupURN}, "displayName": team.Name, "externalId": team.Key}
	if known == nil {
		id, err := a.create(ctx, t, team, body)
		if err != nil {
			return "", err
		}
		return id, a.compare(ctx, t, id, team, ids)
	}
	if known.name != team.Name {
		body["id"] = known.id
		if err := t.patch(ctx, "/Groups/"+known.id, object{"op": "replace", "value": body}); err != nil {
			return "", err
		}
	}
	if t.rand.IntN(2) == 0 { // a full synchronisation
		return known.id, a.compare(ctx, t, known.id, team, ids)
	}
	in, out := difference(known.members, team.Members)
	return known.id, a.chunked(ctx, t, known.id, in, out, ids)
}

func (*authentik) create(ctx context.Context, t *talk, team *Team, body object) (string, error) {
	r, err := t.expect(ctx, http.MethodPost, "/Groups", body, http.StatusCreated, http.StatusConflict)
	if err != nil || r.status == http.StatusCreated {
		return r.id(), err
	}
	return t.find(ctx, "/Groups?"+url.Values{"filter": {"displayName eq " + quoted(team.Name)}}.Encode())
}

// compare reads the members and sends what differs. Where the group has no list of members, it adds nobody.
func (a *authentik) compare(ctx context.Context, t *talk, id string, team *Team, ids map[string]string) error {
	r, err := t.expect(ctx, http.MethodGet, "/Groups/"+id, nil, http.StatusOK)
	if err != nil || r.body["members"] == nil {
		return err
	}
	in, out := difference(keysOf(r.body, ids), team.Members)
	return a.chunked(ctx, t, id, in, out, ids)
}

func (a *authentik) chunked(ctx context.Context, t *talk, id string, in, out []string, ids map[string]string) error {
	var ops []object
	for i, keys := range [][]string{in, out} {
		for _, key := range keys {
			ops = append(ops, object{"op": [...]string{"add", "remove"}[i], "path": "members", "value": []any{object{"value": ids[key]}}})
		}
	}
	for len(ops) > 0 {
		n := min(len(ops), a.most)
		if err := t.patch(ctx, "/Groups/"+id, ops[:n]...); err != nil {
			return err
		}
		ops = ops[n:]
	}
	return nil
}

func (*authentik) dissolved(ctx context.Context, t *talk, id string) error {
	return t.remove(ctx, "/Groups/"+id)
}

func (a *authentik) resource(p Person, _ string) map[string]any { return a.user(p) }

func (*authentik) teamID(t *Team) string { return t.Key }
