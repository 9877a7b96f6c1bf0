package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
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
		t.para("  ", run.Error)
	}
	if run.Hint != "" {
		t.para("  ", t.with("todo_is", run.Hint))
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
	t.para("  ", h.Reason)
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

func (t *textReport) counts() {
	if t.r.nothingRead() {
		return
	}
	t.section("counts")
	tab := t.table(Column{}, Column{Right: true}, Column{Flex: true})
	for _, c := range countsOf(t.r.Run.Counts) {
		note := ""
		if c.action == string(connector.Skipped) {
			note = t.skips(t.r.Run.Skips)
		}
		if c.n != 0 || c.action == string(connector.Created) || c.action == string(connector.Updated) || c.action == string(connector.Failed) {
			tab.Row(t.say("action."+c.action), t.number(c.n), note)
		}
	}
	t.flush(tab)
}

// skips lists why people were skipped, the most frequent first.
func (w words) skips(skips map[connector.SkipReason]int) string {
	reasons := slices.SortedFunc(maps.Keys(skips), func(a, b connector.SkipReason) int {
		return cmp.Or(cmp.Compare(skips[b], skips[a]), cmp.Compare(a, b))
	})
	parts := make([]string, len(reasons))
	for i, reason := range reasons {
		parts[i] = w.number(skips[reason]) + " " + w.named("skip", string(reason))
	}
	return strings.Join(parts, ", ")
}

func (t *textReport) phases() {
	if len(t.r.Run.Phases) == 0 {
		return
	}
	t.section("phases")
	const bar = 24
	longest := slices.MaxFunc(t.r.Run.Phases, func(a, b connector.Phase) int { return int(a.Took - b.Took) }).Took
	tab := t.table(Column{}, Column{Right: true}, Column{})
	for _, p := range t.r.Run.Phases {
		n := 0
		if longest > 0 {
			n = int(p.Took * bar / longest)
		}
		tab.Row(p.Name, t.took(p.Took), strings.Repeat("▇", n))
	}
	t.flush(tab)
}

func (t *textReport) seats() {
	if len(t.r.Run.Seats) == 0 {
		return
	}
	t.section("seats")
	right := func(key string) Column { return Column{Title: t.say("col." + key), Right: true} }
	columns := []Column{{Title: t.say("col.package"), Flex: true}, right("used"), right("seats"), right("free"), right("waiting")}
	needs := slices.ContainsFunc(t.r.Run.Seats, func(s connector.SeatCount) bool { return s.Needed > 0 })
	if needs {
		columns = append(columns, right("needed"))
	}
	tab := t.table(columns...)
	for _, s := range t.r.Run.Seats {
		row := []string{seatName(s), t.number(s.Used), t.seatsOf(s), t.free(s), t.number(s.Waiting)}
		if needs {
			row = append(row, t.number(s.Needed))
		}
		tab.Row(row...)
	}
	t.flush(tab)
}

func seatName(s connector.SeatCount) string {
	if s.Name != "" {
		return s.Name
	}
	return s.Package
}

func (w words) seatsOf(s connector.SeatCount) string {
	if s.Seats == connector.Unlimited {
		return w.say("unlimited")
	}
	return w.number(s.Seats)
}

// free says how many seats are left, or by how many a package is over-used.
func (w words) free(s connector.SeatCount) string {
	switch {
	case s.Seats == connector.Unlimited:
		return w.say("unlimited")
	case s.Used > s.Seats:
		return w.count("overused", s.Used-s.Seats)
	}
	return w.number(s.Free())
}

func (t *textReport) failures() {
	if len(t.sum.groups) == 0 {
		return
	}
	t.section("failures", t.count("people", t.r.Run.Counts.Failed))
	for _, g := range t.sum.groups {
		t.line("")
		t.para("  ", fmt.Sprintf("%s · %s · %s", t.catalogue.Title(g.code, t.lang), g.reason, t.count("people", g.count)))
		t.para("    ", t.catalogue.When(g.reason, t.lang))
		for i, step := range t.catalogue.Text(g.shared, t.lang).Remedy {
			t.para("    "+strconv.Itoa(i+1)+". ", step)
		}
		tab := NewTable(t.w, t.o.Width, Column{Flex: true}, Column{Flex: true}, Column{})
		tab.indent = "    "
		for _, f := range g.sample {
			tab.Row("- "+t.who(f.change), t.about(f.failure), f.failure.Ref)
		}
		t.flush(tab)
		if n := g.count - len(g.sample); n > 0 {
			t.line("    " + t.paint(dim, "… "+t.count("more_people", n)))
		}
	}
}

// who is a person, with the line where it stands in a file that was read.
func (t *textReport) who(c *connector.Change) string {
	if at, ok := strings.CutPrefix(c.DN, t.r.Run.Server+" "); ok && t.r.Run.Server != "" && c.Subject != c.DN {
		return subject(c) + " · " + failure.Clean(at)
	}
	return subject(c)
}

// about says what a failure is about: fields, detail, package or domain.
func (w words) about(f connector.Failure) string {
	var parts []string
	labels := make([]string, len(f.Fields))
	for i, name := range f.Fields {
		labels[i] = w.catalogue.Label(name, w.lang)
	}
	for _, s := range []string{strings.Join(labels, ", "), f.Package, f.Domain, f.Detail} {
		if s != "" {
			parts = append(parts, failure.Clean(s))
		}
	}
	return strings.Join(parts, " · ")
}

func (t *textReport) warnings() {
	if len(t.r.Run.Warnings) == 0 {
		return
	}
	t.section("warnings")
	for _, s := range t.r.Run.Warnings {
		t.para("  - ", s)
	}
}

// people writes everybody with every change; it streams.
func (t *textReport) people() {
	t.section("changes")
	for c, err := range t.r.changes() {
		if err != nil && t.err == nil {
			t.err = err
		}
		if t.err != nil {
			return
		}
		t.person(c)
	}
}

func (t *textReport) person(c *connector.Change) {
	parts := []string{t.paint(bold, subject(c)), t.named("act", actionOf(c))}
	if m := t.move(c); m != "" {
		parts = append(parts, m)
	}
	if c.Skip != "" {
		parts = append(parts, t.named("skip", string(c.Skip)))
	}
	t.line("  " + strings.Join(parts, " · "))
	for _, f := range c.Fields {
		if f.Field != connector.FieldState {
			t.para("    "+t.field(f.Field)+": ", t.values(f.Field, f.Before)+" → "+t.values(f.Field, f.After))
		}
	}
	for _, f := range c.Failures {
		t.para("    ", t.catalogue.Line(f, t.lang))
	}
	for _, s := range c.Warnings {
		t.para("    ", s)
	}
}

func (w words) values(field string, list []string) string {
	if len(list) == 0 {
		return "(" + w.say("empty") + ")"
	}
	return strings.Join(w.shown(field, list), ", ")
}

func (t *textReport) next() {
	steps := t.steps(t.r, t.sum)
	if len(steps) == 0 {
		return
	}
	t.section("next")
	for _, s := range steps {
		t.para("  - ", s)
	}
}

// steps are what can be done after the run, as sentences with commands.
func (w words) steps(r Report, sum *summary) []string {
	var steps []string
	run, id := r.Run, r.Run.ID.Short()
	switch {
	case r.preview() && r.unchanged(): // there is nothing to carry out
	case r.preview() && r.waits():
		steps = append(steps, w.with("next.apply", "--plan "+id))
	case r.preview() && r.result() == connector.ResultOK:
		steps = append(steps, w.with("next.apply", "--org "+run.Org+" --source "+run.Source))
	case r.waits():
		steps = append(steps, w.decide(run.Hold, id)...)
	}
	if run.Due > 0 {
		steps = append(steps, w.count("next.due", run.Due))
	}
	undoes := run.Mode == connector.ModeRollback
	if undoes && run.Counts.Changed() > 0 {
		steps = append(steps, w.say("next.rolled_back"))
	}
	if undoes && run.Counts.Failed+run.Skips[connector.SkipMoved] > 0 {
		steps = append(steps, w.with("next.again", run.Undoes.Short()))
	}
	if h := run.GroupHold; h != nil {
		steps = append(steps, w.with("next.groups", "--org "+run.Org+" --source "+run.Source+" --accept-groups "+h.Digest))
	}
	if len(sum.groups) > 0 {
		codes := map[int]bool{}
		for _, g := range sum.groups {
			codes[int(g.code)] = true
		}
		for _, code := range slices.Sorted(maps.Keys(codes)) {
			steps = append(steps, w.with("next.errors", strconv.Itoa(code)))
		}
		if !undoes {
			steps = append(steps, w.say("next.failures"))
		}
	}
	return steps
}
