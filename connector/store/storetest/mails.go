package storetest

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"usherd/connector"
)

// mail is the n-th one of an organization.
func (f *fixture) mail(n int, org, to string) connector.Mail {
	at := f.now.Add(time.Duration(n) * time.Second)
	m := connector.Mail{
		ID: connector.FirstID(at), Org: org, Kind: connector.InvitationMail, To: to, Language: "sv", About: connector.ID{9}, Link: connector.ID{8},
		Values: map[string]string{"name": "Åsa \"x\""}, State: connector.MailWaiting, At: at, Next: at,
	}
	if n%2 == 1 {
		m.About, m.Link, m.Values, m.Next = connector.ID{}, connector.ID{}, nil, at.Add(time.Hour)
	}
	f.ok(f.s.Write(f.ctx, func(tx connector.Tx) error { return tx.PutMail(f.ctx, m) }))
	return m
}

func (f *fixture) setMail(m connector.Mail, want bool) {
	f.Helper()
	var ok bool
	f.ok(f.s.Write(f.ctx, func(tx connector.Tx) (err error) {
		ok, err = tx.SetMail(f.ctx, m)
		return err
	}))
	f.equal(ok, want)
}

// outbox: mails are read back, latest first, come due, and end once.
func outbox(f *fixture) {
	for _, m := range []connector.Mail{{}, {ID: connector.ID{1}, Org: Org, Kind: "x", To: "a@b.example"}} {
		f.kind(f.s.Write(f.ctx, func(tx connector.Tx) error { return tx.PutMail(f.ctx, m) }), connector.Invalid)
	}
	a, b, c := f.mail(0, Org, "Ann@example.com"), f.mail(1, Org, "bob@example.com"), f.mail(2, Org, "ann@example.com")
	other := f.mail(3, "other", "ann@example.com")
	f.kind(f.s.Write(f.ctx, func(tx connector.Tx) error { return tx.PutMail(f.ctx, a) }), connector.Conflict)
	ask := func(q connector.MailQuery, want ...connector.Mail) {
		f.Helper()
		q.Org = Org
		got, err := f.s.Mails(f.ctx, q)
		f.ok(err)
		f.equal(got, want)
	}
	due := func(at time.Time, want ...connector.Mail) {
		f.Helper()
		got, err := f.s.DueMails(f.ctx, at, 10)
		f.ok(err)
		f.equal(got, want)
	}
	ask(connector.MailQuery{}, c, b, a)
	ask(connector.MailQuery{Limit: 1}, c)
	ask(connector.MailQuery{Before: c.ID}, b, a)
	ask(connector.MailQuery{To: "ANN@example.com"}, c, a)
	ask(connector.MailQuery{To: "ANN@example.com", State: connector.MailSent})
	due(f.now.Add(-time.Microsecond))
	due(c.At, a, c)
	due(f.now.Add(2*time.Hour), a, c, b, other)
	next, err := f.s.NextMail(f.ctx)
	f.ok(err)
	f.equal(next, a.Next)

	a.State, a.Code, a.Answer, a.Attempts, a.DoneAt = connector.MailSent, 250, "2.0.0 Ok: queued", 1, f.now.Add(time.Minute)
	f.setMail(a, true)
	f.setMail(a, false) // it waits no longer
	b.State, b.Code, b.Answer, b.Attempts, b.DoneAt = connector.MailFailed, 550, "no such user", 2, f.now.Add(time.Minute)
	f.setMail(b, true)
	c.Kind, c.Attempts, c.Next, c.Values = connector.ReadyMail, 1, f.now.Add(3*time.Hour), nil
	f.setMail(c, true)
	ask(connector.MailQuery{State: connector.MailSent}, a)
	ask(connector.MailQuery{State: connector.MailFailed}, b)
	ask(connector.MailQuery{State: connector.MailWaiting}, c)
	due(f.now.Add(4*time.Hour), other, c)
	got, ok, err := f.s.Mail(f.ctx, Org, b.ID)
	f.ok(err)
	f.equal(ok, true)
	f.equal(got, b)
	_, ok, err = f.s.Mail(f.ctx, "other", b.ID)
	f.ok(err)
	f.equal(ok, false)
	f.asked()
	orgs, err := f.s.MailOrgs(f.ctx)
	f.ok(err)
	f.equal(orgs, []string{Org, "other"})
	mailsAgain(f, a, b)
}

