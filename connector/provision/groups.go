package provision

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
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
	renamed map[connector.Hash]connector.Hash // keys of groups that are spooled with another one
	keep    bool                              // nothing is taken away: the answer was not complete
}

// groupPlanner reads the groups and compares them with those that are stored.
type groupPlanner struct {
	l     *planner
	from  connector.GroupSource
	plan  *groupPlan
	known map[connector.Hash]bool // by anchor -> seen

	groups  int // that are stored
	members int
	batch   []*connector.GroupRecord
	size    int // members in batch
}

// groups plans what becomes of the groups of the source, after its people: those whose entries were renamed
// are known by then. Whatever goes wrong with groups, the people of the run are not kept waiting for it.
func (l *planner) groups(ctx context.Context) error {
	from, ok := l.req.From.(connector.GroupSource)
	if !ok || !l.src.Groups {
		return nil
	}
	l.plan.groups = &groupPlan{spool: newSpool(l.p.o.SpoolDir), follow: l.src.RenamesFollow, renamed: map[connector.Hash]connector.Hash{}}
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
		g.groups++
		g.members += s.MemberCount
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
		return "they could not be read: " + err.Error(), nil
	}
	run.Warnings = append(run.Warnings, result.Warnings...)
	if result.Entries == 0 && g.groups > 0 {
		return fmt.Sprintf("the answer has none at all where %d were known: check group_bases and group_filter, and that the account may still read them", g.groups), nil
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
		if b, a := c.Before, c.After; g.plan.follow && b != nil && a != nil && b.Key != a.Key {
			g.plan.renamed[b.Key] = a.Key
		}
		g.plan.spool.buf = appendGroupChange(g.plan.spool.buf[:0], c)
		if err := g.plan.spool.put(0); err != nil {
			return err
		}
	}
	return nil
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

// judge counts what is spooled and says whether it takes so much away that somebody has to look first.
func (g *groupPlanner) judge() error {
	run := g.l.plan.Run
	var digest uint64
	for c, err := range g.plan.changes() {
		if err != nil {
			return err
		}
		run.Groups.Add(c)
		digest += groupDigest(c)
	}
	reason, held := policy.Groups(g.l.src.Guard, policy.GroupRemovals{
		Groups: g.groups, Deleted: run.Groups.Deleted, Members: g.members, Removed: run.Groups.MembersRemoved,
	})
	if !held {
		return nil
	}
	text := fmt.Sprintf("%016x", digest)
	if g.l.req.AcceptGroups == text {
		return nil
	}
	run.GroupHold = &connector.GroupHold{Reason: reason, Digest: text}
	return nil
}

// groupDigest covers what is taken away and what is put there; the sum of those of all changes does not
// depend on their order.
func groupDigest(c *connector.GroupChange) uint64 {
	h := sha256.New()
	h.Write([]byte(string(c.Action) + "\x00" + c.Group().Anchor.Raw + "\x00" + c.Group().DN))
	for _, list := range [][]connector.Member{c.Removed, c.Added} {
		h.Write([]byte{0})
		for _, m := range list { // in order of their keys
			h.Write(m.Key[:])
		}
	}
	return binary.BigEndian.Uint64(h.Sum(nil))
}

