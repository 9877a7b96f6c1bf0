package ldaptest

import (
	"bufio"
	"errors"
	"io"
)

// Bounds of what a client may send.
const (
	maxRequest     = 1 << 20
	maxFilterDepth = 64
	maxFilterNodes = 4096
	maxAttributes  = 4096
	maxControls    = 64
)

var errMalformed = errors.New("malformed request")

// Operations (RFC 4511 section 4.2 and following).
const (
	opBind       = 0x60
	opBindDone   = 0x61
	opUnbind     = 0x42
	opSearch     = 0x63
	opEntry      = 0x64
	opDone       = 0x65
	opModify     = 0x66
	opAdd        = 0x68
	opDelete     = 0x4a
	opModifyDN   = 0x6c
	opCompare    = 0x6e
	opAbandon    = 0x50
	opReference  = 0x73
	opExtended   = 0x77
	opExtendDone = 0x78
	opInfo       = 0x79
)

// message is one LDAPMessage from a client.
type message struct {
	id       int64
	op       byte
	body     []byte // of the operation
	controls []control
}

type control struct {
	oid      string
	critical bool
	value    []byte
}

// readMessage reads one message whole and refuses one that is too large before it allocates for it.
func readMessage(r *bufio.Reader) ([]byte, error) {
	head, err := r.Peek(2)
	if err != nil {
		return nil, err
	}
	if head[0] != tagSequence {
		return nil, errMalformed
	}
	n, size := int(head[1]), 2
	if n >= 0x80 {
		size += n & 0x7f
		if size < 3 || size > maxHeader {
			return nil, errMalformed
		}
		if head, err = r.Peek(size); err != nil {
			return nil, err
		}
		n = 0
		for _, c := range head[2:size] {
			n = n<<8 | int(c)
		}
	}
	if n > maxRequest {
		return nil, errMalformed
	}
	if _, err = r.Discard(size); err != nil {
		return nil, err
	}
	b := make([]byte, n)
	_, err = io.ReadFull(r, b)
	return b, err
}

// parseMessage reads the content of an LDAPMessage. It keeps slices of b.
func parseMessage(b []byte) (message, error) {
	r := reader{b: b}
	m := message{id: r.int(tagInt)}
	if m.id > 1<<31-1 {
		return m, errMalformed
	}
	m.op, m.body = r.any()
	if r.peek() != 0xa0 {
		return m, r.end()
	}
	list := reader{b: r.want(0xa0)}
	for list.more() {
		c, err := parseControl(list.want(tagSequence))
		if err != nil || list.bad || len(m.controls) == maxControls {
			return m, errMalformed
		}
		m.controls = append(m.controls, c)
	}
	if list.bad {
		return m, errMalformed
	}
	return m, r.end()
}

func (r *reader) end() error {
	if r.bad || len(r.b) > 0 {
		return errMalformed
	}
	return nil
}

func parseControl(b []byte) (control, error) {
	r := reader{b: b}
	c := control{oid: r.str(tagOctets)}
	if r.peek() == tagBool {
		c.critical = r.bool(tagBool)
	}
	if r.peek() == tagOctets {
		c.value = r.want(tagOctets)
	}
	return c, r.end()
}

// search is a SearchRequest (RFC 4511 section 4.5.1).
type search struct {
	base      string
	scope     int64
	sizeLimit int64
	typesOnly bool
	filter    *filter
	// filterBytes is the filter as it came.
	filterBytes []byte
	attrs       []string
}

// Search scopes.
const (
	scopeBase = 0
	scopeOne  = 1
	scopeSub  = 2
)

func parseSearch(b []byte) (*search, error) {
	r := reader{b: b}
	s := &search{base: r.str(tagOctets), scope: r.int(tagEnum)}
	r.int(tagEnum) // aliases are not followed
	s.sizeLimit = r.int(tagInt)
	r.int(tagInt) // no search takes long
	s.typesOnly = r.bool(tagBool)
	nodes := 0
	var err error
	from := r.b
	if s.filter, err = parseFilter(&r, 0, &nodes); err != nil {
		return nil, err
	}
	s.filterBytes = from[:len(from)-len(r.b)]
	list := reader{b: r.want(tagSequence)}
	for list.more() {
		if len(s.attrs) == maxAttributes {
			return nil, errMalformed
		}
		s.attrs = append(s.attrs, list.str(tagOctets))
	}
	if list.bad || s.scope > scopeSub {
		return nil, errMalformed
	}
	return s, r.end()
}

// Filter choices (RFC 4511 section 4.5.1.7).
const (
	filterAnd     = 0xa0
	filterOr      = 0xa1
	filterNot     = 0xa2
	filterEqual   = 0xa3
	filterSub     = 0xa4
	filterGreater = 0xa5
	filterLess    = 0xa6
	filterPresent = 0x87
	filterApprox  = 0xa8
	filterExt     = 0xa9
)

// filter is one node of a parsed filter. What follows from the schema is filled in by prepare.
type filter struct {
	op    byte
	subs  []*filter
	attr  string
	value []byte
	parts []part // of a substring filter, in order
	rule  string // of an extensible match

	id      uint16
	known   bool // some entry may have the attribute
	never   bool // undefined whatever the entry
	syntax  syntax
	folded  []byte
	number  int64
	numeric bool
	seen    map[string]bool // answers for DN values met before
	inChain map[*entry]bool
}

type part struct {
	tag   byte // 0x80 initial, 0x81 any, 0x82 final
	value []byte
}

func parseFilter(r *reader, depth int, nodes *int) (*filter, error) {
	if *nodes++; *nodes > maxFilterNodes || depth > maxFilterDepth {
		return nil, errMalformed
	}
	f := &filter{}
	var body []byte
	f.op, body = r.any()
	in := reader{b: body}
	switch f.op {
	case filterAnd, filterOr, filterNot:
		for in.more() {
			sub, err := parseFilter(&in, depth+1, nodes)
			if err != nil {
				return nil, err
			}
			f.subs = append(f.subs, sub)
		}
		if f.op == filterNot && len(f.subs) != 1 {
			return nil, errMalformed
		}
	case filterEqual, filterGreater, filterLess, filterApprox:
		f.attr, f.value = in.str(tagOctets), in.want(tagOctets)
	case filterPresent:
		f.attr, in.b = string(body), nil
	case filterSub:
		f.attr = in.str(tagOctets)
		parts := reader{b: in.want(tagSequence)}
		for parts.more() {
			if *nodes++; *nodes > maxFilterNodes {
				return nil, errMalformed
			}
			tag, v := parts.any()
			f.parts = append(f.parts, part{tag, v})
		}
		in.bad = in.bad || parts.bad
	case filterExt:
		f.readExtensible(&in)
	default:
		return nil, errMalformed
	}
	if r.bad {
		return nil, errMalformed
	}
	return f, in.end()
}

func (f *filter) readExtensible(in *reader) {
	if in.peek() == 0x81 {
		f.rule = in.str(0x81)
	}
	if in.peek() == 0x82 {
		f.attr = in.str(0x82)
	}
	f.value = in.want(0x83)
	if in.peek() == 0x84 {
		in.want(0x84) // values inside the DN are not looked at
	}
}
