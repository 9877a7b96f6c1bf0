package storetest

import (
	"time"

	"usherd/connector"
)

// untoldRuns: each end of a run is to be told, and what becomes of its hold is not.
func untoldRuns(f *fixture) {
	put := func(r *connector.Run) {
		f.Helper()
		f.ok(f.s.Write(f.ctx, func(tx connector.Tx) error { return tx.PutRun(f.ctx, r) }))
	}
	untold := func(want ...connector.ID) []connector.UntoldRun {
		f.Helper()
		list, err := f.s.UntoldRuns(f.ctx, 10)
		f.ok(err)
		got := []connector.ID{}
		for _, u := range list {
			got = append(got, u.Run.ID)
		}
		f.equal(got, append([]connector.ID{}, want...))
		return list
	}
	told := func(u connector.UntoldRun, want bool) {
		f.Helper()
		var ok bool
		f.ok(f.s.Write(f.ctx, func(tx connector.Tx) (err error) {
			ok, err = tx.ToldRun(f.ctx, u)
			return err
		}))
		f.equal(ok, want)
	}
	a := &connector.Run{ID: connector.FirstID(f.now), Org: Org, Source: "ad", Mode: connector.ModeFull, Result: connector.ResultRunning, Started: f.now}
	b := &connector.Run{ID: connector.FirstID(f.now.Add(time.Second)), Org: "other", Source: "x", Mode: connector.ModeFull, Result: connector.ResultOK, Started: f.now, Finished: f.now.Add(time.Minute)}
	put(a)
	put(b)
	untold(b.ID)
	a.Result, a.Finished, a.Hold = connector.ResultHeld, f.now.Add(time.Minute), &connector.Hold{Status: connector.HoldOpen}
	put(a)
	list := untold(a.ID, b.ID)
	f.equal(list[0].Run.Hold.Status, connector.HoldOpen)
	told(list[1], true)
	told(list[1], false)
	a.Hold.Status = connector.HoldRejected
	put(a)
	told(list[0], true) // that somebody has decided is no other end
	put(a)
	untold()
	for n := range 2 { // a run that grows
		b.Result, b.Finished = connector.ResultRunning, time.Time{}
		put(b)
		untold()
		b.Result, b.Finished = connector.ResultOK, f.now.Add(time.Duration(n+2)*time.Minute)
		put(b)
	}
	list = untold(b.ID)
	b.Finished = f.now.Add(time.Hour)
	put(b)
	told(list[0], false) // it has ended once more since it was read
	untold(b.ID)
}

