package storetest

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"usherd/connector"
)

func (f *fixture) putRun(r *connector.Run) {
	f.Helper()
	f.ok(f.s.Write(f.ctx, func(tx connector.Tx) error { return tx.PutRun(f.ctx, r) }))
}

func runs(f *fixture) {
	var all []*connector.Run
	for i := range 5 {
		source := Source
		if i == 3 {
			source = "ldap"
		}
		r := &connector.Run{
			ID: connector.NewID(f.now), Org: Org, Source: source, Mode: connector.ModeFull, Actor: "schedule", Result: connector.ResultRunning,
			Started: f.now, Skips: map[connector.SkipReason]int{connector.SkipProtected: i}, Fingerprint: connector.Hash{1, 2},
			Hold:   &connector.Hold{Reason: "82 removals", Digest: "abc", Status: connector.HoldOpen, Expires: f.now.Add(time.Hour)},
			Phases: []connector.Phase{{Name: "read", Took: time.Second}}, Approves: f.run,
			Seats: []connector.SeatCount{{Package: "gold", Seats: 3}}, Warnings: []string{"w"},
		}
		f.putRun(r)
		r.Result, r.Finished, r.Counts.Created = connector.ResultOK, f.now.Add(time.Minute), i
		f.putRun(r)
		all = append(all, r)
	}
	got, err := f.s.Run(f.ctx, all[2].ID)
	f.ok(err)
	f.equal(got, all[2])
	_, err = f.s.Run(f.ctx, f.run)
	f.kind(err, connector.NotFound)
	list, err := f.s.Runs(f.ctx, connector.RunFilter{Limit: 2})
	f.ok(err)
	f.equal(list, []*connector.Run{all[4], all[3]})
	list, err = f.s.Runs(f.ctx, connector.RunFilter{Org: Org, Source: Source, Before: all[4].ID})
	f.ok(err)
	f.equal(list, []*connector.Run{all[2], all[1], all[0]})
	list, err = f.s.Runs(f.ctx, connector.RunFilter{Org: "other"})
	f.ok(err)
	f.equal(len(list), 0)

	for _, key := range []string{"last", all[4].ID.String(), strings.ToUpper(all[4].ID.String()[26:])} {
		r, err := f.s.FindRun(f.ctx, key)
		f.ok(err)
		f.equal(r.ID, all[4].ID)
	}
	_, err = f.s.FindRun(f.ctx, "fff")
	f.kind(err, connector.Invalid)
	_, err = f.s.FindRun(f.ctx, "zzzzzzzz")
	f.kind(err, connector.NotFound)
	twin := *all[0]
	twin.ID[0] ^= 1 // the same ending
	f.putRun(&twin)
	_, err = f.s.FindRun(f.ctx, all[0].ID.String()[20:])
	f.kind(err, connector.Invalid)
}

func openHolds(f *fixture) {
	var want []connector.ID
	for i, status := range []connector.HoldStatus{connector.HoldOpen, connector.HoldApproved, connector.HoldSuperseded, connector.HoldOpen, connector.HoldOpen} {
		r := &connector.Run{
			ID: connector.NewID(f.now.Add(time.Duration(i))), Org: Org, Source: Source, Result: connector.ResultHeld,
			Hold: &connector.Hold{Status: status, Expires: f.now, First: &connector.Approval{By: "a", At: f.now, Part: &connector.Part{Only: []string{"x"}, People: 1, Of: 2}}},
		}
		switch i {
		case 3:
			r.Source = "ldap"
		case 4:
			r.Org = "other"
		}
		f.putRun(r)
		if status == connector.HoldOpen && r.Org == Org {
			want = append(want, r.ID)
		}
	}
	open := func(source string) (ids []connector.ID) {
		f.ok(f.s.Write(f.ctx, func(tx connector.Tx) error {
			runs, err := tx.OpenHolds(f.ctx, Org, source)
			ids = nil
			for _, r := range runs {
				ids = append(ids, r.ID)
				f.equal(r.Hold.First.Part, &connector.Part{Only: []string{"x"}, People: 1, Of: 2})
			}
			return err
		}))
		return ids
	}
	f.equal(open(""), want)
	f.equal(open(Source), want[:1])
	f.equal(len(open("none")), 0)
}

