package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"usherd/connector"
)

// Said is what the source says of person n in words that no other call gives.
func Said(n int, words string) *connector.Record {
	return &connector.Record{
		Anchor: AnchorOf(n), DN: fmt.Sprintf("CN=User%06d", n), Enabled: connector.EnabledYes,
		Attributes: []connector.Attribute{{Name: "mail", Values: [][]byte{[]byte(words)}}},
	}
}

func gone(n int) *connector.Record {
	return &connector.Record{Anchor: AnchorOf(n), Attributes: []connector.Attribute{}, Gone: true}
}

// said keeps records as one chunk of a source.
func (f *fixture) said(org, source string, run connector.ID, list ...*connector.Record) {
	f.Helper()
	var p connector.RecordPacker
	for _, r := range list {
		p.Add(r)
	}
	c := p.Pack()
	c.Org, c.Source, c.Run, c.At = org, source, run, f.now
	f.ok(f.s.Write(f.ctx, func(tx connector.Tx) error { return tx.PutRecords(f.ctx, &c) }))
}

func records(f *fixture) {
	f.said(Org, Source, f.run, Said(1, "a"), Said(2, "b"), Said(3, "c"))
	f.now = f.now.Add(time.Hour)
	f.said(Org, Source, connector.ID{}, Said(2, "bb"))
	f.said(Org, Source, connector.ID{}, gone(3))
	f.now = f.now.Add(time.Hour)
	since, run := f.now, connector.NewID(f.now)
	f.said(Org, Source, run, gone(1), Said(4, "d"))
	f.said("other", Source, run, Said(1, "theirs"), Said(9, "theirs"))
	f.said(Org, "ldap", run, Said(5, "e"))
	f.now = f.now.Add(time.Hour)
	f.said(Org, Source, run, Said(1, "a"))

	first := connector.StoredRecord{Record: Said(1, "a"), Run: f.run, At: Start(), Base: true}
	second := connector.StoredRecord{Record: Said(2, "bb"), At: Start().Add(time.Hour), Base: true}
	f.equal(collect(f, f.s.Records(f.ctx, Org, Source, since)), []connector.StoredRecord{
		second,
		first,
		{Record: gone(1), Run: run, At: since},
		{Record: Said(4, "d"), Run: run, At: since},
		{Record: Said(1, "a"), Run: run, At: since.Add(time.Hour)},
	})
	f.equal(len(collect(f, f.s.Records(f.ctx, Org, Source, Start()))), 8)
	for r, err := range f.s.Records(f.ctx, Org, Source, Start()) { // ended before its time
		f.ok(err)
		f.equal(r.Record, Said(1, "a"))
		break
	}
	sources, err := f.s.RecordSources(f.ctx, Org)
	f.ok(err)
	f.equal(sources, []string{Source, "ldap"})
	err = f.s.Write(f.ctx, func(tx connector.Tx) error { return tx.PutRecords(f.ctx, &connector.RecordChunk{Org: Org, At: f.now}) })
	f.kind(err, connector.Invalid)
}

// recordsOfOthers: neither reading, nor compacting, nor dropping what one organization's source has said
// touches another's, although both have said the very same.
func recordsOfOthers(f *fixture) {
	same := []*connector.Record{Said(1, "a"), Said(2, "b")}
	f.said(Org, Source, f.run, same...)
	f.said("other", Source, f.run, same...)
	f.said(Org, "ldap", f.run, same...)
	later := f.now.Add(time.Hour)
	f.equal(len(collect(f, f.s.Records(f.ctx, "third", Source, later))), 0)
	f.ok(f.s.DropRecords(f.ctx, Org, Source, later))
	f.equal(len(collect(f, f.s.Records(f.ctx, Org, Source, later))), 0)
	f.equal(len(collect(f, f.s.Records(f.ctx, Org, "ldap", later))), 2)
	if n, err := f.s.CompactRecords(f.ctx, Org, "ldap", later); err != nil || n != 2 { // nobody has an account
		f.Fatal(n, err)
	}
	f.equal(len(collect(f, f.s.Records(f.ctx, "other", Source, later))), 2)
	sources, err := f.s.RecordSources(f.ctx, Org)
	f.ok(err)
	f.equal(len(sources), 0)
}

// recordModel is the naive form of what is kept: everything.
type recordModel struct {
	list      []connector.StoredRecord
	linked    map[connector.Anchor]bool
	forgotten time.Time // of what is older, only the last words about people with an account are kept
}

// base is the last word of before a time about everybody.
func (m *recordModel) base(since time.Time) map[connector.Anchor]string {
	last := map[connector.Anchor]string{}
	for _, s := range m.list {
		a := s.Record.Anchor
		if !s.At.Before(since) {
			continue
		}
		delete(last, a)
		if !s.Record.Gone && (m.linked[a] || !s.At.Before(m.forgotten)) {
			last[a] = string(s.Record.Values("mail")[0])
		}
	}
	return last
}

