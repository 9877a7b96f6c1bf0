package api

import (
	"context"
	"iter"
	"net/http"
	"strconv"
	"time"

	"usherd/connector"
	"usherd/connector/runs"
)

// Store is what the door reads. store.DB is one.
type Store interface {
	SubscriberStore
	AnswerStore
	MailStore
	ReportStore
	GroupStore
	TokenStore
	AuditStore
	AttemptStore
	RequestStore
	RevisionStore
	SystemStore
	CountStore
	ListUsers(ctx context.Context, q connector.UserQuery) (users []*connector.User, next string, err error)
	FindUser(ctx context.Context, org, key string) (*connector.User, error)
	Claims(ctx context.Context, q connector.ClaimQuery) ([]connector.Claim, error)
	Claim(ctx context.Context, org string, id connector.ID) (*connector.Claim, error)
	Users(ctx context.Context, org string, ids []connector.ID) ([]*connector.User, error)
	UsersByKey(ctx context.Context, org string, keys []connector.UserKey) ([]*connector.User, error)
	UserLinks(ctx context.Context, org string, user connector.ID) ([]connector.Link, error)
	GroupsOfUser(ctx context.Context, org string, user connector.ID, limit int) ([]connector.UserGroup, error)
	UserEvents(ctx context.Context, org string, user connector.ID) iter.Seq2[connector.Event, error]
	OpenItems(ctx context.Context, q connector.ItemQuery) (items []connector.OpenItem, next string, err error)
	OpenItem(ctx context.Context, org, ref string) (connector.OpenItem, error)
	Dismiss(ctx context.Context, org, ref string) error
	Seats(ctx context.Context, org string) ([]connector.SeatCount, error)
	Waiting(ctx context.Context, org, pkg string, limit int) ([]connector.Waiter, error)
	SeatDays(ctx context.Context, org, pkg string, since time.Time) ([]connector.SeatDay, error)
	Runs(ctx context.Context, f connector.RunFilter) ([]*connector.Run, error)
	Run(ctx context.Context, id connector.ID) (*connector.Run, error)
	RunChanges(ctx context.Context, run connector.ID) iter.Seq2[*connector.Change, error]
	Rollbacks(ctx context.Context, run *connector.Run) ([]*connector.Run, error)
	runs.Comparer
}

// User is an account.
type User struct {
	ID              string            `json:"id" format:"uuid"`
	Org             string            `json:"org"`
	UserName        string            `json:"user_name"`
	Email           string            `json:"email"`
	State           connector.State   `json:"state" enum:"active,verified,not_verified,claim_pending,inactive,converted_away,deleted"`
	Package         string            `json:"package,omitempty"`
	PackageFixed    bool              `json:"package_fixed,omitempty" doc:"An administrator gave the package: sources leave it alone."`
	PendingApproval bool              `json:"pending_approval,omitempty" doc:"The account waits for an administrator, and cannot sign in."`
	Deactivated     *Deactivation     `json:"deactivated,omitempty"`
	Profile         connector.Profile `json:"profile" doc:"The attributes, each with its values."`
	CreatedAt       time.Time         `json:"created_at"`
	UpdatedAt       time.Time         `json:"updated_at"`
	Version         int64             `json:"version" doc:"Grows by one with each change; the ETag is made of it."`
}

// Deactivation is why a user is inactive.
type Deactivation struct {
	By        connector.Authority `json:"by" enum:"administrator,source" doc:"Who may bring the user back."`
	Source    string              `json:"source,omitempty"`
	Reason    string              `json:"reason,omitempty"`
	At        time.Time           `json:"at"`
	Resume    connector.State     `json:"state_before" doc:"The state that comes back with the user."`
	DeletedAt *time.Time          `json:"will_be_deleted_at,omitempty"`
}

// NewUser is the form in which the API and the command line show a user.
func NewUser(u *connector.User) User {
	j := User{
		ID: u.ID.String(), Org: u.Org, UserName: u.UserName(), Email: u.Profile.Get(connector.Email), State: u.State, Package: u.Package,
		PackageFixed: u.PackageFixed, PendingApproval: u.PendingApproval, Profile: u.Profile, CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt, Version: u.Version,
	}
	if u.State == connector.Inactive {
		j.Deactivated = &Deactivation{u.DeactivatedBy, u.DeactivatedSource, u.DeactivatedReason, u.DeactivatedAt, u.Resume, when(u.DeleteAt)}
	}
	return j
}

// when is a time, or nil for none.
func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	u := t.UTC()
	return &u
}

// Link is one record that a user is made of.
type Link struct {
	Source   string             `json:"source"`
	Anchor   string             `json:"anchor" doc:"The source's own key of the person."`
	DN       string             `json:"dn,omitempty"`
	Standing connector.Standing `json:"standing"`
}

