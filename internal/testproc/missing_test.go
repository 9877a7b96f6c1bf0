package testproc

import (
	"fmt"
	"strings"
	"testing"
)

// recorder is a test that notes how it ends instead of ending.
type recorder struct {
	testing.TB
	skipped, failed string
}

func (r *recorder) Helper()                      {}
func (r *recorder) Skipf(f string, args ...any)  { r.skipped = fmt.Sprintf(f, args...) }
func (r *recorder) Fatalf(f string, args ...any) { r.failed = fmt.Sprintf(f, args...) }

func TestMissingServerSkipsLoudlyAndFailsInCI(t *testing.T) {
	missing, ok := Needs{Server: "slapd", Packages: "slapd ldap-utils", Programs: []string{"no-such-program"}}.Check().(*MissingError) //nolint:errorlint // it is returned bare
	if !ok {
		t.Fatal("a program that does not exist is not missed")
	}
	t.Setenv("CI", "")
	var r recorder
	Skip(&r, missing)
	want := "USHERD SKIPPED: slapd is not installed (no no-such-program): apt-get install -y --no-install-recommends slapd ldap-utils"
	if r.skipped != want || r.failed != "" {
		t.Errorf("skipped %q, failed %q; want skipped %q", r.skipped, r.failed, want)
	}
	t.Setenv("CI", "true")
	r = recorder{}
	Skip(&r, missing)
	if !strings.Contains(r.failed, want[len("USHERD SKIPPED: "):]) {
		t.Errorf("with CI=true: failed %q, want the reason", r.failed)
	}
}

func TestNeedsMissesFiles(t *testing.T) {
	t.Parallel()
	if err := (Needs{Server: "x", Files: []string{"/no/such/file"}}).Check(); err == nil {
		t.Error("a file that does not exist is not missed")
	}
	if Supported {
		if err := (Needs{Server: "x", Programs: []string{"sh"}, Files: []string{"/"}}).Check(); err != nil {
			t.Errorf("nothing is missing: %v", err)
		}
	}
}

func TestFilesAreLockedOnce(t *testing.T) {
	t.Parallel()
	if !Supported {
		t.Skip("locks are for Linux, where the servers run")
	}
	path := t.TempDir() + "/lock"
	release, err := LockFile(path, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LockFile(path, false); err == nil {
		t.Error("locked twice")
	}
	release()
	again, err := LockFile(path, true)
	if err != nil {
		t.Fatalf("after the release: %v", err)
	}
	again()
}

func TestPortsDiffer(t *testing.T) {
	t.Parallel()
	ports, err := FreePorts(20)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, p := range ports {
		if seen[p] {
			t.Errorf("port %d twice in %v", p, ports)
		}
		seen[p] = true
	}
}
