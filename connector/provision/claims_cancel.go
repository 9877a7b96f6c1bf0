package provision

import (
	"context"
	"errors"
	"slices"

	"usherd/connector"
	"usherd/connector/lifecycle"
)

const claimerGone = "the organization that claimed is not in the configuration any more"

// errCancelRefused takes back what was written of a claim that cannot be cancelled yet.
var errCancelRefused = errors.New("the account cannot be given back")

// cancelOrphans cancels the open claims that organizations have made of p's users which are not in the configuration any more:
// nobody could decide there, and the person could use neither account.
func (c *Claims) cancelOrphans(ctx context.Context, p *Provisioner, done *ClaimsDone) error {
	q := connector.ClaimQuery{Org: p.o.Org.ID, Lost: true, Status: connector.ClaimOpen, Limit: claimPage}
	for {
		page, err := c.store.Claims(ctx, q)
		if err != nil {
			return err
		}
		for i := range page {
			if c.orgs[page[i].Org] != nil {
				continue
			}
			if err := c.cancel(ctx, p, &page[i], done); err != nil {
				return err
			}
		}
		if len(page) < claimPage {
			return nil
		}
		q.Before = page[len(page)-1].ID
	}
}

// cancel ends one claim as if it had not been: the user ends where it went, and is made anew where it was. Where that is
// refused, for want of a seat or as somebody has the name now, nothing is changed and the next time tries again.
func (c *Claims) cancel(ctx context.Context, p *Provisioner, of *connector.Claim, done *ClaimsDone) error {
	gone := New(Options{Store: p.o.Store, Org: &connector.Organization{ID: of.Org}, Now: p.o.Now})
	var e *ending
	err := c.retried(ctx, p, func(tx connector.Tx) error {
		claim, err := tx.Claim(ctx, of.Org, of.ID)
		if err != nil {
			return err
		}
		e = &ending{to: gone, from: p, old: c.nameOf(claim.Org), claim: claim, email: claim.Email, actor: claimerGone}
		if err := e.cancel(ctx, tx); err != nil || len(e.failures) == 0 {
			return err
		}
		return errCancelRefused
	})
	switch {
	case errors.Is(err, errCancelRefused), errors.Is(err, connector.ErrNoSeat):
		done.Blocked++
		return nil
	case err == nil && e.claim.Status == connector.ClaimCancelled && !e.over:
		done.Cancelled++
	}
	return err
}

// cancel decides and writes it.
func (e *ending) cancel(ctx context.Context, tx connector.Tx) error {
	if e.over = e.claim.Status != connector.ClaimOpen; e.over {
		return nil
	}
	users, err := tx.Users(ctx, e.claim.Org, []connector.ID{e.claim.User})
	if err != nil {
		return err
	}
	if len(users) == 0 || !pends(users[0]) {
		e.over = true
		e.close(connector.ClaimEnded)
		return tx.PutClaim(ctx, e.claim)
	}
	if err := e.leave(ctx, tx, users[0]); err != nil {
		return err
	}
	if err := e.revive(ctx, tx, e.claim.Data.Clone(), users[0].PendingApproval); err != nil || len(e.failures) > 0 {
		return err
	}
	m := e.from.claimMail(e.claim, connector.ClaimCancelledMail, e.old, connector.ID{})
	m.Org = e.from.o.Org.ID
	if err := tx.PutMail(ctx, m); err != nil {
		return err
	}
	e.close(connector.ClaimCancelled)
	return tx.PutClaim(ctx, e.claim)
}

// leave ends the user where it went.
func (e *ending) leave(ctx context.Context, tx connector.Tx, u *connector.User) error {
	signal := lifecycle.ClaimedElsewhere
	if u.State == connector.Inactive {
		signal = lifecycle.Delete
	}
	ch := &connector.Change{Org: e.claim.Org, Source: connector.Claimed, Anchor: e.claim.Anchor(), Subject: u.Profile.Subject(), BaseVersion: u.Version}
	remove(ch, u, signal, e.to.o.Org, e.to.o.Now())
	return e.put(ctx, tx, e.to, ch)
}

// revive makes the account anew in the old organization. With ClaimKeep that is under the other address, which is proven.
func (e *ending) revive(ctx context.Context, tx connector.Tx, profile connector.Profile, unapproved bool) error {
	p, now := e.from, e.from.o.Now()
	given := e.claim.Package
	if _, ok := p.o.Org.Package(given); !ok {
		given = ""
	}
	d, f, err := p.newcomer(ctx, tx, profile, given)
	if err != nil {
		return err
	}
	facts := lifecycle.Facts{Kind: connector.Administrator, DomainVerified: d.verified(f), From: e.claim.Was}
	after := &connector.User{
		ID: connector.NewID(now), Org: p.o.Org.ID, Profile: profile, State: lifecycle.First(facts), Package: d.pkg, PendingApproval: unapproved, CreatedAt: now,
	}
	ch := d.born(after, e.claim, given, now)
	refused := d.rules(f)
	if e.choice == connector.ClaimKeep {
		move(ch, after, lifecycle.EmailProven, facts)
	} else { // it was there before whoever has claimed the domain
		refused = slices.DeleteFunc(refused, func(x connector.Failure) bool { return x.Reason == connector.DomainClaimedElsewhere })
	}
	settle(ch, nil, p.o.Org, now)
	if len(refused) == 0 {
		if refused, err = p.seatless(ctx, tx, ch); err != nil {
			return err
		}
	}
	for i := range refused {
		complete(&refused[i], ch, now)
	}
	if e.failures = refused; len(refused) > 0 {
		return nil
	}
	e.claim.Kept = after.ID
	return e.put(ctx, tx, p, ch)
}

// seatless is the refusal of a change for which no seat is free.
func (p *Provisioner) seatless(ctx context.Context, r connector.Reader, ch *connector.Change) ([]connector.Failure, error) {
	if ch.TakeSeat == "" || p.endless(ch.TakeSeat) {
		return nil, nil
	}
	full, err := p.full(ctx, r, ch)
	if err != nil || !full {
		return nil, err
	}
	return []connector.Failure{{Code: connector.CodeCreation, Reason: connector.NoSeat, Package: ch.TakeSeat}}, nil
}

// put writes the change of one organization.
func (e *ending) put(ctx context.Context, tx connector.Tx, p *Provisioner, ch *connector.Change) error {
	errs, err := p.write(ctx, tx, []*connector.Change{ch}, connector.Cause{Kind: connector.CausePerson, Actor: e.actor}, p.o.Now())
	if err != nil {
		return err
	}
	return errs[0]
}
