package provision

import (
	"slices"
	"time"

	"usherd/connector"
	"usherd/connector/lifecycle"
	"usherd/connector/policy"
)

// transition is step 4: the user as it should be, by the one table of states.
func (d *decision) transition(f *facts) {
	if len(d.failures) > 0 {
		d.change = d.newChange(connector.Failed)
		return
	}
	if d.user == nil {
		d.create(f)
		return
	}
	after := *d.user
	after.Profile, after.Package = d.profile, d.pkg
	d.change = d.newChange(connector.Updated)
	d.change.After = &after
	facts := lifecycle.Facts{Kind: d.kind(), DomainVerified: d.verified(f), Resume: after.Resume, PendingApproval: after.PendingApproval}
	switch {
	case d.src.Kind == connector.SignIn: // which takes nothing away and brings nobody back
		if f.signIn {
			move(d.change, &after, lifecycle.SignIn, facts)
		}
	case d.leaving():
		d.deactivate(&after, facts, f.now)
	case d.says != connector.StandingEnabled && d.src.Kind.Brought(): // a file need not say it
	case d.says != connector.StandingEnabled:
		d.warnings = append(d.warnings, "the source did not say whether the account is enabled: the state stays")
	case after.State == connector.Inactive && after.DeactivatedBy == connector.BySource:
		reactivate(d.change, &after, facts)
	case after.State == connector.Inactive:
		d.warnings = append(d.warnings, "an administrator deactivated this user: it stays inactive")
	case d.src.Kind == connector.Template:
		if f.proven {
			move(d.change, &after, lifecycle.EmailProven, facts)
		}
	case d.src.Kind == connector.Directory:
		move(d.change, &after, lifecycle.DirectorySeen, facts)
	}
}

// create is the birth of a user, or the reason why there is none.
func (d *decision) create(f *facts) {
	switch {
	case d.rec.Gone || d.rec.OutOfScope != "":
		d.change = d.newChange(connector.Skipped)
		d.change.Skip = connector.SkipOutOfScope
		return
	case d.unborn():
		d.change = d.newChange(connector.Skipped)
		d.change.Skip = connector.SkipNewButDisabled
		return
	}
	facts := lifecycle.Facts{Kind: d.src.Kind, DomainVerified: d.verified(f), PendingApproval: d.org.Approval || d.src.Approval}
	state := lifecycle.First(facts)
	d.change = d.newChange(connector.Created)
	d.change.After = &connector.User{
		ID: d.newID(f.now), Org: d.org.ID, Profile: d.profile, State: state, Package: d.pkg,
		PendingApproval: facts.PendingApproval, CreatedAt: f.now,
	}
	d.change.Transitions = []connector.Transition{{To: state, Signal: string(lifecycle.Created)}}
	if f.signIn {
		move(d.change, d.change.After, lifecycle.SignIn, facts)
	}
	if d.says == connector.StandingDisabled {
		deactivate(d.change, d.change.After, facts, deactivation{
			by: connector.BySource, source: d.saysSrc, reason: string(d.says), at: f.now, grace: d.grace(),
		})
		d.change.Action = connector.Created
	}
}

// kind is the door that the user counts as coming from: a directory as soon as one knows it.
func (d *decision) kind() connector.SourceKind {
	for _, l := range d.others {
		if s := d.org.Source(l.Source); s != nil && s.Kind == connector.Directory {
			return connector.Directory
		}
	}
	return d.src.Kind
}

func (d *decision) verified(f *facts) bool {
	name, ok := policy.EmailDomain(d.profile.Get(connector.Email))
	return ok && f.domains[name].Verified
}

// deactivate takes the access away, unless the person is protected or has lost it already.
func (d *decision) deactivate(after *connector.User, facts lifecycle.Facts, now time.Time) {
	if after.State == connector.Inactive {
		d.restate(after, now)
		return
	}
	if d.protected() {
		d.change = d.newChange(connector.Skipped)
		d.change.Skip, d.change.Link = connector.SkipProtected, d.protection(now)
		return
	}
	deactivate(d.change, after, facts, deactivation{
		by: connector.BySource, source: d.saysSrc, reason: string(d.says), at: now, grace: d.grace(),
	})
	d.change.Removal = d.change.Action == connector.Deactivated
}

// protected reports whether any source names the person as one whom no source may deactivate.
func (d *decision) protected() bool {
	return d.protectedHere() || slices.ContainsFunc(d.others, func(l connector.Link) bool { return l.Protected })
}

// protectedHere is the word of our source: that of the entry, or, where there is none to tell, the last one.
func (d *decision) protectedHere() bool {
	if d.link != nil && d.src.Kind != connector.SCIM && (d.rec.Gone || d.rec.DN == "" || d.rec.Fault != "") {
		return d.link.Protected
	}
	return d.rec.Protected
}

