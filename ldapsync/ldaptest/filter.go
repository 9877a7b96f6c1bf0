package ldaptest

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Matching rules of Active Directory.
const (
	ruleBitAnd  = "1.2.840.113556.1.4.803"
	ruleBitOr   = "1.2.840.113556.1.4.804"
	ruleInChain = "1.2.840.113556.1.4.1941"
)

// truth is the three-valued logic of RFC 4511 section 4.5.1.7: not(undefined) is undefined.
type truth uint8

const (
	no truth = iota
	yes
	undefined
)

func is(b bool) truth {
	if b {
		return yes
	}
	return no
}

// matcher holds what matching one search needs: scratch space and the rights of the account.
type matcher struct {
	t       *tree
	hidden  map[uint16]bool
	scratch []byte
	fold    []byte
}

// prepare resolves names and folds values once for all entries. Call it with the lock held.
func (m *matcher) prepare(f *filter) {
	for _, sub := range f.subs {
		m.prepare(sub)
	}
	if f.op == filterAnd || f.op == filterOr || f.op == filterNot {
		return
	}
	name, _, _ := strings.Cut(f.attr, ";")
	if f.id, f.known = m.t.schema.id(name); f.known {
		a := &m.t.schema.attrs[f.id]
		f.syntax = a.syntax
		f.never = a.class == constructed || m.hidden[f.id]
	}
	f.never = f.never || f.op == filterExt && f.attr == ""
	f.folded = foldValue(nil, f.value)
	f.number, f.numeric = parseNumber(f.value)
	for i := range f.parts {
		f.parts[i].value = foldValue(nil, f.parts[i].value)
	}
	switch {
	case f.op == filterExt && f.rule == ruleInChain:
		m.prepareChain(f)
	case f.op == filterExt && (f.rule == ruleBitAnd || f.rule == ruleBitOr):
		f.never = f.never || !f.numeric
	case f.syntax == dnSyntax:
		m.prepareDN(f)
	}
}

// prepareDN makes the key of a DN in the filter. Active Directory takes objectCategory=person for the DN of
// the class.
func (m *matcher) prepareDN(f *filter) {
	v := string(f.value)
	if strings.EqualFold(f.attr, "objectCategory") && !strings.Contains(v, "=") {
		v = "CN=" + v + m.t.schemaDN
	}
	key, err := dnKey(v)
	f.folded, f.seen = []byte(key), map[string]bool{}
	f.never = f.never || err != nil && f.op == filterEqual
}

// prepareChain collects who is reached: for memberOf everybody in the group at any depth, for member every
// group above the entry.
func (m *matcher) prepareChain(f *filter) {
	f.inChain = map[*entry]bool{}
	start, err := m.t.get(string(f.value))
	if err != nil {
		return
	}
	next := (*entry).members
	if strings.EqualFold(f.attr, "member") {
		next = (*entry).groups
	}
	for queue := []*entry{start}; len(queue) > 0; {
		e := queue[0]
		queue = queue[1:]
		for _, n := range next(e) {
			if !f.inChain[n] {
				f.inChain[n] = true
				queue = append(queue, n)
			}
		}
	}
}

func (m *matcher) match(f *filter, e *entry) truth {
	switch f.op {
	case filterAnd, filterOr:
		stop := is(f.op == filterOr)
		result := no
		if stop == no {
			result = yes
		}
		for _, sub := range f.subs {
			switch got := m.match(sub, e); got {
			case stop:
				return stop
			case undefined:
				result = undefined
			case no, yes:
			}
		}
		return result
	case filterNot:
		switch m.match(f.subs[0], e) {
		case yes:
			return no
		case no:
			return yes
		case undefined:
		}
		return undefined
	}
	return m.leaf(f, e)
}

func (m *matcher) leaf(f *filter, e *entry) truth {
	switch {
	case f.never:
		return undefined
	case f.inChain != nil:
		return is(f.inChain[e])
	case !f.known:
		return no
	case f.op == filterEqual && f.id == m.t.idAnchor:
		return m.matchAnchor(f, e)
	}
	if m.scratch == nil {
		m.scratch = make([]byte, 0, 512)
	}
	set := m.t.values(e, f.id, m.scratch)
	if f.op == filterPresent {
		return is(len(set) > 0)
	}
	for len(set) > 0 {
		var v []byte
		if v, set = nextValue(set); m.value(f, v) {
			return yes
		}
	}
	return no
}

func (m *matcher) matchAnchor(f *filter, e *entry) truth {
	if m.t.kind == ActiveDirectory {
		return is(bytes.Equal(f.value, e.guid[:]))
	}
	g, ok := parseAnchor(m.t.kind, string(f.value))
	return is(ok && g == e.guid)
}

