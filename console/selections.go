package console

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/connector/policy"
)

// SelectionStore keeps who was chosen for what, for all replicas.
type SelectionStore interface {
	Users(ctx context.Context, org string, ids []connector.ID) ([]*connector.User, error)
	SubscribersByID(ctx context.Context, org string, ids []connector.ID) ([]*connector.Subscriber, error)
	OpenItemsByID(ctx context.Context, org string, ids []connector.ID) ([]connector.OpenItem, error)
	PutSelection(ctx context.Context, s connector.Selection) error
	Selection(ctx context.Context, org string, id connector.ID) (connector.Selection, error)
	MoveSelection(ctx context.Context, s *connector.Selection, now time.Time) (ours bool, err error)
}

const (
	mostSelected = 10_000           // of one selection
	selectionFor = 30 * time.Minute // from choosing on
	manySelected = 25               // more than so many want a fresh sign-in
)

func (s *Server) selections() {
	s.route("POST "+people.path, need{permission: handle}, func(v *visit) { v.chooseFrom(people) })
	s.route("POST "+announced.path, need{permission: export}, func(v *visit) { v.chooseFrom(announced) })
	s.route("POST "+failing.path, need{permission: handle}, func(v *visit) { v.chooseFrom(failing) })
	s.route("POST /runs/{run}", need{permission: handle}, (*visit).chooseFromRun)
	// Each deed has a permission of its own beside this one.
	s.action("/selections/{selection}", need{permission: export}, (*visit).selection, (*visit).carryOut)
	s.page("/selections/{selection}/export.csv", export, (*visit).exportSelection)
	s.body("selection", selectionPage{})
}

// chosen is one of a selection: a person, a subscriber, or a failure.
type chosen struct {
	id         connector.ID
	user       *connector.User
	subscriber *connector.Subscriber
	item       *connector.OpenItem
}

// listing is a list in which many can be chosen.
type listing struct {
	path  string // of the list
	name  string // in selections
	title string // key of what the list is called
	texts string // where the texts of its deeds are: TEXTS.title.DEED and so on
	deeds []bulk
	// all are those whom the filters of the list ask for, in its order.
	all func(v *visit) iter.Seq2[chosen, error]
	// load reads those of an organization who are there, in any order.
	load func(ctx context.Context, s *Server, org string, ids []connector.ID) ([]chosen, error)
	row  func(v *visit, x chosen) selectedRow
	// heads are the keys of what stands above what row gives; nil = those of people.
	heads []string
	gone  string // key of how many are not there any more
	// lost is row for who was refused and is not in the list any more; nil = nothing is shown of them.
	lost func(v *visit, f *connector.Failure) selectedRow
}

// personHeads are what stands above rows of people.
var personHeads = []string{"users.name", "users.email", "users.statehead", "users.packagehead"}

// bulk is one thing that can be done to many of a list.
type bulk struct {
	name       string
	link       string // key of what the button says that leads to it
	permission permission
	danger     bool
	reason     bool   // one may say why
	choices    choose // one of them is chosen for all; nil = there is no choice
	file       bool   // it is a file with exactly these: nothing is changed
	fits       func(o *connector.Organization, x chosen) bool
	effect     func(v *visit, fits []chosen) ([]string, error) // what is to be said beside TEXTS.effect.NAME; nil = nothing
	removes    func(fits []chosen) int                         // how many lose their access; nil = nobody
	do         func(ctx context.Context, w *labour, x chosen, s *connector.Selection) (changed bool, refused *connector.Failure, err error)
	step       int // how many are done between two notes; 0 = selectionStep
}

type choose func(v *visit) ([]choice, error)

func (l *listing) headed() []string {
	if l.heads == nil {
		return personHeads
	}
	return l.heads
}

func (l *listing) key(part string, d *bulk) string { return l.texts + "." + part + "." + d.name }

// deedNamed is one of those that can be done to many of a list; ok is false where there is no such, or this administrator may not.
func (v *visit) deedNamed(l *listing, name string) (d *bulk, ok bool) {
	i := slices.IndexFunc(l.deeds, func(d bulk) bool { return d.name == name })
	if i < 0 || !v.may(l.deeds[i].permission) {
		return nil, false
	}
	return &l.deeds[i], true
}

// deedsFor are what this administrator can do to many of a list.
func (v *visit) deedsFor(l *listing) []option {
	var list []option
	for i := range l.deeds {
		if d := &l.deeds[i]; v.may(d.permission) {
			list = append(list, option{Value: d.name, Text: v.t(d.link, nil)})
		}
	}
	return list
}

func (v *visit) mayNot() {
	v.say(http.StatusForbidden, "console.denied", map[string]string{"Role": v.t("words.role."+string(v.role), nil)})
}