// protection is our link with nothing but a new word on the protection in it, nil when it is no new one: the
// entry may be gone when it is asked for next. Everything else of the person is decided again by each run.
func (d *decision) protection(now time.Time) *connector.Link {
	if d.link == nil || d.link.Protected == d.protectedHere() {
		return nil
	}
	l := *d.link
	l.Protected, l.Hash, l.UpdatedAt = d.protectedHere(), connector.Hash{}, now
	return &l
}

// grace is how long the user is kept.
func (d *decision) grace() time.Duration { return graceOf(d.org, d.says) }

func graceOf(org *connector.Organization, s connector.Standing) time.Duration {
	if s == connector.StandingGone {
		return org.GoneDeleteAfter
	}
	return org.DeleteAfter
}

// restate keeps the reason of a source's deactivation true when the sources say another one now, and the
// end of the grace period with it. An end that is not the one which the former reason gave is an
// administrator's, or has been moved before: it may become later by this, never sooner.
func (d *decision) restate(after *connector.User, now time.Time) {
	if after.DeactivatedBy != connector.BySource || after.DeactivatedSource == d.saysSrc && after.DeactivatedReason == string(d.says) {
		return
	}
	own := after.DeleteAt.Equal(after.DeactivatedAt.Add(graceOf(d.org, connector.Standing(after.DeactivatedReason))))
	after.DeactivatedSource, after.DeactivatedReason = d.saysSrc, string(d.says)
	at := now.Add(d.grace())
	if d.grace() > 0 && (own || at.After(after.DeleteAt)) {
		after.DeleteAt = at
	}
}

// deactivation is who took the access away, why, and for how long the user is kept.
type deactivation struct {
	by     connector.Authority
	source string
	reason string
	at     time.Time
	grace  time.Duration
}

func deactivate(ch *connector.Change, after *connector.User, facts lifecycle.Facts, x deactivation) {
	before := after.State
	if !move(ch, after, lifecycle.Deactivate, facts) {
		return
	}
	ch.Action = connector.Deactivated
	after.Resume, after.DeactivatedBy, after.DeactivatedSource = before, x.by, x.source
	after.DeactivatedReason, after.DeactivatedAt = x.reason, x.at
	if x.grace > 0 {
		after.DeleteAt = x.at.Add(x.grace)
	}
}

func reactivate(ch *connector.Change, after *connector.User, facts lifecycle.Facts) {
	if !move(ch, after, lifecycle.Reactivate, facts) {
		return
	}
	ch.Action = connector.Reactivated
	after.Resume, after.DeactivatedBy, after.DeactivatedSource, after.DeactivatedReason = "", "", "", ""
	after.DeactivatedAt, after.DeleteAt = time.Time{}, time.Time{}
}

// move puts after into the state that the signal leads to and notes the step.
func move(ch *connector.Change, after *connector.User, s lifecycle.Signal, facts lifecycle.Facts) bool {
	to, ok := lifecycle.Next(after.State, s, facts)
	if !ok || to == after.State {
		return false
	}
	ch.Transitions = append(ch.Transitions, connector.Transition{From: after.State, To: to, Signal: string(s)})
	after.State = to
	return true
}

// record is step 5: the change with everything that the store and the report need.
func (d *decision) record(f *facts) {
	ch := d.change
	ch.Warnings = d.warnings
	if ch.Action == connector.Failed {
		d.refused(f)
		return
	}
	if ch.After == nil {
		return
	}
	settle(ch, d.user, d.org, f.now)
	link := d.newLink(f.now)
	ch.Linked = d.src.Kind.Brought() && d.user != nil && d.link == nil
	if d.link == nil || d.link.Hash != link.Hash || ch.Action != connector.Unchanged {
		ch.Link, ch.Sibling, ch.Unlink = link, d.sibling, d.replaces
	}
	if ch.TakeSeat != "" && f.mayRunShort(ch.TakeSeat) {
		ch.Waiting = d.rec
	}
}

// settle works out what differs, and what that means for version and seats. A change in which
// nothing differs becomes Unchanged.
func settle(ch *connector.Change, before *connector.User, org *connector.Organization, now time.Time) {
	after := ch.After
	ch.Fields = connector.Diff(before, after)
	if len(ch.Fields) == 0 && before != nil {
		ch.Action, ch.After = connector.Unchanged, nil
		return
	}
	held, holds := "", ""
	if before != nil && before.HoldsSeat(org.InactiveHoldsSeat) {
		held = before.Package
	}
	if after.HoldsSeat(org.InactiveHoldsSeat) {
		holds = after.Package
	}
	if held != holds {
		ch.FreeSeat, ch.TakeSeat = held, holds
	}
	after.Version, after.UpdatedAt = ch.BaseVersion+1, now
}

