package auth_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"usherd/connector"
	"usherd/scim/auth"
)

// FuzzClientAddress: whatever a stranger writes in front of what a trusted proxy adds, the address stays the one that
// the proxy has heard.
func FuzzClientAddress(f *testing.F) {
	for _, s := range []string{"", "10.0.0.1", "192.0.2.9, 10.0.0.1", ",,,", "[::1]:9", "x", "10.0.0.1\n10.0.0.2", " , 10.0.0.1 ,"} {
		f.Add(s)
	}
	trusted := networks("10.0.0.0/8")
	heard := netip.MustParseAddr("203.0.113.5")
	f.Fuzz(func(t *testing.T, invented string) {
		r := get("")
		r.RemoteAddr = "10.9.9.9:1"
		r.Header["X-Forwarded-For"] = []string{invented + ", 203.0.113.5"}
		if got := auth.ClientAddress(r, trusted); got != heard {
			t.Fatalf("%q: %v", invented, got)
		}
		r.Header["X-Forwarded-For"] = append(strings.Split(invented, "\n"), "203.0.113.5")
		if got := auth.ClientAddress(r, trusted); got != heard {
			t.Fatalf("%q: %v", invented, got)
		}
		r.Header["X-Forwarded-For"] = []string{invented}
		if got := auth.ClientAddress(r, trusted); got.IsValid() && slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(got) }) {
			for part := range strings.SplitSeq(invented, ",") { // then nobody else was named
				if a, err := netip.ParseAddr(strings.TrimSpace(part)); err == nil && !trusted[0].Contains(a) && a.Is4() {
					t.Fatalf("%q: %v", invented, got)
				}
			}
		}
	})
}

// FuzzToken: what is taken for a token has its form, and says the same again.
func FuzzToken(f *testing.F) {
	secret, _ := connector.NewToken()
	f.Add("Bearer " + secret.Reveal())
	f.Add(secret.Reveal())
	f.Add("usherd_scim_" + strings.Repeat("0", 49))
	f.Add("Basic eDp5")
	f.Fuzz(func(t *testing.T, line string) {
		if hash, ok := connector.HashToken(line); ok {
			if again, _ := connector.HashToken(line); again != hash || len(line) != 61 {
				t.Fatal(line)
			}
		}
		a := auth.New(auth.Options{Store: nothing{}, Sources: sources, Now: (&clock{at: start}).now})
		r := get("")
		r.Header["Authorization"] = []string{line}
		if _, err := a.Authenticate(r, "acme"); err == nil {
			t.Fatal("let in by an empty store")
		}
	})
}
