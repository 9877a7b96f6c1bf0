package provision

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"

	"usherd/connector"
	"usherd/connector/policy"
)

const (
	groupBatch   = 200    // groups that are compared together, unless they have many members
	memberBatch  = 10_000 // members that are compared or written together
	groupLookups = 100    // absent groups that are asked for together
)

// groupPlan is what one run would change in the groups of a source. It is spooled group by group, like
// the people of a Plan.
type groupPlan struct {
	spool   *spool
	follow  bool
	renamed map[connector.Hash]connector.Member // keys of groups that are spooled with another one, as they will be
	undoes  bool                                // members are named as they were before any of these changes
	keep    bool                                // nothing is taken away: the answer was not complete
	rows    int                                 // about so many are written
	digest  string                              // of a rollback
}

// groupPlanner reads the groups and compares them with those that are stored.
type groupPlanner struct {
	l     *planner
	from  connector.GroupSource
	plan  *groupPlan
	known map[connector.Hash]bool // by anchor -> seen

	stored policy.GroupRemovals // what there is
	batch  []*connector.GroupRecord
	size   int // members in batch
}

// groups plans what becomes of the groups of the source, after its people: those whose entries were renamed
// are known by then. Whatever goes wrong with groups, the people of the run are not kept waiting for it.
func (l *planner) groups(ctx context.Context) error {
	from, ok := l.req.From.(connector.GroupSource)
	if !ok || !l.src.Groups {
		return nil
	}
	l.newGroups()
	g := &groupPlanner{l: l, from: from, plan: l.plan.groups, known: map[connector.Hash]bool{}}
	switch why, err := g.read(ctx); {
	case err != nil:
		return err
	case why != "":
		l.plan.Run.Warnings = append(l.plan.Run.Warnings, "the groups stay as they are: "+why)
		return l.plan.dropGroups()
	}
	if err := g.judge(); err != nil {
		return err
	}
	l.phaseDone("groups")
	return nil
}

// newGroups gives the plan a place for changes of groups.
func (l *planner) newGroups() {
	l.plan.groups = &groupPlan{
		spool: newSpool(l.p.o.SpoolDir), follow: l.src.RenamesFollow, renamed: map[connector.Hash]connector.Member{}, undoes: l.plan.undoes,
	}
}

// groupsOf plans what becomes of the groups of a batch, after its people. Full says why they may not pass
// unseen: a full run then looks at all groups, and holds them.
func (l *planner) groupsOf(ctx context.Context, batch *connector.Batch) (full string, err error) {
	if len(batch.Groups) == 0 || !l.src.Groups {
		return "", nil
	}
	l.newGroups()
	g := &groupPlanner{l: l, plan: l.plan.groups}
	for _, rec := range batch.Groups {
		if err := g.add(ctx, rec); err != nil {
			return "", err
		}
	}
	if err := g.flush(ctx); err != nil {
		return "", err
	}
	if _, err := g.count(); err != nil {
		return "", err
	}
	run := l.plan.Run
	if run.Groups == (connector.GroupCounts{}) {
		return "", l.plan.dropGroups()
	}
	if _, many := g.tooMuch(); !many { // as is true of most, whatever there is
		return "", nil
	}
	for s, err := range l.p.o.Store.GroupStates(ctx, run.Org, run.Source) {
		if err != nil {
			return "", err
		}
		g.has(&s)
	}
	full, _ = g.tooMuch()
	return full, nil
}

// dropGroups forgets what was planned of groups.
func (p *Plan) dropGroups() error {
	err := p.groups.close()
	p.groups = nil
	return err
}

func (g *groupPlan) close() error {
	if g == nil {
		return nil
	}
	return g.spool.close()
}

