package provision

import (
	"context"
	"errors"
	"time"

	"usherd/connector"
)

// Offer gives the free seats of all packages to those who wait for them, longest waiting first. The
// daemon calls it at start and after a change of seats; runs and Submit do it by themselves.
func (p *Provisioner) Offer(ctx context.Context) error {
	for _, pkg := range p.o.Org.Packages {
		if _, err := p.offer(ctx, pkg.ID, waitingList); err != nil {
			return err
		}
	}
	return nil
}

// offer tries the people at the head of the waiting list again as long as seats are free. Everybody
// who is tried leaves the list or gets the seat, so it ends. It returns how many got one.
func (p *Provisioner) offer(ctx context.Context, pkg string, cause connector.Cause) (got int, err error) {
	for pkg != "" {
		seats, err := p.o.Store.Seats(ctx, p.o.Org.ID)
		if err != nil {
			return got, err
		}
		free := 0
		for _, s := range seats {
			if s.Package == pkg {
				free = min(s.Free(), s.Waiting)
			}
		}
		if free == 0 {
			return got, nil
		}
		waiters, err := p.o.Store.Waiting(ctx, p.o.Org.ID, pkg, min(free, batchSize))
		if err != nil {
			return got, err
		}
		left := 0
		for _, w := range waiters {
			leaves, hasOne, err := p.offerTo(ctx, w, cause)
			if err != nil {
				return got, err
			}
			if leaves {
				left++
			}
			if hasOne {
				got++
			}
		}
		if left == 0 {
			return got, nil
		}
	}
	return got, nil
}

// pushedWait is how long somebody whom a client has asked for keeps a place without being asked for again. A client
// that was refused has no id to say by that it does not want the person any more: that it is silent is all there is.
const pushedWait = 7 * 24 * time.Hour

// Lapsed reports whether a place is given up when its turn comes: its source is not configured any more, or is a client that has not
// asked for the person for a week.
func Lapsed(org *connector.Organization, w connector.Waiter, now time.Time) bool {
	src := org.Source(w.Source)
	return src == nil || src.Kind == connector.SCIM && now.Sub(w.Asked) > pushedWait
}

// errOutdated is for a place whose record is not the last word on the person any more.
var errOutdated = errors.New("the source has said something else since")

// offerTo tries one person again, and reports whether it leaves the list, and whether with a seat.
func (p *Provisioner) offerTo(ctx context.Context, w connector.Waiter, cause connector.Cause) (leaves, hasOne bool, err error) {
	src := p.o.Org.Source(w.Source)
	if src == nil { // it is not configured any more: nobody can decide
		return true, false, p.strike(ctx, w)
	}
	push := constant(w.Source, w.Record, cause)
	switch src.Kind { //nolint:exhaustive // of the others the record is the last word
	case connector.Template:
		push = p.again(push, w)
	case connector.SCIM:
		if Lapsed(p.o.Org, w, p.o.Now()) {
			return true, false, p.o.Store.Write(ctx, func(tx connector.Tx) error { return tx.LeaveList(ctx, w) })
		}
		push = lastWord(push, w)
	}
	d, err := p.submit(ctx, push)
	switch {
	case errors.Is(err, errOutdated):
		return true, false, p.strike(ctx, w)
	case errors.Is(err, connector.ErrMoved):
		return false, false, nil
	case err != nil:
		return false, false, err
	}
	return !waitsFor(d.change, w.Package), d.change.TakeSeat != "", nil
}

// lastWord is the push of somebody who has waited, refused where the client has said something else of that user since,
// or the user is there no more.
func lastWord(push Push, w connector.Waiter) Push {
	record := push.Record
	push.Record = func(ctx context.Context, r connector.Reader) (*connector.Record, error) {
		if !w.Record.User.IsZero() {
			users, err := r.Users(ctx, w.Org, []connector.ID{w.Record.User})
			if err != nil {
				return nil, err
			}
			if len(users) > 0 && !users[0].State.Live() {
				return nil, errOutdated
			}
		}
		return record(ctx, r)
	}
	push.Accept = func(_ *connector.User, link *connector.Link, _ *connector.Change) error {
		if link != nil && link.UpdatedAt.After(w.Asked) {
			return errOutdated
		}
		return nil
	}
	return push
}

// offerFreed is offer after a single change that may have freed a seat of a package that somebody can wait for. That is
// stored: whoever asked for it need not stay for what follows.
func (p *Provisioner) offerFreed(ctx context.Context, ch *connector.Change) error {
	if p.endless(ch.FreeSeat) {
		return nil
	}
	_, err := p.offer(context.WithoutCancel(ctx), ch.FreeSeat, waitingList)
	return err
}

var waitingList = connector.Cause{Kind: connector.CauseRequest, Actor: "waiting list"}

// strike takes somebody off the waiting list, and closes the open items.
func (p *Provisioner) strike(ctx context.Context, w connector.Waiter) error {
	return p.o.Store.Write(ctx, func(tx connector.Tx) error {
		if err := tx.LeaveList(ctx, w); err != nil || w.Record.Anchor.IsZero() {
			return err
		}
		return tx.CloseGone(ctx, w.Org, w.Source, []connector.Anchor{w.Record.Anchor})
	})
}

// waitsFor reports whether the person is still on the list of that package.
func waitsFor(ch *connector.Change, pkg string) bool {
	for _, f := range ch.Failures {
		if f.Reason == connector.NoSeat {
			return f.Package == pkg
		}
	}
	return false
}

func waitsStill(ch *connector.Change) bool {
	for _, f := range ch.Failures {
		if f.Reason == connector.NoSeat {
			return true
		}
	}
	return false
}
