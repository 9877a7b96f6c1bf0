package notice

import (
	"net/netip"
	"testing"
)

// An address to which a name leads is spoken to, unless it is one that no name should lead to.
func TestReachable(t *testing.T) {
	t.Parallel()
	var none netip.Addr
	at := netip.MustParseAddr
	for _, c := range []struct {
		a, literal netip.Addr
		plain, ok  bool
	}{
		{at("192.0.2.7"), none, false, true},
		{at("10.0.0.7"), none, false, true},
		{at("127.0.0.1"), none, false, true},
		{at("127.0.0.1"), none, true, true},
		{at("::1"), none, true, true},
		{at("10.0.0.7"), none, true, false},
		{at("10.0.0.7"), at("10.0.0.7"), true, false},
		{at("169.254.169.254"), none, false, false},
		{at("169.254.169.254"), at("169.254.169.254"), false, true},
		{at("fe80::1"), none, false, false},
		{at("fd00:ec2::254"), none, false, false},
		{at("100.100.100.200"), none, false, false},
		{at("192.0.0.192"), at("192.0.0.192"), false, true},
		{at("0.0.0.0"), at("0.0.0.0"), false, false},
		{at("224.0.0.1"), none, false, false},
		{at("169.254.0.1"), at("169.254.169.254"), false, false},
	} {
		if err := reachable(c.a, c.literal, c.plain); (err == nil) != c.ok {
			t.Errorf("%s by %s (plain %v): %v", c.a, c.literal, c.plain, err)
		}
	}
}
