package provision

import (
	"context"
	"slices"
	"time"

	"usherd/connector"
	"usherd/connector/lifecycle"
	"usherd/connector/policy"
)

// taking is one user on the way from one organization to another.
type taking struct {
	to, from *Provisioner
	user     *connector.User // nil where the name stands for nobody
	id       connector.ID    // the name, where it stands for nobody
	email    string
	pkg      string // "" = the organization's
	actor    string

	failures []connector.Failure
	links    []connector.Link // of the user, in the old organization
	came     *connector.Change
	gone     *connector.Change
	claim    *connector.Claim
	former   *connector.Claim // that is open and ends with this one
}

func (t *taking) refuse(f connector.Failure) {
	f.Code = connector.CodeCreation
	ch := &connector.Change{Org: t.to.o.Org.ID, Source: connector.Claimed, Subject: t.subject()}
	complete(&f, ch, t.to.o.Now())
	t.failures = append(t.failures, f)
}

// decide is what a claim comes to: the reasons why the user stays where it is, else both changes and the claim.
func (c *Claims) decide(ctx context.Context, r connector.Reader, t taking) (taking, error) {
	if err := t.mayGo(ctx, r); err != nil || len(t.failures) > 0 {
		return t, err
	}
	now := t.to.o.Now()
	t.claim = &connector.Claim{
		ID: connector.NewID(now), Org: t.to.o.Org.ID, From: t.from.o.Org.ID, FromUser: t.user.ID, Email: t.user.Profile.Get(connector.Email),
		Was: t.user.Standing(), Actor: t.actor, At: now, Until: now.Add(connector.ClaimTime), Status: connector.ClaimOpen,
		Data: t.user.Profile.Clone(), Package: t.user.Package,
	}
	t.claim.NextAt = nextReminder(t.claim, now)
	if err := t.inherit(ctx, r); err != nil {
		return t, err
	}
	if err := t.mayCome(ctx, r); err != nil || len(t.failures) > 0 {
		return t, err
	}
	t.leaves()
	return t, nil
}

// mayGo asks the old organization's side: whom it gets from a directory or signs in through an identity provider of its
// own is managed there, and who is protected stays.
func (t *taking) mayGo(ctx context.Context, r connector.Reader) (err error) {
	if t.links, err = r.LinksOfUsers(ctx, t.user.Org, []connector.ID{t.user.ID}); err != nil {
		return err
	}
	from := func(kind connector.SourceKind) bool {
		return slices.ContainsFunc(t.links, func(l connector.Link) bool {
			s := t.from.o.Org.Source(l.Source)
			return s != nil && s.Kind == kind
		})
	}
	switch {
	case t.user.State == connector.Inactive:
		t.refuse(connector.Failure{Reason: connector.AccountInactive})
	case from(connector.Directory):
		t.refuse(connector.Failure{Reason: connector.SyncedElsewhere})
	case from(connector.SignIn):
		t.refuse(connector.Failure{Reason: connector.SSOElsewhere})
	case slices.ContainsFunc(t.links, func(l connector.Link) bool { return l.Protected }):
		t.refuse(connector.Failure{Reason: connector.ProtectedUser})
	}
	return nil
}

// inherit takes what an open claim of the old organization still withholds: the person decides about all of it now.
func (t *taking) inherit(ctx context.Context, r connector.Reader) (err error) {
	if t.user.State != connector.ClaimPending {
		return nil
	}
	if t.former, err = r.OpenClaimOf(ctx, t.user.Org, t.user.ID); err != nil || t.former == nil {
		return err
	}
	for name, values := range t.former.Data {
		if len(t.claim.Data[name]) == 0 {
			t.claim.Data.Set(name, values...)
		}
	}
	return nil
}

// mayCome asks the new organization's side, as every door does: its rules, names and domains, and whether a seat is free.
func (t *taking) mayCome(ctx context.Context, r connector.Reader) error {
	org, now := t.to.o.Org, t.to.o.Now()
	profile := connector.Profile{}
	for _, name := range connector.ClaimedAttributes() {
		profile.Set(name, t.user.Profile[name]...)
	}
	d, f, err := t.to.newcomer(ctx, r, profile, t.pkg)
	if err != nil {
		return err
	}
	if name, _ := policy.EmailDomain(t.claim.Email); !f.domains[name].Verified {
		t.refuse(connector.Failure{Reason: connector.DomainNotVerified, Fields: []string{connector.Email}, Domain: name})
		return nil
	}
	f.takenOver = nil // whoever had the person once, it is claimed from where it is
	for _, x := range d.rules(f) {
		t.refuse(x)
	}
	if len(t.failures) > 0 {
		return nil
	}
	state := lifecycle.First(lifecycle.Facts{
		Kind: connector.Administrator, DomainVerified: true, From: t.claim.Was, ClaimOpen: true, PendingApproval: t.user.PendingApproval,
	})
	after := &connector.User{
		ID: connector.NewID(now), Org: org.ID, Profile: profile, State: state, Was: t.claim.Was, Package: d.pkg,
		PendingApproval: t.user.PendingApproval, CreatedAt: now,
	}
	t.claim.User = after.ID
	t.came = d.born(after, t.claim, t.pkg, now)
	if t.came.TakeSeat == "" || t.to.endless(t.came.TakeSeat) {
		return nil
	}
	full, err := t.to.full(ctx, r, t.came)
	if full {
		t.refuse(connector.Failure{Reason: connector.NoSeat, Package: t.came.TakeSeat})
	}
	return err
}

