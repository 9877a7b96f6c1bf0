package notice_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"usherd/connector"
	"usherd/connector/notice"
	"usherd/connector/store"
	"usherd/connector/store/newstore"
	"usherd/connector/store/storetest"
)

// world is a store with a Reporter, whose clock a test turns.
type world struct {
	t          *testing.T
	now        time.Time
	later      atomic.Int64 // nanoseconds by which the clock is ahead of now, while reports are sent
	db         *store.DB
	settings   notice.Settings
	conditions []notice.Condition
	reporter   *notice.Reporter
	registry   *prometheus.Registry
}

func newWorld(t *testing.T, targets ...notice.Target) *world {
	t.Helper()
	w := &world{t: t, now: storetest.Start(), registry: prometheus.NewRegistry()}
	w.settings = notice.Settings{Organizations: []string{"acme", "other"}, Targets: targets, Console: "https://usherd.acme.test"}
	var err error
	if w.db, err = store.Open(t.Context(), newstore.URL(t), store.Options{Now: w.clock}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.db.Close() })
	w.start()
	return w
}

// start makes a Reporter, like a daemon that has just begun to lead.
func (w *world) start() {
	w.registry = prometheus.NewRegistry()
	w.reporter = notice.New(notice.Options{
		Store: w.db, Now: w.clock, Log: zap.NewNop(), Metrics: notice.NewMetrics(w.registry), Settings: func() notice.Settings { return w.settings },
		Conditions: func(context.Context) ([]notice.Condition, error) { return w.conditions, nil },
	})
}

func (w *world) clock() time.Time { return w.now.Add(time.Duration(w.later.Load())) }

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) tell() {
	w.t.Helper()
	w.ok(w.reporter.Tell(w.t.Context()))
}

// run writes a run that has ended now, with people who failed.
func (w *world) run(change func(*connector.Run), failed ...*connector.Change) *connector.Run {
	w.t.Helper()
	w.now = w.now.Add(5 * time.Minute)
	r := &connector.Run{
		ID: connector.NewID(w.now), Org: "acme", Source: "ad", Mode: connector.ModeFull, Actor: connector.ActorSchedule, Result: connector.ResultRunning,
		Started: w.now.Add(-time.Minute),
	}
	w.ok(w.db.Write(w.t.Context(), func(tx connector.Tx) error { return tx.PutRun(w.t.Context(), r) }))
	r.Result, r.Finished, r.Counts.Failed = connector.ResultOK, w.now, len(failed)
	change(r)
	w.ok(w.db.Write(w.t.Context(), func(tx connector.Tx) error {
		if err := tx.PutOutcomes(w.t.Context(), r.ID, failed); err != nil {
			return err
		}
		return tx.PutRun(w.t.Context(), r)
	}))
	return r
}

func nothing(*connector.Run) {}

func changed(r *connector.Run) { r.Counts.Updated = 3 }

func failing(text string) func(*connector.Run) {
	return func(r *connector.Run) {
		r.Result, r.Error, r.Hint = connector.ResultFailed, text, "see usherd check --connect"
	}
}

// refused is somebody who failed.
func refused(name string, reason connector.Reason) *connector.Change {
	return &connector.Change{
		Action: connector.Failed, Org: "acme", Source: "ad", Anchor: connector.Anchor{Kind: connector.ResourceID, Raw: name}, Subject: name,
		Failures: []connector.Failure{{Code: connector.CodeCreation, Reason: reason, Org: "acme", Source: "ad", Subject: name}},
	}
}

// told returns what waits or has gone to a target, oldest first, as "kind suppressed".
func (w *world) told(target string) []string {
	w.t.Helper()
	list, err := w.db.Deliveries(w.t.Context(), connector.DeliveryQuery{Target: target})
	w.ok(err)
	out := []string{}
	for _, d := range slices.Backward(list) {
		text := string(d.Notice.Kind)
		if n := d.Notice.Data.Suppressed; n > 0 {
			text += fmt.Sprintf(" %d", n)
		}
		out = append(out, text)
	}
	return out
}

