package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	gomail "github.com/wneessen/go-mail"
	"go.uber.org/zap"

	"usherd/connector"
)

const (
	// look is how often the outbox is looked into.
	look = 2 * time.Second
	// batch is how many mails are sent over one connection.
	batch = 100
	// maxAge is for how long a mail is tried: by then whoever waited for it has asked again.
	maxAge = 3 * 24 * time.Hour
	// usualRate is Config.Rate where it is left out.
	usualRate = 300
)

// pauses lie between the attempts to send a mail, and between those to reach the server; the last one stays.
var pauses = [...]time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour}

func pause(attempts int) time.Duration { return pauses[min(max(attempts, 1), len(pauses))-1] }

// Store is the outbox.
type Store interface {
	AskedMails(ctx context.Context, now time.Time, limit int) ([]connector.Mail, error)
	DueMails(ctx context.Context, now time.Time, limit int) ([]connector.Mail, error)
	MailLink(ctx context.Context, org string, id connector.ID) (connector.MailLink, error)
	Write(ctx context.Context, f func(connector.Tx) error) error
}

// Answerer decides what somebody is owed who has asked by a form. provision.Provisioner is one.
type Answerer interface {
	AnswerAsked(ctx context.Context, m connector.Mail) error
}

// Organization is one customer as the configuration in force has it.
type Organization struct {
	Settings *connector.Organization
	Answerer Answerer
}

// Settings are what may change while a Notifier works.
type Settings struct {
	SMTP          *SMTP  // nil: nothing is sent, mails wait
	Portal        string // the portal's public address without a slash at its end; "" = there is none, and mails with links wait
	Console       string // that of the console, to which reports lead; "" = there is none
	Organizations map[string]Organization
}

// Options are what a Notifier works with.
type Options struct {
	Store    Store
	Links    connector.LinkKey
	Settings func() Settings // those in force
	Now      func() time.Time
	Log      *zap.Logger
	Metrics  *Metrics
}

// Notifier empties the outbox. Serve and Once are for one at a time.
type Notifier struct {
	o     Options
	texts *Texts

	troubles int       // attempts to reach the server that failed since the last that did not
	until    time.Time // the server is left alone until then
	slot     time.Time // when the next mail may go, by the rate
}

// New returns a Notifier.
func New(o Options) (*Notifier, error) {
	texts, err := LoadTexts()
	return &Notifier{o: o, texts: texts}, err
}

