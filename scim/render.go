package scim

import (
	"usherd/connector"
	"usherd/connector/failure"
	"usherd/scim/body"
	"usherd/scim/resource"
	"usherd/scim/schema"
)

// shownUser is everything that a User is rendered of.
type shownUser struct {
	*connector.ClientUser
	groups   []connector.GroupName
	failed   *failure.Document // of the client's last attempt
	warnings []string
}

// userObject renders a User. The object belongs to the caller.
func (o *organization) userObject(u *shownUser) map[string]any {
	r := resource.FromProfile(u.User.Profile)
	id := u.User.ID.String()
	schemas := []any{schema.UserURN}
	if _, ok := r[schema.EnterpriseURN]; ok {
		schemas = append(schemas, schema.EnterpriseURN)
	}
	r["schemas"] = append(schemas, schema.UsherdURN)
	r["id"] = id
	r["active"] = active(u.User)
	if e := u.ExternalID(); e != "" {
		r["externalId"] = e
	}
	r["meta"] = map[string]any{
		"resourceType": "User", "created": stamp(u.User.CreatedAt), "lastModified": stamp(u.User.UpdatedAt),
		"location": o.base + "Users/" + id, "version": userTag(u),
	}
	if len(u.groups) > 0 {
		list := make([]any, len(u.groups))
		for i, g := range u.groups {
			typ := "direct"
			if !g.Direct {
				typ = "indirect"
			}
			list[i] = map[string]any{"value": g.ID.String(), "display": g.Name, "type": typ, "$ref": o.base + "Groups/" + g.ID.String()}
		}
		r["groups"] = list
	}
	r[schema.UsherdURN] = standing(u)
	return r
}

// active is what a client means by it: everything but inactive. Who waits for approval is active, and may not sign
// in yet.
func active(u *connector.User) bool { return u.State != connector.Inactive }

// standing is the usherd extension of a user.
func standing(u *shownUser) map[string]any {
	e := map[string]any{"state": string(u.User.State)}
	if u.User.Package != "" {
		e["package"] = u.User.Package
	}
	if u.User.PendingApproval {
		e["pendingApproval"] = true
	}
	if u.failed != nil {
		e["lastFailure"] = map[string]any{
			"code": u.failed.Code, "reason": u.failed.Reason, "title": u.failed.Title, "message": u.failed.Message,
			"fields": u.failed.Fields, "ref": u.failed.Ref, "at": stamp(u.failed.At),
		}
	}
	if len(u.warnings) > 0 {
		e["warnings"] = u.warnings
	}
	return e
}

// groupObject renders a Group without members.
func (o *organization) groupObject(g *connector.ClientGroup) map[string]any {
	id := g.ID.String()
	r := map[string]any{
		"schemas": []any{schema.GroupURN}, "id": id, "displayName": g.Name,
		"meta": map[string]any{
			"resourceType": "Group", "created": stamp(g.CreatedAt), "lastModified": stamp(g.UpdatedAt),
			"location": o.base + "Groups/" + id, "version": groupTag(&g.Group),
		},
	}
	if e := g.ExternalID(); e != "" {
		r["externalId"] = e
	}
	return r
}

// memberObject renders a member.
func (o *organization) memberObject(m connector.ClientMember) map[string]any {
	endpoint, typ := "Users/", "User"
	if m.Kind == connector.GroupResource {
		endpoint, typ = "Groups/", "Group"
	}
	id := m.ID.String()
	e := map[string]any{"value": id, "$ref": o.base + endpoint + id, "type": typ}
	if m.Display != "" {
		e["display"] = m.Display
	}
	return e
}

// encode is the body of an answer.
func encode(v any) ([]byte, error) { return body.Append(make([]byte, 0, 1024), v) }
