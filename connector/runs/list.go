package runs

import (
	"context"
	"slices"
	"strings"
	"time"

	"usherd/connector"
)

// Lister is what a list is read from.
type Lister interface {
	Runs(ctx context.Context, f connector.RunFilter) ([]*connector.Run, error)
}

// Trigger is what kind of actor had a run started.
type Trigger string

// The triggers.
const (
	Schedule Trigger = "schedule"
	Live     Trigger = "live" // the directory told of changes
	API      Trigger = "api"
	Manual   Trigger = "manual" // somebody at the console or the command line
)

// Triggers are all, in the order in which they are offered.
func Triggers() []Trigger { return []Trigger{Schedule, Live, Manual, API} }

// TriggerOf tells it by the actor of a run.
func TriggerOf(actor string) Trigger {
	switch kind, _, _ := strings.Cut(actor, ":"); kind {
	case connector.ActorSchedule:
		return Schedule
	case connector.ActorLive:
		return Live
	case "api":
		return API
	}
	return Manual
}

// Choice says which runs of an organization are asked for; what is left empty chooses all.
type Choice struct {
	connector.RunFilter // Limit is how many runs a page has
	Trigger             Trigger
	Mode                connector.Mode
	Result              connector.Result
	Decision            connector.HoldStatus // what became of what the run held
	Changes             int                  // how many people it has changed, at least
	// Loud leaves out runs that went well and had nothing to do, as most do.
	Loud bool
}

// Page is a part of a list, the latest first.
type Page struct {
	Runs  []*connector.Run
	Next  connector.ID // Before of the page after this one; zero = this was the last
	Quiet int          // runs between these that Loud has left out, and nothing else
}

// mostLooked bounds how many runs are looked at for one page: the next one goes on from there, and a page may be empty.
const mostLooked = 500

// List reads a page.
func List(ctx context.Context, store Lister, c *Choice, now time.Time) (*Page, error) {
	p, f := &Page{}, c.RunFilter
	f.Limit = min(c.Limit+1, mostLooked) // that is all where everything fits
	for looked := 0; ; f.Limit = min(2*f.Limit, mostLooked-looked) {
		list, err := store.Runs(ctx, f)
		if err != nil {
			return nil, err
		}
		for i, r := range list {
			f.Before = r.ID
			switch {
			case !c.fits(r, now):
			case c.Loud && Quiet(r):
				p.Quiet++
			default:
				p.Runs = append(p.Runs, r)
			}
			if len(p.Runs) == c.Limit {
				if i < len(list)-1 || len(list) == f.Limit {
					p.Next = r.ID
				}
				return p, nil
			}
		}
		if len(list) < f.Limit {
			return p, nil
		}
		if looked += len(list); looked >= mostLooked {
			p.Next = f.Before
			return p, nil
		}
	}
}

func (c *Choice) fits(r *connector.Run, now time.Time) bool {
	switch {
	case c.Trigger != "" && TriggerOf(r.Actor) != c.Trigger, c.Mode != "" && r.Mode != c.Mode, c.Result != "" && r.Result != c.Result,
		c.Decision != "" && (r.Hold == nil || r.Hold.StatusAt(now) != c.Decision), r.Counts.Changed() < c.Changes:
		return false
	}
	return true
}

// Quiet reports whether a run went well and had nothing to do.
func Quiet(r *connector.Run) bool {
	return r.Result == connector.ResultOK && r.Counts.Changed() == 0 && r.Counts.Failed == 0 && r.Groups == connector.GroupCounts{} && r.GroupHold == nil
}

// lasted is how many runs a median is made of.
const lasted = 20

// Median is how long the last runs of a mode took, those of the list that have ended well or in part; 0 where there are fewer than two.
// The list has the latest first.
func Median(list []*connector.Run, mode connector.Mode) time.Duration {
	var took []time.Duration
	for _, r := range list {
		if r.Mode == mode && !r.Finished.IsZero() && r.Result != connector.ResultFailed && r.Result != connector.ResultCancelled && len(took) < lasted {
			took = append(took, r.Finished.Sub(r.Started))
		}
	}
	if len(took) < 2 {
		return 0
	}
	slices.Sort(took)
	return (took[(len(took)-1)/2] + took[len(took)/2]) / 2
}
