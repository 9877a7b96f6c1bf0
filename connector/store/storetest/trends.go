package storetest

import (
	"time"

	"usherd/connector"
)

// trends: failures that are open are counted by reason as far as they were seen of late, and runs by the day of their end.
func trends(f *fixture) {
	size, err := f.s.Size(f.ctx)
	f.ok(err)
	f.equal(size > 10_000, true)
	start := f.now
	f.save(Fail(1, connector.EmailTaken), Fail(2, connector.EmailTaken), Fail(3, connector.NoSeat))
	f.now = f.now.Add(time.Hour)
	f.save(Fail(2, connector.EmailTaken))
	seen := func(since time.Time, want ...connector.ItemCount) {
		f.Helper()
		got, err := f.s.SeenItems(f.ctx, Org, since)
		f.ok(err)
		f.equal(got, want)
	}
	taken := Fail(1, connector.EmailTaken).Failures[0]
	last := connector.ItemCount{Code: taken.Code, Reason: connector.EmailTaken, Count: 1, Latest: f.now}
	seen(start.Add(time.Second), last)
	last.Count = 2
	seen(start, last, connector.ItemCount{Code: Fail(1, connector.NoSeat).Failures[0].Code, Reason: connector.NoSeat, Count: 1, Latest: start})
	seen(f.now.Add(time.Second))

	midnight := f.now.UTC().Truncate(24 * time.Hour)
	put := func(source string, result connector.Result, ended time.Time) {
		f.putRun(&connector.Run{ID: connector.NewID(f.now), Org: Org, Source: source, Result: result, Started: midnight, Finished: ended})
	}
	put(Source, connector.ResultOK, midnight)
	put(Source, connector.ResultOK, midnight.Add(24*time.Hour-1000))
	put("lab", connector.ResultFailed, midnight.Add(24*time.Hour))
	put(Source, connector.ResultRunning, time.Time{})
	put(Source, connector.ResultOK, midnight.Add(-1000))
	days := func(source string, since time.Time, want ...connector.RunDay) {
		f.Helper()
		got, err := f.s.RunDays(f.ctx, Org, source, since)
		f.ok(err)
		f.equal(got, want)
	}
	own := connector.RunDay{Day: midnight, Result: connector.ResultOK, Runs: 2}
	days("", f.now, own, connector.RunDay{Day: midnight.Add(24 * time.Hour), Result: connector.ResultFailed, Runs: 1})
	days(Source, f.now, own)
	days("nowhere", f.now)
	ended := func(q connector.RunFilter, want ...time.Time) (last connector.ID) {
		f.Helper()
		q.Org = Org
		list, err := f.s.Runs(f.ctx, q)
		f.ok(err)
		var got []time.Time
		for _, r := range list {
			got, last = append(got, r.Finished), r.ID
		}
		f.equal(got, want)
		return last
	}
	late := midnight.Add(24*time.Hour - 1000)
	ended(connector.RunFilter{From: midnight, Until: midnight.Add(24 * time.Hour)}, late, midnight)
	ended(connector.RunFilter{Until: midnight}, midnight.Add(-1000))
	ended(connector.RunFilter{From: midnight, Source: "lab"}, midnight.Add(24*time.Hour))
	second := ended(connector.RunFilter{From: midnight, Limit: 2}, midnight.Add(24*time.Hour), late)
	ended(connector.RunFilter{From: midnight, Limit: 2, Before: second}, midnight)
	ended(connector.RunFilter{From: midnight, Oldest: true}, midnight, late, midnight.Add(24*time.Hour))
	ended(connector.RunFilter{Until: midnight.Add(24 * time.Hour), Oldest: true}, midnight.Add(-1000), midnight, late)
	ended(connector.RunFilter{From: midnight.Add(1000), Source: Source, Oldest: true}, late)
	second = ended(connector.RunFilter{From: midnight, Limit: 2, Oldest: true}, midnight, late)
	ended(connector.RunFilter{From: midnight, Limit: 2, Oldest: true, Before: second}, midnight.Add(24*time.Hour))
	ended(connector.RunFilter{From: midnight.Add(24 * time.Hour), Oldest: true, Before: second}, midnight.Add(24*time.Hour))
	first := ended(connector.RunFilter{Oldest: true, Limit: 1}, midnight)
	ended(connector.RunFilter{Oldest: true, Source: Source, Before: first}, late, time.Time{}, midnight.Add(-1000))
	ended(connector.RunFilter{Oldest: true, Before: first, Limit: 2}, late, midnight.Add(24*time.Hour))
	_, err = f.s.Runs(f.ctx, connector.RunFilter{Oldest: true})
	f.kind(err, connector.Invalid)
	_, err = f.s.Runs(f.ctx, connector.RunFilter{Org: Org, From: midnight, Before: connector.NewID(f.now)})
	f.equal(connector.KindOf(err), connector.NotFound)
}

// revisionTimes: revisions are listed without their texts, page by page, and read one by one.
func revisionTimes(f *fixture) {
	for i, id := range []string{"a", "b", "c"} {
		f.ok(f.s.PutRevision(f.ctx, connector.Revision{ID: id, At: f.now.Add(time.Duration(min(i, 1)) * time.Hour), Text: "version: " + id}))
	}
	var before connector.Revision
	for _, want := range []string{"c", "b", "a"} {
		list, err := f.s.RevisionTimes(f.ctx, before, 1)
		f.ok(err)
		f.equal(len(list), 1)
		f.equal(list[0].ID+list[0].Text, want)
		before = list[0]
	}
	list, err := f.s.RevisionTimes(f.ctx, before, 1)
	f.ok(err)
	f.equal(len(list), 0)
	one, err := f.s.Revision(f.ctx, "b")
	f.ok(err)
	f.equal(one.Text, "version: b")
	_, err = f.s.Revision(f.ctx, "d")
	f.equal(connector.KindOf(err), connector.NotFound)
}
