package ldaptest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/go-ldap/ldap/v3"
)

func TestRequestsAreBounded(t *testing.T) {
	t.Parallel()
	for name, b := range map[string][]byte{
		"two gigabytes":     {0x30, 0x84, 0x7f, 0xff, 0xff, 0xff},
		"indefinite length": {0x30, 0x80, 2, 1, 1, 0, 0},
		"five octets":       {0x30, 0x85, 0, 0, 0, 0, 1, 0},
		"no sequence":       {0x16, 3, 1, 0, 0},
	} {
		if _, err := readMessage(bufio.NewReader(bytes.NewReader(b))); !errors.Is(err, errMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := readMessage(bufio.NewReader(bytes.NewReader([]byte{0x30, 5, 1}))); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut: %v", err)
	}
	wide := []byte{}
	for range maxFilterNodes + 1 {
		wide = append(wide, filterPresent, 2, 'c', 'n')
	}
	var w writer
	at := w.open(filterOr)
	w.b = append(w.b, wide...)
	w.shut(at)
	nodes := 0
	if _, err := parseFilter(&reader{b: w.b}, 0, &nodes); !errors.Is(err, errMalformed) {
		t.Errorf("wide filter: %v", err)
	}
}

func TestLengthsAreThoseOfTheProduct(t *testing.T) {
	t.Parallel()
	for _, long := range []bool{false, true} {
		for _, n := range []int{0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x10000, 0x1000000} {
			w := writer{long: long}
			at := w.open(tagSequence)
			w.octets(tagOctets, make([]byte, n))
			w.shut(at)
			tag, value, rest, ok := tlv(w.b)
			_, inner, _, ok2 := tlv(value)
			if tag != tagSequence || len(rest) != 0 || !ok || !ok2 || len(inner) != n {
				t.Errorf("long %t, %d octets do not come back", long, n)
			}
			if isLong := w.b[1] == 0x84 && (n < 0x1000000); isLong != (long && n < 0x1000000) {
				t.Errorf("long %t, %d octets: length octet %#x", long, n, w.b[1])
			}
		}
	}
}

func TestWritesOverLDAPAreRefused(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	fill(t, s, 1)
	c := bound(t, s)
	dn := "CN=p00000,OU=People," + s.Base()
	m := ldap.NewModifyRequest(dn, nil)
	m.Replace("mail", []string{"x"})
	for what, err := range map[string]error{
		"modify": c.Modify(m), "delete": c.Del(ldap.NewDelRequest(dn, nil)), "add": c.Add(ldap.NewAddRequest("CN=x,"+s.Base(), nil)),
	} {
		if code(err) != ldap.LDAPResultUnwillingToPerform {
			t.Errorf("%s: %v", what, err)
		}
	}
}
