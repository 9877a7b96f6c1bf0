package main

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"usherd/connector"
	"usherd/connector/domains"
	"usherd/connector/notice"
)

const (
	// stuckFor is how long a mail has waited when it is said that the mail server takes none.
	stuckFor = 30 * time.Minute
	// givenUpFor is how long mails that were given up are told of.
	givenUpFor = 24 * time.Hour
	// endedFor is how long something that has ended is told of: nobody misses it afterwards.
	endedFor = 7 * 24 * time.Hour
)

// endsWithin are the times before an end at which it is told, the first one first.
var endsWithin = [...]time.Duration{30 * 24 * time.Hour, 7 * 24 * time.Hour, 24 * time.Hour}

// lookout is one look at how everything is that lasts.
type lookout struct {
	daemon *daemon
	site   *site
	now    time.Time
	stuck  string // the organization of a mail that has waited for too long, "" = there is none
	ends   []lasts
	list   []notice.Condition
}

// lasts is something that lasts until a time.
type lasts struct {
	org, source string
	what, name  string
	at          time.Time
	late        bool // told only when it has ended, as what is made anew each day
}

// conditions are how everything is that lasts.
func (d *daemon) conditions(ctx context.Context, s *site) ([]notice.Condition, error) {
	l := &lookout{daemon: d, site: s, now: d.app.now()}
	late, err := s.db.DueMails(ctx, l.now.Add(-stuckFor), 1)
	if err != nil {
		return nil, err
	}
	if len(late) > 0 && late[0].Answer != "" { // the server has been tried
		l.stuck = late[0].Org
	}
	if l.ends, err = s.endingTokens(ctx); err != nil {
		return nil, err
	}
	l.ends = append(l.ends, d.lasting(s.orgs[0].Org.ID)...)
	for _, o := range s.orgs {
		for _, look := range []func(context.Context, *org) error{l.troubles, l.seats, l.mails, l.domains} {
			if err := look(ctx, o); err != nil {
				return nil, err
			}
		}
	}
	l.ending()
	return l.list, nil
}

// troubles are sources in quarantine.
func (l *lookout) troubles(ctx context.Context, o *org) error {
	for id := range o.Directories {
		trouble, err := l.site.trouble(ctx, target{org: o, id: id, src: o.sources[id]})
		if err != nil {
			return err
		}
		c := notice.Condition{
			Org: o.Org.ID, Topic: "source/" + id, Kind: connector.NoticeQuarantined, Over: connector.NoticeRecovered, Data: connector.NoticeData{Source: id},
		}
		if trouble.Quarantined() {
			c.Level = 1
			c.Data.Trouble = &connector.NoticeTrouble{Runs: trouble.Failures, Since: trouble.Since, Refused: trouble.Refused}
			c.Data.Error, c.Data.Hint = trouble.Error, trouble.Hint
		}
		l.list = append(l.list, c)
	}
	return nil
}

// seats are packages of which few are free: 1 = fewer than the limit, 2 = none.
func (l *lookout) seats(ctx context.Context, o *org) error {
	limit := l.site.file.Config.Reports.Limit()
	counts, err := l.site.db.Seats(ctx, o.Org.ID)
	for _, c := range counts {
		if c.Seats == connector.Unlimited {
			continue
		}
		x := notice.Condition{Org: o.Org.ID, Topic: "seats/" + c.Package, Kind: connector.NoticeSeats, Data: connector.NoticeData{
			Seats: &connector.NoticeSeatsLow{Package: c.Package, Total: c.Seats, Used: c.Used, Free: c.Free(), Waiting: c.Waiting},
		}}
		if limit.Low(c.Free(), c.Seats) {
			x.Level = 1
			if c.Free() == 0 {
				x.Level = 2
			}
		}
		l.list = append(l.list, x)
	}
	return err
}

