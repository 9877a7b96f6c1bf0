// Package dnstest is a small DNS server on 127.0.0.1 for tests and demonstrations: TXT records over UDP
// and TCP, with the faults that real servers have. It never asks another server.
package dnstest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Server answers for the names it was told of and with NXDOMAIN for all others. Its methods may be
// called while it serves.
type Server struct {
	addr string
	udp  net.PacketConn
	tcp  net.Listener
	wg   sync.WaitGroup

	mu      sync.Mutex
	zones   map[string]zone
	conns   map[net.Conn]bool
	queries []Query
	closed  bool
}

type zone struct {
	txt    [][]string
	rcode  dnsmessage.RCode
	silent bool
}

// Query is a question that was received.
type Query struct {
	Name    string // lower case, with its trailing dot
	Network string // udp or tcp
}

// Start begins to serve on a free port of 127.0.0.1.
func Start() (*Server, error) {
	s := &Server{zones: map[string]zone{}, conns: map[net.Conn]bool{}}
	if err := s.listen(); err != nil {
		return nil, fmt.Errorf("dnstest: listen: %w", err)
	}
	s.wg.Go(s.serveUDP)
	s.wg.Go(s.serveTCP)
	return s, nil
}

// listen finds a port that is free for both networks.
func (s *Server) listen() (err error) {
	for range 20 {
		if s.tcp, err = net.Listen("tcp", "127.0.0.1:0"); err != nil { //nolint:noctx // a local socket opens at once
			return err
		}
		s.addr = s.tcp.Addr().String()
		if s.udp, err = net.ListenPacket("udp", s.addr); err == nil { //nolint:noctx // a local socket opens at once
			return nil
		}
		_ = s.tcp.Close()
	}
	return err
}

// Addr returns host and port, the same for UDP and TCP.
func (s *Server) Addr() string { return s.addr }

// Close stops the server and waits for it.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	err := errors.Join(s.udp.Close(), s.tcp.Close())
	for c := range s.conns {
		err = errors.Join(err, c.Close())
	}
	s.mu.Unlock()
	s.wg.Wait()
	return err
}

// SetTXT gives the name one TXT record for each text, in place of what it had; a text over 255 bytes is
// sent as several strings of one record. Without texts the name exists and has no TXT record.
func (s *Server) SetTXT(name string, texts ...string) {
	var z zone
	for _, text := range texts {
		var parts []string
		for part := range slices.Chunk([]byte(text), 255) {
			parts = append(parts, string(part))
		}
		z.txt = append(z.txt, parts)
	}
	s.set(name, z)
}

// SetStrings gives the name one TXT record made of these strings of at most 255 bytes.
func (s *Server) SetStrings(name string, parts ...string) { s.set(name, zone{txt: [][]string{parts}}) }

// Fail makes questions for the name fail with the code, such as dnsmessage.RCodeServerFailure.
func (s *Server) Fail(name string, code dnsmessage.RCode) { s.set(name, zone{rcode: code}) }

// Silence makes questions for the name go unanswered.
func (s *Server) Silence(name string) { s.set(name, zone{silent: true}) }

// Remove makes the name unknown again.
func (s *Server) Remove(name string) { s.set(name, zone{rcode: dnsmessage.RCodeNameError}) }

func (s *Server) set(name string, z zone) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.zones[key(name)] = z
}

func key(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) + "." }

// Queries returns what was asked, in order.
func (s *Server) Queries() []Query {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.queries)
}

func (s *Server) serveUDP() {
	buf := make([]byte, 4096)
	for {
		n, from, err := s.udp.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // Windows tells of a client that is gone
			continue
		}
		if answer := s.answer(buf[:n], "udp"); answer != nil {
			_, _ = s.udp.WriteTo(answer, from) // a client that is gone asks again or not
		}
	}
}

func (s *Server) serveTCP() {
	for {
		c, err := s.tcp.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			_ = c.Close()
			return
		}
		s.conns[c] = true
		s.wg.Go(func() { s.serveConn(c) })
		s.mu.Unlock()
	}
}

// serveConn answers messages with their lengths before them (RFC 1035 4.2.2).
func (s *Server) serveConn(c net.Conn) {
	defer func() {
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
		_ = c.Close()
	}()
	for {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, query); err != nil {
			return
		}
		answer := s.answer(query, "tcp")
		if answer == nil {
			continue
		}
		out := binary.BigEndian.AppendUint16(nil, uint16(len(answer))) //nolint:gosec // answer keeps to 65,535
		if _, err := c.Write(append(out, answer...)); err != nil {
			return
		}
	}
}

// answer returns nil for no answer at all.
func (s *Server) answer(query []byte, network string) []byte {
	var p dnsmessage.Parser
	head, err := p.Start(query)
	if err != nil {
		return nil
	}
	q, err := p.Question()
	if err != nil {
		return nil
	}
	s.mu.Lock()
	z, known := s.zones[key(q.Name.String())]
	s.queries = append(s.queries, Query{key(q.Name.String()), network})
	s.mu.Unlock()
	if !known {
		z.rcode = dnsmessage.RCodeNameError
	}
	if z.silent {
		return nil
	}
	m := dnsmessage.Message{
		Header: dnsmessage.Header{
			ID: head.ID, Response: true, Authoritative: true, RecursionDesired: head.RecursionDesired, RecursionAvailable: true, RCode: z.rcode,
		},
		Questions: []dnsmessage.Question{q},
	}
	if q.Type == dnsmessage.TypeTXT {
		for _, parts := range z.txt {
			m.Answers = append(m.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: uint32(time.Minute / time.Second)},
				Body:   &dnsmessage.TXTResource{TXT: parts},
			})
		}
	}
	limit := 65535
	if network == "udp" {
		limit = payload(&p)
	}
	answer, err := m.Pack()
	if err == nil && len(answer) <= limit {
		return answer
	}
	m.Answers = nil
	m.Truncated = err == nil
	if err != nil || network == "tcp" { // records that no message can hold
		m.RCode = dnsmessage.RCodeServerFailure
	}
	answer, err = m.Pack()
	if err != nil {
		return nil
	}
	return answer
}

// payload is the size of answer that the client takes over UDP (RFC 6891 6.2.3), 512 without EDNS.
func payload(p *dnsmessage.Parser) int {
	const plain = 512
	if p.SkipAllQuestions() != nil || p.SkipAllAnswers() != nil || p.SkipAllAuthorities() != nil {
		return plain
	}
	for {
		h, err := p.AdditionalHeader()
		if err != nil {
			return plain
		}
		if h.Type == dnsmessage.TypeOPT {
			return max(int(h.Class), plain)
		}
		if p.SkipAdditional() != nil {
			return plain
		}
	}
}
