package provision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"usherd/connector"
)

// Announced is what became of an announcement.
type Announced struct {
	Subscriber *connector.Subscriber
	New        bool // nobody knew it
	Same       bool // nothing of it was new
}

// announceStep is how many announcements share a transaction.
const announceStep = 50

// Announce takes what an upstream system says of people under templates. Where the address is believed, the account is
// created or changed at once: a refusal is a subscriber in error, and no error. Said twice, it is the same. It is for
// announcements that are about different people.
func (p *Provisioner) Announce(ctx context.Context, list []connector.Announcement, actor string) (out []Announced, err error) {
	for i := range list {
		if err := p.checkAnnouncement(&list[i]); err != nil {
			return nil, err
		}
	}
	cause := connector.Cause{Kind: connector.CausePerson, Actor: actor}
	for from := 0; from < len(list); from += announceStep {
		part := list[from:min(from+announceStep, len(list))]
		var done []Announced
		err := p.subscribe(ctx, func(tx connector.Tx, freed freedSeats) error {
			done = done[:0]
			for i := range part {
				a, err := p.announceIn(ctx, tx, &part[i], cause, freed)
				if err != nil {
					return err
				}
				done = append(done, a)
			}
			return nil
		})
		if err != nil {
			return out, err
		}
		out = append(out, done...)
	}
	return out, nil
}

func (p *Provisioner) checkAnnouncement(a *connector.Announcement) error {
	if p.o.Org.Template(a.Template) == nil {
		return noTemplate(a.Template)
	}
	if connector.Fold(a.Name) == "" || len(a.Name) > maxSubscriberID {
		return invalidf("a subscriber id has 1 to %d characters", maxSubscriberID)
	}
	if _, ok := p.o.Org.Package(a.Package); a.Package != "" && !ok {
		return invalidf("there is no package %q", a.Package)
	}
	for name := range a.Profile {
		if !connector.Announceable(name) {
			return invalidf("%q is no attribute that can be announced", name)
		}
	}
	return nil
}

// maxSubscriberID bounds the ids of upstream systems, in bytes.
const maxSubscriberID = 256

func noTemplate(id string) error {
	return &connector.Error{
		Kind: connector.NotFound, Op: "subscribers", Err: fmt.Errorf("there is no template %q", id),
		Hint: "the configuration names them under templates",
	}
}

func invalidf(format string, args ...any) error {
	return &connector.Error{Kind: connector.Invalid, Op: "subscribers", Err: fmt.Errorf(format, args...)}
}

// freedSeats are packages of which a change has given a seat back.
type freedSeats map[string]bool

func (f freedSeats) note(ch *connector.Change) {
	if ch != nil && ch.FreeSeat != "" {
		f[ch.FreeSeat] = true
	}
}

// subscribe runs f in one transaction, again where somebody else was faster, and offers the seats that it freed.
func (p *Provisioner) subscribe(ctx context.Context, f func(tx connector.Tx, freed freedSeats) error) error {
	err := connector.ErrMoved
	freed := freedSeats{}
	for try := 0; try < maxTries && errors.Is(err, connector.ErrMoved); try++ {
		err = p.o.Store.Write(ctx, func(tx connector.Tx) error {
			clear(freed)
			return f(tx, freed)
		})
	}
	for pkg := range freed {
		if err == nil && !p.endless(pkg) {
			_, err = p.offer(context.WithoutCancel(ctx), pkg, waitingList)
		}
	}
	return err
}

func (p *Provisioner) announceIn(ctx context.Context, tx connector.Tx, a *connector.Announcement, cause connector.Cause, freed freedSeats) (Announced, error) {
	t, now := p.o.Org.Template(a.Template), p.o.Now()
	list, err := tx.SubscribersNamed(ctx, p.o.Org.ID, a.Template, []string{a.Name})
	if err != nil {
		return Announced{}, err
	}
	out := Announced{New: len(list) == 0}
	if out.New {
		list = append(list, &connector.Subscriber{
			ID: connector.NewID(now), Org: p.o.Org.ID, Template: t.ID, Name: a.Name, Status: connector.PendingEmailInput, LinksSince: now, CreatedAt: now,
		})
	}
	s := list[0]
	out.Subscriber, out.Same = s, a.Same(s)
	if out.Same && s.Status != connector.SubscriberError {
		return out, nil
	}
	s.Announced, s.Profile, s.Package, s.UpdatedAt = true, a.Profile.Clone(), cmp.Or(a.Package, s.Package), now
	if out.Subscriber, err = p.provisionIn(ctx, tx, s, connector.StepAnnounced, cause, freed); err != nil {
		return out, err
	}
	return out, nil
}

// provisionIn stores a subscriber and, where its address may be used, creates or changes the account. What is returned
// is how the subscriber is then.
func (p *Provisioner) provisionIn(ctx context.Context, tx connector.Tx, s *connector.Subscriber, step connector.SubscriberStep, cause connector.Cause, freed freedSeats) (*connector.Subscriber, error) {
	t, now := p.o.Org.Template(s.Template), p.o.Now()
	email := s.Believed(t)
	if email != "" {
		s.Email = email
	}
	s.UpdatedAt = now
	elsewhere, err := p.elsewhere(ctx, tx, s, email)
	if err != nil {
		return s, err
	}
	if elsewhere {
		s.Status, s.Failure = connector.PendingClaim, nil
	}
	if err := tx.PutSubscriber(ctx, s, subscriberEvent(s, step, cause.Actor, now)); err != nil || email == "" || elsewhere {
		return s, err
	}
	d, err := p.submitIn(ctx, tx, activation(s, email, cause))
	if err != nil {
		return s, err
	}
	freed.note(d.change)
	return tx.Subscriber(ctx, s.Org, s.ID)
}

