package console

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"time"

	"usherd/connector"
	"usherd/connector/report"
	"usherd/connector/runs"
)

// runsPage is the list of runs.
type runsPage struct {
	Source, From, To, Changes string // as they were asked for
	Quiet                     bool   // runs that changed nobody are shown, too
	Sources, Triggers, Modes  []option
	Results, Decisions        []option
	Filtered                  bool   // by more than source, result and quiet
	Start, Export             string // addresses; "" = this administrator starts none, takes none along
	Rows                      []runRow
	Hidden                    int // runs without changes between those that are shown
	ShowAll                   string
	Compare                   string // address where two of them are compared
	Days, Durations           template.HTML
	Columns                   columns
	Pager                     pager
}

// runRow is one run.
type runRow struct {
	runLine
	ID, Source, Mode, Actor string
	Result                  pill
	Decided                 string // what became of what it held; "" = it held nothing
	Groups                  string // that they were left as they were; "" = they were not held
	Running                 bool
	Done                    string // how far one is that goes on; "" = that is not known
	Share                   int    // of twice the median, in percent: the middle is the usual; -1 = there is no median
	Usual                   string // the median
	Against                 string // how it is against the median, where that is worth a word
}

// runsEvery is after how many seconds a row is asked for again while its run goes on.
const runsEvery = 5

// chosenRuns is what the filters of the page ask for.
func (v *visit) chosenRuns() (*runs.Choice, error) {
	c := &runs.Choice{
		Trigger: runs.Trigger(v.query("trigger")), Mode: connector.Mode(v.query("mode")), Result: connector.Result(v.query("result")),
		Decision: connector.HoldStatus(v.query("decision")),
	}
	c.Org, c.Source, c.Limit = v.id(), v.query("source"), perPage
	c.Oldest = v.query("sort") == "started"
	c.Loud = v.query("quiet") != "1" && c.Result == ""
	var err error
	if c.From, err = v.dayAsked("from"); err != nil {
		return nil, err
	}
	if c.Until, err = v.dayAsked("to"); err != nil {
		return nil, err
	}
	if !c.Until.IsZero() {
		c.Until = c.Until.AddDate(0, 0, 1)
	}
	if text := v.query("changes"); text != "" {
		if c.Changes, err = strconv.Atoi(text); err != nil {
			return nil, &connector.Error{Kind: connector.Invalid, Op: "runs", Err: errors.New("changes is no number")}
		}
	}
	c.Before, err = v.afterID()
	return c, err
}

// dayAsked is a parameter that names a day in UTC; the zero time where there is none.
func (v *visit) dayAsked(name string) (time.Time, error) {
	text := v.query(name)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return t, &connector.Error{Kind: connector.Invalid, Op: "runs", Err: fmt.Errorf("%s is no day", name), Hint: "write it like 2026-11-27"}
	}
	return t, nil
}

func (v *visit) runs() {
	c, err := v.chosenRuns()
	if err != nil {
		v.accident("runs", err)
		return
	}
	p := runsPage{Source: c.Source, From: v.query("from"), To: v.query("to"), Changes: v.query("changes"), Quiet: v.query("quiet") == "1", Compare: v.s.path + "/runs/compare", Columns: v.columns(columnsOfRuns)}
	p.Filtered = p.From+p.To+p.Changes+string(c.Trigger)+string(c.Mode)+string(c.Decision) != ""
	v.runOptions(&p, c)
	if v.may(run) {
		p.Start = v.link("/runs/start")
	}
	if v.may(export) {
		p.Export = v.here("/runs/export.csv")
	}
	err = v.fillRuns(&p, c)
	if err == nil && v.query("after") == "" && v.r.Header.Get("HX-Request") == "" {
		err = v.drawRuns(&p, c)
	}
	if err != nil {
		v.accident("runs", err)
		return
	}
	f := frame{Title: v.t("nav.runs", nil), State: v.t("runs.state", nil)}
	if slices.ContainsFunc(p.Rows, func(r runRow) bool { return r.Running }) {
		f.Rows = runsEvery
	}
	v.show(http.StatusOK, "runs", f, p)
}

// runOptions are what the filters offer.
func (v *visit) runOptions(p *runsPage, c *runs.Choice) {
	for _, s := range v.org.Settings.Sources {
		p.Sources = append(p.Sources, option{s.ID, s.ID, s.ID == c.Source})
	}
	for _, r := range append(runResults(), connector.ResultRunning) {
		p.Results = append(p.Results, option{string(r), v.t("words.result."+string(r), nil), r == c.Result})
	}
	for _, t := range runs.Triggers() {
		p.Triggers = append(p.Triggers, option{string(t), v.t("runs.trigger."+string(t), nil), t == c.Trigger})
	}
	for _, m := range []connector.Mode{connector.ModeFull, connector.ModeChanges, connector.ModePreview, connector.ModePerson, connector.ModeGrace, connector.ModeRollback} {
		p.Modes = append(p.Modes, option{string(m), report.Word(v.lang, "mode", string(m)), m == c.Mode})
	}
	for _, d := range []connector.HoldStatus{connector.HoldOpen, connector.HoldApproved, connector.HoldRejected, connector.HoldExpired, connector.HoldSuperseded} {
		p.Decisions = append(p.Decisions, option{string(d), v.t("runs.decision."+string(d), nil), d == c.Decision})
	}
}

