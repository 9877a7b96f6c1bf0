package console

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"usherd/connector"
	"usherd/connector/report"
)

// runPage is the report of one run.
type runPage struct {
	Run       runRow
	ID, Short string
	Preview   bool
	Facts     []fact
	Counts    []tile
	Groups    []fact
	Phases    []phaseBar
	Warnings  []string
	Error     string
	Hint      string
	Copy      string // of the error, as it stands in the log
	Hold      *holdCard
	GroupHold *groupCard
	Progress  *progress
	Actions   []actionLink
	Exports   []actionLink
	Tabs      []tab
	Reasons   []reasonCount // of the failures
	Counted   bool          // there are more failures than were counted
	Reason    string        // the only one whose people are shown; "" = all
	Rows      []changeRow
	Pager     pager
	Deeds     []option // what can be done to many of the failures that are still open
	All       string   // what the box says that chooses all of them
}

// fact is a name and a value; an address leads to what it is about.
type fact struct{ Name, Value, Address string }

// phaseBar is a part of the time that a run took.
type phaseBar struct {
	Name, Took string
	Share      int // percent of the whole
}

// holdCard is what waits for approval.
type holdCard struct {
	Reason, Status string
	Open           bool
	Held           int
	Expires        *instant
	First          string // who has approved first
	Rest           string // address of the run that holds what is left
}

// groupCard is why the groups were left as they were.
type groupCard struct {
	Reason  string
	Counts  []fact // what would become of them
	Command string // that carries it out; "" = nobody can accept it
	Later   string // address of a later full run, which has looked anew; "" = this is the last one
}

// progress is how far a run is.
type progress struct {
	Phase, Done string
	Share       int // percent, -1 = not known
}

// tab is one part of the people of a run.
type tab struct {
	Text, Number, Address string
	Current               bool
}

// reasonCount is how often people failed for a reason.
type reasonCount struct {
	Card   failCard
	Number string
	People string // address of who failed for it
	Retry  string // address where all of them are chosen to be tried again; "" = this administrator may not, or there is nobody to ask
}

// changeRow is what happened to one person.
type changeRow struct {
	Person, Address string
	Tick            string // ids of its failures that are still open; "" = there are none
	Action          pill
	At              *instant
	States          []pill
	Seat            string
	Skip            string
	Changes         *diff
	Failures        []failCard
	Warnings        []string
}

func (v *visit) run() {
	r, ok := v.theRun()
	if !ok {
		return
	}
	f := frame{v: v}
	p := runPage{
		Run: v.runRow(r), ID: r.ID.String(), Short: r.ID.Short(), Preview: r.Mode == connector.ModePreview, Warnings: v.allTold(r.Warnings), Error: v.told(r.Error), Hint: v.told(r.Hint), Copy: r.Error,
		Hold: v.holdCard(r), Progress: v.progress(r),
	}
	v.countRun(&p, r)
	v.timeRun(&p, r)
	v.actOnRun(&p, r)
	err := v.aboutRun(&p, r)
	if err == nil {
		err = v.heldGroups(&p, r)
	}
	if err == nil {
		err = v.fillRun(&p, r)
	}
	if err != nil {
		v.accident("run", err)
		return
	}
	f.Title, f.Crumbs = r.Source+" · "+p.Run.Mode, v.runsCrumb()
	if r.Result == connector.ResultRunning {
		f.Refresh = 3
	}
	v.show(http.StatusOK, "run", f, p)
}

// aboutRun are the facts of the head.
func (v *visit) aboutRun(p *runPage, r *connector.Run) error {
	f := frame{v: v}
	add := func(key, value, address string) {
		if value != "" {
			p.Facts = append(p.Facts, fact{v.t("runs.fact."+key, nil), value, address})
		}
	}
	add("actor", p.Run.Actor, "")
	add("started", f.At(r.Started).Title, "")
	add("took", p.Run.Took, "")
	add("server", r.Server, "")
	if r.Entries > 0 {
		add("entries", v.number(r.Entries), "")
	}
	add("mechanism", r.Mechanism, "")
	add("revision", r.Revision, "")
	for _, other := range []struct {
		key string
		id  connector.ID
	}{{"approves", r.Approves}, {"undoes", r.Undoes}} {
		if !other.id.IsZero() {
			add(other.key, other.id.Short(), v.link("/runs/"+other.id.String()))
		}
	}
	back, err := v.s.o.Store.Rollbacks(v.r.Context(), r)
	for _, b := range back {
		add("undone", b.ID.Short(), v.link("/runs/"+b.ID.String()))
	}
	return err
}

