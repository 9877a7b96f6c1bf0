package provision

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"usherd/connector"
	"usherd/connector/policy"
)

const (
	// linkLife is how long a link to activate is good.
	linkLife = 24 * time.Hour
	// linkPause is how long a person waits for another mail: a minute from the form, less what passes until it is answered.
	linkPause = time.Minute - 10*time.Second
	// maxLinks bounds the mails for one subscriber in a day: the first and three more.
	maxLinks = 4
)

// ActivationRequest is what somebody has written into the form of a template.
type ActivationRequest struct {
	Template string
	Email    string
	Given    connector.Profile // attributes that the template asks for
	Language string
	// Name is the subscriber id that the link of the person named, and Keyed says of a subscriber whether that link was
	// its own: the id alone, which can be guessed, ties nobody to anything.
	Name  string
	Keyed func(*connector.Subscriber) bool
}

// What a connector.AskedMail says of a request, in Mail.Values; its About is the subscriber whose own link it was.
const (
	askedTemplate = "template"
	askedGiven    = "given"
)

// AskActivation keeps a request until AnswerAsked looks at it, and is done before the person is answered: what was promised
// outlives the process. It does the same for everybody: one row is read by the id that the link named, where it named
// one, and one is written. So neither words nor time tell whether anybody is known by an address.
func (p *Provisioner) AskActivation(ctx context.Context, req ActivationRequest) error {
	given, err := json.Marshal(req.Given)
	if err != nil {
		return fmt.Errorf("provision: %w", err)
	}
	now := p.o.Now()
	m := connector.Mail{
		ID: connector.NewID(now), Org: p.o.Org.ID, Kind: connector.AskedMail, To: req.Email, Language: req.Language, At: now,
		Values: map[string]string{askedTemplate: req.Template, askedGiven: string(given)},
	}
	return p.o.Store.Write(ctx, func(tx connector.Tx) error {
		m.About = connector.ID{}
		if req.Name != "" && req.Keyed != nil {
			list, err := tx.SubscribersNamed(ctx, p.o.Org.ID, req.Template, []string{req.Name})
			if err != nil {
				return err
			}
			if len(list) > 0 && req.Keyed(list[0]) {
				m.About = list[0].ID
			}
		}
		return tx.PutMail(ctx, m)
	})
}

// answerActivation sends a link to the address, where somebody who may activate by it is known, and forgets the request. A
// subscriber is tied to the person by its own link, which the upstream system hands out, or by the address that was
// announced, which the person then proves to hold; nothing else does. Nobody else is created by it either but somebody
// unannounced, where the template lets such come.
func (p *Provisioner) answerActivation(ctx context.Context, m connector.Mail) error {
	given := connector.Profile{}
	if err := json.Unmarshal([]byte(m.Values[askedGiven]), &given); err != nil {
		return fmt.Errorf("provision: request %s: %w", m.ID, err)
	}
	return p.subscribe(ctx, func(tx connector.Tx, _ freedSeats) error {
		there, err := tx.DropMail(ctx, m.Org, m.ID)
		if err != nil || !there { // somebody else has answered
			return err
		}
		return p.answerIn(ctx, tx, m, given)
	})
}

func (p *Provisioner) answerIn(ctx context.Context, tx connector.Tx, m connector.Mail, entered connector.Profile) error {
	t := p.o.Org.Template(m.Values[askedTemplate])
	if wrong := policy.CheckAddress(m.To); t == nil || wrong != nil {
		return nil //nolint:nilerr // an address that is none is nobody's
	}
	s, err := p.asking(ctx, tx, t, m)
	if err != nil || s == nil || !hasAccount(s) && !p.mayHave(t, m.To) {
		return err
	}
	if hasAccount(s) && connector.Fold(s.Email) != connector.Fold(m.To) {
		return nil // whoever is provisioned stays whom it is
	}
	if often, err := p.tooOften(ctx, tx, s); err != nil || often {
		return err
	}
	s.Language = m.Language
	s.Given = given(t, s.Given, entered)
	return p.sendLink(ctx, tx, s, m.To, connector.StepAsked, "portal")
}

