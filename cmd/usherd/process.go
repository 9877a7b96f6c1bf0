package main

import (
	"os"
	"strconv"
	"strings"
)

// processName names this process in the store's leases: machine and process id.
func processName() string {
	host, err := os.Hostname()
	if err != nil || host == "" || strings.ContainsAny(host, " :") {
		return ""
	}
	return host + ":" + strconv.Itoa(os.Getpid())
}

// processDead reports whether a process of this machine has certainly ended. In a doubt it has not:
// then its lease ends by itself.
func processDead(name string) bool {
	host, text, ok := strings.Cut(name, ":")
	pid, err := strconv.Atoi(text)
	if mine, hostErr := os.Hostname(); !ok || err != nil || hostErr != nil || host != mine || pid <= 0 {
		return false
	}
	return !processAlive(pid)
}