func runChanges(f *fixture) {
	c := Create(1, "", f.now)
	f.save(c)
	first := f.run
	f.run = connector.NewID(f.now)
	update := Next(connector.Updated, c.After, f.now.Add(time.Hour), func(u *connector.User) { u.Profile.Set("title", "later") })
	f.now = f.now.Add(time.Hour)
	update.Warnings = []string{"the phone is not put back", "\"quoted\""}
	f.save(update)
	held := Deactivate(update.After, f.now)
	held.Held, held.Removal, held.Anchor, held.Link, held.Unlink = true, true, c.Anchor, c.Link, AnchorOf(8)
	held.Link.Key, held.Link.PrimaryGroup, held.Link.MembershipsFollow = keyOf(held.Link.DN), 513, true
	failed := Fail(2, connector.NoSeat)
	failed.Failures[0].At, failed.Failures[0].Fields = f.now, []string{"email"}
	skipped := &connector.Change{Action: connector.Skipped, Org: Org, Source: Source, Anchor: AnchorOf(3), Skip: connector.SkipProtected, Warnings: []string{"w"}}
	f.ok(f.s.Bulk(f.ctx, func(tx connector.Tx) error {
		if err := tx.PutOutcomes(f.ctx, f.run, []*connector.Change{held, failed}); err != nil {
			return err
		}
		return tx.PutOutcomes(f.ctx, f.run, []*connector.Change{skipped})
	}))
	changes := collect(f, f.s.RunChanges(f.ctx, f.run))
	f.equal(len(changes), 4)
	f.equal(changes[0].After, update.After)
	f.equal(changes[0].Fields, update.Fields)
	f.equal(changes[0].Warnings, update.Warnings)
	f.equal(changes[1:], []*connector.Change{held, failed, skipped})
	var paged []*connector.Change
	for after := (connector.ID{}); ; {
		page, err := f.s.Outcomes(f.ctx, f.run, after, 2)
		f.ok(err)
		for _, o := range page {
			paged, after = append(paged, o.Change), o.ID
		}
		if len(page) < 2 {
			break
		}
	}
	f.equal(paged, changes[1:])
	found, err := f.s.OutcomesOf(f.ctx, f.run, []*connector.Change{{Anchor: failed.Anchor}, {Anchor: c.Anchor}, {Anchor: AnchorOf(77)}})
	f.ok(err)
	f.equal(len(found), 2)
	f.equal([]*connector.Change{found[0].Change, found[1].Change}, []*connector.Change{held, failed})
	all, err := f.s.OutcomesFound(f.ctx, f.run)
	f.ok(err)
	f.equal(all, true)
	events, err := f.s.EventsInRun(f.ctx, Org, f.run, []connector.ID{c.After.ID, connector.NewID(f.now)})
	f.ok(err)
	f.equal(len(events), 1)
	f.equal(events[0].Action, connector.Updated)
	events, err = f.s.EventsInRun(f.ctx, "other", f.run, []connector.ID{c.After.ID})
	f.ok(err)
	f.equal(len(events), 0)

	changes = collect(f, f.s.RunChanges(f.ctx, first)) // the user as it was then
	f.equal(len(changes), 1)
	f.equal(changes[0].After, c.After)
	f.equal(changes[0].Anchor, c.Anchor)
	f.equal(changes[0].DN, c.DN)
	f.equal(changes[0].Subject, c.Subject)
	f.equal(changes[0].Transitions, c.Transitions)

	f.ok(f.s.DropOutcomes(f.ctx, f.run))
	f.equal(len(collect(f, f.s.RunChanges(f.ctx, f.run))), 1)
}

