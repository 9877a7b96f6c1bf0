package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// peakMB returns the largest memory that an ended process had in use.
func peakMB(s *os.ProcessState) float64 {
	if u, ok := s.SysUsage().(*syscall.Rusage); ok {
		return float64(u.Maxrss) * 1024 / 1e6
	}
	return 0
}

// tick is the unit of /proc/PID/stat, the same on all Linux that Go runs on.
const tick = time.Second / 100

// cpuOf returns the CPU time that a running process has taken, 0 when nobody knows.
func cpuOf(pid int) time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), ") ") // behind the name; the state comes next, then ten more
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * tick
}

// freeze stops a process where it is.
func freeze(p *os.Process) error { return p.Signal(syscall.SIGSTOP) }
