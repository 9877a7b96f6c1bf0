package store_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/store"
	"usherd/connector/store/storetest"
)

const (
	benchResources = 200_000
	benchClient    = "idp"
)

// pushed is what a client creates: person n, and what it calls it.
func pushed(n int) *connector.Change {
	c := storetest.Create(n, "", storetest.Start().Add(time.Duration(n/50)*time.Second))
	c.Source, c.Anchor = benchClient, connector.Anchor{Kind: connector.TextAnchor, Raw: fmt.Sprintf("00u%08d", n)}
	c.Link.Source, c.Link.Anchor, c.Link.Key = c.Source, c.Anchor, connector.Hash(c.After.ID)
	c.DN, c.Link.DN = c.After.ID.String(), c.After.ID.String()
	return c
}

// pushedGroup is a group that a client creates.
func pushedGroup(name string, members []*connector.Change) *connector.GroupChange {
	g := &connector.Group{ID: connector.NewID(storetest.Start()), Org: storetest.Org, Source: benchClient, Name: name}
	g.Key, g.DN, g.Anchor = connector.Hash(g.ID), g.ID.String(), connector.AnchorOf(g.ID)
	c := &connector.GroupChange{Action: connector.Created, After: g}
	for _, m := range members {
		c.Added = append(c.Added, connector.Member{Key: connector.Hash(m.After.ID), DN: m.DN})
	}
	return c
}

func putGroup(tb testing.TB, db *store.DB, c *connector.GroupChange) *connector.Group {
	tb.Helper()
	err := db.Bulk(tb.Context(), func(tx connector.Tx) error {
		return tx.PutGroups(tb.Context(), []*connector.GroupChange{c}, false, storetest.RunCause(connector.ID{}), storetest.Start())
	})
	if err != nil {
		tb.Fatal(err)
	}
	return c.After
}

func openPushed(tb testing.TB, people int) (*store.DB, []*connector.Change) {
	tb.Helper()
	db, _ := openBench(tb)
	changes := make([]*connector.Change, people)
	for i := range changes {
		changes[i] = pushed(i)
	}
	saveAll(tb.Context(), tb, db, changes)
	return db, changes
}

var sorts = []struct {
	name string
	sort connector.ResourceSort
}{
	{"id", connector.ByID},
	{"userName", connector.ByUserName},
	{"displayName", connector.ByDisplayName},
	{"created", connector.ByCreated},
	{"lastModified", connector.ByLastModified},
}

// lastPlace is from where on the last rows of a query come.
func lastPlace(tb testing.TB, db *store.DB, q connector.ResourceQuery, rows, all int) string {
	tb.Helper()
	q.Offset, q.Limit = all-rows-1, 1
	page, err := db.ClientUsers(tb.Context(), q)
	if err != nil || len(page.Items) != 1 || page.Next == "" {
		tb.Fatal(page, err)
	}
	return page.Next
}

// The last page costs what the first one does: it looks at as many pages of the file, where a walk over all rows would
// look at ten times as many and more.
func TestLastPageCostsWhatTheFirstDoes(t *testing.T) {
	t.Parallel()
	const people, rows = 4_000, 5
	db, _ := openPushed(t, people)
	store.OneReader(db)
	for _, s := range sorts {
		for _, descending := range []bool{false, true} {
			q := connector.ResourceQuery{Org: storetest.Org, Client: benchClient, Sort: s.sort, Descending: descending, Limit: rows}
			last := q
			last.After = lastPlace(t, db, q, rows, people)
			var pages [2]int64
			for i, q := range []connector.ResourceQuery{q, last} {
				for range 2 { // once to prepare the statement
					before, err := store.WorkDone(t.Context(), db)
					if err != nil {
						t.Fatal(err)
					}
					page, err := db.ClientUsers(t.Context(), q)
					if err != nil || len(page.Items) != rows || (page.Next == "") != (i == 1) {
						t.Fatal(len(page.Items), page.Next, err)
					}
					after, err := store.WorkDone(t.Context(), db)
					if err != nil {
						t.Fatal(err)
					}
					pages[i] = after.Sub(before).Pages
				}
			}
			if pages[1] > pages[0]+pages[0]/2 {
				t.Errorf("by %s, descending %v: the first page looks at %d pages, the last one at %d", s.name, descending, pages[0], pages[1])
			}
		}
	}
}