func oldRuns(f *fixture) {
	var all []*connector.Run
	for i := range 4 {
		r := &connector.Run{ID: connector.NewID(f.now), Org: Org, Source: Source, Result: connector.ResultOK, Finished: f.now}
		switch i {
		case 1:
			r.Result, r.Finished = connector.ResultRunning, time.Time{}
		case 2:
			r.Result, r.Hold = connector.ResultHeld, &connector.Hold{Status: connector.HoldOpen}
		}
		f.putRun(r)
		all = append(all, r)
	}
	f.ok(f.s.Write(f.ctx, func(tx connector.Tx) error { return tx.PutOutcomes(f.ctx, all[0].ID, []*connector.Change{Fail(1)}) }))
	n, err := f.s.InterruptRuns(f.ctx, Org, "ldap", f.now)
	f.ok(err)
	f.equal(n, 0)
	n, err = f.s.Prune(f.ctx, f.now)
	f.ok(err)
	f.equal(n, 0)
	n, err = f.s.Prune(f.ctx, f.now.Add(time.Second)) // not the running, the held and the latest one
	f.ok(err)
	f.equal(n, 1)
	f.equal(len(collect(f, f.s.RunChanges(f.ctx, all[0].ID))), 0)
	n, err = f.s.InterruptRuns(f.ctx, Org, Source, f.now)
	f.ok(err)
	f.equal(n, 1)
	r, err := f.s.Run(f.ctx, all[1].ID)
	f.ok(err)
	f.equal([]any{r.Result, r.Error, r.Finished}, []any{connector.ResultFailed, "cut off", f.now})
	n, err = f.s.InterruptRuns(f.ctx, Org, Source, f.now)
	f.ok(err)
	f.equal(n, 0)
}

func sourceState(f *fixture) {
	got, err := f.s.SourceState(f.ctx, Org, Source)
	f.ok(err)
	f.equal(got, connector.SourceState{Org: Org, Source: Source})
	want := connector.SourceState{
		Org: Org, Source: Source, Fingerprint: connector.Hash{1}, Entries: 7, Present: map[string]int{"mail": 6}, LastRun: f.run,
		LastOK: f.now, Cursor: connector.Cursor{Data: []byte{0, 1, 0xff}, Key: connector.Hash{2}},
		Removed: []connector.RemovalCount{{At: f.now, N: 3}},
	}
	for range 2 {
		f.ok(f.s.Write(f.ctx, func(tx connector.Tx) error { return tx.PutSourceState(f.ctx, want) }))
		got, err = f.s.SourceState(f.ctx, Org, Source)
		f.ok(err)
		f.equal(got, want)
		want.Cursor.Data, want.Entries = nil, 0
	}
}

func leases(f *fixture) {
	take := func(holder string, ttl time.Duration) (int64, error) {
		return f.s.Lease(f.ctx, "sync/acme/ad", holder, ttl)
	}
	one, err := take("a", time.Hour)
	f.ok(err)
	again, err := take("a", time.Hour)
	f.ok(err)
	f.equal(again, one)
	_, err = take("b", time.Hour)
	f.kind(err, connector.Conflict)
	fence := func(token int64) error {
		return f.fenced(connector.WithFence(f.ctx, connector.Fence{Lease: "sync/acme/ad", Token: token}))
	}
	f.ok(fence(one))
	f.kind(fence(one-1), connector.Conflict)
	f.ok(f.s.Release(f.ctx, "sync/acme/ad", "b")) // not his: nothing happens
	f.ok(fence(one))
	f.ok(f.s.Release(f.ctx, "sync/acme/ad", "a"))
	f.kind(fence(one), connector.Conflict)
	two, err := take("b", time.Microsecond) // over at once
	f.ok(err)
	three, err := take("a", time.Hour)
	for err != nil { // the clock of the database counts milliseconds
		f.kind(err, connector.Conflict)
		three, err = take("a", time.Hour)
	}
	if one >= two || two >= three {
		f.Fatalf("tokens do not grow: %d %d %d", one, two, three)
	}
	f.ok(f.s.Release(f.ctx, "unknown", "a"))
	_, err = take("", time.Hour)
	f.kind(err, connector.Invalid)
	both := connector.WithFence(connector.WithFence(f.ctx, connector.Fence{Lease: "sync/acme/ad", Token: three}), connector.Fence{Lease: "other", Token: 1})
	f.kind(f.fenced(both), connector.Conflict)
	_, err = f.s.Lease(both, "other", "a", time.Hour) // leases are no work under one
	f.ok(err)
	f.ok(f.fenced(both))
	f.ok(f.s.Release(both, "sync/acme/ad", "a"))
	f.kind(f.fenced(both), connector.Conflict)
	f.ok(f.s.Release(both, "other", "a"))
}

