package provision

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"time"

	"usherd/connector"
)

// The form of a change in a spool: every field in the order of its type, numbers as varints, texts and
// lists after their length, a flag before what may be nil. It never leaves the process, so that it has no
// version. It stands here because encoding/gob took a third of the CPU time of a first run.

func appendChange(b []byte, c *connector.Change) []byte {
	b = appendText(b, string(c.Action))
	b = appendText(b, c.Org)
	b = appendText(b, c.Source)
	b = appendAnchor(b, c.Anchor)
	b = appendText(b, c.DN)
	b = appendText(b, c.Subject)
	b = binary.AppendVarint(b, c.BaseVersion)
	var profile connector.Profile
	if b = appendFlag(b, c.After != nil); c.After != nil {
		b = appendUser(b, c.After)
		profile = c.After.Profile
	}
	b = appendFields(b, c.Fields, profile)
	b = binary.AppendUvarint(b, uint64(len(c.Transitions)))
	for _, t := range c.Transitions {
		b = appendText(b, string(t.From))
		b = appendText(b, string(t.To))
		b = appendText(b, t.Signal)
	}
	b = appendLink(b, c.Link)
	b = appendLink(b, c.Sibling)
	b = appendAnchor(b, c.Unlink)
	b = appendText(b, c.TakeSeat)
	b = appendText(b, c.FreeSeat)
	b = appendText(b, string(c.Skip))
	b = binary.AppendUvarint(b, uint64(len(c.Failures)))
	for i := range c.Failures {
		b = appendFailure(b, &c.Failures[i])
	}
	b = appendRecord(b, c.Waiting)
	b = appendTexts(b, c.Warnings)
	b = appendFlag(b, c.Linked)
	b = appendFlag(b, c.Removal)
	return appendFlag(b, c.Held)
}

func readChange(b []byte) (*connector.Change, error) {
	r := &changeReader{b: b, s: string(b)}
	c := &connector.Change{
		Action: connector.Action(r.text()), Org: r.text(), Source: r.text(), Anchor: r.anchor(), DN: r.text(), Subject: r.text(),
		BaseVersion: r.int(),
	}
	var profile connector.Profile
	if r.flag() {
		c.After = r.user()
		profile = c.After.Profile
	}
	c.Fields = r.fields(profile)
	if n := r.count(); n > 0 {
		c.Transitions = make([]connector.Transition, n)
		for i := range c.Transitions {
			c.Transitions[i] = connector.Transition{From: connector.State(r.text()), To: connector.State(r.text()), Signal: r.text()}
		}
	}
	c.Link, c.Sibling, c.Unlink = r.link(), r.link(), r.anchor()
	c.TakeSeat, c.FreeSeat, c.Skip = r.text(), r.text(), connector.SkipReason(r.text())
	if n := r.count(); n > 0 {
		c.Failures = make([]connector.Failure, n)
		for i := range c.Failures {
			c.Failures[i] = r.failure()
		}
	}
	c.Waiting, c.Warnings, c.Linked, c.Removal, c.Held = r.record(), r.texts(), r.flag(), r.flag(), r.flag()
	return c, r.end()
}

// end reports whether everything was read, and nothing but what was written.
func (r *changeReader) end() error {
	if r.bad || len(r.b) > 0 {
		return errDamaged
	}
	return nil
}

func appendUser(b []byte, u *connector.User) []byte {
	b = append(b, u.ID[:]...)
	b = appendText(b, u.Org)
	b = appendProfile(b, u.Profile)
	b = appendText(b, string(u.State))
	b = appendText(b, u.Package)
	b = appendFlag(b, u.PackageFixed)
	b = appendFlag(b, u.PendingApproval)
	b = appendText(b, string(u.Was))
	b = appendText(b, string(u.Resume))
	b = appendText(b, string(u.DeactivatedBy))
	b = appendText(b, u.DeactivatedSource)
	b = appendText(b, u.DeactivatedReason)
	b = appendInstant(b, u.DeactivatedAt)
	b = appendInstant(b, u.DeleteAt)
	b = appendInstant(b, u.CreatedAt)
	b = appendInstant(b, u.UpdatedAt)
	return binary.AppendVarint(b, u.Version)
}

