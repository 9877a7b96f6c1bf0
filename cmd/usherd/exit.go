package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"usherd/config"
	"usherd/connector"
)

// The exit codes. 78 is EX_CONFIG of sysexits.h.
const (
	exitOK     = 0
	exitError  = 1
	exitUsage  = 2
	exitFailed = 3 // done, but some people failed
	exitHeld   = 4 // something waits for approval
	exitConfig = 78
)

// usageError is a wrong use of the command line.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// exitCode is the one place that chooses the exit code of an error.
func exitCode(err error) int {
	var usage usageError
	var faults config.Faults
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &faults):
		return exitConfig
	case connector.KindOf(err) == connector.Held:
		return exitHeld
	}
	return exitError
}

// printError tells a person what went wrong and what to do.
func printError(w io.Writer, err error) {
	var faults config.Faults
	switch {
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(w, "usherd: stopped; what was written is consistent")
		return
	case errors.As(err, &faults):
		fmt.Fprintln(w, strings.TrimRight(faults.Error(), "\n"))
		return
	}
	fmt.Fprintf(w, "usherd: %s\n", err)
	if hint := connector.HintOf(err); hint != "" {
		fmt.Fprintf(w, "  what to do: %s\n", hint)
	}
}

// runCode is the exit code that a run's result asks for.
func runCode(run *connector.Run) int {
	switch run.Result {
	case connector.ResultFailed, connector.ResultCancelled, connector.ResultRunning:
		return exitError
	case connector.ResultHeld:
		return exitHeld
	case connector.ResultOK, connector.ResultPartial:
	}
	if run.Result == connector.ResultPartial {
		return exitError
	}
	if run.GroupHold != nil && run.Mode != connector.ModePreview {
		return exitHeld
	}
	if run.Counts.Failed > 0 || run.Skips[connector.SkipChangedSince] > 0 {
		return exitFailed
	}
	return exitOK
}
