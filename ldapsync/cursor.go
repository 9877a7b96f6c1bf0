package ldapsync

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"

	"usherd/connector"
)

// cursorVersion is the first byte of a cursor; another one is of another usherd, and of no use here.
const cursorVersion = 1

// cursorParts are the parts of a cursor's data, so that it can be told which one does not fit.
type cursorParts struct {
	by       ChangesBy
	identity [8]byte // hash of the mechanism's
	place    []byte  // the mechanism's own
}

// cursor makes the cursor of a place. The mechanism must be prepared.
func (x *session) cursor(m mechanism, place []byte) connector.Cursor {
	id := shortHash(m.identity(x))
	b := append([]byte{cursorVersion}, lengthText(string(m.by()))...)
	b = append(b, id[:]...)
	return connector.Cursor{Data: append(b, place...), Key: x.key(m)}
}

func parseCursor(c connector.Cursor) (p cursorParts, ok bool) {
	b, ok := bytes.CutPrefix(c.Data, []byte{cursorVersion})
	if !ok {
		return p, false
	}
	by, b, ok := cutText(b)
	if !ok || len(b) < len(p.identity) {
		return p, false
	}
	p.by = ChangesBy(by)
	p.place = bytes.Clone(b[copy(p.identity[:], b):])
	return p, true
}

// key covers everything that a place depends on: under another one it means nothing, whatever the server
// says to it.
func (x *session) key(m mechanism) connector.Hash {
	c := &x.s.config
	b := lengthText(string(m.by()))
	b = append(b, lengthText(string(m.identity(x)))...)
	b = append(b, lengthText(string(c.Bind.Method))...)
	b = append(b, lengthText(strings.ToLower(c.Bind.User))...)
	b = append(b, lengthText(string(c.Fingerprint()))...)
	groups := foldAll(c.GroupBases)
	if len(groups) > 0 {
		groups = append(groups, c.groupFilter())
	}
	for _, list := range [][]string{x.s.layout.names, foldAll(x.s.guarded), foldAll(x.s.ruleGroups()), groups} {
		b = binary.AppendUvarint(b, uint64(len(list)))
		for _, s := range list {
			b = append(b, lengthText(s)...)
		}
	}
	sum := sha256.Sum256(b)
	return connector.Hash(sum[:16])
}

func shortHash(b []byte) [8]byte {
	sum := sha256.Sum256(b)
	return [8]byte(sum[:8])
}

func lengthText(s string) []byte {
	return append(binary.AppendUvarint(nil, uint64(len(s))), s...)
}

// cutText takes what lengthText wrote off b.
func cutText(b []byte) (text string, rest []byte, ok bool) {
	n, b, ok := cutNumber(b)
	if !ok || n > uint64(len(b)) {
		return "", nil, false
	}
	return string(b[:n]), b[n:], true
}

func cutNumber(b []byte) (n uint64, rest []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 {
		return 0, nil, false
	}
	return n, b[size:], true
}

// misfitCursor says why a cursor does not fit to a prepared mechanism on this server; "" = it does.
func (x *session) misfitCursor(m mechanism, at connector.Cursor, p *cursorParts) string {
	switch {
	case p.identity != shortHash(m.identity(x)):
		return "the cursor is from another server, or one whose database is another than it was"
	case at.Key != x.key(m):
		return "the cursor is from other settings: bases, filter, scope, groups, attributes or account have changed since"
	}
	return ""
}

// Older says why the directory at now is older than at last; see connector.Feed.
func (s *Source) Older(now, last connector.Cursor) string {
	n, ok := parseCursor(now)
	l, was := parseCursor(last)
	if !ok || !was || n.by != l.by || n.identity != l.identity {
		return ""
	}
	i := slices.IndexFunc(choices, func(c choice) bool { return c.by == n.by })
	if i < 0 {
		return ""
	}
	return choices[i].make().older(n.place, l.place)
}
