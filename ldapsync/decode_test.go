package ldapsync

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp"
)

// content is the operation without its header.
func content(op *ber.Packet) []byte {
	_, value, _, _ := tlv(op.Bytes())
	return value
}

func TestAttributesAreMatchedWithTheRequest(t *testing.T) {
	t.Parallel()
	asked := []string{"objectGUID", "member;range=0-*", "mail", "userCertificate;binary"}
	for _, tc := range []struct {
		name string
		in   []attr
		want []string
	}{
		{
			"in order",
			[]attr{{"objectGUID", []string{"\x00\xff"}}, {"member", nil}, {"mail", []string{"a@x", "b@x"}}},
			[]string{`0 "" ["\x00\xff"]`, `1 "" []`, `2 "" ["a@x" "b@x"]`},
		},
		{"another order and case", []attr{{"MAIL", []string{"a"}}, {"objectguid", []string{"g"}}}, []string{`2 "" ["a"]`, `0 "" ["g"]`}},
		{
			"options",
			[]attr{{"member", nil}, {"Member;Range=0-1499", []string{"cn=a"}}, {"usercertificate;binary", []string{"c"}}, {"mail;lang-de;x-y", []string{"m"}}},
			[]string{`1 "" []`, `1 "range=0-1499" ["cn=a"]`, `3 "binary" ["c"]`, `2 "lang-de;x-y" ["m"]`},
		},
		{
			"not asked for",
			[]attr{{"mailbox", []string{"x"}}, {"mai", nil}, {"", nil}, {"mail", nil}},
			[]string{`-1 "" ["x"]`, `-1 "" []`, `-1 "" []`, `2 "" []`},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e, err := newDecoder(asked).decode(content(entryOp("cn=x", tc.in...)))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, a := range e.Attributes {
				got = append(got, fmt.Sprintf("%d %q %q", a.Index, a.Option, a.Values))
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestEntryIsDecodedWithoutAllocating(t *testing.T) {
	op := content(entryOp("uid=a,ou=people", attr{"uid", []string{"a"}}, attr{"member;range=0-1499", slices.Repeat([]string{"cn=x"}, 100)}, attr{"MAIL", []string{"a@x"}}))
	d := newDecoder([]string{"uid", "member", "mail"})
	n := testing.AllocsPerRun(100, func() {
		if e, err := d.decode(op); err != nil || len(e.Attributes) != 3 || len(e.Attributes[1].Values) != 100 {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations an entry", n)
	}
}

func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	d := newDecoder(nil)
	many := content(entryOp("cn=x", slices.Repeat([]attr{{"a", nil}}, maxAttributes+1)...))
	if _, err := d.decode(many); err == nil || !strings.Contains(err.Error(), "10000 attributes") {
		t.Errorf("%v", err)
	}
	set := appendTLV(nil, tagSet, bytes.Repeat([]byte{tagOctetString, 0}, maxValues+1))
	if _, err := d.attribute(append(appendText(nil, "member"), set...), 0); err == nil || !strings.Contains(err.Error(), "2000000 values") {
		t.Errorf("%v", err)
	}
	for i := range 2 * maxOptions {
		if s := d.option(fmt.Appendf(nil, "Range=%d", i)); s != fmt.Sprintf("range=%d", i) {
			t.Errorf("option %q", s)
		}
	}
	if len(d.options) != maxOptions {
		t.Errorf("%d options remembered", len(d.options))
	}
}

// oracleEntry is what asn1-ber finds in an entry; ok is false when it has another shape.
func oracleEntry(op []byte) (dn string, attrs []attr, ok bool) {
	p, err := ber.DecodePacketErr(appendTLV(nil, tagEntry, op))
	if err != nil || len(p.Children) != 2 || !isText(p.Children[0]) || !isList(p.Children[1], ber.TagSequence) {
		return "", nil, false
	}
	for _, one := range p.Children[1].Children {
		if !isList(one, ber.TagSequence) || len(one.Children) != 2 || !isText(one.Children[0]) || !isList(one.Children[1], ber.TagSet) {
			return "", nil, false
		}
		a := attr{name: string(one.Children[0].ByteValue)}
		for _, v := range one.Children[1].Children {
			if !isText(v) {
				return "", nil, false
			}
			a.values = append(a.values, string(v.ByteValue))
		}
		attrs = append(attrs, a)
	}
	return string(p.Children[0].ByteValue), attrs, true
}

func isText(p *ber.Packet) bool {
	return p.ClassType == ber.ClassUniversal && p.TagType == ber.TypePrimitive && p.Tag == ber.TagOctetString
}

func isList(p *ber.Packet, tag ber.Tag) bool {
	return p.ClassType == ber.ClassUniversal && p.TagType == ber.TypeConstructed && p.Tag == tag
}

func FuzzDecodeEntry(f *testing.F) {
	f.Add(content(entryOp("uid=a", attr{"uid", []string{"a"}}, attr{"MAIL;x", []string{"a@x", ""}}, attr{"none", nil})))
	_, value, _, _ := tlv(long(entryOp("uid=a", attr{"uid", []string{"a"}}).Bytes()))
	f.Add(value)
	f.Add([]byte{4, 0, 0x30, 0})
	d := newDecoder([]string{"uid", "mail"})
	f.Fuzz(func(t *testing.T, op []byte) {
		dn, attrs, want := oracleEntry(op)
		e, err := d.decode(op)
		if err == nil && !want {
			t.Fatalf("%x: decoded, but not by the oracle", op)
		}
		if err != nil {
			// The oracle also takes what LDAP forbids; what it would write itself must be decoded.
			if want && bytes.Equal(op, content(entryOp(dn, attrs...))) {
				t.Fatalf("%x: %v", op, err)
			}
			return
		}
		if string(e.DN) != dn || len(e.Attributes) != len(attrs) {
			t.Fatalf("%x: %q with %d attributes; the oracle has %q with %d", op, e.DN, len(e.Attributes), dn, len(attrs))
		}
		for i, a := range e.Attributes {
			name, option, _ := strings.Cut(attrs[i].name, ";")
			if a.Option != strings.ToLower(option) || a.Index >= 0 && !strings.EqualFold(d.names[a.Index], name) {
				t.Fatalf("%x: attribute %d is %+v; the oracle has %q", op, i, a, attrs[i].name)
			}
			if !slices.EqualFunc(a.Values, attrs[i].values, func(b []byte, s string) bool { return string(b) == s }) {
				t.Fatalf("%x: values %q; the oracle has %q", op, a.Values, attrs[i].values)
			}
		}
	})
}

func FuzzDecodeResult(f *testing.F) {
	for _, b := range [][]byte{
		doneMsg(1, 0, "", paging("cookie")), doneMsg(1, 4, "size", paging("")), long(doneMsg(1, 0, "", paging("c"))), noticeMsg(52, "down"),
		doneMsg(1, 0, "", ldap.NewControlManageDsaIT(true), paging("x")),
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		_, tag, op, controls, err := splitMessage(msg)
		if err != nil || tag != tagDone && tag != tagExtended {
			return
		}
		res, err := decodeResult(op, controls)
		if err != nil {
			return
		}
		p, err := ber.DecodePacketErr(msg)
		if err != nil {
			return // an unknown control may hold anything
		}
		want, ok := ldap.GetLDAPError(p).(*ldap.Error) //nolint:errorlint // it is one, or nil
		switch {
		case !ok && res.code != 0:
			t.Fatalf("%x: code %d; the oracle has 0", msg, res.code)
		case ok && !clientCode(want.ResultCode) && want.ResultCode != res.code:
			t.Fatalf("%x: code %d; the oracle has %d", msg, res.code, want.ResultCode)
		}
		if len(p.Children) < 3 {
			return
		}
		for _, child := range p.Children[2].Children {
			c, err := ldap.DecodeControl(child)
			if page, ok := c.(*ldap.ControlPaging); ok && err == nil && (!res.paged || !bytes.Equal(page.Cookie, res.cookie)) {
				t.Fatalf("%x: cookie %x; the oracle has %x", msg, res.cookie, page.Cookie)
			}
		}
	})
}

func TestRequestIsOneThatGoLDAPWouldSend(t *testing.T) {
	t.Parallel()
	r := searchRequest{
		Base: "ou=people,dc=example", Scope: ldap.ScopeWholeSubtree, Filter: `(&(objectClass=user)(cn=a\2a*))`,
		Attributes: []string{"cn", "mail"}, SizeLimit: 1000, PageSize: 500, Controls: []ldap.Control{ldap.NewControlMicrosoftShowDeleted()},
	}
	filter, err := ldap.CompileFilter(r.Filter)
	if err != nil {
		t.Fatal(err)
	}
	c := &conn{lastID: firstID}
	s := &stream{c: c, r: r, request: encodeSearch(r, filter.Bytes())}

	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchRequest, nil, "")
	op.AppendChild(octets(r.Base))
	for _, n := range []int{r.Scope, ldap.NeverDerefAliases} {
		op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, n, ""))
	}
	for _, n := range []int{r.SizeLimit, 0} {
		op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, n, ""))
	}
	op.AppendChild(ber.NewBoolean(ber.ClassUniversal, ber.TypePrimitive, ber.TagBoolean, false, ""))
	op.AppendChild(filter)
	names := ber.NewSequence("")
	names.AppendChild(octets("cn"))
	names.AppendChild(octets("mail"))
	op.AppendChild(names)
	want := envelope(firstID, op, ldap.NewControlMicrosoftShowDeleted(), &ldap.ControlPaging{PagingSize: 500, Cookie: []byte("x")})
	if got := s.message([]byte("x")); !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
}
