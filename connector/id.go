package connector

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"sync"
	"time"
)

// ID is a UUIDv7 (RFC 9562): sixteen bytes that grow with time, so that rows written together
// stand together in the store. The zero value means "none". IDs are comparable.
type ID [16]byte

// lastID keeps IDs of one process strictly growing within a millisecond.
var lastID struct {
	sync.Mutex
	milli int64
	seq   uint16
}

// NewID returns a new ID for the instant now. IDs made by one process grow strictly, up to 4,096
// in a millisecond and more by borrowing from the next one. Safe for concurrent use.
func NewID(now time.Time) ID {
	var id ID
	_, _ = rand.Read(id[8:]) // crypto/rand.Read never returns an error (Go 1.24)
	lastID.Lock()
	milli := now.UnixMilli()
	if milli <= lastID.milli {
		milli = lastID.milli
		if lastID.seq++; lastID.seq > 0xfff {
			milli, lastID.seq = milli+1, 0
		}
	} else {
		lastID.seq = 0
	}
	lastID.milli = milli
	seq := lastID.seq
	lastID.Unlock()
	binary.BigEndian.PutUint64(id[:8], uint64(milli)<<16|0x7000|uint64(seq))
	id[8] = id[8]&0x3f | 0x80
	return id
}

// IsZero reports whether id is the zero value, which names nothing.
func (id ID) IsZero() bool { return id == ID{} }

// Short gives the last eight digits, by which commands know a run. The first ones would not do: they are
// the time, and equal for all runs of one minute.
func (id ID) Short() string {
	s := id.String()
	return s[max(len(s)-8, 0):]
}

// String gives the usual 36 characters, or "" for the zero value.
func (id ID) String() string {
	if id.IsZero() {
		return ""
	}
	var b [36]byte
	hex.Encode(b[0:8], id[0:4])
	hex.Encode(b[9:13], id[4:6])
	hex.Encode(b[14:18], id[6:8])
	hex.Encode(b[19:23], id[8:10])
	hex.Encode(b[24:36], id[10:16])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

// MarshalText is String as bytes.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText accepts what ParseID accepts, and the empty text for the zero value.
func (id *ID) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*id = ID{}
		return nil
	}
	v, err := ParseID(string(b))
	if err == nil {
		*id = v
	}
	return err
}

// ParseID reads the 36-character form, in either case.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return ID{}, errors.New("an id has the form 0190f3c1-7a2b-7c3d-8e4f-5a6b7c8d9e0f")
	}
	digits := s[0:8] + s[9:13] + s[14:18] + s[19:23] + s[24:36]
	if _, err := hex.Decode(id[:], []byte(digits)); err != nil {
		return ID{}, errors.New("an id holds only hexadecimal digits and hyphens")
	}
	return id, nil
}
