package store

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"usherd/connector"
)

// rowsOf counts the rows that f changes in all tables.
func rowsOf(t *testing.T, db *DB, f func()) int {
	t.Helper()
	total := func() (n int) {
		err := db.write(t.Context(), func(tx *tx) (err error) {
			n, err = count(t.Context(), tx.q, "SELECT total_changes()")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := total()
	f()
	return total() - before
}

func TestOneMemberOfManyIsAHandfulOfRows(t *testing.T) {
	t.Parallel()
	db := openFile(t, filepath.Join(t.TempDir(), "usherd.db"))
	now := time.Unix(1_800_000_000, 0)
	dn := func(n int) string { return fmt.Sprintf("cn=person %d,ou=people", n) }
	group := func(from, to int) *connector.GroupRecord {
		g := &connector.GroupRecord{
			Anchor: connector.Anchor{Kind: connector.EntryUUID, Raw: "0123456789abcdef"}, DN: "cn=all", Key: connector.KeyOf([]byte("cn=all")), Name: "all",
		}
		for n := from; n < to; n++ {
			g.Members = append(g.Members, connector.Member{Key: connector.KeyOf([]byte(dn(n))), DN: dn(n)})
		}
		return g
	}
	put := func(g *connector.GroupRecord) (rows int) {
		return rowsOf(t, db, func() {
			err := db.Bulk(t.Context(), func(tx connector.Tx) error {
				changes, err := tx.CompareGroups(t.Context(), "acme", "ad", []*connector.GroupRecord{g}, nil)
				if err != nil {
					return err
				}
				return tx.PutGroups(t.Context(), changes, true, connector.Cause{Kind: connector.CauseRun, Run: connector.NewID(now)}, now)
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
	if rows := put(group(0, 10_000)); rows < 10_000 || rows > 10_010 {
		t.Errorf("the first time %d rows changed", rows)
	}
	if rows := put(group(0, 10_000)); rows != 0 {
		t.Errorf("without a change %d rows changed", rows)
	}
	if rows := put(group(0, 10_001)); rows > 3 { // the member, its event, the number of members
		t.Errorf("for one more member %d rows changed", rows)
	}
	if rows := put(group(1, 10_001)); rows > 3 {
		t.Errorf("for one member less %d rows changed", rows)
	}
	if rows := put(group(2, 10_002)); rows > 5 {
		t.Errorf("for one member instead of another %d rows changed", rows)
	}
	if faults, err := db.Verify(t.Context()); err != nil || len(faults) > 0 {
		t.Errorf("%v %v", faults, err)
	}
}
