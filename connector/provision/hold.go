package provision

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"usherd/connector"
	"usherd/connector/policy"
)

// guard decides what waits for approval, gives out the seats, and counts.
func (l *planner) guard() {
	plan := l.plan
	if !plan.complete {
		l.dropAbsences()
	}
	reason := l.holdAll()
	if plan.holdAll = reason != ""; !plan.holdAll {
		var more string
		plan.holdGone, reason = l.holdRemovals()
		plan.holdUpdates, more = l.holdRewrites()
		reason = strings.Join(slices.DeleteFunc([]string{reason, more, l.holdRest()}, func(s string) bool { return s == "" }), "; ")
	}
	l.settle(reason)
}

// settle gives out the seats, holds what waits for that reason unless it is approved, and counts.
func (l *planner) settle(reason string) {
	plan, run := l.plan, l.plan.Run
	l.settleSeats()
	switch {
	case plan.holdsAnybody() || plan.waitsForGroups():
		digest := plan.heldDigest()
		if l.req.Approved == digest && l.chosenAre() {
			l.letPass()
			break
		}
		run.Hold = l.hold(reason, digest)
		plan.state.Fingerprint = l.last.Fingerprint // until somebody approves, each run is the first under these settings
	case l.last.Fingerprint != connector.Hash{}:
		plan.holdAll = false // there is nothing to look at
	}
	plan.count(l.same)
}

// hold is what the run leaves to be approved. What only waits because the rest of an approval does is
// no longer held than that.
func (l *planner) hold(reason, digest string) *connector.Hold {
	h := &connector.Hold{
		Reason: reason, Whole: l.plan.holdAll, Status: connector.HoldOpen, Digest: digest,
		Removals: l.plan.holdGone, Updates: l.plan.holdUpdates,
		Expires: l.plan.Run.Started.Add(l.src.Guard.ExpiresAfter.Or(time.Duration(policy.DefaultGuard().ExpiresAfter))),
	}
	if rest := l.req.Rest; rest != nil && !h.Whole {
		if h.Rest = rest.Rest; reason == rest.Reason {
			h.Expires = rest.Expires
		}
	}
	return h
}

// letPass lifts the holds from what was approved; the removals free their seats now.
func (l *planner) letPass() {
	l.plan.approved = true
	if l.req.Part != nil {
		l.letPartPass()
		return
	}
	l.plan.holdAll, l.plan.holdGone, l.plan.holdUpdates = false, false, false
	clear(l.plan.denied)
	l.settleSeats()
}

// holdRemovals says whether the removals are too many to be applied unseen, and why.
func (l *planner) holdRemovals() (held bool, reason string) {
	removals := l.plan.removalCount()
	recent, _ := policy.Recent(l.last.Removed, l.facts.now)
	if reason, held = policy.Removals(l.src.Guard, l.people(), removals, recent); held {
		return true, reason
	}
	if removals > 0 && l.unasked {
		return true, fmt.Sprintf("%d people are absent, too many to ask the directory for each", removals)
	}
	if removals > 0 && l.settingsChanged() {
		return true, fmt.Sprintf("scope, filter or mapping have changed since the last run, and %d people would lose access by it", removals)
	}
	return false, ""
}

// removalCount is how many people the plan takes access from.
func (p *Plan) removalCount() int {
	n := 0
	for o, e := range p.entries.all() {
		if e.removal && !p.overruled(o) {
			n++
		}
	}
	return n
}

// holdRewrites says whether so many users would get another value of one attribute that a mistake in
// the mapping is likelier than so many changes.
func (l *planner) holdRewrites() (held bool, reason string) {
	users := l.plan.Run.Counts.Unchanged + l.same + l.plan.existing
	if l.index == nil { // a run of changes, which reads nobody who is as before
		users = l.people()
	}
	reasons := policy.Changes(l.src.Guard, users, l.plan.rewritten)
	return len(reasons) > 0, strings.Join(reasons, "; ")
}

// holdAll says why everything waits, if it does.
func (l *planner) holdAll() string {
	switch {
	case l.req.Hold != "":
		return l.req.Hold
	case l.older != "":
		return l.older
	case l.src.FirstRun == connector.FirstRunApply:
		return ""
	case l.last.Fingerprint == (connector.Hash{}):
		return "the first run of a source is looked at before it is applied (first_run: preview)"
	case l.settingsChanged():
		return "scope, filter or mapping of the source have changed since the last run (first_run: preview)"
	}
	return ""
}

func (l *planner) settingsChanged() bool {
	return l.last.Fingerprint != (connector.Hash{}) && l.last.Fingerprint != l.src.Fingerprint
}

// waive leaves people as they are whose anchor came more than once: what was decided rests on what was
// read first, which was not true any more.
func (l *planner) waive() error {
	if len(l.twice) == 0 {
		return nil
	}
	for x, err := range l.plan.all(nil) {
		if err != nil {
			return err
		}
		if l.twice[x.Change.Anchor] && x.Change.Action != connector.Failed {
			l.plan.waived[x.Ordinal] = true
		}
	}
	return nil
}

// dropAbsences takes back every removal for which the person's own entry is no evidence.
func (l *planner) dropAbsences() {
	for o, e := range l.plan.entries.all() {
		if e.removal && !e.explicit {
			l.plan.dropped[o] = true
		}
	}
}