func BenchmarkResources(b *testing.B) {
	db, changes := openPushed(b, benchResources)
	ctx := b.Context()
	group := putGroup(b, db, pushedGroup("big", changes[:10_000]))
	for i := range 500 {
		putGroup(b, db, pushedGroup("group "+strconv.Itoa(i), changes[i*40:i*40+200]))
	}
	base := connector.ResourceQuery{Org: storetest.Org, Client: benchClient, Limit: 100}
	list := func(b *testing.B, q connector.ResourceQuery, want int) {
		b.Helper()
		for b.Loop() {
			if page, err := db.ClientUsers(ctx, q); err != nil || len(page.Items) != want {
				b.Fatal(len(page.Items), err)
			}
		}
	}
	b.Run("Get", func(b *testing.B) {
		for n := 0; b.Loop(); n++ {
			if _, err := db.ClientUser(ctx, storetest.Org, benchClient, changes[n*7919%benchResources].After.ID); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, s := range sorts {
		q := base
		q.Sort = s.sort
		b.Run("First/"+s.name, func(b *testing.B) { list(b, q, 100) })
		last := q
		last.After = lastPlace(b, db, q, 100, benchResources)
		b.Run("Last/"+s.name, func(b *testing.B) { list(b, last, 100) })
		deep := q
		deep.Offset = benchResources - 100
		b.Run("Offset/"+s.name, func(b *testing.B) { list(b, deep, 100) })
	}
	u := changes[123_456].After
	for _, test := range []struct {
		field string
		op    connector.ConditionOp
		value string
		want  int
	}{
		{connector.OnID, connector.OpEq, u.ID.String(), 1},
		{connector.OnUserName, connector.OpEq, connector.Fold(u.UserName()), 1},
		{connector.OnEmail, connector.OpEq, connector.Fold(u.Profile.Get(connector.Email)), 1},
		{connector.OnExternalID, connector.OpEq, "00u00123456", 1},
		{connector.OnDisplayName, connector.OpEq, connector.Fold(u.Profile.Get(connector.DisplayName)), 1},
		{connector.OnPhone, connector.OpEq, connector.Fold(u.Profile.Get("phone")), 1},
		{connector.OnEmployeeNumber, connector.OpEq, "17", 0},
		{connector.OnLastModified, connector.OpGt, changes[benchResources-100].After.UpdatedAt.Format(time.RFC3339Nano), 50},
		{connector.OnLastModified, connector.OpGt, changes[0].After.UpdatedAt.Format(time.RFC3339Nano), 100},
		{connector.OnActive, connector.OpEq, "false", 0},
		{connector.OnActive, connector.OpEq, "true", 100},
		{connector.OnGroup, connector.OpEq, group.ID.String(), 100},
		{connector.OnGroupNested, connector.OpEq, group.ID.String(), 100},
		{connector.OnUserName, connector.OpSw, "user1234", 100},
		{connector.OnUserName, connector.OpSw, "user", 100},
		{connector.OnUserName, connector.OpCo, "2345", 40},
		{connector.OnUserName, connector.OpPr, "", 100},
		{connector.OnEmail, connector.OpNe, "nobody@example.com", 100},
	} {
		q := base
		q.Where = &connector.Condition{Op: test.op, Field: test.field, Value: test.value}
		name := fmt.Sprintf("%s_%s_%.8s", test.field, test.op, test.value)
		b.Run("Filter/"+name, func(b *testing.B) { list(b, q, test.want) })
		b.Run("Count/"+name, func(b *testing.B) {
			for b.Loop() {
				if _, err := db.CountResources(ctx, connector.UserResource, q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("Count/all", func(b *testing.B) {
		for b.Loop() {
			if n, err := db.CountResources(ctx, connector.UserResource, base); err != nil || n != benchResources {
				b.Fatal(n, err)
			}
		}
	})
	b.Run("Members", func(b *testing.B) {
		for b.Loop() {
			n := 0
			for _, err := range db.ClientMembers(ctx, storetest.Org, benchClient, group.ID, connector.ID{}, 0) {
				if err != nil {
					b.Fatal(err)
				}
				n++
			}
			if n != 10_000 {
				b.Fatal(n)
			}
		}
	})
	b.Run("GroupNames", func(b *testing.B) {
		var ids []connector.ID
		for _, c := range changes[1000:1100] {
			ids = append(ids, c.After.ID)
		}
		for b.Loop() {
			if names, err := db.GroupNames(ctx, storetest.Org, benchClient, ids); err != nil || len(names) != 100 {
				b.Fatal(len(names), err)
			}
		}
	})
}
