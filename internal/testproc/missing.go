package testproc

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// MissingError says that a server cannot run on this machine and what would help.
type MissingError struct {
	Server string // "slapd"
	Reason string // "is not installed: apt-get install -y slapd"
}

func (e *MissingError) Error() string { return e.Server + " " + e.Reason }

// Needs is what a server wants to find on the machine.
type Needs struct {
	Server   string
	Packages string   // of Debian and Ubuntu
	Programs []string // on the path or in /usr/sbin
	Files    []string
	Root     string // why it has to be root; empty: any user will do
}

// Check returns a *MissingError when something is missing.
func (n Needs) Check() error {
	missing := func(reason string) error { return &MissingError{Server: n.Server, Reason: reason} }
	if !Supported {
		return missing("runs in tests on Linux only")
	}
	for _, p := range n.Programs {
		if Program(p) == "" {
			return missing("is not installed (no " + p + "): apt-get install -y --no-install-recommends " + n.Packages)
		}
	}
	for _, f := range n.Files {
		if _, err := os.Stat(f); err != nil {
			return missing("is not installed (no " + f + "): apt-get install -y --no-install-recommends " + n.Packages)
		}
	}
	if n.Root != "" && os.Geteuid() != 0 {
		return missing("needs root (" + n.Root + "): sudo -E make test")
	}
	return nil
}

// Demand skips a test whose server is missing.
func (n Needs) Demand(tb testing.TB) {
	tb.Helper()
	if missing, ok := errors.AsType[*MissingError](n.Check()); ok {
		Skip(tb, missing)
	}
}

// Program returns where a program is, or "". Servers live in folders that are not on everybody's path.
func Program(name string) string {
	if p, err := exec.LookPath(name); err == nil {
		return p
	}
	for dir := range strings.FieldsSeq("/usr/sbin /usr/local/sbin /usr/libexec /usr/lib/openldap") {
		if p, err := exec.LookPath(dir + "/" + name); err == nil {
			return p
		}
	}
	return ""
}

// Skip ends a test whose server is missing. A machine that is there to test (CI=true) has no excuse.
func Skip(tb testing.TB, missing *MissingError) {
	tb.Helper()
	if os.Getenv("CI") == "true" {
		tb.Fatalf("USHERD SKIPPED is a failure when CI=true: %v", missing)
	}
	tb.Skipf("USHERD SKIPPED: %v", missing)
}
