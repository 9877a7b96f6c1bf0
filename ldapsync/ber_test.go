package ldapsync

import (
	"bytes"
	"errors"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
)

func TestTLV(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in    string
		tag   byte
		value string
		rest  string
		ok    bool
	}{
		{"\x04\x01ab", 0x04, "a", "b", true},
		{"\x04\x00", 0x04, "", "", true},
		{"\x04\x81\x01a", 0x04, "a", "", true},
		{"\x04\x84\x00\x00\x00\x01ab", 0x04, "a", "b", true},
		{"", 0, "", "", false},
		{"\x04", 0, "", "", false},
		{"\x04\x02a", 0, "", "", false},
		{"\x04\x81", 0, "", "", false},
		{"\x04\x84\x00\x00\x00", 0, "", "", false},
		{"\x04\x80\x00\x00", 0, "", "", false},              // indefinite
		{"\x04\x85\x00\x00\x00\x00\x01a", 0, "", "", false}, // more than four bytes of length
		{"\x04\x84\xff\xff\xff\xff", 0, "", "", false},      // 4 GiB
		{"\x1f\x01\x01a", 0, "", "", false},
		{"\x3f\x01a", 0, "", "", false}, // a tag of several bytes
	} {
		tag, value, rest, ok := tlv([]byte(tc.in))
		if tag != tc.tag || string(value) != tc.value || string(rest) != tc.rest || ok != tc.ok {
			t.Errorf("%q: %#x %q %q %v", tc.in, tag, value, rest, ok)
		}
		if cap(value) != len(value) {
			t.Errorf("%q: append to the value would overwrite what follows", tc.in)
		}
	}
}

func TestMessageAboveTheLimitIsRefusedByItsHeader(t *testing.T) {
	t.Parallel()
	if _, body, err := berHeader([]byte{0x30, 0x84, 4, 0, 0, 0}); err != nil || body != maxMessage {
		t.Errorf("%d %v", body, err)
	}
	if _, _, err := berHeader([]byte{0x30, 0x84, 4, 0, 0, 1}); !errors.Is(err, errTooLarge) {
		t.Errorf("%v", err)
	}
}

func TestAppendedIntegersAndHeadersAreThoseOfTheOracle(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 127, 128, 255, 256, 32767, 32768, 1<<23 - 1, 1 << 23, firstID, 1<<31 - 1} {
		want := ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, n, "").Bytes()
		got := appendInt(nil, tagInteger, n)
		if !bytes.Equal(got, want) {
			t.Errorf("%d: %x, want %x", n, got, want)
		}
		if back, ok := berInt(got[2:]); !ok || back != n {
			t.Errorf("%d comes back as %d", n, back)
		}
	}
	for _, n := range []int{0, 1, 127, 128, 255, 256, 65535, 65536, 1 << 20} {
		p, err := ber.DecodePacketErr(appendTLV(nil, tagOctetString, make([]byte, n)))
		if err != nil || len(p.ByteValue) != n {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if n, ok := berInt([]byte{0xff}); !ok || n != -1 {
		t.Errorf("-1 is %d", n)
	}
}

// subset reports whether the first element of b is in the part of BER that LDAP uses.
func subset(b []byte) bool {
	return len(b) > 1 && b[0]&0x1f != 0x1f && b[1] != 0x80 && b[1] <= 0x84
}

func FuzzTLV(f *testing.F) {
	f.Add([]byte("\x04\x01ab"))
	f.Add(long(entryMsg(5, "cn=x", attr{"cn", []string{"x", ""}})))
	f.Add([]byte("\x30\x84\x00\x00\x00\x02\x05\x00"))
	f.Add([]byte("\x83\x82\x00\x01a"))
	f.Fuzz(func(t *testing.T, b []byte) {
		tag, value, rest, ok := tlv(b)
		r := bytes.NewReader(b)
		p, err := ber.ReadPacket(r)
		if err == nil && subset(b) != ok {
			t.Fatalf("%x: the oracle reads it, tlv says %v", b, ok)
		}
		if !ok {
			return
		}
		if err != nil {
			// The oracle also looks into what is constructed, and at the content of universal types.
			if tag&0xe0 == 0x80 {
				t.Fatalf("%x: the oracle says %v", b, err)
			}
			return
		}
		if r.Len() != len(rest) || byte(p.ClassType)|byte(p.TagType)|byte(p.Tag) != tag {
			t.Fatalf("%x: %d bytes left, tag %#x; the oracle has %d, %v", b, len(rest), tag, r.Len(), p)
		}
		if p.TagType == ber.TypePrimitive && !bytes.Equal(p.Data.Bytes(), value) {
			t.Fatalf("%x: %x; the oracle has %x", b, value, p.Data.Bytes())
		}
	})
}
