package ldapsync

import (
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
)

func TestDNsAreEqualWhateverTheServerEscapes(t *testing.T) {
	t.Parallel()
	const want = `cn=bauer\2c anna,ou=people,dc=lab,dc=test`
	for _, dn := range []string{
		`CN=Bauer\, Anna,OU=People,DC=lab,DC=test`,
		`cn=Bauer\2C Anna,ou=people,dc=lab,dc=test`,
		`cn = Bauer\2c Anna , ou=People,  dc=LAB,dc=test `,
		`cn=Bauer\, Anna;ou=people;dc=lab;dc=test`,
	} {
		if got, err := foldDN(dn); err != nil || got != want {
			t.Errorf("foldDN(%q) = %q, %v; want %q", dn, got, err, want)
		}
	}
}

func TestFoldDN(t *testing.T) {
	t.Parallel()
	for dn, want := range map[string]string{
		``:                                  ``,
		`CN=Ann Lee,DC=lab`:                 `cn=ann lee,dc=lab`,
		`CN=ÅSA Öberg,DC=lab`:               `cn=åsa öberg,dc=lab`,
		`uid=b+cn=a,dc=lab`:                 `cn=a+uid=b,dc=lab`,
		`CN=a+UID=b,DC=lab`:                 `cn=a+uid=b,dc=lab`,
		`cn=a\+b,dc=lab`:                    `cn=a\2bb,dc=lab`,
		`cn=a=b,dc=lab`:                     `cn=a=b,dc=lab`,
		`cn=a\=b,dc=lab`:                    `cn=a=b,dc=lab`,
		`cn=,dc=lab`:                        `cn=,dc=lab`,
		`cn=a#b,dc=lab`:                     `cn=a#b,dc=lab`,
		`cn=\#a,dc=lab`:                     `cn=#a,dc=lab`,
		`CN=x\0ADEL:0f,CN=Deleted Objects`:  "cn=x\nDEL:0f,cn=deleted objects",
		`2.5.4.3=Ann,DC=lab`:                `2.5.4.3=ann,dc=lab`,
		`CN=` + "\u212a" + `elvin,DC=lab`:   `cn=kelvin,dc=lab`, // KELVIN SIGN
		`CN=S-1-5-21-1-2-3-500,CN=F,DC=lab`: `cn=s-1-5-21-1-2-3-500,cn=f,dc=lab`,
	} {
		want = strings.Replace(want, "DEL", "del", 1)
		if got, err := foldDN(dn); err != nil || got != want {
			t.Errorf("foldDN(%q) = %q, %v; want %q", dn, got, err, want)
		}
	}
}

func TestBrokenDNsAreErrors(t *testing.T) {
	t.Parallel()
	for _, dn := range []string{`ann`, `=x`, `cn=a,`, `cn=a\`, `cn=a\zz`, `cn=a"b`, "cn=\xff,dc=lab", `c n=x`, `cn=a,,dc=b`, `,`} {
		if got, err := foldDN(dn); err == nil {
			t.Errorf("foldDN(%q) = %q, want an error", dn, got)
		}
	}
}

func TestIsBelow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		dn, base string
		want     bool
	}{
		{`cn=a,ou=x,dc=lab`, `ou=x,dc=lab`, true},
		{`ou=x,dc=lab`, `ou=x,dc=lab`, true},
		{`dc=lab`, `ou=x,dc=lab`, false},
		{`cn=a,ou=xx,dc=lab`, `ou=x,dc=lab`, false},
		{`cn=a\2cou=x,dc=lab`, `ou=x,dc=lab`, false},
		{`cou=x,dc=lab`, `ou=x,dc=lab`, false},
		{`cn=a`, ``, true},
	} {
		if got := isBelow(c.dn, c.base); got != c.want {
			t.Errorf("isBelow(%q, %q) = %v", c.dn, c.base, got)
		}
	}
}

// FuzzFoldDN: the short cut gives what the parser gives; and two spellings that go-ldap calls equal
// fold to the same bytes.
func FuzzFoldDN(f *testing.F) {
	for _, dn := range []string{
		`CN=Bauer\, Anna,OU=People,DC=lab,DC=test`, `cn=Bauer\2C Anna`, `uid=b+cn=a,dc=lab`, `cn= a ,dc=b`, `cn=#0401ff`,
		`cn=Åsa,dc=lab`, ``, ` `, `cn=\20a\20`, `cn=a=b`, "cn=\u00a0x\u2003,dc=\u0130", `cn=a;dc=b`, `cn=\ff`,
	} {
		f.Add(dn)
	}
	f.Fuzz(func(t *testing.T, dn string) {
		quick, ok := appendPlainDN(nil, []byte(dn))
		slow, err := appendParsedDN(nil, []byte(dn))
		if ok && (err != nil || string(quick) != string(slow)) {
			t.Fatalf("%q: short cut %q, parser %q, %v", dn, quick, slow, err)
		}
		if err != nil {
			return
		}
		parsed, err := ldap.ParseDN(dn)
		if err != nil {
			t.Fatalf("%q: parsed once, but not twice: %v", dn, err)
		}
		again, err := foldDN(parsed.String())
		if err != nil || again != string(slow) {
			t.Fatalf("%q folds to %q, its other spelling %q to %q, %v", dn, slow, parsed.String(), again, err)
		}
	})
}

func BenchmarkFoldDN(b *testing.B) {
	for name, dn := range map[string]string{
		"plain":   `CN=Anna Bauer (u0000001),OU=Sales,OU=People,DC=lab,DC=example,DC=test`,
		"escaped": `CN=Bauer\, Anna (u0000001),OU=Sales,OU=People,DC=lab,DC=example,DC=test`,
		"foreign": `CN=Müller\, Åsa (u0000001),OU=Sales,OU=People,DC=lab,DC=example,DC=test`,
	} {
		b.Run(name, func(b *testing.B) {
			buf := make([]byte, 0, 256)
			b.ReportAllocs()
			for b.Loop() {
				buf, _ = appendDN(buf[:0], []byte(dn))
			}
		})
	}
}
