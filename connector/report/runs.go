package report

import (
	"io"

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
	wide := o.Width >= wideRuns
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
	for _, r := range runs {
		t.Row(words.runCells(r, wide)...)
	}
	return t.Flush()
}

// wideRuns is the width from which the list of runs has all its columns.
const wideRuns = 100

func (w words) runCells(r *connector.Run, wide bool) []string {
	c := r.Counts
	counts := []string{
		w.number(c.Created + c.Updated + c.Reactivated), w.number(c.Deactivated + c.Deleted), w.number(c.Failed), w.number(c.Held),
	}
	result := w.named("result", string(r.Result))
	if !wide {
		return append([]string{ShortID(r.ID), r.Started.UTC().Format("01-02 15:04"), r.Source, result}, counts...)
	}
	took := ""
	if d := duration(r); d > 0 {
		took = w.took(d)
	}
	cells := append([]string{ShortID(r.ID), r.Started.UTC().Format("2006-01-02 15:04"), r.Source, w.named("mode", string(r.Mode)), result}, counts...)
	return append(cells, took)
}
