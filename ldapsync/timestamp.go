package ldapsync

import (
	"context"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// timestampFeed asks for the entries whose time of change is not before the last one seen. It is the last
// resort: it sees no deletions, and hangs on the server's clock.
type timestampFeed struct{}

// stampOverlap is how far before the last change it looks again: servers that replicate from each other
// have clocks of their own, and a change shows only when it is written.
const stampOverlap = time.Minute

// maxWindow bounds the entries of the overlap that are remembered, so that they are not told twice.
const maxWindow = 2000

func (timestampFeed) by() ChangesBy { return ByTimestamp }

// identity is the server: the clocks of two differ.
func (timestampFeed) identity(x *session) []byte { return []byte(x.c.server) }

func (timestampFeed) describe() (text string, blind bool) {
	return "deletions are found by full reads only, and a change may be missed where clocks differ by more than a minute", true
}

func (timestampFeed) older(now, last []byte) string {
	n, ok := parseStampPlace(now)
	l, was := parseStampPlace(last)
	if !ok || !was || !n.at.Before(l.at.Add(-stampOverlap)) {
		return ""
	}
	return "the time of the newest change was " + l.at.Format(time.RFC3339) + " and is " + n.at.Format(time.RFC3339) + ", as after a restore from a backup"
}

// stampPlace is the time of the newest change that was seen, and which changes of the minute before it were.
type stampPlace struct {
	at   time.Time
	seen [][8]byte // sorted
}

func (p *stampPlace) encode() []byte {
	b := binary.AppendVarint(nil, p.at.Unix())
	for _, h := range p.seen {
		b = append(b, h[:]...)
	}
	return b
}

func parseStampPlace(b []byte) (p stampPlace, ok bool) {
	at, n := binary.Varint(b)
	if n <= 0 || (len(b)-n)%8 != 0 {
		return p, false
	}
	p.at = time.Unix(at, 0).UTC()
	for h := range slices.Chunk(b[n:], 8) {
		p.seen = append(p.seen, [8]byte(h))
	}
	return p, true
}

func (p *stampPlace) knows(h [8]byte) bool {
	_, found := slices.BinarySearchFunc(p.seen, h, compareHashes)
	return found
}

func compareHashes(a, b [8]byte) int { return slices.Compare(a[:], b[:]) }

// mark takes the server's clock, or where it tells none the time of the newest change.
func (f timestampFeed) mark(ctx context.Context, x *session) ([]byte, error) {
	w := &stampWindow{x: x}
	at, err := parseGeneralizedTime(x.root.clock)
	if err != nil {
		if err = w.newest(ctx); err != nil {
			return nil, err
		}
		at = w.at
	}
	p := &stampPlace{at: at.Truncate(time.Second)}
	w = &stampWindow{x: x, from: p.at.Add(-stampOverlap)}
	if err := w.read(ctx, func(*stamped) error { return nil }); err != nil {
		return nil, err
	}
	return w.next(p.at), nil
}

func (f timestampFeed) changes(ctx context.Context, x *session, since []byte, t *touched) (next []byte, full string, err error) {
	last, ok := parseStampPlace(since)
	if !ok {
		return nil, "the cursor cannot be read", nil
	}
	rule, group := x.s.groupRule(), x.s.config.groupAnchorForm()
	custom := x.s.config.GroupFilter != "" // such groups need not be of a class that is known here
	w := &stampWindow{x: x, from: last.at.Add(-stampOverlap)}
	err = w.read(ctx, func(e *stamped) error {
		if last.knows(e.hash) {
			return nil
		}
		t.entries++
		if x.s.syncsGroups() && (e.class.group || custom && !e.class.person) {
			if a, err := group.decode(e.group); err == nil { // else a full read says so
				if err := t.touchGroup(a); err != nil {
					return err
				}
			}
		}
		switch {
		case e.class.group && !rule.matter(), e.class.container && e.fresh(&last):
		case e.class.group:
			t.change("the group %s changed, and by its time it cannot be told who came and who went", e.dn)
		case e.class.container:
			t.change("%s changed, and by its time it cannot be told whether it was moved or renamed: everybody below it stands elsewhere then", e.dn)
		default:
			if a, err := x.s.layout.anchor.decode(e.anchor); err == nil {
				return t.touch(a)
			}
		}
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	return w.next(last.at), "", nil
}

// stamped is an entry of the window.
type stamped struct {
	dn     string
	class  entryClass
	anchor [][]byte // as a person
	group  [][]byte // as a group
	born   time.Time
	at     time.Time
	hash   [8]byte // of the change
	itself [8]byte // hash of who changed, whatever did
}

// fresh reports whether the entry was made after a place: in a later second, or in the last one and not
// seen then.
func (s *stamped) fresh(last *stampPlace) bool {
	return s.born.After(last.at) || s.born.Equal(last.at) && !last.knows(s.itself)
}

// stampWindow is what changed since a time.
type stampWindow struct {
	x    *session
	from time.Time
	at   time.Time // of the newest
	seen []stampedHash
}

type stampedHash struct {
	at   time.Time
	hash [8]byte
}

// stampNames are the attributes of the times, and of what tells two changes in one second apart.
func (w *stampWindow) names() []string {
	names := []string{w.x.s.layout.anchor.attribute, "objectClass", "createTimestamp", "modifyTimestamp", "entryCSN"}
	if w.x.s.config.Type == ActiveDirectory {
		names = append(names[:2], "whenCreated", "whenChanged", "uSNChanged")
	}
	if group := w.x.s.config.groupAnchorForm().attribute; !strings.EqualFold(group, names[0]) {
		names = append(names, group)
	}
	return names
}

// generalized writes a time as the server compares it.
func (w *stampWindow) generalized(at time.Time) string {
	if w.x.s.config.Type == ActiveDirectory {
		return at.UTC().Format("20060102150405.0Z")
	}
	return at.UTC().Format("20060102150405Z")
}

// newest finds the newest change below the bases by looking at all of them.
func (w *stampWindow) newest(ctx context.Context) error {
	return w.search(ctx, w.x.s.config.Bases, anyObject, func(*stamped) error { return nil })
}

// read looks at what changed since from, wherever it stands now: who leaves the bases has changed.
func (w *stampWindow) read(ctx context.Context, yield func(*stamped) error) error {
	filter := "(" + w.x.changedAttribute() + ">=" + w.generalized(w.from) + ")"
	return w.search(ctx, w.x.watched(), filter, func(e *stamped) error {
		if len(w.seen) < maxTouched {
			w.seen = append(w.seen, stampedHash{e.at, e.hash})
			if e.class.container {
				w.seen = append(w.seen, stampedHash{e.at, e.itself})
			}
		}
		return yield(e)
	})
}

func (w *stampWindow) search(ctx context.Context, bases []string, filter string, yield func(*stamped) error) error {
	for _, base := range bases {
		end, err := w.x.c.search(ctx, searchRequest{
			Base: base, Scope: ldap.ScopeWholeSubtree, Filter: filter, Attributes: w.names(), PageSize: w.x.pageSize(),
		}, func(e *entry) error {
			s := w.stamped(e)
			if s.class.container && staysPut(s.dn, base) {
				return nil
			}
			if s.at.After(w.at) {
				w.at = s.at
			}
			return yield(s)
		})
		if err == nil && !end.Complete {
			err = notWhole(end)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *stampWindow) stamped(e *entry) *stamped {
	s := &stamped{dn: dnText(e), class: classOf(valuesOf(e, 1)), anchor: valuesOf(e, 0), group: valuesOf(e, 0)}
	if len(w.names()) > 5 {
		s.group = valuesOf(e, 5)
	}
	text := []byte(s.dn)
	for i, to := range []*time.Time{&s.born, &s.at, nil} {
		v := valuesOf(e, 2+i)
		if len(v) != 1 {
			continue
		}
		text = append(text, v[0]...)
		if to != nil {
			*to, _ = parseGeneralizedTime(string(v[0])) // zero when it cannot be read
		}
	}
	s.at = s.at.Truncate(time.Second)
	s.hash, s.itself = shortHash(text), shortHash(slices.Concat(s.anchor...))
	return s
}

// next is the place after the window: the newest time, and who changed in the minute before.
func (w *stampWindow) next(last time.Time) []byte {
	p := stampPlace{at: last}
	if w.at.After(last) {
		p.at = w.at
	}
	for _, s := range w.seen {
		if !s.at.Before(p.at.Add(-stampOverlap)) && len(p.seen) < maxWindow {
			p.seen = append(p.seen, s.hash)
		}
	}
	slices.SortFunc(p.seen, compareHashes)
	p.seen = slices.Compact(p.seen)
	return p.encode()
}
