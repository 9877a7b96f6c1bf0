package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

type options struct {
	people, rounds int
	million        int // people of the suites whose names begin so
	pushed         int // users of the suite scim
	now            func() time.Time
	log            io.Writer // what is going on, for people
}

// bench holds what measuring needs; everything is made when it is first asked for and ended by close.
type bench struct {
	o       options
	dir     string
	binary  string        // built; "" = not yet
	sites   map[int]*site // by percent of faulty people
	figures []figure
	of      []string // how many of whom was measured
}

func newBench(o options) (*bench, error) {
	dir, err := os.MkdirTemp("", "usherd-bench-")
	if err != nil {
		return nil, err
	}
	return &bench{o: o, dir: dir, sites: map[int]*site{}}, nil
}

func joinClose(err error, b *bench) error {
	for _, s := range b.sites {
		s.server.Close()
	}
	return errors.Join(err, os.RemoveAll(b.dir))
}

func (b *bench) say(format string, args ...any) {
	_, _ = fmt.Fprintf(b.o.log, "bench: "+format+"\n", args...)
}

// fill says what is being filled, and remembers it for the table.
func (b *bench) fill(format string, n int) {
	what := fmt.Sprintf(format, n)
	b.say("filling %s", what)
	if !slices.Contains(b.of, what) {
		b.of = append(b.of, what)
	}
}

// usherd returns the program, built from this checkout as a release is.
func (b *bench) usherd(ctx context.Context) (string, error) {
	if b.binary != "" {
		return b.binary, nil
	}
	b.say("building usherd")
	path := filepath.Join(b.dir, "usherd")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "usherd/cmd/usherd") //nolint:gosec // our own folder
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	b.binary = path
	return path, nil
}

func measureBinary(ctx context.Context, b *bench) error {
	path, err := b.usherd(ctx)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	b.add(figure{name: "binary_mb", unit: "MB", goal: 30}, float64(info.Size())/1e6)
	return nil
}

// timed is what one process took.
type timed struct {
	wall, cpu time.Duration
	peak      float64 // MB
}

// maxOutput bounds what is kept of a program's output.
const maxOutput = 64 << 10

// measure runs a program to its end; its standard output goes to out. Exit codes in fine are no error.
//
// The peak is never below this program's own memory: Linux lets a child begin with the mark of the
// process that started it. So nothing large may be kept here.
func (b *bench) measure(cmd *exec.Cmd, out io.Writer, fine ...int) (timed, error) {
	var fault limited
	cmd.Stdout, cmd.Stderr = out, &fault
	start := b.o.now()
	err := cmd.Run()
	t := timed{wall: b.o.now().Sub(start)}
	if s := cmd.ProcessState; s != nil {
		t.cpu, t.peak = s.UserTime()+s.SystemTime(), peakMB(s)
		for _, code := range fine {
			if s.ExitCode() == code {
				err = nil
			}
		}
	}
	if err != nil {
		return t, fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, strings.TrimSpace(fault.String()))
	}
	return t, nil
}

// limited keeps the beginning of what is written to it.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if room := maxOutput - l.Len(); room > 0 {
		l.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// freeAddress returns an address on which nobody listens at this moment.
func freeAddress(ctx context.Context) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