// mails tells of an outbox that does not get empty. Reports themselves do not count: who is told of them cannot be told by mail.
func (l *lookout) mails(ctx context.Context, o *org) error {
	failed, err := l.site.db.Mails(ctx, connector.MailQuery{Org: o.Org.ID, State: connector.MailFailed})
	x := notice.Condition{Org: o.Org.ID, Topic: "outbox", Kind: connector.NoticeOutbox, Data: connector.NoticeData{Mails: &connector.NoticeMails{Stuck: l.stuck == o.Org.ID}}}
	for i := range failed {
		if failed[i].Kind != connector.ReportMail && l.now.Sub(failed[i].DoneAt) < givenUpFor {
			x.Data.Mails.GivenUp++
		}
	}
	switch n := x.Data.Mails.GivenUp; {
	case x.Data.Mails.Stuck:
		x.Level = 4
	case n > 0:
		x.Level = min(len(strconv.Itoa(n)), 3) // with 1, 10 and 100
	}
	l.list = append(l.list, x)
	return err
}

// domains are those whose proof is not found: 1 = they count as verified for a while, 2 = not any more.
func (l *lookout) domains(ctx context.Context, o *org) error {
	list, err := l.site.db.Domains(ctx, o.Org.ID)
	for i := range list {
		d := &list[i]
		proof := &connector.NoticeProof{Name: d.Name}
		x := notice.Condition{Org: o.Org.ID, Topic: "domain/" + d.Name, Kind: connector.NoticeDomain, Data: connector.NoticeData{Domain: proof}}
		switch {
		case d.Verified() && !d.FailingSince.IsZero():
			x.Level, proof.KeptUntil = 1, d.FailingSince.Add(domains.KeptFor)
		case !d.Verified():
			x.Level, x.Follows = 2, true // one that never was has nothing to lose
		}
		l.list = append(l.list, x)
	}
	return err
}

// ending tells of what ends: 1, 2 and 3 are the times of endsWithin.
func (l *lookout) ending() {
	for _, e := range l.ends {
		left := e.at.Sub(l.now)
		if left < -endedFor || e.late && left > 0 {
			continue
		}
		level := 0
		for _, within := range endsWithin {
			if left <= within {
				level++
			}
		}
		if level == 0 {
			continue
		}
		end := &connector.NoticeEnd{What: e.what, Name: e.name, Ends: e.at, Days: max(int(left/(24*time.Hour)), 0)}
		l.list = append(l.list, notice.Condition{
			Org: e.org, Topic: fmt.Sprintf("ends/%s/%s/%s/%d", e.what, e.source, e.name, e.at.Unix()), Level: level, Kind: connector.NoticeEnds,
			Data: connector.NoticeData{Source: e.source, End: end},
		})
	}
}

// endingTokens are the tokens that end.
func (s *site) endingTokens(ctx context.Context) (list []lasts, err error) {
	tokens, err := s.lastingTokens(ctx, "", "")
	for i := range tokens {
		if k := &tokens[i]; k.RevokedAt.IsZero() && !k.EndsAt.IsZero() && s.hasBearer(k) {
			list = append(list, lasts{org: k.Org, source: cmp.Or(k.Source, "API"), what: connector.EndOfToken, name: cmp.Or(k.Name, k.ID.Short()), at: k.EndsAt})
		}
	}
	return list, err
}

// lasting are the certificates of our doors and signatures, which are told of in the organization that is named, and those and the metadata of
// identity providers, each in its own.
func (d *daemon) lasting(org string) (list []lasts) {
	for _, l := range d.listeners() {
		if c := l.certificate(); c != nil {
			list = append(list, lasts{org: org, source: l.what, what: connector.EndOfDoorCertificate, name: c.Subject.String(), at: c.NotAfter})
		}
	}
	if d.signOn == nil {
		return list
	}
	x := d.signOn.idps
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, k := range x.keys {
		list = append(list, lasts{org: org, what: connector.EndOfOwnCertificate, name: k.Certificate.Subject.String(), at: k.Certificate.NotAfter})
	}
	for key, i := range x.all {
		for _, c := range i.is.Certificates {
			list = append(list, lasts{org: key.Org, source: key.ID, what: connector.EndOfCertificate, name: c.Subject.String(), at: c.NotAfter})
		}
		if !i.is.Until.IsZero() {
			list = append(list, lasts{org: key.Org, source: key.ID, what: connector.EndOfMetadata, name: key.ID, at: i.is.Until, late: i.c.MetadataURL != ""})
		}
	}
	return list
}
