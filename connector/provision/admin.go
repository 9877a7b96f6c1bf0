package provision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"usherd/connector"
	"usherd/connector/lifecycle"
	"usherd/connector/policy"
)

// Command is what an administrator, or a program, does to one user.
type Command struct {
	User   connector.ID
	Actor  string              // who, in words that the history keeps
	Reason string              // of a deactivation
	Cause  connector.CauseKind // "" = CausePerson
	// Version is the one that the user must have, or nothing is done and the error is of Kind Conflict; 0 = any.
	Version int64

	// mail is what the person is told of it, in the same transaction; nil = nothing. It is not called when nothing changes.
	mail func(before *connector.User, now time.Time) connector.Mail
}

// mailAbout is what the person is told, with no address where it is nothing.
func (c *Command) mailAbout(before *connector.User, now time.Time) connector.Mail {
	if c.mail == nil {
		return connector.Mail{}
	}
	return c.mail(before, now)
}

// Deactivate takes a user's access away until an administrator gives it back: no source does.
func (p *Provisioner) Deactivate(ctx context.Context, c Command) (*connector.Change, error) {
	return p.command(ctx, c, func(ch *connector.Change, after *connector.User, f lifecycle.Facts) error {
		if after.State == connector.Inactive && after.DeactivatedBy == connector.BySource {
			after.DeactivatedBy, after.DeactivatedSource, after.DeactivatedReason = connector.ByAdministrator, "", c.Reason
			return nil // the administrator's word replaces the source's
		}
		deactivate(ch, after, f, deactivation{
			by: connector.ByAdministrator, reason: c.Reason, at: p.o.Now(), grace: p.o.Org.DeleteAfter,
		})
		return nil
	})
}

// Reactivate gives the access back; it needs a free seat where the user has a package.
func (p *Provisioner) Reactivate(ctx context.Context, c Command) (*connector.Change, error) {
	return p.command(ctx, c, func(ch *connector.Change, after *connector.User, f lifecycle.Facts) error {
		reactivate(ch, after, f)
		return nil
	})
}

// SetPackage gives the user another package ("" = none), which sources then leave alone; release
// hands the choice back to them.
func (p *Provisioner) SetPackage(ctx context.Context, c Command, pkg string, release bool) (*connector.Change, error) {
	return p.command(ctx, c, func(_ *connector.Change, after *connector.User, _ lifecycle.Facts) error {
		if _, ok := p.o.Org.Package(pkg); pkg != "" && !ok {
			return &connector.Error{
				Kind: connector.Invalid, Op: "provision", Err: fmt.Errorf("there is no package %q", pkg),
				Hint: "see them with: usherd seats",
			}
		}
		if after.PackageFixed = !release; !release {
			after.Package = pkg
		}
		return nil
	})
}

// Delete ends a user now: a dated tombstone stays, the names are free at once.
func (p *Provisioner) Delete(ctx context.Context, c Command) (*connector.Change, error) {
	return p.command(ctx, c, func(ch *connector.Change, after *connector.User, _ lifecycle.Facts) error {
		p.removeNow(ch, after, lifecycle.Delete)
		return nil
	})
}

// removeNow is remove for a command.
func (p *Provisioner) removeNow(ch *connector.Change, after *connector.User, s lifecycle.Signal) {
	user := *after
	remove(ch, &user, s, p.o.Org, p.o.Now())
	if ch.After != nil {
		*after = *ch.After
	}
}

// DomainVerified moves those of the users whom the proof of their domain verifies at once: the ones that
// no directory knows, for those of a directory follow with its next run. It returns how many moved.
func (p *Provisioner) DomainVerified(ctx context.Context, users []connector.ID, actor string) (moved int, err error) {
	links, err := p.o.Store.LinksOfUsers(ctx, p.o.Org.ID, users)
	if err != nil {
		return 0, err
	}
	fromDirectory := map[connector.ID]bool{}
	for _, l := range links {
		if s := p.o.Org.Source(l.Source); s != nil && s.Kind == connector.Directory {
			fromDirectory[l.User] = true
		}
	}
	for _, id := range users {
		if fromDirectory[id] {
			continue
		}
		ch, err := p.command(ctx, Command{User: id, Actor: actor}, func(ch *connector.Change, after *connector.User, f lifecycle.Facts) error {
			move(ch, after, lifecycle.DomainVerified, f)
			return nil
		})
		if err != nil {
			return moved, err
		}
		if ch.Action != connector.Unchanged {
			moved++
		}
	}
	return moved, nil
}

