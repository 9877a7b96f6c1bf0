package provision

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"iter"
	"slices"
	"time"

	"usherd/connector"
)

// Plan is everything that one run would change. It changes nothing itself; preview, dry run,
// approval and run are the same Plan, shown or applied. Close it when done. Not safe for concurrent
// use.
type Plan struct {
	Run *connector.Run // counts, seats, warnings, hold: without an end until it is applied

	now         time.Time
	removals    *spool // what takes access away: applied first, so that its seats are free
	others      *spool
	said        *said
	entries     *entries
	denied      map[int32]bool              // no seat is left for it
	refused     map[int32]connector.Failure // two people of the run want the same
	dropped     map[int32]bool              // a removal without sufficient evidence
	waived      map[int32]bool              // the entry moved while it was read
	applied     map[int32]*connector.Change // what became of it when it was applied, where that differs
	approved    bool                        // what would be held is what was approved
	preview     bool                        // everything waits, and is shown as what it would be
	undoes      bool                        // what a run did: its refusals are nobody's open items
	holdAll     bool
	holdGone    bool           // the removals
	holdUpdates bool           // the changes of attributes
	choice      *Choice        // of what is held, nil = all of it
	passed      bool           // who is chosen does not wait
	rewritten   map[string]int // attribute -> users whose value would be another one, or none
	blanked     map[string]int // attribute -> users who are refused because they have no value for it any more
	needed      map[string]int // package -> seats that the people of a file ask for; nil = it is no file
	existing    int            // users that the spooled changes are about
	progress    func(Progress) // may be nil

	replaced  map[connector.Anchor]bool              // anchors of people created anew in the source
	groups    *groupPlan                             // nil = nothing becomes of groups
	closeGone []connector.Anchor                     // open items of people who are not in the source any more, or again as they were
	records   map[connector.Anchor]*connector.Record // of a run of changes: nobody tells them again
	state     connector.SourceState
	stay      bool // the cursor is the one of before
	complete  bool
	unread    bool // the source was not asked: nothing of its state is known anew
}

// Changes streams what happens to whom, removals first; people to whom nothing happens are only
// counted.
func (p *Plan) Changes() iter.Seq2[*connector.Change, error] {
	return func(yield func(*connector.Change, error) bool) {
		for x, err := range p.all(nil) {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(x.Change, nil) {
				return
			}
		}
	}
}

// all streams the changes whose ordinals want accepts, all where it is nil, as they stand now.
func (p *Plan) all(want func(ordinal int32) bool) iter.Seq2[spooled, error] {
	return func(yield func(spooled, error) bool) {
		for _, s := range []*spool{p.removals, p.others} {
			for x, err := range s.all(want) {
				if err == nil {
					x.Change = p.final(x)
				}
				if !yield(x, err) || err != nil {
					return
				}
			}
		}
	}
}

// final is the change as it stands after everything that was learned later in the run.
func (p *Plan) final(x spooled) *connector.Change {
	if ch := p.applied[x.Ordinal]; ch != nil {
		return ch
	}
	return p.settled(x)
}

// settled is the change as it stands once all is planned. Other than final it may be called while the
// plan is applied.
func (p *Plan) settled(x spooled) *connector.Change {
	ch := x.Change
	switch f, refused := p.refused[x.Ordinal]; {
	case refused:
		return refuse(ch, f, p.now)
	case p.denied[x.Ordinal]:
		return noSeat(ch, p.now)
	case p.waived[x.Ordinal]:
		return moved(ch, "the entry moved while the directory was read: the next run decides")
	case p.dropped[x.Ordinal]:
		ch.Action, ch.Skip, ch.After, ch.Link, ch.Removal = connector.Skipped, connector.SkipUnverifiable, nil, nil, false
		ch.Fields, ch.Transitions, ch.FreeSeat = nil, nil, ""
		ch.Sibling, ch.Unlink = nil, connector.Anchor{}
		return ch
	}
	ch.Held = p.held(p.entries.of(x.Ordinal)) && !p.preview
	return ch
}

// leftNoEvent reports whether the change may be one of which no event tells, by the little that is known
// of it without reading it.
func (p *Plan) leftNoEvent(ordinal int32) bool {
	e := p.entries.of(ordinal)
	return e.action == connector.Failed || e.action == connector.Skipped || p.overruled(ordinal) || p.applied[ordinal] != nil || p.held(e) ||
		e.linked && !e.writes
}

