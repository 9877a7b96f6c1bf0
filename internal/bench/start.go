package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
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
func (b *bench) start(ctx context.Context, s *site) (took time.Duration, err error) {
	cmd, err := b.command(ctx, s, "serve")
	if err != nil {
		return 0, err
	}
	var said limited
	cmd.Stdout, cmd.Stderr = io.Discard, &said
	begin := b.o.now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for took == 0 && err == nil {
		select {
		case e := <-ended:
			return 0, fmt.Errorf("usherd serve ended: %w\n%s", e, strings.TrimSpace(said.String()))
		default:
		}
		switch waited := b.o.now().Sub(begin); {
		case ready(ctx, s.listen):
			took = b.o.now().Sub(begin)
		case waited > startLimit:
			err = fmt.Errorf("usherd serve was not ready after %v", startLimit)
		default:
			time.Sleep(startTick)
		}
	}
	return took, errors.Join(err, cmd.Process.Signal(syscall.SIGTERM), <-ended)
}

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