// check compares what the store gives since a time with the model.
func (m *recordModel) check(f *fixture, since time.Time) {
	f.Helper()
	base, rest := map[connector.Anchor]string{}, []connector.StoredRecord{}
	for _, s := range collect(f, f.s.Records(f.ctx, Org, Source, since)) {
		switch {
		case !s.Base:
			rest = append(rest, s)
		case base[s.Record.Anchor] != "":
			f.Fatalf("%s is twice in the base", s.Record.DN)
		default:
			base[s.Record.Anchor] = string(s.Record.Values("mail")[0])
		}
	}
	f.equal(base, m.base(since))
	f.equal(rest, slices.DeleteFunc(slices.Clone(m.list), func(s connector.StoredRecord) bool { return s.At.Before(since) }))
}

// compactedRecords makes random histories, compacts them at random times, now and then cut off in the
// middle, and compares with the model.
func compactedRecords(f *fixture) {
	for seed := range rounds(4) {
		r := rand.New(rand.NewPCG(uint64(seed), 7)) //nolint:gosec // a test
		f.ok(f.s.DropRecords(f.ctx, Org, Source, f.now.Add(time.Hour)))
		m := &recordModel{linked: map[connector.Anchor]bool{}}
		from := seed * 3000
		var people []*connector.Change
		for n := from; n < from+1500; n += 1 + r.IntN(2) {
			people = append(people, Create(n, "", f.now))
			m.linked[AnchorOf(n)] = true
		}
		f.save(people...)
		for step := range 30 {
			f.now = f.now.Add(time.Hour)
			m.say(f, r, from, step)
			if r.IntN(4) == 0 {
				m.compact(f, r)
			}
		}
		horizon := f.now // before the last words
		_, err := f.s.CompactRecords(f.ctx, Org, Source, horizon)
		f.ok(err)
		m.forgotten = horizon
		m.check(f, horizon)
		m.check(f, f.now.Add(time.Minute))
		f.equal(m.stored(f, horizon), len(m.base(horizon)))
		if n, err := f.s.CompactRecords(f.ctx, Org, Source, horizon); err != nil || n != 0 {
			f.Fatal("compacting again drops", n, err)
		}
	}
}

// stored is how many records are really there of before a time, the dropped ones not counted: with a time of
// reading before all of them, nothing is folded.
func (m *recordModel) stored(f *fixture, before time.Time) (n int) {
	for _, s := range collect(f, f.s.Records(f.ctx, Org, Source, time.Time{}.Add(time.Hour))) {
		if s.At.Before(before) {
			n++
		}
	}
	return n
}

// say lets the source say something of some people, in one chunk or one by one.
func (m *recordModel) say(f *fixture, r *rand.Rand, from, step int) {
	var list []*connector.Record
	seen := map[int]bool{}
	for range 1 + r.IntN(700) {
		n := from + r.IntN(1500)
		if seen[n] {
			continue
		}
		seen[n] = true
		rec := Said(n, fmt.Sprintf("%d at %d", n, step))
		if r.IntN(10) == 0 {
			rec = gone(n)
		}
		list = append(list, rec)
		m.list = append(m.list, connector.StoredRecord{Record: rec, Run: f.run, At: f.now})
	}
	if r.IntN(3) == 0 {
		for _, rec := range list[:min(len(list), 20)] {
			f.said(Org, Source, f.run, rec)
		}
		list = list[min(len(list), 20):]
	}
	if len(list) > 0 {
		f.said(Org, Source, f.run, list...)
	}
}

// compact cuts a compaction off at random. Whoever has an account is found again at once with the last word,
// whatever was done by then.
func (m *recordModel) compact(f *fixture, r *rand.Rand) {
	f.Helper()
	ctx := &countdown{Context: f.ctx}
	ctx.left.Store(int64(r.IntN(60)))
	_, err := f.s.CompactRecords(ctx, Org, Source, f.now.Add(-time.Duration(r.IntN(10))*time.Hour))
	if err != nil && !errors.Is(err, context.Canceled) {
		f.Fatal(err)
	}
	got, want := map[connector.Anchor]string{}, m.base(f.now.Add(time.Minute))
	for _, s := range collect(f, f.s.Records(f.ctx, Org, Source, f.now.Add(time.Minute))) {
		if m.linked[s.Record.Anchor] {
			got[s.Record.Anchor] = string(s.Record.Values("mail")[0])
		}
	}
	maps.DeleteFunc(want, func(a connector.Anchor, _ string) bool { return !m.linked[a] })
	f.equal(got, want)
}

// countdown is a context that ends after it has been asked some times.
type countdown struct {
	context.Context //nolint:containedctx // it is one
	left            atomic.Int64
}

// Err says that the context has ended once it was asked often enough.
func (c *countdown) Err() error {
	if c.left.Add(-1) < 0 {
		return context.Canceled
	}
	return c.Context.Err()
}
