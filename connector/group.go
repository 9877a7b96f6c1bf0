package connector

import (
	"crypto/sha256"
	"time"
)

// KeyOf returns the key of an entry by the comparable form of its DN. It is the same in every process,
// and two DNs that mean one entry have the same.
func KeyOf(folded []byte) Hash {
	sum := sha256.Sum256(folded)
	return Hash(sum[:16])
}

// Group is a group of a source.
type Group struct {
	ID          ID
	Org         string
	Source      string
	Anchor      Anchor // what it is known by: a rename is no other group
	Key         Hash   // of its DN: how it is named as a member of another group
	DN          string
	Name        string
	Description string
	RID         uint32 // Active Directory: whose primary group it is, belongs to it; 0 = nobody's
	MemberCount int    // of its own list: neither nested ones nor those whose primary group it is
	CreatedAt   time.Time
	UpdatedAt   time.Time
	Version     int64 // grows with each change, of its members too; 1 when created without any
}

// Member is one value of a group's list: a person, a group, or an entry that is neither here.
type Member struct {
	Key Hash
	DN  string // as the source wrote it last
}

// GroupRecord is what a source says of one group at one time, with all its members.
//
// A reader may lend the same GroupRecord again and again: it is valid until the callback returns.
type GroupRecord struct {
	Anchor      Anchor
	DN          string
	Key         Hash
	Name        string
	Description string
	RID         uint32
	Members     []Member // in any order, each once
	Gone        bool     // the source says that the group does not exist any more; only Anchor is set
}

// GroupChange is what one record means for the group that is stored: Created, Updated or Removed, with
// the members that are new and those that are not there any more.
type GroupChange struct {
	Action  Action
	Before  *Group // nil where it is Created
	After   *Group // nil where it is Removed
	Added   []Member
	Removed []Member // of a Removed group none: all of them go
	// Rest says that the group itself was written with the change before, of which this is another part:
	// only its members are left.
	Rest bool
}

// Group returns the group as it is afterwards, or was.
func (c *GroupChange) Group() *Group {
	if c.After == nil {
		return c.Before
	}
	return c.After
}

// GroupCounts are numbers of groups and memberships.
type GroupCounts struct {
	Created        int `json:"created"`
	Updated        int `json:"updated"`
	Deleted        int `json:"deleted"`
	MembersAdded   int `json:"members_added"`
	MembersRemoved int `json:"members_removed"`
}

// Add counts one change.
func (c *GroupCounts) Add(ch *GroupChange) {
	c.MembersAdded += len(ch.Added)
	c.MembersRemoved += len(ch.Removed)
	switch {
	case ch.Rest:
	case ch.Action == Created:
		c.Created++
	case ch.Action == Removed:
		c.Deleted++
		c.MembersRemoved += ch.Before.MemberCount
	default:
		c.Updated++
	}
}

// Join adds the counts of another run.
func (c *GroupCounts) Join(o GroupCounts) { c.join(o, 1) }

// Less takes the counts of another run out again.
func (c *GroupCounts) Less(o GroupCounts) { c.join(o, -1) }

func (c *GroupCounts) join(o GroupCounts, n int) {
	c.Created += n * o.Created
	c.Updated += n * o.Updated
	c.Deleted += n * o.Deleted
	c.MembersAdded += n * o.MembersAdded
	c.MembersRemoved += n * o.MembersRemoved
}

// GroupHold says why a run left the groups of its source as they were.
type GroupHold struct {
	Reason string
	Digest string // of exactly what waits; "" = nobody can accept it
}

// GroupEventKind is what happened to a group.
type GroupEventKind string

// The kinds of events. The members with which a group was created have none of their own; those that a
// deleted group had have.
const (
	GroupCreated  GroupEventKind = "created"
	GroupRenamed  GroupEventKind = "renamed" // another DN
	GroupEdited   GroupEventKind = "edited"  // another name, description or RID
	GroupDeleted  GroupEventKind = "deleted"
	MemberAdded   GroupEventKind = "member_added"
	MemberRemoved GroupEventKind = "member_removed"
)

// GroupEvent is one change of a group that has happened.
type GroupEvent struct {
	ID     ID
	Org    string
	Source string
	Group  ID
	Kind   GroupEventKind
	Member Hash   // of a member
	Before string // DN of the group or member that there was, or what was edited
	After  string
	// Was and Is are the group before and after, without its times and members; nil where there was or is
	// none, in events of members, and in those of before they were kept.
	Was   *Group
	Is    *Group
	Cause Cause
	At    time.Time
}

// RunGroup is a group that a run changed.
type RunGroup struct {
	Group ID
	First ID // event
}

// GroupMember is one member of a group as far as it is known here. Neither User nor Group are set for
// somebody who is outside: no user of this source, such as a contact or a person out of scope.
type GroupMember struct {
	Member
	User    *User
	Group   *Group // nested
	Primary bool   // a member because the group is its primary one
}

// UserGroup is a group that a user is in.
type UserGroup struct {
	Group
	Direct bool // not only through another group
}

// MemberCounts is who is in a group with all groups nested in it.
type MemberCounts struct {
	Users   int
	Groups  int // nested ones
	Outside int // members that are neither a user nor a group here
}

// Affected is a person about whose groups something may be another thing.
type Affected struct {
	Anchor Anchor
	DN     string
}

// GroupPackage gives a package to the members of a group, nested ones included.
type GroupPackage struct {
	// Group is the DN of the group.
	Group string `yaml:"group"`
	// Package is the id of the package that its members get.
	Package string `yaml:"package"`
}
