package ldapsync

import (
	"bytes"
	"errors"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

var anID = syncID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}

// rawControl is a control with that value.
type rawControl struct{ oid, value string }

func (r rawControl) GetControlType() string { return r.oid }
func (r rawControl) String() string         { return r.oid }
func (r rawControl) Encode() *ber.Packet {
	p := ber.NewSequence("")
	p.AppendChild(octets(r.oid))
	p.AppendChild(octets(r.value))
	return p
}

func enumerated(n int) *ber.Packet {
	return ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, n, "")
}

func boolean(b bool) *ber.Packet {
	return ber.NewBoolean(ber.ClassUniversal, ber.TypePrimitive, ber.TagBoolean, b, "")
}

func sequence(of ...*ber.Packet) *ber.Packet {
	p := ber.NewSequence("")
	for _, c := range of {
		p.AppendChild(c)
	}
	return p
}

func stateControl(state int, id syncID, cookie string) ldap.Control {
	p := sequence(enumerated(state), octets(string(id[:])))
	if cookie != "" {
		p.AppendChild(octets(cookie))
	}
	return rawControl{ldap.ControlTypeSyncState, string(p.Bytes())}
}

func doneControl(cookie string, deletes bool) ldap.Control {
	p := sequence()
	if cookie != "" {
		p.AppendChild(octets(cookie))
	}
	if deletes {
		p.AppendChild(boolean(true))
	}
	return rawControl{ldap.ControlTypeSyncDone, string(p.Bytes())}
}

// infoValue is the value of a Sync Info message of that choice.
func infoValue(choice ber.Tag, of ...*ber.Packet) []byte {
	p := ber.Encode(ber.ClassContext, ber.TypeConstructed, choice, nil, "")
	for _, c := range of {
		p.AppendChild(c)
	}
	return p.Bytes()
}

func idSetValue(deletes bool, ids ...syncID) []byte {
	set := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
	for _, id := range ids {
		set.AppendChild(octets(string(id[:])))
	}
	return infoValue(3, boolean(deletes), set)
}

func newCookieValue(cookie string) []byte {
	return ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, cookie, "").Bytes()
}

func infoMsg(id int, value []byte) []byte {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationIntermediateResponse, nil, "")
	op.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, ldap.ControlTypeSyncInfo, ""))
	op.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 1, string(value), ""))
	return envelope(id, op)
}

func TestSyncRequestIsThatOfGoLDAP(t *testing.T) {
	t.Parallel()
	for _, cookie := range []string{"", "rid=000,csn=x"} {
		for _, mode := range []int{refreshOnly, refreshAndPersist} {
			p, err := ber.DecodePacketErr(encodeSyncRequest(mode, []byte(cookie)))
			if err != nil {
				t.Fatal(err)
			}
			want := ldap.NewControlSyncRequest(ldap.ControlSyncRequestMode(mode), []byte(cookie), false).Encode()
			if len(p.Children) != 3 || !bytes.Equal(p.Children[0].Bytes(), want.Children[0].Bytes()) || p.Children[1].Value != true {
				t.Fatalf("%v", p)
			}
			in, err := ber.DecodePacketErr(p.Children[2].ByteValue)
			if err != nil || in.Children[0].Value != int64(mode) {
				t.Fatalf("mode %v, %v", in, err)
			}
			if n := len(in.Children); cookie == "" && n != 1 || cookie != "" && (n != 2 || string(in.Children[1].ByteValue) != cookie) {
				t.Errorf("mode %d, cookie %q: %v", mode, cookie, in.Children)
			}
		}
	}
}

func TestControlsAreFound(t *testing.T) {
	t.Parallel()
	list := func(controls ...ldap.Control) []byte {
		_, _, _, b, err := splitMessage(doneMsg(1, 0, "", controls...))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	done := doneControl("c", true)
	if v, err := findControl(list(paging("x"), ldap.NewControlManageDsaIT(true), done), ldap.ControlTypeSyncDone); err != nil || string(v) != done.(rawControl).value {
		t.Errorf("%x, %v", v, err)
	}
	if v, err := findControl(list(paging("x")), ldap.ControlTypeSyncDone); err != nil || v != nil {
		t.Errorf("none: %x, %v", v, err)
	}
	if _, err := findControl(list(done, done), ldap.ControlTypeSyncDone); err == nil {
		t.Error("two are taken")
	}
	if _, err := findControl([]byte("\x30\x05\x04"), ldap.ControlTypeSyncDone); err == nil {
		t.Error("a torn one is taken")
	}
}

func TestSyncMessagesAreBounded(t *testing.T) {
	t.Parallel()
	long := string(make([]byte, maxCookie+1))
	if _, err := decodeSyncInfo(newCookieValue(long)); !errors.Is(err, errLongCookie) {
		t.Errorf("new cookie: %v", err)
	}
	if _, err := decodeSyncDone([]byte(doneControl(long, false).(rawControl).value)); err == nil {
		t.Error("done: a long cookie is taken")
	}
	if _, err := decodeSyncState([]byte(stateControl(stateAdd, anID, long).(rawControl).value)); err == nil {
		t.Error("state: a long cookie is taken")
	}
	if _, err := decodeSyncState([]byte(stateControl(4, anID, "").(rawControl).value)); err == nil {
		t.Error("a fifth state is taken")
	}
	if _, err := decodeSyncInfo(infoValue(4)); err == nil {
		t.Error("an unknown choice is taken")
	}
	short := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
	short.AppendChild(octets("short"))
	if _, err := decodeSyncInfo(infoValue(3, short)); err == nil {
		t.Error("a UUID of 5 bytes is taken")
	}
}

func FuzzSyncState(f *testing.F) {
	for _, c := range []ldap.Control{stateControl(stateAdd, anID, ""), stateControl(stateDelete, anID, "rid=000,csn=x"), stateControl(statePresent, anID, "")} {
		value := []byte(c.(rawControl).value)
		f.Add(value)
		f.Add(long(value))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeSyncState(b)
		if err != nil {
			return
		}
		p, err := ber.DecodePacketErr(b)
		if err != nil {
			t.Fatalf("%x: decoded, but not by the oracle: %v", b, err)
		}
		want, err := ldap.NewControlSyncState(p)
		if err != nil {
			t.Fatalf("%x: decoded, but not by the oracle: %v", b, err)
		}
		if int64(want.State) != int64(s.state) || syncID(want.EntryUUID) != s.id || !bytes.Equal(want.Cookie, s.cookie) {
			t.Fatalf("%x: %+v; the oracle has %v", b, s, want)
		}
	})
}

