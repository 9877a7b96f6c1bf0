package ldaptest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// syncRepl is content synchronization (RFC 4533) in the ways of slapd and 389-ds.
type syncRepl struct {
	persist bool
	cookie  []byte

	from    uint64 // USN up to which the client knows everything
	refresh bool   // the client knows something
	unknown bool   // the cookie is none of ours: everything, and no cookie in return (slapd)
}

// States of an entry (RFC 4533 section 2.3).
const (
	syncAdd    = 1
	syncModify = 2
	syncDelete = 3
)

// idSetSize is how many UUIDs slapd puts into one message.
const idSetSize = 256

// RestartSync makes the server forget the log of its session, as a restart of slapd does: the next refresh
// with an older cookie has a present phase. 389-ds keeps its log on disk and in time trims it: a refresh with
// an older cookie then leaves out, without a word, what is not in the log any more.
func (s *Server) RestartSync() {
	s.tree.mu.Lock()
	defer s.tree.mu.Unlock()
	s.tree.logStart = s.tree.usn
}

func (f *syncRepl) run(q *query, o *answer) error {
	if bad := f.read(q); bad.code != 0 {
		return o.done(opDone, bad)
	}
	t := q.c.s.tree
	t.mu.RLock()
	upTo, at, lost, logStart := t.usn, t.touched, f.from < t.logStart, t.logStart
	t.mu.RUnlock()
	if q.c.s.o.Kind == DS389 && lost {
		f.from, lost = logStart, false
	}
	present := f.refresh && lost
	if err := f.content(q, o, present); err != nil {
		return err
	}
	if f.refresh && !present {
		if err := f.deletions(q, o); err != nil {
			return err
		}
	}
	var cookie []byte
	if !f.unknown && (!f.refresh || upTo != f.from || q.c.s.o.Kind == DS389) {
		cookie = f.makeCookie(q, upTo, at)
	}
	// 389-ds says FALSE whatever it did.
	deletes := !present && q.c.s.o.Kind == OpenLDAP
	if f.persist {
		return f.follow(q, o, upTo, cookie, deletes)
	}
	var w writer
	in := w.open(tagSequence)
	if cookie != nil {
		w.octets(tagOctets, cookie)
	}
	if deletes {
		w.bool(true)
	}
	w.shut(in)
	return o.done(opDone, result{controls: [][]byte{encodeControl(ldap.ControlTypeSyncDone, w.b)}})
}

