//go:build !linux

package testserver

import (
	"context"
	"errors"
	"time"
)

const supported = false

var errUnsupported = errors.New("testserver: test servers run on Linux only")

// process does not exist outside Linux: start refuses before one is made.
type process struct {
	pid  int
	done chan struct{}
	err  error
}

func startProcess(context.Context, []string, []string, string) (*process, error) {
	return nil, errUnsupported
}

func (p *process) stop(time.Duration) {}
func (p *process) kill()              {}
func (p *process) pause(bool) error   { return errUnsupported }

func lockFile(string, bool) (func(), error) { return nil, errUnsupported }
