package requestlog_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"usherd/connector"
	"usherd/connector/store"
	"usherd/connector/store/newstore"
	"usherd/scim/requestlog"
)

// memory is a store that can be slow or refuse, which a real one does not on demand.
type memory struct {
	mu      sync.Mutex
	batches [][]connector.Request
	quirks  map[string]int64
	fail    error
	slow    time.Duration
}

func (m *memory) PutRequests(ctx context.Context, list []connector.Request, quirks []connector.QuirkCount) error {
	m.mu.Lock()
	slow, fail := m.slow, m.fail
	m.mu.Unlock()
	select {
	case <-time.After(slow):
	case <-ctx.Done():
		return ctx.Err()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if fail != nil {
		return fail
	}
	m.batches = append(m.batches, list)
	for _, q := range quirks {
		if m.quirks == nil {
			m.quirks = map[string]int64{}
		}
		m.quirks[q.Quirk] += q.Count
	}
	return nil
}

func (m *memory) set(fail error, slow time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail, m.slow = fail, slow
}

func (m *memory) rows() (list []connector.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range m.batches {
		list = append(list, b...)
	}
	return list
}

func (m *memory) sizes() (list []int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range m.batches {
		list = append(list, len(b))
	}
	return list
}

func (m *memory) counted(quirk string) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.quirks[quirk]
}

func row(n int) connector.Request {
	return connector.Request{Org: "acme", Source: "entra", At: time.Now(), Path: fmt.Sprint("/", n), Quirks: []string{"op-case"}}
}

func TestRowsAreWrittenInBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{slow: 10 * time.Millisecond}
		r := requestlog.New(requestlog.Options{Store: m, Now: time.Now})
		r.Add(row(0), true)
		time.Sleep(100 * time.Millisecond)
		r.Add(row(1), true)
		if n := len(m.rows()); n > 0 {
			t.Errorf("%d rows are written before others could join them", n)
		}
		time.Sleep(time.Second)
		if got := m.sizes(); !slices.Equal(got, []int{2}) {
			t.Errorf("batches %v", got)
		}
		for n := range 10_000 {
			r.Add(row(2+n), true)
		}
		time.Sleep(60 * time.Millisecond) // long before the first would have waited
		if got := m.sizes(); len(got) < 3 || len(m.rows()) != 10_002 {
			t.Errorf("batches %v", got)
		}
		r.Add(row(10_002), true)
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		r.Add(row(10_003), true)
		rows := m.rows()
		if len(rows) != 10_003 || m.counted("op-case") != 10_003 {
			t.Errorf("%d rows, %d quirks", len(rows), m.counted("op-case"))
		}
		for i := range rows {
			if rows[i].Path != fmt.Sprint("/", i) || i > 0 && rows[i].ID.String() <= rows[i-1].ID.String() {
				t.Fatalf("row %d is %s %s", i, rows[i].Path, rows[i].ID)
			}
		}
	})
}

// A store that is slow or refuses makes nobody wait: the oldest rows go, counted and told.
func TestOldestRowsAreDroppedWhenTheStoreRefuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.WarnLevel)
		m := &memory{fail: errors.New("disk full")}
		var lost atomic.Int64
		r := requestlog.New(requestlog.Options{Store: m, Now: time.Now, Log: zap.New(core), Lost: func(n int) { lost.Add(int64(n)) }})
		const all, most = 20_000, 16_384
		for n := range all {
			r.Add(row(n), true)
		}
		time.Sleep(4 * time.Second)
		if lost.Load() != all-most || logs.Len() != 1 || logs.All()[0].ContextMap()["last_error"] != "disk full" {
			t.Errorf("%d lost, log %v", lost.Load(), logs.All())
		}
		m.set(nil, 0)
		time.Sleep(4 * time.Second)
		rows := m.rows()
		if len(rows) != most || rows[0].Path != fmt.Sprint("/", all-most) {
			t.Errorf("%d rows from %s on", len(rows), rows[0].Path)
		}
		if m.counted("op-case") != all {
			t.Errorf("%d quirks: they are counted though rows go", m.counted("op-case"))
		}
		big := row(1)
		big.Asked = make([]byte, 1<<20)
		m.set(nil, time.Hour)
		for range 100 {
			r.Add(big, true)
		}
		m.set(errors.New("gone"), 0)
		time.Sleep(2 * time.Hour)
		m.set(nil, 0)
		time.Sleep(4 * time.Second)
		if n := len(m.rows()) - most; n < 25 || n > 35 {
			t.Errorf("%d large rows were kept in memory", n)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

// At the end a store that does not answer is not waited for without end.
func TestCloseGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{slow: time.Hour}
		r := requestlog.New(requestlog.Options{Store: m, Now: time.Now})
		began := time.Now()
		m.set(nil, time.Hour)
		r.Add(row(1), true)
		if err := r.Close(); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if took := time.Since(began); took > 15*time.Second {
			t.Errorf("it took %s", took)
		}
		if again := r.Close(); !errors.Is(again, context.Canceled) {
			t.Error(again)
		}
	})
}

func TestRowsThatAreNotKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		r := requestlog.New(requestlog.Options{Store: m, Now: time.Now})
		r.Add(row(1), false)
		r.Add(connector.Request{Org: "acme", Path: "/nobody"}, true)
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if len(m.rows()) != 0 || m.counted("op-case") != 1 {
			t.Errorf("%d rows, %d quirks", len(m.rows()), m.counted("op-case"))
		}
	})
}

// Many goroutines at once, on a real store: every row arrives, once.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	db, err := store.Open(t.Context(), newstore.URL(t), store.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	r := requestlog.New(requestlog.Options{Store: db, Now: time.Now})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for n := range 100 {
				r.Add(row(g*100+n), true)
			}
		})
	}
	wg.Wait()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	q := connector.RequestQuery{Org: "acme"}
	for {
		page, err := db.Requests(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, p := range page {
			seen[p.Path] = true
		}
		q.Before = page[len(page)-1].ID
	}
	if len(seen) != 800 {
		t.Errorf("%d of 800 rows", len(seen))
	}
	quirks, err := db.Quirks(t.Context(), "acme", "entra")
	if err != nil || len(quirks) != 1 || quirks[0].Count != 800 {
		t.Errorf("%+v, %v", quirks, err)
	}
}

func BenchmarkAdd(b *testing.B) {
	db, err := store.Open(b.Context(), newstore.URL(b), store.Options{Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	r := requestlog.New(requestlog.Options{Store: db, Now: time.Now})
	one := row(1)
	one.Person, one.User, one.Query = "ann@example.org", connector.ID{1}, "filter=userName+eq+%22ann%40example.org%22"
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r.Add(one, true)
		}
	})
	b.StopTimer()
	if err := errors.Join(r.Close(), db.Close()); err != nil {
		b.Fatal(err)
	}
}
