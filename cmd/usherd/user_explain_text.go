package main

import (
	"bytes"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/connector/provision"
	"usherd/connector/report"
)

// explanationText writes an explanation for a terminal.
type explanationText struct {
	bytes.Buffer
	e     *provision.Explanation
	width int // of sentences
	limit int // of tables; 0 = none
}

func (a *app) showExplanation(e *provision.Explanation) error {
	t := &explanationText{e: e, width: a.width(), limit: a.width()}
	if t.width == 0 {
		t.width = math.MaxInt // whoever reads lines reads whole ones
	}
	for _, section := range []func() error{
		t.head, t.pkg, t.local, t.attributes, t.records, t.history, t.failures, t.ways,
	} {
		if err := section(); err != nil {
			return err
		}
	}
	_, err := a.out.Write(t.Bytes())
	return err
}

func (t *explanationText) title(s string) { fmt.Fprintf(t, "\n%s\n", s) }

// para writes a sentence, the lines after the first as far in as the first one's text.
func (t *explanationText) para(first, text string) {
	fmt.Fprint(t, wrap(failure.Clean(text), t.width, first, strings.Repeat(" ", report.Width(first))))
}

func (t *explanationText) table(columns ...report.Column) *report.Table {
	return report.NewTable(t, t.limit, columns...)
}