// dn is where the entry stands, or stood when it was last seen.
func (d *decision) dn() string {
	if d.rec.DN == "" && d.link != nil {
		return d.link.DN
	}
	return d.rec.DN
}

// place is how groups know the entry, or knew it when it was last seen.
func (d *decision) place() (key connector.Hash, primary uint32) {
	if d.rec.DN == "" && d.link != nil {
		return d.link.Key, d.link.PrimaryGroup
	}
	return d.rec.Key, d.rec.PrimaryGroup
}

// renamed reports whether the source names the entry by another DN in all groups than the link has it.
func (d *decision) renamed() bool {
	key, _ := d.place()
	none := connector.Hash{}
	return d.src.RenamesFollow && d.link != nil && d.link.Key != none && key != none && key != d.link.Key
}

func (d *decision) newLink(now time.Time) *connector.Link {
	l := &connector.Link{
		Org: d.org.ID, Source: d.src.ID, Anchor: d.rec.Anchor, DN: d.dn(), Hash: d.hash,
		Package: d.mapped.Package, Standing: d.standing(), Protected: d.protectedHere(), RecheckAt: d.rec.RecheckAt, UpdatedAt: now,
	}
	l.Key, l.PrimaryGroup = d.place()
	l.MembershipsFollow = d.renamed()
	if d.user != nil {
		l.User = d.user.ID
	} else {
		l.User = d.change.After.ID
	}
	if d.src.Kind == connector.SCIM { // its groups name people by id
		l.Key = connector.Hash(l.User)
	}
	profile := d.mapped.Profile
	if !present(l.Standing) {
		profile, l.Package = d.lastKnown()
	}
	if len(d.others) > 0 {
		l.Profile = profile
	}
	return l
}

func (d *decision) newChange(a connector.Action) *connector.Change {
	ch := &connector.Change{
		Action: a, Org: d.org.ID, Source: d.src.ID, Anchor: d.rec.Anchor, DN: d.dn(), Subject: d.mapped.Profile.Subject(),
	}
	if d.user != nil {
		ch.BaseVersion = d.user.Version
		if ch.Subject == "" {
			ch.Subject = d.user.Profile.Subject()
		}
	}
	if ch.Subject == "" {
		ch.Subject = ch.DN
	}
	return ch
}

// refused completes the failures of a person to whom nothing happens.
func (d *decision) refused(f *facts) {
	nameless(d.change, d.rec.User)
	for i := range d.failures {
		x := &d.failures[i]
		if d.user != nil {
			x.UserID = d.user.ID
		}
		complete(x, d.change, f.now)
	}
	d.change.Failures = d.failures
}

func complete(x *connector.Failure, ch *connector.Change, now time.Time) {
	x.Org, x.Source, x.Subject, x.At = ch.Org, ch.Source, ch.Subject, now
	x.Ref = connector.NewRef(ch.Org, ch.Source, ch.Anchor.Raw, ch.Subject, string(x.Reason))
}

// refuse turns a decided change into the refusal of it: nothing happens to the person.
func refuse(ch *connector.Change, x connector.Failure, now time.Time) *connector.Change {
	no := &connector.Change{
		Action: connector.Failed, Org: ch.Org, Source: ch.Source, Anchor: ch.Anchor, DN: ch.DN,
		Subject: ch.Subject, BaseVersion: ch.BaseVersion, Warnings: ch.Warnings,
	}
	x.Code = connector.CodeUpdate
	if x.Reason == connector.NoSeat {
		no.Waiting = ch.Waiting
	}
	if ch.After != nil {
		nameless(no, ch.After.ID)
	}
	if ch.BaseVersion == 0 {
		x.Code = connector.CodeCreation
	} else if ch.After != nil {
		x.UserID = ch.After.ID
	}
	complete(&x, no, now)
	no.Failures = []connector.Failure{x}
	return no
}

// noSeat is the refusal of a change whose package is full.
func noSeat(ch *connector.Change, now time.Time) *connector.Change {
	return refuse(ch, connector.Failure{Reason: connector.NoSeat, Package: ch.TakeSeat}, now)
}

// remove ends a user: what stays is the tombstone with its id, user name and dates. An After of nil
// says that the table does not allow it.
func remove(ch *connector.Change, u *connector.User, s lifecycle.Signal, org *connector.Organization, now time.Time) {
	after := *u
	if !move(ch, &after, s, lifecycle.Facts{Resume: u.Resume}) {
		return
	}
	ch.Action, ch.After = connector.Removed, &after
	after.Profile = connector.Profile{}
	if n := u.Profile.Get(connector.UserName); n != "" {
		after.Profile.Set(connector.UserName, n)
	}
	after.Package, after.PackageFixed, after.PendingApproval, after.Was, after.Resume = "", false, false, "", ""
	after.DeleteAt = time.Time{}
	settle(ch, u, org, now)
}
