package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	startLimit = 30 * time.Second
	startTick  = 2 * time.Millisecond // between two questions
)

// measureStart starts the daemon on a store that holds everybody.
func measureStart(ctx context.Context, b *bench) error {
	s, err := b.site(ctx, 0)
	if err != nil {
		return err
	}
	if _, err := os.Stat(s.store); errors.Is(err, os.ErrNotExist) {
		b.say("filling a store")
		if _, _, err := b.sync(ctx, s, true); err != nil {
			return err
		}
	}
	for range b.o.rounds {
		took, err := b.start(ctx, s)
		if err != nil {
			return err
		}
		b.add(figure{name: "start.ready_ms", unit: "ms", goal: 300}, float64(took.Microseconds())/1000)
	}
	return nil
}

// start starts the daemon, returns how long it took until it was ready, and ends it.
func (b *bench) start(ctx context.Context, s *site) (time.Duration, error) {
	d, err := b.serve(ctx, s)
	if err != nil {
		return 0, err
	}
	return d.took, d.stop()
}

// daemon is `usherd serve`.
type daemon struct {
	cmd   *exec.Cmd
	ended chan error
	said  limited
	took  time.Duration // until it was ready
}

// serve starts the daemon and waits until it is ready.
func (b *bench) serve(ctx context.Context, s *site) (*daemon, error) {
	cmd, err := b.command(ctx, s, "serve")
	if err != nil {
		return nil, err
	}
	d := &daemon{cmd: cmd, ended: make(chan error, 1)}
	cmd.Stdout, cmd.Stderr = io.Discard, &d.said
	begin := b.o.now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() { d.ended <- cmd.Wait() }()
	for {
		select {
		case err := <-d.ended:
			return nil, fmt.Errorf("usherd serve ended: %w\n%s", err, strings.TrimSpace(d.said.String()))
		default:
		}
		switch waited := b.o.now().Sub(begin); {
		case ready(ctx, s.listen):
			d.took = b.o.now().Sub(begin)
			return d, nil
		case waited > startLimit:
			return nil, errors.Join(fmt.Errorf("usherd serve was not ready after %v", startLimit), d.stop())
		default:
			time.Sleep(startTick)
		}
	}
}

func (d *daemon) stop() error { return errors.Join(d.cmd.Process.Signal(syscall.SIGTERM), <-d.ended) }

func ready(ctx context.Context, address string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}