// countRun are the counts, each with a way to the people.
func (v *visit) countRun(p *runPage, r *connector.Run) {
	c := r.Counts
	for _, x := range []struct {
		action connector.Action
		n      int
		kind   string
	}{
		{connector.Created, c.Created, ""},
		{connector.Updated, c.Updated, ""},
		{connector.Reactivated, c.Reactivated, ""},
		{connector.Deactivated, c.Deactivated, ""},
		{connector.Removed, c.Deleted, ""},
		{connector.Skipped, c.Skipped, ""},
		{connector.Unchanged, c.Unchanged, ""},
		{connector.Failed, c.Failed, "bad"},
	} {
		t := tile{Text: v.t("words.action."+string(x.action), nil), Number: v.number(x.n), Share: -1}
		if x.n > 0 {
			t.Kind = x.kind
			switch x.action { //nolint:exhaustive // nothing is kept of who stays as it is
			case connector.Unchanged:
			case connector.Skipped:
				t.Address = v.link("/runs/"+p.ID, "tab", "skipped")
			case connector.Failed:
				t.Address = v.link("/runs/"+p.ID, "tab", "failures")
			default:
				t.Address = v.link("/runs/"+p.ID, "tab", "changes", "action", string(x.action))
			}
		}
		p.Counts = append(p.Counts, t)
	}
	p.Groups = v.groupCounts(r.Groups)
}

// timeRun says where the time went.
func (v *visit) timeRun(p *runPage, r *connector.Run) {
	var all time.Duration
	for _, x := range r.Phases {
		all += x.Took
	}
	f := frame{v: v}
	for _, x := range r.Phases {
		p.Phases = append(p.Phases, phaseBar{x.Name, f.Took(x.Took), int(100 * x.Took / max(all, 1))})
	}
}

func (v *visit) holdCard(r *connector.Run) *holdCard {
	h := r.Hold
	if h == nil {
		return nil
	}
	f := frame{v: v}
	c := &holdCard{Reason: v.told(h.Reason), Open: h.Open(v.now), Held: r.Counts.Held, Status: v.t("runs.hold."+string(h.StatusAt(v.now)), map[string]string{"By": h.By})}
	if c.Open {
		c.Expires = f.At(h.Expires)
	}
	if h.First != nil && c.Open {
		c.First = h.First.By
	}
	if !h.Next.IsZero() {
		c.Rest = v.link("/runs/" + h.Next.String())
	}
	return c
}

// progress is nil for a run that has ended.
func (v *visit) progress(r *connector.Run) *progress {
	if r.Result != connector.ResultRunning {
		return nil
	}
	p := &progress{Share: -1}
	if v.s.o.Runner == nil {
		return p
	}
	x, ok := v.s.o.Runner.Progress(r.ID)
	if !ok {
		return p
	}
	p.Phase, p.Done = x.Phase, v.number(x.Done)
	if x.Total > 0 {
		p.Share = min(100*x.Done/x.Total, 100)
	}
	return p
}

// actOnRun are what this administrator can do with the run.
func (v *visit) actOnRun(p *runPage, r *connector.Run) {
	path := "/runs/" + p.ID
	if p.Hold != nil && p.Hold.Open && v.may(decide) {
		p.Actions = append(p.Actions, actionLink{v.t("runs.approve.link", nil), v.link(path + "/approve"), false}, actionLink{v.t("runs.reject.link", nil), v.link(path + "/reject"), true})
	}
	changed := r.Counts.Changed() > 0 || r.Groups != connector.GroupCounts{}
	if changed && !p.Preview && r.Result != connector.ResultRunning && v.may(decide) {
		p.Actions = append(p.Actions, actionLink{v.t("runs.rollback.link", nil), v.link(path + "/rollback"), true})
	}
	if !v.may(inClear) {
		return
	}
	for _, file := range []string{"report.csv", "report.json", "report.html"} {
		p.Exports = append(p.Exports, actionLink{Text: strings.ToUpper(strings.TrimPrefix(file, "report.")), Address: v.link(path + "/export/" + file)})
	}
}