// asking is the subscriber that the person is taken for, nil where that is nobody.
func (p *Provisioner) asking(ctx context.Context, tx connector.Tx, t *connector.TemplateSettings, m connector.Mail) (*connector.Subscriber, error) {
	if !m.About.IsZero() {
		s, err := tx.Subscriber(ctx, p.o.Org.ID, m.About)
		if connector.KindOf(err) == connector.NotFound || err == nil && s.Template != t.ID { // deleted since
			return nil, nil
		}
		return s, err
	}
	list, err := tx.SubscribersByEmail(ctx, p.o.Org.ID, t.ID, m.To)
	if err != nil {
		return nil, err
	}
	var theirs []*connector.Subscriber
	for _, s := range list {
		email, said := connector.Fold(m.To), connector.Fold(s.Profile.Get(connector.Email))
		if own := connector.Fold(s.Email) == email; !s.ProvenAt.IsZero() && own || s.ProvenAt.IsZero() && (said == email || !s.Announced) {
			theirs = append(theirs, s)
		}
	}
	switch {
	case len(theirs) == 1:
		return theirs[0], nil
	case len(theirs) > 1 || !t.Unannounced: // an address of several people is nobody's
		return nil, nil
	}
	now := p.o.Now()
	s := &connector.Subscriber{
		ID: connector.NewID(now), Org: p.o.Org.ID, Template: t.ID, Name: selfPrefix + connector.Fold(m.To), Email: m.To, Status: connector.PendingEmailInput,
		LinksSince: now, CreatedAt: now,
	}
	taken, err := tx.SubscribersNamed(ctx, p.o.Org.ID, t.ID, []string{s.Name})
	if err != nil || len(taken) > 0 {
		return nil, err
	}
	return s, nil
}

// selfPrefix begins the ids of those who came by themselves: upstream systems often call people by what looks like an
// address.
const selfPrefix = "self:"

func hasAccount(s *connector.Subscriber) bool { return !s.User.IsZero() }

// mayHave reports whether an address is in a domain that the template allows: nobody is sent a link that cannot lead
// anywhere, and no mails go to whatever address strangers think of.
func (p *Provisioner) mayHave(t *connector.TemplateSettings, email string) bool {
	src := p.o.Org.Source(t.ID)
	domain, ok := policy.EmailDomain(email)
	return ok && src != nil && (len(src.Domains) == 0 || policy.Below(domain, src.Domains))
}

// tooOften reports whether there were enough mails for the subscriber for now.
func (p *Provisioner) tooOften(ctx context.Context, tx connector.Tx, s *connector.Subscriber) (bool, error) {
	links, err := tx.MailLinks(ctx, s.Org, connector.ActivateLink, s.ID, maxLinks)
	now, n := p.o.Now(), 0
	for _, l := range links {
		age := now.Sub(l.Until.Add(-linkLife))
		if age < linkPause {
			return true, err
		}
		if age < linkLife {
			n++
		}
	}
	return n >= maxLinks, err
}

// given adds what the person has written, of what the template asks for.
func given(t *connector.TemplateSettings, had, entered connector.Profile) connector.Profile {
	p := connector.Profile{}
	for name, values := range had {
		p.Set(name, values...)
	}
	for _, name := range t.Fields {
		if values := entered[name]; len(values) > 0 {
			p.Set(name, values...)
		}
	}
	return p
}

// sendLink writes the subscriber, a link for it and the mail that carries it.
func (p *Provisioner) sendLink(ctx context.Context, tx connector.Tx, s *connector.Subscriber, email string, step connector.SubscriberStep, actor string) error {
	now := p.o.Now()
	if !hasAccount(s) {
		if connector.Fold(s.Email) != connector.Fold(email) {
			s.ProvenAt = time.Time{}
		}
		s.Status, s.Email, s.Failure = connector.PendingEmailValidation, email, nil
	}
	s.UpdatedAt = now
	if err := tx.PutSubscriber(ctx, s, subscriberEvent(s, step, actor, now)); err != nil {
		return err
	}
	l := connector.MailLink{ID: connector.NewID(now), Org: s.Org, Kind: connector.ActivateLink, Subject: s.ID, Email: email, Until: now.Add(linkLife)}
	if err := tx.PutMailLink(ctx, l); err != nil {
		return err
	}
	return tx.PutMail(ctx, connector.Mail{
		ID: connector.NewID(now), Org: s.Org, Kind: connector.ActivationMail, To: email, Language: s.Language, About: s.ID, Link: l.ID,
		Values: map[string]string{"template": p.o.Org.Template(s.Template).Name}, State: connector.MailWaiting, At: now, Next: now,
	})
}

// checkEntered says what is wrong with an address that a person gives.
func checkEntered(email string) error {
	if err := policy.CheckAddress(email); err != nil {
		return &connector.Error{Kind: connector.Invalid, Op: "subscribers", Err: err, Hint: "give the address of the person, such as ann@example.com"}
	}
	return nil
}