// value matches one value of the entry.
func (m *matcher) value(f *filter, v []byte) bool {
	switch f.op {
	case filterExt:
		return m.extensible(f, v)
	case filterSub:
		return m.substrings(f, v)
	case filterGreater:
		return m.compare(f, v) >= 0
	case filterLess:
		return m.compare(f, v) <= 0
	}
	return m.equal(f, v)
}

func (m *matcher) equal(f *filter, v []byte) bool {
	switch f.syntax {
	case rawOctets, caseExact:
		return bytes.Equal(f.value, v)
	case integer:
		n, ok := parseNumber(v)
		return ok && f.numeric && n == f.number
	case dnSyntax:
		return m.equalDN(f, v)
	case telephone:
		return bytes.Equal(digits(f.value), digits(v))
	case caseIgnore:
	}
	if bytes.EqualFold(f.value, v) {
		return true
	}
	if len(f.value) == len(v) && bytes.IndexByte(v, ' ') < 0 {
		return false
	}
	m.fold = foldValue(m.fold[:0], v)
	return bytes.Equal(f.folded, m.fold)
}

// equalDN compares after parsing, and remembers, since many entries share few such values.
func (m *matcher) equalDN(f *filter, v []byte) bool {
	if known, ok := f.seen[string(v)]; ok {
		return known
	}
	key, err := dnKey(string(v))
	same := err == nil && key == string(f.folded)
	if len(f.seen) < 256 {
		f.seen[string(v)] = same
	}
	return same
}

func (m *matcher) compare(f *filter, v []byte) int {
	if f.syntax == integer || f.numeric {
		if n, ok := parseNumber(v); ok && f.numeric {
			switch {
			case n < f.number:
				return -1
			case n > f.number:
				return 1
			}
			return 0
		}
	}
	m.fold = foldValue(m.fold[:0], v)
	return bytes.Compare(m.fold, f.folded)
}

func (m *matcher) substrings(f *filter, v []byte) bool {
	if f.syntax == dnSyntax {
		return false // no directory has a substring rule for DNs
	}
	m.fold = foldValue(m.fold[:0], v)
	left := m.fold
	for _, p := range f.parts {
		switch p.tag {
		case 0x80:
			if !bytes.HasPrefix(left, p.value) {
				return false
			}
			left = left[len(p.value):]
		case 0x81:
			i := bytes.Index(left, p.value)
			if i < 0 {
				return false
			}
			left = left[i+len(p.value):]
		default:
			if !bytes.HasSuffix(left, p.value) {
				return false
			}
		}
	}
	return true
}

func (m *matcher) extensible(f *filter, v []byte) bool {
	switch f.rule {
	case ruleBitAnd, ruleBitOr:
		n, ok := parseNumber(v)
		if f.rule == ruleBitAnd {
			return ok && n&f.number == f.number
		}
		return ok && n&f.number != 0
	case "2.5.13.5", "2.5.13.17", "caseExactMatch", "octetStringMatch":
		return bytes.Equal(f.value, v)
	}
	return m.equal(f, v)
}

func parseNumber(v []byte) (int64, bool) {
	if len(v) == 0 || len(v) > 20 || v[0] != '-' && (v[0] < '0' || v[0] > '9') {
		return 0, false
	}
	n, err := strconv.ParseInt(string(v), 10, 64)
	return n, err == nil
}

func digits(v []byte) []byte {
	return slices.DeleteFunc(slices.Clone(v), func(c byte) bool { return c == ' ' || c == '-' })
}

// foldValue appends v in lower case and with single spaces, which is how caseIgnoreMatch compares.
func foldValue(dst, v []byte) []byte {
	v = bytes.TrimSpace(v)
	space := false
	for i := 0; i < len(v); i++ {
		c := v[i]
		switch {
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRune(v[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(dst, c)
			} else {
				dst = utf8.AppendRune(dst, unicode.ToLower(r))
			}
			i += n - 1
		case c == ' ' && space:
		case 'A' <= c && c <= 'Z':
			dst = append(dst, c+'a'-'A')
		default:
			dst = append(dst, c)
		}
		space = c == ' '
	}
	return dst
}

// anchorIn finds an anchor that every match must have, so that asking for one person by anchor looks at one
// entry.
func (m *matcher) anchorIn(f *filter) (g [16]byte, ok bool) {
	switch {
	case f.op == filterEqual && f.known && f.id == m.t.idAnchor:
		return parseAnchor(m.t.kind, string(f.value))
	case f.op == filterAnd:
		for _, sub := range f.subs {
			if g, ok = m.anchorIn(sub); ok {
				return g, true
			}
		}
	}
	return g, false
}
