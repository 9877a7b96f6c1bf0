package ldaptest

import (
	"encoding/binary"
	"maps"
	"slices"
	"sort"

	"github.com/go-ldap/ldap/v3"
)

// feed is a change feed that a search asked for by its control.
type feed interface {
	// run answers the whole request.
	run(q *query, o *answer) error
}

// feedControl takes the controls of the feeds that the kind of server has.
func (q *query) feedControl(k control) (known bool, bad result) {
	ad := q.c.s.o.Kind == ActiveDirectory
	r := reader{b: k.value}
	in := reader{b: r.want(tagSequence)}
	switch {
	case k.oid == ldap.ControlTypeDirSync && ad:
		flags := in.want(tagInt) // INCREMENTAL_VALUES is the sign bit, and clients differ in how they write it
		in.want(tagInt)          // bytes at most: a message has a fixed number of entries here
		f := &dirSync{cookie: in.want(tagOctets)}
		for _, c := range flags {
			f.flags = f.flags<<8 | uint32(c)
		}
		q.feed, q.showDeleted = f, true
	case k.oid == controlNotification && ad:
		q.feed = notification{}
		return true, result{}
	case k.oid == ldap.ControlTypeSyncRequest && !ad:
		f := &syncRepl{persist: in.int(tagEnum) == 3}
		if in.peek() == tagOctets {
			f.cookie = in.want(tagOctets)
		}
		q.feed = f
	default:
		return false, result{}
	}
	if in.bad {
		return true, result{code: ldap.LDAPResultProtocolError, text: "malformed control " + k.oid}
	}
	return true, result{}
}

func (s *Server) feedControls() []string {
	if s.o.Kind == ActiveDirectory {
		return []string{ldap.ControlTypeDirSync, controlNotification}
	}
	return []string{ldap.ControlTypeSyncRequest}
}

// since gives the log after a USN. Call it with the lock held.
func (t *tree) since(usn uint64) []change {
	return t.log[sort.Search(len(t.log), func(i int) bool { return t.log[i].usn > usn }):]
}

// dirSync is DirSync of Active Directory (MS-ADTS 3.1.1.3.4.1.3).
type dirSync struct {
	flags  uint32
	cookie []byte

	from, upTo uint64 // USNs: what changed after from; the round began at upTo
	at         uint64 // slot to go on with
	deltas     map[*entry]*delta
	sel        selection
	done       map[*entry]bool // ancestors that were sent ahead in this message
}

// Flags of DirSync.
const (
	dirSyncObjectSecurity    = 0x1
	dirSyncAncestorsFirst    = 0x800
	dirSyncIncrementalValues = 0x80000000
)

// delta is what happened to one entry since the last round.
type delta struct {
	attrs   map[uint16]bool
	members map[*entry]bool
	moved   bool
}

func (f *dirSync) run(q *query, o *answer) error {
	if bad := f.begin(q); bad.code != 0 {
		return o.done(opDone, bad)
	}
	more, sent := true, 0
	for more && sent < q.c.s.o.DirSyncPage {
		n, end, err := f.step(q, o)
		if err != nil {
			return err
		}
		sent += n
		more = !end
	}
	w := writer{}
	in := w.open(tagSequence)
	w.int(tagInt, map[bool]int64{true: 1}[more])
	w.int(tagInt, 0)
	w.octets(tagOctets, f.next(more))
	w.shut(in)
	return o.done(opDone, result{controls: [][]byte{encodeControl(ldap.ControlTypeDirSync, w.b)}})
}

func (f *dirSync) begin(q *query) result {
	t := q.c.s.tree
	t.mu.RLock()
	defer t.mu.RUnlock()
	switch {
	case q.base.parent != nil || q.req.scope != scopeSub,
		q.c.s.o.NoReplicationRight && f.flags&dirSyncObjectSecurity == 0:
		return result{
			code: ldap.LDAPResultInsufficientAccessRights,
			text: "00002105: LdapErr: DSID-0C0908E1, comment: Error processing control, data 0, v4563\x00",
		}
	case len(f.cookie) == 0:
		f.upTo = t.usn
	case len(f.cookie) != 28 || string(f.cookie[:4]) != "MSDS":
		return result{code: ldap.LDAPResultUnavailableCriticalExtension, text: "malformed cookie"}
	default:
		f.from = binary.LittleEndian.Uint64(f.cookie[4:])
		f.upTo = binary.LittleEndian.Uint64(f.cookie[12:])
		f.at = binary.LittleEndian.Uint64(f.cookie[20:])
		if f.upTo == 0 {
			f.upTo = t.usn
		}
	}
	f.deltas, f.done = map[*entry]*delta{}, map[*entry]bool{}
	for _, c := range t.since(f.from) {
		f.note(c)
	}
	f.sel = q.sel
	f.sel.maxValues = 0
	f.sel.virtual = slices.DeleteFunc(slices.Clone(q.sel.virtual), func(id uint16) bool { return !replicated(&t.schema.attrs[id]) })
	return result{}
}

func (f *dirSync) note(c change) {
	d := f.deltas[c.entry]
	if d == nil {
		d = &delta{attrs: map[uint16]bool{}, members: map[*entry]bool{}}
		f.deltas[c.entry] = d
	}
	for _, id := range c.attrs {
		d.attrs[id] = true
	}
	for _, m := range slices.Concat(c.added, c.removed) {
		d.members[m] = true
	}
	d.moved = d.moved || c.moved || c.deleted
}