// Serve sends what is due until ctx ends, which holds the lease.
func (n *Notifier) Serve(ctx context.Context) error {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		if err := n.Once(ctx); err != nil && ctx.Err() == nil {
			n.o.Log.Error("the outbox cannot be emptied", zap.Error(err), zap.String("what_to_do", connector.HintOf(err)))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Once answers what was asked, and sends a batch of what is due.
func (n *Notifier) Once(ctx context.Context) error {
	s := n.o.Settings()
	unanswered := n.answer(ctx, &s)
	if s.SMTP == nil || n.o.Now().Before(n.until) {
		return unanswered
	}
	list, err := n.o.Store.DueMails(ctx, n.o.Now(), batch)
	if err == nil && len(list) > 0 {
		err = n.send(ctx, &s, list)
	}
	return errors.Join(unanswered, err)
}

// answer decides what those are owed who have asked. One that cannot be answered keeps neither the others nor the mails that are
// due from theirs.
func (n *Notifier) answer(ctx context.Context, s *Settings) error {
	list, err := n.o.Store.AskedMails(ctx, n.o.Now(), batch)
	for _, m := range list {
		var late error
		if org, ok := s.Organizations[m.Org]; ok {
			late = org.Answerer.AnswerAsked(ctx, m)
		} else {
			late = n.drop(ctx, m)
		}
		if err == nil { // the first stands for all: a store that is away has the same to say of each
			err = late
		}
	}
	return err
}

func (n *Notifier) drop(ctx context.Context, m connector.Mail) error {
	return n.o.Store.Write(ctx, func(tx connector.Tx) error {
		_, err := tx.DropMail(ctx, m.Org, m.ID)
		return err
	})
}

// send sends a batch over one connection, or a new one where the server ends it. A server that cannot be reached is no
// fault of a mail: all wait, and none has had an attempt.
func (n *Notifier) send(ctx context.Context, s *Settings, list []connector.Mail) error {
	var x *session
	defer func() { n.leave(x) }()
	for _, m := range list {
		msg, a := n.compose(ctx, s, m)
		if msg != nil {
			if err := n.wait(ctx, s.SMTP); err != nil {
				return nil // the term has ended: whoever leads next goes on
			}
			if x == nil {
				var err error
				if x, err = s.SMTP.dial(ctx); err != nil {
					return n.away(ctx, m, err)
				}
			}
			a = s.SMTP.send(x, msg)
			if a.lost && !a.sent && ctx.Err() != nil { // we have ended it ourselves
				return nil
			}
			if a.lost {
				n.leave(x)
				x = nil
			}
		}
		if a.ours {
			return n.away(ctx, m, &connector.Error{
				Kind: connector.Refused, Op: "mail: " + s.SMTP.config.Server, Err: fmt.Errorf("%d %s", a.code, a.words), //nolint:err113 // a server's words
				Hint: "the server does not take mails from this sender: see mail.from",
			})
		}
		if err := n.note(ctx, m, a); err != nil {
			return err
		}
		if a.sent {
			n.troubles, n.until = 0, time.Time{}
		}
	}
	return nil
}

// leave ends a session.
func (n *Notifier) leave(x *session) {
	if x != nil {
		_ = x.client.CloseWithSMTPClient(x.smtp) // it may be gone
		x.end()
	}
}

// wait waits until the rate lets a mail go.
func (n *Notifier) wait(ctx context.Context, s *SMTP) error {
	rate := s.config.Rate
	if rate <= 0 {
		rate = usualRate
	}
	now := n.o.Now()
	if n.slot.Before(now) {
		n.slot = now
	}
	t := time.NewTimer(n.slot.Sub(now))
	defer t.Stop()
	n.slot = n.slot.Add(time.Minute / time.Duration(rate))
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// away leaves the server alone for a while, and says why at the mail that was to be sent.
func (n *Notifier) away(ctx context.Context, m connector.Mail, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // the term has ended: whoever leads next goes on
	}
	n.troubles++
	now := n.o.Now()
	n.until = now.Add(min(pause(n.troubles), 15*time.Minute))
	n.o.Log.Error("the mail server cannot be used: mails wait", zap.Error(err), zap.Time("next", n.until), zap.String("what_to_do", connector.HintOf(err)))
	m.Answer = clip(err.Error())
	if now.Sub(m.At) > maxAge {
		return n.end(ctx, m, answer{words: m.Answer})
	}
	return n.keep(ctx, m)
}

// compose puts a mail in words. Where there are none the answer says why.
func (n *Notifier) compose(ctx context.Context, s *Settings, m connector.Mail) (*gomail.Msg, answer) {
	org, ok := s.Organizations[m.Org]
	if !ok {
		return nil, answer{final: true, words: "the organization is not in the configuration any more"}
	}
	link, address, err := n.address(ctx, s, org.Settings, m)
	if err == nil {
		var letter Letter
		if m.Kind == connector.ReportMail {
			letter, err = n.texts.Report(m, org.Settings, s.Console)
		} else {
			letter, err = n.texts.Letter(m, org.Settings, link, address)
		}
		if err == nil {
			var msg *gomail.Msg
			if msg, err = message(m, letter, &s.SMTP.config); err == nil {
				return msg, answer{}
			}
		}
	}
	if errors.Is(err, errNoPortal) {
		return nil, answer{words: err.Error()}
	}
	if connector.KindOf(err) == connector.Unavailable {
		return nil, answer{words: "the store did not answer"}
	}
	return nil, answer{final: true, words: clip(err.Error())}
}

var errNoPortal = errors.New("the mail has a link, and there is no portal that it could lead to: add the block portal to the configuration")

// address is where a mail leads: its link, or the application.
func (n *Notifier) address(ctx context.Context, s *Settings, org *connector.Organization, m connector.Mail) (*connector.MailLink, string, error) {
	if m.Link.IsZero() {
		return nil, org.Application, nil
	}
	if s.Portal == "" {
		return nil, "", errNoPortal
	}
	l, err := n.o.Store.MailLink(ctx, m.Org, m.Link)
	if err == nil {
		err = l.Check(n.o.Now()) // nobody is sent what does not work
	}
	if err != nil {
		return nil, "", err
	}
	return &l, s.Portal + n.o.Links.Path(&l), nil
}

// note writes down what became of an attempt.
func (n *Notifier) note(ctx context.Context, m connector.Mail, a answer) error {
	now := n.o.Now()
	if m.Attempts++; a.sent || a.final || now.Sub(m.At) > maxAge {
		return n.end(ctx, m, a)
	}
	m.Code, m.Answer, m.Next = a.code, a.words, now.Add(pause(m.Attempts))
	n.o.Log.Warn("a mail is tried again", n.about(m)...)
	return n.keep(ctx, m)
}

// end writes down that a mail was sent, or is given up.
func (n *Notifier) end(ctx context.Context, m connector.Mail, a answer) error {
	m.Code, m.Answer, m.DoneAt, m.State = a.code, a.words, n.o.Now(), connector.MailFailed
	if a.sent {
		m.State = connector.MailSent
	}
	if err := n.keep(ctx, m); err != nil {
		return err
	}
	if a.sent {
		n.o.Metrics.countSent(m.Kind)
		return nil
	}
	n.o.Metrics.countFailed(m.Kind)
	n.o.Log.Warn("a mail is given up", append(n.about(m), zap.String("what_to_do", "usherd mail --org "+m.Org+" --state failed"))...)
	return nil
}

// about names a mail in the log, which holds no address.
func (n *Notifier) about(m connector.Mail) []zap.Field {
	return []zap.Field{zap.String("org", m.Org), zap.Stringer("mail", m.ID), zap.String("kind", string(m.Kind)), zap.Int("attempts", m.Attempts), zap.Int("code", m.Code)}
}

func (n *Notifier) keep(ctx context.Context, m connector.Mail) error {
	return n.o.Store.Write(ctx, func(tx connector.Tx) error {
		_, err := tx.SetMail(ctx, m)
		return err
	})
}
