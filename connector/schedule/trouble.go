package schedule

import (
	"time"

	"usherd/connector"
)

const (
	firstRetry = time.Minute
	maxRetry   = time.Hour
	// inQuarantine is how many runs in a row must fail before a source counts as one that needs a person.
	inQuarantine = 3
)

// Trouble is how the runs of a source have failed of late. The zero value is a source that is well.
type Trouble struct {
	Failures int       // in a row, up to the last one, of runs that nobody asked for
	Since    time.Time // end of the first failed run
	Next     time.Time // when it is worth trying again; zero without Failures
	Error    string    // of the last failed run, whoever asked for it
	Hint     string
	Refused  bool // the server refused the account: asking again soon could lock it
}

// Quarantined reports whether the source needs a person to look at it. It is tried again by itself all the
// same, less and less often.
func (t Trouble) Quarantined() bool { return t.Failures >= inQuarantine || t.Refused }

// Assess finds the trouble of a source in its runs, latest first. What failed under another revision of the
// configuration says nothing about this one, nor does a run that was cut off with its process. What a person has
// tried in vain is told, but is no reason to try less often.
func Assess(runs []*connector.Run, revision string) Trouble {
	var t Trouble
	for _, r := range runs {
		if r.Mode != connector.ModeFull && r.Mode != connector.ModeChanges || r.Finished.IsZero() || r.Error == connector.CutOff {
			continue
		}
		if r.Result == connector.ResultFailed && !r.Unattended() {
			if r.Revision == revision {
				t.tell(r)
			}
			continue
		}
		if r.Result != connector.ResultFailed || r.Revision != revision {
			break
		}
		if t.Failures == 0 {
			t.Refused, t.Next = r.Refused, r.Finished
		}
		t.Failures++
		t.tell(r)
	}
	switch {
	case t.Refused:
		t.Next = t.Next.Add(maxRetry)
	case t.Failures > 0:
		t.Next = t.Next.Add(Backoff(t.Failures, firstRetry))
	}
	return t
}

// tell takes up a failed run that came before those known.
func (t *Trouble) tell(r *connector.Run) {
	if t.Error == "" {
		t.Error, t.Hint = r.Error, r.Hint
	}
	t.Since = r.Finished
}

// Backoff is how long to wait after so many failures in a row: the first time as given, then twice as long
// each time, an hour at most.
func Backoff(failures int, first time.Duration) time.Duration {
	wait := first
	for range failures - 1 {
		if wait *= 2; wait >= maxRetry {
			return maxRetry
		}
	}
	return min(wait, maxRetry)
}
