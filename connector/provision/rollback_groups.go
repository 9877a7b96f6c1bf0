package provision

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"usherd/connector"
)

// maxNamed bounds how many memberships that are not put back a rollback names one by one.
const maxNamed = 20

// groupUndoer plans what puts groups and memberships back. It looks at one group after the other, and keeps in
// memory the members that the run added to it or removed.
type groupUndoer struct {
	*undoer
	planner *groupPlanner
	refused int // memberships and groups that stay as they are because of what was done since
}

// groups plans for every group that the run changed.
func (u *undoer) groups(ctx context.Context) error {
	var list []connector.RunGroup
	for g, err := range u.p.o.Store.RunGroups(ctx, u.run.ID) {
		if err != nil {
			return err
		}
		list = append(list, g)
	}
	if len(list) == 0 {
		return nil
	}
	u.newGroups()
	x := &groupUndoer{undoer: u, planner: &groupPlanner{l: u.planner, plan: u.plan.groups}}
	for _, g := range list {
		if err := x.group(ctx, g); err != nil {
			return err
		}
	}
	if x.refused > maxNamed {
		u.plan.Run.Warnings = append(u.plan.Run.Warnings, fmt.Sprintf("%d groups and memberships more are not put back because of what was done to them since", x.refused-maxNamed))
	}
	var err error
	if u.plan.groups.digest, err = x.planner.count(); err == nil && u.plan.Run.Groups == (connector.GroupCounts{}) {
		err = u.plan.dropGroups()
	}
	return err
}

// group plans for one group.
func (x *groupUndoer) group(ctx context.Context, g connector.RunGroup) error {
	h := groupPast{members: map[connector.Hash]*memberPast{}}
	for e, err := range x.p.o.Store.GroupHistory(ctx, x.run.Org, g.Group, g.First) {
		if err != nil {
			return err
		}
		h.add(e, x.run.ID)
	}
	found, err := x.p.o.Store.GroupsOf(ctx, x.run.Org, x.run.Source, []connector.ID{g.Group}, nil)
	if err != nil {
		return err
	}
	var now *connector.Group
	if len(found) > 0 {
		now = &found[0]
	}
	var ch *connector.GroupChange
	switch {
	case h.created && (now == nil || h.ended):
	case h.created:
		ch = x.end(&h, now)
	case h.ended && now == nil:
		ch, err = x.bringBack(ctx, &h)
	case now == nil:
		x.refuse("the group %s is not put back: it was deleted %s", h.name(), by(h.later))
	case !h.ended:
		ch, err = x.putBack(ctx, &h, now)
	}
	if err != nil || ch == nil {
		return err
	}
	return x.planner.spool(ch)
}

// refuse names what stays as it is.
func (x *groupUndoer) refuse(format string, args ...any) {
	if x.refused++; x.refused <= maxNamed {
		x.plan.Run.Warnings = append(x.plan.Run.Warnings, fmt.Sprintf(format, args...))
	}
}

// end deletes a group that the run created.
func (x *groupUndoer) end(h *groupPast, now *connector.Group) *connector.GroupChange {
	if e := h.last(); e != nil {
		x.refuse("the group %s that the run created stays: it was changed %s", now.DN, by(e))
		return nil
	}
	return &connector.GroupChange{Action: connector.Removed, Before: now}
}

// bringBack makes a group anew that the run deleted, with its id and members.
func (x *groupUndoer) bringBack(ctx context.Context, h *groupPast) (*connector.GroupChange, error) {
	if h.was == nil {
		x.refuse("the group %s does not come back: it was deleted before usherd kept what it was", h.name())
		return nil, nil //nolint:nilnil // there is none
	}
	others, err := x.p.o.Store.GroupsOf(ctx, x.run.Org, x.run.Source, nil, []connector.Anchor{h.was.Anchor})
	if err != nil {
		return nil, err
	}
	if len(others) > 0 {
		x.refuse("the group %s does not come back: its entry in the source belongs to another group now: %s", h.was.DN, others[0].ID)
		return nil, nil //nolint:nilnil // there is none
	}
	group := *h.was
	ch := &connector.GroupChange{Action: connector.Created, After: &group}
	for _, k := range h.keys() {
		if m := h.members[k]; m.before {
			ch.Added = append(ch.Added, connector.Member{Key: k, DN: m.dn})
		}
	}
	group.MemberCount = len(ch.Added)
	return ch, nil
}