// newcomer is the decision about somebody whom no source knows, with the facts of the rules. The package is the
// organization's where none is given.
func (p *Provisioner) newcomer(ctx context.Context, r connector.Reader, profile connector.Profile, pkg string) (*decision, *facts, error) {
	d := &decision{
		org: p.o.Org, src: &connector.SourceSettings{ID: connector.Claimed, Kind: connector.Administrator}, rec: &connector.Record{}, profile: profile, pkg: pkg,
	}
	if pkg == "" {
		d.pkg = p.o.Org.DefaultPackage
	}
	f := newFacts(p.o.Now())
	return d, f, f.loadRules(ctx, r, p.o.Org.ID, []*decision{d})
}

// rules is the check of a decision that rests on no record.
func (d *decision) rules(f *facts) []connector.Failure {
	return policy.Check(policy.Input{
		Org: d.org, Source: d.src, Profile: d.profile, Package: d.pkg, Domains: f.domains, TakenOver: f.takenOver, Code: d.code(),
		Holder: func(k connector.UserKey) (string, bool) { return d.holder(f, k) },
	})
}

// born is the creation of a user by a claim: from then on what the claim gives is what a source says that gives way to
// all others. Given is the package that was chosen, "" = none.
func (d *decision) born(after *connector.User, c *connector.Claim, given string, now time.Time) *connector.Change {
	ch := &connector.Change{
		Action: connector.Created, Org: d.org.ID, Source: connector.Claimed, Anchor: c.Anchor(), Subject: after.Profile.Subject(), After: after,
		Transitions: []connector.Transition{{To: after.State, Signal: string(lifecycle.Created)}},
		Link:        &connector.Link{Org: d.org.ID, Source: connector.Claimed, Anchor: c.Anchor(), User: after.ID, Package: given, UpdatedAt: now},
	}
	settle(ch, nil, d.org, now)
	return ch
}

// leaves is the end of the user in the old organization.
func (t *taking) leaves() {
	org, now := t.from.o.Org, t.from.o.Now()
	t.gone = &connector.Change{
		Org: org.ID, Source: connector.Claimed, Anchor: t.claim.Anchor(), Subject: t.user.Profile.Subject(), BaseVersion: t.user.Version,
	}
	remove(t.gone, t.user, lifecycle.ClaimedElsewhere, org, now)
	if t.former != nil {
		t.former.Status, t.former.NextAt, t.former.Data, t.former.DecidedAt, t.former.DecidedBy = connector.ClaimEnded, time.Time{}, nil, now, t.actor
	}
}

// write writes both sides and the claim. Seats are taken here, whatever was looked up before.
func (t *taking) write(ctx context.Context, tx connector.Tx) error {
	cause := connector.Cause{Kind: connector.CausePerson, Actor: t.actor}
	for _, l := range t.links {
		if s := t.from.o.Org.Source(l.Source); s != nil && s.Kind == connector.SCIM {
			if err := t.from.leave(ctx, tx, l.Source, t.user.ID, cause); err != nil {
				return err
			}
		}
	}
	for _, side := range []struct {
		p  *Provisioner
		ch *connector.Change
	}{{t.to, t.came}, {t.from, t.gone}} {
		errs, err := side.p.write(ctx, tx, []*connector.Change{side.ch}, cause, t.to.o.Now())
		if err != nil {
			return err
		}
		if errs[0] != nil {
			return errs[0] // which takes back what was written
		}
	}
	if t.former != nil {
		if err := tx.PutClaim(ctx, t.former); err != nil {
			return err
		}
	}
	if err := tx.PutClaim(ctx, t.claim); err != nil {
		return err
	}
	return t.to.announce(ctx, tx, t.claim, t.from.o.Org.Name)
}