func (r *changeReader) user() *connector.User {
	return &connector.User{
		ID: r.id(), Org: r.text(), Profile: r.profile(), State: connector.State(r.text()), Package: r.text(),
		PackageFixed: r.flag(), PendingApproval: r.flag(), Was: connector.State(r.text()), Resume: connector.State(r.text()),
		DeactivatedBy: connector.Authority(r.text()), DeactivatedSource: r.text(), DeactivatedReason: r.text(),
		DeactivatedAt: r.instant(), DeleteAt: r.instant(), CreatedAt: r.instant(), UpdatedAt: r.instant(), Version: r.int(),
	}
}

// appendFields leaves out values that stand in the user's profile already: nearly all of a new user.
func appendFields(b []byte, fields []connector.FieldChange, profile connector.Profile) []byte {
	b = binary.AppendUvarint(b, uint64(len(fields)))
	for _, f := range fields {
		b = appendText(b, f.Field)
		b = appendTexts(b, f.Before)
		same := len(f.After) > 0 && slices.Equal(f.After, profile[f.Field])
		if b = appendFlag(b, same); !same {
			b = appendTexts(b, f.After)
		}
	}
	return b
}

func (r *changeReader) fields(profile connector.Profile) []connector.FieldChange {
	n := r.count()
	if n == 0 {
		return nil
	}
	fields := make([]connector.FieldChange, n)
	for i := range fields {
		f := connector.FieldChange{Field: r.text(), Before: r.texts()}
		if r.flag() {
			f.After = profile[f.Field]
		} else {
			f.After = r.texts()
		}
		fields[i] = f
	}
	return fields
}

func appendLink(b []byte, l *connector.Link) []byte {
	if b = appendFlag(b, l != nil); l == nil {
		return b
	}
	b = appendText(b, l.Org)
	b = appendText(b, l.Source)
	b = appendAnchor(b, l.Anchor)
	b = append(b, l.User[:]...)
	b = appendText(b, l.DN)
	b = append(b, l.Hash[:]...)
	b = appendProfile(b, l.Profile)
	b = appendText(b, l.Package)
	b = appendText(b, string(l.Standing))
	b = appendFlag(b, l.Protected)
	b = append(b, l.Run[:]...)
	b = appendInstant(b, l.UpdatedAt)
	b = appendInstant(b, l.RecheckAt)
	b = append(b, l.Key[:]...)
	b = binary.AppendUvarint(b, uint64(l.PrimaryGroup))
	return appendFlag(b, l.MembershipsFollow)
}

func (r *changeReader) link() *connector.Link {
	if !r.flag() {
		return nil
	}
	return &connector.Link{
		Org: r.text(), Source: r.text(), Anchor: r.anchor(), User: r.id(), DN: r.text(), Hash: connector.Hash(r.id()),
		Profile: r.profile(), Package: r.text(), Standing: connector.Standing(r.text()), Protected: r.flag(), Run: r.id(),
		UpdatedAt: r.instant(), RecheckAt: r.instant(), Key: connector.Hash(r.id()), PrimaryGroup: r.uint32(), MembershipsFollow: r.flag(),
	}
}

func appendFailure(b []byte, f *connector.Failure) []byte {
	b = binary.AppendVarint(b, int64(f.Code))
	b = appendText(b, string(f.Reason))
	b = appendTexts(b, f.Fields)
	for _, s := range [...]string{f.Package, f.Domain, f.Detail, f.Org, f.Source, f.Subject} {
		b = appendText(b, s)
	}
	b = append(b, f.UserID[:]...)
	b = appendText(b, f.Ref)
	return appendInstant(b, f.At)
}

func (r *changeReader) failure() connector.Failure {
	return connector.Failure{
		Code: connector.Code(r.int()), Reason: connector.Reason(r.text()), Fields: r.texts(),
		Package: r.text(), Domain: r.text(), Detail: r.text(), Org: r.text(), Source: r.text(), Subject: r.text(),
		UserID: r.id(), Ref: r.text(), At: r.instant(),
	}
}

