package ldaptest

import (
	"errors"
	"net"
	"slices"
)

// FaultKind is a way to misbehave.
type FaultKind int

// The kinds of faults. After counts the entries sent before the fault, for CutAtByte the bytes.
const (
	Close             FaultKind = iota + 1 // ends the connection
	CutAtByte                              // ends the connection in the middle of a message
	Garbage                                // sends what is no LDAP message, then ends the connection
	Freeze                                 // answers nothing more and keeps the connection
	Slow                                   // waits for Gate before each message
	Disconnect                             // sends a notice of disconnection with Code, then ends the connection
	Result                                 // ends the answer with Code and Message
	NoPagingControl                        // leaves the paging control out of the answer
	Referral                               // ends the answer with code 10 and Message as the address
	RefuseConnections                      // resets each new connection
)

// Stage is when a fault strikes.
type Stage int

// The stages. AtConnect is before TLS, so a Freeze there stalls the handshake of ldaps too; a Freeze
// AtStartTLS agrees to StartTLS and then says nothing.
const (
	AtSearch Stage = iota
	AtBind
	AtStartTLS
	AtConnect
)

// Fault is one way in which the server misbehaves. Searches of a single entry (scope base) are left alone
// unless Base is set, so that a reader gets as far as its real search.
type Fault struct {
	Kind    FaultKind
	At      Stage
	After   int
	Skip    int             // so many requests (pages, binds, connections) of the stage pass first
	Times   int             // strikes so often; 0 = until the faults are cleared
	Base    bool            // strikes base searches too
	Code    uint16          // of Result and Disconnect
	Message string          // of Result, Disconnect and Referral
	Gate    <-chan struct{} // of Slow: one message for each receive; closed = all
}

// SetFaults replaces the faults. It acts on requests that come in from now on.
func (s *Server) SetFaults(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = slices.Clone(faults)
}

// ClearFaults makes the server behave again.
func (s *Server) ClearFaults() { s.SetFaults() }

// DropConnections ends all connections there are, as a restart does.
func (s *Server) DropConnections() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.raw.Close() //nolint:errcheck,gosec // its goroutine sees the end
	}
}

// strike takes the faults for one request.
func (s *Server) strike(at Stage, base bool) []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	var hit []Fault
	for i := 0; i < len(s.faults); i++ {
		f := &s.faults[i]
		if f.At != at || base && !f.Base {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		hit = append(hit, *f)
		if f.Times--; f.Times == 0 {
			s.faults = slices.Delete(s.faults, i, i+1)
			i--
		} else if f.Times < 0 {
			f.Times = 0
		}
	}
	return hit
}

var (
	errHangUp  = errors.New("end of the connection")
	errSilence = errors.New("the request gets no further answer")
)

// answer writes the messages that answer one request, through the faults.
type answer struct {
	c       *conn
	m       message
	w       writer
	faults  []Fault
	entries int
	bytes   int
	aside   bool // the connection goes on with other requests
}

func (c *conn) answer(m message, at Stage, base bool) *answer {
	return &answer{c: c, m: m, faults: c.s.strike(at, base), w: writer{b: c.buf[:0], long: c.s.o.longLengths}}
}

// forEver lets f go on with the answer, until the connection ends, while that takes further requests.
func (o *answer) forEver(f func(o *answer) error) {
	own := &answer{c: o.c, m: o.m, faults: o.faults, entries: o.entries, bytes: o.bytes, aside: true, w: writer{long: o.w.long}}
	o.c.s.wait.Go(func() {
		if err := f(own); err != nil && !errors.Is(err, errSilence) {
			o.c.raw.Close() //nolint:errcheck,gosec // may be closed already
		}
	})
}

// flush sends what is in the buffer: one message, if there are faults, else any number.
func (o *answer) flush(entries bool) error {
	if len(o.w.b) > 0 {
		if err := o.before(); err != nil {
			return err
		}
		if err := o.write(o.w.b); err != nil {
			return err
		}
		if entries {
			o.entries++
		}
		o.w.b = o.w.b[:0]
		if !o.aside {
			o.c.buf = o.w.b
		}
	}
	return nil
}

// before lets those faults strike whose time has come.
func (o *answer) before() error {
	for _, f := range o.faults {
		if f.Kind == Slow {
			select {
			case <-f.Gate:
			case <-o.c.s.closed:
				return errHangUp
			}
			continue
		}
		if f.Kind != CutAtByte && o.entries >= f.After {
			if err := o.strike(f); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *answer) strike(f Fault) error {
	switch f.Kind {
	case Close, RefuseConnections:
		return errHangUp
	case Freeze:
		return errSilence
	case Garbage:
		o.w.b = append(o.w.b[:0], "\x16\x03\x01 HTTP/1.1 400 Bad Request\r\n\r\n\xff\xff\xff\xff"...)
	case Disconnect:
		o.w.b = o.w.b[:0]
		o.w.result(0, opExtendDone, result{code: f.Code, text: f.Message, oid: "1.3.6.1.4.1.1466.20036"})
	case Result, Referral:
		r := result{code: f.Code, text: f.Message}
		if f.Kind == Referral {
			r = result{code: 10, referral: f.Message}
		}
		o.w.b = o.w.b[:0]
		o.w.result(o.m.id, doneOf(o.m.op), r)
		if err := o.write(o.w.b); err != nil {
			return err
		}
		return errSilence
	case CutAtByte, Slow, NoPagingControl:
		return nil
	}
	if err := o.write(o.w.b); err != nil {
		return err
	}
	return errHangUp
}

func (o *answer) write(b []byte) error {
	for _, f := range o.faults {
		if f.Kind == CutAtByte && o.bytes+len(b) > f.After {
			_, err := o.c.nc.Write(b[:max(0, f.After-o.bytes)])
			return errors.Join(errHangUp, err)
		}
	}
	o.bytes += len(b)
	_, err := o.c.nc.Write(b)
	return err
}

// done ends the answer.
func (o *answer) done(op byte, r result) error {
	if r.paging && slices.ContainsFunc(o.faults, func(f Fault) bool { return f.Kind == NoPagingControl }) {
		r.controls = nil
	}
	o.w.result(o.m.id, op, r)
	return o.flush(false)
}

// reset ends a TCP connection with RST instead of FIN.
func reset(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		t.SetLinger(0) //nolint:errcheck,gosec // closing follows
	}
	c.Close() //nolint:errcheck,gosec // nothing was sent
}
