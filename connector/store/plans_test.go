package store

import (
	"context"
	"database/sql"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"usherd/connector"
)

// recorder notes what is asked.
type recorder struct {
	querier
	asked []clause
}

func (r *recorder) query(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	r.asked = append(r.asked, say(q, args...))
	return r.querier.query(ctx, q, args...)
}

func (r *recorder) once(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	r.asked = append(r.asked, say(q, args...))
	return r.querier.once(ctx, q, args...)
}

// plansOf returns the plans of the statements of one page and, with counts, of its count. Few is as in
// reader; an empty store has nobody, so that 0 looks for all by id and -1 walks.
func plansOf(t *testing.T, db *DB, few int, kind connector.ResourceKind, q connector.ResourceQuery, counts bool) string {
	t.Helper()
	rec := &recorder{querier: db.pool}
	r := &reader{rec, few}
	q.Org, q.Client = "acme", "idp"
	var err error
	switch {
	case counts:
		_, err = r.CountResources(t.Context(), kind, q)
	case kind == connector.UserResource:
		_, err = r.ClientUsers(t.Context(), q)
	default:
		_, err = r.ClientGroups(t.Context(), q)
	}
	if err != nil {
		t.Fatal(err)
	}
	var plans []string
	for _, c := range rec.asked {
		rows, err := db.pool.db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+c.text, c.args...)
		plan, err := add[string](nil, rows, err, func(r *sql.Rows, v *string) error {
			var id, parent, unused int
			return r.Scan(&id, &parent, &unused, v)
		})
		if err != nil {
			t.Fatal(c.text, err)
		}
		plans = append(plans, plan...)
	}
	return strings.Join(plans, "\n")
}

// A scan of anything but what a statement has made itself.
var scanOfTable = regexp.MustCompile(`SCAN (?:[a-wyz]|\w{2,})\b`)

func checkPlan(t *testing.T, what any, plan string, wants ...string) {
	t.Helper()
	own := strings.NewReplacer("SCAN nested", "", "SCAN people", "", "SCAN above", "").Replace(plan)
	if scanOfTable.MatchString(own) {
		t.Errorf("%v scans:\n%s", what, plan)
	}
	for _, want := range wants {
		if !strings.Contains(plan, want) {
			t.Errorf("%v: got plan\n%s\nwant %s", what, plan, want)
		}
	}
}

// Each order of a list is that of an index, also behind a place, backwards, and where rows are left out.
func TestListPlans(t *testing.T) {
	t.Parallel()
	db := openFile(t, filepath.Join(t.TempDir(), "usherd.db"))
	for _, test := range []struct {
		kind              connector.ResourceKind
		sort              connector.ResourceSort
		table, place, end string
	}{
		{connector.UserResource, connector.ByID, "SEARCH u USING INDEX users_live (org=?", "AND id", ")"},
		{connector.UserResource, connector.ByUserName, "SEARCH k USING PRIMARY KEY (org=? AND kind=?", "AND (value,user_id)", "(?,?))"},
		{connector.UserResource, connector.ByDisplayName, "SEARCH k USING PRIMARY KEY (org=? AND kind=?", "AND (value,user_id)", "(?,?))"},
		{connector.UserResource, connector.ByCreated, "SEARCH u USING INDEX users_created (org=?", "AND (created_at,id)", "(?,?))"},
		{connector.UserResource, connector.ByLastModified, "SEARCH u USING INDEX users_updated (org=?", "AND (updated_at,id)", "(?,?))"},
		{connector.GroupResource, connector.ByID, "SEARCH g USING INDEX groups_client (org=? AND source=?", "AND id", ")"},
		{connector.GroupResource, connector.ByDisplayName, "SEARCH g USING INDEX groups_folded (org=? AND source=?", "AND (folded,id)", "(?,?))"},
		{connector.GroupResource, connector.ByCreated, "SEARCH g USING INDEX groups_created (org=? AND source=?", "AND (created_at,id)", "(?,?))"},
		{connector.GroupResource, connector.ByLastModified, "SEARCH g USING INDEX groups_updated (org=? AND source=?", "AND (updated_at,id)", "(?,?))"},
	} {
		place := (&resourcePlace{Sort: test.sort}).String()
		end := test.end
		if end == ")" {
			end = "?)"
		}
		for _, q := range []struct {
			connector.ResourceQuery
			want string
		}{
			{connector.ResourceQuery{}, test.table + ")"},
			{connector.ResourceQuery{Descending: true}, test.table + ")"},
			{connector.ResourceQuery{After: place}, test.table + " " + test.place + ">" + end},
			{connector.ResourceQuery{Before: place}, test.table + " " + test.place + "<" + end},
			{connector.ResourceQuery{Before: place, Descending: true}, test.table + " " + test.place + ">" + end},
			{connector.ResourceQuery{Offset: 9}, strings.Replace(test.table, "USING INDEX", "USING COVERING INDEX", 1) + ")"},
		} {
			q.Sort = test.sort
			plan := plansOf(t, db, -1, test.kind, q.ResourceQuery, false)
			checkPlan(t, q, plan, q.want)
			if strings.Contains(plan, "ORDER BY") {
				t.Errorf("%+v sorts:\n%s", q, plan)
			}
		}
	}
}

