package store

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"usherd/connector"
)

func TestMigrationsAreAppliedOnceAfterACopy(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "usherd.db")
	db := openFile(t, path)
	list, err := loadMigrations(db.engine.migrations())
	if err != nil || len(list) == 0 {
		t.Fatalf("%d migrations: %v", len(list), err)
	}
	files := fstest.MapFS{}
	for i, m := range list {
		files[m.name] = &fstest.MapFile{Data: []byte(m.text)}
		if i == 0 { // a checkout on Windows
			files[m.name].Data = []byte(strings.ReplaceAll(m.text, "\n", "\r\n"))
		}
	}
	n := len(list)
	second, bad := fmt.Sprintf("%04d_second.sql", n+1), fmt.Sprintf("%04d_bad.sql", n+2)
	files[second] = &fstest.MapFile{Data: []byte("CREATE TABLE second (x INTEGER) STRICT; INSERT INTO second VALUES (1);")}
	files[bad] = &fstest.MapFile{Data: []byte("CREATE TABLE third (x INTEGER) STRICT; INSERT INTO nowhere VALUES (1);")}
	if err := db.migrate(t.Context(), files); err == nil || !strings.Contains(err.Error(), bad) {
		t.Fatalf("the bad migration: %v", err)
	}
	tables := func() string {
		list, err := texts(t.Context(), db.w, "SELECT name FROM sqlite_master WHERE name IN ('second', 'third') ORDER BY 1")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(list, " ")
	}
	if got := tables(); got != "second" {
		t.Errorf("tables: %s", got)
	}
	files[bad] = &fstest.MapFile{Data: []byte("CREATE TABLE third (x INTEGER) STRICT;")}
	for range 2 {
		if err := db.migrate(t.Context(), files); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := count(t.Context(), db.w, "SELECT count(*) FROM second"); n != 1 || err != nil || tables() != "second third" {
		t.Errorf("applied %d times, %v, tables %s", n, err, tables())
	}
	for _, name := range []string{fmt.Sprint(".v", n), fmt.Sprint(".v", n+1)} {
		if info, err := os.Stat(path + name); err != nil || info.Size() == 0 {
			t.Errorf("the copy %s: %v", name, err)
		}
	}
	delete(files, second)
	if err := db.migrate(t.Context(), files); err == nil {
		t.Error("a gap in the numbers passes")
	}
}

