package console

import (
	"context"
	"html/template"
	"net/http"
	"strings"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/connector/provision"
)

// user are the page of one person and what can be done there.
func (s *Server) user() {
	s.page("/users/{user}", see, (*visit).user)
	s.body("user", userPage{})
	s.body("confirm", confirm{})
	s.body("refused", refused{})
	for _, d := range deeds {
		s.action("/users/{user}/"+d.name, need{permission: d.permission, fresh: d.fresh},
			func(v *visit) { v.askDeed(d) }, func(v *visit) { v.doDeed(d) })
	}
	s.userAsks()
	s.action("/users/{user}/package", need{permission: handle}, (*visit).askPackage, (*visit).doPackage)
}

// deed is one thing that is done to one person.
type deed struct {
	name       string // of path, texts (user.NAME) and audit entry (user.NAME)
	permission permission
	fresh      bool
	danger     bool
	reason     bool // one may say why
	many       bool // it can be done to many at once
	fits       func(u *connector.User) bool
	do         func(ctx context.Context, w Writer, c provision.Command) (*connector.Change, error)
}

var deeds = []deed{
	{
		name: "reactivate", permission: handle, many: true, fits: func(u *connector.User) bool { return u.State == connector.Inactive },
		do: func(ctx context.Context, w Writer, c provision.Command) (*connector.Change, error) {
			return w.Reactivate(ctx, c)
		},
	},
	{
		name: "approve", permission: handle, many: true, fits: func(u *connector.User) bool { return u.PendingApproval },
		do: func(ctx context.Context, w Writer, c provision.Command) (*connector.Change, error) {
			return w.Approve(ctx, c)
		},
	},
	{
		name: "reject", permission: handle, danger: true, reason: true, fits: func(u *connector.User) bool { return u.PendingApproval },
		do: func(ctx context.Context, w Writer, c provision.Command) (*connector.Change, error) {
			return w.RejectUser(ctx, c)
		},
	},
	{
		name: "deactivate", permission: remove, danger: true, reason: true, many: true,
		fits: func(u *connector.User) bool { return u.State.Live() && u.State != connector.Inactive },
		do: func(ctx context.Context, w Writer, c provision.Command) (*connector.Change, error) {
			return w.Deactivate(ctx, c)
		},
	},
	{
		name: "delete", permission: remove, fresh: true, danger: true, fits: func(u *connector.User) bool { return u.State == connector.Inactive },
		do: func(ctx context.Context, w Writer, c provision.Command) (*connector.Change, error) {
			return w.Delete(ctx, c)
		},
	},
}

// userPage is everything about one person.
type userPage struct {
	User        userRow
	ID          string
	States      []stateStep
	Diagram     template.HTML
	Ways        []stateWay
	Deactivated *deactivation
	Origin      *origin // nil = the account is of this organization from the start
	Actions     []actionLink
	Profile     []field
	Explanation *provision.Explanation
	Then        userThen
	Links       []linkRow
	Events      []eventRow
	Older       bool // there is more history
	hide        func(text string) string
}

// Hide takes out of a text what it says of the person by name, where it has to be.
func (p userPage) Hide(text string) string {
	if p.hide == nil {
		return ""
	}
	return p.hide(text)
}

// stateStep is one state of the diagram.
type stateStep struct {
	Pill    pill
	Means   string
	Current bool
}

type deactivation struct {
	By, Reason string
	At         *instant
	DeleteAt   *instant
	Before     pill
}

// actionLink leads to the page of an action.
type actionLink struct {
	Text, Address string
	Danger        bool
}

// field is one attribute with its origin.
type field struct {
	Label  string
	Values []string
	Source string
	Rule   string
}

type linkRow struct{ Source, Anchor, DN, Standing string }

// eventRow is one change.
type eventRow struct {
	At      *instant
	Action  string
	Cause   string
	Source  string
	Run     string // address
	Why     string // address of this page as of then
	Here    bool   // the page is about the time after this change and before the next
	Changes *diff
}

// lastEvents is how much of the history the page shows.
const lastEvents = 50

// find returns the person whom the path names, and answers where there is none.
func (v *visit) find() (*connector.User, bool) {
	u, err := v.s.o.Store.FindUser(v.r.Context(), v.id(), v.r.PathValue("user"))
	if err != nil {
		v.accident("user", err)
		return nil, false
	}
	return u, true
}

