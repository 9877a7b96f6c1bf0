package ldaptest

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"time"
)

// entry is one object. What the server works out itself (anchor, USNs, times, class) stands in fields and
// costs no encoded values; everything else is in the blob. Guarded by the tree's lock.
type entry struct {
	parent  *entry // nil at the top of a naming context
	rdn     string // as shown; the whole DN at the top of a naming context
	blob    blob
	class   *objectClass
	extra   *extra // what only containers, groups, members and tombstones have
	guid    [16]byte
	created uint64 // USN
	changed uint64
	born    int64 // Unix seconds
	touched int64
	slot    int
	rid     uint32 // last part of the objectSid, 0 = none
	deleted bool
}

type extra struct {
	children map[string]*entry
	members  []*entry // the link attribute member (AD)
	memberOf []*entry // its back link
	grave    *grave
}

// grave is where a tombstone stood before it was deleted.
type grave struct {
	dn   string
	home *entry // the parent
	rdn  string
}

// more gives the extra part to write to.
func (e *entry) more() *extra {
	if e.extra == nil {
		e.extra = &extra{}
	}
	return e.extra
}

func (e *entry) child(key string) *entry {
	if e.extra == nil {
		return nil
	}
	return e.extra.children[key]
}

func (e *entry) members() []*entry {
	if e.extra == nil {
		return nil
	}
	return e.extra.members
}

func (e *entry) groups() []*entry {
	if e.extra == nil {
		return nil
	}
	return e.extra.memberOf
}

func (e *entry) appendDN(b []byte) []byte {
	b = append(b, e.rdn...)
	for p := e.parent; p != nil; p = p.parent {
		b = append(append(b, ','), p.rdn...)
	}
	return b
}

func (e *entry) dn() string { return string(e.appendDN(nil)) }

// below says whether e is base or stands under it.
func (e *entry) below(base *entry) bool {
	for ; e != nil; e = e.parent {
		if e == base {
			return true
		}
	}
	return false
}

// blob holds attributes one after the other: number, length of the values, values as the content of a
// SET OF OCTET STRING, ready to be sent.
type blob []byte

func (b blob) next() (id uint16, set []byte, rest blob) {
	n, i := binary.Uvarint(b)
	size, j := binary.Uvarint(b[i:])
	b = b[i+j:]
	return uint16(n), b[:size], b[size:] //nolint:gosec // put wrote both
}

func (b blob) find(id uint16) []byte {
	for len(b) > 0 {
		var have uint16
		var set []byte
		if have, set, b = b.next(); have == id {
			return set
		}
	}
	return nil
}

func (b blob) put(id uint16, set []byte) blob {
	b = binary.AppendUvarint(b, uint64(id))
	b = binary.AppendUvarint(b, uint64(len(set)))
	return append(b, set...)
}

// with replaces the values of one attribute, in its place if it has one; an empty set takes it away.
func (b blob) with(id uint16, set []byte) blob {
	out, done := make(blob, 0, len(b)+len(set)+8), len(set) == 0
	for len(b) > 0 {
		have, _, rest := b.next()
		switch {
		case have != id:
			out = append(out, b[:len(b)-len(rest)]...)
		case !done:
			out, done = out.put(id, set), true
		}
		b = rest
	}
	if !done {
		out = out.put(id, set)
	}
	return slices.Clip(out)
}

// values gives the encoded values of an attribute, from the blob or worked out into scratch.
func (t *tree) values(e *entry, id uint16, scratch []byte) []byte {
	if set := e.blob.find(id); set != nil {
		return set
	}
	if f := t.schema.attrs[id].virtual; f != nil {
		return f(t, e, scratch[:0])
	}
	return nil
}

func appendUint(set []byte, n uint64) []byte {
	var buf [20]byte
	s := strconv.AppendUint(buf[:0], n, 10)
	return append(appendLen(append(set, tagOctets), len(s)), s...)
}

func (t *tree) appendTime(set []byte, unix int64) []byte {
	var buf [24]byte
	layout := "20060102150405Z"
	if t.kind == ActiveDirectory {
		layout = "20060102150405.0Z"
	}
	s := time.Unix(unix, 0).UTC().AppendFormat(buf[:0], layout)
	return append(appendLen(append(set, tagOctets), len(s)), s...)
}

func appendEntryDN(set []byte, e *entry) []byte {
	var buf [256]byte
	dn := e.appendDN(buf[:0])
	return append(appendLen(append(set, tagOctets), len(dn)), dn...)
}

func appendNames(set []byte, list []*entry) []byte {
	for _, e := range list {
		if !e.deleted {
			set = appendEntryDN(set, e)
		}
	}
	return set
}

// usualNames are attributes in the spelling of their schema, whatever case an entry was added with.
const usualNames = `cn sn givenName initials displayName mail proxyAddresses ou dc uid o l c co st street postalCode title
	department company manager description telephoneNumber mobile facsimileTelephoneNumber sAMAccountName userPrincipalName
	userAccountControl accountExpires primaryGroupID lockoutTime pwdLastSet employeeID employeeNumber employeeType
	groupType preferredLanguage physicalDeliveryOfficeName invocationId`

