package report

import (
	"bufio"
	"cmp"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"usherd/connector"
)

// WhatIf is what another configuration would mean for the users of today. Names of members never change.
type WhatIf struct {
	With          string      `json:"with"` // file
	Revision      string      `json:"revision"`
	Configuration []string    `json:"configuration"` // what differs
	Organizations []OrgEffect `json:"organizations"`
}

// OrgEffect is what it would mean for one organization.
type OrgEffect struct {
	Org     string         `json:"org"`
	Change  string         `json:"change"` // stays, added, dropped
	Users   int            `json:"users"`  // of today
	People  Effect         `json:"people"`
	Seats   []SeatEffect   `json:"seats"`
	Sources []SourceEffect `json:"sources"`
}

// SourceEffect is what a run of one source would come to.
type SourceEffect struct {
	Source  string           `json:"source"`
	Change  string           `json:"change"` // stays, added, dropped
	Entries int              `json:"entries"`
	Counts  connector.Counts `json:"counts"`
	Hold    string           `json:"hold,omitempty"`    // why people would wait for approval
	Looked  bool             `json:"looked"`            // the first run under these settings waits for a look
	Refusal string           `json:"refusal,omitempty"` // why the whole answer would be refused
	Partial string           `json:"partial,omitempty"` // why nobody would be removed
	Without int              `json:"without"`           // people whom only this dropped source has brought
}

// Replay is what would have been. Names of members never change.
type Replay struct {
	With          string      `json:"with"`
	Revision      string      `json:"revision"`
	Since         time.Time   `json:"since"`
	Organizations []OrgReplay `json:"organizations"`
}

// OrgReplay is what would have been of one organization.
type OrgReplay struct {
	Org    string        `json:"org"`
	Base   int           `json:"base"` // people of whom something was known before
	Runs   []ReplayedRun `json:"runs"`
	People Effect        `json:"people"` // today's users and those that would be
	Seats  []SeatEffect  `json:"seats"`
	ByHand int           `json:"by_hand"` // users about whom an administrator has decided something
	Blank  []string      `json:"blank"`   // source: attributes that only the new mapping reads and no record has
}

// ReplayedRun is one run of then.
type ReplayedRun struct {
	Run     string    `json:"run,omitempty"` // "" = requests
	Runs    int       `json:"runs"`          // that were done as one
	Source  string    `json:"source"`
	At      time.Time `json:"at"`
	Records int       `json:"records"`
	Then    *Outcome  `json:"then"` // nil = not known any more
	Now     Outcome   `json:"now"`
}

// Outcome is what a run came to.
type Outcome struct {
	Result  connector.Result         `json:"result"`
	Counts  connector.Counts         `json:"counts"`
	Hold    string                   `json:"hold,omitempty"`
	Refusal string                   `json:"refusal,omitempty"`
	Refused map[connector.Reason]int `json:"refused,omitempty"`
}

func newSheet(w io.Writer, lang string, o TextOptions) (*textReport, *bufio.Writer, error) {
	words, err := newWords(lang, nil)
	if err != nil {
		return nil, nil, err
	}
	if o.Width <= 0 {
		o.Width = 80
	}
	out := bufio.NewWriter(w)
	return &textReport{words: words, o: o, w: out}, out, nil
}

// Text writes it for a terminal.
func (x WhatIf) Text(w io.Writer, lang string, o TextOptions) error {
	t, out, err := newSheet(w, lang, o)
	if err != nil {
		return err
	}
	t.line(t.paint(bold, t.say("whatif.title")) + " · " + x.With + " · " + x.Revision)
	t.line(t.say("whatif.nothing"))
	t.section("configuration")
	for _, d := range x.Configuration {
		t.para("  - ", d)
	}
	if len(x.Configuration) == 0 {
		t.line("  " + t.say("whatif.same"))
	}
	for i := range x.Organizations {
		t.orgEffect(&x.Organizations[i])
	}
	if t.err != nil {
		return t.err
	}
	return out.Flush()
}