func (v *visit) user() {
	u, ok := v.find()
	if !ok {
		return
	}
	e, then, err := v.explained(u)
	if err != nil {
		v.accident("user", err)
		return
	}
	is := u
	if e.Past {
		is = asOf(u, e)
	}
	p := userPage{
		User: v.userRow(is), ID: u.ID.String(), States: v.stateSteps(is), Deactivated: v.deactivation(is), Explanation: e, Then: then,
		hide: v.hidden(u.Profile, is.Profile),
	}
	if p.Diagram, p.Ways, err = v.stateDiagram(is.State); err == nil {
		v.profile(&p)
		err = v.history(&p, u)
	}
	if err != nil {
		v.accident("user", err)
		return
	}
	status := http.StatusOK
	if then.Fault != "" {
		status = http.StatusUnprocessableEntity
	}
	v.show(status, "user", frame{Title: p.User.Name, Crumbs: []crumb{{v.t("nav.users", nil), v.link("/users")}}}, p)
}

// stateSteps are the states of the diagram, with the one that the person is in.
func (v *visit) stateSteps(u *connector.User) []stateStep {
	f := frame{v: v}
	var list []stateStep
	for _, s := range []connector.State{connector.NotVerified, connector.Verified, connector.Active, connector.Inactive, connector.ClaimPending} {
		if s == connector.ClaimPending && u.State != s {
			continue
		}
		list = append(list, stateStep{f.StatePill(s), v.t("users.means."+string(s), nil), s == u.State})
	}
	return list
}

func (v *visit) deactivation(u *connector.User) *deactivation {
	if u.State != connector.Inactive {
		return nil
	}
	f := frame{v: v}
	d := &deactivation{By: v.t("users.by."+string(u.DeactivatedBy), nil), Reason: u.DeactivatedReason, At: f.At(u.DeactivatedAt), DeleteAt: f.At(u.DeleteAt), Before: f.StatePill(u.Resume)}
	if u.DeactivatedSource != "" {
		d.By += " " + u.DeactivatedSource
	}
	return d
}

// actionsOf are what this administrator can do to a person who is like that.
func (v *visit) actionsOf(u *connector.User) []actionLink {
	var list []actionLink
	for _, d := range deeds {
		if d.fits(u) && v.may(d.permission) {
			list = append(list, actionLink{v.t("users."+d.name+".link", nil), v.link("/users/" + u.ID.String() + "/" + d.name), d.danger})
		}
	}
	if invitable(u) && v.may(handle) {
		list = append(list, actionLink{Text: v.t("users.invite.link", nil), Address: v.link("/users/" + u.ID.String() + "/invite")})
	}
	if len(v.org.Settings.Packages) > 0 && u.State.Live() && v.may(handle) {
		list = append(list, actionLink{Text: v.t("users.package.link", nil), Address: v.link("/users/" + u.ID.String() + "/package")})
	}
	return list
}

// profile are the attributes with where they come from.
func (v *visit) profile(p *userPage) {
	for _, a := range p.Explanation.Attributes {
		f := field{Label: v.s.catalogue.Label(a.Name, v.lang), Values: v.personals(a.Values), Source: a.Source}
		if a.Rule != nil {
			f.Rule = a.Rule.Expression
		}
		p.Profile = append(p.Profile, f)
	}
}

// confirm is the page that shows what an action would do, for the template "confirm".
type confirm struct {
	Effect  []string
	Person  *userRow // nil = it is not about one
	Button  string
	Danger  bool
	Reason  bool // there is a field for why
	Back    string
	Choices []choice // one of them is chosen; none = there is nothing to choose
	Fault   string
}

// choice is one of several that an action asks for.
type choice struct {
	Value, Text, Note string
	Chosen, Disabled  bool
}

func (v *visit) askDeed(d deed) {
	u, ok := v.find()
	if !ok {
		return
	}
	row := v.userRow(u)
	c := confirm{
		Person: &row, Button: v.t("users."+d.name+".button", nil), Danger: d.danger, Reason: d.reason, Back: v.link("/users/" + u.ID.String()),
		Effect: []string{v.t("users."+d.name+".effect", nil)},
	}
	if !d.fits(u) {
		c.Button, c.Fault = "", v.t("users.nofit", nil)
	}
	if d.name == "deactivate" {
		c.Effect = append(c.Effect, v.t(map[bool]string{true: "users.deactivate.keeps", false: "users.deactivate.frees"}[v.org.Settings.InactiveHoldsSeat], nil))
	}
	v.show(http.StatusOK, "confirm", v.frameOf(u, v.t("users."+d.name+".link", nil)), c)
}

func (v *visit) frameOf(u *connector.User, title string) frame {
	title = strings.TrimSuffix(title, "…") // which says on a button that there is a page before anything is done
	return frame{Title: title, Crumbs: []crumb{{v.t("nav.users", nil), v.link("/users")}, {v.personal(fullName(u)), v.link("/users/" + u.ID.String())}}}
}

