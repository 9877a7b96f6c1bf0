package ldaptest

import "encoding/binary"

// BER tags of the few types that LDAP uses (RFC 4511 section 5.1).
const (
	tagBool     = 0x01
	tagInt      = 0x02
	tagOctets   = 0x04
	tagEnum     = 0x0a
	tagSequence = 0x30
	tagSet      = 0x31
)

// tlv splits the first element off b. It accepts lengths that are not minimal, as Windows sends them, and
// refuses long tags and indefinite lengths, which LDAP forbids.
func tlv(b []byte) (tag byte, value, rest []byte, ok bool) {
	if len(b) < 2 || b[0]&0x1f == 0x1f {
		return 0, nil, nil, false
	}
	n, at := int(b[1]), 2
	if n >= 0x80 {
		k := n & 0x7f
		if k == 0 || k > 4 || len(b) < 2+k {
			return 0, nil, nil, false
		}
		n, at = 0, 2+k
		for _, c := range b[2:at] {
			n = n<<8 | int(c)
		}
	}
	if n < 0 || n > len(b)-at {
		return 0, nil, nil, false
	}
	return b[0], b[at : at+n], b[at+n:], true
}

// reader walks over the elements of one constructed value. After the first mistake bad stays set and every
// answer is a zero value.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) more() bool { return !r.bad && len(r.b) > 0 }

// peek is the tag of the next element, 0 at the end.
func (r *reader) peek() byte {
	if !r.more() {
		return 0
	}
	return r.b[0]
}

func (r *reader) any() (byte, []byte) {
	tag, v, rest, ok := tlv(r.b)
	if r.bad || !ok {
		r.bad = true
		return 0, nil
	}
	r.b = rest
	return tag, v
}

func (r *reader) want(tag byte) []byte {
	if r.peek() != tag {
		r.bad = true
		return nil
	}
	_, v := r.any()
	return v
}

func (r *reader) str(tag byte) string { return string(r.want(tag)) }

func (r *reader) bool(tag byte) bool {
	v := r.want(tag)
	return len(v) == 1 && v[0] != 0
}

// int reads a non-negative integer of at most 63 bits; LDAP's message ids, limits and enumerations are.
func (r *reader) int(tag byte) int64 {
	v := r.want(tag)
	if len(v) == 0 || len(v) > 8 || v[0]&0x80 != 0 {
		r.bad = true
		return 0
	}
	var n int64
	for _, c := range v {
		n = n<<8 | int64(c)
	}
	return n
}

// writer builds messages. With long set every constructed length takes four octets behind 0x84, as a
// Windows domain controller writes them; otherwise lengths are minimal.
type writer struct {
	b    []byte
	long bool
}

const maxHeader = 6

// open starts a constructed element; shut with the number it gave ends it.
func (w *writer) open(tag byte) int {
	w.b = append(w.b, tag, 0x84, 0, 0, 0, 0)
	return len(w.b)
}

func (w *writer) shut(at int) {
	n := len(w.b) - at
	if w.long || n > 0xffffff {
		binary.BigEndian.PutUint32(w.b[at-4:], uint32(n)) //nolint:gosec // a message stays far below 4 GiB
		return
	}
	head := appendLen(w.b[:at-maxHeader+1], n)
	if gap := at - len(head); gap > 0 {
		copy(w.b[len(head):], w.b[at:])
		w.b = w.b[:len(w.b)-gap]
	}
}

func (w *writer) octets(tag byte, v []byte) {
	w.b = appendLen(append(w.b, tag), len(v))
	w.b = append(w.b, v...)
}

func (w *writer) str(tag byte, v string) {
	w.b = appendLen(append(w.b, tag), len(v))
	w.b = append(w.b, v...)
}

func (w *writer) int(tag byte, v int64) {
	var buf [8]byte
	binary.BigEndian.PutUint64(buf[:], uint64(v)) //nolint:gosec // two's complement is what BER wants
	i := 0
	for i < 7 && (buf[i] == 0 && buf[i+1] < 0x80 || buf[i] == 0xff && buf[i+1] >= 0x80) {
		i++
	}
	w.octets(tag, buf[i:])
}

func (w *writer) bool(v bool) {
	b := byte(0)
	if v {
		b = 0xff
	}
	w.b = append(w.b, tagBool, 1, b)
}

// appendLen appends the shortest length octets for n.
func appendLen(b []byte, n int) []byte {
	if n < 0x80 {
		return append(b, byte(n)) //nolint:gosec // just checked
	}
	var buf [8]byte
	binary.BigEndian.PutUint64(buf[:], uint64(n))
	i := 4
	for buf[i] == 0 {
		i++
	}
	return append(append(b, byte(0x80+8-i)), buf[i:]...)
}

// appendOctets appends v as an OCTET STRING.
func appendOctets(b []byte, v string) []byte {
	return append(appendLen(append(b, tagOctets), len(v)), v...)
}

// nextValue splits the first value off the content of a SET OF OCTET STRING that this package encoded.
func nextValue(set []byte) (value, rest []byte) {
	if n := int(set[1]); n < 0x80 {
		return set[2 : 2+n], set[2+n:]
	}
	_, value, rest, _ = tlv(set)
	return value, rest
}

// countValues says how many values the content of a set has.
func countValues(set []byte) int {
	n := 0
	for len(set) > 0 {
		_, set = nextValue(set)
		n++
	}
	return n
}
