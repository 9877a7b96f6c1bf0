package scim

import (
	"time"

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

// writeUser renders a User.
func (o *organization) writeUser(s body.Sink, u *shownUser) {
	id := u.User.ID.String()
	s.Object("")
	s.List("schemas")
	s.Text("", schema.UserURN)
	if resource.Extended(u.User.Profile) {
		s.Text("", schema.EnterpriseURN)
	}
	s.Text("", schema.UsherdURN)
	s.End()
	s.Text("id", id)
	if e := u.ExternalID(); e != "" {
		s.Text("externalId", e)
	}
	resource.Write(s, u.User.Profile)
	s.Bool("active", active(u.User))
	if len(u.groups) > 0 {
		s.List("groups")
		for i := range u.groups {
			o.writeGroupName(s, &u.groups[i])
		}
		s.End()
	}
	writeStanding(s, u)
	writeMeta(s, "User", u.User.CreatedAt, u.User.UpdatedAt, o.base+"Users/"+id, userTag(u))
	s.End()
}

// userObject is what writeUser writes as a map. The object belongs to the caller.
func (o *organization) userObject(u *shownUser) map[string]any {
	return built(func(s body.Sink) { o.writeUser(s, u) })
}

// built is the object that write writes.
func built(write func(s body.Sink)) map[string]any {
	var b body.Builder
	write(&b)
	r, _ := b.Made().(map[string]any)
	return r
}

func writeMeta(s body.Sink, kind string, created, modified time.Time, location, version string) {
	s.Object("meta")
	s.Text("resourceType", kind)
	s.Text("created", stamp(created))
	s.Text("lastModified", stamp(modified))
	s.Text("location", location)
	s.Text("version", version)
	s.End()
}

// writeGroupName renders a group of a user.
func (o *organization) writeGroupName(s body.Sink, g *connector.GroupName) {
	id, kind := g.ID.String(), "direct"
	if !g.Direct {
		kind = "indirect"
	}
	s.Object("")
	s.Text("value", id)
	s.Text("display", g.Name)
	s.Text("type", kind)
	s.Text("$ref", o.base+"Groups/"+id)
	s.End()
}

// active is what a client means by it: everything but inactive. Who waits for approval is active, and may not sign
// in yet.
func active(u *connector.User) bool { return u.State != connector.Inactive }

// writeStanding renders the usherd extension of a user.
func writeStanding(s body.Sink, u *shownUser) {
	s.Object(schema.UsherdURN)
	s.Text("state", string(u.User.State))
	if u.User.Package != "" {
		s.Text("package", u.User.Package)
	}
	if u.User.PendingApproval {
		s.Bool("pendingApproval", true)
	}
	if f := u.failed; f != nil {
		s.Object("lastFailure")
		s.Value("code", f.Code)
		s.Text("reason", f.Reason)
		s.Text("title", f.Title)
		s.Text("message", f.Message)
		s.Value("fields", f.Fields)
		s.Text("ref", f.Ref)
		s.Text("at", stamp(f.At))
		s.End()
	}
	if len(u.warnings) > 0 {
		s.Value("warnings", u.warnings)
	}
	s.End()
}

// writeGroup renders the attributes of a Group into an object that was begun, but for its members.
func (o *organization) writeGroup(s body.Sink, g *connector.ClientGroup, warnings []string) {
	id := g.ID.String()
	s.List("schemas")
	s.Text("", schema.GroupURN)
	if len(warnings) > 0 {
		s.Text("", schema.UsherdGroup)
	}
	s.End()
	s.Text("id", id)
	s.Text("displayName", g.Name)
	if e := g.ExternalID(); e != "" {
		s.Text("externalId", e)
	}
	if len(warnings) > 0 {
		s.Object(schema.UsherdGroup)
		s.Value("warnings", warnings)
		s.End()
	}
	writeMeta(s, "Group", g.CreatedAt, g.UpdatedAt, o.base+"Groups/"+id, groupTag(&g.Group))
}

// groupObject is a Group without members as a map, which belongs to the caller.
func (o *organization) groupObject(g *connector.ClientGroup, warnings []string) map[string]any {
	return built(func(s body.Sink) {
		s.Object("")
		o.writeGroup(s, g, warnings)
		s.End()
	})
}

// writeMember renders a member.
func (o *organization) writeMember(s body.Sink, m *connector.ClientMember) {
	endpoint, kind := "Users/", "User"
	if m.Kind == connector.GroupResource {
		endpoint, kind = "Groups/", "Group"
	}
	id := m.ID.String()
	s.Object("")
	s.Text("value", id)
	s.Text("$ref", o.base+endpoint+id)
	s.Text("type", kind)
	if m.Display != "" {
		s.Text("display", m.Display)
	}
	s.End()
}

// memberObject is a member as a map.
func (o *organization) memberObject(m *connector.ClientMember) map[string]any {
	return built(func(s body.Sink) { o.writeMember(s, m) })
}