// putBack gives a group its name and its memberships back, as far as they are as the run left them.
func (x *groupUndoer) putBack(ctx context.Context, h *groupPast, now *connector.Group) (*connector.GroupChange, error) {
	after := *now
	ch := &connector.GroupChange{Action: connector.Updated, Before: now, After: &after}
	switch {
	case h.unknown:
		x.refuse("the name of the group %s is not put back: it was changed before usherd kept what it was", now.DN)
	case h.was == nil || sameGroup(now, h.was):
	case h.later != nil || !sameGroup(now, h.is):
		x.refuse("the name of the group %s is not put back: it was changed %s", now.DN, by(h.later))
	default:
		after.Key, after.DN, after.Name, after.Description, after.RID = h.was.Key, h.was.DN, h.was.Name, h.was.Description, h.was.RID
	}
	keys := h.keys()
	have, err := x.p.o.Store.MembersOf(ctx, now.ID, keys)
	if err != nil {
		return nil, err
	}
	in := make(map[connector.Hash]bool, len(have))
	for _, m := range have {
		in[m.Key] = true
	}
	for _, k := range keys {
		switch m := h.members[k]; {
		case m.before == m.after, in[k] == m.before && (in[k] || m.later != nil):
		case in[k] == m.before: // no event took it out again
			x.refuse("%s stays in the group %s: it was renamed since", m.dn, now.DN)
		case m.later != nil && m.after:
			x.refuse("%s stays in the group %s: that was changed %s", m.dn, now.DN, by(m.later))
		case m.later != nil:
			x.refuse("%s does not come back into the group %s: that was changed %s", m.dn, now.DN, by(m.later))
		case m.after:
			ch.Removed = append(ch.Removed, connector.Member{Key: k, DN: m.dn})
		default:
			ch.Added = append(ch.Added, connector.Member{Key: k, DN: m.dn})
		}
	}
	after.MemberCount += len(ch.Added) - len(ch.Removed)
	if after == *now && len(ch.Added) == 0 {
		return nil, nil //nolint:nilnil // there is nothing to put back
	}
	return ch, nil
}

// sameGroup reports whether a group is called and described like another one.
func sameGroup(a, b *connector.Group) bool {
	return a.Key == b.Key && a.DN == b.DN && a.Name == b.Name && a.Description == b.Description && a.RID == b.RID
}

// groupPast is what has happened to a group since a run that is undone.
type groupPast struct {
	created bool             // by the run: there was none before
	ended   bool             // by the run: there was none afterwards
	unknown bool             // an event does not say what the group was
	was, is *connector.Group // before and after the run; nil = it did not change the group itself, or there was none
	dn      string
	members map[connector.Hash]*memberPast
	later   *connector.GroupEvent // by others, the last of the group itself
	joined  *connector.GroupEvent // by others, the last of a member
}

// memberPast is what the run did to a membership.
type memberPast struct {
	before, after bool
	dn            string
	later         *connector.GroupEvent // by others, the last one
}

func (h *groupPast) add(e connector.GroupEvent, run connector.ID) {
	member := e.Kind == connector.MemberAdded || e.Kind == connector.MemberRemoved
	switch {
	case e.Cause.Run != run && member:
		h.joined = &e
		if m := h.members[e.Member]; m != nil {
			m.later = &e
		}
	case e.Cause.Run != run:
		h.later = &e
	case member:
		h.member(&e)
	default:
		h.itself(&e)
	}
}

// member takes in what the run did to a membership. Where somebody else changed it in between, it is what the
// run did after that.
func (h *groupPast) member(e *connector.GroupEvent) {
	added := e.Kind == connector.MemberAdded
	m := h.members[e.Member]
	if m == nil || m.later != nil {
		m = &memberPast{before: !added}
		h.members[e.Member] = m
	}
	if m.after, m.dn = added, e.After; !added {
		m.dn = e.Before
	}
}

// itself takes in what the run did to the group itself.
func (h *groupPast) itself(e *connector.GroupEvent) {
	first := h.dn == ""
	h.created = h.created || first && e.Kind == connector.GroupCreated
	h.ended = e.Kind == connector.GroupDeleted
	if e.Was == nil && e.Kind != connector.GroupCreated || e.Is == nil && !h.ended {
		h.unknown = true
	}
	if first || h.later != nil && !h.created {
		h.was, h.later = e.Was, nil
	}
	h.is = e.Is
	if h.dn = e.After; h.dn == "" {
		h.dn = e.Before
	}
}

// keys are those of the members that the run added or removed, in order.
func (h *groupPast) keys() []connector.Hash {
	keys := make([]connector.Hash, 0, len(h.members))
	for k := range h.members {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b connector.Hash) int { return bytes.Compare(a[:], b[:]) })
	return keys
}

// last is the last event by others.
func (h *groupPast) last() *connector.GroupEvent {
	if h.later == nil || h.joined != nil && bytes.Compare(h.joined.ID[:], h.later.ID[:]) > 0 {
		return h.joined
	}
	return h.later
}

// name is what the group was called last.
func (h *groupPast) name() string {
	if h.later != nil && h.later.Before != "" {
		return h.later.Before
	}
	return h.dn
}

// by says in words who made a change.
func by(e *connector.GroupEvent) string {
	if e == nil {
		return byWhom(nil)
	}
	return byWhom(&connector.Event{Cause: e.Cause, At: e.At})
}
