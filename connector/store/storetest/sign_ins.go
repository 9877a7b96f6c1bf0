package storetest

import (
	"sync"
	"sync/atomic"
	"time"

	"usherd/connector"
)

// ticketsOnce: of many who use one ticket at once, one gets it, and what it is for is part of it.
func ticketsOnce(f *fixture) {
	ticket := connector.Ticket{
		Org: Org, Source: Source, Kind: connector.CodeTicket, Hash: connector.TokenHash{7}, Until: f.now.Add(time.Minute), Data: []byte(`{"a":1}`),
	}
	f.ok(f.s.PutTicket(f.ctx, ticket))
	f.kind(f.s.PutTicket(f.ctx, ticket), connector.Conflict)
	f.kind(f.s.PutTicket(f.ctx, connector.Ticket{Org: Org, Source: Source}), connector.Invalid)
	take := func(source string, kind connector.TicketKind, hash connector.TokenHash, now time.Time) (connector.Ticket, bool) {
		k, ok, err := f.s.TakeTicket(f.ctx, Org, source, kind, hash, now)
		f.ok(err)
		return k, ok
	}
	for _, other := range []struct {
		source string
		kind   connector.TicketKind
		hash   connector.TokenHash
	}{{"okta", connector.CodeTicket, ticket.Hash}, {Source, connector.RequestTicket, ticket.Hash}, {Source, connector.CodeTicket, connector.TokenHash{8}}} {
		_, ok := take(other.source, other.kind, other.hash, f.now)
		f.equal(ok, false)
	}
	var got atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			k, ok, err := f.s.TakeTicket(f.ctx, Org, Source, connector.CodeTicket, ticket.Hash, f.now)
			if err != nil {
				f.Error(err)
			}
			if ok {
				got.Add(1)
				f.equal(k, ticket)
			}
		})
	}
	wg.Wait()
	f.equal(got.Load(), int32(1))

	f.ok(f.s.PutTicket(f.ctx, ticket))
	_, ok := take(Source, connector.CodeTicket, ticket.Hash, ticket.Until)
	f.equal(ok, false) // its time is over
	f.ok(f.s.PutTicket(f.ctx, ticket))
	f.ok(f.s.DropTickets(f.ctx, ticket.Until))
	_, ok = take(Source, connector.CodeTicket, ticket.Hash, f.now)
	f.equal(ok, true)
	f.ok(f.s.PutTicket(f.ctx, ticket))
	f.ok(f.s.DropTickets(f.ctx, ticket.Until.Add(time.Microsecond)))
	_, ok = take(Source, connector.CodeTicket, ticket.Hash, f.now)
	f.equal(ok, false)
}

// attempt is the n-th one of a source, at a time of its own.
func (f *fixture) attempt(n int, source string) connector.Attempt {
	at := f.now.Add(time.Duration(n) * time.Second)
	s := connector.Attempt{
		ID: connector.FirstID(at), Org: Org, Source: source, At: at, Person: "Ann@example.com", Remote: "192.0.2.1", Took: 12 * time.Millisecond,
		Steps: []connector.AttemptStep{{Name: "received", Result: "ok"}, {Name: "signature", Result: "ok", Detail: "RSA \"256\""}},
	}
	s.ID[15] = source[0] // of two sources at one time
	if n%2 == 1 {
		s.Code, s.Reason, s.Ref, s.Person, s.User = 31, connector.NoSeat, "7KQ2-M4ZT", "bob@example.com", connector.ID{9}
	}
	f.ok(f.s.PutAttempt(f.ctx, s))
	return s
}

func signIns(f *fixture) {
	f.kind(f.s.PutAttempt(f.ctx, connector.Attempt{Org: Org}), connector.Invalid)
	trial := connector.Attempt{ // a test: kept, and counted by nobody
		ID: connector.FirstID(f.now.Add(time.Minute)), Org: Org, Source: Source, At: f.now.Add(time.Minute), Person: "carl", Steps: []connector.AttemptStep{},
		Test: &connector.AttemptTest{
			By: "root", Subject: "c-1", Attributes: []connector.SaidAttribute{{Name: "mail", Values: []string{"carl@example.com", "c"}}, {Name: "x"}}, Left: 2,
			Fields: []connector.FieldChange{{Field: "title", After: []string{"Chief"}}},
		},
	}
	ahead := int64(-2500)
	trial.Steps = append(trial.Steps, connector.AttemptStep{Name: "conditions", Result: "ok", Skew: &ahead})
	a, b, c, other := f.attempt(0, Source), f.attempt(1, Source), f.attempt(2, Source), f.attempt(3, "okta")
	ask := func(q connector.AttemptQuery, want ...connector.Attempt) {
		f.Helper()
		q.Org = Org
		got, err := f.s.Attempts(f.ctx, q)
		f.ok(err)
		f.equal(got, want)
	}
	ask(connector.AttemptQuery{}, other, c, b, a)
	ask(connector.AttemptQuery{Limit: 2}, other, c)
	ask(connector.AttemptQuery{Source: Source}, c, b, a)
	ask(connector.AttemptQuery{Failed: true}, other, b)
	ask(connector.AttemptQuery{Person: "ANN@example.com"}, c, a)
	ask(connector.AttemptQuery{Before: c.ID}, b, a)
	ask(connector.AttemptQuery{Since: c.At}, other, c)
	refused := []connector.AttemptReason{{Code: b.Code, Reason: b.Reason, Count: 1}}
	f.ok(f.s.PutAttempt(f.ctx, trial))
	ask(connector.AttemptQuery{}, trial, other, c, b, a)
	for _, x := range []struct {
		since time.Time
		most  int
		want  connector.AttemptCounts
	}{{a.At, 10, connector.AttemptCounts{Attempts: 3, Refused: 1, Reasons: refused}}, {b.At, 10, connector.AttemptCounts{Attempts: 2, Refused: 1, Reasons: refused}}, {a.At, 1, connector.AttemptCounts{Attempts: 1}}, {f.now.Add(time.Hour), 10, connector.AttemptCounts{}}} {
		n, err := f.s.CountAttempts(f.ctx, Org, Source, x.since, x.most)
		f.ok(err)
		f.equal(n, x.want)
	}
	got, ok, err := f.s.Attempt(f.ctx, Org, other.ID)
	f.ok(err)
	f.equal(ok, true)
	f.equal(got, other)
	_, ok, err = f.s.Attempt(f.ctx, "third", other.ID)
	f.ok(err)
	f.equal(ok, false)
	orgs, err := f.s.AttemptOrgs(f.ctx)
	f.ok(err)
	f.equal(orgs, []string{Org})
	sources, err := f.s.AttemptSources(f.ctx, Org)
	f.ok(err)
	f.equal(len(sources), 2)
	n, err := f.s.DropAttempts(f.ctx, Org, Source, c.At)
	f.ok(err)
	f.equal(n, 2)
	ask(connector.AttemptQuery{}, trial, other, c)
}
