//go:build !linux

package main

import (
	"errors"
	"os"
	"time"
)

// peakMB is known on Linux only, where the directory servers run too.
func peakMB(*os.ProcessState) float64 { return 0 }

// cpuOf is known on Linux only.
func cpuOf(int) time.Duration { return 0 }

// freeze stops a process where it is, which is known how to do on Linux only.
func freeze(*os.Process) error { return errors.ErrUnsupported }