// changes reads what is spooled, as it stands now that all renames of groups are known.
func (g *groupPlan) changes() func(yield func(*connector.GroupChange, error) bool) {
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

// settle takes out of a change what is none, and reports whether anything is left: a nested group that is
// named by its new name is no other member.
func (g *groupPlan) settle(c *connector.GroupChange) bool {
	if g.keep && c.Action == connector.Removed {
		return false
	}
	c.Removed = slices.DeleteFunc(c.Removed, func(m connector.Member) bool {
		if to, renamed := g.renamed[m.Key]; renamed {
			if i := slices.IndexFunc(c.Added, func(a connector.Member) bool { return a.Key == to }); i >= 0 {
				c.Added = slices.Delete(c.Added, i, i+1)
				return true
			}
		}
		return g.keep
	})
	if c.Action != connector.Updated || len(c.Added)+len(c.Removed) > 0 {
		return true
	}
	same := *c.After
	same.MemberCount = c.Before.MemberCount
	return same != *c.Before
}

// parts cuts a change into pieces of which each has at most memberBatch members.
func parts(c *connector.GroupChange) (list []*connector.GroupChange) {
	rest := *c
	for first := true; first || len(rest.Removed)+len(rest.Added) > 0; first = false {
		part := rest
		n := min(len(rest.Removed), memberBatch)
		part.Removed, rest.Removed = rest.Removed[:n], rest.Removed[n:]
		n = min(len(rest.Added), memberBatch-n)
		part.Added, rest.Added = rest.Added[:n], rest.Added[n:]
		part.Rest = !first
		list = append(list, &part)
	}
	return list
}

// applyGroups writes what is planned of groups, in transactions of about memberBatch rows.
func (p *Provisioner) applyGroups(ctx context.Context, plan *Plan) error {
	if plan.groups == nil || plan.holdAll || plan.Run.GroupHold != nil {
		return nil
	}
	cause := connector.Cause{Kind: connector.CauseRun, Run: plan.Run.ID, Actor: plan.Run.Actor}
	var batch []*connector.GroupChange
	size := 0
	put := func() error {
		err := p.o.Store.Bulk(ctx, func(tx connector.Tx) error { return tx.PutGroups(ctx, batch, plan.groups.follow, cause, p.o.Now()) })
		batch, size = nil, 0
		return err
	}
	for c, err := range plan.groups.changes() {
		if err != nil {
			return err
		}
		for _, part := range parts(c) {
			batch, size = append(batch, part), size+1+len(part.Added)+len(part.Removed)
			if size < memberBatch {
				continue
			}
			if err := put(); err != nil {
				return err
			}
		}
	}
	if len(batch) == 0 {
		return nil
	}
	return put()
}

// The form of a change of a group in a spool, see codec.go.

func appendGroupChange(b []byte, c *connector.GroupChange) []byte {
	b = appendText(b, string(c.Action))
	b = appendGroup(b, c.Before)
	b = appendGroup(b, c.After)
	b = appendMembers(b, c.Added)
	b = appendMembers(b, c.Removed)
	return appendFlag(b, c.Rest)
}

func readGroupChange(b []byte) (*connector.GroupChange, error) {
	r := &changeReader{b: b, s: string(b)}
	c := &connector.GroupChange{
		Action: connector.Action(r.text()), Before: r.group(), After: r.group(), Added: r.members(), Removed: r.members(), Rest: r.flag(),
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	if c.Group() == nil {
		return nil, errDamaged
	}
	return c, nil
}

func appendGroup(b []byte, g *connector.Group) []byte {
	if b = appendFlag(b, g != nil); g == nil {
		return b
	}
	b = append(b, g.ID[:]...)
	b = appendText(b, g.Org)
	b = appendText(b, g.Source)
	b = appendAnchor(b, g.Anchor)
	b = append(b, g.Key[:]...)
	b = appendText(b, g.DN)
	b = appendText(b, g.Name)
	b = appendText(b, g.Description)
	b = binary.AppendUvarint(b, uint64(g.RID))
	b = binary.AppendVarint(b, int64(g.MemberCount))
	b = appendInstant(b, g.CreatedAt)
	return appendInstant(b, g.UpdatedAt)
}

func (r *changeReader) group() *connector.Group {
	if !r.flag() {
		return nil
	}
	return &connector.Group{
		ID: r.id(), Org: r.text(), Source: r.text(), Anchor: r.anchor(), Key: connector.Hash(r.id()), DN: r.text(), Name: r.text(),
		Description: r.text(), RID: r.uint32(), MemberCount: int(r.int()), CreatedAt: r.instant(), UpdatedAt: r.instant(),
	}
}

func appendMembers(b []byte, list []connector.Member) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, m := range list {
		b = append(b, m.Key[:]...)
		b = appendText(b, m.DN)
	}
	return b
}

func (r *changeReader) members() []connector.Member {
	n := r.count()
	if n == 0 {
		return nil
	}
	list := make([]connector.Member, n)
	for i := range list {
		list[i] = connector.Member{Key: connector.Hash(r.id()), DN: r.text()}
	}
	return list
}
