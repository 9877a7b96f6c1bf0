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
		ID: connector.NewID(f.now), Org: Org, Actor: "console:ann", Deed: "deactivate", IDs: []connector.ID{{1}, {2}, {15: 3}}, Until: f.now.Add(time.Hour),
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
			mine := s
			mine.Reason, mine.Choice = "moved away", "standard"
			ok, err := f.s.MoveSelection(f.ctx, &mine, f.now)
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
	s.Begun, s.Reason, s.Choice = f.now, "moved away", "standard"
	f.equal(get(), s)
	before := s
	s.Done = []connector.SelectionOutcome{{ID: s.IDs[0], Changed: true}, {ID: s.IDs[1], Failure: &connector.Failure{Code: connector.CodeCreation, Reason: connector.NoSeat, At: f.now}}}
	move := func(x *connector.Selection, now time.Time) bool {
		ours, err := f.s.MoveSelection(f.ctx, x, now)
		f.ok(err)
		return ours
	}
	f.equal(move(&s, f.now.Add(time.Minute)), true)
	f.equal(s.Begun, f.now.Add(time.Minute))
	f.equal(move(&before, f.now.Add(2*time.Minute)), false) // whoever has not seen that goes on no more
	f.equal(get(), s)
	f.equal(s.Over(), false)
	s.Done = append(s.Done, connector.SelectionOutcome{ID: s.IDs[2], Left: true})
	f.equal(move(&s, f.now.Add(time.Minute)), true)
	f.equal(get(), s)
	f.equal(s.Over(), true)
	f.ok(f.s.DropSessions(f.ctx, s.Until))
	f.equal(get(), s)
	f.ok(f.s.DropSessions(f.ctx, s.Until.Add(time.Second)))
	_, err = f.s.Selection(f.ctx, Org, s.ID)
	f.kind(err, connector.NotFound)
}
