package connector

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
	"time"
)

// Hash is the first half of a SHA-256: enough to tell two records apart, small enough to keep a
// million in memory.
type Hash [16]byte

// Enabled says whether the source lets the person use the account.
type Enabled uint8

// EnabledUnknown keeps the last state: an attribute that the bind account may not read is missing,
// which is not the same as "enabled".
const (
	EnabledUnknown Enabled = iota
	EnabledYes
	EnabledNo
)

// Attribute is one attribute of a record with its values as the source sent them.
type Attribute struct {
	Name   string
	Values [][]byte
}

// Record is what a source says of one person at one time, raw and untrusted.
//
// A reader may lend the same Record again and again: it is valid until the callback returns. Clone
// keeps it.
type Record struct {
	Anchor     Anchor
	DN         string      // where the entry stands; a label, never an identity
	Key        Hash        // of the DN, by which groups name it; zero where the source's groups are not synced
	Attributes []Attribute // in one order for one source: Hash depends on it; names as asked for

	Enabled       Enabled
	EnabledReason string // for people, when EnabledNo: "disabled (userAccountControl 0x2)"

	// RecheckAt is when Enabled becomes another one by the clock alone, as when an account expires: no
	// feed tells of it. Zero = never.
	RecheckAt time.Time
	// ChangedAt is when the source says that the entry was last changed, as exactly as it knows; zero = it
	// does not say. It is not part of the hash.
	ChangedAt time.Time

	// User is who of ours the source says that this is; where nobody has the id, a user that is created gets it.
	// Zero: the anchor decides, else matching.
	User ID

	Gone       bool   // the source says that the person does not exist any more
	OutOfScope string // why the entry is not in the source's scope; "" = it is
	Protected  bool   // it is in a protected group, or named as protected
	Fault      string // why the entry cannot be read as a person; "" = it can

	PrimaryGroup uint32 // RID of the group that no list names it in; 0 = none, or groups are not synced
	Package      string // given by a rule of groups, or announced; "" = by none
}

// Values returns the values of the attribute with that name, in any case; nil where it has none.
func (r *Record) Values(name string) [][]byte {
	for i := range r.Attributes {
		if a := &r.Attributes[i]; strings.EqualFold(a.Name, name) {
			return a.Values
		}
	}
	return nil
}

// Clone returns a copy that shares nothing with r.
func (r *Record) Clone() *Record {
	c := *r
	size, count := 0, 0
	for _, a := range r.Attributes {
		count += len(a.Values)
		for _, v := range a.Values {
			size += len(v)
		}
	}
	arena, values := make([]byte, 0, size), make([][]byte, 0, count)
	c.Attributes = make([]Attribute, len(r.Attributes))
	for i, a := range r.Attributes {
		from := len(values)
		for _, v := range a.Values {
			start := len(arena)
			arena = append(arena, v...)
			values = append(values, arena[start:len(arena):len(arena)])
		}
		c.Attributes[i] = Attribute{a.Name, values[from:len(values):len(values)]}
	}
	return &c
}

// Hasher computes the hash of records. It keeps a buffer: use one for each goroutine. The zero
// value has no seed.
type Hasher struct {
	Seed Hash // SourceSettings.Fingerprint: another mapping makes every record another one
	// Placeless leaves the DN out: that of a file is a line, which says nothing of the person (SourceKind.Brought).
	Placeless bool
	buf       []byte
}

// Hash covers everything that a decision can depend on: place, attributes, whether enabled, in
// scope, gone. The order of the values of an attribute does not count; it sorts them in place. What has
// to do with groups is in it only where it is set: that there is a Key, so that links get it as soon as
// groups are synced, primary group and package.
func (h *Hasher) Hash(r *Record) Hash {
	b := h.buf[:0]
	b = append(b, h.Seed[:]...)
	b = appendText(b, r.Anchor.Raw)
	if !h.Placeless {
		b = appendText(b, r.DN)
	}
	b = append(b, byte(r.Enabled), bit(r.Gone)|bit(r.Protected)<<1|bit(r.Key != Hash{})<<2|bit(r.PrimaryGroup != 0)<<3|bit(r.Package != "")<<4)
	if r.PrimaryGroup != 0 {
		b = binary.AppendUvarint(b, uint64(r.PrimaryGroup))
	}
	if r.Package != "" {
		b = appendText(b, r.Package)
	}
	b = appendText(b, r.OutOfScope)
	b = appendText(b, r.Fault)
	if !r.RecheckAt.IsZero() {
		b = binary.AppendVarint(b, r.RecheckAt.UnixMicro())
	}
	for i := range r.Attributes {
		a := &r.Attributes[i]
		b = appendText(b, a.Name)
		b = binary.AppendUvarint(b, uint64(len(a.Values)))
		if len(a.Values) > 1 {
			slices.SortFunc(a.Values, bytes.Compare)
		}
		for _, v := range a.Values {
			b = binary.AppendUvarint(b, uint64(len(v)))
			b = append(b, v...)
		}
	}
	h.buf = b
	sum := sha256.Sum256(b)
	return Hash(sum[:16])
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func bit(v bool) byte {
	if v {
		return 1
	}
	return 0
}

// ReadResult is how a full read ended when it ended without an error. Only a Complete one may lead to
// removals.
type ReadResult struct {
	Complete bool
	Why      string         // it is not complete
	Server   string         // that answered, as in the configuration
	Entries  int            // that the server sent
	Present  map[string]int // attribute -> entries that had a value, for the cliff guard
	Warnings []string       // for the report: "12 referrals ignored"
	Cursor   Cursor         // from which on a Feed tells what this read has not seen; zero = there is no feed
	Took     time.Duration
}

// Presence is what the source says of one person asked for by anchor.
type Presence int

// PresenceUnknown means that the source could not or would not say: nobody is removed for it.
const (
	PresenceUnknown    Presence = iota
	PresentInScope              // it was there all the time
	PresentOutOfScope           // moved or changed out of the scope
	PresenceGone                // deleted
	PresenceUnreadable          // something is there, but the account may not read it
)
