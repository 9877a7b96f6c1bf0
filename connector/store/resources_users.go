package store

import (
	"context"

	"usherd/connector"
)

const (
	// Many users are in no group and most have no open item: that costs a look into two indexes, and a statement each
	// if it were asked apart.
	clientUserColumns = userColumns + `, l.anchor, l.standing, EXISTS (SELECT 1 FROM members m WHERE m.key = u.id),
 EXISTS (SELECT 1 FROM open_items i WHERE i.org = l.org AND i.source = l.source AND i.person = l.anchor)`

	sqlClientUser = `SELECT ` + clientUserColumns + ` FROM users u LEFT JOIN links l ON l.org = u.org AND l.source = ? AND l.user_id = u.id
 WHERE u.id = ? AND u.org = ? AND ` + liveUser + ` AND coalesce(l.standing, '') <> 'gone'`

	sqlClientUserByAnchor = `SELECT ` + clientUserColumns + ` FROM links l JOIN users u ON u.id = l.user_id
 WHERE l.anchor = ? AND l.source = ? AND l.org = ? AND l.standing <> 'gone'`

	sqlClientGroup         = `SELECT ` + groupColumns + ` FROM groups g WHERE g.id = ? AND g.source = ? AND g.org = ?`
	sqlClientGroupByAnchor = `SELECT ` + groupColumns + ` FROM groups g WHERE g.anchor = ? AND g.source = ? AND g.org = ?`
)

var userLookup = lookup[connector.ClientUser]{
	kind: connector.UserResource, columns: clientUserColumns, scan: scanClientUser, place: placeOfUser,
}

var groupLookup = lookup[connector.ClientGroup]{
	kind: connector.GroupResource, columns: groupColumns, scan: scanClientGroup, place: placeOfGroup,
}

func scanClientUser(r row, c *connector.ClientUser) error {
	c.User = &connector.User{}
	return r.Scan(append(userDest(c.User), (*optionalAnchor)(&c.Anchor), (*optionalText)(&c.Standing), &c.Grouped, &c.Refused)...)
}

func scanClientGroup(r row, g *connector.ClientGroup) error {
	return r.Scan(groupDest(&g.Group)...)
}

func placeOfUser(c *connector.ClientUser, sort connector.ResourceSort) resourcePlace {
	at, u := resourcePlace{Sort: sort, ID: c.User.ID}, c.User
	switch sort {
	case connector.ByUserName:
		at.Text = connector.Fold(u.UserName())
	case connector.ByDisplayName:
		at.Text = shownName(u.Profile)
	case connector.ByCreated:
		at.Time = micros(u.CreatedAt)
	case connector.ByLastModified:
		at.Time = micros(u.UpdatedAt)
	case connector.ByID:
	}
	return at
}

func placeOfGroup(g *connector.ClientGroup, sort connector.ResourceSort) resourcePlace {
	at := resourcePlace{Sort: sort, ID: g.ID}
	switch sort {
	case connector.ByDisplayName:
		at.Text = indexed(connector.Fold(g.Name))
	case connector.ByCreated:
		at.Time = micros(g.CreatedAt)
	case connector.ByLastModified:
		at.Time = micros(g.UpdatedAt)
	case connector.ByID, connector.ByUserName:
	}
	return at
}

// ClientUsers returns a page of users, see connector.Resources.
func (r *reader) ClientUsers(ctx context.Context, q connector.ResourceQuery) (*connector.Page[connector.ClientUser], error) {
	return resources(ctx, r, userLookup, q)
}

// ClientGroups returns a page of groups, see connector.Resources.
func (r *reader) ClientGroups(ctx context.Context, q connector.ResourceQuery) (*connector.Page[connector.ClientGroup], error) {
	return resources(ctx, r, groupLookup, q)
}

// ClientUser returns the user with that id, see connector.Resources.
func (r *reader) ClientUser(ctx context.Context, org, client string, id connector.ID) (*connector.ClientUser, error) {
	return found(ctx, r, sqlClientUser, []any{client, id[:], org}, scanClientUser, "user %s", id)
}

// ClientUserByExternalID returns the user whom the client calls so, see connector.Resources.
func (r *reader) ClientUserByExternalID(ctx context.Context, org, client, externalID string) (*connector.ClientUser, error) {
	anchor := anchorBlob(connector.Anchor{Kind: connector.TextAnchor, Raw: externalID})
	return found(ctx, r, sqlClientUserByAnchor, []any{anchor, client, org}, scanClientUser, "user whose externalId is %q", externalID)
}

// ClientGroup returns the group with that id, see connector.Resources.
func (r *reader) ClientGroup(ctx context.Context, org, client string, id connector.ID) (*connector.ClientGroup, error) {
	return found(ctx, r, sqlClientGroup, []any{id[:], client, org}, scanClientGroup, "group %s", id)
}

// ClientGroupByExternalID returns the group that the client calls so, see connector.Resources.
func (r *reader) ClientGroupByExternalID(ctx context.Context, org, client, externalID string) (*connector.ClientGroup, error) {
	anchor := anchorBlob(connector.Anchor{Kind: connector.TextAnchor, Raw: externalID})
	return found(ctx, r, sqlClientGroupByAnchor, []any{anchor, client, org}, scanClientGroup, "group whose externalId is %q", externalID)
}
