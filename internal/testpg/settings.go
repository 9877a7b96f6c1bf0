package testpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// SQL runs one statement as the superuser and returns its rows, fields separated by |. It may be called
// concurrently.
func (s *Server) SQL(ctx context.Context, database, statement string) (string, error) {
	// ReadOnly is for the others.
	return s.psql(ctx, "postgres", database, statement, "PGOPTIONS=-c default_transaction_read_only=off")
}

func (s *Server) psql(ctx context.Context, user, database, statement string, env ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(s.Programs, "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
		"-h", s.Dir, "-p", strconv.Itoa(s.Port), "-U", user, "-d", database, "-c", statement)
	cmd.Env = append(environment(), env...)
	out, err := output(cmd)
	return strings.TrimSpace(out), err
}

// ReadOnly makes the server refuse writes, or take them again, as one does before it is moved: with 25006
// (read_only_sql_transaction), from each client's next transaction on.
func (s *Server) ReadOnly(ctx context.Context, on bool) error {
	return s.set(ctx, "default_transaction_read_only", map[bool]string{true: "on", false: "off"}[on])
}

// set changes a setting of the running server and waits until new sessions have it.
func (s *Server) set(ctx context.Context, name, value string) error {
	for _, statement := range []string{"ALTER SYSTEM SET " + name + " = '" + value + "'", "SELECT pg_reload_conf()"} {
		if _, err := s.SQL(ctx, "postgres", statement); err != nil {
			return err
		}
	}
	return s.until(ctx, role, "SELECT current_setting('"+name+"') = '"+value+"'")
}

// until waits until a user's question is answered with t.
func (s *Server) until(ctx context.Context, user, question string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	t := time.NewTicker(50 * time.Millisecond)
	defer t.Stop()
	for {
		got, err := s.psql(ctx, user, "postgres", question)
		if err != nil || got == "t" {
			return err
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return fmt.Errorf("testpg: %q is still %q: %w; the server's last words: %s", question, got, ctx.Err(), s.lastWords())
		}
	}
}

// Fill leaves free bytes on the server's small disk and takes the rest; see Options.Disk.
func (s *Server) Fill(free int64) error {
	if s.unmount == nil {
		return errors.New("testpg: only a small disk can be filled: set Disk")
	}
	f, err := os.OpenFile(s.ballast(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	block := make([]byte, 64<<10)
	for {
		if _, err := f.Write(block); err != nil { // there is no room left
			break
		}
	}
	i, err := f.Stat()
	if err != nil {
		return err
	}
	if i.Size() < free {
		return fmt.Errorf("testpg: %d bytes cannot be left: the disk had %d", free, i.Size())
	}
	return f.Truncate(i.Size() - free)
}

// Free gives the room back that Fill took.
func (s *Server) Free() error { return os.Remove(s.ballast()) }

func (s *Server) ballast() string { return filepath.Join(s.data(), "ballast") }
