package store_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/store"
	"usherd/connector/store/storetest"
)

// childEnv makes the test program write people into the store that it names until it is killed; its
// value is FIRST:PATH, where FIRST is the number of the first person.
const childEnv = "USHERD_STORE_CHILD"

func TestMain(m *testing.M) {
	if what := os.Getenv(childEnv); what != "" {
		if err := child(what); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child writes from several goroutines and prints the number of each person once it is durable.
func child(what string) error {
	text, path, _ := strings.Cut(what, ":")
	first, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	ctx := context.Background()
	db, err := store.Open(ctx, "sqlite:"+path, store.Options{Now: time.Now})
	if err != nil {
		return err
	}
	if err := db.SetPackages(ctx, storetest.Org, []connector.Package{{ID: "gold", Seats: connector.Unlimited}}); err != nil {
		return err
	}
	var out sync.Mutex
	var wg sync.WaitGroup
	failed := make(chan error, 4)
	for client := range 4 {
		wg.Go(func() {
			for n := first + client; ; n += 4 {
				if err := live(ctx, db, n); err != nil {
					failed <- err
					return
				}
				out.Lock()
				fmt.Println(n)
				out.Unlock()
			}
		})
	}
	wg.Wait()
	return <-failed
}

// live leads one person through the states, every third one in a chunk.
func live(ctx context.Context, db *store.DB, n int) error {
	now := time.Now()
	write := db.Write
	if n%3 == 0 {
		write = db.Bulk
	}
	return write(ctx, func(tx connector.Tx) error {
		c := storetest.Create(n, "gold", now)
		changes := []*connector.Change{c, storetest.Fail(n+1_000_000, connector.NoSeat)}
		if n%2 == 0 {
			changes = append(changes, storetest.Deactivate(c.After, now))
		}
		errs, err := tx.Save(ctx, changes, connector.Cause{Kind: connector.CauseRequest, Actor: "test"}, now)
		for _, e := range errs {
			if e != nil {
				return e
			}
		}
		return err
	})
}

// spawn starts the child and returns its answers.
func spawn(t *testing.T, path string, first int) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d:%s", childEnv, first, path))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

func sound(t *testing.T, db *store.DB) {
	t.Helper()
	faults, err := db.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		t.Error(f)
	}
}

func TestNothingIsLostOrHalfWhenTheProcessIsKilled(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "usherd.db")
	acknowledged := map[int]bool{}
	for round := range 3 {
		cmd, out := spawn(t, path, round*100_000)
		for n := 0; out.Scan(); n++ {
			person, err := strconv.Atoi(out.Text())
			if err != nil {
				t.Fatal(err)
			}
			acknowledged[person] = true
			if n == 60+round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // it was killed
	}
	db := open(t, path)
	sound(t, db)
	for person := range acknowledged {
		key := storetest.Profile(person).Get(connector.UserName)
		if _, err := db.FindUser(t.Context(), storetest.Org, key); err != nil {
			t.Errorf("person %d was acknowledged: %v", person, err)
		}
	}
}

func TestTwoProcessesShareTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "usherd.db")
	db := open(t, path)
	cmd, out := spawn(t, path, 0)
	for n := 0; out.Scan(); n++ {
		if n < 60 {
			if err := live(t.Context(), db, 500_000+n); err != nil {
				t.Error(err)
			}
		}
		if n == 60 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // it was killed
	sound(t, db)
	counts, err := db.CountUsers(t.Context(), storetest.Org)
	if err != nil {
		t.Fatal(err)
	}
	if total := counts[connector.Active] + counts[connector.Inactive]; total < 120 {
		t.Errorf("%d users are there: %v", total, counts)
	}
}
