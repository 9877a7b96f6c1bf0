package ldapsync

import (
	"strconv"
	"strings"
	"time"

	"usherd/connector"
)

// layout is what a read asks the server for: what the mapping reads, in its order, then what only says
// who somebody is, whether enabled and in scope.
type layout struct {
	names    []string
	mapped   int // so many of names belong into records
	anchor   anchorForm
	anchorAt int
	state    stateRule
	deleted  int // isDeleted, on Active Directory
	primary  int // primaryGroupID, where groups matter
	persons  []int
}

// personAttributes are what people call somebody by.
func personAttributes(t Type) []string {
	if t == ActiveDirectory {
		return []string{"sAMAccountName", "userPrincipalName", "mail"}
	}
	return []string{"uid", "mail"}
}

func newLayout(o *Options) *layout {
	c, p := &o.Config, o.Protected
	l := &layout{anchor: c.anchorForm(), deleted: -1, primary: -1}
	for _, a := range o.Attributes {
		l.ask(a)
	}
	l.mapped = len(l.names)
	l.anchorAt = l.ask(l.anchor.attribute)
	l.state = newStateRule(c, l.ask)
	if c.Type == ActiveDirectory {
		l.deleted = l.ask("isDeleted")
		if len(c.Groups)+len(p.Groups)+len(c.GroupBases)+len(o.Packages) > 0 {
			l.primary = l.ask("primaryGroupID")
		}
	}
	if len(p.Users) > 0 {
		for _, a := range personAttributes(c.Type) {
			l.persons = append(l.persons, l.ask(a))
		}
	}
	return l
}

// ask returns the place of an attribute in the request, where it is put once.
func (l *layout) ask(name string) int {
	for i, n := range l.names {
		if strings.EqualFold(n, name) {
			return i
		}
	}
	l.names = append(l.names, name)
	return len(l.names) - 1
}

// counted reports whether the cliff guard looks at the attribute in that place.
func (l *layout) counted(place int) bool {
	return place < l.mapped || place == l.anchorAt || place == l.state.uac
}

// recordReader makes records of entries, one at a time, and lends them. It keeps the counts of a read.
type recordReader struct {
	layout    *layout
	scope     *scope
	groups    *memberSet // who may be in scope; nil = everybody
	guarded   *memberSet // who is in a protected group; nil = nobody
	packages  []packageRule
	named     bool // groups name the person by DN: records have keys
	protected protectedNames
	hash      dnHasher
	now       time.Time

	present []int // entries that had a value, by place in the request
	slots   [][][]byte
	folded  []byte // DN of the entry at hand, in comparable form; empty when it has none
	rec     connector.Record
}

// read makes the record of an entry. When it is cut, the server has sent only a part of an attribute's
// values: the record has a Fault, and the entry should be read again with all ranges.
func (r *recordReader) read(e *entry) (rec *connector.Record, cut bool) {
	cut = r.sort(e)
	l := r.layout
	r.rec = connector.Record{DN: strings.ToValidUTF8(string(e.DN), "\ufffd"), Attributes: r.rec.Attributes[:0]}
	for i, values := range r.slots {
		if i < l.mapped && len(values) > 0 {
			r.rec.Attributes = append(r.rec.Attributes, connector.Attribute{Name: l.names[i], Values: values})
		}
	}
	var err error
	if r.rec.Anchor, err = l.anchor.decode(r.values(l.anchorAt)); err != nil {
		r.rec.Fault = err.Error()
	}
	if r.folded, err = appendDN(r.folded[:0], e.DN); err != nil {
		r.folded = r.folded[:0]
		r.rec.Fault = "its DN cannot be read: " + err.Error()
	}
	r.rec.Enabled, r.rec.EnabledReason, r.rec.RecheckAt = l.state.read(r.values, r.now)
	r.rec.Gone = anyOf(r.values(l.deleted), func(v []byte) bool { return strings.EqualFold(string(v), "TRUE") })
	if cut {
		r.rec.Fault = "the server sends one of its attributes only in parts"
	}
	r.place()
	return &r.rec, cut
}

// place says whether the record is in scope and whether it is protected.
func (r *recordReader) place() {
	var key dnKey
	if r.groups != nil || r.guarded != nil || len(r.packages) > 0 {
		key = r.hash.key(r.folded)
	}
	if len(r.folded) > 0 {
		r.rec.OutOfScope = r.scope.outside(r.folded)
		if r.rec.OutOfScope == "" && r.groups != nil && !r.groups.has(key, r.primaryGroup()) {
			r.rec.OutOfScope = "it is a member of none of the groups of the scope"
		}
	}
	r.rec.Protected = r.protected.has(r.rec.Anchor, r.folded, r.values, r.layout.persons) ||
		r.guarded != nil && r.guarded.has(key, r.primaryGroup())
	for _, rule := range r.packages {
		if len(r.folded) > 0 && rule.members.has(key, r.primaryGroup()) {
			r.rec.Package = rule.pkg
			break
		}
	}
	if r.named && len(r.folded) > 0 {
		r.rec.Key, r.rec.PrimaryGroup = connector.KeyOf(r.folded), r.primaryGroup()
	}
}

// primaryGroup returns the RID of the group that memberOf and member leave out; 0 = none.
func (r *recordReader) primaryGroup() uint32 {
	v := r.values(r.layout.primary)
	if len(v) != 1 {
		return 0
	}
	rid, err := strconv.ParseUint(string(v[0]), 10, 32)
	if err != nil {
		return 0
	}
	return uint32(rid)
}

// sort puts the values into the order of the request and reports whether some are missing. Options
// other than binary are other attributes as far as people are concerned (cn;lang-de is not cn).
func (r *recordReader) sort(e *entry) (cut bool) {
	clear(r.slots)
	for i := range e.Attributes {
		a := &e.Attributes[i]
		if a.Index < 0 {
			continue
		}
		if a.Option != "" && a.Option != "binary" {
			part, ok := parseRange(a.Option)
			if !ok {
				continue
			}
			cut = cut || part.from > 0 || !part.last
		}
		if len(a.Values) > 0 {
			r.slots[a.Index] = a.Values
		}
	}
	return cut
}

// count adds the entry at hand to the counts.
func (r *recordReader) count() {
	for i, values := range r.slots {
		if len(values) > 0 {
			r.present[i]++
		}
	}
}

func (r *recordReader) values(place int) [][]byte {
	if place < 0 {
		return nil
	}
	return r.slots[place]
}

// counts returns how many entries had a value of each attribute, under its name in the request.
func (r *recordReader) counts() map[string]int {
	m := make(map[string]int, len(r.present))
	for i, n := range r.present {
		if r.layout.counted(i) {
			m[r.layout.names[i]] = n
		}
	}
	return m
}