func (w *world) want(target string, want ...string) {
	w.t.Helper()
	if got := w.told(target); !slices.Equal(got, append([]string{}, want...)) {
		w.t.Errorf("%s was told %q, want %q", target, got, want)
	}
}

func hook() notice.Target {
	return notice.Target{Name: "all", Channel: connector.ByWebhook, URL: "http://127.0.0.1:1/"}
}

func desk() notice.Target {
	return notice.Target{Name: "desk", Channel: connector.ByMail, Email: "desk@acme.test", Language: "en", Every: time.Hour}
}

// The same failure is told once until it changes, runs without changes are not told, and neither are previews or what somebody has asked
// for about one person.
func TestRunsAreToldOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hook(), notice.Target{Name: "other", Channel: connector.ByWebhook, Organizations: []string{"other"}},
		notice.Target{Name: "failures", Channel: connector.ByWebhook, Events: []connector.NoticeKind{connector.NoticeRunFailed}})
	ann, bob := refused("ann", connector.NoSeat), refused("bob", connector.EmailTaken)
	w.run(nothing)
	w.run(changed)
	w.run(func(r *connector.Run) { changed(r); r.Mode = connector.ModePreview })
	w.run(func(r *connector.Run) { changed(r); r.Mode = connector.ModePerson })
	w.run(func(r *connector.Run) { changed(r); r.Result = connector.ResultCancelled })
	w.tell()
	w.want("all", "run.changed")
	w.run(nothing, ann)
	w.run(nothing, ann)
	w.run(changed, ann)
	w.tell()
	w.want("all", "run.changed", "run.people_failed", "run.changed 2")
	w.run(nothing, bob, ann)
	w.run(nothing, ann, bob) // in another order
	w.tell()
	w.start() // another one leads
	w.run(nothing, refused("ann", connector.EmailTaken), bob)
	w.run(nothing)
	w.run(nothing, ann)
	w.tell()
	w.tell()
	w.want("all", "run.changed", "run.people_failed", "run.changed 2", "run.people_failed 2", "run.people_failed 1", "run.people_failed")
	w.want("failures")
	w.run(failing("dial 10.0.0.1:389 from :50123"))
	w.run(failing("dial 10.0.0.1:389 from :61999"))
	w.run(failing("no route"))
	w.run(func(r *connector.Run) { failing("no route")(r); r.Mode = connector.ModeChanges })
	w.run(func(r *connector.Run) { failing("no route")(r); r.Result = connector.ResultPartial })
	w.tell()
	w.want("failures", "run.failed", "run.failed 1", "run.failed", "run.failed")
	w.want("other")
}

// A hold is told when it begins, when it becomes another one, and when nobody has decided for a day.
func TestHoldsAreToldAgainAfterADay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hook())
	held := func(n int) func(*connector.Run) {
		return func(r *connector.Run) {
			r.Result, r.Counts.Held = connector.ResultHeld, n
			r.Hold = &connector.Hold{Reason: "too many", Removals: true, Status: connector.HoldOpen, Expires: w.now.Add(24 * time.Hour)}
		}
	}
	first := w.run(held(40))
	w.run(held(40))
	w.tell()
	w.want("all", "run.held")
	first.Hold.Status = connector.HoldRejected
	w.ok(w.db.Write(t.Context(), func(tx connector.Tx) error { return tx.PutRun(t.Context(), first) }))
	w.tell()
	w.want("all", "run.held")
	w.run(held(41))
	w.tell()
	w.now = w.now.Add(25 * time.Hour)
	w.run(held(41))
	w.run(nothing)
	w.run(held(41))
	w.tell()
	w.want("all", "run.held", "run.held 1", "run.held", "run.held")
}