// UserGroup is a group of a user.
type UserGroup struct {
	ID     string `json:"id"`
	Source string `json:"source"`
	Name   string `json:"name"`
	DN     string `json:"dn"`
	Direct bool   `json:"direct" doc:"Not only through another group."`
}

// Event is one change of a user.
type Event struct {
	At          time.Time               `json:"at"`
	Action      connector.Action        `json:"action"`
	Cause       string                  `json:"cause" doc:"Who or what it was: cli:root, api:9f3a12cd, run."`
	Run         string                  `json:"run,omitempty"`
	Source      string                  `json:"source,omitempty"`
	Version     int64                   `json:"version" doc:"Of the user afterwards."`
	Transitions []connector.Transition  `json:"transitions,omitempty"`
	Changes     []connector.FieldChange `json:"changes,omitempty"`
}

// NewEvent is the form in which the API and the command line show a change of a user.
func NewEvent(e *connector.Event) Event {
	return Event{e.At, e.Action, e.Cause.Actor, e.Cause.Run.String(), e.Source, e.Version, e.Transitions, e.Fields}
}

// UserPath names a user.
type UserPath struct {
	OrgPath
	User string `path:"user" doc:"Id, user name, e-mail or anchor; the id is the only one that never changes." maxLength:"512"`
}

const usersTag = "Users"

func (s *Server) users() {
	route(s, operation{
		id: "listUsers", method: http.MethodGet, path: "/users", scope: connector.APIRead, tag: usersTag, summary: "List users",
		about: "All users and those of state active come in order of their user names, a search gives first who is found by user name, all others come in order of their creation; sort asks for another order. Tombstones come only where state asks for them.",
	}, s.listUsers)
	route(s, operation{
		id: "getUser", method: http.MethodGet, path: "/users/{user}", scope: connector.APIRead, tag: usersTag, summary: "Show a user with its records and groups",
	}, s.getUser)
	route(s, operation{
		id: "getUserHistory", method: http.MethodGet, path: "/users/{user}/history", scope: connector.APIRead, tag: usersTag,
		summary: "Show every change of a user, in the order in which they happened",
	}, s.getHistory)
	route(s, operation{
		id: "listDeletions", method: http.MethodGet, path: "/deletions", scope: connector.APIRead, tag: usersTag,
		summary: "List deactivated users who will be deleted soon, soonest first",
	}, s.listDeletions)
}

type listUsersInput struct {
	OrgPath
	Page
	State   connector.State `query:"state" doc:"Only this state." enum:"active,verified,not_verified,claim_pending,inactive,converted_away,deleted"`
	Search  string          `query:"search" doc:"Beginning of a user name, e-mail, display name or employee number, in any case." maxLength:"320"`
	Package string          `query:"package" doc:"Only users of this package." maxLength:"64"`
	Pending bool            `query:"pending" doc:"Only users who wait for approval."`
	Source  string          `query:"source" doc:"Only users of whom this source has a record." maxLength:"64"`
	Domain  string          `query:"domain" doc:"Only users whose e-mail address is on this domain or below it." maxLength:"253"`
	Failing bool            `query:"failing" doc:"Only users of whom a failure is open."`
	Reason  string          `query:"reason" doc:"Only users of whom a failure with this reason is open." maxLength:"64"`
	Leaving bool            `query:"leaving" doc:"Only users whom the end of a grace period deletes, the next one first."`
	Sort    string          `query:"sort" doc:"By display name, where who has none stands last, user name or last change; with - the other way round. A search and lists of tombstones have an order of their own." enum:"name,-name,username,-username,changed,-changed"`
	Exclude string          `query:"exclude" doc:"Leaves out who is inactive, as the console does: a page may be short then, or empty, and have a next all the same." enum:"inactive"`
}

// Users is a page of users.
type Users struct {
	Users []User `json:"users"`
	Next  string `json:"next,omitempty" doc:"Where the next page begins; left out after the last."`
}

type usersOutput struct{ Body Users }

func (s *Server) listUsers(ctx context.Context, c *call, in *listUsersInput) (*usersOutput, error) {
	after, err := in.place()
	if err != nil {
		return nil, err
	}
	sort, down := connector.UserSort(in.Sort)
	list, next, err := s.o.Store.ListUsers(ctx, connector.UserQuery{
		Sort: sort, Descending: down,
		Org: c.id(), State: in.State, Search: in.Search, Package: in.Package, Pending: in.Pending, After: after, Limit: in.Limit,
		Source: in.Source, Domain: in.Domain, Failing: in.Failing, Reason: connector.Reason(in.Reason), Leaving: in.Leaving,
	})
	if err != nil {
		return nil, err
	}
	out := &usersOutput{Users{Users: []User{}, Next: cursor(next)}}
	for _, u := range list {
		if in.Exclude == "" || u.State != connector.Inactive {
			out.Body.Users = append(out.Body.Users, NewUser(u))
		}
	}
	return out, nil
}

