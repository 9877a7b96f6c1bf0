package notice

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"usherd/connector"
)

const (
	// grows is how long a run of what happens live takes in changes; then it is told of as one.
	grows = time.Hour
	// holdAgain is when the same hold of a source is told again: by then nobody has decided in time.
	holdAgain = 24 * time.Hour
	// maxOutcomes bounds how many people of a run are looked at for why they failed.
	maxOutcomes = 100_000
)

// tellRuns decides of each run that has ended whom to tell. It is asked of those, too, of whom nobody wants to know, so that they do
// not come all at once when somebody does.
func (r *Reporter) tellRuns(ctx context.Context, s *Settings) error {
	list, err := r.o.Store.UntoldRuns(ctx, batch)
	for _, u := range list {
		if live(u.Run) && r.o.Now().Sub(u.Run.Started) < grows {
			continue
		}
		if err := r.tellRun(ctx, s, u); err != nil {
			return err
		}
	}
	return err
}

func live(run *connector.Run) bool {
	return run.Actor == connector.ActorLive && run.Mode == connector.ModeChanges && run.Result != connector.ResultFailed
}

func (r *Reporter) tellRun(ctx context.Context, s *Settings, u connector.UntoldRun) error {
	run := u.Run
	var m marks
	x := &telling{run: run, now: r.o.Now(), data: connector.NoticeData{Source: run.Source, Run: noticeRun(run)}}
	if slices.Contains(s.Organizations, run.Org) && worthTelling(run) {
		var err error
		if m, err = r.marks(ctx, run.Org); err != nil {
			return err
		}
		x.marks = m
		if run.Counts.Failed > 0 {
			if x.failures, x.failed, err = r.failures(ctx, run); err != nil {
				return err
			}
		}
		x.all()
	}
	return r.o.Store.Write(ctx, func(tx connector.Tx) error {
		ok, err := tx.ToldRun(ctx, u)
		if err != nil || !ok { // it has ended once more: it is told of as it is now
			return err
		}
		for _, k := range x.changed {
			if err := tx.PutNoticeMark(ctx, k); err != nil {
				return err
			}
		}
		return r.put(ctx, tx, s, run.Org, x.facts, m)
	})
}

// worthTelling reports whether a run is one of which others than who asked for it want to know.
func worthTelling(run *connector.Run) bool {
	return run.Mode != connector.ModePreview && run.Mode != connector.ModePerson && run.Result != connector.ResultCancelled
}

func noticeRun(run *connector.Run) *connector.NoticeRun {
	return &connector.NoticeRun{ID: run.ID, Mode: run.Mode, Result: run.Result, Counts: run.Counts, Started: run.Started, Finished: run.Finished}
}

// telling is what is made of one run.
type telling struct {
	run      *connector.Run
	now      time.Time
	marks    marks
	data     connector.NoticeData // what all facts of the run have in common
	failures []connector.NoticeFailure
	failed   string // names exactly who failed for what

	facts   []fact
	changed []connector.NoticeMark
}

func (x *telling) all() {
	x.whole()
	x.held()
	x.heldGroups()
	same := x.people()
	if x.run.Counts.Changed() > 0 {
		data := x.data
		data.Suppressed = same
		x.facts = append(x.facts, fact{connector.NoticeRunChanged, data})
	}
}

// again remembers what is told of a topic. It reports whether it is to be told, which it is when it is another thing than last time, or
// when that was so long ago, and how often it was not.
func (x *telling) again(topic, value string, after time.Duration) (tell bool, suppressed int) {
	mark, ok := x.marks[topic]
	if ok && mark.Value == value && (after == 0 || x.now.Sub(mark.At) < after) {
		mark.Suppressed++
		x.changed = append(x.changed, mark)
		return false, mark.Suppressed
	}
	x.changed = append(x.changed, connector.NoticeMark{Org: x.run.Org, Topic: topic, Value: value, At: x.now})
	return true, mark.Suppressed
}

// over forgets a topic.
func (x *telling) over(topic string) {
	if _, ok := x.marks[topic]; ok {
		x.changed = append(x.changed, connector.NoticeMark{Org: x.run.Org, Topic: topic})
	}
}

