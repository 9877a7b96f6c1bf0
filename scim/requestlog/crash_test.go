package requestlog_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/store"
	"usherd/scim/requestlog"
)

// childEnv makes the test program log requests into the store that it names until it is killed.
const childEnv = "USHERD_REQUESTLOG_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		fmt.Fprintln(os.Stderr, child(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// child prints the number of each row once it was taken.
func child(path string) error {
	db, err := store.Open(context.Background(), "sqlite:"+path, store.Options{Now: time.Now})
	if err != nil {
		return err
	}
	r := requestlog.New(requestlog.Options{Store: db, Now: time.Now})
	pace := time.NewTicker(time.Millisecond)
	for n := 0; ; n++ {
		<-pace.C
		r.Add(row(n), true)
		fmt.Println(n)
	}
}

// Whatever moment the process is killed at: what is stored is what came, without a gap, up to a moment before; and
// rows and counts belong together.
func TestKillLosesTheLastBatchOnly(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "usherd.db")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childEnv+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	taken := 0
	for taken < 5000 && lines.Scan() {
		taken++
	}
	killed := time.Now()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed

	db, err := store.Open(t.Context(), "sqlite:"+path, store.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	var rows []connector.Request
	for q := (connector.RequestQuery{Org: "acme"}); ; {
		page, err := db.Requests(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		rows = append(rows, page...)
		q.Before = page[len(page)-1].ID
	}
	slices.Reverse(rows)
	for i := range rows {
		if rows[i].Path != fmt.Sprint("/", i) {
			t.Fatalf("row %d is %s: there is a gap", i, rows[i].Path)
		}
	}
	if len(rows) == 0 || killed.Sub(rows[len(rows)-1].At) > 5*time.Second {
		t.Errorf("%d of %d rows are left: more than a batch is lost", len(rows), taken)
	}
	quirks, err := db.Quirks(t.Context(), "acme", "entra")
	if err != nil || len(quirks) != 1 {
		t.Fatal(quirks, err)
	}
	// A count may be written with the batch before its row's, when it came while that was put together.
	if more := quirks[0].Count - int64(len(rows)); more < 0 || more > 500 {
		t.Errorf("%d rows and %d quirks", len(rows), quirks[0].Count)
	}
	faults, err := db.Verify(t.Context())
	if err != nil || len(faults) > 0 {
		t.Error(faults, err)
	}
	t.Logf("%d of %d rows are left", len(rows), taken)
}
