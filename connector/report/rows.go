package report

import (
	"fmt"
	"slices"
	"strings"

	"usherd/connector"
	"usherd/connector/failure"
)

// row is one person in the page.
type row struct {
	Action, Label, Sign string
	Who, DN             string
	Before, After       string // states; equal ones only in After
	Package             string
	Skip                string
	Summary             string // "First Name, Department, …"
	Count               string // "12 changes"
	Fields              []fieldRow
	Failures            []failureRow
	Warnings            []string
}

// fieldRow is one attribute before and after, with where it comes from.
type fieldRow struct {
	Name          string
	Before, After []string
	Source        string // attributes of the source
	Place         string // of the mapping line: "usherd.yaml:42"
	Expression    string
}

// failureRow is one failure of a person.
type failureRow struct{ Who, DN, Title, Reason, About, Ref string }

// summaryFields is how many attributes a closed row names.
const summaryFields = 3

func (p *page) row(c *connector.Change) row {
	before, after := states(c)
	r := row{
		Action: actionOf(c), Sign: signs[actionOf(c)], Who: subject(c), DN: failure.Clean(c.DN),
		Before: p.w.state(before), After: p.w.state(after), Package: packageOf(c),
	}
	for _, s := range c.Warnings {
		r.Warnings = append(r.Warnings, p.w.told(s))
	}
	r.Label = p.w.named("act", r.Action)
	if r.Who == r.DN {
		r.DN = ""
	}
	if r.Before == r.After || r.After == "" {
		r.Before, r.After = "", r.Before
	}
	if c.Skip != "" {
		r.Skip = p.w.named("skip", string(c.Skip))
	}
	p.fields(&r, c)
	for _, f := range c.Failures {
		r.Failures = append(r.Failures, p.failure(failed{c, f}))
	}
	return r
}

func (p *page) fields(r *row, c *connector.Change) {
	var names []string
	for _, f := range c.Fields {
		if f.Field == connector.FieldState {
			continue // has its own column
		}
		r.Fields = append(r.Fields, p.field(c, f))
		names = append(names, r.Fields[len(r.Fields)-1].Name)
	}
	if len(names) > summaryFields {
		names = append(names[:summaryFields], "…")
	}
	r.Summary = strings.Join(names, ", ")
	r.Count = p.w.count("attributes", len(r.Fields))
}

func (p *page) field(c *connector.Change, f connector.FieldChange) fieldRow {
	out := fieldRow{Name: p.w.field(f.Field)}
	before, after := f.Before, f.After
	if len(before) > 1 || len(after) > 1 { // what stayed is no news
		before = slices.DeleteFunc(slices.Clone(f.Before), func(v string) bool { return slices.Contains(f.After, v) })
		after = slices.DeleteFunc(slices.Clone(f.After), func(v string) bool { return slices.Contains(f.Before, v) })
	}
	out.Before, out.After = p.w.shown(f.Field, before), p.w.shown(f.Field, after)
	if p.r.Origin == nil {
		return out
	}
	if o, ok := p.r.Origin(c.Org, c.Source, f.Field); ok {
		out.Source = strings.Join(o.Attributes, ", ")
		if o.Expression != out.Source { // the plain name says nothing more
			out.Expression = o.Expression
		}
		if o.File != "" {
			out.Place = fmt.Sprintf("%s:%d", o.File, o.Line)
		}
	}
	return out
}

func (p *page) failure(f failed) failureRow {
	r := failureRow{
		Who: subject(f.change), DN: failure.Clean(f.change.DN), Title: p.w.catalogue.Title(f.failure.Code, p.w.lang),
		Reason: string(f.failure.Reason), About: p.w.about(f.failure), Ref: f.failure.Ref,
	}
	if r.Who == r.DN {
		r.DN = ""
	}
	return r
}

// groupView is one code and reason with its people.
type groupView struct {
	Title, Reason, When, Count string
	Remedy                     []string
	People                     []failureRow
	More                       string
}

// Groups are the failures by code and reason, the most frequent first.
func (p *page) Groups() []groupView {
	var list []groupView
	for _, g := range p.sum.groups {
		v := groupView{
			Title: p.w.catalogue.Title(g.code, p.w.lang), Reason: string(g.reason), When: p.w.catalogue.When(g.reason, p.w.lang),
			Count: p.w.count("people", g.count), Remedy: p.w.catalogue.Text(g.shared, p.w.lang).Remedy,
			More: p.more(g.count - len(g.sample)),
		}
		for _, f := range g.sample {
			v.People = append(v.People, p.failure(f))
		}
		list = append(list, v)
	}
	return list
}

// checklist is one of the two lists of code 31.
type checklist struct {
	Title string
	Steps []string
}

// Checklists are those of code 31; none when nobody failed with it.
func (p *page) Checklists() []checklist {
	for _, g := range p.sum.groups {
		if g.code == connector.CodeCreation {
			text := p.w.catalogue.Text(g.shared, p.w.lang)
			never, before := p.w.catalogue.ChecklistTitles(p.w.lang)
			return []checklist{{never, text.Never}, {before, text.Before}}
		}
	}
	return nil
}

// bar is a part of a bar in a drawing that is 1,000 units wide.
type bar struct {
	Class       string
	X, Width    int
	Name, Value string
}

// Phases are the parts of the run's time.
func (p *page) Phases() []bar {
	var total, done int64
	for _, ph := range p.r.Run.Phases {
		total += int64(ph.Took)
	}
	var list []bar
	for i, ph := range p.r.Run.Phases {
		b := bar{Class: fmt.Sprintf("p%d", i%6), Name: ph.Name, Value: p.w.took(ph.Took)}
		if total > 0 {
			b.X = int(done * 1000 / total)
			done += int64(ph.Took)
			b.Width = int(done*1000/total) - b.X
		}
		list = append(list, b)
	}
	return list
}

// PhasesLabel says what the drawing of the phases shows.
func (p *page) PhasesLabel() string {
	var parts []string
	for _, b := range p.Phases() {
		parts = append(parts, b.Name+" "+b.Value)
	}
	return strings.Join(parts, ", ")
}

// seatView is one package with its seats.
type seatView struct {
	Name, Used, Seats, Free, Waiting, Class string
	Width                                   int // of the bar, of 1,000; -1 = none
}

// Seats are the packages with their seats.
func (p *page) Seats() []seatView {
	var list []seatView
	for _, s := range p.r.Run.Seats {
		v := seatView{seatName(s), p.w.number(s.Used), p.w.seatsOf(s), p.w.free(s), p.w.number(s.Waiting), "roomy", -1}
		if s.Seats > 0 {
			v.Width = min(s.Used*1000/s.Seats, 1000)
		}
		switch {
		case s.Seats == connector.Unlimited:
		case s.Used >= s.Seats:
			v.Class = "full"
		case s.Used*20 >= s.Seats*19:
			v.Class = "tight"
		}
		list = append(list, v)
	}
	return list
}