// Every condition finds its rows by an index, and is counted by it.
func TestConditionPlans(t *testing.T) {
	t.Parallel()
	db := openFile(t, filepath.Join(t.TempDir(), "usherd.db"))
	const (
		key      = "SEARCH user_keys USING PRIMARY KEY (org=? AND kind=?"
		term     = "SEARCH user_terms USING PRIMARY KEY (org=? AND kind=?"
		link     = "SEARCH w USING COVERING INDEX links_anchor (anchor=? AND source=? AND org=?)"
		links    = "SEARCH w USING PRIMARY KEY (org=? AND source=?)"
		created  = "SEARCH u USING COVERING INDEX users_created (org=? AND created_at"
		updated  = "SEARCH u USING COVERING INDEX users_updated (org=? AND updated_at"
		inState  = "SEARCH u USING COVERING INDEX users_state (org=? AND state=?)"
		byID     = "SEARCH m USING COVERING INDEX members_key (key=?)"
		memberOf = "USING PRIMARY KEY (group_id=?)"
		user     = "SEARCH u USING INDEX sqlite_autoindex_users_1 (id=?)"
		gFolded  = "SEARCH g USING COVERING INDEX groups_folded (org=? AND source=?"
	)
	type plan struct{ eq, ne, sw, co, gt, pr string }
	for kind, fields := range map[connector.ResourceKind]map[string]plan{
		connector.UserResource: {
			connector.OnID:             {eq: user},
			connector.OnUserName:       {key + " AND value=?)", key + " AND value=?)", key + " AND value>? AND value<?)", key + " AND value>? AND value<?)", key + " AND value>?", key + " AND value>?"},
			connector.OnEmail:          {key + " AND value=?)", key + " AND value=?)", key + " AND value>? AND value<?)", key + " AND value>? AND value<?)", key + " AND value>?", key + " AND value>?"},
			connector.OnDisplayName:    {term + " AND value=?)", term + " AND value=?)", term + " AND value>? AND value<?)", term + " AND value>? AND value<?)", term + " AND value>?", term + " AND value>?"},
			connector.OnEmployeeNumber: {term + " AND value=?)", term + " AND value=?)", term + " AND value>? AND value<?)", term + " AND value>? AND value<?)", term + " AND value>?", term + " AND value>?"},
			connector.OnManager:        {term + " AND value=?)", term + " AND value=?)", term + " AND value>? AND value<?)", term + " AND value>? AND value<?)", term + " AND value>?", term + " AND value>?"},
			connector.OnPhone:          {term + " AND value=?)", term + " AND value=?)", term + " AND value>? AND value<?)", term + " AND value>? AND value<?)", term + " AND value>?", term + " AND value>?"},
			connector.OnExternalID:     {eq: link, sw: links, co: links, gt: links, pr: links},
			connector.OnCreated:        {eq: created + "=?)", gt: created + ">?)"},
			connector.OnLastModified:   {eq: updated + "=?)", gt: updated + ">?)"},
			connector.OnActive:         {eq: inState},
			connector.OnState:          {eq: inState},
			connector.OnPackage:        {eq: "SEARCH u USING INDEX users_package (org=? AND package=?)"},
			connector.OnGroup:          {eq: memberOf, ne: byID, pr: byID},
			connector.OnGroupNested:    {eq: memberOf, ne: byID, pr: byID},
		},
		connector.GroupResource: {
			connector.OnID:           {eq: "SEARCH g USING INDEX sqlite_autoindex_groups_1 (id=?)"},
			connector.OnDisplayName:  {eq: gFolded + " AND folded=?)", sw: gFolded + " AND folded>? AND folded<?)", co: gFolded + " AND folded>? AND folded<?)", gt: gFolded + " AND folded>?", pr: gFolded + " AND folded>?"},
			connector.OnExternalID:   {eq: "SEARCH g USING INDEX groups_anchor (anchor=? AND source=? AND org=?)", pr: "(org=? AND source=?)"},
			connector.OnCreated:      {eq: "groups_created (org=? AND source=? AND created_at=?)", gt: "groups_created (org=? AND source=? AND created_at>?)"},
			connector.OnLastModified: {eq: "groups_updated (org=? AND source=? AND updated_at=?)", gt: "groups_updated (org=? AND source=? AND updated_at>?)"},
			connector.OnMember:       {eq: byID, ne: memberOf, pr: memberOf},
		},
	} {
		for field, want := range fields {
			for op, index := range map[connector.ConditionOp]string{
				connector.OpEq: want.eq, connector.OpNe: want.ne, connector.OpSw: want.sw, connector.OpEw: want.co, connector.OpCo: want.co,
				connector.OpGt: want.gt, connector.OpGe: want.gt, connector.OpLt: "", connector.OpLe: "", connector.OpPr: want.pr,
			} {
				if !connector.CanTest(kind, field, op) {
					continue
				}
				c := &connector.Condition{Op: op, Field: field, Value: valueFor(field)}
				both := &connector.Condition{Op: connector.OpAnd, Of: []*connector.Condition{{Op: connector.OpPr, Field: connector.OnID}, c}}
				for _, q := range []connector.ResourceQuery{{Where: c}, {Where: both}} {
					checkPlan(t, *c, plansOf(t, db, 0, kind, q, false), index) // by id
					checkPlan(t, *c, plansOf(t, db, -1, kind, q, false))       // walking
					checkPlan(t, *c, plansOf(t, db, -1, kind, q, true))        // counted
				}
			}
		}
	}
}

