package connector

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// AnchorKind says how the bytes of an anchor are written as text.
type AnchorKind string

// The kinds of anchors.
const (
	ObjectGUID AnchorKind = "objectGUID" // 16 bytes, mixed-endian text (MS-DTYP 2.3.4)
	EntryUUID  AnchorKind = "entryUUID"  // 16 bytes, network order (RFC 4530)
	NSUniqueID AnchorKind = "nsUniqueId" // 16 bytes, four groups of eight digits (389-ds)
	TextAnchor AnchorKind = "text"       // any other unchanging key, as it is
	ResourceID AnchorKind = "id"         // 16 bytes, our own ID: of a SCIM client that gives no externalId
)

// MaxAnchor is how many bytes an anchor may have, and whatever else is looked up by all of it: there is an engine whose
// indexes take no more than 2,700.
const MaxAnchor = 2048

// Anchor is a source's own unchanging key of a person: never the DN, the e-mail or the login name.
// Raw holds the bytes (16 for all kinds but TextAnchor). Anchors are comparable.
type Anchor struct {
	Kind AnchorKind
	Raw  string
}

// AnchorOf is the anchor of what a client knows by our own id alone.
func AnchorOf(id ID) Anchor { return Anchor{ResourceID, string(id[:])} }

// IsZero reports whether there is no anchor.
func (a Anchor) IsZero() bool { return a.Raw == "" }

// Key is the anchor in 16 bytes: itself where it has as many, as those of directories have, else a hash.
// It tells the anchors of one source apart.
func (a Anchor) Key() Hash {
	if len(a.Raw) == len(Hash{}) {
		return Hash([]byte(a.Raw))
	}
	sum := sha256.Sum256([]byte(a.Raw))
	return Hash(sum[:len(Hash{})])
}

// String gives the form that the source's own tools show; what is not text, in base64.
func (a Anchor) String() string {
	r := a.Raw
	switch {
	case a.Kind == ObjectGUID && len(r) == 16:
		return fmt.Sprintf("%x-%x-%x-%x-%x", reversed(r[0:4]), reversed(r[4:6]), reversed(r[6:8]), r[8:10], r[10:16])
	case (a.Kind == EntryUUID || a.Kind == ResourceID) && len(r) == 16:
		return fmt.Sprintf("%x-%x-%x-%x-%x", r[0:4], r[4:6], r[6:8], r[8:10], r[10:16])
	case a.Kind == NSUniqueID && len(r) == 16:
		return fmt.Sprintf("%x-%x-%x-%x", r[0:4], r[4:8], r[8:12], r[12:16])
	case utf8.ValidString(r) && strings.IndexFunc(r, unicode.IsControl) < 0:
		return r
	}
	return "base64:" + base64.StdEncoding.EncodeToString([]byte(r))
}

// MarshalText is String as bytes, for reports; it does not carry the kind.
func (a Anchor) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// ParseAnchor reads the text form of an anchor of that kind, in either case, with or without
// hyphens and, for a GUID, braces.
func ParseAnchor(kind AnchorKind, text string) (Anchor, error) {
	if kind == TextAnchor {
		if text == "" {
			return Anchor{}, fmt.Errorf("an empty %s is no anchor", kind)
		}
		if enc, ok := strings.CutPrefix(text, "base64:"); ok {
			if raw, err := base64.StdEncoding.DecodeString(enc); err == nil && len(raw) > 0 {
				return Anchor{kind, string(raw)}, nil
			}
		}
		return Anchor{kind, text}, nil
	}
	if kind != ObjectGUID && kind != EntryUUID && kind != NSUniqueID && kind != ResourceID {
		return Anchor{}, fmt.Errorf("%q is no kind of anchor", kind)
	}
	digits := strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(text, "{"), "}"), "-", "")
	raw, err := hex.DecodeString(digits)
	if err != nil || len(raw) != 16 {
		return Anchor{}, fmt.Errorf("%q is no %s: it has 32 hexadecimal digits", text, kind)
	}
	r := string(raw)
	if kind == ObjectGUID {
		r = reversed(r[0:4]) + reversed(r[4:6]) + reversed(r[6:8]) + r[8:]
	}
	return Anchor{kind, r}, nil
}

func reversed(s string) string {
	b := make([]byte, len(s))
	for i := range len(s) {
		b[len(s)-1-i] = s[i]
	}
	return string(b)
}
