package main

import (
	"strings"
	"testing"

	"usherd/ldapsync/ldaptest"
)

func TestNothingSteersTheTerminal(t *testing.T) {
	t.Parallel()
	d, block := fake(t, ldaptest.Options{})
	people(t, d, 1)
	r := newRig(t, oneSource(block))
	r.sync(exitOK)
	const name = "p000001@example.test"
	for _, reason := range []string{"\x1b[2J", "two\nlines", strings.Repeat("x", maxReason+1)} {
		if _, errs, code := r.run("user", "deactivate", name, "--reason", reason); code != exitUsage || !strings.Contains(errs, "--reason") {
			t.Errorf("%.10q: exit code %d: %s", reason, code, errs)
		}
	}
	r.must(exitOK, "user", "deactivate", name, "--reason", "has left")
	if got := printable("a\x1b[31mb\u009bc\td"); got != "a [31mb c d" {
		t.Errorf("%q", got)
	}
}
