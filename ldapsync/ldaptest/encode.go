package ldaptest

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
)

// selection says which attributes of an entry are sent.
type selection struct {
	t         *tree
	stored    []bool // by number
	rest      bool   // attributes that came up after the search began
	virtual   []uint16
	ranges    map[uint16]span
	maxValues int
	typesOnly bool
}

// span is a range of values that was asked for; to < 0 means as many as the server gives.
type span struct{ from, to int }

// selectAttrs reads the attribute list of a request. Call it with the lock held.
func (t *tree) selectAttrs(req *search, hidden map[uint16]bool, maxValues int) selection {
	s := selection{t: t, stored: make([]bool, len(t.schema.attrs)), typesOnly: req.typesOnly, maxValues: maxValues}
	for _, name := range req.attrs {
		switch name {
		case "*":
			s.class(userAttr)
			s.rest = true
		case "+":
			if t.kind != ActiveDirectory {
				s.class(operational)
			}
		case "1.1":
		default:
			s.name(name)
		}
	}
	if len(req.attrs) == 0 {
		s.class(userAttr)
		s.rest = true
	}
	for id := range s.stored {
		n := uint16(id)
		s.stored[id] = s.stored[id] && !hidden[n]
		if s.stored[id] && t.schema.attrs[id].virtual != nil {
			s.virtual = append(s.virtual, n)
		}
	}
	return s
}

func (s *selection) class(c attrClass) {
	for id := range s.stored {
		if s.t.schema.attrs[id].class == c {
			s.stored[id] = true
		}
	}
}

// name selects an attribute with all its options, or with a range.
func (s *selection) name(name string) {
	base, options, _ := strings.Cut(name, ";")
	if id, ok := s.t.schema.id(base); ok {
		s.stored[id] = true
		if r, ok := parseSpan(options); ok && s.t.kind == ActiveDirectory {
			if s.ranges == nil {
				s.ranges = map[uint16]span{}
			}
			s.ranges[id] = r
		}
	}
	prefix := strings.ToLower(base) + ";"
	for id, a := range s.t.schema.attrs {
		if len(a.name) > len(prefix) && strings.EqualFold(a.name[:len(prefix)], prefix) {
			s.stored[id] = true
		}
	}
}

func parseSpan(option string) (span, bool) {
	text, ok := strings.CutPrefix(strings.ToLower(option), "range=")
	if !ok {
		return span{}, false
	}
	from, to, _ := strings.Cut(text, "-")
	a, err := strconv.Atoi(from)
	if err != nil || a < 0 {
		return span{}, false
	}
	if to == "*" {
		return span{a, -1}, true
	}
	b, err := strconv.Atoi(to)
	return span{a, b}, err == nil && b >= a
}

// entry writes one SearchResultEntry, with the controls given as encoded elements. Call it with the lock held.
func (q *query) entry(w *writer, e *entry, controls []byte) {
	at := q.begin(w, e)
	q.sel.write(w, e)
	q.end(w, at, controls)
}

// frame is entry with other attributes: those that attrs writes.
func (q *query) frame(w *writer, e *entry, controls []byte, attrs func(*writer)) {
	at := q.begin(w, e)
	attrs(w)
	q.end(w, at, controls)
}

// begin writes what comes before the attributes and gives the three elements that are open then.
func (q *query) begin(w *writer, e *entry) (at [3]int) {
	at[0] = w.open(tagSequence)
	w.int(tagInt, q.m.id)
	at[1] = w.open(opEntry)
	var buf [256]byte
	w.octets(tagOctets, e.appendDN(buf[:0]))
	at[2] = w.open(tagSequence)
	return at
}

func (q *query) end(w *writer, at [3]int, controls []byte) {
	w.shut(at[2])
	w.shut(at[1])
	if controls != nil {
		c := w.open(0xa0)
		w.b = append(w.b, controls...)
		w.shut(c)
	}
	w.shut(at[0])
}

func (s *selection) write(w *writer, e *entry) {
	for b := e.blob; len(b) > 0; {
		var id uint16
		var set []byte
		id, set, b = b.next()
		if int(id) < len(s.stored) && s.stored[id] || int(id) >= len(s.stored) && s.rest {
			s.attr(w, id, set)
		}
	}
	var scratch [1024]byte
	for _, id := range s.virtual {
		if s.t.linked(id) {
			s.members(w, e)
			continue
		}
		if s.t.overridden[id] && e.blob.find(id) != nil {
			continue
		}
		if set := s.t.schema.attrs[id].virtual(s.t, e, scratch[:0]); len(set) > 0 {
			s.attr(w, id, set)
		}
	}
}

// attr writes one attribute, a part of its values if it has more than the server gives at once.
func (s *selection) attr(w *writer, id uint16, set []byte) {
	a := &s.t.schema.attrs[id]
	r, asked := s.ranges[id]
	if !asked && (s.maxValues <= 0 || len(set) <= 2*s.maxValues) {
		s.plain(w, a.head, set)
		return
	}
	n := countValues(set)
	if !asked && n <= s.maxValues {
		s.plain(w, a.head, set)
		return
	}
	values := decodeSet(set)
	s.ranged(w, a, r, asked, n, func(from, to int) []byte { return encodeSet(values[from:to]) })
}

func (s *selection) members(w *writer, e *entry) {
	list := e.members()
	a := &s.t.schema.attrs[s.t.idMember]
	r, asked := s.ranges[s.t.idMember]
	if len(list) == 0 {
		return
	}
	part := func(from, to int) []byte { return appendNames(nil, list[from:to]) }
	if !asked && (s.maxValues <= 0 || len(list) <= s.maxValues) {
		s.plain(w, a.head, part(0, len(list)))
		return
	}
	s.ranged(w, a, r, asked, len(list), part)
}

// ranged writes some of n values under a name that says which: name;range=0-1499, or name;range=1500-* for
// the last. Without having been asked for a range, Active Directory puts an empty attribute before it.
func (s *selection) ranged(w *writer, a *attr, r span, asked bool, n int, part func(from, to int) []byte) {
	if !asked {
		r = span{0, -1}
		s.plain(w, a.head, nil)
	}
	if r.from >= n {
		return
	}
	to := n
	if r.to >= 0 && r.to+1 < to {
		to = r.to + 1
	}
	if s.maxValues > 0 && to-r.from > s.maxValues {
		to = r.from + s.maxValues
	}
	end := "*"
	if to < n {
		end = strconv.Itoa(to - 1)
	}
	head := appendOctets(nil, a.name+";range="+strconv.Itoa(r.from)+"-"+end)
	s.plain(w, head, part(r.from, to))
}

// plain writes name and values, which are encoded already.
func (s *selection) plain(w *writer, head, set []byte) {
	if s.typesOnly {
		set = nil
	}
	inner := len(set) + headerLen(w, len(set))
	w.header(tagSequence, len(head)+inner)
	w.b = append(w.b, head...)
	w.header(tagSet, len(set))
	w.b = append(slices.Grow(w.b, len(set)), set...)
}

// header writes tag and length of a constructed element.
func (w *writer) header(tag byte, n int) {
	w.b = append(w.b, tag)
	if w.long {
		w.b = binary.BigEndian.AppendUint32(append(w.b, 0x84), uint32(n)) //nolint:gosec // below 4 GiB
		return
	}
	w.b = appendLen(w.b, n)
}

func headerLen(w *writer, n int) int {
	switch {
	case w.long || n > 0xffffff:
		return 6
	case n < 0x80:
		return 2
	case n <= 0xff:
		return 3
	case n <= 0xffff:
		return 4
	}
	return 5
}
