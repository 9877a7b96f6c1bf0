package store

import (
	"slices"
	"strings"
	"testing"

	"usherd/connector"
	"usherd/connector/store/storetest"
)

// After a first chunk, each statement of a hot path finds its rows by the index that is meant for it, whatever is asked
// for: the plan is the one that is kept.
func TestPlansOfPostgres(t *testing.T) {
	t.Parallel()
	db, err := openWith(t, emptyURLs(t)["postgres"], nil)
	if err != nil {
		t.Fatal(err)
	}
	var changes []*connector.Change
	for n := range 1500 {
		c := storetest.Create(n, "", storetest.Start())
		c.Link.Key = connector.KeyOf([]byte(c.DN))
		changes = append(changes, c)
	}
	err = db.Bulk(t.Context(), func(tx connector.Tx) error {
		for part := range slices.Chunk(changes, 100) { // of as many runs
			if _, err := tx.Save(t.Context(), part, storetest.RunCause(connector.NewID(storetest.Start())), storetest.Start()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for q, index := range map[string]string{
		sqlBaseUsers:                 "users_pkey",
		sqlUsersByID:                 "users_pkey",
		sqlUsersByKey:                "user_keys_pkey",
		sqlUsersByTerm:               "user_terms_pkey",
		sqlKeyHolders:                "user_keys_pkey",
		sqlLinkHolders:               "links_anchor",
		sqlLinks:                     "links_anchor",
		sqlLinkedAnchors:             "links_anchor",
		sqlLinksByKey:                "links_dn_key",
		sqlLinksOfUsers:              "links_pkey",
		sqlDeleteLinksOfUser:         "links_pkey",
		sqlUserEvents:                "events_pkey",
		sqlEventsUpTo:                "events_pkey",
		sqlRunEvents:                 "events_run",
		sqlListByName:                "user_keys_pkey",
		sqlListByTerm:                "user_terms_pkey",
		sqlListByState:               "users_state",
		sqlSortNames + sortNamesUp:   "user_keys_pkey",
		sqlSortNames + sortNamesDown: "user_keys_pkey",
		sqlSortTerms + sortNamesUp:   "user_terms_pkey",
		sqlSortTerms + sortNamesDown: "user_terms_pkey",
		sqlSortTimes + sortTimesUp:   "users_updated",
		sqlSortTimes + sortTimesDown: "users_updated",
		sqlListBySource:              "links_pkey",
		sqlListByDomain:              "users_email_domain",
		sqlListFailing:               "open_items_user",
		sqlListLeaving:               "users_due",
		sqlLinkedOf:                  "links_",
		sqlFailingOf:                 "open_items_",
		sqlCountOfSource:             "links_pkey",
		sqlCountOfPackage:            "users_package",
		sqlCountFailing:              "open_items_user",
		sqlCountLeaving:              "users_due",
		sqlSignInsRef:                "sign_ins_ref",
		sqlUsersDue:                  "users_due",
		sqlRecheck:                   "links_recheck",
		sqlClientUser:                "users_",
		sqlClientUserByAnchor:        "links_anchor",
		sqlClientGroup:               "groups_",
		sqlClientGroupByAnchor:       "groups_",
		sqlMemberKeys:                "members_",
		sqlOpenItems:                 "open_items_",
		sqlCountItems:                "open_items_",
		sqlItemsByID:                 "open_items_",
		sqlItemsByRef:                "open_items_",
		sqlCloseItems:                "open_items_",
		sqlWaiting:                   "waiting_package",
		sqlQueue:                     "waiting_package",
		sqlSeatDays:                  "seat_days_pkey",
		sqlSeenItems:                 "open_items_seen",
		sqlRunDays:                   "runs_finished",
		sqlRunsEnded:                 "runs_finished",
		sqlRunsEndedUp:               "runs_finished",
		sqlRunsOfOrgUp:               "runs_",
		sqlRunsOfSourceUp:            "runs_source",
		sqlRollbacks:                 "runs_undoes",
		sqlOldRunsAfter:              "runs_undoes",
		sqlEventsInRun:               "events_",
		sqlOutcomesOf:                "outcomes_person",
		sqlAnyWithoutName:            "outcomes_person",
		sqlRevisionTimes:             "revisions_at",
		sqlDropSeatDays:              "seat_days_pkey",
		sqlCountOfTemplate:           "subscribers_",
		sqlTokenByHash:               "tokens_hash",
		sqlBlockOf:                   "request_blocks_pkey",
		sqlHeads:                     "request_blocks_pkey",
		sqlSignIns:                   "sign_ins_pkey",
		sqlCountSignIns:              "sign_ins_ends",
	} {
		plan := pgPlan(t, db, strings.ReplaceAll(q, "(*)", "("+marks[8]+")"))
		if !strings.Contains(plan, index) || strings.Contains(plan, "Seq Scan") {
			t.Errorf("%s\ngot plan\n%s\nwant %s", q, plan, index)
		}
	}
}

// pgPlan is how a statement is run that is kept.
func pgPlan(t *testing.T, db *DB, q string) string {
	t.Helper()
	var lines []string
	err := db.write(t.Context(), func(x *tx) error {
		e := db.engine.(*pgEngine)
		setup := "SET LOCAL plan_cache_mode = force_generic_plan; PREPARE explained AS " + pgText(q)
		if err := e.simple(t.Context(), setup); err != nil {
			return err
		}
		arguments := strings.TrimSuffix(strings.Repeat("NULL,", strings.Count(q, "?")), ",")
		if arguments != "" {
			arguments = "(" + arguments + ")"
		}
		results, err := e.conn.pgx().PgConn().Exec(t.Context(), "EXPLAIN EXECUTE explained"+arguments).ReadAll()
		if err != nil {
			return err
		}
		for _, row := range results[0].Rows {
			lines = append(lines, string(row[0]))
		}
		return e.simple(t.Context(), "DEALLOCATE explained")
	})
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return strings.Join(lines, "\n")
}