func valueFor(field string) string {
	switch field {
	case connector.OnID, connector.OnGroup, connector.OnGroupNested, connector.OnMember:
		return "0190f3c1-7a2b-7c3d-8e4f-5a6b7c8d9e0f"
	case connector.OnActive:
		return "false"
	case connector.OnCreated, connector.OnLastModified:
		return "2026-03-01T08:00:00Z"
	}
	return "inactive"
}

// What is read one by one.
func TestResourcePlans(t *testing.T) {
	t.Parallel()
	db := openFile(t, filepath.Join(t.TempDir(), "usherd.db"))
	const allLinks = "SEARCH s USING PRIMARY KEY (org=?) LEFT-JOIN\nSEARCH l USING PRIMARY KEY (org=? AND source=? AND user_id=?) LEFT-JOIN"
	for q, want := range map[string]string{
		sqlClientUser:          "SEARCH u USING INDEX users_live (org=? AND id=?)\nSEARCH l USING PRIMARY KEY (org=? AND source=? AND user_id=?) LEFT-JOIN",
		sqlClientUserByAnchor:  "SEARCH l USING INDEX links_anchor (anchor=? AND source=? AND org=?)\nSEARCH u USING INDEX sqlite_autoindex_users_1 (id=?)",
		sqlClientUserLinks:     "SEARCH u USING INDEX users_live (org=? AND id=?)\n" + allLinks,
		sqlPersonByID:          "SEARCH u USING INDEX sqlite_autoindex_users_1 (id=?)\n" + allLinks,
		sqlPersonByAnchor:      "SEARCH k USING COVERING INDEX links_anchor (anchor=? AND source=? AND org=?)\nSEARCH u USING INDEX sqlite_autoindex_users_1 (id=?)\n" + allLinks,
		sqlPersonByKey:         "SEARCH k USING PRIMARY KEY (org=? AND kind=? AND value=?)\nSEARCH u USING INDEX sqlite_autoindex_users_1 (id=?)\n" + allLinks,
		sqlPersonByTerm:        "SEARCH k USING PRIMARY KEY (org=? AND kind=? AND value=?)\nSEARCH u USING INDEX sqlite_autoindex_users_1 (id=?)\n" + allLinks,
		sqlClientGroup:         "SEARCH g USING INDEX sqlite_autoindex_groups_1 (id=?)",
		sqlClientGroupByAnchor: "SEARCH g USING INDEX groups_anchor (anchor=? AND source=? AND org=?)",
		sqlClientMembers:       "SEARCH m USING PRIMARY KEY (group_id=? AND key>?)",
		sqlGroupsOfUsers:       "SEARCH m USING COVERING INDEX members_key (key=?)",
		sqlGroupsAbove:         "SEARCH m USING COVERING INDEX members_key (key=?)",
		sqlNestedGroups:        "SEARCH m USING PRIMARY KEY (group_id=?)",
		sqlKnownUsers:          "SEARCH u USING COVERING INDEX users_live (org=? AND id=?)",
		sqlKnownGroups:         "SEARCH groups USING COVERING INDEX groups_client (org=? AND source=? AND id=?)",
		sqlItemsOf:             "SEARCH open_items USING PRIMARY KEY (org=? AND source=? AND person=?)",
		sqlCountGone:           "SEARCH w USING COVERING INDEX links_gone (org=? AND source=?)",
	} {
		text := strings.ReplaceAll(q, "IN (*)", "IN ("+marks[8]+")")
		rows, err := db.w.stream(t.Context(), "EXPLAIN QUERY PLAN "+text, make([]any, strings.Count(text, "?"))...)
		plan, err := add[string](nil, rows, err, func(r *sql.Rows, v *string) error {
			var id, parent, unused int
			return r.Scan(&id, &parent, &unused, v)
		})
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		all := strings.Join(plan, "\n")
		checkPlan(t, q, all, want)
	}
}

