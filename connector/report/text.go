package report

import (
	"bufio"
	"io"
	"slices"
	"strings"
	"time"

	"usherd/connector"
	"usherd/connector/failure"
)

// TextOptions say how a report looks on a terminal.
type TextOptions struct {
	Width int       // in columns; 0 = 80
	Color bool      // with ANSI colours
	Full  bool      // every person with every change, instead of the first few of each group
	Now   time.Time // when a list of runs is made; zero = not told
}

// sampleText is how many people of a group a text report that is not full names.
const sampleText = 5

// Escape sequences of ECMA-48; the colours are those that terminals show well on light and dark.
const (
	reset  = "\x1b[0m"
	bold   = "\x1b[1m"
	dim    = "\x1b[2m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
)

// Text writes the report for a terminal: the verdict, what is held, the counts, failures by code and
// reason with their remedy, and the next steps.
func Text(w io.Writer, r Report, o TextOptions) error {
	words, err := newWords(r.Lang, r.Catalogue)
	if err != nil {
		return err
	}
	if o.Width <= 0 {
		o.Width = 80
	}
	sum, err := r.summarize(sampleText)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	t := &textReport{words: words, r: r, o: o, sum: sum, w: out}
	t.head()
	t.held()
	t.counts()
	t.groups()
	t.phases()
	t.seats()
	t.failures()
	t.warnings()
	if o.Full {
		t.people()
	}
	t.next()
	if t.err != nil {
		return t.err
	}
	return out.Flush()
}

type textReport struct {
	words
	r   Report
	o   TextOptions
	sum *summary
	w   *bufio.Writer
	err error
}

func (t *textReport) line(s string) {
	if t.err == nil {
		_, t.err = t.w.WriteString(s + "\n")
	}
}

// para writes wrapped text, the first line after first and the others as far in.
func (t *textReport) para(first, text string) {
	indent := strings.Repeat(" ", Width(first))
	for i, l := range wrap(failure.Clean(text), max(t.o.Width-len(indent), 20)) {
		if i == 0 {
			t.line(first + l)
		} else {
			t.line(indent + l)
		}
	}
}

func (t *textReport) paint(style, s string) string {
	if !t.o.Color || style == "" {
		return s
	}
	return style + s + reset
}

func (t *textReport) section(key string, more ...string) {
	t.line("")
	t.line(t.paint(bold, strings.Join(append([]string{t.say("section." + key)}, more...), " · ")))
}

func (t *textReport) table(columns ...Column) *Table {
	tab := NewTable(t.w, t.o.Width, columns...)
	tab.indent = "  "
	return tab
}

func (t *textReport) flush(tab *Table) {
	if err := tab.Flush(); err != nil && t.err == nil {
		t.err = err
	}
}

func (t *textReport) head() {
	run := t.r.Run
	t.line(t.paint(bold, t.r.name()) + " · " + t.named("mode", string(run.Mode)) + " · " + run.ID.Short())
	parts := []string{when(run.Started)}
	if !run.Finished.IsZero() {
		parts = append(parts, t.took(duration(run)))
	}
	if run.Entries > 0 {
		parts = append(parts, t.count("entries", run.Entries))
	}
	if run.Server != "" {
		server := failure.Clean(run.Server)
		if run.Mechanism != "" {
			server += " (" + run.Mechanism + ")"
		}
		parts = append(parts, server)
	}
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	t.para("", strings.Join(parts, " · "))
	if !run.Undoes.IsZero() {
		t.para("", t.with("undoes", run.Undoes.Short()))
	}
	for _, id := range t.r.UndoneBy {
		t.para("", t.with("undone", id.Short()))
	}
	t.line("")
	t.line(t.paint(tone(t.r), t.verdict(t.r, t.sum)))
	if run.Error != "" {
		t.para("  ", t.told(run.Error))
	}
	if run.Hint != "" {
		t.para("  ", t.with("todo_is", t.told(run.Hint)))
	}
}

// tone is the colour of the verdict.
func tone(r Report) string {
	switch r.result() {
	case connector.ResultOK:
		if r.Run.Counts.Failed > 0 || r.Run.Error != "" || r.Run.GroupHold != nil {
			return yellow
		}
		return green
	case connector.ResultFailed, connector.ResultCancelled:
		return red
	case connector.ResultHeld, connector.ResultPartial, connector.ResultRunning:
		return yellow
	}
	return ""
}

// verdict says in one line how the run ended.
func (w words) verdict(r Report, sum *summary) string {
	run := r.Run
	if run.Hold != nil && !r.preview() && run.Result != connector.ResultFailed && run.Result != connector.ResultCancelled {
		if run.Hold.StatusAt(r.Now) != connector.HoldOpen {
			return w.closed(run.Hold, r.Now)
		}
		key := "verdict.held"
		switch {
		case !run.Hold.Rest.IsZero() && run.Hold.Rest == run.Approves:
			key = "verdict.rest"
		case run.Hold.Whole:
			key = "verdict.whole"
		}
		return w.count(key, max(run.Counts.Held, sum.nHeld))
	}
	if result := r.result(); result != connector.ResultOK {
		return w.named("verdict", r.ending(result))
	}
	switch c := run.Counts; {
	case r.preview() && r.unchanged():
		return w.say("verdict.preview_unchanged")
	case r.preview():
		return w.say("verdict.preview")
	case c.Failed > 0:
		return w.count("verdict.failures", c.Failed)
	case run.GroupHold != nil:
		return w.say("verdict.groups")
	case c.Changed() == 0 && run.Groups == connector.GroupCounts{}:
		return w.say("verdict.none")
	}
	return w.say("verdict.ok")
}

func (t *textReport) held() {
	h := t.r.Run.Hold
	if h == nil || t.r.preview() {
		return // a preview shows everything as what it would be
	}
	t.section("held", t.count("people", max(t.r.Run.Counts.Held, t.sum.nHeld)))
	t.para("  ", t.told(h.Reason))
	for _, s := range t.decisions(h, t.r.Now) {
		t.para("  ", s)
	}
	if t.r.waits() {
		if line := t.expires(t.r); line != "" {
			t.para("  ", line)
		}
	}
	if len(t.sum.held) == 0 {
		return
	}
	t.line("")
	tab := t.table(Column{Flex: true}, Column{}, Column{Flex: true})
	for _, c := range t.sum.held {
		tab.Row(subject(c), t.named("act", string(c.Action)), t.move(c))
	}
	t.flush(tab)
	t.more(t.sum.nHeld - len(t.sum.held))
}

// expires says until when a hold can be decided.
func (w words) expires(r Report) string {
	h := r.Run.Hold
	if h.Expires.IsZero() {
		return ""
	}
	line := w.with("expires", when(h.Expires))
	if !r.Now.IsZero() {
		line += " (" + w.with("expires_in", w.took(h.Expires.Sub(r.Now))) + ")"
	}
	return line
}

func (t *textReport) more(n int) {
	if n > 0 {
		t.line("  " + t.paint(dim, "… "+t.count("more_people", n)))
	}
}

// move is the state before and after: "Active → Inactive".
func (w words) move(c *connector.Change) string {
	before, after := states(c)
	b, a := w.state(before), w.state(after)
	switch {
	case b == a, b == "":
		return a
	case a == "":
		return b
	}
	return b + " → " + a
}
