package ldaptest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Add makes an entry. Organizational units above it that are missing are made too. On the Active Directory
// kind objectClass "user" stands for the whole chain of classes, userAccountControl, accountExpires and
// primaryGroupID get their defaults, and the values of member must be entries that exist. An anchor may be
// given as an attribute, even one that another entry has. It fails when the entry exists or its parent does not.
func (s *Server) Add(dn string, attrs Attrs) error {
	return s.change("add", dn, func(t *tree) error {
		_, err := t.add(dn, attrs)
		return err
	})
}

// Modify replaces the values of the named attributes and leaves all others alone; an empty list takes the
// attribute away.
func (s *Server) Modify(dn string, attrs Attrs) error {
	return s.change("modify", dn, func(t *tree) error {
		e, err := t.get(dn)
		if err != nil {
			return err
		}
		return t.modify(e, attrs)
	})
}

// AddValues adds values to one attribute; those it has already are left out.
func (s *Server) AddValues(dn, name string, values ...string) error {
	return s.edit(dn, name, values, func(have []string, v string) []string { return append(have, v) })
}

// DeleteValues takes values away from one attribute; those it has not are no error.
func (s *Server) DeleteValues(dn, name string, values ...string) error {
	return s.edit(dn, name, values, func(have []string, _ string) []string { return have })
}

// edit takes each of the values out of the attribute and lets then put it back.
func (s *Server) edit(dn, name string, values []string, then func([]string, string) []string) error {
	return s.change("modify", dn, func(t *tree) error {
		e, err := t.get(dn)
		if err != nil {
			return err
		}
		id, err := t.schema.intern(name)
		if err != nil {
			return err
		}
		if t.linked(id) {
			return t.editMembers(e, values, len(then(nil, "")) > 0)
		}
		have := decodeSet(e.blob.find(id))
		for _, v := range values {
			if i := slices.Index(have, v); i >= 0 {
				have = slices.Delete(have, i, i+1)
			}
			have = then(have, v)
		}
		return t.modify(e, Attrs{name: have})
	})
}

// Move renames or moves an entry: newDN is its whole new name. Everything below it moves along, and the
// anchors stay.
func (s *Server) Move(dn, newDN string) error {
	return s.change("move", dn, func(t *tree) error { return t.move(dn, newDN) })
}

// Rename changes the first part of an entry's name, such as CN=Anna Berg.
func (s *Server) Rename(dn, rdn string) error {
	_, above := parentDN(dn)
	return s.Move(dn, rdn+","+above)
}

// Delete takes an entry without children away. The Active Directory kind leaves a tombstone.
func (s *Server) Delete(dn string) error {
	return s.change("delete", dn, func(t *tree) error {
		e, err := t.get(dn)
		if err != nil {
			return err
		}
		return t.remove(e)
	})
}

// Restore brings the entry back that had this DN when it was deleted last, with the same anchor and, unless
// the server has a recycle bin, only with what the tombstone kept and attrs. Active Directory only.
func (s *Server) Restore(dn string, attrs Attrs) error {
	return s.change("restore", dn, func(t *tree) error { return t.restore(dn, attrs) })
}

// Entry gives all attributes of an entry, those that the server works out included. ok is false when there
// is none.
func (s *Server) Entry(dn string) (attrs Attrs, ok bool) {
	t := s.tree
	t.mu.RLock()
	defer t.mu.RUnlock()
	e, err := t.get(dn)
	if err != nil {
		return nil, false
	}
	attrs = Attrs{}
	for id := range t.schema.attrs {
		a := &t.schema.attrs[id]
		if set := t.values(e, uint16(id), nil); len(set) > 0 {
			attrs[a.name] = decodeSet(set)
		}
	}
	return attrs, true
}

// Anchor gives the 16 raw bytes of an entry's anchor.
func (s *Server) Anchor(dn string) (anchor [16]byte, ok bool) {
	s.tree.mu.RLock()
	defer s.tree.mu.RUnlock()
	e, err := s.tree.get(dn)
	if err != nil {
		return anchor, false
	}
	return e.guid, true
}

// Len is the number of entries, without tombstones, with those that the server made itself.
func (s *Server) Len() int {
	s.tree.mu.RLock()
	defer s.tree.mu.RUnlock()
	return s.tree.live
}

