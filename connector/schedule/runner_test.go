package schedule

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"usherd/connector"
)

// bubbleStart is where the clock of every synctest bubble begins.
var bubbleStart = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func every(t *testing.T, line string, more ...Config) *Schedule {
	t.Helper()
	c := Config{}
	if len(more) > 0 {
		c = more[0]
	}
	c.Cron, c.Timezone = line, "UTC"
	s, faults := Parse(c)
	if faults != nil {
		t.Fatal(faults)
	}
	return s
}

// diary notes when jobs started, since the beginning of the bubble.
type diary struct {
	sync.Mutex
	now    func() time.Time
	starts []string
}

func (d *diary) job(name string, s *Schedule, takes time.Duration) Job {
	return Job{Name: name, Schedule: s, Run: func(ctx context.Context) error {
		d.Lock()
		d.starts = append(d.starts, name+" "+d.now().Sub(bubbleStart).String())
		d.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(takes):
			return nil
		}
	}}
}

func (d *diary) read() []string {
	synctest.Wait()
	d.Lock()
	defer d.Unlock()
	return append([]string(nil), d.starts...)
}

func (d *diary) expect(t *testing.T, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, d.read(), cmpSet); diff != "" {
		t.Errorf("starts (-want +got):\n%s", diff)
	}
}

// serve runs r until the end of the test or until stop is called, which waits for it.
func serve(t *testing.T, r *Runner) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Serve(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	synctest.Wait()
	return stop
}

func TestADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &diary{now: time.Now}
		r := New(Options{Now: time.Now},
			d.job("six", every(t, "0 */6 * * *"), time.Minute), d.job("noon", every(t, "0 12 * * *"), time.Minute), d.job("never", nil, 0))
		serve(t, r)
		time.Sleep(24*time.Hour + time.Second)
		d.expect(t, "six 6h0m0s", "noon 12h0m0s", "six 12h0m0s", "six 18h0m0s", "six 24h0m0s")
	})
}

func TestJobNeverOverlapsItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &diary{now: time.Now}
		serve(t, New(Options{Now: time.Now}, d.job("slow", every(t, "0 * * * *"), 90*time.Minute)))
		time.Sleep(5 * time.Hour)
		d.expect(t, "slow 1h0m0s", "slow 3h0m0s", "slow 5h0m0s")
	})
}

func TestJitterSpreadsStarts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &diary{now: time.Now}
		var planned []string
		r := New(Options{
			Now: time.Now, Rand: func() float64 { return 0.5 },
			Observe: func(name string, next time.Time) { planned = append(planned, name+" "+next.Format(time.TimeOnly)) },
		}, d.job("j", every(t, "0 * * * *", Config{Jitter: connector.Duration(10 * time.Minute)}), 0))
		stop := serve(t, r)
		if next, ok := r.Next("j"); !ok || next.Sub(bubbleStart) != 65*time.Minute {
			t.Errorf("next is %v, %v", next, ok)
		}
		time.Sleep(150 * time.Minute)
		d.expect(t, "j 1h5m0s", "j 2h5m0s")
		stop()
		if diff := cmp.Diff([]string{"j 01:05:00", "j 02:05:00", "j 03:05:00"}, planned); diff != "" {
			t.Errorf("planned (-want +got):\n%s", diff)
		}
	})
}

func TestCatchUpAtStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &diary{now: time.Now}
		no := false
		ago := func(j Job, last time.Duration) Job { j.Last = bubbleStart.Add(-last); return j }
		serve(t, New(Options{Now: time.Now},
			ago(d.job("missed", every(t, "30 * * * *"), 0), 100*time.Hour),
			ago(d.job("recent", every(t, "30 * * * *"), 0), 20*time.Minute),
			ago(d.job("unwilling", every(t, "30 * * * *", Config{CatchUp: &no}), 0), 100*time.Hour),
			d.job("zero", every(t, "30 * * * *"), 0)))
		d.expect(t, "missed 0s")
		time.Sleep(31 * time.Minute)
		if got := d.read(); len(got) != 5 {
			t.Errorf("starts: %q", got)
		}
	})
}

// sleeper is a machine whose wall clock can jump while its timers stand still.
type sleeper struct {
	sync.Mutex
	jump time.Duration
}

func (s *sleeper) now() time.Time {
	s.Lock()
	defer s.Unlock()
	return time.Now().Add(s.jump)
}

func (s *sleeper) sleep(d time.Duration) {
	s.Lock()
	s.jump += d
	s.Unlock()
}

func TestOneCatchUpAfterTheMachineSlept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &sleeper{}
		d := &diary{now: m.now}
		no := false
		serve(t, New(Options{Now: m.now},
			d.job("willing", every(t, "0 * * * *"), 0), d.job("unwilling", every(t, "0 * * * *", Config{CatchUp: &no}), 0)))
		time.Sleep(10*time.Minute + 10*time.Second)
		m.sleep(5*time.Hour + 10*time.Minute)
		time.Sleep(tick)
		d.expect(t, "willing 5h20m30s")
		time.Sleep(40 * time.Minute)
		if got := d.read(); len(got) != 3 {
			t.Errorf("starts: %q", got)
		}
	})
}

