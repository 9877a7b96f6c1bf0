package main

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// A reload, and the end of the daemon, wait for nobody who does not listen.
func TestWhoeverDoesNotListenHoldsUpNothing(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no systemd")
	}
	dir, err := os.MkdirTemp("", "usherd-notify-") // the path of a socket has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	full := make(chan struct{})
	go func() {
		defer close(full)
		for range 100_000 {
			start := time.Now()
			systemd{socket: socket}.tell(t.Context(), "WATCHDOG=1")
			if time.Since(start) >= tellTime {
				return
			}
		}
		t.Error("the socket is never full")
	}()
	select {
	case <-full:
	case <-time.After(time.Minute):
		t.Error("it is waited for ever")
	}
}