// NewInvocation gives the database a new identity, as a domain controller restored from a backup gets one.
func (s *Server) NewInvocation() error {
	if s.tree.kind != ActiveDirectory {
		return errors.New("ldaptest: only Active Directory has an invocationId")
	}
	return s.change("modify", s.tree.serviceDN(), func(t *tree) error {
		e, err := t.get(t.serviceDN())
		if err != nil {
			return err
		}
		return t.modify(e, Attrs{"invocationId": {string(t.newAnchor())}})
	})
}

func (s *Server) change(op, dn string, f func(*tree) error) error {
	s.tree.mu.Lock()
	defer s.tree.mu.Unlock()
	if err := f(s.tree); err != nil {
		return fmt.Errorf("ldaptest: %s %q: %w", op, dn, err)
	}
	return nil
}

func decodeSet(set []byte) []string {
	var list []string
	for len(set) > 0 {
		var v []byte
		v, set = nextValue(set)
		list = append(list, string(v))
	}
	return list
}

// touch notes that something happened to c.entry.
func (t *tree) touch(c change) {
	t.usn++
	c.usn = t.usn
	c.entry.changed = t.usn
	c.entry.touched = t.now().Unix()
	t.touched = c.entry.touched
	t.log = append(t.log, c)
	t.notify()
}

func (t *tree) modify(e *entry, attrs Attrs) error {
	b := e.blob
	var ids []uint16
	var links []string
	relink := false
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		id, err := t.schema.intern(name)
		if err != nil {
			return err
		}
		switch {
		case id == t.idClass && len(attrs[name]) > 0:
			e.class = t.classOf(attrs[name])
		case t.linked(id):
			links, relink = attrs[name], true
			continue
		case id == t.idAnchor, !t.schema.attrs[id].writable():
			return fmt.Errorf("attribute %s: %w", name, errServers)
		default:
			b = b.with(id, encodeSet(t.named(id, attrs[name])))
			if t.schema.attrs[id].virtual != nil {
				t.overridden[id] = true
			}
		}
		ids = append(ids, id)
	}
	if relink {
		if err := t.relink(e, links); err != nil {
			return err
		}
	}
	e.blob = b
	if len(ids) > 0 {
		t.touch(change{entry: e, attrs: ids})
	}
	return nil
}

// setMembers links a new group.
func (t *tree) setMembers(e *entry, attrs Attrs) error {
	for name, values := range attrs {
		if id, ok := t.schema.id(name); !ok || !t.linked(id) {
			continue
		}
		list, err := t.resolve(values)
		if err != nil {
			return err
		}
		for _, m := range list {
			t.link(e, m)
		}
	}
	return nil
}

func (t *tree) resolve(dns []string) ([]*entry, error) {
	list := make([]*entry, 0, len(dns))
	for _, dn := range dns {
		m, err := t.get(dn)
		if err != nil {
			return nil, fmt.Errorf("member %q: %w", dn, err)
		}
		list = append(list, m)
	}
	return list, nil
}

// link makes m a member of group, once.
func (t *tree) link(group, m *entry) bool {
	if slices.Contains(m.groups(), group) {
		return false
	}
	group.more().members = append(group.more().members, m)
	m.more().memberOf = append(m.more().memberOf, group)
	return true
}

func (t *tree) unlink(group, m *entry) bool {
	if !slices.Contains(m.groups(), group) {
		return false
	}
	is := func(x *entry) func(*entry) bool { return func(e *entry) bool { return e == x } }
	group.extra.members = slices.DeleteFunc(group.extra.members, is(m))
	m.extra.memberOf = slices.DeleteFunc(m.extra.memberOf, is(group))
	return true
}

func (t *tree) editMembers(group *entry, dns []string, add bool) error {
	list, err := t.resolve(dns)
	if err != nil {
		return err
	}
	c := change{entry: group, attrs: []uint16{t.idMember}}
	for _, m := range list {
		switch {
		case add && t.link(group, m):
			c.added = append(c.added, m)
		case !add && t.unlink(group, m):
			c.removed = append(c.removed, m)
		}
	}
	if c.added != nil || c.removed != nil {
		t.touch(c)
	}
	return nil
}

