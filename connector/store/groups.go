package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"iter"
	"strings"

	"usherd/connector"
)

const groupColumns = `g.id, g.org, g.source, g.anchor, g.dn_key, g.dn, g.name, g.description, g.rid, g.members, g.created_at, g.updated_at, g.version`

const (
	sqlGroupStates = `SELECT id, anchor, dn_key, members FROM groups WHERE org = ? AND source = ?`

	sqlGroupsByAnchor = `SELECT ` + groupColumns + ` FROM groups g WHERE g.org = ? AND g.source = ? AND g.anchor IN (*)`

	sqlGroupByID = `SELECT ` + groupColumns + ` FROM groups g WHERE g.org = ? AND g.id = ?`

	sqlListGroups = `SELECT ` + groupColumns + ` FROM groups g
 WHERE g.org = ? AND g.folded >= ? AND g.folded < ? AND (g.folded, g.id) > (?, ?) ORDER BY g.folded, g.id LIMIT 0 + ?`

	sqlListGroupsOfSource = `SELECT ` + groupColumns + ` FROM groups g
 WHERE g.org = ? AND g.source = ? AND g.folded >= ? AND g.folded < ? AND (g.folded, g.id) > (?, ?) ORDER BY g.folded, g.id LIMIT 0 + ?`

	sqlGroupsByName = `SELECT ` + groupColumns + ` FROM groups g WHERE g.org = ? AND g.folded = ? ORDER BY g.id LIMIT 2`

	// Somebody asks for one group: looking through those of the organization is quick enough.
	sqlGroupsByText = `SELECT ` + groupColumns + ` FROM groups g WHERE g.org = ? AND (lower(g.dn) = ? OR g.anchor IN (?, ?, ?, ?)) ORDER BY g.id LIMIT 2`
)

func scanGroup(r *sql.Rows, g *connector.Group) error { return r.Scan(groupDest(g)...) }

// groupDest are the places for groupColumns.
func groupDest(g *connector.Group) []any {
	return []any{
		(*idColumn)(&g.ID), &g.Org, &g.Source, (*anchorColumn)(&g.Anchor), (*hashColumn)(&g.Key), &g.DN, &g.Name, &g.Description,
		&g.RID, &g.MemberCount, (*timeColumn)(&g.CreatedAt), (*timeColumn)(&g.UpdatedAt), &g.Version,
	}
}

// GroupStates streams id, anchor, key and number of members of all groups of a source, in no order.
func (r *reader) GroupStates(ctx context.Context, org, source string) iter.Seq2[connector.Group, error] {
	return func(yield func(connector.Group, error) bool) {
		rows, err := r.q.stream(ctx, sqlGroupStates, org, source)
		each(rows, wrap("group states", err), func(r *sql.Rows, g *connector.Group) error {
			g.Org, g.Source = org, source
			return r.Scan((*idColumn)(&g.ID), (*anchorColumn)(&g.Anchor), (*hashColumn)(&g.Key), &g.MemberCount)
		})(yield)
	}
}

// groupPlace is where a page of groups ended.
type groupPlace struct {
	Folded string       `json:"f"`
	ID     connector.ID `json:"i"`
}

// Groups returns a page of groups in order of their names; next is "" after the last page.
func (r *reader) Groups(ctx context.Context, q connector.GroupQuery) (groups []connector.Group, next string, err error) {
	var at groupPlace
	if q.After != "" {
		if err := json.Unmarshal([]byte(q.After), &at); err != nil {
			return nil, "", invalid("groups", "After is not what a page gave: %w", err)
		}
	}
	search, limit := connector.Fold(q.Search), pageSize(q.Limit)
	statement, args := sqlListGroups, []any{q.Org}
	if q.Source != "" {
		statement, args = sqlListGroupsOfSource, append(args, q.Source)
	}
	args = append(args, max(search, at.Folded), afterPrefix(search), at.Folded, at.ID[:], limit+1)
	rows, err := r.q.query(ctx, statement, args...)
	if groups, err = add[connector.Group](nil, rows, err, scanGroup); err != nil {
		return nil, "", wrap("groups", err)
	}
	if len(groups) > limit {
		groups = groups[:limit]
		last := &groups[limit-1]
		text, err := json.Marshal(groupPlace{indexed(connector.Fold(last.Name)), last.ID})
		if err != nil {
			return nil, "", err
		}
		next = string(text)
	}
	return groups, next, nil
}

// FindGroup returns the group that a person means: by id, name, DN or the text of its anchor. It fails
// with Kind NotFound, or Conflict when the key means more than one.
func (r *reader) FindGroup(ctx context.Context, org, key string) (*connector.Group, error) {
	key = strings.TrimSpace(key)
	if id, err := connector.ParseID(key); err == nil {
		rows, err := r.q.query(ctx, sqlGroupByID, org, id[:])
		if g, ok, err := first(rows, err, scanGroup); err != nil || ok {
			return &g, wrap("find group", err)
		}
	}
	rows, err := r.q.query(ctx, sqlGroupsByName, org, indexed(connector.Fold(key)))
	found, err := add[connector.Group](nil, rows, err, scanGroup)
	if err == nil && len(found) == 0 {
		args := []any{org, lowerASCII(key)}
		for _, kind := range [...]connector.AnchorKind{connector.ObjectGUID, connector.EntryUUID, connector.NSUniqueID, connector.TextAnchor} {
			anchor, _ := connector.ParseAnchor(kind, key)
			args = append(args, anchorBlob(anchor))
		}
		rows, err := r.q.query(ctx, sqlGroupsByText, args...)
		if found, err = add(found, rows, err, scanGroup); err != nil {
			return nil, wrap("find group", err)
		}
	}
	switch {
	case err != nil:
		return nil, wrap("find group", err)
	case len(found) == 0:
		return nil, notFound("find group", "there is no group %q", key)
	case len(found) > 1:
		return nil, conflict("find group", "%q means more than one group: give the DN or the id", key)
	}
	return &found[0], nil
}
