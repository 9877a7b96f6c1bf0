package console

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/connector/policy"
	"usherd/connector/provision"
)

// SelectionStore keeps who was chosen for what, for all replicas.
type SelectionStore interface {
	Users(ctx context.Context, org string, ids []connector.ID) ([]*connector.User, error)
	PutSelection(ctx context.Context, s connector.Selection) error
	Selection(ctx context.Context, org string, id connector.ID) (connector.Selection, error)
	BeginSelection(ctx context.Context, id connector.ID, now time.Time) (begun bool, err error)
	EndSelection(ctx context.Context, id connector.ID, result []connector.SelectionOutcome) error
}

const (
	mostSelected = 500              // people of one selection: they are done while the browser waits
	selectionFor = 30 * time.Minute // from choosing on
	manySelected = 25               // more than so many want a fresh sign-in
)

func (s *Server) selections() {
	s.route("POST /users", need{permission: handle}, (*visit).chooseUsers)
	s.action("/selections/{selection}", need{permission: handle}, (*visit).selection, (*visit).carryOut)
	s.body("selection", selectionPage{})
}

// deedNamed is one of those that can be done to many; ok is false where there is no such, or this administrator may not.
func (v *visit) deedNamed(name string) (d deed, ok bool) {
	i := slices.IndexFunc(deeds, func(d deed) bool { return d.many && d.name == name })
	if i < 0 || !v.may(deeds[i].permission) {
		return deed{}, false
	}
	return deeds[i], true
}

// deedsForMany are what this administrator can do to the people of a list.
func (v *visit) deedsForMany() []option {
	var list []option
	for _, d := range deeds {
		if _, ok := v.deedNamed(d.name); ok {
			list = append(list, option{Value: d.name, Text: v.t("users."+d.name+".link", nil)})
		}
	}
	return list
}

// chooseUsers keeps who was ticked in the list, or all that its filters ask for, and shows what would be done.
func (v *visit) chooseUsers() {
	d, ok := v.deedNamed(v.value("deed"))
	if !ok {
		v.say(http.StatusForbidden, "console.denied", map[string]string{"Role": v.t("words.role."+string(v.role), nil)})
		return
	}
	ids, err := v.ticked(d)
	switch {
	case err != nil:
		v.accident("selection", err)
		return
	case len(ids) == 0:
		v.done(v.here("/users"), "warn", "people.select.nobody", nil)
		return
	case len(ids) > mostSelected:
		v.done(v.here("/users"), "warn", "people.select.toomany", map[string]string{"Most": v.number(mostSelected)})
		return
	}
	s := connector.Selection{ID: connector.NewID(v.now), Org: v.id(), Actor: v.session.Actor(), Deed: d.name, Users: ids, Until: v.now.Add(selectionFor)}
	if err := v.s.o.Store.PutSelection(v.r.Context(), s); err != nil {
		v.accident("selection", err)
		return
	}
	v.redirect(v.link("/selections/" + s.ID.String()))
}

// ticked are the people of the form: those with a tick, or, where that is asked for, all whom the filters ask for and the deed fits.
func (v *visit) ticked(d deed) (ids []connector.ID, err error) {
	if v.value("all") == "" {
		for _, text := range v.form["user"] {
			id, err := connector.ParseID(text)
			if err == nil && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
			if len(ids) > mostSelected {
				break
			}
		}
		return ids, nil
	}
	for u, err := range v.filteredUsers() {
		if err != nil {
			return nil, err
		}
		if d.fits(u) {
			ids = append(ids, u.ID)
		}
		if len(ids) > mostSelected {
			break
		}
	}
	return ids, nil
}

// selectionPage is what would be done to whom, and afterwards what came of it.
type selectionPage struct {
	Effect   []string
	Fits     []userRow
	Others   []userRow // left out: it cannot be done to them as they are
	Gone     string    // how many are not there any more; "" = none
	Button   string    // "" = there is nobody to do it to, or it is done
	Danger   bool
	Reason   bool
	Typed    string // the number that has to be typed; "" = none
	Fault    string
	Back     string
	Until    *instant
	Summary  string // of what came of it
	Outcomes []selectionRow
}

// selectionRow is one person with what refused it.
type selectionRow struct {
	Person userRow
	Card   *failCard
	Fault  string
}

