package provision

import (
	"fmt"
	"iter"
	"slices"

	"usherd/connector"
)

// maxKeys bounds how many people of a hold are named one by one.
const maxKeys = 1000

// Choice is a part of what a run holds. A nil Choice is all of it.
type Choice struct {
	connector.Part
	only, except map[person]bool
}

// person tells the people of one run apart: who is deleted at the end of its grace has no anchor there.
type person struct {
	anchor connector.Anchor
	user   connector.ID
}

func personOf(ch *connector.Change) person {
	if ch.Anchor.IsZero() && ch.After != nil {
		return person{user: ch.After.ID}
	}
	return person{anchor: ch.Anchor}
}

// Choose finds the people of a held run whom Only, Except or Action of ask mean; a key is a user name,
// e-mail, DN or anchor as the report of the run names it. Changes are those of the run's report. A key that
// fits nobody or several, and a part of nobody, are errors of Kind Invalid; a part that is all of it is nil.
func Choose(run *connector.Run, changes iter.Seq2[*connector.Change, error], ask connector.Part) (*Choice, error) {
	if len(ask.Only) == 0 && len(ask.Except) == 0 && ask.Action == "" {
		return nil, nil //nolint:nilnil // the nil Choice is all of it
	}
	if run.Mode == connector.ModePreview {
		return nil, choiceError(run, "sync holds what has to be looked at: approve a part of that", "a plan is carried out whole")
	}
	if len(ask.Only)+len(ask.Except) > maxKeys {
		return nil, choiceError(run, "choose by action, or in several steps", "more than %d people are named", maxKeys)
	}
	c := &Choice{Part: ask}
	var err error
	if c.only, c.except, err = findKeys(run, changes, ask); err != nil {
		return nil, err
	}
	var chosen []uint64
	c.Of = 0
	for ch, err := range changes {
		if err != nil {
			return nil, err
		}
		if !ch.Held {
			continue
		}
		if c.Of++; c.takes(ch) {
			chosen = append(chosen, digest(ch))
		}
	}
	c.People, c.Digest = len(chosen), digestOfAll(chosen)
	groups := run.Mode == connector.ModeRollback && run.Groups != (connector.GroupCounts{})
	switch {
	case c.People == 0:
		return nil, choiceError(run, "see who waits with: usherd report "+run.ID.Short()+" --full", "nobody of those who wait is chosen")
	case c.People == c.Of && !groups:
		return nil, nil //nolint:nilnil // the nil Choice is all of it
	}
	return c, nil
}

// takes reports whether the change is one of the part, provided that it is held.
func (c *Choice) takes(ch *connector.Change) bool {
	if c == nil {
		return true
	}
	p := personOf(ch)
	return (c.Action == "" || ch.Action == c.Action) && (len(c.only) == 0 || c.only[p]) && !c.except[p]
}

// part is what is kept of the choice; nil is all of it.
func (c *Choice) part() *connector.Part {
	if c == nil {
		return nil
	}
	return &c.Part
}

// findKeys looks for the people whom the keys mean.
func findKeys(run *connector.Run, changes iter.Seq2[*connector.Change, error], ask connector.Part) (only, except map[person]bool, err error) {
	wanted := map[string][]*connector.Change{}
	keys := slices.Concat(ask.Only, ask.Except)
	for _, k := range keys {
		wanted[connector.Fold(k)] = nil
	}
	for ch, err := range changes {
		if err != nil {
			return nil, nil, err
		}
		if !ch.Held {
			continue
		}
		for _, n := range namesOf(ch) {
			if list, ok := wanted[n]; ok && len(list) < 3 {
				wanted[n] = append(list, ch)
			}
		}
	}
	found := map[string]person{}
	for _, k := range keys {
		list := wanted[connector.Fold(k)]
		switch len(list) {
		case 0:
			return nil, nil, choiceError(run, "see who waits with: usherd report "+run.ID.Short()+" --full", "nobody who waits has the user name, e-mail, DN or anchor %q", k)
		case 1:
			found[k] = personOf(list[0])
		default:
			return nil, nil, choiceError(run, "name one of them by its DN or anchor", "%q fits several people who wait: %s, %s", k, list[0].DN, list[1].DN)
		}
	}
	pick := func(keys []string) map[person]bool {
		m := map[person]bool{}
		for _, k := range keys {
			m[found[k]] = true
		}
		return m
	}
	return pick(ask.Only), pick(ask.Except), nil
}

// namesOf are the folded names by which a report shows a person, each once.
func namesOf(ch *connector.Change) []string {
	names := []string{ch.Subject, ch.DN, ch.Anchor.String()}
	if ch.After != nil {
		names = append(append(names, ch.After.UserName()), ch.After.Profile.Emails()...)
	}
	for _, f := range ch.Fields {
		if f.Field == connector.UserName || f.Field == connector.Email || f.Field == connector.OtherEmails {
			names = append(append(names, f.Before...), f.After...)
		}
	}
	for i, n := range names {
		names[i] = connector.Fold(n)
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(n string) bool { return n == "" })
}

func choiceError(run *connector.Run, hint, format string, args ...any) error {
	return &connector.Error{
		Kind: connector.Invalid, Op: "approve run " + run.ID.Short(), Err: fmt.Errorf(format, args...), Hint: hint,
	}
}

// chosenAre reports whether the plan holds as many of the chosen people as were chosen.
func (l *planner) chosenAre() bool {
	if l.req.Part == nil {
		return true
	}
	n := 0
	for o, e := range l.plan.entries.all() {
		if e.chosen && !l.plan.overruled(o) && l.plan.held(e) {
			n++
		}
	}
	return n == l.req.Part.People
}

// letPartPass lifts the holds from the chosen people alone; the others stay held as a hold of their own.
// Where the whole run is held, the seats have been given out already, to chosen people and others.
func (l *planner) letPartPass() {
	plan := l.plan
	plan.passed = true
	if !plan.holdAll {
		clear(plan.denied)
		l.settleSeats()
	}
	plan.Run.Hold = &connector.Hold{
		Whole: plan.holdAll, Status: connector.HoldOpen, Digest: plan.heldDigest(),
		Removals: plan.holdGone, Updates: plan.holdUpdates,
	}
	plan.state.Fingerprint = l.last.Fingerprint // as long as anybody waits for changed settings
}

// passes reports whether the change is one that was chosen of what is held.
func (p *Plan) passes(ordinal int32) bool {
	e := p.entries.of(ordinal)
	return p.passed && e.chosen && e.writes && !p.overruled(ordinal)
}

// holdRest holds again what an approval in part has left, and says why.
func (l *planner) holdRest() string {
	rest := l.req.Rest
	if rest == nil {
		return ""
	}
	l.plan.holdGone, l.plan.holdUpdates = l.plan.holdGone || rest.Removals, l.plan.holdUpdates || rest.Updates
	return rest.Reason
}