// replicated says that DirSync sends an attribute.
func replicated(a *attr) bool {
	switch a.name {
	case "uSNChanged", "uSNCreated", "whenChanged", "memberOf", "distinguishedName", "objectGUID", "instanceType", "isDeleted":
		return false // of one DC alone, or sent anyhow
	}
	return a.class != constructed
}

// step writes the next entry of the round.
func (f *dirSync) step(q *query, o *answer) (sent int, end bool, err error) {
	t := q.c.s.tree
	t.mu.RLock()
	for range batchScan {
		if f.at >= uint64(len(t.slots)) {
			end = true
			break
		}
		e := t.slots[f.at]
		f.at++
		if !f.wanted(q, e) {
			continue
		}
		if f.flags&dirSyncAncestorsFirst != 0 {
			sent += f.ancestors(q, o, e)
		}
		f.write(q, o, e)
		sent++
		break
	}
	t.mu.RUnlock()
	return sent, end, o.flush(sent > 0)
}

// ancestors sends those above e ahead of it that would come later.
func (f *dirSync) ancestors(q *query, o *answer, e *entry) int {
	var up []*entry
	for p := e.parent; p != nil; p = p.parent {
		if p.slot > e.slot && f.wanted(q, p) {
			up = append(up, p)
		}
	}
	for _, p := range slices.Backward(up) {
		f.write(q, o, p)
		f.done[p] = true
	}
	return len(up)
}

// wanted says whether e belongs to the round: it changed, the filter finds it as it is now, and what
// changed was asked for.
func (f *dirSync) wanted(q *query, e *entry) bool {
	t := q.c.s.tree
	if e == nil || e.changed <= f.from || e == t.bin || f.done[e] || !q.visible(e) {
		return false
	}
	d := f.deltas[e]
	if e.created > f.from || d == nil || d.moved {
		return true
	}
	for id := range d.attrs {
		if f.selected(id) {
			return true
		}
	}
	return false
}

func (f *dirSync) selected(id uint16) bool {
	return int(id) < len(f.sel.stored) && f.sel.stored[id] || int(id) >= len(f.sel.stored) && f.sel.rest
}

func (f *dirSync) write(q *query, o *answer, e *entry) {
	t := q.c.s.tree
	q.frame(&o.w, e, nil, func(w *writer) {
		if e.created > f.from {
			f.whole(w, t, e)
		} else {
			f.part(w, t, e)
		}
		for _, name := range []string{"objectGUID", "instanceType", "isDeleted", "parentGUID"} {
			if id, ok := t.schema.id(name); ok {
				if set := t.values(e, id, nil); len(set) > 0 {
					f.sel.plain(w, t.schema.attrs[id].head, set)
				}
			}
		}
	})
}

// whole sends everything that was asked for.
func (f *dirSync) whole(w *writer, t *tree, e *entry) {
	if f.flags&dirSyncIncrementalValues == 0 || len(e.members()) == 0 || !f.selected(t.idMember) {
		f.sel.write(w, e)
		return
	}
	s := f.sel
	s.virtual = slices.DeleteFunc(slices.Clone(s.virtual), t.linked)
	s.write(w, e)
	s.plain(w, appendOctets(nil, "member;range=1-1"), appendNames(nil, e.members()))
}

// part sends what changed; an attribute that was emptied comes without values.
func (f *dirSync) part(w *writer, t *tree, e *entry) {
	d := f.deltas[e]
	if d == nil {
		return
	}
	if name, ok := t.schema.id("name"); ok && d.moved {
		f.sel.plain(w, t.schema.attrs[name].head, t.values(e, name, nil))
	}
	for _, id := range slices.Sorted(maps.Keys(d.attrs)) {
		if !f.selected(id) {
			continue
		}
		if t.linked(id) && f.flags&dirSyncIncrementalValues != 0 {
			f.links(w, e, d)
			continue
		}
		f.sel.plain(w, t.schema.attrs[id].head, t.values(e, id, nil))
	}
}

// links sends members that came as range=1-1 and those that went as range=0-0.
func (f *dirSync) links(w *writer, group *entry, d *delta) {
	var came, went []byte
	for m := range d.members {
		if slices.Contains(m.groups(), group) {
			came = appendEntryDN(came, m)
		} else {
			went = appendEntryDN(went, m)
		}
	}
	if came != nil {
		f.sel.plain(w, appendOctets(nil, "member;range=1-1"), came)
	}
	if went != nil {
		f.sel.plain(w, appendOctets(nil, "member;range=0-0"), went)
	}
}

// next is the cookie for the next request.
func (f *dirSync) next(more bool) []byte {
	from, upTo, at := f.upTo, uint64(0), uint64(0)
	if more {
		from, upTo, at = f.from, f.upTo, f.at
	}
	b := []byte("MSDS")
	for _, n := range []uint64{from, upTo, at} {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	return b
}

// encodeControl makes a control that is not critical.
func encodeControl(oid string, value []byte) []byte {
	var w writer
	at := w.open(tagSequence)
	w.str(tagOctets, oid)
	w.octets(tagOctets, value)
	w.shut(at)
	return w.b
}
