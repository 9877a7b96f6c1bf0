package console

import (
	"context"
	"iter"
	"net/http"

	"usherd/connector"
	"usherd/connector/provision"
)

// UserStore is what the pages about people read.
type UserStore interface {
	ListUsers(ctx context.Context, q connector.UserQuery) (users []*connector.User, next string, err error)
	CountUsersOf(ctx context.Context, q connector.UserQuery, most int) (n int, more bool, err error)
	FindUser(ctx context.Context, org, key string) (*connector.User, error)
	UserLinks(ctx context.Context, org string, user connector.ID) ([]connector.Link, error)
	UserEvents(ctx context.Context, org string, user connector.ID) iter.Seq2[connector.Event, error]
}

// Writer changes people, and explains them. provision.Provisioner is one.
type Writer interface {
	RunWriter
	SubscriberWriter
	FieldReader
	Approve(ctx context.Context, c provision.Command) (*connector.Change, error)
	RejectUser(ctx context.Context, c provision.Command) (*connector.Change, error)
	Deactivate(ctx context.Context, c provision.Command) (*connector.Change, error)
	Reactivate(ctx context.Context, c provision.Command) (*connector.Change, error)
	Delete(ctx context.Context, c provision.Command) (*connector.Change, error)
	SetPackage(ctx context.Context, c provision.Command, pkg string, release bool) (*connector.Change, error)
	Invite(ctx context.Context, req provision.InviteRequest) (provision.Invited, error)
	Explain(ctx context.Context, req provision.ExplainRequest) (*provision.Explanation, error)
}

func (s *Server) users() {
	s.list("/users", (*visit).users, "state", "package", "source", "domain", "reason", "active", "pending", "failing", "leaving")
	s.body("users", usersPage{})
	s.page("/users/export.csv", export, (*visit).exportUsers)
	s.action("/users/invite", need{permission: handle}, (*visit).askInvitations, (*visit).sendInvitations)
	s.action("/users/{user}/invite", need{permission: handle}, (*visit).askInvitation, (*visit).sendInvitation)
	s.user()
}

// usersPage is a list of people.
type usersPage struct {
	Query, State, Package string
	OnlyActive            bool // inactive ones are hidden
	Pending               bool
	States                []option
	Packages              []option
	Facets                []facet
	Params                []option // of facets that are chosen, by name
	Looking               bool     // nobody so far, and there are more to look through
	Seats                 []tile
	Rows                  []userRow
	Columns               columns
	Pager                 pager
	Hidden                int    // inactive ones that match on this page and are hidden
	ShowAll               string // address of the list with them
	Export                string
	Deeds                 []option // what can be done to many of them
	Invite                string   // address where all who are not verified are invited; "" = there is nobody to invite here
}

// option is one choice of a filter.
type option struct {
	Value, Text string
	Chosen      bool
}

// userRow is one person.
type userRow struct {
	Address, Name, Email, UserName string
	ID                             string
	State                          pill
	Pending                        bool
	Package                        string
	Changed                        *instant
}

// listStates are the states by which a list can be filtered.
var listStates = []connector.State{connector.Active, connector.Verified, connector.NotVerified, connector.Inactive, connector.ClaimPending, connector.ConvertedAway, connector.Deleted}

func (v *visit) users() {
	q := v.askedUsers(perPage)
	p := usersPage{Query: q.Search, State: string(q.State), Package: q.Package, Pending: q.Pending, OnlyActive: v.onlyActive(), Deeds: v.deedsFor(people), Params: v.facetParams(), Columns: v.columns(columnsOfUsers)}
	if q.Search != "" || q.State != "" && !q.State.Live() { // these have an order of their own
		p.Columns = p.Columns.unsorted()
	}
	for _, state := range listStates {
		p.States = append(p.States, option{string(state), v.t("words.state."+string(state), nil), string(state) == p.State})
	}
	for _, x := range v.org.Settings.Packages {
		p.Packages = append(p.Packages, option{x.ID, v.packageName(x.ID), x.ID == p.Package})
	}
	var err error
	if p.Seats, err = v.seatTiles(); err == nil {
		p.Facets, err = v.facets()
	}
	if err == nil {
		err = v.fillUsers(&p)
	}
	if err != nil {
		v.accident("users", err)
		return
	}
	v.show(http.StatusOK, "users", frame{Title: v.t("nav.users", nil), State: v.t("users.state", nil)}, p)
}

// askedUsers are the people whom the filters of the page ask for; see onlyActive too.
func (v *visit) askedUsers(limit int) connector.UserQuery {
	sort, down := connector.UserSort(v.query("sort"))
	return connector.UserQuery{
		Sort: sort, Descending: down,
		Org: v.id(), State: connector.State(v.query("state")), Search: v.query("q"), Package: v.query("package"), Pending: v.query("pending") == "1", Limit: limit,
		Source: v.query("source"), Domain: v.query("domain"), Failing: v.query("failing") == "1", Reason: connector.Reason(v.query("reason")), Leaving: v.query("leaving") == "1",
	}
}

// onlyActive reports whether the filters leave out inactive people; who is leaving is one.
func (v *visit) onlyActive() bool {
	return v.query("active") != "any" && v.query("state") == "" && v.query("leaving") == ""
}

// fillUsers reads a page of people. Inactive ones are left out here, as the box asks for it, and counted.
func (v *visit) fillUsers(p *usersPage) error {
	q := v.askedUsers(perPage)
	q.After = v.after()
	list, next, err := v.s.o.Store.ListUsers(v.r.Context(), q)
	if err != nil {
		return err
	}
	for _, u := range list {
		if p.OnlyActive && u.State == connector.Inactive {
			p.Hidden++
			continue
		}
		p.Rows = append(p.Rows, v.userRow(u))
	}
	p.Pager, p.ShowAll, p.Export = v.pager(next, len(p.Rows)), v.with("active", "any"), v.here("/users/export.csv")
	p.Looking = len(p.Rows)+p.Hidden == 0 && next != ""
	if p.State == string(connector.NotVerified) && len(p.Rows) > 0 && v.may(handle) {
		p.Invite = v.link("/users/invite")
	}
	return nil
}

func (v *visit) userRow(u *connector.User) userRow {
	f := frame{v: v}
	return userRow{
		ID: u.ID.String(), Address: v.link("/users/" + u.ID.String()), Name: v.personal(fullName(u)), Email: v.personal(u.Profile.Get(connector.Email)), UserName: v.personal(u.UserName()),
		State: f.StatePill(u.State), Pending: u.PendingApproval, Package: v.packageName(u.Package), Changed: f.At(u.UpdatedAt),
	}
}

// fullName is how people know a user: the display name, else given and family name, else the user name.
func fullName(u *connector.User) string {
	if n := u.Profile.Get(connector.DisplayName); n != "" {
		return n
	}
	given, family := u.Profile.Get(connector.GivenName), u.Profile.Get(connector.FamilyName)
	switch {
	case given != "" && family != "":
		return given + " " + family
	case given+family != "":
		return given + family
	}
	return u.UserName()
}

// packageName is how people know a package; its id where it is not configured any more.
func (v *visit) packageName(id string) string {
	if p, ok := v.org.Settings.Package(id); ok && p.Name != "" {
		return p.Name
	}
	return id
}