// A table that a statement makes for itself costs more than all that GET of a user and a filter by a name look up.
func TestReadsOfOneMakeNoTables(t *testing.T) {
	t.Parallel()
	db := openFile(t, filepath.Join(t.TempDir(), "usherd.db"))
	rec := &recorder{querier: db.pool}
	r := &reader{rec, fewIDs}
	id := connector.NewID(time.Now())
	_, _ = r.ClientUser(t.Context(), "acme", "idp", id) // there is none
	if _, err := r.GroupNames(t.Context(), "acme", "idp", []connector.ID{id}); err != nil {
		t.Fatal(err)
	}
	for field, value := range map[string]string{
		connector.OnID: id.String(), connector.OnUserName: "ann", connector.OnEmail: "ann@example.com", connector.OnExternalID: "a1",
	} {
		where := &connector.Condition{Op: connector.OpEq, Field: field, Value: value}
		if _, err := r.ClientUsers(t.Context(), connector.ResourceQuery{Org: "acme", Client: "idp", Where: where}); err != nil {
			t.Fatal(err)
		}
	}
	_, _, _ = r.ClientUserLinks(t.Context(), "acme", "idp", id)
	if _, _, err := r.People(t.Context(), connector.PeopleQuery{
		Org: "acme", Source: "idp", Anchors: []connector.Anchor{connector.AnchorOf(id)}, IDs: []connector.ID{id},
		Keys: []connector.UserKey{{Kind: connector.UserName, Value: "ann"}, {Kind: "employeeNumber", Value: "7"}},
	}); err != nil {
		t.Fatal(err)
	}
	if len(rec.asked) != 8 {
		t.Errorf("%d statements", len(rec.asked))
	}
	for _, c := range rec.asked {
		rows, err := db.pool.db.QueryContext(t.Context(), "EXPLAIN "+c.text, c.args...)
		steps, err := add[string](nil, rows, err, func(r *sql.Rows, v *string) error {
			var unused any
			return r.Scan(&unused, v, &unused, &unused, &unused, &unused, &unused, &unused)
		})
		if err != nil {
			t.Fatal(c.text, err)
		}
		if len(steps) < 10 || slices.Contains(steps, "OpenEphemeral") || slices.Contains(steps, "OpenAutoindex") {
			t.Errorf("%s\nmakes a table: %v", c.text, steps)
		}
	}
}
