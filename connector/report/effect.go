package report

import (
	"cmp"
	"maps"
	"slices"

	"usherd/connector"
)

// maxExamples is how many people of each kind an Effect names.
const maxExamples = 5

// Effect is what other rules would mean for people. It is gathered one by one and holds numbers and the first
// examples only, so that its size does not depend on how many there are. Names of members never change.
type Effect struct {
	Gained     Kind      `json:"gained"`  // would have access that they have not
	Lost       Kind      `json:"lost"`    // the other way round
	Changed    Kind      `json:"changed"` // would have another profile, state or package
	Refused    Kind      `json:"refused"` // could not be created or updated
	Unchanged  int       `json:"unchanged"`
	Held       int       `json:"held"` // of all these, who would wait for approval
	Attributes []Altered `json:"attributes"`

	altered map[string]*Altered
	seats   map[string]*seatMove
}

// Kind are people to whom the same would happen, by reason.
type Kind struct {
	Count    int            `json:"count"`
	Reasons  map[string]int `json:"reasons,omitempty"`
	Examples []Example      `json:"examples,omitempty"`
}

// Example is one of them.
type Example struct {
	Subject string   `json:"subject"`
	DN      string   `json:"dn,omitempty"`
	Reason  string   `json:"reason,omitempty"`
	Fields  []string `json:"fields,omitempty"` // of a refusal
	Before  []string `json:"before,omitempty"`
	After   []string `json:"after,omitempty"`
}

// Altered is one attribute, or the state or package, that would be another one for some people.
type Altered struct {
	Attribute string    `json:"attribute"`
	Count     int       `json:"count"`
	Examples  []Example `json:"examples"`
}

type seatMove struct{ taken, freed, refused int }

// SeatEffect is the standing of a package before and after.
type SeatEffect struct {
	Package     string `json:"package"`
	Name        string `json:"name"`
	SeatsBefore int    `json:"seats_before"` // connector.Unlimited = unlimited
	UsedBefore  int    `json:"used_before"`
	SeatsAfter  int    `json:"seats_after"`
	UsedAfter   int    `json:"used_after"`
	Refused     int    `json:"refused"` // people for whom no seat would be left
}

func (k *Kind) add(reason string, e Example) {
	if k.Count++; k.Reasons == nil {
		k.Reasons = map[string]int{}
	}
	if reason != "" {
		k.Reasons[reason]++
		e.Reason = reason
	}
	if len(k.Examples) < maxExamples {
		k.Examples = append(k.Examples, e)
	}
}

// Add counts what a run would do to one person.
func (e *Effect) Add(ch *connector.Change) {
	who := Example{Subject: subject(ch), DN: ch.DN}
	if ch.Held {
		e.Held++
	}
	switch ch.Action {
	case connector.Created, connector.Reactivated:
		e.Gained.add(string(ch.Action), who)
	case connector.Deactivated:
		e.Lost.add(ch.After.DeactivatedReason, who)
	case connector.Removed:
		e.Lost.add(string(ch.Action), who)
	case connector.Updated:
		e.change(who, ch.Fields)
	case connector.Failed:
		for _, f := range ch.Failures {
			one := who
			one.Fields = f.Fields
			e.Refused.add(string(f.Reason), one)
		}
	case connector.Unchanged, connector.Skipped: // their run counts them
	}
	e.seat(ch)
}

// change counts the fields that people look at; when and by whom somebody was deactivated follows from them.
func (e *Effect) change(who Example, fields []connector.FieldChange) {
	fields = slices.DeleteFunc(slices.Clone(fields), func(f connector.FieldChange) bool {
		_, attribute := connector.AttributeByName(f.Field)
		return !attribute && f.Field != connector.FieldState && f.Field != connector.FieldPackage
	})
	if len(fields) == 0 {
		e.Unchanged++
		return
	}
	e.Changed.add("", who)
	if e.altered == nil {
		e.altered = map[string]*Altered{}
	}
	for _, f := range fields {
		a := e.altered[f.Field]
		if a == nil {
			a = &Altered{Attribute: f.Field}
			e.altered[f.Field] = a
		}
		if a.Count++; len(a.Examples) < maxExamples {
			a.Examples = append(a.Examples, Example{Subject: who.Subject, Before: raw(f.Field, f.Before), After: raw(f.Field, f.After)})
		}
	}
}

func (e *Effect) seat(ch *connector.Change) {
	move := func(pkg string, count func(*seatMove)) {
		if pkg == "" {
			return
		}
		if e.seats == nil {
			e.seats = map[string]*seatMove{}
		}
		if e.seats[pkg] == nil {
			e.seats[pkg] = &seatMove{}
		}
		count(e.seats[pkg])
	}
	for _, f := range ch.Failures {
		if f.Reason == connector.NoSeat {
			move(f.Package, func(m *seatMove) { m.refused++ })
		}
	}
	move(ch.TakeSeat, func(m *seatMove) { m.taken++ })
	move(ch.FreeSeat, func(m *seatMove) { m.freed++ })
}

// Compare counts one person by the user of today and the one that would be; nil is none.
func (e *Effect) Compare(today, then *connector.User) {
	u := cmp.Or(today, then)
	if u == nil {
		return
	}
	who := Example{Subject: u.Profile.Subject()}
	switch has, would := usable(today), usable(then); {
	case !has && would:
		e.Gained.add(reasonOf(today), who)
	case has && !would:
		e.Lost.add(reasonOf(then), who)
	case has:
		e.change(who, connector.Diff(today, then))
	default:
		e.Unchanged++
	}
}

// usable reports whether the user may sign in, as far as its state says.
func usable(u *connector.User) bool {
	return u != nil && u.State.Live() && u.State != connector.Inactive
}

// reasonOf says why a user has no access.
func reasonOf(u *connector.User) string {
	switch {
	case u == nil:
		return "no_account"
	case u.DeactivatedBy == connector.ByAdministrator:
		return string(connector.ByAdministrator)
	}
	return u.DeactivatedReason
}

// Finish puts the attributes in order, those that change most first.
func (e *Effect) Finish() {
	e.Attributes = []Altered{}
	for _, name := range slices.Sorted(maps.Keys(e.altered)) {
		e.Attributes = append(e.Attributes, *e.altered[name])
	}
	slices.SortStableFunc(e.Attributes, func(a, b Altered) int { return b.Count - a.Count })
}

// Seats says what becomes of the packages: before is what is stored, after the numbers of the new rules.
func (e *Effect) Seats(before []connector.SeatCount, after []connector.Package) []SeatEffect {
	out := []SeatEffect{}
	for _, s := range before {
		out = append(out, SeatEffect{Package: s.Package, Name: s.Name, SeatsBefore: s.Seats, UsedBefore: s.Used})
	}
	for _, p := range after {
		i := slices.IndexFunc(out, func(s SeatEffect) bool { return s.Package == p.ID })
		if i < 0 {
			i = len(out)
			out = append(out, SeatEffect{Package: p.ID})
		}
		out[i].Name, out[i].SeatsAfter = cmp.Or(p.Name, p.ID), p.Seats
	}
	for i := range out {
		s := &out[i]
		s.UsedAfter = s.UsedBefore
		if m := e.seats[s.Package]; m != nil {
			s.UsedAfter, s.Refused = s.UsedBefore+m.taken-m.freed, m.refused
		}
	}
	return out
}

// RunsOut reports whether somebody would get no seat, or more seats would be used than there are.
func (s SeatEffect) RunsOut() bool {
	return s.Refused > 0 || s.SeatsAfter != connector.Unlimited && s.UsedAfter > s.SeatsAfter
}