// read understands the cookie.
func (f *syncRepl) read(q *query) result {
	if len(f.cookie) == 0 {
		return result{}
	}
	f.refresh = true
	if q.c.s.o.Kind == DS389 {
		prefix, number, _ := cutLast(string(f.cookie), "#")
		n, err := strconv.ParseUint(number, 10, 64)
		if err != nil || prefix != f.prefix389(q) {
			return result{code: 4096, text: "Invalid session cookie"}
		}
		f.from = n
		return result{}
	}
	if n, ok := csnUSN(string(f.cookie)); ok {
		f.from = n
	} else {
		f.refresh, f.unknown = false, true
	}
	return result{}
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// csnUSN finds the USN in rid=000,csn=20260105080000.000123Z#000000#000#000000.
func csnUSN(cookie string) (uint64, bool) {
	_, rest, ok := strings.Cut(cookie, "csn=")
	parts := strings.Split(rest, "#")
	if !ok || len(parts) != 4 {
		return 0, false
	}
	_, micro, ok := strings.Cut(strings.TrimSuffix(parts[0], "Z"), ".")
	low, err1 := strconv.ParseUint(micro, 10, 64)
	high, err2 := strconv.ParseUint(parts[1], 16, 64)
	return high*1000000 + low, ok && err1 == nil && err2 == nil
}

// prefix389 names server, account, base and filter: any difference voids the cookie.
func (f *syncRepl) prefix389(q *query) string {
	who := ""
	if q.c.account != nil {
		who = q.c.account.Names[0]
	}
	return fmt.Sprintf("%s#%s:%s:%x", q.c.s.ldap.Addr(), who, q.req.base, digest(q.req.filterBytes))
}

// makeCookie gives the cookie of a change and its time.
func (f *syncRepl) makeCookie(q *query, usn uint64, at int64) []byte {
	if q.c.s.o.Kind == DS389 {
		return fmt.Appendf(nil, "%s#%d", f.prefix389(q), usn)
	}
	return []byte("rid=000,csn=" + csn(at, usn))
}

// content sends every entry that changed since the cookie, and in a present phase names all others.
func (f *syncRepl) content(q *query, o *answer, present bool) error {
	t := q.c.s.tree
	var ids [][16]byte
	for end := false; !end; {
		t.mu.RLock()
		for range batchScan {
			e, ok := q.next()
			if e == nil {
				end = ok
				break
			}
			q.pos++
			switch {
			case f.refresh && e.changed <= f.from:
				if present {
					ids = append(ids, e.guid)
				}
				continue
			case f.refresh && q.c.s.o.Kind == DS389: // its later rounds come without operational attributes
				q.sel.virtual = slices.DeleteFunc(q.sel.virtual, func(id uint16) bool { return t.schema.attrs[id].class == operational })
			}
			q.entry(&o.w, e, syncState(syncAdd, e.guid, nil))
			if o.faults != nil || len(o.w.b) >= batchBytes {
				break
			}
		}
		t.mu.RUnlock()
		if err := o.flush(true); err != nil {
			return err
		}
	}
	for len(ids) > 0 {
		n := min(idSetSize, len(ids))
		if err := f.idSet(o, false, ids[:n]...); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

// deletions names what the log knows to be gone: deleted or moved away, and on slapd also what the filter no
// longer finds.
func (f *syncRepl) deletions(q *query, o *answer) error {
	t := q.c.s.tree
	t.mu.RLock()
	seen := map[*entry]bool{}
	var gone [][16]byte
	for _, c := range t.since(f.from) {
		e := c.entry
		if seen[e] || e.created > f.from {
			continue
		}
		seen[e] = true
		removed := e.slot >= len(t.slots) || t.slots[e.slot] != e
		if removed || !q.reaches(e) || q.c.s.o.Kind == OpenLDAP && !q.visible(e) {
			gone = append(gone, e.guid)
		}
	}
	t.mu.RUnlock()
	for _, g := range gone { // slapd often sends one message for each
		if err := f.idSet(o, true, g); err != nil {
			return err
		}
	}
	return nil
}

// idSet sends a syncIdSet (RFC 4533 section 2.5).
func (f *syncRepl) idSet(o *answer, deletes bool, ids ...[16]byte) error {
	return f.info(o, 0xa3, func(w *writer) {
		if deletes {
			w.bool(true)
		}
		set := w.open(tagSet)
		for _, g := range ids {
			w.octets(tagOctets, g[:])
		}
		w.shut(set)
	})
}

// info sends a Sync Info message.
func (f *syncRepl) info(o *answer, choice byte, body func(*writer)) error {
	var v writer
	at := v.open(choice)
	body(&v)
	v.shut(at)
	m := o.w.open(tagSequence)
	o.w.int(tagInt, o.m.id)
	in := o.w.open(opInfo)
	o.w.str(0x80, ldap.ControlTypeSyncInfo)
	o.w.octets(0x81, v.b)
	o.w.shut(in)
	o.w.shut(m)
	return o.flush(false)
}

func syncState(state int64, guid [16]byte, cookie []byte) []byte {
	var w writer
	in := w.open(tagSequence)
	w.int(tagEnum, state)
	w.octets(tagOctets, guid[:])
	if cookie != nil {
		w.octets(tagOctets, cookie)
	}
	w.shut(in)
	return encodeControl(ldap.ControlTypeSyncState, w.b)
}

// follow ends the refresh stage and sends changes until the client goes away.
func (f *syncRepl) follow(q *query, o *answer, from uint64, cookie []byte, deletes bool) error {
	choice := byte(0xa1)
	if !deletes {
		choice = 0xa2
	}
	err := f.info(o, choice, func(w *writer) {
		if cookie != nil {
			w.octets(tagOctets, cookie)
		}
	})
	if err != nil {
		return err
	}
	o.forEver(func(o *answer) error { return f.changes(q, o, from) })
	return nil
}

// changes sends each entry that changes after a USN.
func (f *syncRepl) changes(q *query, o *answer, from uint64) error {
	t := q.c.s.tree
	for {
		t.mu.RLock()
		usn, changed := t.usn, t.watch()
		list := t.changedSince(from)
		t.mu.RUnlock()
		for _, e := range list {
			if err := f.report(q, o, e, from); err != nil {
				return err
			}
		}
		from = usn
		if len(list) > 0 {
			continue
		}
		select {
		case <-changed:
		case <-q.c.gone:
			return nil
		case <-q.c.s.closed:
			return errHangUp
		}
	}
}

// report sends one change with its cookie.
func (f *syncRepl) report(q *query, o *answer, e *entry, from uint64) error {
	t := q.c.s.tree
	t.mu.RLock()
	cookie := f.makeCookie(q, e.changed, e.touched)
	gone := t.slots[e.slot] != e || !q.visible(e)
	fresh := e.created > from
	switch {
	case gone && fresh: // came and went unseen
	case gone:
		q.frame(&o.w, e, syncState(syncDelete, e.guid, cookie), func(*writer) {})
	case fresh:
		q.entry(&o.w, e, syncState(syncAdd, e.guid, cookie))
	default:
		q.entry(&o.w, e, syncState(syncModify, e.guid, cookie))
	}
	t.mu.RUnlock()
	return o.flush(true)
}

// changedSince gives the entries that changed after a USN, in the order of the last change of each. Call it
// with the lock held.
func (t *tree) changedSince(usn uint64) []*entry {
	var list []*entry
	for _, e := range slices.Backward(t.slots) {
		if e == nil {
			continue
		}
		if e.created <= usn {
			break
		}
		list = append(list, e)
	}
	seen := map[*entry]bool{}
	for _, c := range t.since(usn) {
		if e := c.entry; e.created <= usn && !seen[e] {
			seen[e] = true
			list = append(list, e)
		}
	}
	sortByChange(list)
	return list
}
