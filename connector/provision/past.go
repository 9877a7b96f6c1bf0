package provision

import (
	"fmt"
	"slices"

	"usherd/connector"
)

// past is what has happened to a user since a run that is undone.
type past struct {
	own   []connector.Event // by the run
	later []connector.Event // by others, after its first one
}

func (h *past) add(e connector.Event, run connector.ID) {
	switch {
	case e.Cause.Run == run:
		h.own = append(h.own, e)
	case len(h.own) > 0:
		h.later = append(h.later, e)
	}
}

// last is the run's last event.
func (h *past) last() *connector.Event { return &h.own[len(h.own)-1] }

// created reports whether the run made the user.
func (h *past) created() bool { return h.own[0].Version == 1 }

// did is what the run did to each field. Where somebody else changed one in between, it is what the run
// did after that.
func (h *past) did() []connector.FieldChange {
	var out []connector.FieldChange
	for _, e := range h.own {
		for _, f := range e.Fields {
			i := slices.IndexFunc(out, func(x connector.FieldChange) bool { return x.Field == f.Field })
			switch {
			case i < 0:
				out = append(out, f)
			case slices.Equal(out[i].After, f.Before):
				out[i].After = f.After
			default:
				out[i] = f
			}
		}
	}
	return slices.DeleteFunc(out, func(f connector.FieldChange) bool { return slices.Equal(f.Before, f.After) })
}

// Fields that go together: one of them is worth nothing without the others.
var (
	stateFields = []string{
		connector.FieldState, connector.FieldWas, connector.FieldResume, connector.FieldDeactivatedBy, connector.FieldDeactivatedSource,
		connector.FieldDeactivatedReason, connector.FieldDeactivatedAt, connector.FieldDeleteAt,
	}
	packageFields = []string{connector.FieldPackage, connector.FieldPackageFixed}
)

// groups are the changes in those sets that go back together or not at all: state, package, and each other
// field alone.
func groups(did []connector.FieldChange) (state, pkg []connector.FieldChange, others [][]connector.FieldChange) {
	for _, f := range did {
		switch {
		case slices.Contains(stateFields, f.Field):
			state = append(state, f)
		case slices.Contains(packageFields, f.Field):
			pkg = append(pkg, f)
		default:
			others = append(others, []connector.FieldChange{f})
		}
	}
	return state, pkg, others
}

// outcome is how fields stand that the run changed.
type outcome int

const (
	asBefore outcome = iota // as they were before the run
	asLeft                  // as the run left them
	changed                 // neither
)

// look says how the fields of a group stand now, and who has changed them since. A state that is the old one
// again is as before, whatever led to it.
func (h *past) look(u *connector.User, group []connector.FieldChange) (outcome, *connector.Event) {
	before, left := true, true
	names := make([]string, len(group))
	for i, f := range group {
		now := connector.FieldOf(u, f.Field)
		names[i] = f.Field
		was := slices.Equal(now, f.Before)
		if was && f.Field == connector.FieldState {
			return asBefore, nil
		}
		before, left = before && was, left && slices.Equal(now, f.After)
	}
	for _, set := range [][]string{stateFields, packageFields} {
		if slices.Contains(set, names[0]) {
			names = set
		}
	}
	last := h.touched(names)
	switch {
	case before:
		return asBefore, nil
	case left && (last == nil || last.Cause.Kind != connector.CausePerson):
		return asLeft, nil
	}
	return changed, last
}

// touched returns the last event of others that changed one of the fields, one of a person before all: an
// administrator's word is not undone.
func (h *past) touched(fields []string) (last *connector.Event) {
	for i := range h.later {
		e := &h.later[i]
		touches := slices.ContainsFunc(e.Fields, func(f connector.FieldChange) bool { return slices.Contains(fields, f.Field) })
		if touches && (last == nil || last.Cause.Kind != connector.CausePerson || e.Cause.Kind == connector.CausePerson) {
			last = e
		}
	}
	return last
}

// byWhom says in words who made a change.
func byWhom(e *connector.Event) string {
	if e == nil {
		return "since"
	}
	who := e.Cause.Actor
	if id := e.Cause.Run.String(); id != "" {
		who = "run " + id[len(id)-8:]
	}
	return fmt.Sprintf("by %s at %s", who, e.At.UTC().Format("2006-01-02 15:04 UTC"))
}

// inverse turns the changes round.
func inverse(fields []connector.FieldChange) []connector.FieldChange {
	out := make([]connector.FieldChange, len(fields))
	for i, f := range fields {
		out[i] = connector.FieldChange{Field: f.Field, Before: f.After, After: f.Before}
	}
	return out
}
