package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"usherd/connector"
	"usherd/connector/failure"
)

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
	if at, ok := strings.CutPrefix(c.DN, t.r.Run.Server+" "); ok && t.r.Run.Server != "" && c.Subject != "" && c.Subject != c.DN {
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
	for _, s := range []string{strings.Join(labels, ", "), f.Package, f.Domain, w.told(f.Detail)} {
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
		t.para("  - ", t.told(s))
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
		t.para("    ", t.told(s))
	}
}

func (w words) values(field string, list []string) string {
	if len(list) == 0 {
		return "(" + w.say("empty") + ")"
	}
	return strings.Join(w.shown(field, list), ", ")
}