// read asks the source and spools what differs. Why says that the answer is none that anything can be made of.
func (g *groupPlanner) read(ctx context.Context) (why string, err error) {
	run := g.l.plan.Run
	for s, err := range g.l.p.o.Store.GroupStates(ctx, run.Org, run.Source) {
		if err != nil {
			return "", err
		}
		g.known[s.Anchor.Key()] = false
		g.has(&s)
	}
	var own error
	result, err := g.from.Groups(ctx, func(rec *connector.GroupRecord) error {
		g.known[rec.Anchor.Key()] = true
		c := *rec
		c.Members = slices.Clone(rec.Members)
		own = g.add(ctx, &c)
		return own
	})
	switch {
	case own != nil:
		return "", own
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil:
		if connector.KindOf(err) == connector.Unavailable { // its feed would never tell again of what was not read now
			g.l.plan.complete = false
			run.Error = "the directory went away while its groups were read: " + err.Error()
			run.Hint = "what was found of the people was done; the next complete run reads the groups"
		}
		return "they could not be read: " + err.Error(), nil
	}
	run.Warnings = append(run.Warnings, result.Warnings...)
	if result.Entries == 0 && g.stored.Groups > 0 {
		return fmt.Sprintf("the answer has none at all where %d were known: check group_bases and group_filter, and that the account may still read them", g.stored.Groups), nil
	}
	if err := g.flush(ctx); err != nil {
		return "", err
	}
	if g.plan.keep = !result.Complete || !g.l.plan.complete; !result.Complete {
		run.Warnings = append(run.Warnings, "the groups were not all read, so that no group and no membership is removed: "+result.Why)
	}
	if g.plan.keep {
		return "", nil
	}
	return "", g.absent(ctx)
}

// add puts a record of its own into the batch.
func (g *groupPlanner) add(ctx context.Context, rec *connector.GroupRecord) error {
	g.batch, g.size = append(g.batch, rec), g.size+len(rec.Members)
	if len(g.batch) < groupBatch && g.size < memberBatch {
		return nil
	}
	return g.flush(ctx)
}

// flush compares the batch and spools what differs.
func (g *groupPlanner) flush(ctx context.Context) error {
	run := g.l.plan.Run
	changes, err := g.l.p.o.Store.CompareGroups(ctx, run.Org, run.Source, g.batch, g.l.renamed)
	if err != nil {
		return err
	}
	g.batch, g.size = nil, 0
	for _, c := range changes {
		if err := g.spool(c); err != nil {
			return err
		}
	}
	return nil
}

// spool keeps one change.
func (g *groupPlanner) spool(c *connector.GroupChange) error {
	if g.plan.renames(c) {
		g.plan.renamed[c.Before.Key] = connector.Member{Key: c.After.Key, DN: c.After.DN}
	}
	g.plan.spool.buf = appendGroupChange(g.plan.spool.buf[:0], c)
	return g.plan.spool.put(0)
}

// absent asks for the groups that the answer did not hold, before the first of them is deleted.
func (g *groupPlanner) absent(ctx context.Context) error {
	run := g.l.plan.Run
	var missing []connector.Anchor
	for s, err := range g.l.p.o.Store.GroupStates(ctx, run.Org, run.Source) {
		if err != nil {
			return err
		}
		if !g.known[s.Anchor.Key()] {
			missing = append(missing, s.Anchor)
		}
	}
	ask := missing[:min(len(missing), maxLookups)]
	unsure := len(missing) - len(ask)
	for part := range slices.Chunk(ask, groupLookups) {
		recs, err := g.from.RereadGroups(ctx, part)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			recs = nil
		}
		unsure += len(part) - len(recs)
		for _, rec := range recs {
			if err := g.add(ctx, rec); err != nil {
				return err
			}
		}
	}
	if unsure > 0 {
		run.Warnings = append(run.Warnings, fmt.Sprintf("%d groups were absent from the answer, but the directory could not say that they are gone: they stay as they are", unsure))
	}
	return g.flush(ctx)
}

// has counts a group that is stored.
func (g *groupPlanner) has(s *connector.Group) {
	g.stored.Groups++
	g.stored.Members += s.MemberCount
}

