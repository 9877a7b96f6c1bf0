package provision

import (
	"context"
	"maps"
	"slices"

	"usherd/connector"
)

// Compare walks through everybody whom any of the sources has brought into one of two stores of the same
// organization, and hands over the user of each; nil where a store has none. The two are the same person when
// the same entry of a source brought them. Each person comes once, with the first of its sources.
func Compare(ctx context.Context, org *connector.Organization, before, after connector.Reader, each func(before, after *connector.User) error) error {
	c := comparison{org: org, each: each}
	for i := range org.Sources {
		if err := c.walk(ctx, before, after, i, func(mine, other *connector.User) error { return each(mine, other) }); err != nil {
			return err
		}
		if err := c.walk(ctx, after, before, i, func(mine, other *connector.User) error {
			if other != nil {
				return nil // came with the others already
			}
			return each(nil, mine)
		}); err != nil {
			return err
		}
	}
	return nil
}

type comparison struct {
	org  *connector.Organization
	each func(before, after *connector.User) error
}

// walk goes through the people whom source number i has brought into mine.
func (c *comparison) walk(ctx context.Context, mine, others connector.Reader, i int, each func(mine, other *connector.User) error) error {
	var batch []connector.LinkState
	flush := func() error {
		err := c.batch(ctx, mine, others, i, batch, each)
		batch = batch[:0]
		return err
	}
	for l, err := range mine.LinkStates(ctx, c.org.ID, c.org.Sources[i].ID) {
		if err != nil {
			return err
		}
		if batch = append(batch, l); len(batch) == batchSize {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

func (c *comparison) batch(ctx context.Context, mine, others connector.Reader, i int, batch []connector.LinkState, each func(mine, other *connector.User) error) error {
	ids := make([]connector.ID, len(batch))
	for j, l := range batch {
		ids[j] = l.User
	}
	own, err := usersByID(ctx, mine, c.org.ID, ids)
	if err != nil {
		return err
	}
	links, err := mine.LinksOfUsers(ctx, c.org.ID, ids)
	if err != nil {
		return err
	}
	same, earlier := map[connector.ID]connector.ID{}, map[connector.ID]bool{}
	for j := range c.org.Sources {
		anchors := map[connector.Anchor]connector.ID{}
		for _, l := range links {
			if l.Source == c.org.Sources[j].ID {
				anchors[l.Anchor] = l.User
				earlier[l.User] = earlier[l.User] || j < i
			}
		}
		found, err := others.Links(ctx, c.org.ID, c.org.Sources[j].ID, slices.Collect(maps.Keys(anchors)))
		if err != nil {
			return err
		}
		for _, l := range found {
			if u := anchors[l.Anchor]; same[u].IsZero() {
				same[u] = l.User
			}
		}
	}
	theirs, err := usersByID(ctx, others, c.org.ID, slices.Collect(maps.Values(same)))
	if err != nil {
		return err
	}
	for _, l := range batch {
		if u := own[l.User]; u != nil && !earlier[l.User] {
			if err := each(u, theirs[same[l.User]]); err != nil {
				return err
			}
		}
	}
	return nil
}

func usersByID(ctx context.Context, r connector.Reader, org string, ids []connector.ID) (map[connector.ID]*connector.User, error) {
	users, err := r.Users(ctx, org, ids)
	out := make(map[connector.ID]*connector.User, len(users))
	for _, u := range users {
		out[u.ID] = u
	}
	return out, err
}

// Orphans counts the people whom only a source has brought that the organization does not have any more, and
// who were in it to the last.
func Orphans(ctx context.Context, r connector.Reader, org *connector.Organization, source string) (n int, err error) {
	var ids []connector.ID
	count := func() error {
		links, err := r.LinksOfUsers(ctx, org.ID, ids)
		kept := map[connector.ID]bool{}
		for _, l := range links {
			if org.Source(l.Source) != nil && present(l.Standing) {
				kept[l.User] = true
			}
		}
		n += len(ids) - len(kept)
		ids = ids[:0]
		return err
	}
	for l, err := range r.LinkStates(ctx, org.ID, source) {
		if err != nil {
			return n, err
		}
		if l.Absent {
			continue
		}
		if ids = append(ids, l.User); len(ids) == batchSize {
			if err := count(); err != nil {
				return n, err
			}
		}
	}
	return n, count()
}
