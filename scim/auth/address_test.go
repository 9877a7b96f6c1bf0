package auth_test

import (
	"net/netip"
	"testing"

	"usherd/scim/auth"
)

func TestClientAddress(t *testing.T) {
	t.Parallel()
	trusted := networks("10.0.0.0/8", "::1/128")
	for name, c := range map[string]struct {
		remote    string
		forwarded []string
		want      string // "" = none
	}{
		"direct":                        {"192.0.2.7:1", nil, "192.0.2.7"},
		"a stranger's header":           {"192.0.2.7:1", []string{"10.0.0.1"}, "192.0.2.7"},
		"a proxy":                       {"10.0.0.1:1", []string{"192.0.2.7"}, "192.0.2.7"},
		"a proxy without a header":      {"10.0.0.1:1", nil, "10.0.0.1"},
		"invented on the left":          {"10.0.0.1:1", []string{"203.0.113.1, 192.0.2.7"}, "192.0.2.7"},
		"two proxies":                   {"10.0.0.1:1", []string{"203.0.113.1,192.0.2.7 , 10.2.3.4"}, "192.0.2.7"},
		"two headers":                   {"10.0.0.1:1", []string{"203.0.113.1, 192.0.2.7", "10.2.3.4"}, "192.0.2.7"},
		"all trusted":                   {"10.0.0.1:1", []string{"10.0.0.3,10.0.0.2"}, "10.0.0.3"},
		"with a port":                   {"10.0.0.1:1", []string{"192.0.2.7:4711"}, "192.0.2.7"},
		"IPv6":                          {"[::1]:1", []string{"2001:db8::7"}, "2001:db8::7"},
		"IPv6 with a port":              {"[::1]:1", []string{"[2001:db8::7]:99"}, "2001:db8::7"},
		"IPv6 between brackets":         {"[::1]:1", []string{"[2001:db8::7]"}, "2001:db8::7"},
		"mapped":                        {"[::ffff:10.0.0.1]:1", []string{"::ffff:192.0.2.7"}, "192.0.2.7"},
		"nonsense":                      {"10.0.0.1:1", []string{"192.0.2.7, unknown"}, ""},
		"nonsense further left":         {"10.0.0.1:1", []string{"unknown, 192.0.2.7"}, "192.0.2.7"},
		"nonsense before a trusted one": {"10.0.0.1:1", []string{"192.0.2.7, x, 10.0.0.2"}, ""},
		"empty":                         {"10.0.0.1:1", []string{""}, ""},
		"zone":                          {"[fe80::1%eth0]:1", nil, "fe80::1"},
		"no address":                    {"@", nil, ""},
	} {
		r := get("")
		r.RemoteAddr = c.remote
		r.Header["X-Forwarded-For"] = c.forwarded
		got := auth.ClientAddress(r, trusted)
		want, _ := netip.ParseAddr(c.want)
		if got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