func openFile(t *testing.T, path string) *DB {
	t.Helper()
	db, err := Open(t.Context(), "sqlite:"+path, Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// Each statement of a hot path finds its rows by an index with all the columns that it can use.
func TestPlans(t *testing.T) {
	t.Parallel()
	db := openFile(t, filepath.Join(t.TempDir(), "usherd.db"))
	for q, want := range map[string]string{
		sqlDeleteLink:                "SEARCH links USING COVERING INDEX links_anchor (anchor=? AND source=? AND org=?)",
		sqlReasons:                   "SEARCH open_items USING PRIMARY KEY (org=? AND source=? AND person=?)",
		sqlEventsUpTo:                "SEARCH e USING INDEX sqlite_autoindex_events_1 (user_id=? AND version<?)",
		sqlRunning:                   "SEARCH runs USING INDEX runs_running (org=? AND source=?)",
		sqlLostLinks:                 "SEARCH u USING INDEX sqlite_autoindex_users_1 (id=?)",
		sqlUsersByID:                 "SEARCH u USING INDEX sqlite_autoindex_users_1 (id=?)",
		sqlBaseUsers:                 "SEARCH users USING INDEX sqlite_autoindex_users_1 (id=?)",
		sqlUsersByKey:                "SEARCH k USING PRIMARY KEY (org=? AND kind=? AND value=?)",
		sqlUsersByTerm:               "SEARCH k USING PRIMARY KEY (org=? AND kind=? AND value=?)",
		sqlKeyHolders:                "SEARCH user_keys USING PRIMARY KEY (org=? AND kind=? AND value=?)",
		sqlUsersDue:                  "SEARCH u USING INDEX users_due (org=? AND delete_at>? AND delete_at<?)",
		sqlUsersDueOfSource:          "SEARCH u USING INDEX users_due (org=? AND delete_at>? AND delete_at<?)",
		sqlCountDue:                  "SEARCH k USING PRIMARY KEY (org=? AND source=? AND user_id=?)",
		sqlOpenHoldsOfSource:         "SEARCH runs USING INDEX runs_source (org=? AND source=?)",
		sqlOpenHolds:                 "SEARCH runs USING INDEX runs_source (org=?)",
		sqlLinkStates:                "SEARCH links USING PRIMARY KEY (org=? AND source=?)",
		sqlLinkProfiles:              "SEARCH l USING PRIMARY KEY (org=? AND source=?)\nSEARCH u USING INDEX sqlite_autoindex_users_1 (id=?)",
		sqlRecheck:                   "SEARCH links USING COVERING INDEX links_recheck (org=? AND source=? AND recheck_at>? AND recheck_at<?)",
		sqlLinks:                     "SEARCH links USING INDEX links_anchor (anchor=? AND source=? AND org=?)",
		sqlLinkHolders:               "SEARCH links USING COVERING INDEX links_anchor (anchor=? AND source=? AND org=?)",
		sqlLinksOfUsers:              "SEARCH links USING PRIMARY KEY (org=? AND source=? AND user_id=?)",
		sqlDeleteLinksOfUser:         "SEARCH links USING PRIMARY KEY (org=? AND source=? AND user_id=?)",
		sqlRechecked:                 "SEARCH links USING INDEX links_anchor (anchor=? AND source=? AND org=?)",
		sqlForgetHashes:              "SEARCH users USING COVERING INDEX users_email_domain (org=? AND email_domain>? AND email_domain<?)",
		sqlUsersByAnchor:             "SEARCH l USING COVERING INDEX links_anchor (anchor=?",
		sqlUserEvents:                "SEARCH e USING INDEX sqlite_autoindex_events_1 (user_id=?)",
		sqlRunEvents:                 "SEARCH e USING INDEX events_run (run=?)",
		sqlEventsBefore:              "SEARCH e USING INDEX events_run (run=? AND id<?)",
		sqlEventsOfUsers:             "SEARCH e USING INDEX sqlite_autoindex_events_1 (user_id=?)",
		sqlRollbacks:                 "SEARCH runs USING INDEX runs_undoes (undoes=? AND id>?)",
		sqlOldRunsAfter:              "SEARCH runs USING INDEX runs_undoes (undoes=? AND id>?)",
		sqlRunsEnded:                 "SEARCH runs USING INDEX runs_finished (org=? AND finished>? AND (finished,id)<(?,?))",
		sqlEventsInRun:               "SEARCH e USING INDEX sqlite_autoindex_events_1 (user_id=?)",
		sqlOutcomesOf:                "SEARCH outcomes USING INDEX outcomes_person (run=? AND person=?)",
		sqlAnyWithoutName:            "SEARCH outcomes USING COVERING INDEX outcomes_person (run=? AND person=?)",
		sqlOutcomesPage:              "SEARCH outcomes USING INDEX sqlite_autoindex_outcomes_1 (run=? AND id>?)",
		sqlOutcomes:                  "SEARCH outcomes USING INDEX sqlite_autoindex_outcomes_1 (run=?)",
		sqlListByName:                "SEARCH k USING PRIMARY KEY (org=? AND kind=? AND value>? AND value<?)",
		sqlListByTerm:                "SEARCH k USING PRIMARY KEY (org=? AND kind=? AND value>? AND value<?)",
		sqlSortNames + sortNamesUp:   "SEARCH k USING PRIMARY KEY (org=? AND kind=? AND (value,user_id)>(?,?))",
		sqlSortNames + sortNamesDown: "SEARCH k USING PRIMARY KEY (org=? AND kind=? AND (value,user_id)<(?,?))",
		sqlSortTerms + sortNamesUp:   "SEARCH k USING PRIMARY KEY (org=? AND kind=? AND (value,user_id)>(?,?))",
		sqlSortTerms + sortNamesDown: "SEARCH k USING PRIMARY KEY (org=? AND kind=? AND (value,user_id)<(?,?))",
		sqlSortTimes + sortTimesUp:   "SEARCH u USING INDEX users_updated (org=? AND (updated_at,id)>(?,?))",
		sqlSortTimes + sortTimesDown: "SEARCH u USING INDEX users_updated (org=? AND (updated_at,id)<(?,?))",
		sqlListByState:               "SEARCH u USING INDEX users_state (org=? AND state=? AND id>?)",
		sqlListByPackage:             "SEARCH u USING INDEX users_package (org=? AND package=? AND id>?)",
		sqlListBySource:              "SEARCH l USING PRIMARY KEY (org=? AND source=? AND user_id>?)\nSEARCH u USING INDEX sqlite_autoindex_users_1 (id=?)",
		sqlListByDomain:              "SEARCH u USING INDEX users_email_domain (org=? AND email_domain>? AND email_domain<?)",
		sqlListFailing:               "SEARCH i USING COVERING INDEX open_items_user (org=? AND user_id>?)\nSEARCH u USING INDEX sqlite_autoindex_users_1 (id=?)",
		sqlListLeaving:               "SEARCH u USING INDEX users_due (org=? AND delete_at>?)",
		sqlLinkedOf:                  "SEARCH links USING PRIMARY KEY (org=? AND source=? AND user_id=?)",
		sqlFailingOf:                 "SEARCH open_items USING COVERING INDEX open_items_user (org=? AND user_id=?)",
		sqlCountOfSource:             "SEARCH l USING PRIMARY KEY (org=? AND source=?)",
		sqlCountOfPackage:            "SEARCH u USING INDEX users_package (org=? AND package=?)",
		sqlCountFailing:              "SEARCH i USING COVERING INDEX open_items_user (org=? AND user_id>?)",
		sqlCountLeaving:              "SEARCH u USING INDEX users_due (org=? AND delete_at>?)",
		sqlListPending:               "SEARCH u USING INDEX users_pending (org=? AND id>?)",
		sqlOpenItems:                 "SEARCH open_items USING INDEX open_items_id (org=? AND id>?)",
		sqlCountItems:                "SEARCH open_items USING INDEX open_items_id (org=? AND id>?)",
		sqlItemsByID:                 "SEARCH open_items USING INDEX open_items_id (org=? AND id=?)",
		sqlItemsByRef:                "SEARCH open_items USING INDEX open_items_ref (org=? AND ref=?)",
		sqlOpenAnchors:               "SEARCH open_items USING PRIMARY KEY (org=? AND source=?)",
		sqlCloseItems:                "SEARCH open_items USING PRIMARY KEY (org=? AND source=? AND person=?)",
		sqlDismiss:                   "SEARCH open_items USING INDEX open_items_ref (org=? AND ref=?)",
		sqlWaiting:                   "SEARCH waiting USING INDEX waiting_package (org=? AND package=?)",
		sqlQueue:                     "SEARCH w USING INDEX waiting_package (org=? AND package=? AND id>?)\nSEARCH i USING PRIMARY KEY (org=? AND source=? AND person=? AND reason=?) LEFT-JOIN",
		sqlSeenItems:                 "SEARCH open_items USING COVERING INDEX open_items_seen (org=? AND last_seen>?)",
		sqlRunDays:                   "SEARCH runs USING COVERING INDEX runs_finished (org=? AND finished>?)",
		sqlRevision:                  "SEARCH revisions USING PRIMARY KEY (id=?)",
		sqlRevisionTimes:             "SEARCH revisions USING COVERING INDEX revisions_at ((at,id)<(?,?))",
		sqlSeatDays:                  "SEARCH seat_days USING PRIMARY KEY (org=? AND package=? AND day>?)",
		sqlDropSeatDays:              "SEARCH seat_days USING PRIMARY KEY (org=?)",
		sqlLeaveList:                 "SEARCH waiting USING PRIMARY KEY (org=? AND source=? AND person=?)",
		sqlRunsOfOrgUp:               "SEARCH runs USING INDEX sqlite_autoindex_runs_1 (id>?)",
		sqlRunsOfSourceUp:            "SEARCH runs USING INDEX runs_source (org=? AND source=? AND id>?)",
		sqlRunsEndedUp:               "SEARCH runs USING INDEX runs_finished (org=? AND finished>? AND finished<?)",
		sqlRunsOfSource:              "SEARCH runs USING INDEX runs_source (org=? AND source=? AND id<?)",
		sqlDomainsByName:             "SEARCH domains USING PRIMARY KEY (name=?)",
		sqlChunksSince:               "SEARCH c USING PRIMARY KEY (org=? AND source=?)\nSEARCH b USING INDEX sqlite_autoindex_record_blobs_1 (org=? AND hash=?)",
		sqlChunksBefore:              "SEARCH c USING PRIMARY KEY (org=? AND source=?)\nSEARCH b USING INDEX sqlite_autoindex_record_blobs_1 (org=? AND hash=?)",
		sqlChunksBack:                "SEARCH c USING PRIMARY KEY (org=? AND source=? AND id<?)\nSEARCH b USING INDEX sqlite_autoindex_record_blobs_1 (org=? AND hash=?)",
		sqlNextRecordSource:          "SEARCH record_chunks USING PRIMARY KEY (org=? AND source>?)",
		sqlLinkedAnchors:             "SEARCH links USING COVERING INDEX links_anchor (anchor=? AND source=? AND org=?)",
		sqlDropChunk:                 "SEARCH record_chunks USING PRIMARY KEY (org=? AND source=? AND id=?)",
		sqlDropBlob:                  "SEARCH c USING COVERING INDEX record_chunks_hash (org=? AND hash=?)",
		sqlGroupStates:               "SEARCH groups USING INDEX groups_source (org=? AND source=?)",
		sqlGroupsByAnchor:            "SEARCH g USING INDEX groups_anchor (anchor=? AND source=? AND org=?)",
		sqlListGroups:                "SEARCH g USING INDEX groups_name (org=? AND folded>? AND folded<?)",
		sqlMemberKeys:                "SEARCH members USING PRIMARY KEY (group_id=?)",
		sqlMemberNames:               "SEARCH members USING PRIMARY KEY (group_id=? AND key=?)",
		sqlMoveMember:                "SEARCH members USING INDEX members_key (key=?)",
		sqlDropTwice:                 "SEARCH members USING INDEX members_key (key=? AND group_id=?)",
		sqlCountTwice:                "SEARCH a USING COVERING INDEX members_key (key=?)",
		sqlLinkKey:                   "SEARCH links USING INDEX links_anchor (anchor=? AND source=? AND org=?)",
		sqlLinksWithKey:              "SEARCH links USING COVERING INDEX links_dn_key (dn_key=? AND source=? AND org=?)",
		sqlGroupsWithKey:             "SEARCH groups USING INDEX groups_dn_key (dn_key=? AND source=? AND org=?)",
		sqlEffectiveMembers:          "SEARCH l USING COVERING INDEX links_dn_key (dn_key=? AND source=? AND org=?)",
		sqlCountUsers:                "SEARCH l USING COVERING INDEX links_dn_key (dn_key=? AND source=? AND org=?)",
		sqlCountOutside:              "SEARCH m USING PRIMARY KEY (group_id=?)",
		sqlCountNested:               "SEARCH m USING PRIMARY KEY (group_id=?)",
		sqlDirectMembers:             "SEARCH l USING COVERING INDEX links_dn_key (dn_key=? AND source=? AND org=?) LEFT-JOIN",
		sqlPrimaryMembers:            "SEARCH l USING INDEX links_primary (org=? AND source=? AND primary_rid=?)",
		sqlGroupsOfUser:              "SEARCH m USING COVERING INDEX members_key (key=?)",
		sqlLinksByKey:                "SEARCH links USING INDEX links_dn_key (dn_key=? AND source=? AND org=?)",
		sqlGroupsByKey:               "SEARCH groups USING INDEX groups_dn_key (dn_key=? AND source=? AND org=?)",
		sqlLinksByPrimary:            "SEARCH links USING INDEX links_primary (org=? AND source=? AND primary_rid=?)",
		sqlRunGroupEvents:            "SEARCH group_events USING INDEX group_events_run (run=?)",
		sqlRunGroups:                 "SEARCH group_events USING INDEX group_events_run (run=?)",
		sqlGroupHistory:              "SEARCH group_events USING INDEX group_events_group (group_id=? AND id>?)",
		sqlLostMembers:               "SEARCH g USING COVERING INDEX sqlite_autoindex_groups_1 (id=?)",
		sqlTokenByHash:               "SEARCH tokens USING INDEX tokens_hash (hash=?)",
		sqlTokensOf:                  "SEARCH tokens USING INDEX tokens_kind (kind=?)",
		sqlRevokeOfThat:              "SEARCH tokens USING INDEX tokens_parent (parent=?)",
		sqlDropTokens:                "SEARCH tokens USING INDEX tokens_kind (kind=? AND ends_at>? AND ends_at<?)",
		sqlNextOrg:                   "SEARCH request_blocks USING COVERING INDEX sqlite_autoindex_request_blocks_1 (org>?)",
		sqlNextClient:                "SEARCH request_blocks USING COVERING INDEX sqlite_autoindex_request_blocks_1 (org=? AND source>?)",
		sqlBlockOf:                   "SEARCH request_blocks USING INDEX sqlite_autoindex_request_blocks_1 (org=? AND source=? AND last>?)",
		sqlHeads:                     "SEARCH request_blocks USING INDEX sqlite_autoindex_request_blocks_1 (org=? AND source=? AND last>? AND last<?)",
		sqlLaterHeads:                "SEARCH request_blocks USING INDEX sqlite_autoindex_request_blocks_1 (org=? AND source=? AND last>?)",
		sqlLatestBlock:               "SEARCH request_blocks USING INDEX sqlite_autoindex_request_blocks_1 (org=? AND source=?)",
		sqlOldBlocks:                 "SEARCH request_blocks USING INDEX sqlite_autoindex_request_blocks_1 (org=? AND source=? AND last<?)",
		sqlDropOldBlocks:             "SEARCH request_blocks USING INDEX sqlite_autoindex_request_blocks_1 (org=? AND source=? AND last<?)",
		sqlRequestBodies:             "SEARCH request_bodies USING INDEX sqlite_autoindex_request_bodies_1 (org=? AND source=? AND id=?)",
		sqlDropBodies:                "SEARCH request_bodies USING INDEX sqlite_autoindex_request_bodies_1 (org=? AND source=? AND id<?)",
		sqlTicket:                    "SEARCH tickets USING PRIMARY KEY (org=? AND source=? AND kind=? AND hash=?)",
		sqlDropTicket:                "SEARCH tickets USING INDEX tickets_until (until<?)",
		sqlSignIns:                   "SEARCH s USING PRIMARY KEY (org=? AND source=? AND id>? AND id<?)",
		sqlSignInsOf:                 "SEARCH s USING INDEX sign_ins_person (org=? AND source=? AND folded=? AND id>? AND id<?)",
		sqlSignInsRef:                "SEARCH s USING INDEX sign_ins_ref (org=? AND source=? AND ref=? AND id>? AND id<?)",
		sqlCountSignIns:              "SEARCH s USING COVERING INDEX sign_ins_ends (org=? AND source=? AND id>?)",
		sqlSignIn:                    "SEARCH s USING PRIMARY KEY (org=? AND source=? AND id=?)",
		sqlDropOldSignIns:            "SEARCH sign_ins USING PRIMARY KEY (org=? AND source=? AND id<?)",
		sqlFilePart:                  "SEARCH run_files USING INDEX sqlite_autoindex_run_files_1 (org=? AND run=? AND part=?)",
		sqlDropFile:                  "SEARCH run_files USING INDEX sqlite_autoindex_run_files_1 (org=? AND run=?)",
		sqlSession:                   "SEARCH sessions USING PRIMARY KEY (hash=?)",
		sqlDropSessions:              "SEARCH sessions USING INDEX sessions_until (until<?)",
		sqlTries:                     "SEARCH tries USING PRIMARY KEY (key=?)",
		sqlDropTries:                 "SEARCH tries USING INDEX tries_until (until<?)",
		sqlDropKeys:                  "SEARCH form_keys USING COVERING INDEX form_keys_until (until<?)",
		sqlSelection:                 "SEARCH selections USING PRIMARY KEY (id=?)",
		sqlDropSelections:            "SEARCH selections USING INDEX selections_until (until<?)",
		sqlKeptAnswer:                "SEARCH kept_answers USING INDEX sqlite_autoindex_kept_answers_1 (org=? AND token=? AND key=?)",
		sqlDropKeptAnswers:           "SEARCH kept_answers USING INDEX kept_answers_begun (begun<?)",
		sqlDropAssertion:             "SEARCH used_assertions USING COVERING INDEX used_assertions_until (until<?)",
		sqlAuditHead:                 "SEARCH audit USING PRIMARY KEY (org=?)",
		sqlAudit:                     "SEARCH audit USING PRIMARY KEY (org=?)",
		sqlNextAuditOrg:              "SEARCH audit USING COVERING INDEX audit_target (org>?)",
		sqlMails:                     "SEARCH mails USING PRIMARY KEY (org=? AND id<?)",
		sqlMailsIn:                   "SEARCH mails USING INDEX mails_state (org=? AND state=? AND id<?)",
		sqlMailsTo:                   "SEARCH mails USING INDEX mails_address (org=? AND folded=? AND id<?)",
		sqlDueMails:                  "SEARCH mails USING INDEX mails_due (due<?)",
		sqlAskedMails:                "SEARCH mails USING INDEX mails_asked (due<?)",
		sqlNextMail:                  "SCAN mails USING COVERING INDEX mails_due",
		sqlCountMails:                "SEARCH mails USING COVERING INDEX mails_state (org=? AND state=?)",
		sqlNextMailOrg:               "SEARCH mails USING COVERING INDEX mails_address (org>?)",
		sqlLastFailed:                "SEARCH mails USING COVERING INDEX mails_state (org=? AND state=?)",
		sqlRetryMails:                "SEARCH mails USING INDEX mails_state (org=? AND state=? AND id<?)",
		sqlLastDone:                  "SEARCH mails USING COVERING INDEX mails_done (done_at>? AND done_at<?)",
		sqlDropMails:                 "SEARCH mails USING INDEX mails_done (done_at>? AND done_at<?)",
		sqlUntoldRuns:                "SCAN runs USING INDEX runs_untold",
		sqlDueDeliveries:             "SEARCH report_deliveries USING INDEX report_deliveries_due (due<?)",
		sqlDelivery:                  "SEARCH report_deliveries USING PRIMARY KEY (id=?)",
		sqlDeliveries:                "SEARCH report_deliveries USING PRIMARY KEY (id<?)",
		sqlDeliveriesOf:              "SEARCH report_deliveries USING INDEX report_deliveries_org (org=? AND id<?)",
		sqlDeliveriesIn:              "SEARCH report_deliveries USING INDEX report_deliveries_state (state=? AND id<?)",
		sqlCountDeliveries:           "SEARCH report_deliveries USING COVERING INDEX report_deliveries_state (state=?)",
		sqlLastDoneDelivery:          "SEARCH report_deliveries USING COVERING INDEX report_deliveries_done (done_at>? AND done_at<?)",
		sqlDropDeliveries:            "SEARCH report_deliveries USING INDEX report_deliveries_done (done_at>? AND done_at<?)",
		sqlNoticeMarks:               "SEARCH report_marks USING PRIMARY KEY (org=?)",
		sqlMailLinks:                 "SEARCH mail_links USING INDEX mail_links_subject (org=? AND kind=? AND subject=?)",
		sqlDropLinks:                 "SEARCH mail_links USING INDEX mail_links_until (until<?)",
		sqlSubscriber:                "SEARCH s USING INDEX subscribers_id (org=? AND id=?)",
		sqlSubscribersNamed:          "SEARCH s USING PRIMARY KEY (org=? AND template=? AND name_key=?)",
		sqlSubscribersByID:           "SEARCH s USING INDEX subscribers_id (org=? AND id=?)",
		sqlSubscribersOf:             "SEARCH s USING INDEX subscribers_user (org=? AND user_id=?)",
		sqlSubscribersSaid:           "SEARCH s USING INDEX subscribers_said (org=? AND said_key=?)",
		sqlSubscribersEmail:          "SEARCH s USING INDEX subscribers_email (org=? AND email_key=?)",
		sqlCountSubscribers:          "SEARCH subscribers USING COVERING INDEX subscribers_status (org=?)",
		sqlCountOfTemplate:           "SEARCH subscribers USING COVERING INDEX subscribers_status (org=? AND template=?)",
		sqlSubscriberEvents:          "SEARCH subscriber_events USING PRIMARY KEY (org=? AND subscriber=?)",
		sqlUpdateSubscriber:          "SEARCH subscribers USING INDEX subscribers_id (org=? AND id=?)",
		sqlClaim:                     "SEARCH claims USING PRIMARY KEY (org=? AND id=?)",
		sqlOpenClaimOf:               "SEARCH claims USING INDEX claims_user (org=? AND user_id=?)",
		sqlClaimsDue:                 "SEARCH claims USING INDEX claims_due (org=? AND next_at>? AND next_at<?)",
		sqlClaims:                    "SEARCH claims USING PRIMARY KEY (org=? AND id<?)",
		sqlLostClaims:                "SEARCH claims USING INDEX claims_lost (from_org=? AND id<?)",
		sqlTakenOver:                 "SEARCH c USING INDEX claims_taken (from_org=? AND folded=?)",
		sqlUsersOnDomain:             "SEARCH u USING INDEX users_email_domain (org=? AND email_domain>? AND email_domain<?)",
		sqlPackages:                  "SEARCH w USING COVERING INDEX waiting_package (org=? AND package=?)",
	} {
		text := strings.Replace(q, "IN (*)", "IN ("+marks[8]+")", 1)
		args := make([]any, strings.Count(text, "?"))
		rows, err := db.w.stream(t.Context(), "EXPLAIN QUERY PLAN "+text, args...)
		plan, err := add[string](nil, rows, err, func(r *sql.Rows, v *string) error {
			var id, parent, unused int
			return r.Scan(&id, &parent, &unused, v)
		})
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		if all := strings.Join(plan, "\n"); !strings.Contains(all, want) || strings.Contains(all, "SCAN u") || strings.Contains(all, "SCAN e") {
			t.Errorf("%s\ngot plan\n%s\nwant %s", q, all, want)
		}
	}
}

// A bare parameter as limit makes SQLite plan a kept statement anew each time it is bound.
func TestLimitsAreNoPartOfPlans(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, "_test.go") && strings.Contains(string(text), "LIMIT ?") {
			t.Errorf("%s has a bare parameter as limit: write LIMIT 0 + ?", name)
		}
	}
}

