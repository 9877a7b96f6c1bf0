package connector_test

import (
	"testing"

	"usherd/connector"
)

func TestParseNetwork(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"192.0.2.0/24": "192.0.2.0/24", "2001:db8::/32": "2001:db8::/32", "192.0.2.7": "192.0.2.7/32", "::1": "::1/128",
		"::ffff:192.0.2.7": "192.0.2.7/32", "0.0.0.0/0": "0.0.0.0/0",
		"192.0.2.7/24": "", "fe80::1%eth0": "", "example.com": "", "": "", "10.0.0.0/33": "", "::ffff:1.2.3.0/120": "",
	} {
		p, err := connector.ParseNetwork(text)
		if (err != nil) != (want == "") || err == nil && p.String() != want {
			t.Errorf("%q: %v, %v; want %q", text, p, err, want)
		}
	}
}
