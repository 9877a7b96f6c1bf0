package scim

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"sync"
	"time"
)

// cursors writes and reads the cursors of RFC 9865: a place in a list, sealed with what the list is, so that one of
// another client, list or time is refused. They need no memory: whoever has the key goes on with what another process
// has given out.
type cursors struct {
	key []byte
	now func() time.Time
}

// newCursors seals with that key, or where it is nil with one that nobody else has.
func newCursors(key []byte, now func() time.Time) *cursors {
	if key == nil {
		key = make([]byte, 32)
		_, _ = rand.Read(key) // crypto/rand.Read never returns an error (Go 1.24)
	}
	return &cursors{key: key, now: now}
}

const (
	cursorVersion = 1
	macBytes      = 16
)

// seal makes a cursor of a place in the list that query describes.
func (c *cursors) seal(query, place string) string {
	b := append([]byte{cursorVersion}, binary.BigEndian.AppendUint64(nil, uint64(c.now().Unix()))...) //nolint:gosec // after 1970
	b = append(b, place...)
	return base64.RawURLEncoding.EncodeToString(append(b, c.mac(query, b)...))
}

// open returns the place of a cursor, "" for an empty one.
func (c *cursors) open(query, cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	const head = 1 + 8
	if err != nil || len(b) < head+macBytes || b[0] != cursorVersion {
		return "", refuse(http.StatusBadRequest, invalidCursor, "this cursor is none of ours: begin again without a value for it")
	}
	b, mac := b[:len(b)-macBytes], b[len(b)-macBytes:]
	if !hmac.Equal(mac, c.mac(query, b)) {
		return "", refuse(http.StatusBadRequest, invalidCursor, "this cursor is of another list: repeat the filter, sorting and count that it was given for, or begin again")
	}
	at := time.Unix(int64(binary.BigEndian.Uint64(b[1:head])), 0) //nolint:gosec // sealed by us
	if c.now().Sub(at) > cursorLifetime {
		return "", refuse(http.StatusBadRequest, expiredCursor, "this cursor is older than "+cursorLifetime.String()+": begin again")
	}
	return string(b[head:]), nil
}

func (c *cursors) mac(query string, b []byte) []byte {
	h := hmac.New(sha256.New, c.key)
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(query))))
	h.Write([]byte(query))
	h.Write(b)
	return h.Sum(nil)[:macBytes]
}

// places remembers for a while where a page by index ended, so that a client that walks by startIndex does not make
// the store count from the beginning each time. A walk from the first page on renews all of its places. Nil remembers nothing.
type places struct {
	now func() time.Time

	mu    sync.Mutex
	list  map[placeKey]remembered
	order []placeKey // a ring: when it is full, the place that was remembered first goes
	next  int
}

type placeKey struct {
	query string
	start int
}

type remembered struct {
	place string
	until time.Time
}

const (
	placeLife = time.Minute
	maxPlaces = 4096
)

func newPlaces(o Options) *places {
	if o.Shared {
		return nil
	}
	return &places{now: o.Now, list: map[placeKey]remembered{}}
}

// put remembers that the resource with number start comes after place.
func (p *places) put(query string, start int, place string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	key := placeKey{query, start}
	if _, known := p.list[key]; !known {
		if len(p.order) < maxPlaces {
			p.order = append(p.order, key)
		} else {
			delete(p.list, p.order[p.next])
			p.order[p.next] = key
			p.next = (p.next + 1) % maxPlaces
		}
	}
	p.list[key] = remembered{place, p.now().Add(placeLife)}
}

func (p *places) get(query string, start int) string {
	if p == nil {
		return ""
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r, ok := p.list[placeKey{query, start}]
	if !ok || p.now().After(r.until) {
		return ""
	}
	return r.place
}