// theSelection is the one that the path names; where there is none any more, or somebody else has chosen, that is answered.
func (v *visit) theSelection() (s connector.Selection, d deed, ok bool) {
	id, _ := connector.ParseID(v.r.PathValue("selection")) // none is nobody's
	s, err := v.s.o.Store.Selection(v.r.Context(), v.id(), id)
	switch {
	case err != nil:
		v.accident("selection", err)
		return s, d, false
	case s.Actor != v.session.Actor() || !v.now.Before(s.Until):
		v.say(http.StatusNotFound, "people.select.over", nil)
		return s, d, false
	}
	if d, ok = v.deedNamed(s.Deed); !ok {
		v.say(http.StatusForbidden, "console.denied", map[string]string{"Role": v.t("words.role."+string(v.role), nil)})
	}
	return s, d, ok
}

func (v *visit) selection() {
	s, d, ok := v.theSelection()
	if !ok {
		return
	}
	if !s.Begun.IsZero() {
		v.showOutcome(s, d)
		return
	}
	v.showSelection(http.StatusOK, s, d, "")
}

func (v *visit) selectionFrame(d deed) frame {
	return frame{Title: v.t("people.select.title."+d.name, nil), Crumbs: []crumb{{v.t("nav.users", nil), v.link("/users")}}}
}

// showSelection shows effect, exceptions and the button with its number.
func (v *visit) showSelection(status int, s connector.Selection, d deed, fault string) {
	users, err := v.chosen(s)
	if err != nil {
		v.accident("selection", err)
		return
	}
	f := frame{v: v}
	p := selectionPage{Effect: []string{v.t("people.select.effect."+d.name, nil)}, Danger: d.danger, Reason: d.reason, Fault: fault, Back: v.link("/users"), Until: f.At(s.Until)}
	need := map[string]int{}
	for _, u := range users {
		if !d.fits(u) {
			p.Others = append(p.Others, v.userRow(u))
			continue
		}
		p.Fits = append(p.Fits, v.userRow(u))
		need[u.Package]++
	}
	if gone := len(s.Users) - len(users); gone > 0 {
		p.Gone = v.s.pages.Count(v.lang, "people.select.gone", gone)
	}
	if len(p.Fits) > 0 {
		p.Button = v.s.pages.Count(v.lang, "people.select.button."+d.name, len(p.Fits))
	}
	if p.Typed, err = v.mustType(d, len(p.Fits)); err == nil {
		err = v.seatsFor(&p, d, need)
	}
	if err != nil {
		v.accident("selection", err)
		return
	}
	v.show(status, "selection", v.selectionFrame(d), p)
}

// chosen are the people of a selection as they are now, in its order.
func (v *visit) chosen(s connector.Selection) ([]*connector.User, error) {
	users, err := v.s.o.Store.Users(v.r.Context(), v.id(), s.Users)
	place := make(map[connector.ID]int, len(s.Users))
	for i, id := range s.Users {
		place[id] = i
	}
	slices.SortFunc(users, func(a, b *connector.User) int { return place[a.ID] - place[b.ID] })
	return users, err
}

// seatsFor says what deactivating does with seats, and where there are fewer free ones than people who come back with a package.
func (v *visit) seatsFor(p *selectionPage, d deed, need map[string]int) error {
	holds := v.org.Settings.InactiveHoldsSeat
	switch {
	case d.name == "deactivate" && holds:
		p.Effect = append(p.Effect, v.t("people.select.keeps", nil))
	case d.name == "deactivate":
		p.Effect = append(p.Effect, v.t("people.select.frees", nil))
	case d.name == "reactivate" && !holds:
		counts, err := v.s.o.Store.Seats(v.r.Context(), v.id())
		if err != nil {
			return err
		}
		for _, n := range counts {
			if n.Seats != connector.Unlimited && need[n.Package] > n.Free() {
				p.Effect = append(p.Effect, v.t("people.select.seats", map[string]string{
					"Package": v.packageName(n.Package), "Need": v.number(need[n.Package]), "Free": v.number(n.Free()),
				}))
			}
		}
	}
	return nil
}

