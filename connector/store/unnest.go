package store

import (
	"context"

	"usherd/connector"
)

const sqlNestedGroups = nestedGroups + ` SELECT id FROM nested LIMIT 0 + ?`

// maxNested is from how many groups on they are closed over in SQL.
const maxNested = 16

// unnested asks which groups are nested in those that a condition names, and names them instead: the members of
// one list come in order, those of all that are nested in some group do not.
func (r *reader) unnested(ctx context.Context, org string, c *connector.Condition) (*connector.Condition, error) {
	if c != nil && len(c.Of) > 0 {
		list := make([]*connector.Condition, len(c.Of))
		for i, below := range c.Of {
			var err error
			if list[i], err = r.unnested(ctx, org, below); err != nil {
				return nil, err
			}
		}
		return &connector.Condition{Op: c.Op, Of: list}, nil
	}
	if c == nil || c.Op != connector.OpEq || c.Field != connector.OnGroupNested {
		return c, nil
	}
	id, ok := exactID(c.Value)
	if !ok {
		return c, nil
	}
	most := min(maxNested, r.few)
	ids, err := r.ids(ctx, true, say(sqlNestedGroups, org, id[:], most+1))
	switch {
	case err != nil:
		return nil, err
	case len(ids) > most:
		return c, nil
	case len(ids) <= 1:
		return &connector.Condition{Op: c.Op, Field: connector.OnGroup, Value: c.Value}, nil
	}
	either := &connector.Condition{Op: connector.OpOr}
	for _, g := range ids {
		either.Of = append(either.Of, &connector.Condition{Op: c.Op, Field: connector.OnGroup, Value: g.String()})
	}
	return either, nil
}
