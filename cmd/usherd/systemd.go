package main

import (
	"context"
	"net"
	"strconv"
	"time"
)

// systemd tells the service manager how the daemon is (sd_notify(3)). Without NOTIFY_SOCKET it does
// nothing.
type systemd struct {
	socket   string
	watchdog time.Duration // how often systemd wants a sign of life; 0 = never
}

func newSystemd(env func(string) (string, bool)) systemd {
	var s systemd
	s.socket, _ = env("NOTIFY_SOCKET")
	if text, ok := env("WATCHDOG_USEC"); ok {
		if usec, err := strconv.ParseInt(text, 10, 64); err == nil && usec > 0 {
			s.watchdog = time.Duration(usec) * time.Microsecond
		}
	}
	return s
}

// tell sends a state such as "READY=1"; a service manager that does not listen is no reason to stop.
func (s systemd) tell(ctx context.Context, state string) {
	if s.socket == "" {
		return
	}
	name := s.socket
	if name[0] == '@' {
		name = "\x00" + name[1:] // an abstract socket
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unixgram", name)
	if err != nil {
		return
	}
	defer conn.Close() //nolint:errcheck // a datagram is sent or not
	// Whoever does not listen holds up nothing.
	if conn.SetWriteDeadline(time.Now().Add(tellTime)) == nil {
		_, _ = conn.Write([]byte(state))
	}
}

// tellTime is how long systemd may take to make room for what it is told.
const tellTime = time.Second

// keepAlive sends signs of life until ctx ends, as long as healthy says so.
func (s systemd) keepAlive(ctx context.Context, healthy func() bool) error {
	if s.socket == "" || s.watchdog == 0 {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(s.watchdog / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if healthy() {
				s.tell(ctx, "WATCHDOG=1")
			}
		}
	}
}
