package main

import (
	"os"
	"syscall"
)

// peakMB returns the largest memory that an ended process had in use.
func peakMB(s *os.ProcessState) float64 {
	if u, ok := s.SysUsage().(*syscall.Rusage); ok {
		return float64(u.Maxrss) * 1024 / 1e6
	}
	return 0
}
