package storetest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"usherd/connector"
)

// serial tells requests of one millisecond apart. connector.NewID would not do: ids of tests at other times of
// this process push it forward.
var serial atomic.Uint64

func requestID(at time.Time) connector.ID {
	id := connector.FirstID(at)
	binary.BigEndian.PutUint64(id[8:], serial.Add(1))
	return id
}

// Asked is request n of a client: one of a few people, with one of a few statuses.
func Asked(n int, source string, at time.Time) connector.Request {
	status := [...]int{200, 200, 201, 204, 409, 404, 400}[n%7]
	r := connector.Request{
		ID: requestID(at), Org: Org, Source: source, At: at, Method: "GET", Path: "/scim/acme/v2/Users", Query: fmt.Sprintf("startIndex=%d", n),
		Status: status, Duration: time.Duration(n) * time.Microsecond, Profile: "entra", BytesIn: int64(n), BytesOut: 2 * int64(n), Remote: "192.0.2.7",
	}
	if n%3 > 0 {
		r.Person = fmt.Sprintf("User%d@Example.org", n%20)
		r.User = connector.ID{1, byte(n % 20)} //nolint:gosec // below 20
	}
	if status >= 400 {
		r.ScimType, r.Ref = "uniqueness", connector.NewRef(r.Person)
	}
	if n%5 == 0 {
		r.Quirks = []string{"op-case", "bool-text"}
		r.Asked, r.Answered = fmt.Appendf(nil, `{"n":%d}`, n), []byte{}
	}
	return r
}

func (f *fixture) logged(list ...connector.Request) {
	f.Helper()
	f.ok(f.s.PutRequests(f.ctx, list, nil))
}

func (f *fixture) requests(q connector.RequestQuery) []connector.Request {
	f.Helper()
	list, err := f.s.Requests(f.ctx, q)
	f.ok(err)
	return list
}

func requestsReadBack(f *fixture) {
	first, second := Asked(5, Source, f.now), Asked(11, Source, f.now.Add(time.Second))
	second.Person, second.User = "", connector.ID{}
	other := Asked(6, "okta", f.now.Add(2*time.Second))
	theirs := Asked(7, Source, f.now.Add(3*time.Second))
	theirs.Org = "other"
	f.logged(first, second)
	f.logged(other, theirs)
	f.logged(first) // again: it stays as it is
	f.equal(f.requests(connector.RequestQuery{Org: Org, Bodies: true}), []connector.Request{other, second, first})
	f.equal(f.requests(connector.RequestQuery{Org: Org, Source: Source, Limit: 1}), []connector.Request{second})
	without := first
	without.Asked, without.Answered = nil, nil
	f.equal(f.requests(connector.RequestQuery{Org: Org, Before: second.ID}), []connector.Request{without})
	f.equal(f.requests(connector.RequestQuery{Org: Org, Person: "user5@EXAMPLE.org"}), []connector.Request{without})
	f.equal(f.requests(connector.RequestQuery{Org: Org, After: second.ID}), []connector.Request{other})
	f.equal(f.requests(connector.RequestQuery{Org: "third"}), []connector.Request{})
	for _, want := range []connector.Request{first, second, other} {
		got, ok, err := f.s.Request(f.ctx, Org, want.ID)
		f.ok(err)
		f.equal(ok, true)
		f.equal(got, want)
	}
	for _, id := range []connector.ID{theirs.ID, f.run, {}} {
		_, ok, err := f.s.Request(f.ctx, Org, id)
		f.ok(err)
		f.equal(ok, false)
	}
	clients, err := f.s.RequestClients(f.ctx, Org)
	f.ok(err)
	f.equal(clients, []string{Source, "okta"})
	orgs, err := f.s.RequestOrgs(f.ctx)
	f.ok(err)
	f.equal(orgs, []string{Org, "other"})
	f.kind(f.s.PutRequests(f.ctx, []connector.Request{{Org: Org}}, nil), connector.Invalid)
}

// requestsAgainstModel compares random questions, page by page, with a filter over everything.
func requestsAgainstModel(f *fixture) {
	const seed = 11
	r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a test
	var all []connector.Request
	for n := range 1500 {
		f.now = f.now.Add(time.Duration(r.IntN(3000)) * time.Millisecond)
		q := Asked(r.IntN(1000), []string{Source, "okta", "ping"}[r.IntN(3)], f.now)
		if n%9 == 0 {
			q.Person, q.User = "", connector.ID{}
		}
		q.Asked, q.Answered = nil, nil
		all = append(all, q)
	}
	f.loggedAsTheyCome(r, all)
	for range rounds(60) {
		q := connector.RequestQuery{Org: Org, Limit: 5 + r.IntN(200)}
		if r.IntN(2) == 0 {
			q.Source = Source
		}
		if who := r.IntN(20); r.IntN(2) == 0 {
			q.Person = fmt.Sprintf("user%d@example.org", who)
			if r.IntN(2) == 0 {
				q.User = connector.ID{1, byte(r.IntN(20))} //nolint:gosec // below 20
			}
		}
		q.Status = [...][2]int{{}, {}, {400, 499}, {409, 409}, {200, 299}, {500, 599}}[r.IntN(6)]
		if r.IntN(3) == 0 {
			q.Since = all[r.IntN(len(all))].At
		}
		want := slices.DeleteFunc(slices.Clone(all), func(r connector.Request) bool { return !chosen(&q, &r) })
		slices.Reverse(want)
		var got []connector.Request
		for page := f.requests(q); len(page) > 0; page = f.requests(q) {
			if len(page) > q.Limit {
				f.Fatalf("seed %d: %+v gave %d", seed, q, len(page))
			}
			got = append(got, page...)
			q.Before = page[len(page)-1].ID
		}
		f.equal(got, want)
	}
	for _, source := range []string{Source, "ping", "none"} {
		since := all[300].At
		want := connector.RequestCounts{}
		for _, q := range all {
			if q.Source != source || before(q.ID, connector.FirstID(since)) {
				continue
			}
			if want.Requests++; q.Status >= 400 {
				want.Errors++
			}
			if q.Status == 429 {
				want.Throttled++
			}
		}
		got, err := f.s.CountRequests(f.ctx, Org, source, since)
		f.ok(err)
		f.equal(got, want)
	}
}