func (p *Plan) held(e entry) bool {
	return e.writes && (!p.passed || !e.chosen) && (p.holdAll || p.holdGone && e.removal || p.holdUpdates && e.action == connector.Updated)
}

// Close removes the plan's files.
func (p *Plan) Close() error {
	return errors.Join(p.removals.close(), p.others.close(), p.said.close(), p.groups.close())
}

// keep spools one decision.
func (p *Plan) keep(ordinal int32, ch *connector.Change, rank int32) error {
	p.entries.put(ordinal, kind{
		action: ch.Action, skip: ch.Skip, removal: ch.Removal, writes: ch.After != nil, linked: ch.Linked, takes: ch.TakeSeat, frees: ch.FreeSeat,
		explicit: ch.Removal && ch.After.DeactivatedReason == string(connector.StandingDisabled),
	}, entry{digest: digest(ch), rank: rank, chosen: p.choice.takes(ch)})
	if ch.BaseVersion > 0 {
		p.existing++
	}
	for _, f := range ch.Failures {
		if ch.BaseVersion > 0 && f.Reason == connector.RequiredMissing {
			for _, name := range f.Fields {
				p.blanked[name]++
			}
		}
	}
	if ch.Action == connector.Updated {
		for _, f := range ch.Fields {
			if _, attribute := connector.AttributeByName(f.Field); attribute && len(f.Before) > 0 {
				p.rewritten[f.Field]++
			}
		}
	}
	if !ch.Unlink.IsZero() {
		p.replaced[ch.Unlink] = true
	}
	if ch.Removal && (!p.undoes || !takesNames(ch)) {
		return p.removals.add(ordinal, ch)
	}
	return p.others.add(ordinal, ch)
}

// takesNames reports whether a user who stays gets other names by the change, which somebody may still have
// to give up.
func takesNames(ch *connector.Change) bool {
	return ch.After.State.Live() && slices.ContainsFunc(ch.Fields, func(f connector.FieldChange) bool {
		return f.Field == connector.UserName || f.Field == connector.Email || f.Field == connector.OtherEmails
	})
}

// digest covers what a person who approves has seen of a change, and the version of the user that
// it was decided on; not the instants, which are others each time.
func digest(ch *connector.Change) uint64 {
	b := append([]byte(ch.Source+"\x00"+ch.Anchor.Raw+"\x00"+string(ch.Action)+"\x00"+ch.DN+"\x00"), 0)
	b = binary.BigEndian.AppendUint64(b, uint64(ch.BaseVersion)) //nolint:gosec // a version is never negative
	if ch.BaseVersion > 0 && ch.After != nil {
		b = append(b, ch.After.ID[:]...)
	}
	for _, f := range ch.Fields {
		if f.Field == connector.FieldDeactivatedAt || f.Field == connector.FieldDeleteAt {
			continue
		}
		b = append(append(b, f.Field...), 0)
		for _, v := range slices.Concat(f.Before, []string{"\x01"}, f.After) {
			b = append(append(b, v...), 0)
		}
	}
	sum := sha256.Sum256(b)
	return binary.BigEndian.Uint64(sum[:8])
}

// waitsForGroups reports whether a rollback of groups waits: what a run finds of them does not wait for the
// approval of people.
func (p *Plan) waitsForGroups() bool { return p.undoes && p.holdAll && p.groups != nil }

// heldDigest is one text for all that waits.
func (p *Plan) heldDigest() string {
	d := p.digestOf(p.held)
	if p.waitsForGroups() {
		sum := sha256.Sum256([]byte(d + p.groups.digest))
		d = hex.EncodeToString(sum[:16])
	}
	return d
}

// digestOf is one text for a set of changes, whatever their order.
func (p *Plan) digestOf(in func(entry) bool) string {
	all := make([]uint64, 0, p.entries.count)
	for o, e := range p.entries.all() {
		if !p.overruled(o) && in(e) {
			all = append(all, e.digest)
		}
	}
	return digestOfAll(all)
}

func digestOfAll(digests []uint64) string {
	slices.Sort(digests)
	h := sha256.New()
	var b [8]byte
	for _, d := range digests {
		binary.BigEndian.PutUint64(b[:], d)
		h.Write(b[:])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// overruled reports whether the decision was taken back later in the run.
func (p *Plan) overruled(ordinal int32) bool {
	_, refused := p.refused[ordinal]
	return refused || p.denied[ordinal] || p.dropped[ordinal] || p.waived[ordinal]
}