// deliveries are read back, come due, and end once; marks are overwritten.
func deliveries(f *fixture) {
	f.kind(f.s.Write(f.ctx, func(tx connector.Tx) error { return tx.PutDelivery(f.ctx, connector.Delivery{}) }), connector.Invalid)
	f.kind(f.s.Write(f.ctx, func(tx connector.Tx) error { return tx.PutNoticeMark(f.ctx, connector.NoticeMark{Topic: "x"}) }), connector.Invalid)
	put := func(n int, org, target string) connector.Delivery {
		f.Helper()
		at := f.now.Add(time.Duration(n) * time.Second)
		d := connector.Delivery{
			ID: connector.FirstID(at), Channel: connector.ByWebhook, Target: target, State: connector.DeliveryWaiting, Next: at,
			Notice: connector.Notice{ID: connector.FirstID(at.Add(time.Hour)), Org: org, Kind: connector.NoticeRunHeld, At: at, Data: connector.NoticeData{
				Source: "ad \"x\" <b>", Hold: &connector.NoticeHold{People: 3, Expires: at.Add(time.Hour)}, Run: &connector.NoticeRun{ID: connector.ID{9}, Started: at, Finished: at},
			}},
		}
		f.ok(f.s.Write(f.ctx, func(tx connector.Tx) error { return tx.PutDelivery(f.ctx, d) }))
		return d
	}
	ask := func(q connector.DeliveryQuery, want ...connector.Delivery) {
		f.Helper()
		got, err := f.s.Deliveries(f.ctx, q)
		f.ok(err)
		f.equal(got, want)
	}
	set := func(d connector.Delivery, want bool) {
		f.Helper()
		var ok bool
		f.ok(f.s.Write(f.ctx, func(tx connector.Tx) (err error) {
			ok, err = tx.SetDelivery(f.ctx, d)
			return err
		}))
		f.equal(ok, want)
	}
	a, b, c := put(0, Org, "chat"), put(1, Org, "desk"), put(2, "other", "chat")
	ask(connector.DeliveryQuery{}, c, b, a)
	ask(connector.DeliveryQuery{Target: "chat", Limit: 1}, c)
	ask(connector.DeliveryQuery{Org: Org}, b, a)
	ask(connector.DeliveryQuery{Org: Org, Before: b.ID}, a)
	ask(connector.DeliveryQuery{Org: Org, Target: "desk"}, b)
	due, err := f.s.DueDeliveries(f.ctx, connector.ByWebhook, b.Next, 10)
	f.ok(err)
	f.equal(due, []connector.Delivery{a, b})
	due, err = f.s.DueDeliveries(f.ctx, connector.ByMail, b.Next, 10)
	f.ok(err)
	f.equal(len(due), 0)
	a.State, a.Attempts, a.Code, a.Answer, a.DoneAt = connector.DeliveryFailed, 8, 410, "gone", f.now.Add(time.Hour)
	set(a, true)
	set(a, false)
	b.State, b.Attempts, b.DoneAt, b.Mail = connector.DeliverySent, 1, f.now.Add(time.Hour), connector.ID{5}
	set(b, true)
	ask(connector.DeliveryQuery{State: connector.DeliveryFailed}, a)
	ask(connector.DeliveryQuery{Org: Org, State: connector.DeliverySent}, b)
	ask(connector.DeliveryQuery{State: connector.DeliveryWaiting, Target: "chat"}, c)
	got, ok, err := f.s.Delivery(f.ctx, b.ID)
	f.ok(err)
	f.equal(ok, true)
	f.equal(got, b)
	deliveriesAgain(f, a, b, c)
	noticeMarks(f)
}

// deliveriesAgain: what has failed is tried again when somebody says so, and what is done is forgotten.
func deliveriesAgain(f *fixture, failed, sent, waiting connector.Delivery) {
	later := f.now.Add(2 * time.Hour)
	for _, d := range []connector.Delivery{sent, waiting} { // done, and of another organization
		ok, err := f.s.RetryDelivery(f.ctx, Org, d.ID, later)
		f.ok(err)
		f.equal(ok, false)
	}
	ok, err := f.s.RetryDelivery(f.ctx, Org, failed.ID, later)
	f.ok(err)
	f.equal(ok, true)
	n, err := f.s.CountDeliveries(f.ctx, connector.DeliveryWaiting)
	f.ok(err)
	f.equal(n, 2)
	failed.DoneAt = f.now.Add(time.Hour)
	f.ok(f.s.Write(f.ctx, func(tx connector.Tx) (err error) {
		_, err = tx.SetDelivery(f.ctx, failed)
		return err
	}))
	for _, want := range []int{1, 0} {
		n, err := f.s.RetryDeliveries(f.ctx, Org, later)
		f.ok(err)
		f.equal(n, want)
	}
	n, err = f.s.DropDeliveries(f.ctx, later)
	f.ok(err)
	f.equal(n, 1)
	_, ok, err = f.s.Delivery(f.ctx, sent.ID)
	f.ok(err)
	f.equal(ok, false)
}

func noticeMarks(f *fixture) {
	a := connector.NoticeMark{Org: Org, Topic: "seats/a", Value: "1", At: f.now}
	b := connector.NoticeMark{Org: Org, Topic: "seats/b", Value: "2", At: f.now, Suppressed: 3}
	put := func(m connector.NoticeMark) {
		f.Helper()
		f.ok(f.s.Write(f.ctx, func(tx connector.Tx) error { return tx.PutNoticeMark(f.ctx, m) }))
	}
	marks := func(want ...connector.NoticeMark) {
		f.Helper()
		got, err := f.s.NoticeMarks(f.ctx, Org)
		f.ok(err)
		f.equal(got, want)
	}
	put(b)
	put(a)
	put(connector.NoticeMark{Org: "other", Topic: "seats/a", Value: "1", At: f.now})
	marks(a, b)
	a.Value, a.Suppressed = "9", 1
	put(a)
	b.Value = ""
	put(b)
	marks(a)
}
