package ldapsync

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"usherd/connector"
)

const guid16 = "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"

func TestAnchors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		config Config
		values [][]byte
		want   string // text of the anchor
		filter string
		err    string
	}{
		{Config{Type: ActiveDirectory}, list(guid16), "03020100-0504-0706-0809-0a0b0c0d0e0f", `(objectGUID=\00\01\02\03\04\05\06\07\08\09\0a\0b\0c\0d\0e\0f)`, ""},
		{Config{Type: ActiveDirectory, Anchor: "ms-DS-ConsistencyGuid"}, list(guid16), "03020100-0504-0706-0809-0a0b0c0d0e0f", `(ms-DS-ConsistencyGuid=\00\01\02\03\04\05\06\07\08\09\0a\0b\0c\0d\0e\0f)`, ""},
		{Config{Type: ActiveDirectory}, list("0123456789abcdef0"), "", "", "its objectGUID has 17 bytes"},
		{Config{Type: OpenLDAP}, list("00010203-0405-0607-0809-0A0b0c0d0e0f"), "00010203-0405-0607-0809-0a0b0c0d0e0f", "(entryUUID=00010203-0405-0607-0809-0a0b0c0d0e0f)", ""},
		{Config{Type: OpenLDAP}, list("00010203-0405-0607-0809-0a0b0c0d0e"), "", "", `its entryUUID is "00010203-0405-0607-0809-0a0b0c0d0e"`},
		{Config{Type: OpenLDAP}, list("00010203-0405-0607-0809-0a0b0c0d0e0f00"), "", "", "its entryUUID is"},
		{Config{Type: OpenLDAP}, list("zz010203-0405-0607-0809-0a0b0c0d0e0f"), "", "", "its entryUUID is"},
		{Config{Type: DS389}, list("00010203-04050607-08090a0b-0c0d0e0f"), "00010203-04050607-08090a0b-0c0d0e0f", "(nsUniqueId=00010203-04050607-08090a0b-0c0d0e0f)", ""},
		{Config{Type: LDAP, Anchor: "employeeNumber"}, list("4*711"), "4*711", `(employeeNumber=4\2a711)`, ""},
		{Config{Type: LDAP, Anchor: "employeeNumber"}, [][]byte{{}}, "", "", "its employeeNumber has 0 bytes"},
		{Config{Type: LDAP, Anchor: "employeeNumber"}, list(strings.Repeat("4", connector.MaxAnchor+1)), "", "", "its employeeNumber has 2049 bytes"},
		{Config{Type: LDAP, Anchor: "uid"}, list("a", "b"), "", "", "it has 2 values of uid"},
		{Config{Type: OpenLDAP}, nil, "", "", "it has no entryUUID"},
	} {
		form := c.config.anchorForm()
		got, err := form.decode(c.values)
		if c.err != "" {
			if err == nil || !strings.HasPrefix(err.Error(), c.err) || !got.IsZero() {
				t.Errorf("%q: %v, %v; want %q", c.values, got, err, c.err)
			}
			continue
		}
		if err != nil || got.String() != c.want {
			t.Errorf("%q: %v, %v; want %s", c.values, got, err, c.want)
		}
		if filter := form.filterFor(got); filter != c.filter {
			t.Errorf("filter %s, want %s", filter, c.filter)
		}
		if again, err := connector.ParseAnchor(form.kind, got.String()); err != nil || again != got {
			t.Errorf("%v does not survive its text form: %v, %v", got, again, err)
		}
	}
}

func TestFilterDefaults(t *testing.T) {
	t.Parallel()
	for config, want := range map[*Config]string{
		{Type: ActiveDirectory}:                   "(sAMAccountType=805306368)",
		{Type: OpenLDAP}:                          "(objectClass=inetOrgPerson)",
		{Type: LDAP, Filter: "(objectClass=x)"}:   "(objectClass=x)",
		{Type: ActiveDirectory, Filter: "(cn=*)"}: "(cn=*)",
	} {
		if got := config.filter(); got != want {
			t.Errorf("filter of %+v: %s", config, got)
		}
	}
}

func TestEqualsEscapesEverythingThatMeansSomething(t *testing.T) {
	t.Parallel()
	const value = "*)(uid=\\\x00é ~x"
	filter := equals("cn", value)
	if want := `(cn=\2a\29\28uid=\5c\00\c3\a9 ~x)`; filter != want {
		t.Errorf("filter %s, want %s", filter, want)
	}
	p, err := ldap.CompileFilter(filter)
	if err != nil || len(p.Children) != 2 || p.Children[1].Data.String() != value {
		t.Errorf("compiled to %v, %v", p, err)
	}
}

