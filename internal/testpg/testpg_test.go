package testpg

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// query runs psql with an URL, as a client of ours would, and returns what it says and whether it worked.
func query(t *testing.T, s *Server, url, statement string) (string, bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(s.Programs, "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", statement)
	cmd.Env = environment()
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err == nil
}

// says expects an answer.
func says(t *testing.T, s *Server, url, statement, want string) {
	t.Helper()
	if got, ok := query(t, s, url, statement); !ok || got != want {
		t.Errorf("%s on %s: %q, want %q", statement, url, got, want)
	}
}

// refuses expects an error that holds a word.
func refuses(t *testing.T, s *Server, url, statement, word string) {
	t.Helper()
	if got, ok := query(t, s, url, statement); ok || !strings.Contains(got, word) {
		t.Errorf("%s on %s: %q (worked: %v), want an error with %q", statement, url, got, ok, word)
	}
}

func TestDatabasesAreOnesOwn(t *testing.T) {
	t.Parallel()
	one, two := URL(t), URL(t)
	s := Shared(t)
	says(t, s, one, "CREATE TABLE people (name text); INSERT INTO people VALUES ('Ada'); SELECT name FROM people", "Ada")
	refuses(t, s, two, "SELECT * FROM people", "does not exist")
	says(t, s, two, "SELECT rolsuper OR rolcreatedb OR rolcreaterole FROM pg_roles WHERE rolname = current_user", "f")

	var wait sync.WaitGroup
	for range 8 { // at the same time, from one template
		wait.Go(func() {
			clone := Clone(t, one)
			says(t, s, clone, "INSERT INTO people VALUES ('Bob'); SELECT count(*) FROM people", "2")
		})
	}
	wait.Wait()
	says(t, s, one, "SELECT count(*) FROM people", "1")
}

func TestDatabaseGoesWithItsTest(t *testing.T) {
	t.Parallel()
	var gone string
	t.Run("a test", func(t *testing.T) { gone = URL(t) })
	refuses(t, Shared(t), gone, "SELECT 1", "does not exist")
}

func TestServerLivesAndDies(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{})
	db := s.Database(t)
	says(t, s, db, "CREATE TABLE n (n int); INSERT INTO n VALUES (1); SELECT count(*) FROM n", "1")
	first := s.PID
	s.Kill()
	refuses(t, s, db, "SELECT 1", "refused")
	if s.Freeze() == nil {
		t.Error("a killed server can be frozen")
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.PID == first || s.PID == 0 {
		t.Errorf("process %d after the restart, %d before", s.PID, first)
	}
	says(t, s, db, "SELECT count(*) FROM n", "1")

	if err := s.Freeze(); err != nil {
		t.Fatal(err)
	}
	refuses(t, s, db+"&connect_timeout=2", "SELECT 1", "timeout expired")
	if err := s.Thaw(); err != nil {
		t.Fatal(err)
	}
	says(t, s, db, "SELECT count(*) FROM n", "1")

	if err := s.ReadOnly(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	refuses(t, s, db, "INSERT INTO n VALUES (2)", "read-only transaction")
	if err := s.ReadOnly(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	says(t, s, db, "INSERT INTO n VALUES (2); SELECT count(*) FROM n", "2")
}

func TestPasswordAndTLS(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{TLS: true, Password: "it's / secret"})
	db := s.Database(t)
	says(t, s, db, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", "t")
	u, err := url.Parse(db)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(role, "guessed")
	refuses(t, s, u.String(), "SELECT 1", "password authentication failed")
	plain, err := url.Parse(db)
	if err != nil {
		t.Fatal(err)
	}
	plain.RawQuery = "sslmode=disable"
	refuses(t, s, plain.String(), "SELECT 1", "no encryption")
	if _, err := s.SQL(t.Context(), "postgres", "SELECT 1"); err != nil {
		t.Errorf("the superuser, by the socket: %v", err)
	}
}

func TestStandbyHasWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]StandbyOptions{"synchronous": {Synchronous: true}, "asynchronous": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			primary := Start(t, Options{TCP: true})
			standby := primary.Standby(t, o)
			db := primary.Database(t)
			// What a synchronous standby has, it may still have to apply.
			if err := standby.until(t.Context(), "postgres", "SELECT count(*) = 1 FROM pg_database WHERE datname = '"+mustParse(t, db).Path[1:]+"'"); err != nil {
				t.Fatal(err)
			}
			both := URLOf(strings.TrimPrefix(mustParse(t, db).Path, "/"), standby, primary)
			says(t, primary, both, "CREATE TABLE n (n int); INSERT INTO n VALUES (1); SELECT inet_server_port()", mustParse(t, db).Port())
			refuses(t, standby, standby.URLOf("postgres"), "CREATE TABLE m (n int)", "read-only transaction")
			primary.Kill()
			refuses(t, standby, both, "SELECT 1", "refused") // nobody can write
			if err := standby.Promote(t.Context()); err != nil {
				t.Fatal(err)
			}
			if o.Synchronous {
				says(t, standby, both, "SELECT count(*) FROM n", "1")
			}
			says(t, standby, both, "CREATE TABLE o (n int); INSERT INTO o VALUES (1); SELECT count(*) FROM o", "1")
		})
	}
}

func mustParse(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{Disk: 128 << 20})
	db := s.Database(t)
	says(t, s, db, "CREATE TABLE n (n int, x text); INSERT INTO n VALUES (1); SELECT count(*) FROM n", "1")
	if err := s.Fill(1 << 20); err != nil {
		t.Fatal(err)
	}
	refuses(t, s, db, "INSERT INTO n SELECT i, repeat('x', 1000) FROM generate_series(1, 50000) i", "No space left on device")
	if err := s.Free(); err != nil {
		t.Fatal(err)
	}
	if err := s.until(t.Context(), "postgres", "SELECT true"); err != nil {
		t.Fatal(err)
	}
	says(t, s, db, "SELECT count(*) FROM n", "1")
}

// TestNothingIsLeft starts this test again as another program that is killed, and looks for what it left.
func TestNothingIsLeft(t *testing.T) {
	if dir := os.Getenv("USHERD_TESTPG_CHILD"); dir != "" {
		s := Start(t, Options{})
		if err := s.Freeze(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "folders"), []byte(Shared(t).Dir+"\n"+s.Dir), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "folders"), filepath.Join(dir, "ready")); err != nil {
			t.Fatal(err)
		}
		select {} // until it is killed
	}
	t.Parallel()
	Shared(t) // skips where there is no PostgreSQL
	dir := t.TempDir()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNothingIsLeft$")
	child.Env = append(os.Environ(), "USHERD_TESTPG_CHILD="+dir)
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var folders []string
	waitFor(t, "the other program's servers", func() bool {
		b, err := os.ReadFile(filepath.Join(dir, "ready"))
		folders = strings.Fields(string(b))
		return err == nil
	})
	for _, f := range folders {
		if _, err := os.Stat(filepath.Join(f, "data", "postmaster.pid")); err != nil {
			t.Errorf("no server in %s: %v", f, err)
		}
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	for _, f := range folders {
		waitFor(t, f+" to go", func() bool {
			_, err := os.Stat(f)
			return os.IsNotExist(err)
		})
	}
}

func waitFor(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !happened(); time.Sleep(tick) {
		if time.Now().After(end) {
			t.Fatalf("waited a minute for %s", what)
		}
	}
}
