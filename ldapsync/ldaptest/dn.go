package ldaptest

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// splitDN cuts a DN into its RDNs as written, the leaf first; separators that are escaped or quoted do not
// count. The empty DN has none.
func splitDN(dn string) []string {
	var parts []string
	start, quoted := 0, false
	for i := 0; i < len(dn); i++ {
		switch c := dn[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case (c == ',' || c == ';') && !quoted:
			parts = append(parts, trimRDN(dn[start:i]))
			start = i + 1
		}
	}
	if start == 0 && strings.TrimSpace(dn) == "" {
		return nil
	}
	return append(parts, trimRDN(dn[start:]))
}

// trimRDN drops the spaces around an RDN, but not one that is escaped at its end.
func trimRDN(s string) string {
	t := strings.TrimSpace(s)
	if strings.HasSuffix(t, `\`) && len(t) < len(strings.TrimLeft(s, " ")) {
		t += " "
	}
	return t
}

// parentDN cuts the first RDN off a DN.
func parentDN(dn string) (rdn, parent string) {
	quoted := false
	for i := 0; i < len(dn); i++ {
		switch c := dn[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case (c == ',' || c == ';') && !quoted:
			return trimRDN(dn[:i]), strings.TrimLeft(dn[i+1:], " ")
		}
	}
	return trimRDN(dn), ""
}

const needsParsing = `\"+#;<>`

// rdnKey is what two ways of writing the same RDN have in common. It fails on what is no RDN.
func rdnKey(rdn string) (string, error) {
	if !strings.ContainsAny(rdn, needsParsing) {
		if name, value, ok := strings.Cut(rdn, "="); ok && name != "" && value != "" {
			name, value = strings.TrimSpace(name), strings.TrimSpace(value)
			return strings.ToLower(name) + "=" + strings.ToLower(value), nil
		}
	}
	d, err := ldap.ParseDN(rdn)
	if err != nil || len(d.RDNs) != 1 {
		return "", fmt.Errorf("invalid DN at %q", rdn)
	}
	var parts []string
	for _, a := range d.RDNs[0].Attributes {
		parts = append(parts, strings.ToLower(a.Type)+"="+strings.ToLower(escapeRDN(a.Value, true)))
	}
	slices.Sort(parts)
	return strings.Join(parts, "+"), nil
}

// dnKeys are the keys of all RDNs of dn.
func dnKeys(dn string) ([]string, error) {
	parts := splitDN(dn)
	for i, p := range parts {
		k, err := rdnKey(p)
		if err != nil {
			return nil, err
		}
		parts[i] = k
	}
	return parts, nil
}

// dnKey is equal for two DNs that name the same entry.
func dnKey(dn string) (string, error) {
	keys, err := dnKeys(dn)
	return strings.Join(keys, ","), err
}

// escapeRDN writes the value of an RDN. slapd and 389-ds write \2C where Active Directory writes \, and a
// reader has to cope with both.
func escapeRDN(value string, asHex bool) string {
	var b strings.Builder
	for i := range len(value) {
		c := value[i]
		edge := c == ' ' && (i == 0 || i == len(value)-1) || c == '#' && i == 0
		switch {
		case c < ' ', asHex && (edge || strings.IndexByte(`,+"\<>;`, c) >= 0):
			fmt.Fprintf(&b, `\%02X`, c)
		case edge, strings.IndexByte(`,+"\<>;`, c) >= 0:
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// rdnParts gives type and value of an RDN, the first pair if it has several. The RDN was checked by rdnKey.
func rdnParts(rdn string) (name, value string) {
	name, value, _ = strings.Cut(rdn, "=")
	if !strings.ContainsAny(rdn, needsParsing) {
		return strings.TrimSpace(name), strings.TrimSpace(value)
	}
	if d, err := ldap.ParseDN(rdn); err == nil && len(d.RDNs) == 1 {
		a := d.RDNs[0].Attributes[0]
		return a.Type, a.Value
	}
	return name, value
}

// guidText is the text form of Active Directory, whose first three groups are little-endian.
func guidText(g [16]byte) string {
	g[0], g[1], g[2], g[3] = g[3], g[2], g[1], g[0]
	g[4], g[5] = g[5], g[4]
	g[6], g[7] = g[7], g[6]
	return uuidText(g)
}

func uuidText(g [16]byte) string {
	h := hex.EncodeToString(g[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// nsUniqueIDText is the form of 389-ds: four groups of eight digits.
func nsUniqueIDText(g [16]byte) string {
	h := hex.EncodeToString(g[:])
	return h[:8] + "-" + h[8:16] + "-" + h[16:24] + "-" + h[24:]
}

// parseAnchor reads any of the text forms, or 16 raw bytes.
func parseAnchor(k Kind, v string) (g [16]byte, ok bool) {
	if k == ActiveDirectory && len(v) == 16 {
		return [16]byte([]byte(v)), true
	}
	b, err := hex.DecodeString(strings.ReplaceAll(v, "-", ""))
	if err != nil || len(b) != 16 {
		return g, false
	}
	g = [16]byte(b)
	if k == ActiveDirectory && strings.Contains(v, "-") {
		g[0], g[1], g[2], g[3] = g[3], g[2], g[1], g[0]
		g[4], g[5] = g[5], g[4]
		g[6], g[7] = g[7], g[6]
	}
	return g, true
}