// maxReason bounds what one writes into the history.
const maxReason = 500

func (v *visit) doDeed(d deed) {
	u, ok := v.find()
	if !ok {
		return
	}
	reason := v.value("reason")
	if len(reason) > maxReason || failure.Clean(reason) != reason {
		v.say(http.StatusUnprocessableEntity, "console.badreason", nil)
		return
	}
	v.change(u, d.name, reason, d.do)
}

// change does one thing to one person, and tells what came of it.
func (v *visit) change(u *connector.User, name, reason string, do func(ctx context.Context, w Writer, c provision.Command) (*connector.Change, error)) {
	ch, err := do(v.r.Context(), v.org.Writer, provision.Command{User: u.ID, Actor: v.session.Actor(), Reason: reason})
	back := v.link("/users/" + u.ID.String())
	switch {
	case err != nil:
		v.accident(name, err)
	case len(ch.Failures) > 0:
		f := ch.Failures[0]
		card := v.failCard(f, f.At)
		v.show(http.StatusConflict, "refused", v.frameOf(u, v.t("users."+name+".link", nil)), refused{card, back})
	case ch.Action == connector.Unchanged:
		v.done(back, "info", "users.unchanged", nil)
	case ch.After == nil || ch.Action == connector.Removed:
		v.done(v.link("/users"), "good", "users."+name+".done", map[string]string{"Name": v.personal(fullName(u))})
	default:
		v.done(back, "good", "users."+name+".done", map[string]string{"Name": v.personal(fullName(u))})
	}
}

// refused is why something was not done.
type refused struct {
	Card failCard
	Back string
}

// askPackage shows the packages with their free seats; a full one cannot be chosen.
func (v *visit) askPackage() {
	u, ok := v.find()
	if !ok {
		return
	}
	packages, err := v.packageChoices(u.Package)
	if err != nil {
		v.accident("package", err)
		return
	}
	row := v.userRow(u)
	c := confirm{
		Person: &row, Effect: []string{v.t("users.package.effect", nil)}, Button: v.t("users.package.button", nil), Back: v.link("/users/" + u.ID.String()),
		Choices: append([]choice{{Value: noPackage, Text: v.t("users.package.none", nil), Chosen: u.Package == ""}}, packages...),
	}
	if u.PackageFixed {
		c.Choices = append(c.Choices, choice{Value: sourcesPackage, Text: v.t("users.package.release", nil), Note: v.t("users.package.releasenote", nil)})
	}
	v.show(http.StatusOK, "confirm", v.frameOf(u, v.t("users.package.link", nil)), c)
}

// packageChoices are those that somebody can be given, each with its free seats: one that is full cannot be chosen.
func (v *visit) packageChoices(chosen string) (list []choice, err error) {
	counts, err := v.s.o.Store.Seats(v.r.Context(), v.id())
	for _, n := range counts {
		if _, configured := v.org.Settings.Package(n.Package); !configured {
			continue
		}
		x := choice{Value: n.Package, Text: v.packageName(n.Package), Note: v.t("users.package.unlimited", nil), Chosen: n.Package == chosen}
		if n.Seats != connector.Unlimited {
			x.Note = v.t("users.package.free", map[string]string{"Free": v.number(n.Free()), "Seats": v.number(n.Seats)})
			x.Disabled = n.Free() == 0 && !x.Chosen
		}
		list = append(list, x)
	}
	return list, err
}

// Choices beside the packages.
const (
	noPackage      = "-"
	sourcesPackage = "*" // whatever the sources say
)

// userPackage is what a choice of a package means.
func userPackage(choice string) (pkg string, release bool) {
	if choice == noPackage || choice == sourcesPackage {
		return "", choice == sourcesPackage
	}
	return choice, false
}

func (v *visit) doPackage() {
	u, ok := v.find()
	if !ok {
		return
	}
	pkg := v.value("choice")
	if pkg == "" {
		v.seeOther("/users/" + u.ID.String() + "/package")
		return
	}
	pkg, release := userPackage(pkg)
	v.change(u, "package", "", func(ctx context.Context, w Writer, c provision.Command) (*connector.Change, error) {
		return w.SetPackage(ctx, c, pkg, release)
	})
}

// standingWord is what a source says of an entry; "" = it could not say.
func (v *visit) standingWord(s connector.Standing) string {
	if s == connector.StandingUnknown {
		return "–"
	}
	return v.t("words.standing."+string(s), nil)
}
