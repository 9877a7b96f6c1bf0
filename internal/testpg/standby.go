package testpg

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"usherd/internal/testproc"
)

// StandbyOptions say how a standby follows.
type StandbyOptions struct {
	// Synchronous: the primary acknowledges nothing that the standby does not have. Without it, what was
	// acknowledged last is lost when the primary is.
	Synchronous bool
}

// Standby starts a server that follows this one by streaming replication through a slot, and waits until it
// does. It is like this one in everything else, and ends with the test.
func (s *Server) Standby(tb testing.TB, o StandbyOptions) *Server {
	tb.Helper()
	return forTest(tb, func(dir string) (*Server, error) { return s.standbyIn(tb.Context(), dir, o) })
}

func (s *Server) standbyIn(ctx context.Context, dir string, o StandbyOptions) (*Server, error) {
	other, err := newServer(dir, s.o)
	if err != nil {
		return nil, err
	}
	name := "standby_" + strconv.FormatInt(databases.Add(1), 10)
	copied := exec.CommandContext(ctx, filepath.Join(s.Programs, "pg_basebackup"), "-D", other.data(), "-R", "-C", "-S", name, "-X", "stream",
		"-c", "fast", "--no-sync", "-d", "host="+s.Dir+" port="+strconv.Itoa(s.Port)+" user=postgres application_name="+name)
	copied.Env, copied.Dir = environment(), dir
	testproc.RunAs(copied, s.user)
	if _, err = output(copied); err == nil {
		err = other.begin(ctx)
	}
	if err != nil {
		other.Close()
		return nil, err
	}
	if o.Synchronous {
		if err := s.set(ctx, "synchronous_standby_names", name); err != nil {
			return other, err
		}
	}
	return other, s.until(ctx, "postgres", "SELECT count(*) = 1 FROM pg_stat_replication WHERE application_name = '"+name+
		"' AND state = 'streaming' AND sync_state = '"+map[bool]string{true: "sync", false: "async"}[o.Synchronous]+"'")
}

// standby reports whether the server is to follow another one.
func (s *Server) standby() bool {
	_, err := os.Stat(filepath.Join(s.data(), "standby.signal"))
	return err == nil
}

// Promote makes a standby a primary and waits until it takes writes.
func (s *Server) Promote(ctx context.Context) error {
	if _, err := s.SQL(ctx, "postgres", "SELECT pg_promote(true, 60)"); err != nil {
		return err
	}
	return s.until(ctx, "postgres", "SELECT NOT pg_is_in_recovery()")
}