func listedLeases(f *fixture) {
	for name, ttl := range map[string]time.Duration{
		"replica:a": time.Hour, "replica:b": time.Microsecond, "replica:c": time.Hour, "replicas": time.Hour, "source:acme/ad": time.Microsecond,
	} {
		_, err := f.s.Lease(f.ctx, name, "holder of "+name, ttl)
		f.ok(err)
	}
	f.ok(f.s.Release(f.ctx, "replica:c", "holder of replica:c"))
	for {
		held, err := f.s.Leases(f.ctx, "replica:")
		f.ok(err)
		if len(held) == 1 {
			f.equal(held, map[string]string{"replica:a": "holder of replica:a"})
			break
		}
	}
	f.ok(f.s.DropLeases(f.ctx, "replica:"))
	again := func(name string) int64 {
		token, err := f.s.Lease(f.ctx, name, "another one", time.Hour)
		f.ok(err)
		return token
	}
	f.equal(again("replica:b"), int64(1)) // it was forgotten
	f.equal(again("replica:c"), int64(1))
	for { // the clock of the database counts milliseconds
		if holder, err := f.s.LeaseHolder(f.ctx, "source:acme/ad"); err != nil || holder == "" {
			f.ok(err)
			break
		}
	}
	f.equal(again("source:acme/ad"), int64(2))
	held, err := f.s.Leases(f.ctx, "")
	f.ok(err)
	f.equal(len(held), 5)
	f.kind(f.s.DropLeases(f.ctx, ""), connector.Invalid)
}

func secrets(f *fixture) {
	var all sync.Map
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			got, err := f.s.Secret(f.ctx, "key", append([]byte{0, 0xff}, strconv.Itoa(i)...))
			f.ok(err)
			all.Store(string(got), true)
		})
	}
	wait.Wait()
	n := 0
	all.Range(func(any, any) bool { n++; return true })
	f.equal(n, 1)
	other, err := f.s.Secret(f.ctx, "another key", []byte{1})
	f.ok(err)
	f.equal(other, []byte{1})
	_, err = f.s.Secret(f.ctx, "no key", nil)
	f.kind(err, connector.Invalid)
}

// fenced writes in every way, and demands that a refusal is that of the fence and leaves nothing. The error is that of
// all ways.
func (f *fixture) fenced(ctx context.Context) error {
	ran := 0
	put := func(tx connector.Tx) error {
		ran++
		return tx.PutSourceState(ctx, connector.SourceState{Org: Org, Source: "fenced", Entries: ran})
	}
	ways := []error{f.s.Write(ctx, put), f.s.Bulk(ctx, put)}
	_, err := f.s.InterruptRuns(ctx, Org, "fenced", f.now)
	ways = append(ways, err)
	for _, err := range ways {
		if lost := errors.Is(err, connector.ErrLeaseLost); lost != (err != nil) || lost != (ways[0] != nil) || lost != (ran == 0) {
			f.Fatalf("fenced writes: %v, %d ran", ways, ran)
		}
	}
	return ways[0]
}

func domains(f *fixture) {
	d := connector.Domain{Org: Org, Name: "example.com", Token: "t", AddedAt: f.now}
	f.ok(f.s.AddDomain(f.ctx, d))
	f.kind(f.s.AddDomain(f.ctx, d), connector.Conflict)
	f.kind(f.s.AddDomain(f.ctx, connector.Domain{Org: Org, Name: "Example.com"}), connector.Invalid)
	d.Org = "other"
	f.ok(f.s.AddDomain(f.ctx, d))
	d.Org, d.VerifiedAt, d.CheckedAt, d.FailingSince, d.LastError = Org, f.now, f.now, f.now, "no record"
	f.ok(f.s.PutDomain(f.ctx, d))
	own, err := f.s.Domains(f.ctx, Org)
	f.ok(err)
	f.equal(own, []connector.Domain{d})
	all, err := f.s.Domains(f.ctx, "")
	f.ok(err)
	f.equal(len(all), 2)
	named, err := f.s.DomainsByName(f.ctx, []string{"example.com", "com"})
	f.ok(err)
	f.equal(len(named), 2)
	f.ok(f.s.RemoveDomain(f.ctx, "other", d.Name))
	f.kind(f.s.RemoveDomain(f.ctx, "other", d.Name), connector.NotFound)
	d.Org = "other"
	f.kind(f.s.PutDomain(f.ctx, d), connector.NotFound)
}