// mailsAgain: what has failed is tried again when somebody says so, and what is done is forgotten.
func mailsAgain(f *fixture, sent, failed connector.Mail) {
	count := func(state connector.MailState, want int) {
		f.Helper()
		n, err := f.s.CountMails(f.ctx, Org, state)
		f.ok(err)
		f.equal(n, want)
	}
	at := f.now.Add(5 * time.Hour)
	ok, err := f.s.RetryMail(f.ctx, Org, sent.ID, at)
	f.ok(err)
	f.equal(ok, false)
	ok, err = f.s.RetryMail(f.ctx, Org, failed.ID, at)
	f.ok(err)
	f.equal(ok, true)
	failed.State, failed.Next, failed.DoneAt = connector.MailWaiting, at, time.Time{}
	got, _, err := f.s.Mail(f.ctx, Org, failed.ID)
	f.ok(err)
	f.equal(got, failed)
	failed.State, failed.DoneAt = connector.MailFailed, at
	f.setMail(failed, true)
	count(connector.MailFailed, 1)
	n, err := f.s.RetryMails(f.ctx, Org, at)
	f.ok(err)
	f.equal(n, 1)
	count(connector.MailFailed, 0)
	count(connector.MailWaiting, 2)
	n, err = f.s.DropMails(f.ctx, sent.DoneAt)
	f.ok(err)
	f.equal(n, 0)
	n, err = f.s.DropMails(f.ctx, sent.DoneAt.Add(time.Microsecond))
	f.ok(err)
	f.equal(n, 1)
	count(connector.MailSent, 0)
	f.equal(f.dropped(Org, failed.ID), true)
	f.equal(f.dropped(Org, failed.ID), false)
	count(connector.MailWaiting, 1)
}

// mailLinks: of many who use one link at once, one does, and the others are told why not.
func mailLinks(f *fixture) {
	put := func(l connector.MailLink) error {
		return f.s.Write(f.ctx, func(tx connector.Tx) error { return tx.PutMailLink(f.ctx, l) })
	}
	use := func(org string, id connector.ID, now time.Time) (l connector.MailLink, err error) {
		var why error
		err = f.s.Write(f.ctx, func(tx connector.Tx) error {
			l, why = tx.UseMailLink(f.ctx, org, id, now)
			return nil
		})
		return l, errors.Join(err, why)
	}
	link := connector.MailLink{
		ID: connector.FirstID(f.now), Org: Org, Kind: connector.ProveLink, Subject: connector.ID{9}, Email: "ann@example.com", Until: f.now.Add(time.Hour),
	}
	later := link
	later.ID = connector.FirstID(f.now.Add(time.Second))
	f.kind(put(connector.MailLink{ID: link.ID, Org: Org}), connector.Invalid)
	f.ok(put(link))
	f.kind(put(link), connector.Conflict)
	f.ok(put(later))
	list, err := f.s.MailLinks(f.ctx, Org, connector.ProveLink, link.Subject, 10)
	f.ok(err)
	f.equal(list, []connector.MailLink{later, link})

	if _, err := use("other", link.ID, f.now); !errors.Is(err, connector.ErrLinkUnknown) {
		f.Fatalf("of another organization: %v", err)
	}
	if l, err := use(Org, link.ID, link.Until); !errors.Is(err, connector.ErrLinkEnded) || l.Email != link.Email {
		f.Fatalf("when its time is over: %v of %+v", err, l)
	}
	var used atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			switch _, err := use(Org, link.ID, f.now.Add(time.Minute)); {
			case err == nil:
				used.Add(1)
			case !errors.Is(err, connector.ErrLinkUsed):
				f.Error(err)
			}
		})
	}
	wg.Wait()
	f.equal(used.Load(), int32(1))
	link.UsedAt = f.now.Add(time.Minute)
	got, err := f.s.MailLink(f.ctx, Org, link.ID)
	f.ok(err)
	f.equal(got, link)

	n, err := f.s.DropMailLinks(f.ctx, link.Until)
	f.ok(err)
	f.equal(n, 0)
	n, err = f.s.DropMailLinks(f.ctx, link.Until.Add(time.Microsecond))
	f.ok(err)
	f.equal(n, 2)
	if _, err := f.s.MailLink(f.ctx, Org, link.ID); !errors.Is(err, connector.ErrLinkUnknown) {
		f.Fatalf("forgotten: %v", err)
	}
}

// asked: what somebody has asked for waits apart until it is decided.
func (f *fixture) asked() {
	at := f.now.Add(time.Minute)
	m := connector.Mail{ID: connector.FirstID(at), Org: "other", Kind: connector.AccountMail, To: "eve@example.com", State: connector.MailAsked, At: at, Next: at}
	f.ok(f.s.Write(f.ctx, func(tx connector.Tx) error { return tx.PutMail(f.ctx, m) }))
	due, err := f.s.DueMails(f.ctx, at, 10)
	f.ok(err)
	for _, x := range due {
		f.equal(x.Kind == connector.AccountMail, false)
	}
	got, err := f.s.AskedMails(f.ctx, at, 10)
	f.ok(err)
	f.equal(got, []connector.Mail{m})
	m.Kind, m.State = connector.DeactivatedMail, connector.MailWaiting
	f.setMail(m, true)
	got, err = f.s.AskedMails(f.ctx, at, 10)
	f.ok(err)
	f.equal(len(got), 0)
	f.equal(f.dropped(m.Org, m.ID), true)
	f.equal(f.dropped(m.Org, m.ID), false)
}

// dropped takes a mail out of the outbox, and reports whether it was there.
func (f *fixture) dropped(org string, id connector.ID) (ok bool) {
	f.ok(f.s.Write(f.ctx, func(tx connector.Tx) (err error) {
		ok, err = tx.DropMail(f.ctx, org, id)
		return err
	}))
	return ok
}
