package ldapsync

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-ldap/ldap/v3"

	"usherd/connector"
)

const (
	csn1 = "rid=000,csn=20260105080000.000001Z#000000#000#000000"
	csn2 = "rid=000,csn=20260105080000.000002Z#000000#000#000000"
	num1 = "h:389#cn=sync:dc=x:(a=b)#1"
	num2 = "h:389#cn=sync:dc=x:(a=b)#2"
)

// scriptedSync is one search for people at a scripted server, from a cookie on.
func scriptedSync(t *testing.T, as Type, cookie string, hold <-chan struct{}, answers ...answer) *syncing {
	t.Helper()
	s := open(t, &Config{
		Type: as, Servers: []string{"ldaps://script"}, Bind: Bind{User: "cn=sync", Password: connector.NewSecret("x")}, Bases: []string{"dc=x"},
	}, func(o *Options) { o.Attributes = []string{"uid"} })
	x := &session{s: s, c: scripted(t, hold, answers...), hash: newDNHasher(), known: knownAs(s, 1, 2, 3)}
	people := &syncSearch{people: true, mark: syncMark{cookie: []byte(cookie)}, stream: &stream{
		c: x.c, ctx: t.Context(), r: searchRequest{Base: "dc=x", Scope: ldap.ScopeWholeSubtree, Filter: "(uid=*)", Attributes: x.personAttributes()},
	}}
	f, err := newSyncing(t.Context(), x, []*syncSearch{people}, new(touched))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func idOf(n byte) syncID { return syncID{n} }

func knownAs(s *Source, ids ...byte) func(context.Context) iter.Seq2[connector.Anchor, error] {
	return func(context.Context) iter.Seq2[connector.Anchor, error] {
		return func(yield func(connector.Anchor, error) bool) {
			for _, n := range ids {
				id := idOf(n)
				if !yield(connector.Anchor{Kind: s.layout.anchor.kind, Raw: string(id[:])}, nil) {
					return
				}
			}
		}
	}
}

// synced is an entry of somebody with a state.
func synced(n byte, state int, cookie string) func(id int) []byte {
	id := idOf(n)
	uuid := connector.Anchor{Kind: connector.EntryUUID, Raw: string(id[:])}.String()
	op := entryOp(fmt.Sprintf("uid=p%d,dc=x", n), attr{"uid", []string{"p"}}, attr{"entryUUID", []string{uuid}}, attr{"modifyTimestamp", []string{"20260105080000Z"}})
	return func(msg int) []byte { return envelope(msg, op, stateControl(state, id, cookie)) }
}

func informed(value []byte) func(id int) []byte {
	return func(id int) []byte { return infoMsg(id, value) }
}

func ended(code int, controls ...ldap.Control) func(id int) []byte {
	return func(id int) []byte { return doneMsg(id, code, "", controls...) }
}

func said(parts ...func(id int) []byte) answer {
	return func(id int) []byte {
		var b []byte
		for _, p := range parts {
			b = append(b, p(id)...)
		}
		return b
	}
}

func TestHowARefreshEnds(t *testing.T) {
	t.Parallel()
	var fifty []syncID
	for n := range byte(50) {
		fifty = append(fifty, idOf(n))
	}
	for _, c := range []struct {
		name    string
		as      Type
		from    string
		answer  answer
		records int
		anchors string // first bytes of the UUIDs
		full    string
		err     string
		next    string // "" = from
	}{
		{"nothing changed", OpenLDAP, csn1, said(ended(0, doneControl("", true))), 0, "", "", "", ""},
		{"one changed, one gone", OpenLDAP, csn1, said(
			synced(1, stateAdd, ""), informed(idSetValue(true, idOf(9))), ended(0, doneControl(csn2, true))), 1, "09", "", "", csn2},
		{"cookies on the way", OpenLDAP, csn1, said(
			informed(newCookieValue(csn2)), synced(1, stateAdd, csn2), ended(0, doneControl("", true))), 1, "", "does not know the place", "", ""},
		{"present phase", OpenLDAP, csn1, said(
			informed(idSetValue(false, idOf(1))), synced(2, stateAdd, ""), ended(0, doneControl(csn2, false))), 1, "03", "", "", csn2},
		{"present phase in entries", OpenLDAP, csn1, said(
			synced(1, statePresent, ""), synced(3, statePresent, ""), ended(0, doneControl(csn2, false))), 0, "02", "", "", csn2},
		{"present phase that names nobody", OpenLDAP, csn1, said(synced(2, stateAdd, ""), ended(0, doneControl(csn2, false))), 1, "", "names nobody", "", csn2},
		{"389-ds says the same of nothing", DS389, num1, said(ended(0, doneControl(num1, false))), 0, "", "", "", ""},
		{"389-ds says the same of a change", DS389, num1, said(synced(2, stateAdd, ""), ended(0, doneControl(num2, false))), 0, "02", "", "", num2},
		{"389-ds drops deletions", DS389, num1, said(informed(idSetValue(true, fifty...)), ended(0, doneControl(num2, false))), 0, "*", "were deleted", "", num1},
		{"a cookie too old", OpenLDAP, csn1, said(ended(4096)), 0, "", "too old", "", ""},
		{"size limit", OpenLDAP, csn1, said(synced(1, stateAdd, ""), ended(4)), 1, "", "size limit", "", ""},
		{"administrative limit", OpenLDAP, csn1, said(ended(11)), 0, "", "administrative limit", "", ""},
		{"no RFC 4533", OpenLDAP, csn1, said(ended(12)), 0, "", "", "code 12", ""},
		{"not allowed", OpenLDAP, csn1, said(ended(50)), 0, "", "", "code 50", ""},
		{"no control at the end", OpenLDAP, csn1, said(ended(0)), 0, "", "", "Sync Done", ""},
		{"an entry without a state", OpenLDAP, csn1, said(func(id int) []byte { return entryMsg(id, "uid=a,dc=x") }), 0, "", "", "malformed", ""},
		{"a broken message", OpenLDAP, csn1, said(informed([]byte{0xa3, 1, 0})), 0, "", "", "malformed", ""},
		{"the end of the connection", OpenLDAP, csn1, said(synced(1, stateAdd, "")), 1, "", "", "closed the connection", ""},
		{"notice of disconnection", OpenLDAP, csn1, said(func(int) []byte { return noticeMsg(51, "bye") }), 0, "", "", "bye", ""},
		{"an answer to somebody else", OpenLDAP, csn1, said(func(id int) []byte { return doneMsg(id+1, 0, "") }), 0, "", "", "nobody asked", ""},
		{"no operational attributes", OpenLDAP, csn1, said(func(id int) []byte {
			return envelope(id, entryOp("uid=a,dc=x", attr{"uid", []string{"a"}}), stateControl(stateAdd, idOf(7), ""))
		}, ended(0, doneControl(csn2, true))), 0, "07", "", "", csn2},
		{"values in ranges", OpenLDAP, csn1, said(func(id int) []byte {
			return envelope(id, entryOp("uid=a,dc=x", attr{"uid;range=0-1", []string{"a", "b"}}, attr{"modifyTimestamp", []string{"20260105080000Z"}}), stateControl(stateAdd, idOf(7), ""))
		}, ended(0, doneControl(csn2, true))), 0, "07", "", "", csn2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := scriptedSync(t, c.as, c.from, nil, c.answer)
			err := f.run(f.refresh)
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Fatalf("%v", err)
			}
			if f.full != c.full && (c.full == "" || !strings.Contains(f.full, c.full)) {
				t.Errorf("full %q", f.full)
			}
			var first []byte
			for a := range f.t.anchors {
				first = append(first, a.Raw[0])
			}
			ids := hex.EncodeToString(first)
			if len(f.t.records) != c.records || c.anchors != "*" && ids != c.anchors {
				t.Errorf("%d records, anchors %s", len(f.t.records), ids)
			}
			if next := string(f.searches[0].mark.cookie); err == nil && c.full == "" && next != c.next && (c.next != "" || next != c.from) {
				t.Errorf("next %s", next)
			}
			if c.err != "" && !strings.HasPrefix(c.err, "code") && !f.x.c.broken.Load() {
				t.Error("the connection is open")
			}
		})
	}
}