// ErrOtherVersion is behind a refusal of a Command that was meant for another version of the user.
var ErrOtherVersion = errors.New("the user has been changed since it was looked at")

type edit func(ch *connector.Change, after *connector.User, f lifecycle.Facts) error

// command changes one user by an administrator's word, through the same settling and saving as all
// others.
func (p *Provisioner) command(ctx context.Context, c Command, do edit) (*connector.Change, error) {
	var ch *connector.Change
	err := connector.ErrMoved
	for try := 0; try < maxTries && errors.Is(err, connector.ErrMoved); try++ {
		err = p.o.Store.Write(ctx, func(tx connector.Tx) error {
			var err error
			ch, err = p.commandIn(ctx, tx, c, do)
			return err
		})
	}
	if err != nil {
		return nil, err
	}
	return ch, p.offerFreed(ctx, ch)
}

func (p *Provisioner) commandIn(ctx context.Context, tx connector.Tx, c Command, do edit) (*connector.Change, error) {
	users, err := tx.Users(ctx, p.o.Org.ID, []connector.ID{c.User})
	if err != nil {
		return nil, err
	}
	if len(users) == 0 || !users[0].State.Live() {
		return nil, &connector.Error{Kind: connector.NotFound, Op: "provision", Err: errNobody, Hint: "see them with: usherd users"}
	}
	user, now := users[0], p.o.Now()
	if c.Version != 0 && c.Version != user.Version {
		return nil, &connector.Error{
			Kind: connector.Conflict, Op: "provision", Err: ErrOtherVersion, Hint: "look at the user again",
		}
	}
	after := *user
	facts, err := p.adminFacts(ctx, tx, user)
	if err != nil {
		return nil, err
	}
	ch := &connector.Change{
		Action: connector.Updated, Org: p.o.Org.ID, Subject: user.Profile.Subject(), BaseVersion: user.Version, After: &after,
	}
	if err := do(ch, &after, facts); err != nil {
		return nil, err
	}
	if user.PackageFixed && !after.PackageFixed {
		if after.Package, err = p.givenPackage(ctx, tx, user); err != nil {
			return nil, err
		}
	}
	ch.After = &after
	settle(ch, user, p.o.Org, now)
	if ch.Action == connector.Unchanged {
		return ch, nil
	}
	cause := connector.Cause{Kind: cmp.Or(c.Cause, connector.CausePerson), Actor: c.Actor}
	errs, err := p.write(ctx, tx, []*connector.Change{ch}, cause, now)
	if err != nil {
		return nil, err
	}
	if errors.Is(errs[0], connector.ErrNoSeat) {
		return noSeat(ch, now), nil
	}
	if m := c.mailAbout(user, now); errs[0] == nil && m.To != "" {
		return ch, tx.PutMail(ctx, m)
	}
	return ch, errs[0]
}

// givenPackage is the package that the sources of a user give, at once: as long as its records stay the
// same, no run decides about it.
func (p *Provisioner) givenPackage(ctx context.Context, tx connector.Tx, u *connector.User) (string, error) {
	links, err := tx.LinksOfUsers(ctx, p.o.Org.ID, []connector.ID{u.ID})
	var parts []policy.Contribution
	for _, l := range links {
		if present(l.Standing) {
			parts = append(parts, policy.Contribution{Source: l.Source, Package: l.Package})
		}
	}
	if len(parts) == 0 {
		return u.Package, err
	}
	_, _, pkg := policy.Fold(p.o.Org, parts)
	return pkg, err
}

// adminFacts are what the table of states asks about a stored user.
func (p *Provisioner) adminFacts(ctx context.Context, r connector.Reader, u *connector.User) (lifecycle.Facts, error) {
	f := newFacts(p.o.Now())
	d := &decision{org: p.o.Org, profile: u.Profile}
	if err := f.loadRules(ctx, r, p.o.Org.ID, []*decision{d}); err != nil {
		return lifecycle.Facts{}, err
	}
	links, err := r.LinksOfUsers(ctx, p.o.Org.ID, []connector.ID{u.ID})
	facts := lifecycle.Facts{
		Kind: connector.Administrator, DomainVerified: d.verified(f), Resume: u.Resume, PendingApproval: u.PendingApproval,
	}
	for _, l := range links {
		if s := p.o.Org.Source(l.Source); s != nil && (facts.Kind != connector.Directory) {
			facts.Kind = s.Kind
		}
	}
	return facts, err
}
