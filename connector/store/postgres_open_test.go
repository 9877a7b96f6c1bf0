package store_test

import (
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/store"
	"usherd/internal/testpg"
)

func TestOpenSaysWhatIsWrongWithPostgres(t *testing.T) {
	t.Parallel()
	s := testpg.Start(t, testpg.Options{TCP: true, Password: "hunter2-Swordfish"})
	changed := func(change func(u *url.URL)) string {
		u, err := url.Parse(s.Database(t))
		if err != nil {
			t.Fatal(err)
		}
		change(u)
		return u.String()
	}
	run := func(statements string) func(u *url.URL) {
		return func(u *url.URL) {
			if _, err := s.SQL(t.Context(), strings.TrimPrefix(u.Path, "/"), statements); err != nil {
				t.Fatal(err)
			}
		}
	}
	opened := func(statements string) func(u *url.URL) {
		return func(u *url.URL) {
			db, err := store.Open(t.Context(), u.String(), store.Options{Now: time.Now})
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			run(statements)(u)
		}
	}
	const newer = "INSERT INTO migrations (version, name, checksum, at, since) VALUES (998, '0998_a.sql', '', 1, 0), (999, '0999_b.sql', '', 1, 999)"
	for name, test := range map[string]struct {
		url, want string
		kind      connector.Kind
	}{
		"wrong password": {changed(func(u *url.URL) { u.User = url.UserPassword("usherd", "hunter2-guessed") }), "password authentication failed", connector.Denied},
		"no database":    {changed(func(u *url.URL) { u.Path = "/nowhere" }), "does not exist", connector.Refused},
		"no role":        {changed(func(u *url.URL) { u.User = url.UserPassword("nobody", "hunter2-guessed") }), "no pg_hba.conf entry", connector.Denied},
		"no host":        {changed(func(u *url.URL) { u.Host = "db.invalid:5432" }), "db.invalid", connector.Unavailable},
		"no right":       {noRight(t, s), "", connector.Refused},
		"foreign":        {changed(run("CREATE TABLE t (x int)")), "no usherd store", connector.Invalid},
		"newer":          {changed(opened(newer)), "version 999", connector.Refused},
		"branch":         {changed(opened("UPDATE migrations SET checksum = '\\x00'")), "was another one", connector.Refused},
		"no such setting": {changed(func(u *url.URL) {
			q := u.Query()
			q.Set("no_such_setting", "1")
			u.RawQuery = q.Encode()
		}), "no_such_setting", connector.Invalid},
	} {
		db, err := store.Open(t.Context(), test.url, store.Options{Now: time.Now})
		if err == nil {
			_ = db.Close()
		}
		if connector.KindOf(err) != test.kind || err == nil || !strings.Contains(err.Error(), test.want) || connector.HintOf(err) == "" {
			t.Errorf("%s: %v of kind %d, hint %q", name, err, connector.KindOf(err), connector.HintOf(err))
		}
		if err != nil && strings.Contains(err.Error()+connector.HintOf(err), "hunter2") {
			t.Errorf("%s: the password is told: %v", name, err)
		}
	}
}

// noRight is a database in which the account may make nothing.
func noRight(t *testing.T, s *testpg.Server) string {
	t.Helper()
	u, err := url.Parse(s.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(u.Path, "/")
	if _, err := s.SQL(t.Context(), "postgres", "ALTER DATABASE "+name+" OWNER TO postgres"); err != nil {
		t.Fatal(err)
	}
	return u.String()
}

// Processes that start together on an empty database make its schema once.
func TestSchemaIsMadeOnce(t *testing.T) {
	t.Parallel()
	at := testpg.URL(t)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			db, err := store.Open(t.Context(), at, store.Options{Now: time.Now})
			if err != nil {
				t.Error(err)
				return
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	sound(t, openURL(t, at))
}

// The password of the options goes before that of the URL.
func TestPasswordOfTheOptions(t *testing.T) {
	t.Parallel()
	s := testpg.Start(t, testpg.Options{TCP: true, Password: "hunter2-Swordfish"})
	u, err := url.Parse(s.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.User("usherd")
	db, err := store.Open(t.Context(), u.String(), store.Options{Now: time.Now, Password: connector.NewSecret("hunter2-Swordfish")})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}
