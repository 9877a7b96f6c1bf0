package ldapsync

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"usherd/connector"
)

const (
	anyObject        = "(objectClass=*)"
	noAttributes     = "1.1" // RFC 4511 section 4.5.1.8
	defaultPageSize  = 1000  // MaxPageSize of Active Directory
	maxPageSize      = 20_000
	adPeople         = "(sAMAccountType=805306368)" // indexed; leaves out computers, contacts, managed accounts
	inetOrgPeople    = "(objectClass=inetOrgPerson)"
	consistencyGUID  = "mS-DS-ConsistencyGuid"
	adGroupFilter    = "(objectCategory=group)"
	plainGroupFilter = "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=groupOfMembers)" +
		"(objectClass=groupOfEntries)(objectClass=group))"
)

// filter is the configured filter, or the one of the type.
func (c *Config) filter() string {
	switch {
	case c.Filter != "":
		return c.Filter
	case c.Type == ActiveDirectory:
		return adPeople
	}
	return inetOrgPeople
}

func (c *Config) groupFilter() string {
	if c.GroupFilter != "" {
		return c.GroupFilter
	}
	if c.Type == ActiveDirectory {
		return adGroupFilter
	}
	return plainGroupFilter
}

func (c *Config) pageSize() int {
	if c.PageSize == 0 {
		return defaultPageSize
	}
	return c.PageSize
}

// anchorForm says where the anchor stands and how its bytes are written there.
type anchorForm struct {
	attribute string
	kind      connector.AnchorKind
	binary    bool // 16 raw bytes, otherwise text
}

// anchorForm gives the configured anchor, or the one of the type; "" for the type that has none.
func (c *Config) anchorForm() anchorForm {
	name := c.Anchor
	if name == "" {
		name = map[Type]string{ActiveDirectory: "objectGUID", OpenLDAP: "entryUUID", DS389: "nsUniqueId"}[c.Type]
	}
	switch strings.ToLower(name) {
	case "objectguid", strings.ToLower(consistencyGUID):
		return anchorForm{name, connector.ObjectGUID, true}
	case "entryuuid":
		return anchorForm{name, connector.EntryUUID, false}
	case "nsuniqueid":
		return anchorForm{name, connector.NSUniqueID, false}
	}
	return anchorForm{name, connector.TextAnchor, false}
}

// groupAnchorForm is the anchor of groups: the one that the server gives every entry, since an attribute of
// people that the configuration names need not be one of groups.
func (c *Config) groupAnchorForm() anchorForm {
	if c.Type == LDAP {
		return c.anchorForm()
	}
	return (&Config{Type: c.Type}).anchorForm()
}

// everybody reports whether each entry of such a directory has this anchor, so that one without means
// that the account may not read it.
func (f anchorForm) everybody() bool {
	return f.kind != connector.TextAnchor && !strings.EqualFold(f.attribute, consistencyGUID)
}

// decode reads the anchor from an attribute's values.
func (f anchorForm) decode(values [][]byte) (connector.Anchor, error) {
	switch {
	case len(values) == 0:
		return connector.Anchor{}, fmt.Errorf("it has no %s", f.attribute)
	case len(values) > 1:
		return connector.Anchor{}, fmt.Errorf("it has %d values of %s", len(values), f.attribute)
	}
	v := values[0]
	switch {
	case f.binary && len(v) == 16, f.kind == connector.TextAnchor && len(v) > 0 && len(v) <= connector.MaxAnchor:
		return connector.Anchor{Kind: f.kind, Raw: string(v)}, nil
	case f.binary || f.kind == connector.TextAnchor:
		return connector.Anchor{}, fmt.Errorf("its %s has %d bytes", f.attribute, len(v))
	}
	raw, ok := hexAnchor(v)
	if !ok {
		return connector.Anchor{}, fmt.Errorf("its %s is %.60q", f.attribute, v)
	}
	return connector.Anchor{Kind: f.kind, Raw: string(raw[:])}, nil
}

// hexAnchor reads 32 hexadecimal digits with hyphens anywhere.
func hexAnchor(text []byte) (raw [16]byte, ok bool) {
	var digits [32]byte
	n := 0
	for _, c := range text {
		if c == '-' {
			continue
		}
		if n == len(digits) {
			return raw, false
		}
		digits[n] = c
		n++
	}
	_, err := hex.Decode(raw[:], digits[:n])
	return raw, err == nil && n == len(digits)
}

// filterFor is the filter that finds the entry with that anchor.
func (f anchorForm) filterFor(a connector.Anchor) string {
	if f.binary {
		return "(" + f.attribute + "=" + escapeBytes(a.Raw) + ")"
	}
	if f.kind == connector.TextAnchor {
		return equals(f.attribute, a.Raw)
	}
	return equals(f.attribute, a.String())
}

// equals is an equality filter with its value escaped (RFC 4515 section 3).
func equals(attribute, value string) string {
	var b strings.Builder
	b.WriteString("(" + attribute + "=")
	for i := range len(value) {
		switch c := value[i]; {
		case c < ' ' || c >= 0x7f || strings.IndexByte(`()*\`, c) >= 0:
			fmt.Fprintf(&b, `\%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte(')')
	return b.String()
}

func escapeBytes(raw string) string {
	b := make([]byte, 0, 3*len(raw))
	for i := range len(raw) {
		b = append(b, '\\')
		b = hex.AppendEncode(b, []byte{raw[i]})
	}
	return string(b)
}

// Fingerprint returns what decides who is in the source and under which key, defaults resolved, so that
// two configurations with the same bytes read the same people.
func (c Config) Fingerprint() []byte {
	var b []byte
	texts := func(list ...string) {
		b = binary.AppendUvarint(b, uint64(len(list)))
		for _, s := range list {
			b = binary.AppendUvarint(b, uint64(len(s)))
			b = append(b, s...)
		}
	}
	texts(string(c.Type), c.filter(), strings.ToLower(c.anchorForm().attribute))
	for _, dns := range [][]string{c.Bases, c.IncludeOUs, c.ExcludeOUs, c.Groups} {
		texts(foldAll(dns)...)
	}
	if c.Disabled != nil {
		texts(strings.ToLower(c.Disabled.Attribute))
		texts(c.Disabled.Values...)
	}
	return b
}

// foldAll gives the comparable form of each; one that is none stays as it is.
func foldAll(dns []string) []string {
	out := make([]string, len(dns))
	for i, dn := range dns {
		if folded, err := foldDN(dn); err == nil {
			dn = folded
		}
		out[i] = dn
	}
	return out
}

var errBadSID = errors.New("not a SID")

// sid is an objectSid (MS-DTYP section 2.4.2) as far as groups need it.
type sid struct {
	domain bool   // of a domain's account or group, S-1-5-21-...; not a built-in one
	rid    uint32 // its last part
}

// parseSID reads revision, count, a big-endian authority of 6 bytes and count little-endian parts.
func parseSID(b []byte) (sid, error) {
	if len(b) < 12 || b[0] != 1 || b[1] == 0 || b[1] > 15 || len(b) != 8+4*int(b[1]) {
		return sid{}, errBadSID
	}
	authority := binary.BigEndian.Uint64(b[:8]) & (1<<48 - 1)
	return sid{
		domain: authority == 5 && b[1] == 5 && binary.LittleEndian.Uint32(b[8:]) == 21,
		rid:    binary.LittleEndian.Uint32(b[len(b)-4:]),
	}, nil
}