// runResults are how a run can end, as they stand on each other in a bar.
func runResults() []connector.Result {
	return []connector.Result{connector.ResultOK, connector.ResultPartial, connector.ResultHeld, connector.ResultFailed, connector.ResultCancelled}
}

// fillRuns reads a page of runs, the latest first.
func (v *visit) fillRuns(p *runsPage, c *runs.Choice) error {
	page, err := runs.List(v.r.Context(), v.s.o.Store, c, v.now)
	if err != nil {
		return err
	}
	usual := usuals{v: v, known: map[string][]*connector.Run{}}
	for _, r := range page.Runs {
		row := v.runRow(r)
		if err := usual.against(&row, r); err != nil {
			return err
		}
		p.Rows = append(p.Rows, row)
	}
	next := ""
	if !page.Next.IsZero() {
		next = page.Next.String()
	}
	p.Pager, p.Hidden, p.ShowAll = v.pager(next, len(p.Rows)), page.Quiet, v.with("quiet", "1")
	return nil
}

func (v *visit) runRow(r *connector.Run) runRow {
	f := frame{v: v}
	row := runRow{
		runLine: *v.runLine(r), ID: r.ID.String(), Source: r.Source, Mode: report.Word(v.lang, "mode", string(r.Mode)), Actor: v.actorName(r.Actor),
		Result: f.ResultPill(r.Result), Running: r.Result == connector.ResultRunning, Share: -1,
	}
	if h := r.Hold; h != nil {
		row.Decided = v.t("runs.hold."+string(h.StatusAt(v.now)), map[string]string{"By": h.By})
	}
	if r.GroupHold != nil {
		row.Groups = v.t("runs.groupheld.title", nil)
	}
	if p := v.progress(r); p != nil {
		if row.Done = p.Done; p.Share >= 0 {
			row.Done = strconv.Itoa(p.Share) + " %"
		}
	}
	return row
}

// usuals are how long runs take, by source.
type usuals struct {
	v     *visit
	known map[string][]*connector.Run
}

// recent is how many runs of a source are looked at for how long one takes.
const recent = 60

func (u *usuals) median(source string, mode connector.Mode) (time.Duration, error) {
	list, ok := u.known[source]
	if !ok {
		var err error
		if list, err = u.v.s.o.Store.Runs(u.v.r.Context(), connector.RunFilter{Org: u.v.id(), Source: source, Limit: recent}); err != nil {
			return 0, err
		}
		u.known[source] = list
	}
	return runs.Median(list, mode), nil
}

// against sets how long a run took against the median of the last ones of its source and mode.
func (u *usuals) against(row *runRow, r *connector.Run) error {
	if r.Finished.IsZero() {
		return nil
	}
	median, err := u.median(r.Source, r.Mode)
	if err != nil || median <= 0 {
		return err
	}
	took := r.Finished.Sub(r.Started)
	f := frame{v: u.v}
	row.Share, row.Usual = int(min(50*took/median, 100)), u.v.t("runs.usual", map[string]string{"Median": f.Took(median)})
	if took >= 2*median && took-median >= time.Second {
		times := u.v.printer().Sprintf("%.1f", float64(took)/float64(median))
		row.Against = u.v.t("runs.against", map[string]string{"Times": times, "Median": f.Took(median)})
	}
	return nil
}

// exportRuns sends all runs that the filters ask for.
func (v *visit) exportRuns() {
	c, err := v.chosenRuns()
	if err != nil {
		v.accident("runs", err)
		return
	}
	header := slices.Concat([]string{"run", "started", "finished", "seconds", "source", "mode", "trigger", "actor", "result", "decision"}, countColumns, []string{"error"})
	c.Before, c.Limit = connector.ID{}, exportStep
	v.sheet("runs", "runs", header, func(yield func([]string, error) bool) {
		for {
			page, err := runs.List(v.r.Context(), v.s.o.Store, c, v.now)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, r := range page.Runs {
				if !yield(v.runCells(r), nil) {
					return
				}
			}
			if c.Before = page.Next; c.Before.IsZero() {
				return
			}
		}
	})
}

var countColumns = []string{"created", "updated", "reactivated", "deactivated", "deleted", "unchanged", "skipped", "failed", "held"}

// runCells are a run as a row of a file.
func (v *visit) runCells(r *connector.Run) []string {
	finished, seconds, decision := "", "", ""
	if !r.Finished.IsZero() {
		finished, seconds = r.Finished.UTC().Format(time.RFC3339), strconv.FormatFloat(r.Finished.Sub(r.Started).Seconds(), 'f', 1, 64)
	}
	if r.Hold != nil {
		decision = string(r.Hold.StatusAt(v.now))
	}
	cells := []string{
		r.ID.String(), r.Started.UTC().Format(time.RFC3339), finished, seconds, r.Source, string(r.Mode), string(runs.TriggerOf(r.Actor)), r.Actor, string(r.Result), decision,
	}
	n := &r.Counts
	for _, k := range []int{n.Created, n.Updated, n.Reactivated, n.Deactivated, n.Deleted, n.Unchanged, n.Skipped, n.Failed, n.Held} {
		cells = append(cells, strconv.Itoa(k))
	}
	return append(cells, r.Error)
}
