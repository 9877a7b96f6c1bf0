package ldapsync

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// attribute is one attribute of an entry, or one part of it when it came in ranges.
type attribute struct {
	Index  int    // in searchRequest.Attributes, -1 when not asked for
	Option string // "range=0-1499", "binary", "lang-de"; in lower case, without the leading ';'
	Values [][]byte
}

// entry is one entry of an answer. It is lent until yield returns: the memory is used again.
type entry struct {
	DN         []byte
	Attributes []attribute
}

// Bounds of one entry, so that a message within maxMessage cannot cost many times its size.
const (
	maxAttributes = 10_000
	maxValues     = 2_000_000
	maxOptions    = 1_000 // spellings of options remembered
)

// silence closes a connection when the server has been waited for too long. A timer measures only the
// waiting: a deadline would also run while the caller is busy with an entry, and then cut off a server
// whose bytes are already here.
type silence struct {
	limit time.Duration
	timer *time.Timer
	over  atomic.Bool
}

func newSilence(c io.Closer, limit time.Duration) *silence {
	s := &silence{limit: limit}
	s.timer = time.AfterFunc(limit, func() {
		s.over.Store(true)
		_ = c.Close()
	})
	s.timer.Stop()
	return s
}

// read is c.Read within the limit.
func (s *silence) read(c net.Conn, p []byte) (int, error) {
	s.timer.Reset(s.limit)
	n, err := c.Read(p)
	s.timer.Stop()
	return n, err
}

// write is c.Write within the limit.
func (s *silence) write(c net.Conn, p []byte) error {
	s.timer.Reset(s.limit)
	_, err := c.Write(p)
	s.timer.Stop()
	return err
}

// messages cuts what comes from a connection into LDAP messages, in one buffer.
type messages struct {
	conn    net.Conn
	silence *silence
	idle    bool // nothing need come: only the rest of a message that has begun is waited for within a limit
	buf     []byte
	r, w    int // what is in buf and not yet handed out
}

const firstBuffer = 64 << 10

func newMessages(c net.Conn, s *silence) *messages {
	return &messages{conn: c, silence: s, buf: make([]byte, firstBuffer)}
}

