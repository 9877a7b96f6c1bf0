package ldaptest

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// Kind is the product that a Server behaves like.
type Kind int

// The kinds. They differ in the anchor (objectGUID, entryUUID, nsUniqueId), in which attributes the server
// makes, in how it shows DNs, in limits and in texts of errors.
const (
	ActiveDirectory Kind = iota
	OpenLDAP
	DS389
)

// Options describe a Server. The zero value is an Active Directory for dc=example,dc=test that nobody may
// bind to.
type Options struct {
	Addr      string // of ldap://; default 127.0.0.1:0
	LDAPSAddr string // default 127.0.0.1:0
	Kind      Kind
	Bases     []string // naming contexts; default DC=example,DC=test
	Accounts  []Account

	MaxPageSize int // AD: default 1000, unpaged answers too; OpenLDAP and 389-ds: default none. Negative = none
	MaxValRange int // AD: default 1500. Negative = none
	SizeLimit   int // OpenLDAP and 389-ds: entries of one search over all pages; 0 = none

	DirSyncPage        int  // AD: entries of one DirSync answer; default 1000
	NoReplicationRight bool // AD: DirSync only with OBJECT_SECURITY

	AllowAnonymous bool     // searches without a bind
	RequireTLS     bool     // a simple bind without TLS gets code 8
	RecycleBin     bool     // AD: tombstones keep their attributes
	References     []string // search references that a subtree search from the top of a base brings
	ShortLengths   bool     // AD: minimal BER lengths, as Samba writes them, instead of those of Windows

	// Seed makes the anchors differ from those of another server with the same bases. The same bases, seed
	// and order of changes give the same anchors.
	Seed string
	// InPlaceOf is a server that is closed, and whose addresses and certificates this one takes over: with the
	// same bases and seed, and fewer changes, it is that server restored from a snapshot.
	InPlaceOf *Server
	// Now is the clock of timestamps; default a clock that starts at 2026-01-05 08:00 UTC and moves one
	// second with every change.
	Now func() time.Time

	longLengths bool
}

// Counts say what a server was asked.
type Counts struct{ Connections, Binds, Searches int }

// Server is a running directory. Its methods may be called concurrently.
type Server struct {
	o    Options
	tree *tree
	pki  *pki
	ldap net.Listener
	tls  net.Listener

	mu       sync.Mutex // guards what follows
	accounts []Account
	rights   map[string]Rights
	faults   []Fault
	conns    map[*conn]struct{}
	counts   Counts
	serial   uint64

	closed chan struct{}
	stop   sync.Once
	wait   sync.WaitGroup
}

// Start makes a directory with its bases and listens. Close ends it.
func Start(o Options) (*Server, error) {
	o = o.withDefaults()
	t, err := newTree(o)
	if err != nil {
		return nil, err
	}
	var p *pki
	if old := o.InPlaceOf; old != nil {
		old.Close()
		o.Addr, o.LDAPSAddr, p, o.InPlaceOf = old.ldap.Addr().String(), old.tls.Addr().String(), old.pki, nil
	} else if p, err = newPKI(); err != nil {
		return nil, fmt.Errorf("ldaptest: certificates: %w", err)
	}
	s := &Server{
		o: o, tree: t, pki: p, accounts: slices.Clone(o.Accounts), rights: map[string]Rights{},
		conns: map[*conn]struct{}{}, closed: make(chan struct{}),
	}
	var lc net.ListenConfig
	if s.ldap, err = lc.Listen(context.Background(), "tcp", o.Addr); err != nil {
		return nil, fmt.Errorf("ldaptest: %w", err)
	}
	if s.tls, err = lc.Listen(context.Background(), "tcp", o.LDAPSAddr); err != nil {
		return nil, errors.Join(fmt.Errorf("ldaptest: %w", err), s.ldap.Close())
	}
	s.wait.Go(func() { s.accept(s.ldap, false) })
	s.wait.Go(func() { s.accept(s.tls, true) })
	return s, nil
}

func (o Options) withDefaults() Options {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if o.LDAPSAddr == "" {
		o.LDAPSAddr = "127.0.0.1:0"
	}
	if len(o.Bases) == 0 {
		o.Bases = []string{"DC=example,DC=test"}
	}
	if o.DirSyncPage <= 0 {
		o.DirSyncPage = 1000
	}
	if o.Kind == ActiveDirectory {
		o.longLengths = !o.ShortLengths
		if o.MaxPageSize == 0 {
			o.MaxPageSize = 1000
		}
		if o.MaxValRange == 0 {
			o.MaxValRange = 1500
		}
	}
	return o
}

// URL is the ldap:// address; StartTLS works there.
func (s *Server) URL() string { return "ldap://" + s.ldap.Addr().String() }

// LDAPSURL is the ldaps:// address.
func (s *Server) LDAPSURL() string { return "ldaps://" + s.tls.Addr().String() }

// Base is the first naming context.
func (s *Server) Base() string { return s.o.Bases[0] }

// Counts says what was asked since the start.
func (s *Server) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

func (s *Server) count(f func(*Counts)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.counts)
}