// whole tells of a run that failed, or whose answer was not complete.
func (x *telling) whole() {
	topic := "failed/" + x.run.Source + "/" + string(x.run.Mode)
	if x.run.Result != connector.ResultFailed && x.run.Result != connector.ResultPartial {
		x.over(topic)
		return
	}
	tell, suppressed := x.again(topic, digest(string(x.run.Result)+" "+withoutNumbers(x.run.Error)), 0)
	if tell {
		data := x.data
		data.Error, data.Hint, data.Suppressed = x.run.Error, x.run.Hint, suppressed
		x.facts = append(x.facts, fact{connector.NoticeRunFailed, data})
	}
}

// held tells of what waits for an approval.
func (x *telling) held() {
	topic := "held/" + x.run.Source
	h := x.run.Hold
	if !h.Open(x.now) {
		if x.run.Mode == connector.ModeFull && x.run.Result == connector.ResultOK {
			x.over(topic)
		}
		return
	}
	value := fmt.Sprint(x.run.Mode, h.Whole, h.Removals, h.Updates, x.run.Counts.Held)
	if tell, suppressed := x.again(topic, value, holdAgain); tell {
		data := x.data
		data.Hold, data.Why, data.Suppressed = &connector.NoticeHold{People: x.run.Counts.Held, Expires: h.Expires}, h.Reason, suppressed
		x.facts = append(x.facts, fact{connector.NoticeRunHeld, data})
	}
}

// heldGroups tells of groups that were left as they were.
func (x *telling) heldGroups() {
	topic := "groups/" + x.run.Source
	h := x.run.GroupHold
	if h == nil {
		if x.run.Mode == connector.ModeFull && (x.run.Result == connector.ResultOK || x.run.Result == connector.ResultHeld) {
			x.over(topic)
		}
		return
	}
	if tell, suppressed := x.again(topic, digest(h.Digest+" "+withoutNumbers(h.Reason)), holdAgain); tell {
		data, groups := x.data, x.run.Groups
		data.Hold, data.Why, data.Suppressed = &connector.NoticeHold{Groups: &groups, Accept: h.Digest}, h.Reason, suppressed
		x.facts = append(x.facts, fact{connector.NoticeRunHeld, data})
	}
}

// people tells of who failed. It returns how often the same people have not been told of again; 0 when they are now.
func (x *telling) people() (same int) {
	topic := "people/" + x.run.Source + "/" + string(x.run.Mode)
	if x.run.Counts.Failed == 0 {
		if x.run.Result == connector.ResultOK || x.run.Result == connector.ResultHeld {
			x.over(topic)
		}
		return 0
	}
	tell, suppressed := x.again(topic, x.failed, 0)
	if !tell {
		return suppressed
	}
	data := x.data
	data.Failures, data.Suppressed = x.failures, suppressed
	x.facts = append(x.facts, fact{connector.NoticePeople, data})
	return 0
}

// failures counts why people of a run failed, and returns what names exactly who failed for what, in any order.
func (r *Reporter) failures(ctx context.Context, run *connector.Run) ([]connector.NoticeFailure, string, error) {
	type key struct {
		code   connector.Code
		reason connector.Reason
	}
	groups := map[key]*connector.NoticeFailure{}
	var sum [sha256.Size]byte
	var after connector.ID
	for seen := 0; seen < maxOutcomes; {
		page, err := r.o.Store.Outcomes(ctx, run.ID, after, batch)
		if err != nil {
			return nil, "", err
		}
		for _, o := range page {
			c := o.Change
			if c.Action != connector.Failed {
				continue
			}
			for _, f := range c.Failures {
				k := key{f.Code, f.Reason}
				g := groups[k]
				if g == nil {
					g = &connector.NoticeFailure{Code: f.Code, Reason: f.Reason, Package: f.Package, Domain: f.Domain}
					groups[k] = g
				}
				g.People++
				if g.Package != f.Package {
					g.Package = ""
				}
				if g.Domain != f.Domain {
					g.Domain = ""
				}
				one := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%d\x00%s", c.Anchor.Raw, c.Subject, f.Code, f.Reason))
				for i := range sum {
					sum[i] ^= one[i]
				}
			}
		}
		if seen += len(page); len(page) < batch {
			break
		}
		after = page[len(page)-1].ID
	}
	var list []connector.NoticeFailure
	for _, g := range groups {
		list = append(list, *g)
	}
	slices.SortFunc(list, func(a, b connector.NoticeFailure) int {
		return cmp.Or(cmp.Compare(b.People, a.People), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Reason, b.Reason))
	})
	return list[:min(len(list), connector.MaxNoticeFailures)], hex.EncodeToString(sum[:]), nil
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// withoutNumbers is a message of a fault without what differs each time: ports, milliseconds, counts.
func withoutNumbers(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, text)
}