func appendRecord(b []byte, r *connector.Record) []byte {
	if b = appendFlag(b, r != nil); r == nil {
		return b
	}
	return connector.AppendRecord(b, r)
}

func (r *changeReader) record() *connector.Record {
	if !r.flag() {
		return nil
	}
	rec, rest, err := connector.ReadRecord(r.b)
	if err != nil {
		r.b, r.s, r.bad = nil, "", true
		return nil
	}
	r.b, r.s = rest, r.s[len(r.s)-len(rest):]
	return rec
}

// appendProfile writes the number of attributes and of all values first, so that they can be read into
// one piece of memory. A nil profile is another one than an empty one.
func appendProfile(b []byte, p connector.Profile) []byte {
	if b = appendFlag(b, p != nil); p == nil {
		return b
	}
	values := 0
	for v := range maps.Values(p) {
		values += len(v)
	}
	b = binary.AppendUvarint(b, uint64(len(p)))
	b = binary.AppendUvarint(b, uint64(values))
	for name, v := range p {
		b = appendText(b, name)
		b = appendTexts(b, v)
	}
	return b
}

func (r *changeReader) profile() connector.Profile {
	if !r.flag() {
		return nil
	}
	n, room := r.count(), r.count()
	p, all := make(connector.Profile, n), make([]string, 0, room)
	for range n {
		name, from := r.text(), len(all)
		for range r.count() {
			all = append(all, r.text())
		}
		p[name] = all[from:len(all):len(all)]
	}
	return p
}

func appendAnchor(b []byte, a connector.Anchor) []byte {
	return appendText(appendText(b, string(a.Kind)), a.Raw)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendTexts(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendText(b, s)
	}
	return b
}

func appendFlag(b []byte, set bool) []byte {
	if set {
		return append(b, 1)
	}
	return append(b, 0)
}

// appendInstant keeps nanoseconds and, like the store, no zone.
func appendInstant(b []byte, t time.Time) []byte {
	b = binary.AppendVarint(b, t.Unix())
	return binary.AppendUvarint(b, uint64(t.Nanosecond())) //nolint:gosec // never negative
}

// changeReader takes a change apart. After the first thing that does not fit it is bad and gives zero values.
// Texts share the memory of s.
type changeReader struct {
	b   []byte
	s   string // the same bytes
	bad bool
}

// take returns the next n bytes as text.
func (r *changeReader) take(n uint64) string {
	if n > uint64(len(r.b)) {
		r.b, r.s, r.bad = nil, "", true
		return ""
	}
	t := r.s[:n]
	r.b, r.s = r.b[n:], r.s[n:]
	return t
}

func (r *changeReader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.b, r.s, r.bad = nil, "", true
		return 0
	}
	r.b, r.s = r.b[n:], r.s[n:]
	return v
}

func (r *changeReader) uint32() uint32 {
	v := r.uint()
	r.bad = r.bad || v > math.MaxUint32
	return uint32(v) //nolint:gosec // just checked
}

func (r *changeReader) int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.b, r.s, r.bad = nil, "", true
		return 0
	}
	r.b, r.s = r.b[n:], r.s[n:]
	return v
}

// count is the length of a list, each element of which has one byte at least.
func (r *changeReader) count() int {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.b, r.s, r.bad = nil, "", true
		return 0
	}
	return int(n) //nolint:gosec // just checked
}

func (r *changeReader) text() string { return r.take(r.uint()) }

func (r *changeReader) byte() byte {
	if t := r.take(1); t != "" {
		return t[0]
	}
	return 0
}

func (r *changeReader) flag() bool { return r.byte() == 1 }

func (r *changeReader) id() (id connector.ID) {
	copy(id[:], r.take(uint64(len(id))))
	return id
}

func (r *changeReader) anchor() connector.Anchor {
	return connector.Anchor{Kind: connector.AnchorKind(r.text()), Raw: r.text()}
}

func (r *changeReader) instant() time.Time {
	sec, nano := r.int(), r.uint()
	return time.Unix(sec, int64(nano%1e9)).UTC()
}

func (r *changeReader) texts() []string {
	n := r.count()
	if n == 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = r.text()
	}
	return list
}
