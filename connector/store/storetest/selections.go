package storetest

import (
	"sync"
	"sync/atomic"
	"time"

	"usherd/connector"
)

// selectionsOnce: a selection is read back, and of many who carry it out at once, one is told to.
func selectionsOnce(f *fixture) {
	s := connector.Selection{
		ID: connector.NewID(f.now), Org: Org, Actor: "console:ann", Deed: "deactivate", Users: []connector.ID{{1}, {2}, {15: 3}}, Until: f.now.Add(time.Hour),
	}
	f.ok(f.s.PutSelection(f.ctx, s))
	f.kind(f.s.PutSelection(f.ctx, connector.Selection{ID: s.ID, Org: Org}), connector.Invalid)
	get := func() connector.Selection {
		got, err := f.s.Selection(f.ctx, Org, s.ID)
		f.ok(err)
		return got
	}
	f.equal(get(), s)
	_, err := f.s.Selection(f.ctx, "other", s.ID)
	f.kind(err, connector.NotFound)
	var begun atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			ok, err := f.s.BeginSelection(f.ctx, s.ID, f.now)
			if err != nil {
				f.Error(err)
			}
			if ok {
				begun.Add(1)
			}
		})
	}
	wg.Wait()
	f.equal(begun.Load(), int32(1))
	s.Begun = f.now
	s.Result = []connector.SelectionOutcome{{User: s.Users[0], Changed: true}, {User: s.Users[1], Failure: &connector.Failure{Code: connector.CodeCreation, Reason: connector.NoSeat, At: f.now}}}
	f.ok(f.s.EndSelection(f.ctx, s.ID, s.Result))
	f.equal(get(), s)
	f.ok(f.s.DropSessions(f.ctx, s.Until))
	f.equal(get(), s)
	f.ok(f.s.DropSessions(f.ctx, s.Until.Add(time.Second)))
	_, err = f.s.Selection(f.ctx, Org, s.ID)
	f.kind(err, connector.NotFound)
}