func TestProfileDocument(t *testing.T) {
	t.Parallel()
	p := connector.Profile{"b": {"1", ""}, "a": {"\"\\\x00\n\x1f\u2028é☃"}, "none": nil, "custom.ü": {"x"}}
	doc := appendProfile(nil, p)
	var plain map[string][]string
	if err := json.Unmarshal(doc, &plain); err != nil {
		t.Fatalf("%s: %v", doc, err)
	}
	got, err := parseProfile(doc)
	if err != nil {
		t.Fatal(err)
	}
	delete(p, "none")
	if d := cmp.Diff(p, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string][]string(p), plain); d != "" {
		t.Error(d)
	}
	if got, err := parseProfile(appendProfile(nil, nil)); err != nil || len(got) != 0 {
		t.Errorf("nothing: %v, %v", got, err)
	}
}

func FuzzProfile(f *testing.F) {
	f.Add([]byte(`{"a":["b","\u0001"],"c":["d"]}`))
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"a":["\\\""]}`))
	f.Add([]byte(`{"a":[],`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		p, err := parseProfile(doc)
		if err != nil {
			return
		}
		again, err := parseProfile(appendProfile(nil, p))
		if err != nil {
			t.Fatalf("%q: what was written is not read: %v", doc, err)
		}
		for n, v := range p {
			if len(v) == 0 {
				delete(p, n)
			}
		}
		clean := func(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
		if d := cmp.Diff(p, again, cmp.Transformer("utf8", clean)); d != "" && strings.ToValidUTF8(string(doc), "") == string(doc) {
			t.Fatal(d)
		}
	})
}

func FuzzEvent(f *testing.F) {
	f.Add([]byte(`{"f":[["a",["x"],[]]],"t":[["","active","s"]],"w":["0102","CN=\\","s"]}`))
	f.Add([]byte(`{"f":[],"t":[],"n":["a","b"]}`))
	f.Add([]byte(`{"f":[],"t":[]}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		e, err := parseEvent(doc)
		if err != nil || strings.ToValidUTF8(string(doc), "") != string(doc) {
			return
		}
		again, err := parseEvent(appendEvent(nil, &e))
		if err != nil {
			t.Fatalf("%q: what was written is not read: %v", doc, err)
		}
		if d := cmp.Diff(e, again, cmp.AllowUnexported(eventDoc{}), cmpopts.EquateEmpty()); d != "" {
			t.Fatal(d)
		}
	})
}