// activation is the push of a subscriber with an address that may be used.
func activation(s *connector.Subscriber, email string, cause connector.Cause) Push {
	push := constant(s.Template, s.Record(email), cause)
	push.Proven = !s.ProvenAt.IsZero()
	return push
}

// again is the push of a subscriber who has waited for a seat, by what is known of it now.
func (p *Provisioner) again(push Push, w connector.Waiter) Push {
	push.Record = func(ctx context.Context, r connector.Reader) (*connector.Record, error) {
		list, err := r.SubscribersNamed(ctx, w.Org, w.Source, []string{w.Record.Anchor.Raw})
		if err != nil {
			return nil, err
		}
		t := p.o.Org.Template(w.Source)
		if t == nil || len(list) == 0 || list[0].Believed(t) == "" {
			return nil, errOutdated
		}
		return list[0].Record(list[0].Believed(t)), nil
	}
	return push
}

// SubscriberCommand is what an administrator, or an upstream system, does to one subscriber.
type SubscriberCommand struct {
	ID    connector.ID
	Actor string
}

// RetrySubscriber tries to activate again. An address that is given takes the place of the one that is known; "" keeps
// that. Where addresses have to be proved, and this one was not, a link is sent to it, and links that were sent before
// are good for nothing.
func (p *Provisioner) RetrySubscriber(ctx context.Context, c SubscriberCommand, email string) (out *connector.Subscriber, err error) {
	cause := connector.Cause{Kind: connector.CausePerson, Actor: c.Actor}
	err = p.subscribe(ctx, func(tx connector.Tx, freed freedSeats) error {
		s, t, err := p.subscriberIn(ctx, tx, c.ID)
		if err != nil {
			return err
		}
		if s.Status == connector.Provisioned {
			return refusedf("%s is provisioned already", s.Name)
		}
		now := p.o.Now()
		address := cmp.Or(email, s.Email, s.Profile.Get(connector.Email))
		if err := checkEntered(address); err != nil {
			return err
		}
		proven := !s.ProvenAt.IsZero() && connector.Fold(address) == connector.Fold(s.Email)
		if !proven {
			s.ProvenAt, s.LinksSince = time.Time{}, now
		}
		if t.Untrusted && !proven {
			out, err = s, p.sendLink(ctx, tx, s, address, connector.StepRetried, c.Actor)
			return err
		}
		if !proven { // the administrator's word, in the place of the upstream system's
			s.Profile = s.Profile.Clone()
			s.Profile.Set(connector.Email, address)
		}
		out, err = p.provisionIn(ctx, tx, s, connector.StepRetried, cause, freed)
		return err
	})
	return out, err
}

func refusedf(format string, args ...any) error {
	return &connector.Error{Kind: connector.Refused, Op: "subscribers", Err: fmt.Errorf(format, args...)}
}

// subscriberIn returns a subscriber of a template that the configuration has.
func (p *Provisioner) subscriberIn(ctx context.Context, tx connector.Tx, id connector.ID) (*connector.Subscriber, *connector.TemplateSettings, error) {
	s, err := tx.Subscriber(ctx, p.o.Org.ID, id)
	if err != nil {
		return nil, nil, err
	}
	t := p.o.Org.Template(s.Template)
	if t == nil {
		return nil, nil, noTemplate(s.Template)
	}
	return s, t, nil
}

// SetSubscriberPackage gives a subscriber another package ("" = the template's); an account that is there gets it at once,
// or waits for a seat of it and keeps the one that it has.
func (p *Provisioner) SetSubscriberPackage(ctx context.Context, c SubscriberCommand, pkg string) (out *connector.Subscriber, err error) {
	if _, ok := p.o.Org.Package(pkg); pkg != "" && !ok {
		return nil, &connector.Error{
			Kind: connector.Invalid, Op: "subscribers", Err: fmt.Errorf("there is no package %q", pkg), Hint: "see them with: usherd seats",
		}
	}
	err = p.subscribe(ctx, func(tx connector.Tx, freed freedSeats) error {
		s, _, err := p.subscriberIn(ctx, tx, c.ID)
		if err != nil {
			return err
		}
		s.Package = pkg
		out, err = p.provisionIn(ctx, tx, s, connector.StepPackage, connector.Cause{Kind: connector.CausePerson, Actor: c.Actor}, freed)
		return err
	})
	return out, err
}

// DeleteSubscriber forgets a subscriber. An account that nobody else has brought is deactivated, and deleted like that of
// anybody who is gone from a source; the person may activate again, or be announced again, and has it back then.
func (p *Provisioner) DeleteSubscriber(ctx context.Context, c SubscriberCommand) error {
	return p.subscribe(ctx, func(tx connector.Tx, freed freedSeats) error {
		s, err := tx.Subscriber(ctx, p.o.Org.ID, c.ID)
		if err != nil {
			return err
		}
		if err := tx.DeleteSubscriber(ctx, s); err != nil {
			return err
		}
		if p.o.Org.Template(s.Template) != nil && !s.User.IsZero() {
			gone := &connector.Record{Anchor: s.Anchor(), Gone: true}
			d, err := p.submitIn(ctx, tx, constant(s.Template, gone, connector.Cause{Kind: connector.CausePerson, Actor: c.Actor}))
			if err != nil {
				return err
			}
			freed.note(d.change)
		}
		return tx.CloseGone(ctx, s.Org, s.Template, []connector.Anchor{s.Anchor()})
	})
}