// relink makes exactly these the members of group.
func (t *tree) relink(group *entry, dns []string) error {
	list, err := t.resolve(dns)
	if err != nil {
		return err
	}
	c := change{entry: group, attrs: []uint16{t.idMember}}
	keep := make(map[*entry]bool, len(list))
	for _, m := range list {
		keep[m] = true
		if t.link(group, m) {
			c.added = append(c.added, m)
		}
	}
	for _, m := range slices.Clone(group.members()) {
		if !keep[m] && t.unlink(group, m) {
			c.removed = append(c.removed, m)
		}
	}
	t.touch(c)
	return nil
}

func (t *tree) move(dn, newDN string) error {
	e, err := t.get(dn)
	if err != nil {
		return err
	}
	if e.parent == nil {
		return errors.New("the top of a naming context stays where it is")
	}
	rdn, above := parentDN(newDN)
	key, err := rdnKey(rdn)
	if err != nil {
		return err
	}
	parent, err := t.container(above)
	if err != nil {
		return err
	}
	if parent.below(e) {
		return errors.New("cannot move an entry below itself")
	}
	if other := parent.child(key); other != nil && other != e {
		return errExists
	}
	from, old := e.parent, e.dn()
	t.unhang(e)
	t.rename(e, rdn)
	t.hang(e, parent, key)
	t.renamed(old, e.dn())
	t.touch(change{entry: e, moved: true, base: from})
	return nil
}

// unhang takes e away from its parent; nothing that was remembered by name holds any longer.
func (t *tree) unhang(e *entry) {
	key, _ := rdnKey(e.rdn)
	delete(e.parent.extra.children, key)
	clear(t.parents)
}

// rename gives e a new RDN and its naming attribute the value in it.
func (t *tree) rename(e *entry, rdn string) {
	e.rdn = t.showRDN(rdn)
	name, value := rdnParts(e.rdn)
	if id, err := t.schema.intern(name); err == nil {
		e.blob = e.blob.with(id, appendOctets(nil, value))
	}
}

func (t *tree) remove(e *entry) error {
	switch {
	case e.parent == nil:
		return errors.New("the top of a naming context stays")
	case e.extra != nil && len(e.extra.children) > 0:
		return errors.New("the entry has children")
	}
	for _, g := range slices.Clone(e.groups()) {
		t.unlink(g, e)
	}
	for _, m := range slices.Clone(e.members()) {
		t.unlink(e, m)
	}
	from, dn := e.parent, e.dn()
	t.renamed(dn, "")
	t.unhang(e)
	t.live--
	if t.kind == ActiveDirectory {
		t.bury(e, dn)
	} else {
		t.slots[e.slot] = nil
		delete(t.anchors, e.guid)
	}
	t.touch(change{entry: e, deleted: true, base: from})
	return nil
}

// bury makes a tombstone of e, which keeps little unless there is a recycle bin.
func (t *tree) bury(e *entry, dn string) {
	e.more().grave = &grave{dn: dn, home: e.parent, rdn: e.rdn}
	name, value := rdnParts(e.rdn)
	e.rdn = name + "=" + escapeRDN(value, false) + `\0ADEL:` + guidText(e.guid)
	e.deleted = true
	if !t.recycle {
		kept := blob{}
		for _, n := range []string{"sAMAccountName", "userAccountControl", name} {
			if id, ok := t.schema.id(n); ok {
				if set := e.blob.find(id); set != nil {
					kept = kept.put(id, set)
				}
			}
		}
		e.blob = slices.Clip(kept)
	}
	key, err := rdnKey(e.rdn)
	if err != nil {
		key = strings.ToLower(e.rdn)
	}
	t.hang(e, t.bin, key)
}

func (t *tree) restore(dn string, attrs Attrs) error {
	var e *entry
	for _, x := range t.slots {
		if x == nil || !x.deleted || x == t.bin || !strings.EqualFold(x.extra.grave.dn, dn) {
			continue
		}
		if e == nil || x.changed > e.changed {
			e = x
		}
	}
	if e == nil {
		return fmt.Errorf("tombstone: %w", errNoEntry)
	}
	g := e.extra.grave
	key, err := rdnKey(g.rdn)
	switch {
	case err != nil:
		return err
	case g.home.deleted:
		return fmt.Errorf("its parent: %w", errNoEntry)
	case g.home.child(key) != nil:
		return errExists
	}
	t.unhang(e)
	e.rdn, e.deleted, e.extra.grave = g.rdn, false, nil
	t.hang(e, g.home, key)
	t.live++
	t.touch(change{entry: e, moved: true, base: t.bin})
	return t.modify(e, attrs)
}