// fillRun reads one page of the people that a tab shows.
func (v *visit) fillRun(p *runPage, r *connector.Run) error {
	c := r.Counts
	now := v.query("tab")
	if now == "" {
		switch { // what asks for a decision comes first
		case p.Hold != nil && p.Hold.Open:
			now = "held"
		case c.Failed > 0:
			now = "failures"
		default:
			now = "changes"
		}
	}
	for _, t := range []struct {
		name string
		n    int
	}{{"changes", c.Changed()}, {"failures", c.Failed}, {"held", c.Held}, {"skipped", c.Skipped}} {
		if t.n > 0 || t.name == now || t.name == "changes" {
			p.Tabs = append(p.Tabs, tab{v.t("runs.tab."+t.name, nil), v.number(t.n), v.link("/runs/"+p.ID, "tab", t.name), t.name == now})
		}
	}
	if now == "changes" {
		return v.writtenRows(p, r)
	}
	if now == "failures" {
		p.Reason = v.query("reason")
	}
	fits := map[string]func(ch *connector.Change) bool{
		"failures": func(ch *connector.Change) bool { return failedFor(ch, connector.Reason(p.Reason)) },
		"held":     func(ch *connector.Change) bool { return ch.Held },
		"skipped":  func(ch *connector.Change) bool { return ch.Action == connector.Skipped && !ch.Held },
	}[now]
	if fits == nil {
		fits = func(*connector.Change) bool { return false }
	}
	if now == "failures" && v.query("after") == "" {
		if err := v.countReasons(p, r); err != nil {
			return err
		}
	}
	return v.keptRows(p, r, fits)
}

// writtenRows are what the run did to people, the latest first.
func (v *visit) writtenRows(p *runPage, r *connector.Run) error {
	before, err := v.afterID()
	if err != nil {
		return err
	}
	only := connector.Action(v.query("action"))
	var found []connector.Event
	next, err := scan(before, func(before connector.ID, limit int) ([]connector.Event, error) {
		return v.s.o.Store.RunEvents(v.r.Context(), v.id(), r.ID, before, limit)
	}, func(e connector.Event) (connector.ID, bool) {
		fits := only == "" || e.Action == only
		if fits {
			found = append(found, e)
		}
		return e.ID, fits
	})
	if err != nil {
		return err
	}
	rows, err := v.eventRows(found)
	if err != nil {
		return err
	}
	p.Rows = rows
	p.Pager = v.pager(next, len(rows))
	return nil
}

// eventRows are events with the names of their people.
func (v *visit) eventRows(events []connector.Event) ([]changeRow, error) {
	ids := make([]connector.ID, len(events))
	for i := range events {
		ids[i] = events[i].User
	}
	slices.SortFunc(ids, func(a, b connector.ID) int { return slices.Compare(a[:], b[:]) })
	users, err := v.s.o.Store.Users(v.r.Context(), v.id(), slices.Compact(ids))
	if err != nil {
		return nil, err
	}
	names := map[connector.ID]string{}
	for _, u := range users {
		names[u.ID] = v.personal(fullName(u))
	}
	f := frame{v: v}
	rows := make([]changeRow, len(events))
	for i := range events {
		e := &events[i]
		rows[i] = changeRow{
			Person: names[e.User], Address: v.link("/users/" + e.User.String()), Action: v.actionPill(e.Action), At: f.At(e.At), States: v.statePills(e.Transitions),
			Changes: v.differences(e.Fields),
		}
	}
	return rows, nil
}

func (v *visit) actionPill(a connector.Action) pill {
	kinds := map[connector.Action]string{
		connector.Created: "good", connector.Updated: "info", connector.Reactivated: "good", connector.Deactivated: "warn", connector.Removed: "off",
		connector.Failed: "bad", connector.Skipped: "off",
	}
	return pill{v.t("words.action."+string(a), nil), kinds[a]}
}

// statePills are the states from before to after, none where they do not change.
func (v *visit) statePills(steps []connector.Transition) []pill {
	if len(steps) == 0 {
		return nil
	}
	f := frame{v: v}
	var list []pill
	if from := steps[0].From; from != "" {
		list = append(list, f.StatePill(from))
	}
	return append(list, f.StatePill(steps[len(steps)-1].To))
}

