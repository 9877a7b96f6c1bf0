package main

import (
	"database/sql"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usherd/ldapsync/ldaptest"
)

// A full disk shows at the end of a run first: what it holds was shown and is not stored. A trigger of SQLite plays it.
func TestRunWhoseEndCannotBeStoredIsAnError(t *testing.T) {
	t.Parallel()
	d, block := fake(t, ldaptest.Options{})
	people(t, d, 3)
	r := newRigOn(t, "", strings.Replace(oneSource(block), "first_run: apply", "first_run: preview", 1))
	r.must(exitOK, "runs")
	db, err := sql.Open("sqlite", filepath.Join(r.dir, "usherd.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const full = `CREATE TRIGGER full BEFORE UPDATE ON runs WHEN NEW.result <> 'running' BEGIN SELECT RAISE(ABORT, 'the disk is full'); END`
	if _, err := db.Exec(full); err != nil {
		t.Fatal(err)
	}
	out, errs, code := r.run("sync", "-q")
	if code != exitError || !strings.Contains(errs, "the disk is full") || strings.Contains(out, "usherd approve") {
		t.Errorf("exit code %d, %q, and the report\n%s", code, errs, out)
	}
}

// An alarm that a source has not been read for too long has to outlive a restart, and a preview is no run.
func TestLastCompleteRunIsKnownAfterRestart(t *testing.T) {
	t.Parallel()
	d, block := fake(t, ldaptest.Options{})
	people(t, d, 3)
	r := newRig(t, oneSource(block))
	r.sync(exitOK)
	run := decode[struct{ Started time.Time }](r, exitOK, "report", "last", "-o", "json")
	r.must(exitOK, "plan", "-q")
	s := r.daemon(t)
	s.has(`usherd_directory_entries{org="acme",source="hq"} 3`)
	if text := s.get("/metrics", http.StatusOK); !strings.Contains(text, `usherd_last_complete_run_timestamp_seconds{org="acme",source="hq"} 1`) {
		t.Error("the metrics have forgotten the last complete run")
	}
	if is := s.ready(); len(is.Sources) != 1 || !is.Sources[0].Last.Equal(run.Started) {
		t.Errorf("/readyz says %+v, the full run started at %s", is, run.Started)
	}
}
