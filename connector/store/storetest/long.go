package storetest

import (
	"math/rand/v2"
	"strings"

	"usherd/connector"
)

// long is a text of so many bytes that cannot be made shorter, another one for each seed.
func long(seed uint64, bytes int) string {
	rnd, b := rand.New(rand.NewPCG(seed, 0)), strings.Builder{} //nolint:gosec // a text for tests
	for b.Len() < bytes-3 {
		b.WriteRune(0x4E00 + rnd.Int32N(20000))
	}
	return b.String()
}

// longValues are what directories may say and no index takes: they are kept and found like others.
func longValues(f *fixture) {
	const most = 8000
	byDN, bySubject := Fail(1, connector.AttributeInvalid), Fail(2, connector.AttributeInvalid)
	byDN.Anchor, bySubject.Anchor = connector.Anchor{}, connector.Anchor{}
	byDN.DN, bySubject.DN, bySubject.Subject = "CN="+long(1, most), "", long(2, most)
	bySubject.Failures[0].Subject = bySubject.Subject
	f.save(byDN, bySubject)
	f.save(byDN, bySubject)
	items := f.items()
	f.equal(len(items), 2)
	f.equal([]int{items[0].Count, items[1].Count}, []int{2, 2})
	f.equal(items[0].DN, byDN.DN)
	f.equal(items[1].Subject, bySubject.Subject)
	mended := Create(1, "", f.now) // with an anchor at last
	mended.DN, mended.Link.DN = byDN.DN, byDN.DN
	f.save(mended)
	f.equal(len(f.items()), 1)

	c := Create(3, "", f.now)
	c.After.Profile["manager"] = []string{long(3, 3*1024)}
	f.save(c)
	next := Next(connector.Updated, c.After, f.now, func(u *connector.User) { u.Profile["manager"] = []string{long(4, 3*1024)} })
	f.save(next)
	faults, err := f.s.Verify(f.ctx)
	f.ok(err)
	f.equal(len(faults), 0)

	g := GroupRecord(1, long(5, most))
	f.putGroups(false, g)
	f.equal(f.group(g.Name).Name, g.Name)

	r, attempt := Asked(0, Source, f.now), f.attempt(0, Source)
	r.Person, attempt.Person, attempt.ID[14] = long(6, most), long(7, most), 1
	f.logged(r)
	f.ok(f.s.PutAttempt(f.ctx, attempt))
	requests, err := f.s.Requests(f.ctx, connector.RequestQuery{Org: Org, Source: Source, Person: r.Person})
	f.ok(err)
	f.equal(len(requests), 1)
	attempts, err := f.s.Attempts(f.ctx, connector.AttemptQuery{Org: Org, Person: attempt.Person})
	f.ok(err)
	f.equal(attempts, []connector.Attempt{attempt})
}
