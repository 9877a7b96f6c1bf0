package storetest

import (
	"sync"
	"sync/atomic"
	"time"

	"usherd/connector"
)

// keptAnswers: of many who begin one request at once, one does; its answer is kept until it is forgotten.
func keptAnswers(f *fixture) {
	day := 24 * time.Hour
	work := connector.KeptAnswer{Org: Org, Token: connector.NewID(f.now), Key: [32]byte{1}, Request: [32]byte{2}, Begun: f.now}
	begin := func(a connector.KeptAnswer) (connector.KeptAnswer, bool) {
		former, begun, err := f.s.BeginAnswer(f.ctx, a, a.Begun.Add(-time.Minute), a.Begun.Add(-day))
		f.ok(err)
		return former, begun
	}
	var got atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			former, begun, err := f.s.BeginAnswer(f.ctx, work, f.now.Add(-time.Minute), f.now.Add(-day))
			if err != nil {
				f.Error(err)
			}
			if begun {
				got.Add(1)
				return
			}
			f.equal(former, work)
		})
	}
	wg.Wait()
	f.equal(got.Load(), int32(1))
	for _, edit := range []func(*connector.KeptAnswer){
		func(a *connector.KeptAnswer) { a.Org = "beta" }, func(a *connector.KeptAnswer) { a.Token = connector.NewID(f.now) }, func(a *connector.KeptAnswer) { a.Key = [32]byte{3} },
	} {
		other := work
		edit(&other)
		_, begun := begin(other)
		f.equal(begun, true)
	}
	_, _, err := f.s.BeginAnswer(f.ctx, connector.KeptAnswer{Org: Org}, f.now, f.now)
	f.kind(err, connector.Invalid)

	// Work that came to nothing begins again at once; work whose process is gone, after a while, and then only the later one ends it.
	f.ok(f.s.UndoAnswer(f.ctx, work))
	_, begun := begin(work)
	f.equal(begun, true)
	later := work
	later.Begun = f.now.Add(2 * time.Minute)
	other := later
	other.Request = [32]byte{9}
	former, begun := begin(other)
	f.equal(begun, false) // another request has this name
	f.equal(former, work)
	_, begun = begin(later)
	f.equal(begun, true)
	work.Sealed, later.Sealed = []byte("too late"), []byte("answer")
	f.ok(f.s.EndAnswer(f.ctx, work))
	f.ok(f.s.UndoAnswer(f.ctx, work))
	f.ok(f.s.EndAnswer(f.ctx, later))
	again := later
	again.Begun, again.Sealed = f.now.Add(day), nil
	former, begun = begin(again)
	f.equal(begun, false)
	f.equal(former, later)

	again.Begun = later.Begun.Add(day + time.Microsecond)
	_, begun = begin(again)
	f.equal(begun, true) // it is forgotten
	f.ok(f.s.EndAnswer(f.ctx, connector.KeptAnswer{Org: Org, Token: again.Token, Key: again.Key, Begun: again.Begun, Sealed: []byte("new")}))
	f.ok(f.s.DropAnswers(f.ctx, again.Begun))
	former, begun = begin(again)
	f.equal(begun, false)
	f.equal(former.Sealed, []byte("new"))
	f.ok(f.s.DropAnswers(f.ctx, again.Begun.Add(time.Microsecond)))
	_, begun = begin(again)
	f.equal(begun, true)
}
