package provision

import (
	"fmt"
	"slices"
	"time"

	"usherd/connector"
	"usherd/connector/lifecycle"
	"usherd/connector/policy"
)

// prepare works out which fields can go back, and what profile and package the user would have. It leaves
// a change where that is all there is to say.
func (x *undoing) prepare() {
	x.change, x.failures, x.clashes, x.warnings, x.state = nil, nil, nil, nil, nil
	x.profile, x.pkg = x.user.Profile, x.user.Package
	if x.past.created() {
		x.prepareEnd()
		return
	}
	after := connector.User{Profile: x.user.Profile.Clone(), Package: x.user.Package, PackageFixed: x.user.PackageFixed, PendingApproval: x.user.PendingApproval}
	back, whole := x.invert(&after)
	x.profile, x.pkg, x.fixed, x.pending = after.Profile, after.Package, after.PackageFixed, after.PendingApproval
	switch {
	case whole && x.user.State == connector.Deleted && !x.taken.IsZero():
		x.warnings = append(x.warnings, "its entry in the source belongs to another user now: "+x.taken.String())
		x.stay()
	case !whole, !back && len(x.warnings) > 0:
		x.stay()
	case !back:
		x.change = x.newChange(connector.Unchanged)
	}
}

// invert gives after the old values of all that is as the run left it, but for the state, which it notes. It
// reports whether there is any, and whether state and package are not in the way.
func (x *undoing) invert(after *connector.User) (back, whole bool) {
	state, pkg, others := groups(x.past.did())
	for i, g := range append([][]connector.FieldChange{state, pkg}, others...) {
		if len(g) == 0 {
			continue
		}
		switch verdict, by := x.past.look(x.user, g); verdict {
		case asBefore:
		case asLeft:
			if back = true; i == 0 {
				x.state = g
				continue
			}
			connector.Replay(after, inverse(g))
		case changed:
			x.warnings = append(x.warnings, fmt.Sprintf("%s is not put back: it was changed %s", label(g), byWhom(by)))
			if i < 2 {
				return back, false
			}
		}
	}
	return back, true
}

// prepareEnd decides whether a user whom the run created can end.
func (x *undoing) prepareEnd() {
	state, _, _ := groups(x.past.did())
	verdict, by := x.past.look(x.user, state)
	person := slices.IndexFunc(x.past.later, func(e connector.Event) bool { return e.Cause.Kind == connector.CausePerson })
	other := slices.IndexFunc(x.others, func(l connector.Link) bool { return l.Source != x.past.last().Source })
	switch {
	case !x.user.State.Live():
		x.change = x.newChange(connector.Unchanged)
		return
	case verdict == changed:
		x.warnings = append(x.warnings, "the user that the run created stays: its state was changed "+byWhom(by))
	case person >= 0:
		x.warnings = append(x.warnings, "the user that the run created stays: it was changed "+byWhom(&x.past.later[person]))
	case other >= 0:
		x.warnings = append(x.warnings, "the user that the run created stays: source "+x.others[other].Source+" has it too")
	default:
		return
	}
	x.stay()
}

// stay leaves the person as it is.
func (x *undoing) stay() {
	x.change = x.newChange(connector.Skipped)
	x.change.Skip, x.change.Source, x.change.Warnings = connector.SkipChangedSince, x.past.last().Source, x.warnings
}

// decide makes the change that puts the user back, by the rules that hold for everybody; last says that nobody
// gives up names any more.
func (x *undoing) decide(f *facts, last bool) {
	if x.change != nil {
		return
	}
	after := *x.user
	after.Profile, after.Package, after.PackageFixed, after.PendingApproval = x.profile, x.pkg, x.fixed, x.pending
	x.change = x.newChange(connector.Updated)
	x.change.Source = x.past.last().Source
	if x.past.created() {
		x.end(f)
		return
	}
	if !x.putBack(&after, lifecycle.Facts{Kind: x.kind(), DomainVerified: x.verified(f), Resume: x.was(), PendingApproval: after.PendingApproval}, f.now) {
		x.warnings = append(x.warnings, fmt.Sprintf("the state cannot go from %s to %s", x.user.State, x.was()))
		x.stay()
		return
	}
	if x.failures = x.check(f); len(x.failures) > 0 {
		ends := x.change.Action == connector.Deactivated
		if !ends || !last && x.namesOnly() {
			ch := x.change
			x.change = x.newChange(connector.Failed)
			x.change.Source, x.change.Warnings = ch.Source, x.warnings
			x.refused(f)
			return
		}
		// Access must end whatever is wrong with the old values.
		x.warnings = append(x.warnings, "only the state is put back: "+string(x.failures[0].Reason))
		x.failures, x.clashes, after.Profile, after.Package = nil, nil, x.user.Profile, x.user.Package
		after.PackageFixed = x.user.PackageFixed
	}
	ch := x.change
	ch.After, ch.Warnings = &after, x.warnings
	ch.Removal = ch.Action == connector.Deactivated
	settle(ch, x.user, x.org, f.now)
	if x.user.State == connector.Deleted {
		ch.Link = x.relink(&after, f.now)
	}
}

// was is the state that the user had before the run.
func (x *undoing) was() connector.State {
	for _, s := range x.state {
		if s.Field == connector.FieldState && len(s.Before) > 0 {
			return connector.State(s.Before[0])
		}
	}
	return x.user.State
}

