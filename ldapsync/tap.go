package ldapsync

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-ldap/ldap/v3"
)

var errUnexpectedMessage = errors.New("the server sent a message that nobody asked for")

// tap stands between go-ldap and a connection that is lent to it for a bind. Its Close does not close
// the connection: it wakes the Read that go-ldap waits in and makes sure that none follows, so that
// afterwards the connection is ours alone again.
type tap struct {
	net.Conn

	in   framer
	sent atomic.Int64 // requests: go-ldap does one Write for each
	keep atomic.Bool  // Close lets go instead of closing
	shut atomic.Bool  // go-ldap has closed the connection of its own accord

	mu   sync.Mutex // held while Read runs
	gone bool
	err  error // the first error of Read, which go-ldap reports as text only
}

func (t *tap) Write(p []byte) (int, error) {
	t.sent.Add(1)
	return t.Conn.Write(p)
}

func (t *tap) Read(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gone {
		return 0, net.ErrClosed
	}
	n, err := t.in.read(t.Conn, p)
	if err != nil && t.err == nil && !t.keep.Load() {
		t.err = err
	}
	return n, err
}

func (t *tap) Close() error {
	if !t.keep.Load() {
		t.shut.Store(true)
		return t.Conn.Close()
	}
	// A deadline in the past wakes a Read that waits for nothing; it does a tls.Conn no harm, as one
	// for writing would.
	if err := t.SetReadDeadline(time.Unix(1, 0)); err != nil {
		return err
	}
	t.mu.Lock() // whoever was in Read has left it now
	defer t.mu.Unlock()
	t.gone = true
	return t.SetReadDeadline(time.Time{})
}

// with lends c to go-ldap while f runs. The end of ctx closes shut, the bottom of c; no other timeout is
// needed. After an error c is closed.
//
// f must not close the ldap.Conn and must not set its timeout.
func with(ctx context.Context, c, shut net.Conn, f func(*ldap.Conn) error) error {
	stop := context.AfterFunc(ctx, func() { _ = shut.Close() })
	defer stop()
	t := &tap{Conn: c}
	l := ldap.NewConn(t, c != shut)
	l.Start()
	err := f(l)
	t.keep.Store(true)
	closeErr := l.Close() // ends both goroutines of go-ldap and calls tap.Close
	t.mu.Lock()           // one that closed of its own accord may still be in Read
	defer t.mu.Unlock()
	t.gone = true
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case err != nil && !isResult(err) && t.err != nil:
		err = t.err
	case err == nil && (t.in.torn() || t.in.messages != t.sent.Load()):
		err = errUnexpectedMessage
	case err == nil && t.shut.Load():
		err = net.ErrClosed
	case err == nil:
		err = closeErr
	}
	if err != nil {
		_ = shut.Close()
	}
	return err
}

// isResult reports whether err is an answer of the server and not an accident on the way.
func isResult(err error) bool {
	var e *ldap.Error
	return errors.As(err, &e) && !clientCode(e.ResultCode)
}

// clientCode reports whether go-ldap made up the code itself.
func clientCode(code uint16) bool {
	return code >= ldap.ErrorNetwork && code <= ldap.ErrorMalformedPacket
}

// maxBindMessage bounds an answer to a bind; the largest are Kerberos tokens of some tens of KiB.
const maxBindMessage = 1 << 20

// framer hands over the bytes of one LDAP message at a time and never reads beyond its end. go-ldap
// reads through a buffer of 4 KiB: what stood in there behind the answer to a bind would be lost.
type framer struct {
	header   [6]byte
	have     int // bytes of the header seen
	left     int // bytes of the body still to come
	messages int64
}

// torn reports whether a message was begun and not finished.
func (f *framer) torn() bool { return f.have > 0 }

func (f *framer) read(c net.Conn, p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	want := f.left
	if want == 0 {
		want = f.headerWants()
	}
	n, err := c.Read(p[:min(len(p), want)])
	if n > 0 {
		if e := f.took(p[:n]); e != nil {
			return 0, e
		}
	}
	return n, err
}

// headerWants says how many bytes can be read without going beyond the header.
func (f *framer) headerWants() int {
	if f.have < 2 {
		return 2 - f.have
	}
	return max(1, 2+int(f.header[1]&0x7f)-f.have)
}

// took counts b, which is part of the header or of the body.
func (f *framer) took(b []byte) error {
	if f.left > 0 {
		f.left -= len(b)
	} else {
		f.have += copy(f.header[f.have:], b)
		size, body, err := berHeader(f.header[:f.have])
		switch {
		case err != nil:
			return err
		case size == 0:
			return nil
		case f.header[0] != tagSequence:
			return errMalformed
		case body > maxBindMessage:
			return errors.New("an answer larger than 1 MiB")
		}
		f.left = body
	}
	if f.left == 0 {
		f.have = 0
		f.messages++
	}
	return nil
}
