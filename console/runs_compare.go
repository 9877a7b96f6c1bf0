package console

import (
	"net/http"
	"slices"
	"time"

	"usherd/connector"
	"usherd/connector/report"
	"usherd/connector/runs"
)

// comparePage is what differs between two runs.
type comparePage struct {
	A, B        runRow
	Counts      []comparedCount
	OtherSource bool // the two are of different sources
	OtherMode   bool // they have not read the same
	Old         bool // the people cannot be compared
	People      []comparedRow
	Config      pill   // whether both ran under the same configuration
	ConfigFault string // why that cannot be told
	Rows        []differenceRow
	Others      bool // there may be differences that this person does not see
	Whole       bool // this is the first page
	Pager       pager
}

// comparedCount is one number of both runs.
type comparedCount struct{ Name, A, B, More string }

// comparedRow is a person whose outcome differs.
type comparedRow struct {
	Person, Address string
	A, B            comparedOutcome
}

// comparedOutcome is what became of a person in one of the runs.
type comparedOutcome struct {
	Pill pill
	Note string // why
	Held bool
}

// compareRuns compares two runs. From the list they come as two times run, in any order: then the address becomes that of their comparison.
func (v *visit) compareRuns() {
	if ticked := v.r.URL.Query()["run"]; len(ticked) > 0 || v.query("a") == "" || v.query("b") == "" {
		if len(ticked) != 2 {
			v.say(http.StatusUnprocessableEntity, "runs.compare.two", nil)
			return
		}
		slices.Sort(ticked) // ids grow
		v.redirect(v.link("/runs/compare", "a", ticked[0], "b", ticked[1]))
		return
	}
	a, ok := v.runOf(v.query("a"))
	if !ok {
		return
	}
	b, ok := v.runOf(v.query("b"))
	if !ok {
		return
	}
	p := comparePage{
		A: v.runRow(a), B: v.runRow(b), OtherSource: a.Source != b.Source, OtherMode: a.Mode != b.Mode, Others: !v.seesAll(), Whole: v.query("after") == "",
	}
	v.compareCounts(&p, a, b)
	err := v.comparePeople(&p, a, b)
	if err == nil && p.Whole {
		err = v.compareConfig(&p, a, b)
	}
	if err != nil {
		v.accident("compare", err)
		return
	}
	v.show(http.StatusOK, "runs_compare", frame{Title: v.t("runs.compare.title", nil), Crumbs: v.runsCrumb()}, p)
}

// compareCounts are the counts of both side by side.
func (v *visit) compareCounts(p *comparePage, a, b *connector.Run) {
	add := func(name string, n, m int) {
		c := comparedCount{Name: name, A: v.number(n), B: v.number(m)}
		switch {
		case m > n:
			c.More = "+" + v.number(m-n)
		case m < n:
			c.More = "−" + v.number(n-m)
		}
		p.Counts = append(p.Counts, c)
	}
	x, y := &a.Counts, &b.Counts
	for _, k := range []struct {
		action connector.Action
		a, b   int
	}{
		{connector.Created, x.Created, y.Created},
		{connector.Updated, x.Updated, y.Updated},
		{connector.Reactivated, x.Reactivated, y.Reactivated},
		{connector.Deactivated, x.Deactivated, y.Deactivated},
		{connector.Removed, x.Deleted, y.Deleted},
		{connector.Skipped, x.Skipped, y.Skipped},
		{connector.Unchanged, x.Unchanged, y.Unchanged},
		{connector.Failed, x.Failed, y.Failed},
	} {
		add(v.t("words.action."+string(k.action), nil), k.a, k.b)
	}
	add(v.t("words.result.held", nil), x.Held, y.Held)
	add(v.t("runs.fact.entries", nil), a.Entries, b.Entries)
	took := comparedCount{Name: v.t("runs.fact.took", nil), A: p.A.Took, B: p.B.Took}
	if !a.Finished.IsZero() && !b.Finished.IsZero() {
		f := frame{v: v}
		switch d := b.Finished.Sub(b.Started) - a.Finished.Sub(a.Started); {
		case d >= time.Second:
			took.More = "+" + f.Took(d)
		case d <= -time.Second:
			took.More = "−" + f.Took(-d)
		}
	}
	p.Counts = append(p.Counts, took)
}

// comparePeople reads a page of those whose outcome differs.
func (v *visit) comparePeople(p *comparePage, a, b *connector.Run) error {
	d, err := runs.Compare(v.r.Context(), v.s.o.Store, a, b, v.after(), perPage)
	if err != nil {
		return err
	}
	p.Old = d.Old
	for i := range d.People {
		x := &d.People[i]
		row := comparedRow{Person: v.personal(x.Subject), A: v.comparedOutcome(x.A), B: v.comparedOutcome(x.B)}
		if x.User != nil {
			row.Person, row.Address = v.personal(fullName(x.User)), v.link("/users/"+x.User.ID.String())
		}
		p.People = append(p.People, row)
	}
	p.Pager = v.pager(d.Next, len(p.People))
	return nil
}

func (v *visit) comparedOutcome(o *runs.Outcome) comparedOutcome {
	if o == nil {
		return comparedOutcome{Pill: pill{v.t("runs.compare.nothing", nil), "off"}}
	}
	c := comparedOutcome{Pill: v.actionPill(o.Action), Held: o.Held}
	if o.Skip != "" {
		c.Note = report.Word(v.lang, "skip", string(o.Skip))
	}
	for i, r := range o.Reasons {
		if i > 0 {
			c.Note += ", "
		}
		c.Note += string(r)
	}
	return c
}

// compareConfig tells what differs between the configurations under which the two ran.
func (v *visit) compareConfig(p *comparePage, a, b *connector.Run) error {
	switch {
	case a.Revision == "" || b.Revision == "":
		p.ConfigFault = v.t("runs.compare.norevision", nil)
		return nil
	case a.Revision == b.Revision:
		p.Config = pill{v.t("runs.compare.sameconfig", nil), "good"}
		return nil
	case v.s.o.Program == nil:
		p.Config = pill{v.t("runs.compare.otherconfig", nil), "info"}
		return nil
	}
	d := diffPage{A: a.Revision, B: b.Revision}
	err := v.compare(v.s.o.Program, &d)
	switch connector.KindOf(err) { //nolint:exhaustive // the others are faults of ours
	case connector.NotFound:
		p.ConfigFault = v.words(err)
		return nil
	case connector.Invalid:
		p.ConfigFault = v.t("config.unreadable", nil)
		return nil
	}
	p.Rows, p.Config = d.Rows, pill{v.s.pages.Count(v.lang, "runs.compare.differences", len(d.Rows)), "info"}
	if len(d.Rows) == 0 {
		p.Config.Text = v.t("runs.compare.otherconfig", nil)
	}
	return err
}
