package provision

import (
	"cmp"
	"context"
	"errors"

	"usherd/connector"
)

// maxTries bounds how often a person who keeps being changed by others is decided again.
const maxTries = 5

// Push is one record that a door hands in.
type Push struct {
	Source string
	// Record makes the record of what stands in the transaction in which it is decided. Its error refuses the
	// push; it may be called again.
	Record func(ctx context.Context, r connector.Reader) (*connector.Record, error)
	// Accept looks at the decision before it is written, and its error refuses that: before is the user as it
	// was, nil where there was none, and link the source's own. Nil accepts everything.
	Accept func(before *connector.User, link *connector.Link, ch *connector.Change) error
	// SignIn says that the person is signing in at this moment (sources of Kind SignIn): who may not is refused, and
	// a first sign-in makes a verified user active.
	SignIn bool
	// Proven says that the person has proven the address of the record (sources of Kind Template).
	Proven bool
	Cause  connector.Cause
}

// Submit decides one record now and writes the decision, durable when it returns. The change says what
// came of it: a refusal is a change with Failures, not an error. Many Submits may go on at once, beside
// a run; those that arrive together share a transaction.
func (p *Provisioner) Submit(ctx context.Context, source string, rec *connector.Record, cause connector.Cause) (*connector.Change, error) {
	return p.Push(ctx, constant(source, rec, cause))
}

// Push is Submit with a record that is made where it is decided, so that nothing comes between.
func (p *Provisioner) Push(ctx context.Context, push Push) (*connector.Change, error) {
	d, err := p.submit(ctx, push)
	if err != nil {
		return nil, err
	}
	return d.change, p.offerFreed(ctx, d.change)
}

func constant(source string, rec *connector.Record, cause connector.Cause) Push {
	return Push{Source: source, Cause: cause, Record: func(context.Context, connector.Reader) (*connector.Record, error) { return rec, nil }}
}

func (p *Provisioner) submit(ctx context.Context, push Push) (*decision, error) {
	var d *decision
	err := errors.New("never tried")
	for try := 0; try < maxTries && err != nil; try++ {
		err = p.o.Store.Write(ctx, func(tx connector.Tx) error {
			var err error
			d, err = p.submitIn(ctx, tx, push)
			return err
		})
		if !errors.Is(err, connector.ErrMoved) {
			break
		}
	}
	if vain, ok := errors.AsType[*inVainError](err); ok {
		d = vain.decision
		err = p.o.Store.Write(ctx, func(tx connector.Tx) error { return p.keep(ctx, tx, push, d) })
	}
	return d, err
}

func (p *Provisioner) submitIn(ctx context.Context, tx connector.Tx, push Push) (*decision, error) {
	rec, err := push.Record(ctx, tx)
	if err != nil {
		return nil, err
	}
	d, err := p.decidePush(ctx, tx, push, rec)
	if err != nil {
		return nil, err
	}
	if push.Accept != nil {
		if err := push.Accept(d.user, cmp.Or(d.link, d.former), d.change); err != nil {
			return nil, err
		}
	}
	if d.deleted() {
		if err := p.leave(ctx, tx, push.Source, d.user.ID, push.Cause); err != nil {
			return nil, err
		}
	}
	if err := p.keep(ctx, tx, push, d); err != nil {
		return nil, err
	}
	if d.displaced && d.change.Action == connector.Failed {
		return nil, &inVainError{d}
	}
	return d, nil
}

// keep writes a decision and the record that it rests on.
func (p *Provisioner) keep(ctx context.Context, tx connector.Tx, push Push, d *decision) (err error) {
	if d.change, err = p.save(ctx, tx, d.change, push.Cause); err != nil {
		return err
	}
	if chunk := p.packOne(push.Source, d.rec, push.Cause.Run); chunk != nil {
		return tx.PutRecords(ctx, chunk)
	}
	return nil
}

// decideOne decides one person by what stands in the transaction.
func (p *Provisioner) decideOne(ctx context.Context, r connector.Reader, source string, rec *connector.Record) (*decision, error) {
	return p.decideBy(ctx, r, newFacts(p.o.Now()), source, rec)
}

func (p *Provisioner) decideBy(ctx context.Context, r connector.Reader, f *facts, source string, rec *connector.Record) (*decision, error) {
	ds, err := p.decide(ctx, r, f, source, []*connector.Record{rec})
	if err != nil {
		return nil, err
	}
	return p.seated(ctx, r, ds[0])
}

// seated refuses what needs a seat where none is free for it.
func (p *Provisioner) seated(ctx context.Context, r connector.Reader, d *decision) (*decision, error) {
	if d.change.TakeSeat == "" || p.endless(d.change.TakeSeat) {
		return d, nil
	}
	full, err := p.full(ctx, r, d.change)
	if full {
		d.change = noSeat(d.change, p.o.Now())
	}
	return d, err
}

// endless reports whether the package has seats for everybody, so that nobody waits for one.
func (p *Provisioner) endless(pkg string) bool {
	k, ok := p.o.Org.Package(pkg)
	return ok && k.Seats == connector.Unlimited
}

// full reports whether the seats that are free belong to people who have waited longer.
func (p *Provisioner) full(ctx context.Context, r connector.Reader, ch *connector.Change) (bool, error) {
	seats, err := r.Seats(ctx, p.o.Org.ID)
	if err != nil {
		return false, err
	}
	for _, s := range seats {
		if s.Package != ch.TakeSeat || s.Free() > s.Waiting {
			continue
		}
		if s.Free() == 0 {
			return true, nil
		}
		waiters, err := r.Waiting(ctx, p.o.Org.ID, s.Package, s.Free())
		for _, w := range waiters {
			if w.Source == ch.Source && w.Record != nil && (w.Record.Anchor == ch.Anchor || !w.Record.User.IsZero() && w.Record.User == ch.After.ID) {
				return false, err
			}
		}
		return true, err
	}
	return false, nil
}

// save writes one change, or its refusal when the last seat has just gone.
func (p *Provisioner) save(ctx context.Context, tx connector.Tx, ch *connector.Change, cause connector.Cause) (*connector.Change, error) {
	now := p.o.Now()
	if ch.Link != nil {
		ch.Link.Run = cause.Run
	}
	errs, err := p.write(ctx, tx, []*connector.Change{ch}, cause, now)
	if err != nil {
		return nil, err
	}
	if !errors.Is(errs[0], connector.ErrNoSeat) {
		return ch, errs[0]
	}
	ch = noSeat(ch, now)
	if errs, err = p.write(ctx, tx, []*connector.Change{ch}, cause, now); err != nil {
		return nil, err
	}
	return ch, errs[0]
}