// loggedAsTheyCome logs requests a few at a time: some late, as those of another process may be, and some twice, as by a
// second try.
func (f *fixture) loggedAsTheyCome(r *rand.Rand, all []connector.Request) {
	f.Helper()
	var late []connector.Request
	for part := range slices.Chunk(all, 100) {
		part = slices.Clone(part)
		r.Shuffle(len(part), func(i, j int) { part[i], part[j] = part[j], part[i] })
		n := r.IntN(20)
		late = append(late, part[:n]...)
		f.logged(part[n:]...)
		f.logged(part[n : n+r.IntN(len(part)-n)]...)
		if r.IntN(4) == 0 {
			f.logged(late...)
			late = nil
		}
	}
	f.logged(late...)
}

// chosen is the naive form of a query.
func chosen(q *connector.RequestQuery, r *connector.Request) bool {
	if q.Source != "" && r.Source != q.Source || r.At.Before(q.Since) {
		return false
	}
	if q.Status[1] > 0 && (r.Status < q.Status[0] || r.Status > q.Status[1]) {
		return false
	}
	byName := q.Person != "" && connector.Fold(r.Person) == connector.Fold(q.Person)
	byID := !q.User.IsZero() && r.User == q.User
	return byName || byID || q.Person == "" && q.User.IsZero()
}

func requestsForgotten(f *fixture) {
	var list []connector.Request
	for n := range 2300 { // more than go in one transaction
		list = append(list, Asked(n, Source, f.now.Add(time.Duration(n)*time.Second)))
	}
	f.logged(list...)
	f.logged(Asked(1, "okta", f.now))
	n, err := f.s.DropRequests(f.ctx, Org, Source, list[2200].At)
	f.ok(err)
	f.equal(n, 2200)
	f.equal(f.requests(connector.RequestQuery{Org: Org, Source: Source, Bodies: true})[99], list[2200])
	f.equal(len(f.requests(connector.RequestQuery{Org: Org, Source: "okta"})), 1)
	n, err = f.s.DropRequests(f.ctx, Org, Source, list[2200].At)
	f.ok(err)
	f.equal(n, 0)
}

func quirksCounted(f *fixture) {
	count := func(source, quirk string, n int64, first, last time.Duration) connector.QuirkCount {
		return connector.QuirkCount{Org: Org, Source: source, Quirk: quirk, Count: n, First: f.now.Add(first), Last: f.now.Add(last)}
	}
	f.ok(f.s.PutRequests(f.ctx, nil, []connector.QuirkCount{count(Source, "b", 2, 0, time.Hour), count(Source, "a", 1, 0, 0), count("okta", "b", 7, 0, 0)}))
	f.ok(f.s.PutRequests(f.ctx, nil, []connector.QuirkCount{count(Source, "b", 3, 2*time.Hour, 3*time.Hour)}))
	got, err := f.s.Quirks(f.ctx, Org, Source)
	f.ok(err)
	f.equal(got, []connector.QuirkCount{count(Source, "a", 1, 0, 0), count(Source, "b", 5, 0, 3*time.Hour)})
	f.ok(f.s.DropQuirks(f.ctx, f.now.Add(time.Hour)))
	got, err = f.s.Quirks(f.ctx, Org, Source)
	f.ok(err)
	f.equal(got, []connector.QuirkCount{count(Source, "b", 5, 0, 3*time.Hour)})
}

func clientProfile(f *fixture) {
	got, err := f.s.ClientProfile(f.ctx, Org, "entra")
	f.ok(err)
	f.equal(got, connector.ClientProfile{Org: Org, Source: "entra"})
	for _, p := range []string{"generic", "entra"} {
		want := connector.ClientProfile{Org: Org, Source: "entra", Profile: p, Why: "op is written Replace", At: f.now}
		f.ok(f.s.PutClientProfile(f.ctx, want))
		got, err = f.s.ClientProfile(f.ctx, Org, "entra")
		f.ok(err)
		f.equal(got, want)
	}
	f.kind(f.s.PutClientProfile(f.ctx, connector.ClientProfile{Org: Org, Source: "entra"}), connector.Invalid)
}

// assertionsOnce: of many who use one assertion at once, one is the first; another client may use an equal one.
func assertionsOnce(f *fixture) {
	hash, until := bytes.Repeat([]byte{7}, 32), f.now.Add(time.Minute)
	var fresh atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			ok, err := f.s.UseAssertion(f.ctx, Org, Source, hash, until)
			if err != nil {
				f.Error(err)
			}
			if ok {
				fresh.Add(1)
			}
		})
	}
	wg.Wait()
	f.equal(fresh.Load(), int32(1))
	use := func(source string, want bool) {
		f.Helper()
		ok, err := f.s.UseAssertion(f.ctx, Org, source, hash, until)
		f.ok(err)
		f.equal(ok, want)
	}
	use("okta", true)
	f.ok(f.s.DropAssertions(f.ctx, until))
	use("okta", false)
	f.ok(f.s.DropAssertions(f.ctx, until.Add(time.Microsecond)))
	use("okta", true)
}

func before(a, b connector.ID) bool { return bytes.Compare(a[:], b[:]) < 0 }