func (t *explanationText) head() error {
	e := t.e
	line := failure.Clean(e.Subject) + "  " + string(e.State)
	if e.Past {
		line += "  as it was at " + date(e.At)
	}
	fmt.Fprintln(t, line)
	t.para("  ", "May sign in: "+yesNo(e.SignIn.OK)+", "+e.SignIn.Why+".")
	for _, why := range e.Why {
		t.para("  ", why)
	}
	return nil
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// givers say who gives a package.
var givers = map[provision.Giver]string{
	provision.GivenByAdministrator: "given by an administrator, so sources leave it alone",
	provision.GivenByMapping:       "given by the mapping of",
	provision.GivenBySource:        "given by the settings of",
	provision.GivenByOrganization:  "the organization's default",
	provision.GivenByNobody:        "neither mapping, source nor organization gives one",
	provision.GivenBefore:          "as it was decided last",
}

func (t *explanationText) pkg() error {
	p := t.e.Package
	if !t.e.State.Live() {
		return nil
	}
	t.title("package")
	why := givers[p.By]
	switch p.By {
	case provision.GivenByMapping, provision.GivenBySource:
		why += " " + p.Source
	case provision.GivenByAdministrator:
		why += " (" + p.Actor + ")"
	case provision.GivenByOrganization, provision.GivenByNobody, provision.GivenBefore:
	}
	if p.Rule != nil {
		why += ": " + p.Rule.Expression + " (" + place(p.Rule) + ")"
	}
	t.para("  ", orDash(p.ID)+": "+why)
	if s := p.Seats; s != nil && s.Seats == connector.Unlimited {
		t.para("  ", fmt.Sprintf("%s has no limit of seats: %d used", s.Package, s.Used))
	} else if s != nil {
		t.para("  ", fmt.Sprintf("%s has %d seats: %d used, %d free, %d people waiting", s.Package, s.Seats, s.Used, s.Free(), s.Waiting))
	}
	if w := p.Waiting; w != nil {
		at := "place " + strconv.Itoa(w.Place)
		if w.Place == 0 {
			at = "a place far behind"
		}
		t.para("  ", fmt.Sprintf("waits for %s: %s of the waiting list", w.Package, at))
	}
	return nil
}

func (t *explanationText) local() error {
	if len(t.e.Local) == 0 {
		return nil
	}
	t.title("decided by administrators")
	for _, l := range t.e.Local {
		t.para("  "+date(l.At)+"  ", l.What+", by "+l.Actor)
	}
	return nil
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// place is where a rule stands.
func place(r *provision.Rule) string {
	if r.File == "" {
		return "preset"
	}
	return fmt.Sprintf("%s:%d", filepath.Base(r.File), r.Line)
}

func (t *explanationText) attributes() error {
	t.title("attributes")
	if t.e.Past {
		t.para("  ", "The values are those of then; the mapping is that of now.")
	}
	tab := t.table(report.Column{Title: "  Attribute"}, report.Column{Title: "Value", Flex: true}, report.Column{Title: "Source"},
		report.Column{Title: "Made by", Flex: true}, report.Column{Title: "Stands in"})
	for _, x := range t.e.Attributes {
		rule, at := "-", ""
		if x.Rule != nil {
			rule, at = oneLine(x.Rule.Expression), place(x.Rule)
		}
		if x.Kept {
			rule = "kept as it was"
		}
		tab.Row("  "+x.Name, values(x.Name, x.Values), x.Source, rule, at)
		for _, other := range x.Others {
			has := "(" + values(x.Name, other.Values) + ")"
			if slices.Equal(other.Values, x.Values) {
				has = "(the same)"
			}
			tab.Row("", has, other.Source, "no: "+other.Why)
		}
		t.freshRows(tab, x)
	}
	return tab.Flush()
}

// freshRows show the raw values that an attribute is made of, as they are now.
func (t *explanationText) freshRows(tab *report.Table, x provision.ExplainedAttribute) {
	if x.Rule == nil {
		return
	}
	for _, r := range t.e.Records {
		if r.Source != x.Source || r.Fresh == nil || r.Fresh.Attributes == nil {
			continue
		}
		for _, name := range x.Rule.Attributes {
			if raw := r.Fresh.Attributes[name]; len(raw) > 0 {
				tab.Row("", "= "+strings.Join(raw, ", "), r.Source, name+" now")
			}
		}
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// values shows the values of an attribute; pictures as their size.
func values(name string, list []string) string {
	if info, _ := connector.AttributeByName(name); info.Type == connector.BinaryType && len(list) > 0 {
		return fmt.Sprintf("%d bytes", len(list[0])*3/4)
	}
	return strings.Join(list, ", ")
}

func (t *explanationText) records() error {
	if len(t.e.Records) == 0 {
		return nil
	}
	t.title("records")
	tab := t.table(report.Column{Title: "  Source"}, report.Column{Title: "Says"}, report.Column{Title: "Entry", Flex: true}, report.Column{Title: "Applied"})
	for _, r := range t.e.Records {
		says := string(r.Standing)
		switch {
		case r.Later:
			says = "(not kept)"
		case says == "":
			says = "nothing certain"
		}
		if r.Protected {
			says += ", protected"
		}
		source := "  " + r.Source
		if r.Place == 0 {
			source += " (not configured any more)"
		}
		tab.Row(source, says, r.DN, date(r.AppliedAt))
		tab.Row("", "", r.Anchor)
	}
	if err := tab.Flush(); err != nil {
		return err
	}
	for _, r := range t.e.Records {
		if r.Fresh != nil {
			t.para("  ", r.Source+" now: "+freshWords(r.Fresh))
		}
	}
	return nil
}

// freshWords say what a source answered.
func freshWords(f *provision.FreshRecord) string {
	if f.Error != "" {
		return "cannot be asked: " + f.Error
	}
	out := f.Presence
	if f.Enabled != "" {
		out += ", enabled: " + f.Enabled
	}
	if f.Reason != "" {
		out += " (" + f.Reason + ")"
	}
	if f.Applied {
		return out + "; this is what was applied last"
	}
	return out + "; this has not been applied yet"
}

func (t *explanationText) history() error {
	if len(t.e.Transitions) == 0 {
		return nil
	}
	t.title("history of the state")
	if t.e.Older > 0 {
		t.para("  ", plural(t.e.Older, "older step")+" left out")
	}
	for _, s := range t.e.Transitions {
		run := ""
		if !s.Run.IsZero() {
			run = " run " + s.Run.Short()
		}
		fmt.Fprintf(t, "  %s  %s -> %s\n", date(s.At), orNew(s.From), s.To)
		t.para("    ", s.Why+run)
	}
	return nil
}

func (t *explanationText) failures() error {
	if len(t.e.Failures) == 0 {
		return nil
	}
	t.title("what is wrong")
	for _, f := range t.e.Failures {
		about := fmt.Sprintf("%s %s", f.Title, f.Reason)
		if len(f.Fields) > 0 {
			about += ": " + strings.Join(f.Fields, ", ")
		}
		if f.Detail != "" {
			about += ": " + f.Detail
		}
		t.para("  ", about)
		t.para("    ", fmt.Sprintf("%s, since %s, seen %s, ref %s", f.Source, date(f.FirstSeen), often(f.Count), f.Ref))
		for i, step := range f.Remedy {
			t.para(fmt.Sprintf("    %d. ", i+1), step)
		}
	}
	return nil
}

func often(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// goalWords say what a way leads to.
var goalWords = map[provision.Goal]string{
	provision.ToComeBack: "come back", provision.ToSignIn: "be allowed to sign in", provision.ToBeActive: "become active",
	provision.ToGetAPlace: "get a package",
}

func (t *explanationText) ways() error {
	if len(t.e.Ways) == 0 {
		return nil
	}
	t.title("what would have to change")
	for _, w := range t.e.Ways {
		words := make([]string, len(w.Goals))
		for i, g := range w.Goals {
			words[i] = goalWords[g]
		}
		t.para("  ", "to "+strings.Join(words, ", to ")+":")
		if len(w.Steps) == 0 {
			t.para("    ", "nothing leads there")
		}
		for i, step := range w.Steps {
			t.step(fmt.Sprintf("    %d. ", i+1), step)
		}
	}
	return nil
}

// step writes one step with its alternatives.
func (t *explanationText) step(number string, s provision.WayStep) {
	indent := strings.Repeat(" ", len(number))
	for i, act := range s.Either {
		first := number
		if i > 0 {
			first = indent + "or "
		}
		text := act.What
		if i == 0 && s.To != "" {
			text += " -> " + string(s.To)
		}
		t.para(first, text)
		if act.DN != "" {
			at := "in " + act.Source + ": " + act.DN
			if len(act.Attributes) > 0 {
				at += " (" + strings.Join(act.Attributes, ", ") + ")"
			}
			t.para(indent+"   ", at)
		}
		if act.Command != "" {
			t.para(indent+"   ", act.Command)
		}
	}
}