// Close ends listeners and connections and waits for their goroutines. It may be called twice.
func (s *Server) Close() {
	s.stop.Do(func() {
		close(s.closed)
		s.ldap.Close() //nolint:errcheck,gosec // nothing to be done
		s.tls.Close()  //nolint:errcheck,gosec // nothing to be done
		s.DropConnections()
	})
	s.wait.Wait()
}

func (s *Server) accept(l net.Listener, secure bool) {
	for {
		nc, err := l.Accept()
		if err != nil {
			return // closed
		}
		s.wait.Go(func() { s.serve(nc, secure) })
	}
}

// conn is one connection, served by one goroutine.
type conn struct {
	s       *Server
	id      uint64
	raw     net.Conn
	nc      net.Conn // raw, or TLS over it
	r       *bufio.Reader
	buf     []byte
	account *Account
	pages   map[string]*page
	cookies uint64
	gone    chan struct{} // closed when nothing more is read
}

func (s *Server) serve(nc net.Conn, secure bool) {
	c := &conn{s: s, raw: nc, nc: nc, pages: map[string]*page{}, gone: make(chan struct{})}
	if !s.enter(c) {
		nc.Close() //nolint:errcheck,gosec // the server is closed
		return
	}
	defer s.leave(c)
	for _, f := range s.strike(AtConnect, false) {
		if f.Kind == RefuseConnections {
			reset(nc)
			return
		}
		if f.Kind == Freeze {
			c.drain()
			return
		}
		if f.Kind == Close {
			return
		}
	}
	if secure && c.startTLS() != nil {
		return
	}
	c.r = bufio.NewReader(c.nc)
	for {
		err := c.one()
		if err != nil && !errors.Is(err, errSilence) {
			return
		}
	}
}

// enter takes a connection in, unless the server is closed.
func (s *Server) enter(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closed:
		return false
	default:
	}
	s.serial++
	c.id = s.serial
	s.counts.Connections++
	s.conns[c] = struct{}{}
	return true
}

func (s *Server) leave(c *conn) {
	close(c.gone)
	c.raw.Close() //nolint:errcheck,gosec // may be closed already
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// drain reads until the other side or the server ends the connection.
func (c *conn) drain() {
	buf := make([]byte, 512)
	for {
		if _, err := c.raw.Read(buf); err != nil {
			return
		}
	}
}

func (c *conn) startTLS() error {
	t := tls.Server(c.raw, c.s.pki.config())
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := t.HandshakeContext(ctx); err != nil {
		return err
	}
	c.nc = t
	return nil
}

// one reads and answers one message.
func (c *conn) one() error {
	b, err := readMessage(c.r)
	if err != nil {
		return err
	}
	m, err := parseMessage(b)
	if err != nil {
		m = message{}
		return errors.Join(errHangUp, c.result(m, opExtendDone, result{
			code: 2, text: "malformed message", oid: "1.3.6.1.4.1.1466.20036",
		}))
	}
	switch m.op {
	case opBind:
		return c.bind(m)
	case opUnbind:
		return errHangUp
	case opSearch:
		return c.search(m)
	case opExtended:
		return c.extended(m)
	case opAbandon:
		return nil // the request that it names was answered before it was read
	case opModify, opAdd, opDelete, opModifyDN, opCompare:
		return c.result(m, doneOf(m.op), result{code: 53, text: "this directory is only changed by its program"})
	}
	return errHangUp
}

// result answers with one message and no faults.
func (c *conn) result(m message, op byte, r result) error {
	w := writer{long: c.s.o.longLengths}
	w.result(m.id, op, r)
	_, err := c.nc.Write(w.b)
	return err
}

func (c *conn) extended(m message) error {
	r := reader{b: m.body}
	switch oid := r.str(0x80); oid {
	case "1.3.6.1.4.1.1466.20037":
		return c.upgrade(m, oid)
	case "1.3.6.1.4.1.4203.1.11.3":
		who := ""
		if c.account != nil {
			who = c.account.authzID()
		}
		return c.result(m, opExtendDone, result{value: []byte(who)})
	}
	return c.result(m, opExtendDone, result{code: 2, text: "unknown extended operation"})
}

// upgrade is StartTLS (RFC 4511 section 4.14).
func (c *conn) upgrade(m message, oid string) error {
	if c.nc != c.raw {
		return c.result(m, opExtendDone, result{code: 1, text: "TLS is on already"})
	}
	o := c.answer(m, AtStartTLS, false)
	frozen := slices.ContainsFunc(o.faults, func(f Fault) bool { return f.Kind == Freeze })
	if frozen {
		o.faults = nil
	}
	if err := o.done(opExtendDone, result{oid: oid}); err != nil {
		return err
	}
	switch {
	case frozen:
		c.drain()
		return errHangUp
	case c.r.Buffered() > 0:
		return errHangUp // clear text behind the request must not be taken for protected
	}
	if err := c.startTLS(); err != nil {
		return errors.Join(errHangUp, err)
	}
	c.r, c.account = bufio.NewReader(c.nc), nil
	return nil
}
