package store_test

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"usherd/connector"
	"usherd/connector/store"
	"usherd/connector/store/newstore"
	"usherd/connector/store/storetest"
	"usherd/internal/testpg"
)

// deploy/postgresql.md says how a store on PostgreSQL is copied, while it is written to, and put back.
func TestADumpIsABackup(t *testing.T) {
	t.Parallel()
	s := testpg.Start(t, testpg.Options{})
	from := s.Database(t)
	db := openURL(t, from)
	w := writing(t, db)
	w.more(t, 50)
	sure := w.written() // who is written from here on may be in it or not
	dump := filepath.Join(t.TempDir(), "usherd.dump")
	at := []string{"-h", s.Dir, "-p", strconv.Itoa(s.Port), "-U", "postgres"}
	run := func(program string, args ...string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), filepath.Join(s.Programs, program), append(at, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", program, err, out)
		}
	}
	run("pg_dump", "-Fc", "-d", nameOf(t, from), "-f", dump)
	w.kept(t, db)

	to := s.Database(t)
	run("pg_restore", "--no-owner", "--role=usherd", "-d", nameOf(t, to), dump)
	back := openURL(t, to)
	sound(t, back)
	for _, n := range w.people[:sure] {
		if _, err := back.FindUser(t.Context(), storetest.Org, storetest.Profile(n).Get(connector.UserName)); err != nil {
			t.Errorf("person %d was written before the dump: %v", n, err)
		}
	}
	if err := live(t.Context(), back, 5_000_000); err != nil {
		t.Errorf("the copy cannot be written: %v", err)
	}
}

// The commands that copy a file say what to do instead.
func TestPostgresIsCopiedByItsOwnPrograms(t *testing.T) {
	t.Parallel()
	url := newstore.Postgres(t)
	file := filepath.Join(t.TempDir(), "copy")
	if err := openURL(t, url).Backup(t.Context(), file); kind(err) != connector.Refused || !strings.Contains(connector.HintOf(err), "pg_dump") {
		t.Errorf("backup: %v", err)
	}
	if _, err := store.Restore(t.Context(), url, file); kind(err) != connector.Refused || !strings.Contains(connector.HintOf(err), "pg_restore") {
		t.Errorf("restore: %v", err)
	}
}