func TestClockSetBack(t *testing.T) {
	t.Parallel()
	t.Run("a little: nothing starts twice", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			m := &sleeper{}
			d := &diary{now: m.now}
			serve(t, New(Options{Now: m.now}, d.job("j", every(t, "0 * * * *"), 0)))
			time.Sleep(61 * time.Minute)
			m.sleep(-20 * time.Minute)
			time.Sleep(60 * time.Minute)
			d.expect(t, "j 1h0m0s")
			time.Sleep(20 * time.Minute)
			d.expect(t, "j 1h0m0s", "j 2h0m0s")
		})
	})
	t.Run("by years: planned anew", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			m := &sleeper{jump: 10000 * time.Hour}
			d := &diary{now: m.now}
			r := New(Options{Now: m.now}, d.job("j", every(t, "0 * * * *"), 0))
			serve(t, r)
			time.Sleep(time.Minute)
			m.sleep(-10000 * time.Hour)
			time.Sleep(tick)
			synctest.Wait()
			if next, _ := r.Next("j"); next.Sub(bubbleStart) != time.Hour {
				t.Errorf("next is %v", next)
			}
		})
	})
}

func TestLimitOfPlaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &diary{now: time.Now}
		hourly := every(t, "0 * * * *")
		r := New(Options{Now: time.Now, Limit: 2},
			d.job("a", hourly, 10*time.Minute), d.job("b", hourly, 20*time.Minute), d.job("c", hourly, time.Minute), d.job("d", hourly, time.Minute))
		serve(t, r)
		time.Sleep(61 * time.Minute)
		synctest.Wait()
		want := []Status{
			{"a", bubbleStart.Add(2 * time.Hour), bubbleStart.Add(time.Hour), true, false},
			{"b", bubbleStart.Add(2 * time.Hour), bubbleStart.Add(time.Hour), true, false},
			{"c", bubbleStart.Add(2 * time.Hour), time.Time{}, false, true},
			{"d", bubbleStart.Add(2 * time.Hour), time.Time{}, false, true},
		}
		if diff := cmp.Diff(want, r.Status()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		time.Sleep(20 * time.Minute)
		if got := d.read(); len(got) != 4 || got[2] != "c 1h10m0s" || got[3] != "d 1h11m0s" {
			t.Errorf("starts: %q", got)
		}
	})
}

func TestTrigger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &diary{now: time.Now}
		r := New(Options{Now: time.Now, Limit: 1}, d.job("a", nil, time.Minute), d.job("b", every(t, "0 * * * *"), time.Minute))
		stop := serve(t, r)
		kind := func(name string, want connector.Kind) {
			t.Helper()
			if err := r.Trigger(name); err == nil || connector.KindOf(err) != want {
				t.Errorf("%s: %v", name, err)
			}
		}
		time.Sleep(time.Second)
		if err := errors.Join(r.Trigger("a"), r.Trigger("b")); err != nil {
			t.Fatal(err)
		}
		d.expect(t, "a 1s")
		kind("a", connector.Conflict)
		kind("b", connector.Conflict)
		kind("c", connector.NotFound)
		if next, _ := r.Next("b"); next.Sub(bubbleStart) != time.Hour {
			t.Errorf("the next moment moved to %v", next)
		}
		time.Sleep(61 * time.Minute)
		d.expect(t, "a 1s", "b 1m1s", "b 1h0m0s")
		stop()
		kind("a", connector.Unavailable)
		if _, ok := r.Next("c"); ok {
			t.Error("c is known")
		}
	})
}

func TestServeWaitsForRunningJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ended []string
		r := New(Options{
			Now: time.Now,
			Ended: func(name string, at time.Time, err error) {
				ended = append(ended, name+" "+at.Sub(bubbleStart).String()+" "+err.Error())
			},
		}, Job{Name: "a", Schedule: every(t, "0 * * * *"), Run: func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(3 * time.Second) // tidying up
			return errors.New("cut off")
		}})
		stop := serve(t, r)
		time.Sleep(2 * time.Hour)
		start := time.Now()
		stop()
		if waited := time.Since(start); waited != 3*time.Second {
			t.Errorf("waited %v", waited)
		}
		if diff := cmp.Diff([]string{"a 1h0m0s cut off"}, ended); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if err := r.Serve(t.Context()); err == nil {
			t.Error("served twice")
		}
	})
}

func TestReplace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &diary{now: time.Now}
		half := func() float64 { return 0.5 }
		jitter := Config{Jitter: connector.Duration(10 * time.Minute)}
		r := New(Options{Now: time.Now, Rand: half, Limit: 2},
			d.job("long", every(t, "0 1 * * *"), 100*time.Minute),
			d.job("gone", every(t, "0 1 * * *"), 10*time.Hour),
			d.job("waits", every(t, "0 1 * * *"), time.Minute),
			d.job("same", every(t, "30 5 * * *", jitter), time.Minute))
		stop := serve(t, r)
		time.Sleep(90 * time.Minute)
		r.Replace([]Job{
			d.job("long", every(t, "45 * * * *"), time.Minute),
			d.job("same", every(t, "30 5 * * *", jitter), time.Minute),
			d.job("new", every(t, "50 1 * * *"), time.Minute),
		})
		synctest.Wait()
		var got []string
		for _, s := range r.Status() {
			got = append(got, s.Name+" "+s.Next.Sub(bubbleStart).String())
		}
		if diff := cmp.Diff([]string{"long 1h45m0s", "new 1h50m0s", "same 5h35m0s"}, got); diff != "" {
			t.Errorf("next (-want +got):\n%s", diff)
		}
		time.Sleep(100 * time.Minute) // 3:10; long ran until 2:40
		starts := d.read()
		if diff := cmp.Diff([]string{"long 2h45m0s", "new 2h40m0s"}, starts[2:], cmpSet); diff != "" {
			t.Errorf("starts after Replace (-want +got):\n%s", diff)
		}
		stop()
	})
}

// cmpSet takes texts in any order: jobs that start together do so in any.
var cmpSet = cmpopts.SortSlices(strings.Compare)
