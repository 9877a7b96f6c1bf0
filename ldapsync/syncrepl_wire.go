package ldapsync

import (
	"fmt"
	"slices"

	"github.com/go-ldap/ldap/v3"
)

// The modes of a Sync Request control (RFC 4533 section 2.2).
const (
	refreshOnly       = 1
	refreshAndPersist = 3
)

// The states of an entry (RFC 4533 section 2.3).
const (
	statePresent = 0
	stateAdd     = 1
	stateModify  = 2
	stateDelete  = 3
)

// The tags of a Sync Info message (RFC 4533 section 2.5).
const (
	infoNewCookie      = 0x80
	infoRefreshDelete  = 0xa1
	infoRefreshPresent = 0xa2
	infoIDSet          = 0xa3
)

// maxCookie bounds a cookie: that of 4,000 providers fits.
const maxCookie = 256 << 10

// syncID is the UUID by which a server names an entry.
type syncID [16]byte

// syncState is the control that comes with an entry.
type syncState struct {
	state  int
	id     syncID
	cookie []byte // lent; nil = none
}

// syncInfo is a message between entries.
type syncInfo struct {
	kind    byte   // infoNewCookie and so on
	cookie  []byte // lent; nil = none
	done    bool   // infoRefreshDelete, infoRefreshPresent: the refresh stage is over
	deletes bool   // infoIDSet: the entries are gone; else they are still there
	ids     []byte // infoIDSet: lent, read by each
}

// syncDone is the control at the end of a refresh.
type syncDone struct {
	found   bool
	cookie  []byte // lent; nil = none
	deletes bool   // who was not named is as before; else who was not named is gone
}

// encodeSyncRequest encodes the control that asks for a feed. It is critical: a server that does not know
// it must not answer as to a plain search.
func encodeSyncRequest(mode int, cookie []byte) []byte {
	value := appendInt(nil, tagEnumerated, mode)
	if len(cookie) > 0 {
		value = appendTLV(value, tagOctetString, cookie)
	}
	b := appendText(nil, ldap.ControlTypeSyncRequest)
	b = append(b, tagBoolean, 1, 0xff)
	b = appendTLV(b, tagOctetString, appendTLV(nil, tagSequence, value))
	return appendTLV(nil, tagSequence, b)
}

// findControl returns the value of the control with that OID; nil when it is not there. Two of them are
// malformed.
func findControl(controls []byte, oid string) ([]byte, error) {
	var found []byte
	for len(controls) > 0 {
		control, rest, ok := expect(controls, tagSequence)
		if !ok {
			return nil, errMalformed
		}
		controls = rest
		name, value, ok := splitControl(control)
		switch {
		case !ok:
			return nil, errMalformed
		case string(name) != oid:
			continue
		case value == nil || found != nil:
			return nil, errMalformed
		}
		found = value
	}
	return found, nil
}

// decodeSyncState reads the value of a Sync State control.
func decodeSyncState(b []byte) (syncState, error) {
	var s syncState
	in, rest, ok := expect(b, tagSequence)
	if !ok || len(rest) > 0 {
		return s, errMalformed
	}
	number, in, ok := expect(in, tagEnumerated)
	if !ok {
		return s, errMalformed
	}
	if s.state, ok = berInt(number); !ok || s.state < statePresent || s.state > stateDelete {
		return s, errMalformed
	}
	id, in, ok := expect(in, tagOctetString)
	if !ok || len(id) != len(s.id) {
		return s, errMalformed
	}
	copy(s.id[:], id)
	if s.cookie, in, ok = optionalCookie(in); !ok || len(in) > 0 {
		return s, errMalformed
	}
	return s, nil
}

// decodeSyncDone reads the value of a Sync Done control.
func decodeSyncDone(b []byte) (syncDone, error) {
	d := syncDone{found: true}
	in, rest, ok := expect(b, tagSequence)
	if !ok || len(rest) > 0 {
		return d, errMalformed
	}
	if d.cookie, in, ok = optionalCookie(in); !ok {
		return d, errMalformed
	}
	if d.deletes, in, ok = optionalBool(in, false); !ok || len(in) > 0 {
		return d, errMalformed
	}
	return d, nil
}

// decodeIntermediate reads an intermediate response (RFC 4511 section 4.13). ok is false when it is none of
// RFC 4533 and means nothing here.
func decodeIntermediate(op []byte) (info syncInfo, ok bool, err error) {
	const tagName, tagValue = 0x80, 0x81
	name, rest, named := expect(op, tagName)
	if !named || string(name) != ldap.ControlTypeSyncInfo {
		return syncInfo{}, false, nil
	}
	value, rest, found := expect(rest, tagValue)
	if !found || len(rest) > 0 {
		return syncInfo{}, false, errMalformed
	}
	info, err = decodeSyncInfo(value)
	return info, err == nil, err
}

// decodeSyncInfo reads the value of a Sync Info message.
func decodeSyncInfo(b []byte) (syncInfo, error) {
	tag, in, rest, ok := tlv(b)
	if !ok || len(rest) > 0 {
		return syncInfo{}, errMalformed
	}
	i := syncInfo{kind: tag}
	if tag == infoNewCookie {
		i.cookie = in
		if len(in) > maxCookie {
			return i, errLongCookie
		}
		return i, nil
	}
	if i.cookie, in, ok = optionalCookie(in); !ok {
		return i, errMalformed
	}
	switch tag {
	case infoRefreshDelete, infoRefreshPresent:
		i.done, in, ok = optionalBool(in, true)
	case infoIDSet:
		if i.deletes, in, ok = optionalBool(in, false); ok {
			i.ids, in, ok = expect(in, tagSet)
		}
		ok = ok && i.each(func(syncID) {}) == nil
	default:
		ok = false
	}
	if !ok || len(in) > 0 {
		return i, errMalformed
	}
	return i, nil
}

// each calls f with every UUID of an infoIDSet.
func (i *syncInfo) each(f func(syncID)) error {
	for list := i.ids; len(list) > 0; {
		id, rest, ok := expect(list, tagOctetString)
		if !ok || len(id) != len(syncID{}) {
			return errMalformed
		}
		f(syncID(id))
		list = rest
	}
	return nil
}

var errLongCookie = fmt.Errorf("a cookie of more than %d bytes", maxCookie)

// optionalCookie takes a cookie off the front of b, when one is there.
func optionalCookie(b []byte) (cookie, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != tagOctetString {
		return nil, b, true
	}
	cookie, rest, ok = expect(b, tagOctetString)
	return slices.Clip(cookie), rest, ok && len(cookie) <= maxCookie
}

// optionalBool takes a BOOLEAN off the front of b, when one is there.
func optionalBool(b []byte, otherwise bool) (is bool, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != tagBoolean {
		return otherwise, b, true
	}
	v, rest, ok := expect(b, tagBoolean)
	if !ok || len(v) != 1 {
		return false, nil, false
	}
	return v[0] != 0, rest, true
}