// TestRefreshCutAnywhereIsNeverTheEnd cuts an answer at each byte.
func TestRefreshCutAnywhereIsNeverTheEnd(t *testing.T) {
	t.Parallel()
	whole := said(synced(1, stateAdd, ""), informed(idSetValue(true, idOf(9))), ended(0, doneControl(csn2, true)))
	for n := range len(whole(firstID + 1)) {
		f := scriptedSync(t, OpenLDAP, csn1, nil, func(id int) []byte { return whole(id)[:n] })
		if err := f.run(f.refresh); connector.KindOf(err) != connector.Incomplete || string(f.searches[0].mark.cookie) != csn1 {
			t.Fatalf("after %d bytes: %v, %s", n, err, f.searches[0].mark.cookie)
		}
	}
}

// TestFollowWaitsForEverBetweenMessagesAndNotWithinOne also sees that what comes together is told together,
// under the last cookie.
func TestFollowWaitsForEverBetweenMessagesAndNotWithinOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := scriptedSync(t, OpenLDAP, csn1, nil)
		here, server := pipe(t)
		f.x.c, f.searches[0].c = here, here
		f.mode = refreshAndPersist
		go func() {
			msg, err := server.in.next()
			if err != nil {
				return
			}
			id, _, _, _, _ := splitMessage(msg)
			write := func(b []byte) { _, _ = server.net.Write(b) }
			write(informed(infoValue(1))(id))
			time.Sleep(24 * time.Hour)
			write(synced(1, stateModify, csn1)(id))
			write(synced(2, stateModify, csn2)(id))
			time.Sleep(24 * time.Hour)
			write(synced(3, stateModify, csn2)(id)[:20])
		}()
		var told []int
		var last []byte
		err := f.run(func() error {
			if err := f.refresh(); err != nil {
				return err
			}
			return f.persist(digest{}, nil, func(t *touched, next []byte, _ string) error {
				told, last = append(told, len(t.records)), next
				return nil
			})
		})
		if fmt.Sprint(told) != "[0 2]" || !bytes.Contains(last, []byte(csn2)) {
			t.Errorf("told %v, %q", told, last)
		}
		if err == nil || !strings.Contains(err.Error(), "sent nothing for") {
			t.Errorf("%v", err)
		}
	})
}
