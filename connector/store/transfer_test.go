package store_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/store"
	"usherd/connector/store/newstore"
	"usherd/connector/store/storetest"
)

// copied is a store that is transferred into an empty one of the other engine before it is closed: whatever the tests of the suite leave
// is what has to arrive.
type copied struct {
	*store.DB
	t    *testing.T
	to   string // the URL of an empty store
	once *sync.Once
}

func (c copied) Close() (err error) {
	c.once.Do(func() { err = c.transfer() })
	return errors.Join(err, c.DB.Close())
}

func (c copied) transfer() (err error) {
	c.t.Helper()
	ctx := context.WithoutCancel(c.t.Context())
	to, err := store.Open(ctx, c.to, store.Options{Now: time.Now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	_, err = store.Transfer(ctx, c.DB, to, nil)
	if kind(err) == connector.Conflict && strings.Contains(err.Error(), "is in use") {
		return nil // the test is about leases
	}
	if err != nil {
		return err
	}
	faults, err := to.Verify(ctx)
	for _, f := range faults {
		err = errors.Join(err, errors.New(f))
	}
	return err
}

func kind(err error) connector.Kind {
	if e, ok := errors.AsType[*connector.Error](err); ok {
		return e.Kind
	}
	return 0
}

func filled(t *testing.T) *store.DB {
	t.Helper()
	db := openURL(t, newstore.SQLite(t))
	saveAll(t.Context(), t, db, creations(2500))
	return db
}

// What was copied there and back is what it was.
func TestTransferThereAndBack(t *testing.T) {
	t.Parallel()
	from, there, back := filled(t), openURL(t, newstore.Postgres(t)), openURL(t, newstore.SQLite(t))
	said := map[string]int64{}
	first, err := store.Transfer(t.Context(), from, there, func(table string, rows int64) { said[table] = rows })
	if err != nil {
		t.Fatal(err)
	}
	second, err := store.Transfer(t.Context(), there, back, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range first {
		if f != second[i] {
			t.Errorf("%+v became %+v", f, second[i])
		}
		if said[f.Table] != f.Rows {
			t.Errorf("%s: %d rows, and progress ended with %d", f.Table, f.Rows, said[f.Table])
		}
		if f.Table == "users" && f.Rows != 2500 {
			t.Errorf("%d users", f.Rows)
		}
	}
}

// Logs of sign-ins hold what is no text to PostgreSQL; that keeps nobody from moving there. Those of requests are no texts.
func TestTransferOfStrangeTexts(t *testing.T) {
	t.Parallel()
	from, there, back := openURL(t, newstore.SQLite(t)), openURL(t, newstore.Postgres(t)), openURL(t, newstore.SQLite(t))
	r := storetest.Asked(0, storetest.Source, storetest.Start())
	r.Path, r.Person = "/scim/acme/v2/Users/\x00\xff", "a\x00b"
	a := connector.Attempt{ID: r.ID, Org: r.Org, Source: r.Source, At: r.At, Person: "c\x00\xff"}
	if err := errors.Join(from.PutRequests(t.Context(), []connector.Request{r}, nil), from.PutAttempt(t.Context(), a)); err != nil {
		t.Fatal(err)
	}
	first, err := store.Transfer(t.Context(), from, there, nil)
	if err != nil {
		t.Fatal(err)
	}
	second, err := store.Transfer(t.Context(), there, back, nil)
	if err != nil || !slices.Equal(first, second) {
		t.Fatalf("%v, %v, %v", first, second, err)
	}
	attempts, err := back.Attempts(t.Context(), connector.AttemptQuery{Org: storetest.Org})
	if err != nil || len(attempts) != 1 || attempts[0].Person != "c\uFFFD\uFFFD" {
		t.Errorf("%+v, %v", attempts, err)
	}
	list, err := back.Requests(t.Context(), connector.RequestQuery{Org: storetest.Org})
	if err != nil || len(list) != 1 || list[0].Path != r.Path || list[0].Person != r.Person {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestTransferRefused(t *testing.T) {
	t.Parallel()
	t.Run("into a store that holds something", func(t *testing.T) {
		t.Parallel()
		_, err := store.Transfer(t.Context(), filled(t), filled(t), nil)
		if kind(err) != connector.Conflict || !strings.Contains(err.Error(), "name an empty one") {
			t.Fatal(err)
		}
	})
	for _, used := range []string{"from", "to"} {
		t.Run(used+" is in use", func(t *testing.T) {
			t.Parallel()
			stores := map[string]*store.DB{"from": filled(t), "to": openURL(t, newstore.URL(t))}
			if _, err := stores[used].Lease(t.Context(), "daemon", "host:1", time.Minute); err != nil {
				t.Fatal(err)
			}
			_, err := store.Transfer(t.Context(), stores["from"], stores["to"], nil)
			if kind(err) != connector.Conflict || !strings.Contains(err.Error(), "daemon (by host:1)") {
				t.Fatal(err)
			}
		})
	}
}

// One that is broken off leaves nothing, and can be done again.
func TestTransferBrokenOff(t *testing.T) {
	t.Parallel()
	from, to := filled(t), openURL(t, newstore.URL(t))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := store.Transfer(ctx, from, to, func(table string, _ int64) {
		if table == "links" {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if n, err := to.CountUsers(t.Context(), storetest.Org); err != nil || len(n) != 0 {
		t.Fatal(n, err)
	}
	if _, err := store.Transfer(t.Context(), from, to, nil); err != nil {
		t.Fatal(err)
	}
}