// putBack takes the state back, each step by the table; what stands beside it follows.
func (x *undoing) putBack(after *connector.User, facts lifecycle.Facts, now time.Time) bool {
	ch, was := x.change, x.was()
	if len(x.state) == 0 {
		return true
	}
	if after.State == connector.Deleted && !move(ch, after, lifecycle.RolledBack, facts) {
		return false
	}
	switch {
	case after.State == was: // only its reason has changed
	case was == connector.Inactive:
		if !move(ch, after, lifecycle.Deactivate, facts) {
			return false
		}
		ch.Action = connector.Deactivated
	case after.State == connector.Inactive:
		if reactivate(ch, after, facts); after.State == connector.Inactive {
			return false
		}
	case !move(ch, after, lifecycle.RolledBack, facts):
		return false
	}
	if x.user.State == connector.Deleted {
		ch.Action = connector.Updated
	}
	beside := slices.DeleteFunc(inverse(x.state), func(f connector.FieldChange) bool { return f.Field == connector.FieldState })
	connector.Replay(after, beside)
	if after.State == connector.Inactive && !after.DeleteAt.IsZero() && !now.Before(after.DeleteAt) {
		after.DeleteAt = x.newGrace(after, now) // else the next run would delete the user again
	}
	return true
}

func (x *undoing) newGrace(after *connector.User, now time.Time) time.Time {
	grace := x.org.DeleteAfter
	if after.DeactivatedReason == string(connector.StandingGone) {
		grace = x.org.GoneDeleteAfter
	}
	if grace <= 0 {
		return time.Time{}
	}
	return now.Add(grace)
}

// end deletes the user that the run created: what nobody had before nobody has afterwards.
func (x *undoing) end(f *facts) {
	ch := x.change
	left := *x.user
	facts := lifecycle.Facts{Kind: x.kind(), Resume: x.user.State}
	deactivate(ch, &left, facts, deactivation{by: connector.ByAdministrator, reason: "the run that created the user was rolled back", at: f.now})
	remove(ch, &left, lifecycle.Delete, x.org, f.now)
	if ch.After == nil {
		x.warnings = append(x.warnings, fmt.Sprintf("the state cannot go from %s to %s", x.user.State, connector.Deleted))
		x.stay()
		return
	}
	settle(ch, x.user, x.org, f.now)
	ch.Removal = true
	for _, l := range x.others {
		ch.Anchor, ch.DN = l.Anchor, l.DN
	}
}

// check holds the rules against the user as it would be.
func (x *undoing) check(f *facts) []connector.Failure {
	return policy.Check(policy.Input{
		Org: x.org, Source: x.src, Profile: x.profile, Package: x.pkg, Domains: f.domains, Code: connector.CodeUpdate,
		Holder: func(k connector.UserKey) (string, bool) { return x.holder(f, k) },
	})
}

// relink is the link of a deleted user who comes back; without a hash, so that the next run decides about
// the record. It is nil where the deletion does not know the entry: then matching finds the user.
func (x *undoing) relink(after *connector.User, now time.Time) *connector.Link {
	e := x.past.last()
	if e.Anchor.IsZero() {
		return nil
	}
	says := connector.StandingUnknown
	switch {
	case after.State != connector.Inactive:
		says = connector.StandingEnabled
	case after.DeactivatedBy == connector.BySource && after.DeactivatedSource == e.Source:
		says = connector.Standing(after.DeactivatedReason)
	}
	return &connector.Link{
		Org: x.org.ID, Source: e.Source, Anchor: e.Anchor, DN: e.DN, User: after.ID, Package: after.Package, Standing: says, UpdatedAt: now,
	}
}

// lost reports whether a source says that the person has no access.
func (x *undoing) lost() bool {
	return slices.ContainsFunc(x.others, func(l connector.Link) bool {
		return l.Standing == connector.StandingDisabled || !present(l.Standing)
	})
}

// namesOnly reports whether all that is wrong is that others hold names.
func (x *undoing) namesOnly() bool {
	return len(x.failures) > 0 && !slices.ContainsFunc(x.failures, func(f connector.Failure) bool {
		return f.Reason != connector.UserNameTaken && f.Reason != connector.EmailTaken
	})
}

// claim says which names the user takes again and gives up.
func (x *undoing) claim(f *facts) *claim {
	c := &claim{}
	has := (&connector.User{Profile: x.profile}).Keys()
	var had []connector.UserKey
	if x.user.State.Live() {
		had = x.user.Keys()
	}
	for _, k := range except(has, had) {
		h := keyHash(k)
		c.takes = append(c.takes, h)
		if len(f.byKey[k]) > 0 {
			c.needs = append(c.needs, h)
		}
	}
	for _, k := range except(had, has) {
		c.gives = append(c.gives, keyHash(k))
	}
	return c
}

// label names what a group is about.
func label(group []connector.FieldChange) string {
	switch name := group[0].Field; {
	case slices.Contains(stateFields, name):
		return "the state"
	case slices.Contains(packageFields, name):
		return "the package"
	case name == connector.FieldPendingApproval:
		return "the pending approval"
	default:
		return connector.Label(name)
	}
}