func (t *textReport) orgEffect(o *OrgEffect) {
	t.line("")
	t.line(t.paint(bold, o.Org) + " · " + t.named("whatif", o.Change) + " · " + t.count("people", o.Users))
	tab := t.table(Column{Title: t.say("col.source")}, Column{}, Column{Title: t.say("col.people"), Right: true})
	for _, s := range o.Sources {
		tab.Row(s.Source, t.named("whatif", s.Change), t.number(s.Entries))
	}
	t.flush(tab)
	for _, s := range o.Sources {
		if s.Without > 0 {
			t.para("  ", s.Source+": "+t.count("whatif.without", s.Without))
		}
		if s.Refusal != "" {
			t.para("  ", s.Source+": "+t.with("whatif.refusal", s.Refusal))
		}
		if s.Hold != "" {
			t.para("  ", s.Source+": "+t.with("whatif.hold", s.Hold))
		}
		if s.Partial != "" {
			t.para("  ", s.Source+": "+s.Partial)
		}
		if s.Looked {
			t.para("  ", s.Source+": "+t.say("whatif.looked"))
		}
	}
	t.effect(&o.People)
	t.seatEffects(o.Seats)
}

// effect shows who gains, loses, changes and is refused.
func (t *textReport) effect(e *Effect) {
	t.section("counts")
	tab := t.table(Column{}, Column{Right: true}, Column{Flex: true})
	for _, k := range []struct {
		key string
		Kind
	}{{"gained", e.Gained}, {"lost", e.Lost}, {"changed", e.Changed}, {"refused", e.Refused}} {
		tab.Row(t.say("whatif."+k.key), t.number(k.Count), t.reasons(k.Reasons))
		for _, x := range k.Examples {
			tab.Row("  - "+x.Subject, "", t.why(x))
		}
		if n := k.Count - len(k.Examples); n > 0 {
			tab.Row("  … "+t.count("more_people", n), "", "")
		}
	}
	tab.Row(t.say("action.unchanged"), t.number(e.Unchanged), "")
	if e.Held > 0 {
		tab.Row(t.say("whatif.held"), t.number(e.Held), "")
	}
	t.flush(tab)
	if len(e.Attributes) == 0 {
		return
	}
	t.section("altered")
	tab = t.table(Column{Title: t.say("col.attribute")}, Column{Title: t.say("col.people"), Right: true}, Column{Title: t.say("col.before") + " → " + t.say("col.after"), Flex: true})
	for _, a := range e.Attributes {
		for i, x := range a.Examples {
			name, n := "", ""
			if i == 0 {
				name, n = t.field(a.Attribute), t.number(a.Count)
			}
			tab.Row(name, n, x.Subject+": "+t.values(a.Attribute, x.Before)+" → "+t.values(a.Attribute, x.After))
		}
	}
	t.flush(tab)
}

// reasons lists why, the most frequent first.
func (t *textReport) reasons(reasons map[string]int) string {
	keys := slices.SortedFunc(maps.Keys(reasons), func(a, b string) int {
		return cmp.Or(cmp.Compare(reasons[b], reasons[a]), cmp.Compare(a, b))
	})
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = t.number(reasons[k]) + " " + t.reason(k)
	}
	return strings.Join(parts, ", ")
}

// reason is the word for why somebody gains or loses access; the slug of a refusal stays as it is.
func (t *textReport) reason(slug string) string { return t.named("whatif_reason", slug) }

func (t *textReport) why(x Example) string {
	labels := make([]string, len(x.Fields))
	for i, name := range x.Fields {
		labels[i] = t.catalogue.Label(name, t.lang)
	}
	return strings.Trim(t.reason(x.Reason)+": "+strings.Join(labels, ", "), ": ")
}