// Activate uses a link: the person has proved the address, and the account is created, found or refused, all in one
// transaction. The same link tries again, for as long as it would have been good, after a refusal: the address is
// proved by then. The errors about links are those of connector: ErrLinkUnknown, ErrLinkUsed where nothing is left
// to do by it, and ErrLinkEnded.
func (p *Provisioner) Activate(ctx context.Context, link connector.ID) (out *connector.Subscriber, err error) {
	err = p.subscribe(ctx, func(tx connector.Tx, freed freedSeats) error {
		now := p.o.Now()
		l, err := tx.UseMailLink(ctx, p.o.Org.ID, link, now)
		used := errors.Is(err, connector.ErrLinkUsed)
		if err != nil && !used {
			return err
		}
		s, err := p.linkedSubscriber(ctx, tx, &l, used, now)
		if err != nil {
			return err
		}
		step := connector.StepRetried
		if !used {
			step = connector.StepProved
			if !hasAccount(s) {
				s.Email, s.ProvenAt = l.Email, now
			}
		}
		if out = s; s.Status == connector.Provisioned {
			return nil
		}
		out, err = p.provisionIn(ctx, tx, s, step, connector.Cause{Kind: connector.CauseRequest, Actor: "portal"}, freed)
		return err
	})
	return out, err
}

// linkedSubscriber is the subscriber that a link may be used for; used says that it was before. With ErrLinkUsed and ErrLinkEnded
// it is told too.
func (p *Provisioner) linkedSubscriber(ctx context.Context, r connector.Reader, l *connector.MailLink, used bool, now time.Time) (*connector.Subscriber, error) {
	s, err := r.Subscriber(ctx, l.Org, l.Subject)
	if connector.KindOf(err) == connector.NotFound || err == nil && p.o.Org.Template(s.Template) == nil || l.Kind != connector.ActivateLink {
		return nil, connector.ErrLinkUnknown
	}
	if err != nil {
		return nil, err
	}
	same := connector.Fold(s.Email) == connector.Fold(l.Email)
	switch before := l.Until.Add(-linkLife).Before(s.LinksSince); {
	case used && (!same || s.ProvenAt.IsZero()):
		return s, connector.ErrLinkUsed
	case before, !now.Before(l.Until), hasAccount(s) && !same:
		return s, connector.ErrLinkEnded
	}
	return s, nil
}

// Activation shows what a link is for, without using it: the subscriber, the address, and whether it was used. Errors
// are those of Activate; with ErrLinkUsed and ErrLinkEnded there is a subscriber all the same.
func (p *Provisioner) Activation(ctx context.Context, link connector.ID) (*connector.Subscriber, connector.MailLink, error) {
	l, err := p.o.Store.MailLink(ctx, p.o.Org.ID, link)
	if err != nil {
		return nil, l, err
	}
	s, err := p.linkedSubscriber(ctx, p.o.Store, &l, !l.UsedAt.IsZero(), p.o.Now())
	return s, l, err
}

// settled are reasons that only the person, an administrator or a seat ends.
func settled(r connector.Reason) bool {
	return ofAccount(r) || r == connector.NoSeat
}

// mayHaveChanged reports whether a subscriber has no account for a cause that may have gone since.
func mayHaveChanged(s *connector.Subscriber) bool {
	return s.Status == connector.PendingClaim || s.Failure != nil && !settled(s.Failure.Reason)
}

// RetrySubscribers tries those again whose failures may have lost their cause: the configuration is another one, a
// domain was verified or released, an account has gone, or was claimed. It returns how many have an account now. Who waits for a seat is
// offered one by the waiting list.
func (p *Provisioner) RetrySubscribers(ctx context.Context) (done int, err error) {
	if len(p.o.Org.Templates) == 0 {
		return 0, nil
	}
	q := connector.SubscriberQuery{Org: p.o.Org.ID, HideProvisioned: true, Limit: announceStep}
	for {
		page, next, err := p.o.Store.Subscribers(ctx, q)
		if err != nil {
			return done, err
		}
		for _, s := range page {
			if !mayHaveChanged(s) {
				continue
			}
			ok, err := p.retryOne(ctx, s.ID)
			if err != nil {
				return done, err
			}
			if ok {
				done++
			}
		}
		if next == "" {
			return done, nil
		}
		q.After = next
	}
}

func (p *Provisioner) retryOne(ctx context.Context, id connector.ID) (ok bool, err error) {
	err = p.subscribe(ctx, func(tx connector.Tx, freed freedSeats) error {
		s, t, err := p.subscriberIn(ctx, tx, id)
		if kind := connector.KindOf(err); err != nil {
			if kind == connector.NotFound { // it, or its template, has gone
				return nil
			}
			return err
		}
		email := s.Believed(t)
		if !mayHaveChanged(s) || email == "" {
			return nil
		}
		if elsewhere, err := p.elsewhere(ctx, tx, s, email); err != nil || elsewhere {
			if err == nil && s.Status != connector.PendingClaim {
				s.Status, s.Failure, s.UpdatedAt = connector.PendingClaim, nil, p.o.Now()
				err = tx.PutSubscriber(ctx, s, subscriberEvent(s, connector.StepRetried, retries.Actor, s.UpdatedAt))
			}
			return err
		}
		d, err := p.submitIn(ctx, tx, activation(s, email, retries))
		if err != nil {
			return err
		}
		freed.note(d.change)
		ok = len(d.change.Failures) == 0
		return nil
	})
	return ok, err
}
