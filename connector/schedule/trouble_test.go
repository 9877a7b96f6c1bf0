package schedule

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
)

func TestAssess(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	run := func(ago time.Duration, result connector.Result, edit ...func(*connector.Run)) *connector.Run {
		r := &connector.Run{Mode: connector.ModeFull, Result: result, Finished: noon.Add(-ago), Revision: "r1", Actor: connector.ActorSchedule}
		if result == connector.ResultFailed {
			r.Error = "no route to host"
		}
		for _, e := range edit {
			e(r)
		}
		return r
	}
	failed := func(ago time.Duration) *connector.Run { return run(ago, connector.ResultFailed) }
	trouble := func(n int, since, next time.Duration) Trouble {
		return Trouble{Failures: n, Since: noon.Add(-since), Next: noon.Add(next), Error: "no route to host"}
	}
	for name, c := range map[string]struct {
		runs        []*connector.Run
		want        Trouble
		quarantined bool
	}{
		"never run":               {nil, Trouble{}, false},
		"well":                    {[]*connector.Run{run(0, connector.ResultOK), failed(time.Hour)}, Trouble{}, false},
		"held is well":            {[]*connector.Run{run(0, connector.ResultHeld), failed(time.Hour)}, Trouble{}, false},
		"failed once":             {[]*connector.Run{failed(0), run(1, connector.ResultOK)}, trouble(1, 0, time.Minute), false},
		"three times":             {[]*connector.Run{failed(0), failed(1), failed(2), run(3, connector.ResultOK), failed(4)}, trouble(3, 2, 4*time.Minute), true},
		"previews do not count":   {[]*connector.Run{run(0, connector.ResultOK, func(r *connector.Run) { r.Mode = connector.ModePreview }), failed(1)}, trouble(1, 1, time.Minute-1), false},
		"nor what is cut off":     {[]*connector.Run{run(0, connector.ResultFailed, func(r *connector.Run) { r.Error = connector.CutOff }), failed(1)}, trouble(1, 1, time.Minute-1), false},
		"nor what still goes on":  {[]*connector.Run{run(0, connector.ResultRunning, func(r *connector.Run) { r.Finished = time.Time{} }), failed(1)}, trouble(1, 1, time.Minute-1), false},
		"nor what a person tries": {[]*connector.Run{run(0, connector.ResultFailed, func(r *connector.Run) { r.Actor = "cli:anna" }), failed(1)}, trouble(1, 1, time.Minute-1), false},
		"which is told":           {[]*connector.Run{run(0, connector.ResultFailed, func(r *connector.Run) { r.Actor = "cli:anna" }), run(1, connector.ResultOK)}, Trouble{Since: noon, Error: "no route to host"}, false},
		"another configuration":   {[]*connector.Run{run(0, connector.ResultFailed, func(r *connector.Run) { r.Revision = "r0" })}, Trouble{}, false},
	} {
		got := Assess(c.runs, "r1")
		if diff := cmp.Diff(c.want, got); diff != "" || got.Quarantined() != c.quarantined {
			t.Errorf("%s: quarantined %v\n%s", name, got.Quarantined(), diff)
		}
	}
	refused := Assess([]*connector.Run{run(0, connector.ResultFailed, func(r *connector.Run) { r.Refused = true })}, "r1")
	if !refused.Quarantined() || !refused.Next.Equal(noon.Add(time.Hour)) {
		t.Errorf("a wrong password is tried again at %v", refused.Next)
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 12: 2048 * time.Second, 13: time.Hour, 1000: time.Hour} {
		if got := Backoff(n, time.Second); got != want {
			t.Errorf("after %d: %v, want %v", n, got, want)
		}
	}
}
