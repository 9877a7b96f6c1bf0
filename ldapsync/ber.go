package ldapsync

import (
	"encoding/binary"
	"errors"
)

// The tags of LDAP messages that are met here, RFC 4511 section 4.
const (
	tagBoolean      = 0x01
	tagInteger      = 0x02
	tagOctetString  = 0x04
	tagEnumerated   = 0x0a
	tagSequence     = 0x30
	tagSet          = 0x31
	tagUnbind       = 0x42
	tagSearch       = 0x63
	tagEntry        = 0x64
	tagDone         = 0x65
	tagReference    = 0x73
	tagExtended     = 0x78
	tagIntermediate = 0x79
	tagControls     = 0xa0
)

// maxMessage is the largest LDAP message that is accepted: a group of half a million members fits.
const maxMessage = 64 << 20

var (
	errMalformed = errors.New("malformed message")
	errTooLarge  = errors.New("a message larger than 64 MiB")
)

// berHeader reads tag and length at the start of b: size bytes of them, then body bytes of content. A
// size of 0 without an error means that b is too short to tell.
//
// LDAP uses one-byte tags and definite lengths only (RFC 4511 section 5.1). Lengths need not be
// minimal: Windows writes all of them in the form 0x84.
func berHeader(b []byte) (size, body int, err error) {
	if len(b) < 2 {
		if len(b) == 1 && b[0]&0x1f == 0x1f {
			return 0, 0, errMalformed
		}
		return 0, 0, nil
	}
	if b[0]&0x1f == 0x1f {
		return 0, 0, errMalformed
	}
	if b[1] < 0x80 {
		return 2, int(b[1]), nil
	}
	n := int(b[1] & 0x7f)
	if n == 0 || n > 4 {
		return 0, 0, errMalformed
	}
	if len(b) < 2+n {
		return 0, 0, nil
	}
	var length int64
	for _, c := range b[2 : 2+n] {
		length = length<<8 | int64(c)
	}
	if length > maxMessage {
		return 0, 0, errTooLarge
	}
	return 2 + n, int(length), nil
}

// tlv splits the first element off b. It fails on anything that is malformed or reaches beyond b.
func tlv(b []byte) (tag byte, value, rest []byte, ok bool) {
	size, body, err := berHeader(b)
	if err != nil || size == 0 || body > len(b)-size {
		return 0, nil, nil, false
	}
	end := size + body
	return b[0], b[size:end:end], b[end:], true
}

// expect splits off the first element of b, which must have that tag.
func expect(b []byte, tag byte) (value, rest []byte, ok bool) {
	got, value, rest, ok := tlv(b)
	return value, rest, ok && got == tag
}

// berInt reads the content of an INTEGER or ENUMERATED of at most four bytes.
func berInt(b []byte) (int, bool) {
	if len(b) == 0 || len(b) > 4 {
		return 0, false
	}
	n := int(b[0])
	if n >= 0x80 { // two's complement
		n -= 0x100
	}
	for _, c := range b[1:] {
		n = n<<8 | int(c)
	}
	return n, true
}

// appendTLV appends an element with that content.
func appendTLV(dst []byte, tag byte, value []byte) []byte {
	return append(appendHeader(dst, tag, len(value)), value...)
}

// appendText appends an OCTET STRING.
func appendText(dst []byte, s string) []byte {
	return append(appendHeader(dst, tagOctetString, len(s)), s...)
}

// appendInt appends an INTEGER or ENUMERATED; n is not negative.
func appendInt(dst []byte, tag byte, n int) []byte {
	b := bigEndian(n)
	first := 0
	for first < 3 && b[first] == 0 && b[first+1] < 0x80 { // the leading bit is the sign
		first++
	}
	return append(appendHeader(dst, tag, 4-first), b[first:]...)
}

func appendHeader(dst []byte, tag byte, n int) []byte {
	b := bigEndian(n)
	if n < 0x80 {
		return append(dst, tag, b[3])
	}
	first := 0
	for b[first] == 0 {
		first++
	}
	return append(append(dst, tag, longForm[first]), b[first:]...)
}

// longForm is the byte that announces a length of four bytes, of three and so on.
var longForm = [4]byte{0x84, 0x83, 0x82, 0x81}

// bigEndian is n in four bytes; what does not fit becomes the largest number that does.
func bigEndian(n int) (b [4]byte) {
	binary.BigEndian.PutUint32(b[:], uint32(min(max(n, 0), 1<<31-1)))
	return b
}
