package provision

import (
	"context"
	"slices"

	"usherd/connector"
	"usherd/connector/lifecycle"
)

// decidePush is decideOne for what a door hands in. Whom a client has deleted is kept for a while, in case the person
// returns, but stands in nobody's way: when somebody else wants a name of theirs, their time is over (RFC 7644 section
// 3.6: deleted resources are not considered where values have to be unique).
func (p *Provisioner) decidePush(ctx context.Context, tx connector.Tx, push Push, rec *connector.Record) (*decision, error) {
	f := newFacts(p.o.Now())
	f.signIn, f.proven = push.SignIn, push.Proven
	d, err := p.decideBy(ctx, tx, f, push.Source, rec)
	if err != nil || d.src.Kind != connector.SCIM || !wantsNames(d.change) {
		return d, err
	}
	deleted, err := p.deletedHolders(ctx, tx, d)
	if err != nil || len(deleted) == 0 {
		return d, err
	}
	for _, u := range deleted {
		ch := &connector.Change{Org: p.o.Org.ID, Source: u.DeactivatedSource, Subject: u.Profile.Subject(), BaseVersion: u.Version}
		remove(ch, u, lifecycle.GraceOver, p.o.Org, p.o.Now())
		if ch.After == nil {
			return d, nil
		}
		errs, err := p.write(ctx, tx, []*connector.Change{ch}, push.Cause, p.o.Now())
		if err != nil {
			return nil, err
		}
		if errs[0] != nil {
			return nil, errs[0]
		}
	}
	if d, err = p.decideOne(ctx, tx, push.Source, rec); err == nil {
		d.displaced = true
	}
	return d, err
}

// inVainError undoes the transaction in which the deleted gave up their names for somebody who is refused all the same:
// they stay as they were, and only the refusal is kept.
type inVainError struct{ decision *decision }

func (*inVainError) Error() string {
	return "the names of the deleted were given up in vain"
}

// wantsNames reports whether names that others hold are all that is held against a change.
func wantsNames(ch *connector.Change) bool {
	for _, f := range ch.Failures {
		key := f.Reason == connector.AmbiguousMatch && slices.Equal(f.Fields, []string{externalID})
		if f.Reason != connector.UserNameTaken && f.Reason != connector.EmailTaken && !key {
			return false
		}
	}
	return len(ch.Failures) > 0
}

// deletedHolders are the users who hold names that the person wants; none where one of them is not deleted.
func (p *Provisioner) deletedHolders(ctx context.Context, r connector.Reader, d *decision) (deleted []*connector.User, err error) {
	users, err := r.UsersByKey(ctx, p.o.Org.ID, (&connector.User{Profile: d.profile}).Keys())
	if err != nil {
		return nil, err
	}
	links, err := r.Links(ctx, p.o.Org.ID, d.src.ID, []connector.Anchor{d.rec.Anchor})
	for _, l := range links {
		known := func(u *connector.User) bool { return u.ID == l.User }
		if err == nil && !slices.ContainsFunc(users, known) {
			var holder []*connector.User
			holder, err = r.Users(ctx, p.o.Org.ID, []connector.ID{l.User})
			users = append(users, holder...)
		}
	}
	if err != nil {
		return nil, err
	}
	for _, u := range users {
		by := p.o.Org.Source(u.DeactivatedSource)
		switch {
		case d.user != nil && u.ID == d.user.ID, !u.State.Live():
		case u.State == connector.Inactive && u.DeactivatedReason == string(connector.StandingGone) && by != nil && by.Kind == connector.SCIM:
			deleted = append(deleted, u)
		default:
			return nil, nil
		}
	}
	return deleted, nil
}