// Groups that are left as they are are told of like people who wait, besides them, and no more once a full run has written its groups.
func TestHeldGroupsAreTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hook())
	held := func(digest string) func(*connector.Run) {
		return func(r *connector.Run) {
			r.Groups.Deleted = 9
			r.GroupHold = &connector.GroupHold{Reason: "9 groups would be deleted, more than 5 and 5 %", Digest: digest}
		}
	}
	w.run(held("a"))
	w.run(held("a"))
	w.tell()
	w.want("all", "run.held")
	w.run(held("b"))
	w.tell()
	w.want("all", "run.held", "run.held 1")
	w.run(nothing)
	w.run(held("b"))
	w.tell()
	w.want("all", "run.held", "run.held 1", "run.held")
	w.run(func(r *connector.Run) {
		held("c")(r)
		r.Result, r.Counts.Held = connector.ResultHeld, 3
		r.Hold = &connector.Hold{Reason: "too many", Removals: true, Status: connector.HoldOpen, Expires: w.now.Add(24 * time.Hour)}
	})
	w.tell()
	w.want("all", "run.held", "run.held 1", "run.held", "run.held", "run.held")
}

// What is applied live is told of once an hour, however often the run that takes it in ends.
func TestLiveRunsAreToldAsOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hook())
	r := w.run(func(r *connector.Run) {
		r.Actor, r.Mode, r.Counts.Created = connector.ActorLive, connector.ModeChanges, 1
	})
	for range 3 {
		w.now = w.now.Add(10 * time.Minute)
		r.Finished, r.Counts.Created = w.now, r.Counts.Created+1
		w.ok(w.db.Write(t.Context(), func(tx connector.Tx) error { return tx.PutRun(t.Context(), r) }))
		w.tell()
		w.want("all")
	}
	w.now = w.now.Add(time.Hour)
	w.tell()
	w.tell()
	w.want("all", "run.changed")
	list, err := w.db.Deliveries(t.Context(), connector.DeliveryQuery{})
	w.ok(err)
	if n := list[0].Notice.Data.Run.Counts.Created; n != 4 {
		t.Errorf("%d", n)
	}
}

// Runs of which nobody wanted to know do not come all at once when somebody does.
func TestWhatWasBeforeIsNotTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 3 {
		w.run(changed)
	}
	w.tell()
	w.settings.Targets = []notice.Target{hook()}
	w.tell()
	w.want("all")
	w.settings.Organizations = []string{"other"}
	w.run(changed)
	w.tell()
	w.settings.Organizations = []string{"acme", "other"}
	w.tell()
	w.want("all")
}

// Mails about runs are gathered, what is urgent goes at once and takes along what waits.
func TestMailsAreGathered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, desk())
	mails := func(want ...int) {
		t.Helper()
		w.tell()
		list, err := w.db.Mails(t.Context(), connector.MailQuery{Org: "acme"})
		w.ok(err)
		got := []int{}
		for _, m := range slices.Backward(list) {
			got = append(got, len(noticesOf(t, m)))
			if m.To != "desk@acme.test" || m.Language != "en" || m.Kind != connector.ReportMail {
				t.Errorf("%+v", m)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("mails with %d notices, want %d", got, want)
		}
	}
	w.run(changed)
	mails(1)
	for range 5 { // 5 minutes apart
		w.run(changed)
		mails(1)
	}
	w.now = w.now.Add(time.Hour)
	mails(1, 5)
	w.run(changed)
	mails(1, 5)
	w.run(failing("no route"))
	mails(1, 5, 2)
	w.run(changed)
	mails(1, 5, 2)
	w.settings.Targets = nil
	w.now = w.now.Add(2 * time.Hour)
	mails(1, 5, 2)
	list, err := w.db.Deliveries(t.Context(), connector.DeliveryQuery{})
	w.ok(err)
	counts := map[connector.DeliveryState]int{}
	for _, d := range list {
		counts[d.State]++
		if (d.State == connector.DeliverySent) == d.Mail.IsZero() {
			t.Errorf("%+v", d)
		}
	}
	if counts[connector.DeliverySent] != 8 || counts[connector.DeliveryFailed] != 1 {
		t.Errorf("%v", counts)
	}
}
