package report

import (
	"io"
	"slices"
	"time"

	"usherd/connector"
)

// Runs writes a table of runs, one a line, in the order given. A narrow terminal gets the columns that
// matter most.
func Runs(w io.Writer, runs []*connector.Run, lang string, o TextOptions) error {
	words, err := newWords(lang, nil)
	if err != nil {
		return err
	}
	if o.Width <= 0 {
		o.Width = 80
	}
	wide := o.wide()
	left := func(key string, flex bool) Column { return Column{Title: words.say("col." + key), Flex: flex} }
	right := func(key string) Column { return Column{Title: words.say("col." + key), Right: true} }
	columns := []Column{left("run", false), left("started", false), left("source", true)}
	if wide {
		columns = append(columns, left("mode", true))
	}
	columns = append(columns, left("result", true), right("changed"), right("removed"), right("failed"), right("held"))
	if wide {
		columns = append(columns, right("took"))
	}
	t := NewTable(w, o.Width, columns...)
	t.bold = o.Color
	undone := Undone(runs)
	several := slices.ContainsFunc(runs, func(r *connector.Run) bool { return r.Org != runs[0].Org })
	for _, r := range runs {
		cells := words.runCells(r, o, len(undone[r.ID]) > 0)
		if several {
			cells[2] = r.Org + "/" + r.Source
		}
		t.Row(cells...)
	}
	return t.Flush()
}

// Undone tells which of the runs others of them have put back, and which those are.
func Undone(runs []*connector.Run) map[connector.ID][]connector.ID {
	by := map[connector.ID][]connector.ID{}
	for _, r := range runs {
		if !r.Undoes.IsZero() && r.Counts.Changed() > 0 {
			by[r.Undoes] = append(by[r.Undoes], r.ID)
		}
	}
	return by
}

// wide says whether the list of runs has all its columns.
func (o TextOptions) wide() bool { return o.Width >= 100 }

func (w words) runCells(r *connector.Run, o TextOptions, undone bool) []string {
	c := r.Counts
	counts := []string{
		w.number(c.Created + c.Updated + c.Reactivated), w.number(c.Deactivated + c.Deleted), w.number(c.Failed), w.number(c.Held),
	}
	if !o.wide() {
		return append([]string{r.ID.Short(), r.Started.UTC().Format("01-02 15:04Z"), r.Source, w.undone(w.outcome(r, o.Now), r, undone)}, counts...)
	}
	took := ""
	if d := duration(r); d > 0 {
		took = w.took(d)
	}
	mode, result := w.named("mode", string(r.Mode)), w.ended(r, o.Now)
	cells := append([]string{r.ID.Short(), minute(r.Started), r.Source, mode, w.undone(result, r, undone)}, counts...)
	return append(cells, took)
}

// undone says of a run that was put back just that, unless it did not go well.
func (w words) undone(text string, r *connector.Run, undone bool) string {
	switch {
	case !undone:
		return text
	case r.Result == connector.ResultOK:
		return w.say("put_back")
	}
	return text + ", " + w.say("put_back")
}

// outcome is the result where there is no column for the mode: what a preview counts did not happen, and
// one person is not the source.
func (w words) outcome(r *connector.Run, now time.Time) string {
	result := w.ended(r, now)
	if r.Mode != connector.ModePreview && r.Mode != connector.ModePerson && r.Mode != connector.ModeRollback {
		return result
	}
	mode := w.named("mode", string(r.Mode))
	if r.Result == connector.ResultOK || r.Mode == connector.ModePreview && r.Result == connector.ResultHeld {
		return mode
	}
	return result + ", " + mode // in this order: the end of it may be cut
}

// ended is the result, or what became of what the run has held.
func (w words) ended(r *connector.Run, now time.Time) string {
	result := w.named("result", string(r.Result))
	switch {
	case r.Result != connector.ResultHeld || r.Hold == nil:
		return result
	case r.Hold.StatusAt(now) != connector.HoldOpen:
		return w.standing(r.Hold, now)
	case r.Hold.First != nil:
		return result + ", " + w.standing(r.Hold, now)
	}
	return result
}