// mustType is the number that has to be typed before so many lose their access: where the strictest guard of a directory, or else
// the one that configurations start from, would hold as many removals of a run.
func (v *visit) mustType(d deed, n int) (string, error) {
	if d.name != "deactivate" || n == 0 {
		return "", nil
	}
	counts, err := v.s.o.Store.CountUsers(v.r.Context(), v.id())
	if err != nil {
		return "", err
	}
	live := 0
	for state, k := range counts {
		if state.Live() {
			live += k
		}
	}
	var guards []connector.Guard
	for _, s := range v.org.Settings.Sources {
		if s.Kind == connector.Directory {
			guards = append(guards, s.Guard)
		}
	}
	if len(guards) == 0 {
		guards = append(guards, policy.DefaultGuard())
	}
	for _, g := range guards {
		if _, held := policy.Removals(g, live, n, 0); held {
			return strconv.Itoa(n), nil
		}
	}
	return "", nil
}

// carryOut does it to each whom it fits, and keeps what came of it. It goes on when the browser does not wait.
func (v *visit) carryOut() {
	s, d, ok := v.theSelection()
	if !ok {
		return
	}
	if len(s.Users) > manySelected && v.now.Sub(v.session.FreshAt) > freshFor {
		v.seeOther("/reauth?" + url.Values{"next": {v.back()}}.Encode())
		return
	}
	reason := v.value("reason")
	if len(reason) > maxReason || failure.Clean(reason) != reason {
		v.say(http.StatusUnprocessableEntity, "console.badreason", nil)
		return
	}
	users, err := v.chosen(s)
	if err != nil {
		v.accident("selection", err)
		return
	}
	users = slices.DeleteFunc(users, func(u *connector.User) bool { return !d.fits(u) })
	typed, err := v.mustType(d, len(users))
	switch {
	case err != nil:
		v.accident("selection", err)
		return
	case typed != "" && v.value("typed") != typed:
		v.showSelection(http.StatusUnprocessableEntity, s, d, v.t("people.select.mistyped", map[string]string{"Number": typed}))
		return
	}
	begun, err := v.s.o.Store.BeginSelection(v.r.Context(), s.ID, v.now)
	if err == nil && begun {
		ctx := context.WithoutCancel(v.r.Context())
		err = v.s.o.Store.EndSelection(ctx, s.ID, v.doEach(ctx, users, d, reason))
	}
	if err != nil {
		v.accident("selection", err)
		return
	}
	v.redirect(v.link("/selections/" + s.ID.String()))
}

func (v *visit) doEach(ctx context.Context, users []*connector.User, d deed, reason string) []connector.SelectionOutcome {
	list := make([]connector.SelectionOutcome, 0, len(users))
	for _, u := range users {
		x := connector.SelectionOutcome{User: u.ID}
		ch, err := d.do(ctx, v.org.Writer, provision.Command{User: u.ID, Actor: v.session.Actor(), Reason: reason})
		switch {
		case err != nil && connector.KindOf(err) == connector.Internal:
			x.Fault = v.logError("selection", err)
		case err != nil:
			x.Fault = v.words(err)
		case len(ch.Failures) > 0:
			x.Failure = &ch.Failures[0]
		default:
			x.Changed = ch.Action != connector.Unchanged
		}
		list = append(list, x)
	}
	return list
}

// showOutcome says what came of a selection: how many are changed, and who is not and why.
func (v *visit) showOutcome(s connector.Selection, d deed) {
	f := frame{v: v}
	p := selectionPage{Back: v.link("/users"), Until: f.At(s.Until)}
	if s.Result == nil {
		p.Summary = v.t("people.select.goeson", nil)
		fr := v.selectionFrame(d)
		fr.Refresh = 5
		v.show(http.StatusOK, "selection", fr, p)
		return
	}
	users, err := v.chosen(s)
	if err != nil {
		v.accident("selection", err)
		return
	}
	byID := map[connector.ID]*connector.User{}
	for _, u := range users {
		byID[u.ID] = u
	}
	changed := 0
	for _, x := range s.Result {
		u := byID[x.User]
		switch {
		case x.Changed:
			changed++
		case u != nil && x.Failure != nil:
			card := v.failCard(*x.Failure, x.Failure.At)
			p.Outcomes = append(p.Outcomes, selectionRow{Person: v.userRow(u), Card: &card})
		case u != nil && x.Fault != "":
			p.Outcomes = append(p.Outcomes, selectionRow{Person: v.userRow(u), Fault: x.Fault})
		}
	}
	p.Summary = v.s.pages.Count(v.lang, "people.select.done."+d.name, changed)
	v.show(http.StatusOK, "selection", v.selectionFrame(d), p)
}