// chooseFrom keeps who was ticked in a list, or all that its filters ask for, and shows what would be done.
func (v *visit) chooseFrom(l *listing) {
	d, ok := v.deedNamed(l, v.value("deed"))
	if !ok {
		v.mayNot()
		return
	}
	ids, err := v.ticked(l, d)
	switch {
	case err != nil:
		v.accident("selection", err)
		return
	case len(ids) == 0:
		v.done(v.here(l.path), "warn", "people.select.nobody", nil)
		return
	case len(ids) > mostSelected:
		v.done(v.here(l.path), "warn", "people.select.toomany", map[string]string{"Most": v.number(mostSelected)})
		return
	}
	s := connector.Selection{ID: connector.NewID(v.now), Org: v.id(), Actor: v.session.Actor(), Deed: l.name + "." + d.name, IDs: ids, Until: v.now.Add(selectionFor)}
	if err := v.s.o.Store.PutSelection(v.r.Context(), s); err != nil {
		v.accident("selection", err)
		return
	}
	v.redirect(v.link("/selections/" + s.ID.String()))
}

// ticked are those of the form with a tick, or, where that is asked for, all whom the filters ask for and the deed fits.
func (v *visit) ticked(l *listing, d *bulk) (ids []connector.ID, err error) {
	if v.value("all") == "" {
		for text := range strings.FieldsSeq(strings.Join(v.form["user"], " ")) { // a row can be of several
			id, err := connector.ParseID(text)
			if err == nil && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
		return ids, nil
	}
	for x, err := range l.all(v) {
		if err != nil {
			return nil, err
		}
		if d.fits(v.org.Settings, x) {
			ids = append(ids, x.id)
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
	Heads    []string
	Fits     []selectedRow // the first of them
	More     string        // how many there are besides; "" = none
	Others   []selectedRow // left out: it cannot be done to them as they are; the first of them
	Besides  string        // how many are left out besides; "" = none
	Gone     string        // how many are not there any more; "" = none
	Choices  []choice
	Button   string // "" = there is nobody to do it to, or it is done
	Download string // address of the file; "" = there is none
	Danger   bool
	Reason   bool
	Typed    string // the number that has to be typed; "" = none
	Fault    string
	Back     string
	Until    *instant
	Summary  string // of what came of it, or how far it is
	Share    int    // percent that are done
	Broken   bool   // nobody goes on with it: the button does
	Reasons  []tile // why some were refused
	Outcomes []outcomeRow
	Pager    pager
}

// selectedRow is one of a selection.
type selectedRow struct {
	Address, Name, Email, Package string
	State                         pill
}

// shownSelected is how many of a selection its page shows.
const shownSelected = 50

// theSelection is the one that the path names; where there is none any more, or somebody else has chosen, that is answered.
func (v *visit) theSelection() (s connector.Selection, l *listing, d *bulk, ok bool) {
	id, _ := connector.ParseID(v.r.PathValue("selection")) // none is nobody's
	s, err := v.s.o.Store.Selection(v.r.Context(), v.id(), id)
	switch {
	case err != nil:
		v.accident("selection", err)
		return s, nil, nil, false
	case s.Actor != v.session.Actor() || !v.now.Before(s.Until):
		v.say(http.StatusNotFound, "people.select.over", nil)
		return s, nil, nil, false
	}
	for _, l = range []*listing{people, announced, failing} {
		if name, found := cutPrefix(s.Deed, l.name+"."); found {
			if d, ok = v.deedNamed(l, name); ok {
				return s, l, d, true
			}
		}
	}
	v.mayNot()
	return s, nil, nil, false
}

func (v *visit) selection() {
	s, l, d, ok := v.theSelection()
	switch {
	case !ok:
	case !s.Begun.IsZero():
		v.showOutcome(&s, l, d)
	default:
		v.showSelection(http.StatusOK, &s, l, d, "")
	}
}

func (v *visit) selectionFrame(l *listing, d *bulk) frame {
	return frame{Title: v.t(l.key("title", d), nil), Crumbs: []crumb{{v.t(l.title, nil), v.link(l.path)}}}
}

// showSelection shows effect, exceptions and the button with its number.
func (v *visit) showSelection(status int, s *connector.Selection, l *listing, d *bulk, fault string) {
	fits, others, gone, err := v.parted(s, l, d)
	f := frame{v: v}
	p := selectionPage{Effect: []string{v.t(l.key("effect", d), nil)}, Danger: d.danger, Reason: d.reason, Fault: fault, Back: v.link(l.path), Until: f.At(s.Until)}
	for _, key := range l.headed() {
		p.Heads = append(p.Heads, v.t(key, nil))
	}
	p.Fits, p.More = v.firstRows(l, fits)
	p.Others, p.Besides = v.firstRows(l, others)
	if gone > 0 {
		p.Gone = v.s.pages.Count(v.lang, l.gone, gone)
	}
	switch {
	case len(fits) == 0:
	case d.file:
		p.Download = v.link("/selections/" + s.ID.String() + "/export.csv")
	default:
		p.Button = v.s.pages.Count(v.lang, l.key("button", d), len(fits))
	}
	if err == nil && d.choices != nil && len(fits) > 0 {
		p.Choices, err = d.choices(v)
	}
	if err == nil {
		p.Typed, err = v.mustType(d, fits)
	}
	if err == nil && d.effect != nil && len(fits) > 0 {
		var more []string
		more, err = d.effect(v, fits)
		p.Effect = append(p.Effect, more...)
	}
	if err != nil {
		v.accident("selection", err)
		return
	}
	v.show(status, "selection", v.selectionFrame(l, d), p)
}

// firstRows are the first of a list as rows, and how many there are besides.
func (v *visit) firstRows(l *listing, list []chosen) (rows []selectedRow, more string) {
	for _, x := range list[:min(len(list), shownSelected)] {
		rows = append(rows, l.row(v, x))
	}
	if n := len(list) - len(rows); n > 0 {
		more = v.s.pages.Count(v.lang, "people.select.more", n)
	}
	return rows, more
}

// parted are those of a selection whom the deed fits as they are now, and the others, each in its order, and how many are gone.
func (v *visit) parted(s *connector.Selection, l *listing, d *bulk) (fits, others []chosen, gone int, err error) {
	list, err := v.s.chosen(v.r.Context(), l, s.Org, s.IDs)
	for _, x := range list {
		if d.fits(v.org.Settings, x) {
			fits = append(fits, x)
		} else {
			others = append(others, x)
		}
	}
	return fits, others, len(s.IDs) - len(list), err
}

// chosen are those of ids who are there, in the order of ids.
func (s *Server) chosen(ctx context.Context, l *listing, org string, ids []connector.ID) ([]chosen, error) {
	list, err := l.load(ctx, s, org, ids)
	place := make(map[connector.ID]int, len(ids))
	for i, id := range ids {
		place[id] = i
	}
	slices.SortFunc(list, func(a, b chosen) int { return place[a.id] - place[b.id] })
	return list, err
}

// mustType is the number that has to be typed before so many lose their access: where the strictest guard of a directory, or else
// the one that configurations start from, would hold as many removals of a run.
func (v *visit) mustType(d *bulk, fits []chosen) (string, error) {
	if d.removes == nil {
		return "", nil
	}
	n := d.removes(fits)
	if n == 0 {
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
			return strconv.Itoa(len(fits)), nil
		}
	}
	return "", nil
}

// carryOut does it to each whom it fits, or goes on with that, and keeps what came of it.
func (v *visit) carryOut() {
	s, l, d, ok := v.theSelection()
	switch {
	case !ok:
		return
	case d.file || s.Over() || v.works(&s): // what was sent twice is done once
		v.redirect(v.link("/selections/" + s.ID.String()))
		return
	case len(s.IDs) > manySelected && v.now.Sub(v.session.FreshAt) > freshFor:
		v.seeOther("/reauth?" + url.Values{"next": {v.back()}}.Encode())
		return
	case s.Begun.IsZero() && !v.ordered(&s, l, d):
		return
	}
	ours, err := v.s.o.Store.MoveSelection(v.r.Context(), &s, v.now)
	if err != nil {
		v.accident("selection", err)
		return
	}
	if ours {
		v.labour(&s, l, d)
	}
	v.redirect(v.link("/selections/" + s.ID.String()))
}

// ordered takes over what the form says, and answers where that is not good.
func (v *visit) ordered(s *connector.Selection, l *listing, d *bulk) bool {
	if d.reason {
		s.Reason = v.value("reason")
	}
	if len(s.Reason) > maxReason || failure.Clean(s.Reason) != s.Reason {
		v.say(http.StatusUnprocessableEntity, "console.badreason", nil)
		return false
	}
	if d.choices != nil {
		list, err := d.choices(v)
		if err != nil {
			v.accident("selection", err)
			return false
		}
		s.Choice = v.value("choice")
		if !slices.ContainsFunc(list, func(c choice) bool { return c.Value == s.Choice && !c.Disabled }) {
			v.showSelection(http.StatusUnprocessableEntity, s, l, d, v.t("people.select.nochoice", nil))
			return false
		}
	}
	fits, _, _, err := v.parted(s, l, d)
	typed := ""
	if err == nil {
		typed, err = v.mustType(d, fits)
	}
	switch {
	case err != nil:
		v.accident("selection", err)
		return false
	case typed != "" && v.value("typed") != typed:
		v.showSelection(http.StatusUnprocessableEntity, s, l, d, v.t("people.select.mistyped", map[string]string{"Number": typed}))
		return false
	}
	return true
}