func FuzzSyncInfo(f *testing.F) {
	for _, value := range [][]byte{
		newCookieValue("rid=000,csn=x"),
		infoValue(1), infoValue(1, octets("c")), infoValue(2, octets("c"), boolean(false)), infoValue(2, boolean(true)),
		idSetValue(true, anID), idSetValue(false, anID, syncID{}), infoValue(3, octets("c"), boolean(true), ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")),
	} {
		f.Add(value)
		f.Add(long(value))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		i, err := decodeSyncInfo(b)
		if err != nil {
			return
		}
		p, err := ber.DecodePacketErr(b)
		if err != nil {
			t.Fatalf("%x: decoded, but not by the oracle: %v", b, err)
		}
		want, err := ldap.NewControlSyncInfo(p)
		if err != nil {
			t.Fatalf("%x: decoded, but not by the oracle: %v", b, err)
		}
		switch i.kind {
		case infoNewCookie:
			// The oracle keeps what it takes for the bytes of a context-specific element elsewhere.
			if want.NewCookie == nil || !bytes.Equal(p.Data.Bytes(), i.cookie) {
				t.Fatalf("%x: %+v; the oracle has %v", b, i, want.NewCookie)
			}
			return
		case infoRefreshDelete:
			same(t, b, want.RefreshDelete != nil && bytes.Equal(want.RefreshDelete.Cookie, i.cookie) && want.RefreshDelete.RefreshDone == i.done)
		case infoRefreshPresent:
			same(t, b, want.RefreshPresent != nil && bytes.Equal(want.RefreshPresent.Cookie, i.cookie) && want.RefreshPresent.RefreshDone == i.done)
		case infoIDSet:
			n := 0
			ok := want.SyncIdSet != nil && bytes.Equal(want.SyncIdSet.Cookie, i.cookie) && want.SyncIdSet.RefreshDeletes == i.deletes
			err := i.each(func(id syncID) {
				ok = ok && n < len(want.SyncIdSet.SyncUUIDs) && syncID(want.SyncIdSet.SyncUUIDs[n]) == id
				n++
			})
			same(t, b, ok && err == nil && n == len(want.SyncIdSet.SyncUUIDs))
		}
	})
}

func same(t *testing.T, b []byte, ok bool) {
	t.Helper()
	if !ok {
		t.Fatalf("%x: the oracle has something else", b)
	}
}

func FuzzPlace(f *testing.F) {
	p := &syncPlace{marks: []syncMark{{key: markKey("a", "b"), top: anID, cookie: []byte("rid=000,csn=x")}, {}}}
	f.Add(p.encode())
	f.Add((&syncPlace{}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := decodePlace(b)
		if !ok {
			return
		}
		again, ok := decodePlace(p.encode())
		if !ok || !bytes.Equal(again.encode(), p.encode()) {
			t.Fatalf("%x: comes back as %+v", b, again)
		}
	})
}

func TestCookies(t *testing.T) {
	t.Parallel()
	const one, two = "20260105080000.000123Z#000000#001#000000", "20260105080001.000000Z#000000#002#000000"
	for _, c := range []struct {
		text string
		ok   bool
		csns int
	}{
		{"rid=000,csn=" + one, true, 1},
		{"rid=000,csn=" + one + ";" + two, true, 2},
		{"rid=001,sid=002,csn=" + one + ";" + two + ",delcsn=" + two, true, 2},
		{"csn=" + one, true, 1},
		{"rid=000", false, 0},
		{"rid=000,csn=", false, 0},
		{"rid=000,csn=garbage", false, 0},
		{"rid=000,csn=2026#000000#000#000000", false, 0},
		{"host:389#cn=sync:dc=x:(a=#b)#17", true, 0},
		{"host:389#cn=sync:dc=x:(a=b)#-1", false, 0},
		{"garbage", false, 0},
		{"", false, 0},
	} {
		if got := parseCookie([]byte(c.text)); got.ok != c.ok || c.ok && len(got.csns) != c.csns {
			t.Errorf("%q: %+v", c.text, got)
		}
	}
	at := func(csns string) cookie { return parseCookie([]byte("rid=000,csn=" + csns)) }
	later := "20260105080000.000124Z#000000#001#000000"
	for _, c := range []struct {
		now, last cookie
		behind    bool
	}{
		{at(one), at(one), false},
		{at(later), at(one), false},
		{at(one), at(later), true},
		{at(one + ";" + two), at(one), false}, // a provider more
		{at(one), at(one + ";" + two), true},  // one less
		{parseCookie([]byte("a#17")), parseCookie([]byte("a#16")), false},
		{parseCookie([]byte("a#16")), parseCookie([]byte("a#17")), true},
	} {
		if why := c.now.behind(c.last); (why != "") != c.behind {
			t.Errorf("%+v after %+v: %q", c.now, c.last, why)
		}
	}
}
