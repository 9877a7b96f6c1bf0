package testserver

import (
	"context"
	"errors"
	"os"
	"testing"

	"usherd/internal/testproc"
)

// Slapd starts a slapd for one test and ends it with the test. See StartSlapd.
func Slapd(tb testing.TB, o SlapdOptions) *Server {
	tb.Helper()
	return forTest(tb, o, StartSlapd)
}

// Samba starts an Active Directory domain controller for one test and ends it with the test. See StartSamba.
func Samba(tb testing.TB, o SambaOptions) *Server {
	tb.Helper()
	return forTest(tb, o, StartSamba)
}

// DS389 starts a 389 Directory Server for one test and ends it with the test. See StartDS389.
func DS389(tb testing.TB, o DS389Options) *Server {
	tb.Helper()
	return forTest(tb, o, StartDS389)
}

func forTest[O any](tb testing.TB, o O, start func(context.Context, string, O) (*Server, error)) *Server {
	tb.Helper()
	// Not tb.TempDir, whose paths grow with the test's name: the path of a Unix socket has 107 bytes.
	dir, err := os.MkdirTemp("", "usherd-test-")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(dir) })
	s, err := start(tb.Context(), dir, o)
	if missing, ok := errors.AsType[*MissingError](err); ok {
		testproc.Skip(tb, missing)
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		s.Close()
		if tb.Failed() {
			tb.Logf("the last words of %s: %s", s.Kind, s.lastWords())
		}
	})
	return s
}
