package connector

import (
	"context"
	"iter"
)

// ResourceSort is an order of resources; equal ones stand in order of their ids.
type ResourceSort int

// The orders. Names are compared folded, and who has none stands last, or first of a descending order.
const (
	ByID ResourceSort = iota // that of creation
	ByUserName
	ByDisplayName // of groups the name
	ByCreated
	ByLastModified
)

// ResourceQuery chooses the resources that a SCIM client sees: all live users of its organization but those
// that it has deleted itself, or its own groups.
type ResourceQuery struct {
	Org    string
	Client string     // id of the source that the client is
	Where  *Condition // nil = all

	Sort       ResourceSort
	Descending bool

	// After and Before are places that a page of the same query gave: the page begins behind After, or ends
	// before Before. Neither: it begins with the first one.
	After, Before string
	// Offset is how many are left out from the beginning, or from After. Each costs a step in an index; a
	// place costs nothing.
	Offset int
	Limit  int // at most 1,000, which is also what 0 means
}

// Page is a part of a list with the places around it.
type Page[T any] struct {
	Items    []T
	Next     string // for After; "" = nothing follows
	Last     string // for After, whether anything follows or not; "" = the page is empty
	Previous string // for Before; "" = nothing comes before
}

// ClientUser is a user as one client sees it.
type ClientUser struct {
	User *User
	// Anchor is that of the client's own link: what it calls the user, or a ResourceID where it calls it
	// nothing. Zero where it has no link to it.
	Anchor   Anchor
	Standing Standing // of that link

	// Grouped: a group may have the user, and GroupNames tells which. Refused: there is an open item of Anchor,
	// and LastFailure tells it. Where they are false, there is nothing to be asked for.
	Grouped, Refused bool
}

// ExternalID is what the client calls the user, "" = nothing.
func (u *ClientUser) ExternalID() string { return externalID(u.Anchor) }

// ClientGroup is a group of a client, without its members. MemberCount counts those too whom the client does
// not see any more.
type ClientGroup struct{ Group }

// ExternalID is what the client calls the group, "" = nothing.
func (g *ClientGroup) ExternalID() string { return externalID(g.Anchor) }

func externalID(a Anchor) string {
	if a.Kind != TextAnchor {
		return ""
	}
	return a.Raw
}

// ClientMember is a member of a client's group: a user or group that the client sees.
type ClientMember struct {
	ID      ID
	Kind    ResourceKind
	Display string // display name of a user, else its user name; name of a group
}

// GroupName is a group that a user is in, as little of it as the user's own resource shows.
type GroupName struct {
	ID     ID
	Name   string
	Direct bool // not only through another group
}

// Resources is what the SCIM door reads. Each method sees one organization only, and of client what
// ResourceQuery says. Users are shared and must not be changed.
type Resources interface {
	// ClientUsers returns a page of users. A Condition that cannot be tested, or a place of another query, is an
	// error of Kind Invalid.
	ClientUsers(ctx context.Context, q ResourceQuery) (*Page[ClientUser], error)
	// ClientGroups returns a page of groups; they have no user names to be sorted by.
	ClientGroups(ctx context.Context, q ResourceQuery) (*Page[ClientGroup], error)
	// CountResources returns how many there are on all pages; order, places and limits do not count.
	CountResources(ctx context.Context, kind ResourceKind, q ResourceQuery) (int, error)
	// ClientUser returns the user with that id, or an error of Kind NotFound.
	ClientUser(ctx context.Context, org, client string, id ID) (*ClientUser, error)
	// ClientUserByExternalID returns the user whom the client calls so, or an error of Kind NotFound.
	ClientUserByExternalID(ctx context.Context, org, client, externalID string) (*ClientUser, error)
	// ClientGroup returns the group with that id, or an error of Kind NotFound.
	ClientGroup(ctx context.Context, org, client string, id ID) (*ClientGroup, error)
	// ClientGroupByExternalID returns the group that the client calls so, or an error of Kind NotFound.
	ClientGroupByExternalID(ctx context.Context, org, client, externalID string) (*ClientGroup, error)
	// ClientMembers streams at most limit members (0 = all) of a client's group in order of their ids, behind
	// that one. Those whom the client does not see are left out.
	ClientMembers(ctx context.Context, org, client string, group, after ID, limit int) iter.Seq2[ClientMember, error]
	// KnownResources says which of these ids are users or groups that the client sees.
	KnownResources(ctx context.Context, org, client string, ids []ID) (map[ID]bool, error)
	// LastFailure is the open item of a source and anchor that was seen last, nil where there is none.
	LastFailure(ctx context.Context, org, source string, anchor Anchor) (*OpenItem, error)
	// GroupNames returns the client's own groups of each of these users whom it sees, in order of their names.
	GroupNames(ctx context.Context, org, client string, users []ID) (map[ID][]GroupName, error)
}