// judge counts what is spooled and says whether it takes so much away that somebody has to look first.
func (g *groupPlanner) judge() error {
	run := g.l.plan.Run
	text, err := g.count()
	if err != nil {
		return err
	}
	reason, held := g.tooMuch()
	if !held {
		return nil
	}
	if g.l.req.AcceptGroups == text {
		return nil
	}
	run.GroupHold = &connector.GroupHold{Reason: reason, Digest: text}
	return nil
}

// count counts what is spooled, and returns its digest.
func (g *groupPlanner) count() (digest string, err error) {
	var sum uint64
	for c, err := range g.plan.changes() {
		if err != nil {
			return "", err
		}
		g.l.plan.Run.Groups.Add(c)
		g.plan.rows += 1 + len(c.Added) + len(c.Removed)
		if c.Action == connector.Removed {
			g.plan.rows += c.Before.MemberCount
		}
		sum += groupDigest(c)
	}
	return fmt.Sprintf("%016x", sum), nil
}

// tooMuch says by the guard whether what is counted must wait.
func (g *groupPlanner) tooMuch() (reason string, held bool) {
	run, r := g.l.plan.Run, g.stored
	r.Deleted, r.Removed = run.Groups.Deleted, run.Groups.MembersRemoved
	return policy.Groups(g.l.src.Guard, r)
}

// groupDigest covers what is taken away and what is put there; the sum of those of all changes does not
// depend on their order.
func groupDigest(c *connector.GroupChange) uint64 {
	h := sha256.New()
	g := c.Group()
	for _, text := range []string{string(c.Action), g.Anchor.Raw, g.DN, g.Name, g.Description} {
		h.Write([]byte(text + "\x00"))
	}
	for _, list := range [][]connector.Member{c.Removed, c.Added} {
		h.Write([]byte{0})
		for _, m := range list { // in order of their keys
			h.Write(m.Key[:])
		}
	}
	return binary.BigEndian.Uint64(h.Sum(nil))
}

// changes reads what is spooled, as it stands now that all renames of groups are known.
func (g *groupPlan) changes() iter.Seq2[*connector.GroupChange, error] {
	return func(yield func(*connector.GroupChange, error) bool) {
		for x, err := range g.spool.entries(nil) {
			var c *connector.GroupChange
			if err == nil {
				c, err = readGroupChange(x.body)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if g.settle(c) && !yield(c, nil) {
				return
			}
		}
	}
}

// renames reports whether memberships of the group follow it to another key.
func (g *groupPlan) renames(c *connector.GroupChange) bool {
	return g.follow && c.Before != nil && c.After != nil && c.Before.Key != c.After.Key
}

// settle takes out of a change what is none, and reports whether anything is left: a nested group that is
// named by its new name is no other member. The names of groups are written before any membership, so that
// what is left is named as it is then.
func (g *groupPlan) settle(c *connector.GroupChange) bool {
	if g.keep && c.Action == connector.Removed {
		return false
	}
	c.Removed = slices.DeleteFunc(c.Removed, func(m connector.Member) bool {
		if to, renamed := g.renamed[m.Key]; renamed && !g.undoes {
			if i := slices.IndexFunc(c.Added, func(a connector.Member) bool { return a.Key == to.Key }); i >= 0 {
				c.Added = slices.Delete(c.Added, i, i+1)
				return true
			}
		}
		return g.keep
	})
	g.rename(c.Removed)
	if g.undoes {
		g.rename(c.Added)
	}
	if c.Action != connector.Updated || len(c.Added)+len(c.Removed) > 0 {
		return true
	}
	same := *c.After
	same.MemberCount = c.Before.MemberCount
	return same != *c.Before
}

// rename gives members the keys that they have once all groups have their names.
func (g *groupPlan) rename(members []connector.Member) {
	for i, m := range members {
		if to, ok := g.renamed[m.Key]; ok {
			members[i] = to
		}
	}
}
