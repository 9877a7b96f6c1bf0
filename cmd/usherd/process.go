package main

import (
	"os"
	"strconv"
	"strings"
)

// processName names this process in the store's leases: machine, process space and process id.
func processName() string {
	machine := machineName()
	if machine == "" {
		return ""
	}
	return machine + ":" + strconv.Itoa(os.Getpid())
}

// machineName is the host with its space of process ids: containers may share a host name without
// seeing each other's processes.
func machineName() string {
	host, err := os.Hostname()
	if err != nil || host == "" || strings.ContainsAny(host, " :") {
		return ""
	}
	space, err := os.Readlink("/proc/self/ns/pid") // pid:[4026531836]; Linux only
	if err == nil {
		host += "/" + strings.Trim(strings.TrimPrefix(space, "pid:"), "[]")
	}
	return host
}

// processDead reports whether a process of this machine has certainly ended. In a doubt it has not:
// then its lease ends by itself.
func processDead(name string) bool {
	machine, text, ok := strings.Cut(name, ":")
	pid, err := strconv.Atoi(text)
	if !ok || err != nil || pid <= 0 || machine != machineName() {
		return false
	}
	return !processAlive(pid)
}