// next returns one whole message with its header. It is valid until the next call. The end of the
// connection is io.EOF between messages, io.ErrUnexpectedEOF within one.
func (m *messages) next() ([]byte, error) {
	for {
		size, body, err := berHeader(m.buf[m.r:m.w])
		if err != nil {
			return nil, err
		}
		if m.w > m.r && m.buf[m.r] != tagSequence {
			return nil, errMalformed
		}
		if total := size + body; size > 0 && m.w-m.r >= total {
			msg := m.buf[m.r : m.r+total : m.r+total]
			m.r += total
			return msg, nil
		}
		if err := m.fill(); err != nil {
			if errors.Is(err, io.EOF) && m.w > m.r {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// fill reads once. The buffer doubles when a message does not fit, so that a server has to send what it
// announces before memory is given to it.
func (m *messages) fill() error {
	switch {
	case m.r == m.w:
		m.r, m.w = 0, 0
	case m.w == len(m.buf):
		next := m.buf
		if m.r < len(m.buf)/2 {
			next = make([]byte, min(2*len(m.buf), maxMessage+6))
		}
		m.w = copy(next, m.buf[m.r:m.w])
		m.r, m.buf = 0, next
	}
	n, err := m.read(m.buf[m.w:])
	m.w += n
	if n > 0 {
		return nil
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

func (m *messages) read(p []byte) (int, error) {
	if m.idle && m.r == m.w {
		return m.conn.Read(p)
	}
	return m.silence.read(m.conn, p)
}

// ready reports whether next has a message, or an error, without reading.
func (m *messages) ready() bool {
	size, body, err := berHeader(m.buf[m.r:m.w])
	return err != nil || size > 0 && m.w-m.r >= size+body
}

// await reads until a whole message is in the buffer, or reports false when the deadline of the connection
// comes first.
func (m *messages) await() (bool, error) {
	for {
		if m.ready() {
			return true, nil
		}
		if err := m.fill(); errors.Is(err, os.ErrDeadlineExceeded) {
			return false, nil
		} else if err != nil {
			return false, err
		}
	}
}

// splitMessage takes the envelope off a message.
func splitMessage(msg []byte) (id int, tag byte, op, controls []byte, err error) {
	body, rest, ok := expect(msg, tagSequence)
	if !ok || len(rest) > 0 {
		return 0, 0, nil, nil, errMalformed
	}
	number, body, ok := expect(body, tagInteger)
	if !ok {
		return 0, 0, nil, nil, errMalformed
	}
	if id, ok = berInt(number); !ok {
		return 0, 0, nil, nil, errMalformed
	}
	if tag, op, body, ok = tlv(body); !ok {
		return 0, 0, nil, nil, errMalformed
	}
	if len(body) == 0 {
		return id, tag, op, nil, nil
	}
	controls, rest, ok = expect(body, tagControls)
	if !ok || len(rest) > 0 {
		return 0, 0, nil, nil, errMalformed
	}
	return id, tag, op, controls, nil
}

// decoder decodes entries into memory that it uses again and again.
type decoder struct {
	names   []string // of the attributes asked for, without options
	entry   entry
	values  [][]byte
	options map[string]string
}

func newDecoder(attributes []string) *decoder {
	d := &decoder{names: make([]string, len(attributes)), options: map[string]string{}}
	for i, a := range attributes {
		d.names[i], _, _ = strings.Cut(a, ";")
	}
	return d
}

// decode reads the content of a SearchResultEntry (RFC 4511 section 4.5.2): the DN, then a sequence of
// names with a set of values each.
func (d *decoder) decode(op []byte) (*entry, error) {
	dn, rest, ok := expect(op, tagOctetString)
	if !ok {
		return nil, errMalformed
	}
	list, rest, ok := expect(rest, tagSequence)
	if !ok || len(rest) > 0 {
		return nil, errMalformed
	}
	d.entry.DN = dn
	d.entry.Attributes = d.entry.Attributes[:0]
	d.values = d.values[:0]
	from := 0
	for len(list) > 0 {
		var one []byte
		if one, list, ok = expect(list, tagSequence); !ok {
			return nil, errMalformed
		}
		a, err := d.attribute(one, from)
		if err != nil {
			return nil, err
		}
		if a.Index >= 0 {
			from = a.Index + 1
		}
		if len(d.entry.Attributes) == maxAttributes {
			return nil, fmt.Errorf("entry %q has more than %d attributes", clip(dn), maxAttributes)
		}
		d.entry.Attributes = append(d.entry.Attributes, a)
	}
	return &d.entry, nil
}

// attribute reads one name and its values; from is where in the names it is looked for first.
func (d *decoder) attribute(b []byte, from int) (attribute, error) {
	name, rest, ok := expect(b, tagOctetString)
	if !ok {
		return attribute{}, errMalformed
	}
	set, rest, ok := expect(rest, tagSet)
	if !ok || len(rest) > 0 {
		return attribute{}, errMalformed
	}
	var a attribute
	if i := bytes.IndexByte(name, ';'); i >= 0 {
		a.Option = d.option(name[i+1:])
		name = name[:i]
	}
	a.Index = d.index(name, from)
	first := len(d.values)
	for len(set) > 0 {
		var v []byte
		if v, set, ok = expect(set, tagOctetString); !ok {
			return attribute{}, errMalformed
		}
		if len(d.values) == maxValues {
			return attribute{}, fmt.Errorf("an entry has more than %d values", maxValues)
		}
		d.values = append(d.values, v)
	}
	a.Values = d.values[first:len(d.values):len(d.values)]
	return a, nil
}

// index finds name among those asked for. Servers keep to one order, so the search starts behind the
// last one found and nearly always ends at once.
func (d *decoder) index(name []byte, from int) int {
	for i := from; i < len(d.names); i++ {
		if foldEqual(name, d.names[i]) {
			return i
		}
	}
	for i := range from {
		if foldEqual(name, d.names[i]) {
			return i
		}
	}
	return -1
}

// option returns the options in lower case; the same spelling costs memory once.
func (d *decoder) option(b []byte) string {
	if s, ok := d.options[string(b)]; ok {
		return s
	}
	s := strings.ToLower(string(b))
	if len(d.options) < maxOptions {
		d.options[string(b)] = s
	}
	return s
}

// foldEqual compares attribute names, which are ASCII (RFC 4512 section 1.4).
func foldEqual(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		if c != s[i] && lower(c) != lower(s[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// clip bounds what an error repeats of an answer.
func clip(b []byte) string { return string(b[:min(len(b), 300)]) }
