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
func (l *planner) guard() (err error) {
	plan := l.plan
	if !plan.complete {
		l.dropAbsences()
	}
	reason := l.holdAll()
	if plan.holdAll = reason != ""; !plan.holdAll {
		if reason, err = l.holdRemovals(); err != nil {
			return err
		}
		more := l.holdRewrites()
		plan.holdGone, plan.holdUpdates = reason != "", more != ""
		reason = strings.Join(slices.DeleteFunc([]string{reason, more, l.holdRest()}, func(s string) bool { return s == "" }), "; ")
	}
	l.warnOfBlanks()
	l.settle(reason)
	return nil
}

// settle gives out the seats, holds what waits for that reason unless it is approved, and counts.
func (l *planner) settle(reason string) {
	plan, run := l.plan, l.plan.Run
	l.settleSeats()
	l.countRemovals()
	switch {
	case plan.holdsAnybody() || plan.waitsForGroups():
		digest := plan.heldDigest()
		if l.req.Approved == digest && l.chosenAre() {
			l.letPass()
			break
		}
		run.Hold = l.hold(reason, digest)
		l.goOnCounting()
		plan.state.Fingerprint = l.last.Fingerprint // until somebody approves, each run is the first under these settings
	case l.last.Fingerprint != connector.Hash{}:
		plan.holdAll = false // there is nothing to look at
	}
	plan.count(l.same)
}

// recent counts who has lost access within the last hour without anybody having been asked. While removals
// wait for approval it is the hour before they were held: time alone lets nothing pass about which somebody is
// asked.
func (l *planner) recent() (n int, kept []connector.RemovalCount) {
	if l.waitsSince.IsZero() {
		return policy.Recent(l.last.Removed, l.facts.now)
	}
	return policy.Recent(l.last.Removed, l.waitsSince)
}

// goOnCounting makes what counted together with the removals that are held now count with them in later runs.
func (l *planner) goOnCounting() {
	if !l.plan.holdGone {
		return
	}
	n, _ := l.recent()
	l.plan.state.Removed = nil
	if n > 0 {
		l.plan.state.Removed = []connector.RemovalCount{{At: l.facts.now, N: n}}
	}
}

// countRemovals notes those of a full run that nobody was asked about.
func (l *planner) countRemovals() {
	_, kept := policy.Recent(l.last.Removed, l.facts.now)
	if n := l.plan.removalCount(); n > 0 && !l.plan.holdGone && !l.plan.holdAll {
		kept = append(kept, connector.RemovalCount{At: l.facts.now, N: n})
	}
	l.plan.state.Removed = kept
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

// holdRemovals says why the removals are too many to be applied unseen, "" = they are not.
func (l *planner) holdRemovals() (reason string, err error) {
	removals := l.plan.removalCount()
	recent, _ := l.recent()
	reason, held := policy.Removals(l.src.Guard, l.people(), removals, recent)
	switch {
	case removals == 0 || !held && !l.unasked && !l.settingsChanged():
		return "", nil
	case !held && l.unasked:
		reason = fmt.Sprintf("%d people are absent, too many to ask the directory for each", removals)
	case !held:
		reason = peoples(removals) + " would lose access"
	}
	cause, err := l.cause()
	return reason + ": " + cause, err
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

// holdRewrites says that so many users would get another value of one attribute that a mistake in the mapping
// is likelier than so many changes; "" = they are not that many.
func (l *planner) holdRewrites() string {
	return l.mistake(policy.Changes(l.src.Guard, l.users(), l.plan.rewritten))
}

// warnOfBlanks says that so many users are refused for want of one attribute that a mistake in the mapping is
// likelier than so many mistakes in the source.
func (l *planner) warnOfBlanks() {
	if why := l.mistake(policy.Blanks(l.src.Guard, l.users(), l.plan.blanked)); why != "" {
		l.plan.Run.Warnings = append(l.plan.Run.Warnings, why+"; they stay as they are: correct the mapping, or see what the account may read with: usherd check --connect")
	}
}

func (l *planner) mistake(reasons []string) string {
	reason := strings.Join(reasons, "; ")
	if reason != "" && l.settingsChanged() {
		reason += ": " + ourSettings
	}
	return reason
}

// users are those about whom the plan says something, or who are as they were.
func (l *planner) users() int {
	if l.index == nil { // a run of changes, which reads nobody who is as before
		return l.people()
	}
	return l.plan.Run.Counts.Unchanged + l.same + l.plan.existing
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
		return ourSettings + " (first_run: preview)"
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
