package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"usherd/connector"
)

// The small types below read one column each into the domain's form.

// idColumn reads 16 bytes or NULL.
type idColumn connector.ID

// Scan implements sql.Scanner.
func (c *idColumn) Scan(v any) error {
	switch b := v.(type) {
	case nil:
		*c = idColumn{}
		return nil
	case []byte:
		if len(b) == len(c) {
			copy(c[:], b)
			return nil
		}
	}
	return fmt.Errorf("%T is no id", v)
}

// hashColumn reads 16 bytes.
type hashColumn connector.Hash

// Scan implements sql.Scanner.
func (c *hashColumn) Scan(v any) error { return (*idColumn)(c).Scan(v) }

// timeColumn reads microseconds; 0 is the zero time.
type timeColumn time.Time

// Scan implements sql.Scanner.
func (c *timeColumn) Scan(v any) error {
	us, ok := v.(int64)
	if !ok {
		return fmt.Errorf("%T is no time", v)
	}
	*c = timeColumn(timeOf(us))
	return nil
}

// anchorColumn reads what anchorBlob wrote.
type anchorColumn connector.Anchor

// Scan implements sql.Scanner.
func (c *anchorColumn) Scan(v any) error {
	b, ok := v.([]byte)
	if !ok {
		return fmt.Errorf("%T is no anchor", v)
	}
	*c = anchorColumn(anchorOf(b))
	return nil
}

// optionalAnchor is anchorColumn of a column that may be NULL.
type optionalAnchor connector.Anchor

// Scan implements sql.Scanner.
func (c *optionalAnchor) Scan(v any) error {
	if v == nil {
		*c = optionalAnchor{}
		return nil
	}
	return (*anchorColumn)(c).Scan(v)
}

// optionalText reads a text, or NULL as none.
type optionalText string

// Scan implements sql.Scanner.
func (c *optionalText) Scan(v any) error {
	switch t := v.(type) {
	case nil:
		*c = ""
	case string:
		*c = optionalText(t)
	default:
		return fmt.Errorf("%T is no text", v)
	}
	return nil
}

// profileColumn reads a JSON profile or NULL.
type profileColumn connector.Profile

// Scan implements sql.Scanner.
func (c *profileColumn) Scan(v any) error {
	b, ok := v.([]byte)
	if !ok {
		*c = nil
		return nil
	}
	p, err := parseProfile(b)
	*c = profileColumn(p)
	return err
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func timeOf(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// idBlob is the column of an id, NULL for none.
func idBlob(id connector.ID) []byte {
	if id.IsZero() {
		return nil
	}
	return id[:]
}

// keyBlob is the column of an entry's key, NULL for none.
func keyBlob(k connector.Hash) []byte { return idBlob(connector.ID(k)) }

func flag(v bool) int64 {
	if v {
		return 1
	}
	return 0
}

// The first byte of an anchor's column.
const (
	personByte byte = iota // no anchor: a DN or subject follows
	objectGUIDByte
	entryUUIDByte
	nsUniqueIDByte
	textByte
	otherByte // one byte of length and the kind follow
	resourceIDByte
)

var kindBytes = map[connector.AnchorKind]byte{
	connector.ObjectGUID: objectGUIDByte, connector.EntryUUID: entryUUIDByte,
	connector.NSUniqueID: nsUniqueIDByte, connector.TextAnchor: textByte,
	connector.ResourceID: resourceIDByte,
}

var kindNames = map[byte]connector.AnchorKind{
	objectGUIDByte: connector.ObjectGUID, entryUUIDByte: connector.EntryUUID,
	nsUniqueIDByte: connector.NSUniqueID, textByte: connector.TextAnchor,
	resourceIDByte: connector.ResourceID,
}

func anchorBlob(a connector.Anchor) []byte {
	if a.IsZero() {
		return []byte{personByte}
	}
	b := make([]byte, 0, len(a.Raw)+1)
	if k, ok := kindBytes[a.Kind]; ok {
		return append(append(b, k), a.Raw...)
	}
	kind := string(a.Kind)
	kind = kind[:min(len(kind), 255)]
	b = append(append(b, otherByte, byte(len(kind))), kind...) //nolint:gosec // at most 255
	return append(b, a.Raw...)
}

func anchorOf(b []byte) connector.Anchor {
	if len(b) < 2 {
		return connector.Anchor{}
	}
	if k, ok := kindNames[b[0]]; ok {
		return connector.Anchor{Kind: k, Raw: string(b[1:])}
	}
	if n := int(b[1]); b[0] == otherByte && len(b) >= 2+n {
		return connector.Anchor{Kind: connector.AnchorKind(b[2 : 2+n]), Raw: string(b[2+n:])}
	}
	return connector.Anchor{}
}

// personBlob is the key of an open item: the anchor, else the DN, else the subject.
func personBlob(a connector.Anchor, dn, subject string) []byte {
	if !a.IsZero() {
		return anchorBlob(a)
	}
	if dn == "" {
		dn = subject
	}
	return append([]byte{personByte}, indexed(connector.Fold(dn))...)
}

// maxIndexed is how many bytes of one text stand in an index. PostgreSQL takes 2,704 of all columns together.
const maxIndexed = connector.MaxAnchor

// indexed is a text as an index has it. What is too long for that ends in its own hash: it is found by all of it and by
// how it begins.
func indexed(s string) string {
	if len(s) <= maxIndexed {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	end := maxIndexed - 2*len(sum)
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + hexText(sum[:])
}

func hexText(b []byte) string { return hex.EncodeToString(b) }

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		return nil
	}
	return b
}

// afterPrefix is above every text that begins with prefix and below all others that follow.
func afterPrefix(prefix string) string { return prefix + "\U0010FFFF" }

// reverseLabels turns sub.example.com into com.example.sub. so that all names below a domain begin
// with the domain's.
func reverseLabels(domain string) string {
	if domain == "" {
		return ""
	}
	var b strings.Builder
	b.Grow(len(domain) + 1)
	for end := len(domain); ; {
		i := strings.LastIndexByte(domain[:end], '.')
		b.WriteString(domain[i+1 : end])
		b.WriteByte('.')
		if i < 0 {
			return b.String()
		}
		end = i
	}
}

// lowerASCII is what lower is in SQL: of letters beyond ASCII it knows nothing.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}
