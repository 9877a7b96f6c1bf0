package ldapsync

import (
	"context"
	"net"
	"testing"

	"usherd/ldapsync/ldaptest"
)

// meanwhile does something before the n-th time that anything is sent to the server.
type meanwhile struct {
	left int
	do   func()
}

func (m *meanwhile) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	return &meanwhileConn{c, m}, err
}

type meanwhileConn struct {
	net.Conn

	m *meanwhile
}

func (c *meanwhileConn) Write(b []byte) (int, error) {
	if c.m.left--; c.m.left == 0 {
		c.m.do()
	}
	return c.Conn.Write(b)
}

// TestWhatHappensWhileItIsReadIsTold changes a group before each single question of a full read: that read, or the
// feed that goes on from its cursor, knows.
func TestWhatHappensWhileItIsReadIsTold(t *testing.T) {
	t.Parallel()
	const staff = "CN=staff,OU=Groups,DC=example,DC=test"
	for _, by := range []ChangesBy{ByDirSync, ByUSN, ByTimestamp} {
		t.Run(string(by), func(t *testing.T) {
			t.Parallel()
			d := directory(t, ldaptest.Options{})
			populate(t, d, 5)
			add(t, d, staff, ldaptest.Attrs{"objectClass": {"group"}, "sAMAccountName": {"staff"}, "member": {personDN(1), personDN(2)}})
			c := configOf(t, d)
			c.Changes, c.Groups = by, []string{staff}
			m := &meanwhile{}
			s := open(t, c, func(o *Options) { o.Dial = m.dial })
			change := d.AddValues
			for n := 1; m.left <= 0; n++ {
				m.left, m.do = n, func() { do(t, change(staff, "member", personDN(3))) }
				have, at := readRoster(t, s)
				if m.left > 0 { // it asked less often
					if n < 10 {
						t.Errorf("only %d questions", n)
					}
					return
				}
				b := changesSince(t, s, at) // by update numbers it only knows that somebody came or went
				for _, rec := range b.Records {
					have.take(rec)
				}
				if want, _ := readRoster(t, s); b.Full == "" && !equalRosters(want, have) {
					t.Fatalf("a change before question %d: %v, want %v", n, have, want)
				}
				if change = d.DeleteValues; n%2 == 0 {
					change = d.AddValues
				}
			}
		})
	}
}
