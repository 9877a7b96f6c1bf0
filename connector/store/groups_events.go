package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"iter"

	"usherd/connector"
)

const (
	groupEventColumns = `id, kind, member, org, source, group_id, cause, run, actor, at, before, after`

	sqlRunGroupEvents = `SELECT ` + groupEventColumns + ` FROM group_events WHERE run = ? ORDER BY id, kind, member`
	sqlGroupHistory   = `SELECT ` + groupEventColumns + ` FROM group_events WHERE group_id = ? AND id >= ? AND org = ? ORDER BY id, kind, member`
	sqlRunGroups      = `SELECT group_id, id FROM (
 SELECT group_id, id, row_number() OVER (PARTITION BY group_id ORDER BY id) AS n FROM group_events WHERE run = ?) AS s WHERE n = 1`
)

// RunGroupEvents streams what a run did to groups and memberships, in the order in which it did, but for
// the members of one change.
func (r *reader) RunGroupEvents(ctx context.Context, run connector.ID) iter.Seq2[connector.GroupEvent, error] {
	return func(yield func(connector.GroupEvent, error) bool) {
		rows, err := r.q.stream(ctx, sqlRunGroupEvents, run[:])
		each(rows, wrap("group events", err), scanGroupEvent)(yield)
	}
}

// GroupHistory streams the events of a group from that one on, see connector.Reader.
func (r *reader) GroupHistory(ctx context.Context, org string, group, from connector.ID) iter.Seq2[connector.GroupEvent, error] {
	return func(yield func(connector.GroupEvent, error) bool) {
		rows, err := r.q.stream(ctx, sqlGroupHistory, group[:], from[:], org)
		each(rows, wrap("group history", err), scanGroupEvent)(yield)
	}
}

// RunGroups streams the groups that a run changed, see connector.Reader.
func (r *reader) RunGroups(ctx context.Context, run connector.ID) iter.Seq2[connector.RunGroup, error] {
	return func(yield func(connector.RunGroup, error) bool) {
		rows, err := r.q.stream(ctx, sqlRunGroups, run[:])
		each(rows, wrap("groups of run", err), func(r *sql.Rows, g *connector.RunGroup) error {
			return r.Scan((*idColumn)(&g.Group), (*idColumn)(&g.First))
		})(yield)
	}
}

// GroupsOf returns the groups with these ids or anchors, see connector.Reader.
func (r *reader) GroupsOf(ctx context.Context, org, source string, ids []connector.ID, anchors []connector.Anchor) ([]connector.Group, error) {
	var groups []connector.Group
	take := func(q string, args []any) error {
		rows, err := r.q.query(ctx, q, args...)
		groups, err = add(groups, rows, err, scanGroup)
		return err
	}
	if err := inLists(sqlGroupsByID, []any{org}, idArgs(ids), take); err != nil {
		return nil, wrap("groups", err)
	}
	blobs := make([]any, len(anchors))
	for i, a := range anchors {
		blobs[i] = anchorBlob(a)
	}
	return groups, wrap("groups", inLists(sqlGroupsByAnchor, []any{org, source}, blobs, take))
}

// MembersOf returns which of these keys are members of a group, see connector.Reader.
func (r *reader) MembersOf(ctx context.Context, group connector.ID, keys []connector.Hash) ([]connector.Member, error) {
	args := make([]any, len(keys))
	for i := range keys {
		args[i] = keys[i][:]
	}
	var members []connector.Member
	err := inLists(sqlMemberNames, []any{group[:]}, args, func(q string, args []any) error {
		rows, err := r.q.query(ctx, q, args...)
		members, err = add(members, rows, err, func(r *sql.Rows, m *connector.Member) error { return r.Scan((*hashColumn)(&m.Key), &m.DN) })
		return err
	})
	return members, wrap("members", err)
}

func scanGroupEvent(r *sql.Rows, e *connector.GroupEvent) error {
	var member []byte
	err := r.Scan((*idColumn)(&e.ID), &e.Kind, &member, &e.Org, &e.Source, (*idColumn)(&e.Group), &e.Cause.Kind, (*idColumn)(&e.Cause.Run),
		&e.Cause.Actor, (*timeColumn)(&e.At), &e.Before, &e.After)
	if copy(e.Member[:], member) > 0 || err != nil {
		return err
	}
	e.Was, e.Before = groupOfText(e, e.Before)
	e.Is, e.After = groupOfText(e, e.After)
	return nil
}

// groupState is what an event of a group keeps of it, so that it can be put back.
type groupState struct {
	Anchor      []byte `json:"anchor"`
	Key         []byte `json:"key"`
	DN          string `json:"dn"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	RID         uint32 `json:"rid,omitempty"`
}

func groupText(g *connector.Group) string {
	text, err := json.Marshal(groupState{anchorBlob(g.Anchor), g.Key[:], g.DN, g.Name, g.Description, g.RID})
	if err != nil {
		panic(err) // these are bytes, texts and a number
	}
	return string(text)
}

// groupOfText reads what groupText has written, and returns with it what people are told: where a group was
// edited its name and description, else its DN. Events of before groups were kept have only that.
func groupOfText(e *connector.GroupEvent, text string) (g *connector.Group, told string) {
	var s groupState
	if json.Unmarshal([]byte(text), &s) != nil || len(s.Key) != len(connector.Hash{}) {
		return nil, text
	}
	g = &connector.Group{
		ID: e.Group, Org: e.Org, Source: e.Source, Anchor: anchorOf(s.Anchor), Key: connector.Hash(s.Key), DN: s.DN,
		Name: s.Name, Description: s.Description, RID: s.RID,
	}
	switch {
	case e.Kind != connector.GroupEdited:
		return g, g.DN
	case g.Description == "":
		return g, g.Name
	}
	return g, g.Name + ": " + g.Description
}