func (t *textReport) seatEffects(list []SeatEffect) {
	if len(list) == 0 {
		return
	}
	t.section("seats")
	right := func(key string) Column { return Column{Title: t.say("col." + key), Right: true} }
	tab := t.table(Column{Title: t.say("col.package"), Flex: true}, right("seats"), Column{}, right("used"), Column{}, Column{})
	number := func(n int) string { return t.seatsOf(connector.SeatCount{Seats: n}) }
	for _, s := range list {
		note := ""
		switch {
		case s.Refused > 0:
			note = t.count("whatif.short", s.Refused)
		case s.RunsOut():
			note = t.count("overused", s.UsedAfter-s.SeatsAfter)
		}
		tab.Row(cmp.Or(s.Name, s.Package), number(s.SeatsBefore), "→ "+number(s.SeatsAfter), t.number(s.UsedBefore), "→ "+t.number(s.UsedAfter), note)
	}
	t.flush(tab)
}

// Text writes it for a terminal.
func (x Replay) Text(w io.Writer, lang string, o TextOptions) error {
	t, out, err := newSheet(w, lang, o)
	if err != nil {
		return err
	}
	t.line(t.paint(bold, t.say("whatif.replay")) + " · " + x.With + " · " + x.Revision + " · " + t.with("whatif.since", minute(x.Since)))
	t.line(t.say("whatif.nothing"))
	for i := range x.Organizations {
		t.orgReplay(&x.Organizations[i])
	}
	t.line("")
	for _, key := range []string{"whatif.note_scope", "whatif.note_hand", "whatif.note_hold"} {
		t.para("* ", t.say(key))
	}
	if t.err != nil {
		return t.err
	}
	return out.Flush()
}

func (t *textReport) orgReplay(o *OrgReplay) {
	t.line("")
	t.line(t.paint(bold, o.Org) + " · " + t.count("whatif.base", o.Base))
	t.section("runs")
	if len(o.Runs) == 0 {
		t.line("  " + t.say("whatif.no_runs"))
	}
	left := func(key string, flex bool) Column { return Column{Title: t.say(key), Flex: flex} }
	tab := t.table(left("col.started", false), left("col.source", false), left("whatif.then", true), left("whatif.now", true))
	for _, r := range o.Runs {
		name := r.At.UTC().Format("01-02 15:04Z")
		if r.Runs > 1 {
			name += " (" + strconv.Itoa(r.Runs) + ")"
		}
		then := t.say("whatif.forgotten")
		if r.Then != nil {
			then = t.outcomeLine(r.Then)
		}
		tab.Row(name, r.Source, then, t.outcomeLine(&r.Now))
	}
	t.flush(tab)
	for _, r := range o.Runs {
		if r.Now.Hold != "" {
			t.para("  ", minute(r.At)+" "+r.Source+": "+t.with("whatif.hold", r.Now.Hold))
		}
		if r.Now.Refusal != "" {
			t.para("  ", minute(r.At)+" "+r.Source+": "+t.with("whatif.refusal", r.Now.Refusal))
		}
	}
	t.line("")
	t.line(t.paint(bold, t.say("whatif.compared")))
	t.effect(&o.People)
	t.seatEffects(o.Seats)
	for _, s := range o.Blank {
		t.para("  ", t.with("whatif.blank", s))
	}
	if o.ByHand > 0 {
		t.para("  ", t.count("whatif.by_hand", o.ByHand))
	}
}

// outcomeLine is what a run came to in a few words: "created 3, refused 2 (no_seat)".
func (t *textReport) outcomeLine(o *Outcome) string {
	var parts []string
	for _, c := range countsOf(o.Counts) {
		if c.n > 0 && c.action != string(connector.Unchanged) && c.action != string(connector.Skipped) {
			parts = append(parts, t.number(c.n)+" "+t.say("action."+c.action))
		}
	}
	reasons := slices.Sorted(maps.Keys(o.Refused))
	for _, r := range reasons {
		parts = append(parts, string(r)+" "+t.number(o.Refused[r]))
	}
	switch {
	case o.Refusal != "" || len(parts) == 0 && o.Result != connector.ResultOK && o.Result != "":
		return t.named("result", string(o.Result))
	case len(parts) == 0:
		return t.say("action.unchanged")
	}
	return strings.Join(parts, ", ")
}
