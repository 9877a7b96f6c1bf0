package api

import (
	"context"
	"encoding/json"
	"io"
	"iter"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"usherd/connector"
)

const groupsTag = "Groups"

// GroupStore is what the door reads of groups. store.DB is one.
type GroupStore interface {
	Groups(ctx context.Context, q connector.GroupQuery) (groups []connector.Group, next string, err error)
	FindGroup(ctx context.Context, org, key string) (*connector.Group, error)
	CountMembers(ctx context.Context, org string, group connector.ID) (connector.MemberCounts, error)
	DirectMembers(ctx context.Context, org string, group connector.ID) iter.Seq2[connector.GroupMember, error]
	EffectiveMembers(ctx context.Context, org string, group connector.ID) iter.Seq2[*connector.User, error]
}

func (s *Server) groups() {
	route(s, operation{
		id: "listGroups", method: http.MethodGet, path: "/groups", scope: connector.APIRead, tag: groupsTag, summary: "List groups in order of their names",
	}, s.listGroups)
	route(s, operation{
		id: "getGroup", method: http.MethodGet, path: "/groups/{group}", scope: connector.APIRead, tag: groupsTag, summary: "Show a group, and how many are in it",
	}, s.getGroup)
	route(s, operation{
		id: "listGroupMembers", method: http.MethodGet, path: "/groups/{group}/members", scope: connector.APIRead, tag: groupsTag, streams: true, summary: "List the members of a group",
		about: "All of them in one document, which is sent while it is read: those that its own list names and those whose primary group it is, or with effective all users who are in it, also through nested groups.",
	}, s.listMembers)
}

// Group is a group of a source.
type Group struct {
	ID          string    `json:"id"`
	Org         string    `json:"org"`
	Source      string    `json:"source"`
	Anchor      string    `json:"anchor"`
	DN          string    `json:"dn"`
	Name        string    `json:"name"`
	Description string    `json:"description,omitempty"`
	RID         uint32    `json:"rid,omitempty"`
	Members     int       `json:"member_count" doc:"That its own list names."`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

// NewGroup is the form in which the API and the command line show a group.
func NewGroup(g *connector.Group) Group {
	return Group{g.ID.String(), g.Org, g.Source, g.Anchor.String(), g.DN, g.Name, g.Description, g.RID, g.MemberCount, g.CreatedAt, g.UpdatedAt}
}

// The kinds of members.
const (
	UserMember    = "user"
	GroupMember   = "group"
	OutsideMember = "outside" // neither a user nor a group of the source: a contact, or a person out of scope
)

// Member is a member of a group.
type Member struct {
	Kind    string          `json:"kind"`
	ID      string          `json:"id,omitempty"` // of the user or group
	Name    string          `json:"name,omitempty"`
	State   connector.State `json:"state,omitempty"`
	DN      string          `json:"dn,omitempty"`
	Primary bool            `json:"primary,omitempty"` // it is the person's primary group
}

// NewMember is the form in which the API and the command line show a member.
func NewMember(m *connector.GroupMember) Member {
	j := Member{Kind: OutsideMember, DN: m.DN, Primary: m.Primary}
	switch {
	case m.User != nil:
		j.Kind, j.ID, j.Name, j.State = UserMember, m.User.ID.String(), m.User.UserName(), m.User.State
	case m.Group != nil:
		j.Kind, j.ID, j.Name = GroupMember, m.Group.ID.String(), m.Group.Name
	}
	return j
}

type listGroupsInput struct {
	OrgPath
	Page
	Source string `query:"source" doc:"Only this source." maxLength:"32"`
	Search string `query:"search" doc:"Beginning of the name, in any case." maxLength:"320"`
}

// Groups is a page of groups.
type Groups struct {
	Groups []Group `json:"groups"`
	Next   string  `json:"next,omitempty" doc:"Where the next page begins; left out after the last."`
}

type groupsOutput struct{ Body Groups }

func (s *Server) listGroups(ctx context.Context, c *call, in *listGroupsInput) (*groupsOutput, error) {
	after, err := in.place()
	if err != nil {
		return nil, err
	}
	list, next, err := s.o.Store.Groups(ctx, connector.GroupQuery{Org: c.id(), Source: in.Source, Search: in.Search, After: after, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	out := &groupsOutput{Groups{Groups: make([]Group, len(list)), Next: cursor(next)}}
	for i := range list {
		out.Body.Groups[i] = NewGroup(&list[i])
	}
	return out, nil
}

// GroupPath names a group.
type GroupPath struct {
	OrgPath
	Group string `path:"group" doc:"Id, name, DN or anchor." maxLength:"512"`
}

// GroupDetail is a group with how many are in it.
type GroupDetail struct {
	Group
	Effective map[string]int `json:"effective" doc:"With nested groups: users, groups, outside."`
}

// NewGroupDetail is the form in which the API and the command line show one group.
func NewGroupDetail(g *connector.Group, n connector.MemberCounts) GroupDetail {
	return GroupDetail{NewGroup(g), map[string]int{"users": n.Users, "groups": n.Groups, "outside": n.Outside}}
}

type groupOutput struct{ Body GroupDetail }

func (s *Server) getGroup(ctx context.Context, c *call, in *GroupPath) (*groupOutput, error) {
	g, err := s.o.Store.FindGroup(ctx, c.id(), in.Group)
	if err != nil {
		return nil, err
	}
	counts, err := s.o.Store.CountMembers(ctx, c.id(), g.ID)
	return &groupOutput{NewGroupDetail(g, counts)}, err
}

type membersInput struct {
	GroupPath
	Effective bool `query:"effective" doc:"All users, also those who are in it through nested groups."`
}

func (s *Server) listMembers(ctx context.Context, c *call, in *membersInput) (*huma.StreamResponse, error) {
	g, err := s.o.Store.FindGroup(ctx, c.id(), in.Group)
	if err != nil {
		return nil, err
	}
	members := s.o.Store.DirectMembers(ctx, c.id(), g.ID)
	if in.Effective {
		members = func(yield func(connector.GroupMember, error) bool) {
			for u, err := range s.o.Store.EffectiveMembers(ctx, c.id(), g.ID) {
				if !yield(connector.GroupMember{User: u}, err) {
					return
				}
			}
		}
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", "application/json")
		if err := writeMembers(hc.BodyWriter(), members); err != nil {
			s.cut(ctx, err)
		}
	}}, nil
}

func writeMembers(w io.Writer, members iter.Seq2[connector.GroupMember, error]) error {
	between := `{"members":[`
	for m, err := range members {
		if err != nil {
			return err
		}
		text, err := json.Marshal(NewMember(&m))
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, between+string(text)); err != nil {
			return err
		}
		between = ",\n"
	}
	if between != ",\n" {
		if _, err := io.WriteString(w, between); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, "]}")
	return err
}
