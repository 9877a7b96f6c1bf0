package ldapsync

import (
	"net"
	"sync/atomic"
)

// mortal is a connection whose server dies after so many bytes.
type mortal struct {
	net.Conn

	left *atomic.Int64
	end  func()
}

func (m *mortal) Read(p []byte) (int, error) {
	n, err := m.Conn.Read(p[:min(len(p), 4096)])
	if before := m.left.Load(); m.left.Add(-int64(n)) <= 0 && before > 0 {
		m.end()
		_ = m.Close() // what the server had sent before may still lie in the socket
	}
	return n, err
}