// defineVirtual teaches the schema what the server's kind works out by itself.
func (t *tree) defineVirtual() {
	s := &t.schema
	for n := range strings.FieldsSeq(usualNames) {
		s.define(n, userAttr, nil)
	}
	t.idClass = s.define("objectClass", userAttr, func(_ *tree, e *entry, set []byte) []byte {
		return append(set, e.class.set...)
	})
	switch t.kind {
	case ActiveDirectory:
		t.idAnchor = s.define("objectGUID", userAttr, func(_ *tree, e *entry, set []byte) []byte {
			return append(append(set, tagOctets, 16), e.guid[:]...)
		})
		t.defineAD()
	case DS389:
		t.idAnchor = s.define("nsUniqueId", operational, func(_ *tree, e *entry, set []byte) []byte {
			return appendOctets(set, nsUniqueIDText(e.guid))
		})
		t.defineX500("entrydn")
	case OpenLDAP:
		t.idAnchor = s.define("entryUUID", operational, func(_ *tree, e *entry, set []byte) []byte {
			return appendOctets(set, uuidText(e.guid))
		})
		t.defineX500("entryDN")
		s.define("entryCSN", operational, func(t *tree, e *entry, set []byte) []byte {
			return appendOctets(set, csn(e.touched, e.changed))
		})
		s.define("structuralObjectClass", operational, func(_ *tree, e *entry, set []byte) []byte {
			return appendOctets(set, e.class.names[len(e.class.names)-1])
		})
	}
}

func (t *tree) defineX500(dnName string) {
	s := &t.schema
	s.define("hasSubordinates", operational, func(_ *tree, e *entry, set []byte) []byte {
		if e.extra != nil && len(e.extra.children) > 0 {
			return appendOctets(set, "TRUE")
		}
		return appendOctets(set, "FALSE")
	})
	s.define("createTimestamp", operational, func(t *tree, e *entry, set []byte) []byte { return t.appendTime(set, e.born) })
	s.define("modifyTimestamp", operational, func(t *tree, e *entry, set []byte) []byte { return t.appendTime(set, e.touched) })
	s.define(dnName, operational, func(_ *tree, e *entry, set []byte) []byte { return appendEntryDN(set, e) })
}

func (t *tree) defineAD() {
	s := &t.schema
	// gone says that a tombstone has lost what AD strips.
	gone := func(t *tree, e *entry) bool { return e.deleted && !t.recycle }
	s.define("distinguishedName", userAttr, func(_ *tree, e *entry, set []byte) []byte { return appendEntryDN(set, e) })
	s.define("name", userAttr, func(_ *tree, e *entry, set []byte) []byte {
		_, value := rdnParts(e.rdn)
		return appendOctets(set, value)
	})
	s.define("instanceType", userAttr, func(_ *tree, e *entry, set []byte) []byte {
		if e.parent == nil {
			return appendOctets(set, "5")
		}
		return appendOctets(set, "4")
	})
	s.define("whenCreated", userAttr, func(t *tree, e *entry, set []byte) []byte { return t.appendTime(set, e.born) })
	s.define("whenChanged", userAttr, func(t *tree, e *entry, set []byte) []byte { return t.appendTime(set, e.touched) })
	s.define("uSNCreated", userAttr, func(_ *tree, e *entry, set []byte) []byte { return appendUint(set, e.created) })
	s.define("uSNChanged", userAttr, func(_ *tree, e *entry, set []byte) []byte { return appendUint(set, e.changed) })
	t.idMember = s.define("member", userAttr, func(_ *tree, e *entry, set []byte) []byte { return appendNames(set, e.members()) })
	s.define("memberOf", userAttr, func(_ *tree, e *entry, set []byte) []byte { return appendNames(set, e.groups()) })
	s.define("objectSid", userAttr, func(t *tree, e *entry, set []byte) []byte {
		if e.rid == 0 {
			return set
		}
		return append(append(set, tagOctets, 28), t.sid(e.rid)...)
	})
	s.define("objectCategory", userAttr, func(t *tree, e *entry, set []byte) []byte {
		if gone(t, e) {
			return set
		}
		return appendOctets(set, "CN="+e.class.category+t.schemaDN)
	})
	s.define("sAMAccountType", userAttr, func(t *tree, e *entry, set []byte) []byte {
		if gone(t, e) || e.class.samType == "" {
			return set
		}
		return appendOctets(set, e.class.samType)
	})
	s.define("isDeleted", userAttr, func(_ *tree, e *entry, set []byte) []byte {
		if !e.deleted {
			return set
		}
		return appendOctets(set, "TRUE")
	})
	s.define("lastKnownParent", userAttr, func(_ *tree, e *entry, set []byte) []byte {
		if !e.deleted || e.extra == nil || e.extra.grave == nil {
			return set
		}
		return appendEntryDN(set, e.extra.grave.home)
	})
	s.define("parentGUID", constructed, func(_ *tree, e *entry, set []byte) []byte {
		if e.parent == nil {
			return set
		}
		return append(append(set, tagOctets, 16), e.parent.guid[:]...)
	})
	s.define("msDS-User-Account-Control-Computed", constructed, computedUAC)
}

// computedUAC shows what userAccountControl never does: locked out and password expired.
func computedUAC(t *tree, e *entry, set []byte) []byte {
	if !e.class.person {
		return set
	}
	const lockout, passwordExpired = 0x10, 0x800000
	n := uint64(0)
	is := func(name string, f func(string) bool) bool {
		id, ok := t.schema.id(name)
		if !ok {
			return false
		}
		set := e.blob.find(id)
		if len(set) == 0 {
			return false
		}
		v, _ := nextValue(set)
		return f(string(v))
	}
	if is("lockoutTime", func(v string) bool { return v != "0" }) {
		n |= lockout
	}
	if is("pwdLastSet", func(v string) bool { return v == "0" }) {
		n |= passwordExpired
	}
	return appendUint(set, n)
}
