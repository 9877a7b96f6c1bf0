package report

import (
	"io"

	"usherd/connector"
	"usherd/connector/failure"
)

// Runs writes a table of runs, one a line, in the order given.
func Runs(w io.Writer, runs []*connector.Run, lang string, o TextOptions) error {
	words, err := newWords(lang, nil)
	if err != nil {
		return err
	}
	if o.Width <= 0 {
		o.Width = 80
	}
	left := func(key string, flex bool) Column { return Column{Title: words.say("col." + key), Flex: flex} }
	right := func(key string) Column { return Column{Title: words.say("col." + key), Right: true} }
	t := NewTable(w, o.Width,
		left("run", false), left("started", false), left("source", true), left("mode", true), left("result", false),
		right("changed"), right("removed"), right("failed"), right("held"), right("took"))
	t.bold = o.Color
	for _, r := range runs {
		c, took := r.Counts, ""
		if d := duration(r); d > 0 {
			took = words.took(d)
		}
		t.Row(ShortID(r.ID), r.Started.UTC().Format("01-02 15:04"), failure.Clean(r.Source), words.named("mode", string(r.Mode)),
			words.named("result", string(r.Result)), words.number(c.Created+c.Updated+c.Reactivated),
			words.number(c.Deactivated+c.Deleted), words.number(c.Failed), words.number(c.Held), took)
	}
	return t.Flush()
}
