package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/store"
	"usherd/connector/store/storetest"
	"usherd/internal/testpg"
)

// TestABrokenDatabaseIsToldAndRecovers breaks the database of eight clients who write, until some are refused, and mends
// it. What they are told names the trouble; nothing that was acknowledged is lost, and it goes on by itself.
func TestABrokenDatabaseIsToldAndRecovers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options     testpg.Options
		breaks      func(*testing.T, *testpg.Server)
		mends       func(*testing.T, *testpg.Server)
		told, hint  string // of one of the refusals
		stillAnswer bool   // who only reads
	}{
		"full": {
			options: testpg.Options{Disk: 160 << 20, Settings: map[string]string{"min_wal_size": "'32MB'", "max_wal_size": "'48MB'"}},
			breaks: func(t *testing.T, s *testpg.Server) {
				t.Helper()
				fine(t, s.Fill(0))
			},
			mends: func(t *testing.T, s *testpg.Server) {
				t.Helper()
				fine(t, s.Free())
			},
			told: "No space left on device", hint: "make room", stillAnswer: true,
		},
		"read-only": {
			breaks: func(t *testing.T, s *testpg.Server) {
				t.Helper()
				fine(t, s.ReadOnly(t.Context(), true))
			},
			mends: func(t *testing.T, s *testpg.Server) {
				t.Helper()
				fine(t, s.ReadOnly(t.Context(), false))
			},
			told: "read", hint: "takes no writes", stillAnswer: true,
		},
		"away": {
			breaks: func(_ *testing.T, s *testpg.Server) { s.Stop() },
			mends: func(t *testing.T, s *testpg.Server) {
				t.Helper()
				fine(t, s.Restart(t.Context()))
			},
			told: "", hint: "whether the server runs",
		},
		"locked": {
			breaks: func(t *testing.T, s *testpg.Server) {
				t.Helper()
				go func() { // until it is ended; the test's own question waits for it to hold the lock
					_, _ = s.SQL(context.Background(), database(s), "BEGIN; SELECT 1 FROM writer FOR UPDATE; SELECT pg_sleep(600)")
				}()
				soon(t, "the lock", func() bool {
					n, err := s.SQL(t.Context(), database(s), "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND wait_event = 'PgSleep'")
					return err == nil && n == "1"
				})
			},
			mends: func(t *testing.T, s *testpg.Server) {
				t.Helper()
				_, err := s.SQL(t.Context(), database(s), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
				fine(t, err)
			},
			told: "lock", hint: "another process is writing", stillAnswer: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testpg.Start(t, c.options)
			s.Database(t)
			db := openURL(t, s.URLOf(database(s))+"&lock_timeout=500")
			store.SetPatience(db, 2*time.Second)
			w := writing(t, db)
			w.more(t, 50)
			c.breaks(t, s)
			soon(t, "a refusal", func() bool { return len(w.refusals()) > 0 })
			if c.stillAnswer {
				if _, err := db.Domains(t.Context(), storetest.Org); err != nil {
					t.Errorf("who only reads is told %v", err)
				}
			}
			c.mends(t, s)
			w.more(t, 50)
			w.kept(t, db)
			tells(t, w.refusals(), c.told, c.hint)
		})
	}
}

// tells checks that one of the refusals names the trouble and what to do.
func tells(t *testing.T, refusals []error, told, hint string) {
	t.Helper()
	for _, err := range refusals {
		if strings.Contains(err.Error(), told) && strings.Contains(connector.HintOf(err), hint) {
			return
		}
	}
	t.Errorf("nobody was told %q and %q; the first was told %v (%s)", told, hint, refusals[0], connector.HintOf(refusals[0]))
}

// Clients who come while the database has been away for longer than the store waits are told at once.
func TestALongOutageIsToldAtOnce(t *testing.T) {
	t.Parallel()
	s := testpg.Start(t, testpg.Options{})
	db := openURL(t, s.Database(t))
	store.SetPatience(db, 2*time.Second)
	w := writing(t, db)
	w.more(t, 20)
	s.Kill()
	soon(t, "a refusal", func() bool { return len(w.refusals()) > 0 })
	w.end()
	begin := time.Now()
	err := live(t.Context(), db, 2_000_000)
	if took := time.Since(begin); connector.KindOf(err) != connector.Unavailable || took > 2*time.Second {
		t.Errorf("a write was told %v after %s", err, took)
	}
	begin = time.Now()
	_, err = db.Domains(t.Context(), storetest.Org)
	if took := time.Since(begin); connector.KindOf(err) != connector.Unavailable || took > 2*time.Second {
		t.Errorf("a read was told %v after %s", err, took)
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Domains(t.Context(), storetest.Org); err != nil {
		t.Errorf("a read, when it is back: %v", err)
	}
	if err := live(t.Context(), db, 2_000_001); err != nil {
		t.Errorf("a write, when it is back: %v", err)
	}
	w.kept(t, db)
}

// A frozen server answers nobody; whoever cannot wait gets his time back, and it goes on when the server does.
func TestAFrozenServerHoldsNobodyLongerThanHeCanWait(t *testing.T) {
	t.Parallel()
	s := testpg.Start(t, testpg.Options{})
	db := openURL(t, s.Database(t))
	w := writing(t, db)
	w.more(t, 20)
	if err := s.Freeze(); err != nil {
		t.Fatal(err)
	}
	for what, ask := range map[string]func(context.Context) error{
		"a read":  func(ctx context.Context) error { _, err := db.Domains(ctx, storetest.Org); return err },
		"a write": func(ctx context.Context) error { return live(ctx, db, 2_000_000) },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		begin := time.Now()
		if err := ask(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > 10*time.Second {
			t.Errorf("%s that can wait for 0.3 s is told %v after %s", what, err, time.Since(begin))
		}
	}
	if err := s.Thaw(); err != nil {
		t.Fatal(err)
	}
	w.more(t, 20)
	w.kept(t, db)
}

// A schema of a newer usherd is refused and left alone.
func TestANewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	s := testpg.Start(t, testpg.Options{})
	u := s.Database(t)
	if err := live(t.Context(), openURL(t, u), 1); connector.KindOf(err) != connector.Internal && err != nil {
		t.Fatal(err)
	}
	sql := func(statement string) string {
		out, err := s.SQL(t.Context(), database(s), statement)
		fine(t, err)
		return out
	}
	sql("INSERT INTO migrations (version, name, checksum, at) SELECT max(version) + 1, 'newer.sql', '', 0 FROM migrations")
	const digest = "SELECT md5(string_agg(m::text, ',' ORDER BY version)) FROM migrations m"
	before := sql(digest)
	_, err := store.Open(t.Context(), u, store.Options{Now: time.Now})
	if connector.KindOf(err) != connector.Refused || !strings.Contains(fmt.Sprint(err), "its schema is version") || !strings.Contains(connector.HintOf(err), "newer usherd") {
		t.Errorf("opened: %v (%s)", err, connector.HintOf(err))
	}
	if after := sql(digest); after != before {
		t.Error("the migrations were changed")
	}
	sql("DELETE FROM migrations WHERE name = 'newer.sql'")
	openURL(t, u)
}

// database is the name of the only database of a server that somebody has made.
func database(s *testpg.Server) string {
	name, err := s.SQL(context.Background(), "postgres", "SELECT datname FROM pg_database WHERE datname LIKE 'test%'")
	if err != nil {
		return err.Error() // which is no database's name
	}
	return name
}

func fine(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
