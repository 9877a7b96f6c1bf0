//go:build !linux

package testproc

import (
	"context"
	"errors"
	"os/exec"
	"time"
)

// Supported says whether processes can be started here.
const Supported = false

var errUnsupported = errors.New("testproc: test servers run on Linux only")

// Process does not exist outside Linux: Start refuses before one is made.
type Process struct{ PID int }

// Start refuses.
func Start(context.Context, Command) (*Process, error) { return nil, errUnsupported }

// RunAs changes nothing.
func RunAs(*exec.Cmd, *User) {}

// Done is never closed.
func (p *Process) Done() <-chan struct{} { return nil }

// Err says that there is no process.
func (p *Process) Err() error { return errUnsupported }

// Stop does nothing.
func (p *Process) Stop(time.Duration) {}

// Kill does nothing.
func (p *Process) Kill() {}

// Pause refuses.
func (p *Process) Pause(bool) error { return errUnsupported }

// LockFile refuses.
func LockFile(string, bool) (func(), error) { return nil, errUnsupported }

// KillIn does nothing.
func KillIn(string) {}

// PauseIn does nothing.
func PauseIn(string, bool) {}