type deletionsInput struct {
	OrgPath
	Page
	Within int `query:"within_days" doc:"Who is deleted within so many days." default:"7" minimum:"0" maximum:"3650"`
}

func (s *Server) listDeletions(ctx context.Context, c *call, in *deletionsInput) (*usersOutput, error) {
	after, err := in.place()
	if err != nil {
		return nil, err
	}
	list, next, err := c.org.Writer.Due(ctx, s.now().Add(time.Duration(in.Within)*24*time.Hour), after, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &usersOutput{Users{Users: make([]User, len(list)), Next: cursor(next)}}
	for i, u := range list {
		out.Body.Users[i] = NewUser(u)
	}
	return out, nil
}

// UserDetail is a user with everything that is known of it but its history.
type UserDetail struct {
	User
	Links  []Link      `json:"links"`
	Groups []UserGroup `json:"groups" doc:"At most 1,000."`
	Claim  *Claim      `json:"claim,omitempty" doc:"How the organization has taken the user over from another one, where it has."`
}

type userOutput struct {
	ETag string `header:"ETag" doc:"For If-None-Match; and for If-Match of what changes the user, which looks at the version of the account itself."`
	Body UserDetail
}

// maxGroups bounds how many groups of one user are shown.
const maxGroups = 1000

func (s *Server) getUser(ctx context.Context, c *call, in *UserPath) (*userOutput, error) {
	u, err := s.o.Store.FindUser(ctx, c.id(), in.User)
	if err != nil {
		return nil, err
	}
	doc, err := DescribeUser(ctx, s.o.Store, u, s.now())
	return &userOutput{etag(u), doc}, err
}

// DescribeUser reads what belongs to a user.
func DescribeUser(ctx context.Context, store Store, u *connector.User, now time.Time) (UserDetail, error) {
	d := UserDetail{User: NewUser(u), Links: []Link{}, Groups: []UserGroup{}}
	links, err := store.UserLinks(ctx, u.Org, u.ID)
	if err != nil {
		return d, err
	}
	for _, l := range links {
		d.Links = append(d.Links, Link{l.Source, l.Anchor.String(), l.DN, l.Standing})
		if l.Source == connector.Claimed {
			if d.Claim, err = claimOf(ctx, store, u.Org, l.Anchor, now); err != nil {
				return d, err
			}
		}
	}
	groups, err := store.GroupsOfUser(ctx, u.Org, u.ID, maxGroups)
	for _, g := range groups {
		d.Groups = append(d.Groups, UserGroup{g.ID.String(), g.Source, g.Name, g.DN, g.Direct})
	}
	return d, err
}

// claimOf is the claim that a link is of; nil where it is forgotten.
func claimOf(ctx context.Context, store Store, org string, anchor connector.Anchor, now time.Time) (*Claim, error) {
	id, err := connector.ParseID(anchor.Raw)
	if err != nil {
		return nil, err
	}
	c, err := store.Claim(ctx, org, id)
	switch {
	case connector.KindOf(err) == connector.NotFound:
		return nil, nil //nolint:nilnil // there is none
	case err != nil:
		return nil, err
	}
	shown := NewClaim(c, now, false)
	return &shown, nil
}

// etag is the version of a user as HTTP has it.
func etag(u *connector.User) string { return `"` + strconv.FormatInt(u.Version, 10) + `"` }

type historyInput struct {
	UserPath
	Limit int   `query:"limit" doc:"How many at most." default:"100" minimum:"1" maximum:"500"`
	After int64 `query:"after" doc:"Only changes after that version of the user." minimum:"0"`
}

// History is a part of what has happened to a user.
type History struct {
	Events []Event `json:"events"`
	Next   int64   `json:"next,omitempty" doc:"after of the next page; left out after the last."`
}

type historyOutput struct{ Body History }

func (s *Server) getHistory(ctx context.Context, c *call, in *historyInput) (*historyOutput, error) {
	u, err := s.o.Store.FindUser(ctx, c.id(), in.User)
	if err != nil {
		return nil, err
	}
	out := &historyOutput{History{Events: []Event{}}}
	for e, err := range s.o.Store.UserEvents(ctx, c.id(), u.ID) {
		switch {
		case err != nil:
			return nil, err
		case e.Version <= in.After:
		case len(out.Body.Events) == in.Limit:
			out.Body.Next = out.Body.Events[in.Limit-1].Version
			return out, nil
		default:
			out.Body.Events = append(out.Body.Events, NewEvent(&e))
		}
	}
	return out, nil
}
