package ldapsync

import (
	"context"
	"math"
	"net"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// The messages of a server, made by asn1-ber and not by the code under test.

func envelope(id int, op *ber.Packet, controls ...ldap.Control) []byte {
	p := ber.NewSequence("")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
	p.AppendChild(op)
	if len(controls) > 0 {
		list := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "")
		for _, c := range controls {
			list.AppendChild(c.Encode())
		}
		p.AppendChild(list)
	}
	return p.Bytes()
}

func octets(s string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s, "")
}

type attr struct {
	name   string
	values []string
}

func entryOp(dn string, attrs ...attr) *ber.Packet {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultEntry, nil, "")
	op.AppendChild(octets(dn))
	list := ber.NewSequence("")
	for _, a := range attrs {
		one := ber.NewSequence("")
		one.AppendChild(octets(a.name))
		set := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
		for _, v := range a.values {
			set.AppendChild(octets(v))
		}
		one.AppendChild(set)
		list.AppendChild(one)
	}
	op.AppendChild(list)
	return op
}

func resultOp(tag ber.Tag, code int, text string) *ber.Packet {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "")
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, code, ""))
	op.AppendChild(octets(""))
	op.AppendChild(octets(text))
	return op
}

func entryMsg(id int, dn string, attrs ...attr) []byte { return envelope(id, entryOp(dn, attrs...)) }

func doneMsg(id, code int, text string, controls ...ldap.Control) []byte {
	return envelope(id, resultOp(ldap.ApplicationSearchResultDone, code, text), controls...)
}

func referenceMsg(id int, url string) []byte {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultReference, nil, "")
	op.AppendChild(octets(url))
	return envelope(id, op)
}

func noticeMsg(code int, text string) []byte {
	op := resultOp(ldap.ApplicationExtendedResponse, code, text)
	op.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 10, "1.3.6.1.4.1.1466.20036", ""))
	return envelope(0, op)
}

func paging(cookie string) ldap.Control { return &ldap.ControlPaging{Cookie: []byte(cookie)} }

func join(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// long writes every length of b in the form 0x84, as Windows does.
func long(b []byte) []byte {
	var out []byte
	for len(b) > 0 {
		tag, value, rest, ok := tlv(b)
		if !ok {
			panic("long: malformed")
		}
		if tag&0x20 != 0 {
			value = long(value)
		}
		n := len(value)
		out = append(out, tag, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
		out = append(out, value...)
		b = rest
	}
	return out
}

// answer makes what the server sends for the request with that message id.
type answer func(id int) []byte

// fixed is an answer that does not look at the request.
func fixed(b []byte) answer { return func(int) []byte { return b } }

// play answers the requests that come over c, one after another; then it closes c, or, when hold is not
// nil, first waits for it.
func play(c net.Conn, hold <-chan struct{}, answers ...answer) {
	defer c.Close()
	in := newMessages(c, newSilence(c, math.MaxInt64))
	for _, a := range answers {
		msg, err := in.next()
		if err != nil {
			return
		}
		id, _, _, _, err := splitMessage(msg)
		if err != nil {
			return
		}
		if b := a(id); len(b) > 0 {
			if _, err := c.Write(b); err != nil {
				return
			}
		}
	}
	if hold != nil {
		<-hold
	}
}

// scripted is a bound connection to a server that plays answers.
func scripted(t *testing.T, hold <-chan struct{}, answers ...answer) *conn {
	t.Helper()
	here, there := net.Pipe()
	go play(there, hold, answers...)
	c := newConn("ldap://script", here, here, defaultReadTimeout)
	t.Cleanup(c.shut)
	return c
}

// recorder remembers what is written.
type recorder struct {
	net.Conn

	writes [][]byte
}

func (r *recorder) Write(p []byte) (int, error) {
	r.writes = append(r.writes, append([]byte(nil), p...))
	return r.Conn.Write(p)
}

// wait is time passing, in a bubble of synctest.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pipe is both ends of a connection.
func pipe(t *testing.T) (here, there *conn) {
	t.Helper()
	a, b := net.Pipe()
	here, there = newConn("ldap://script", a, a, defaultReadTimeout), newConn("ldap://client", b, b, math.MaxInt64)
	t.Cleanup(here.shut)
	t.Cleanup(there.shut)
	return here, there
}