// keptRows are people to whom nothing was done, in the order in which the run came to them.
func (v *visit) keptRows(p *runPage, r *connector.Run, fits func(*connector.Change) bool) error {
	after, err := v.afterID()
	if err != nil {
		return err
	}
	var shown []connector.Outcome
	next, err := scan(after, func(after connector.ID, limit int) ([]connector.Outcome, error) {
		return v.s.o.Store.Outcomes(v.r.Context(), r.ID, after, limit)
	}, func(o connector.Outcome) (connector.ID, bool) {
		fits := fits(o.Change)
		if fits {
			shown = append(shown, o)
		}
		return o.ID, fits
	})
	if err != nil {
		return err
	}
	open, err := v.stillOpen(shown)
	for _, o := range shown {
		row := v.keptRow(o.Change)
		v.tickOpen(&row, open)
		p.Rows = append(p.Rows, row)
	}
	if len(open) > 0 {
		p.Deeds, p.All = v.deedsFor(failing), v.t("failures.select.ofrun", nil)
	}
	p.Pager = v.pager(next, len(p.Rows))
	return err
}

// tickOpen has the failures of a row lead to their pages, and be chosen with it, that are still open.
func (v *visit) tickOpen(row *changeRow, open map[string]*connector.OpenItem) {
	var ids []string
	for i := range row.Failures {
		card := &row.Failures[i]
		if item := open[card.Ref]; item != nil {
			card.Address = v.link("/failures/" + item.Ref)
			ids = append(ids, item.ID.String())
		}
	}
	row.Tick = strings.Join(ids, " ")
}

// failedFor reports whether a person failed, for that reason where there is one.
func failedFor(ch *connector.Change, reason connector.Reason) bool {
	return ch.Action == connector.Failed && (reason == "" || slices.ContainsFunc(ch.Failures, func(f connector.Failure) bool { return f.Reason == reason }))
}

func (v *visit) keptRow(ch *connector.Change) changeRow {
	row := changeRow{Person: v.personal(ch.Subject), Action: v.actionPill(ch.Action), States: v.statePills(ch.Transitions), Changes: v.differences(ch.Fields), Warnings: v.allTold(ch.Warnings)}
	if ch.After != nil && ch.BaseVersion > 0 {
		row.Address = v.link("/users/" + ch.After.ID.String())
	}
	if ch.TakeSeat != "" {
		row.Seat = v.packageName(ch.TakeSeat)
	}
	if ch.Skip != "" {
		row.Skip = report.Word(v.lang, "skip", string(ch.Skip))
	}
	for _, f := range ch.Failures {
		row.Failures = append(row.Failures, v.failCard(f, time.Time{}))
	}
	return row
}

// mostCounted bounds how many failures are counted by reason.
const mostCounted = 1000

// countReasons counts the first failures by reason, the most frequent first.
func (v *visit) countReasons(p *runPage, r *connector.Run) error {
	counts, first := map[connector.Reason]int{}, map[connector.Reason]connector.Failure{}
	list, err := v.s.o.Store.Outcomes(v.r.Context(), r.ID, connector.ID{}, mostCounted)
	if err != nil {
		return err
	}
	p.Counted = len(list) == mostCounted
	for _, o := range list {
		if o.Change.Action != connector.Failed {
			continue
		}
		for _, f := range o.Change.Failures {
			if counts[f.Reason]++; counts[f.Reason] == 1 {
				first[f.Reason] = f
			}
		}
	}
	for reason, f := range first {
		f.Subject, f.Ref, f.Detail = "", "", ""
		card := v.failCard(f, time.Time{})
		card.Copy, card.Links = "", v.helpsWith(&connector.Failure{Code: f.Code, Reason: f.Reason, Package: f.Package, Source: r.Source})
		x := reasonCount{Card: card, Number: strconv.Itoa(counts[reason]), People: v.link("/runs/"+p.ID, "tab", "failures", "reason", string(reason))}
		if v.may(handle) && v.asks(r.Source) {
			x.Retry = x.People
		}
		p.Reasons = append(p.Reasons, x)
	}
	slices.SortFunc(p.Reasons, func(a, b reasonCount) int {
		return cmp.Or(cmp.Compare(counts[connector.Reason(b.Card.Reason)], counts[connector.Reason(a.Card.Reason)]), strings.Compare(a.Card.Reason, b.Card.Reason))
	})
	return nil
}