func claims(f *fixture) {
	for _, d := range []connector.Domain{
		{Org: Org, Name: "example.com", VerifiedAt: f.now},
		{Org: "other", Name: "example.com", VerifiedAt: f.now},
		{Org: "other", Name: "sub.example.com", VerifiedAt: f.now},
		{Org: Org, Name: "new.example"},
	} {
		f.ok(f.s.AddDomain(f.ctx, d))
	}
	claim := func(org, name string) error { return f.s.ClaimDomain(f.ctx, org, name, f.now) }
	f.kind(claim(Org, "new.example"), connector.Refused)
	f.kind(claim(Org, "unknown.example"), connector.NotFound)
	f.ok(claim(Org, "example.com"))
	f.ok(claim(Org, "example.com"))
	for _, name := range []string{"example.com", "sub.example.com"} {
		err := claim("other", name)
		f.kind(err, connector.Conflict)
		if strings.Contains(err.Error(), Org) {
			f.Errorf("%q names the other organization", err)
		}
	}
	f.ok(f.s.ReleaseDomain(f.ctx, Org, "example.com"))
	f.ok(f.s.ReleaseDomain(f.ctx, Org, "example.com"))
	f.ok(claim("other", "example.com"))
	f.kind(f.s.ReleaseDomain(f.ctx, Org, "nowhere.example"), connector.NotFound)
}

func forgetHashes(f *fixture) {
	for n, domain := range []string{"example.com", "sub.example.com", "notexample.com", "xn--bcher-kva.example", "BÜCHER.example"} {
		c := Create(n, "", f.now)
		c.After.Profile.Set(connector.Email, "p@"+domain)
		c.Fields = connector.Diff(nil, c.After)
		f.save(c)
	}
	forget := func(org, domain string, want int) {
		n, err := f.s.ForgetHashes(f.ctx, org, domain)
		f.ok(err)
		if n != want {
			f.Errorf("%s: %d forgotten, want %d", domain, n, want)
		}
	}
	forget("other", "example.com", 0)
	forget(Org, "Example.com", 2)
	forget(Org, "example.com", 0)
	forget(Org, "bücher.example", 2)
	zero := 0
	for _, s := range collect(f, f.s.LinkStates(f.ctx, Org, Source)) {
		if s.Hash == (connector.Hash{}) {
			zero++
		}
	}
	f.equal(zero, 4)
	due, err := f.s.Recheck(f.ctx, Org, Source, f.now, 10)
	f.ok(err)
	f.equal(len(due), 4)
	f.save(&connector.Change{Action: connector.Skipped, Skip: connector.SkipProtected, Org: Org, Source: Source, Anchor: due[0], Subject: "kept"})
	left, err := f.s.Recheck(f.ctx, Org, Source, f.now, 10)
	f.ok(err)
	f.equal(left, due[1:]) // whoever was looked at is not due any more
}

func revisions(f *fixture) {
	a, b := connector.Revision{ID: "a", At: f.now, Text: "x: 1"}, connector.Revision{ID: "b", At: f.now.Add(time.Hour), Text: "x: 2"}
	for _, r := range []connector.Revision{a, b, {ID: "a", At: f.now.Add(2 * time.Hour), Text: "other"}} {
		f.ok(f.s.PutRevision(f.ctx, r))
	}
	list, err := f.s.Revisions(f.ctx, 10)
	f.ok(err)
	f.equal(list, []connector.Revision{b, a})
}