func TestFingerprintCoversTheScopeAndNothingElse(t *testing.T) {
	t.Parallel()
	config := func() Config {
		return Config{Type: ActiveDirectory, Bases: []string{"DC=lab,DC=test"}, Groups: []string{"CN=g,DC=lab,DC=test"}}
	}
	base := config().Fingerprint()
	for name, edit := range map[string]func(*Config){
		"server":      func(c *Config) { c.Servers = []string{"ldaps://other"} },
		"password":    func(c *Config) { c.Bind.Password = connector.NewSecret("x") },
		"page size":   func(c *Config) { c.PageSize = 5 },
		"default":     func(c *Config) { c.Filter, c.Anchor = adPeople, "objectguid" },
		"spelling":    func(c *Config) { c.Bases = []string{"dc=LAB, dc=test"} },
		"new canary":  func(c *Config) { c.Canaries = []string{"CN=a,DC=lab,DC=test"} },
		"other group": func(c *Config) { c.Groups = []string{"CN=h,DC=lab,DC=test"} },
		"other place": func(c *Config) { c.Groups, c.ExcludeOUs = nil, c.Groups },
		"base":        func(c *Config) { c.Bases = append(c.Bases, "DC=x") },
		"filter":      func(c *Config) { c.Filter = "(objectClass=person)" },
		"anchor":      func(c *Config) { c.Anchor = "objectSid" },
		"type":        func(c *Config) { c.Type = OpenLDAP },
		"disabled":    func(c *Config) { c.Disabled = &Disabled{Attribute: "x"} },
	} {
		c := config()
		edit(&c)
		same := slices.Contains([]string{"server", "password", "page size", "default", "spelling", "new canary"}, name)
		if got := bytes.Equal(c.Fingerprint(), base); got != same {
			t.Errorf("%s: the same fingerprint: %v", name, got)
		}
	}
}

// binarySID builds S-1-authority-parts.
func binarySID(authority byte, parts ...uint32) []byte {
	b := []byte{1, byte(len(parts)), 0, 0, 0, 0, 0, authority}
	for _, p := range parts {
		b = binary.LittleEndian.AppendUint32(b, p)
	}
	return b
}

func TestParseSID(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sid  []byte
		want sid
		bad  bool
	}{
		"domain users": {binarySID(5, 21, 1, 2, 3, 513), sid{true, 513}, false},
		"built-in":     {binarySID(5, 32, 544), sid{false, 544}, false},
		"domain":       {binarySID(5, 21, 1, 2, 3), sid{false, 3}, false},
		"elsewhere":    {binarySID(1, 21, 1, 2, 3, 513), sid{false, 513}, false},
		"empty":        {nil, sid{}, true},
		"short":        {binarySID(5, 21, 1, 2, 3, 513)[:27], sid{}, true},
		"long":         {append(binarySID(5, 21), 0), sid{}, true},
		"revision":     {append([]byte{2}, binarySID(5, 32, 544)[1:]...), sid{}, true},
		"no parts":     {binarySID(5), sid{}, true},
	} {
		got, err := parseSID(c.sid)
		if got != c.want || (err != nil) != c.bad {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func FuzzParseSID(f *testing.F) {
	f.Add(binarySID(5, 21, 1, 2, 3, 513))
	f.Add(binarySID(5, 32, 544))
	f.Add([]byte{1, 255, 0, 0, 0, 0, 0, 5})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parseSID(b)
		if err != nil {
			return
		}
		if got.rid != binary.LittleEndian.Uint32(b[len(b)-4:]) || len(b) != 8+4*int(b[1]) {
			t.Fatalf("%x: %+v", b, got)
		}
		if got.domain && !bytes.Equal(b, binarySID(5, 21, binary.LittleEndian.Uint32(b[12:]), binary.LittleEndian.Uint32(b[16:]),
			binary.LittleEndian.Uint32(b[20:]), got.rid)) {
			t.Fatalf("%x is no account of a domain", b)
		}
	})
}

// FuzzHexAnchor: what is accepted is exactly 32 digits among hyphens, and reading the text form of the
// result gives the same bytes.
func FuzzHexAnchor(f *testing.F) {
	for _, s := range []string{"00010203-0405-0607-0809-0a0b0c0d0e0f", "00010203-04050607-08090a0b-0c0d0e0f", "", "----", strings.Repeat("0", 33)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		raw, ok := hexAnchor(b)
		digits := bytes.ReplaceAll(b, []byte("-"), nil)
		if ok != (len(digits) == 32 && bytes.IndexFunc(digits, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF", r) }) < 0) {
			t.Fatalf("%q: %v", b, ok)
		}
		if !ok {
			return
		}
		for _, kind := range []connector.AnchorKind{connector.EntryUUID, connector.NSUniqueID} {
			a := connector.Anchor{Kind: kind, Raw: string(raw[:])}
			if again, ok := hexAnchor([]byte(a.String())); !ok || again != raw {
				t.Fatalf("%q became %s and %x", b, a, again)
			}
		}
	})
}