func TestAnchorColumns(t *testing.T) {
	t.Parallel()
	for _, a := range []connector.Anchor{
		{},
		{Kind: connector.ObjectGUID, Raw: "0123456789abcdef"},
		{Kind: connector.EntryUUID, Raw: "0123456789abcdef"},
		{Kind: connector.NSUniqueID, Raw: "0123456789abcdef"},
		{Kind: connector.TextAnchor, Raw: "x"},
		{Kind: connector.ResourceID, Raw: "0123456789abcdef"},
		{Kind: "future", Raw: "\x00\xff"},
	} {
		if got := anchorOf(anchorBlob(a)); got != a {
			t.Errorf("%#v became %#v", a, got)
		}
	}
	if a := anchorOf(personBlob(connector.Anchor{}, "CN=x", "")); !a.IsZero() {
		t.Errorf("a DN became the anchor %#v", a)
	}
}

func TestReverseLabels(t *testing.T) {
	t.Parallel()
	for domain, want := range map[string]string{"": "", "com": "com.", "sub.example.com": "com.example.sub."} {
		if got := reverseLabels(domain); got != want {
			t.Errorf("%q: got %q, want %q", domain, got, want)
		}
	}
}

func TestFullDiskSaysWhatToDo(t *testing.T) {
	t.Parallel()
	db := openFile(t, filepath.Join(t.TempDir(), "usherd.db"))
	err := pragma(t.Context(), db.w, "max_page_count", 1) // SQLite makes it as many as there are
	for i := 0; err == nil && i < 100; i++ {
		err = db.AddDomain(t.Context(), connector.Domain{Org: "acme", Name: fmt.Sprintf("d%d.example", i), LastError: strings.Repeat("x", 8192)})
	}
	if connector.KindOf(err) != connector.Unavailable || !strings.Contains(fmt.Sprint(err), "full") || !strings.Contains(connector.HintOf(err), "make room") {
		t.Errorf("%v of kind %d, hint %q", err, connector.KindOf(err), connector.HintOf(err))
	}
	if err := wrap("x", invalid("y", "own words")); connector.KindOf(err) != connector.Invalid || connector.HintOf(err) != "" {
		t.Errorf("an error of ours: %v", err)
	}
}

// Each table is copied by Transfer, or it is known why not.
func TestEveryTableIsTransferred(t *testing.T) {
	t.Parallel()
	db := openFile(t, filepath.Join(t.TempDir(), "usherd.db"))
	tables, err := texts(t.Context(), db.pool, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'`)
	if err != nil {
		t.Fatal(err)
	}
	known := append([]string{"migrations", "leases", "token_revision", "secrets", "sessions", "tries", "form_keys", "selections"}, transferred[:]...)
	slices.Sort(tables)
	slices.Sort(known)
	if d := cmp.Diff(known, tables); d != "" {
		t.Errorf("known (-) and there (+):\n%s", d)
	}
}
