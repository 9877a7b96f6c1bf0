package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"time"

	"usherd/connector"
)

const (
	blockFormat = 1   // the first byte of a packed block
	blockRows   = 256 // requests in a block at most
	blockOpen   = 64  // requests from which on a block is not added to
)

// block is some requests, at least one, of one client that follow each other: no other block of the client has one between them.
type block struct {
	stored connector.ID // its key in the store, zero where it is not there
	rows   []connector.Request
}

// blockHead is what is told of a block.
type blockHead struct {
	last  connector.ID
	about about
}

func scanHead(r *sql.Rows, h *blockHead) error {
	return r.Scan((*idColumn)(&h.last), &h.about)
}

// readBlock returns the block that a statement gives, nil for none.
func readBlock(ctx context.Context, q querier, text, org, source string, args ...any) (*block, error) {
	rows, err := q.query(ctx, text, append([]any{org, source}, args...)...)
	b, ok, err := first(rows, err, func(r *sql.Rows, b *block) (err error) {
		var data []byte
		if err = r.Scan((*idColumn)(&b.stored), &data); err == nil {
			b.rows, err = unpackBlock(org, source, data)
		}
		return err
	})
	if err != nil || !ok {
		return nil, err
	}
	return &b, nil
}

// packBlock makes one row of requests. A text that has come before in the block is a number.
func packBlock(rows []connector.Request) []byte {
	p := packer{b: append(make([]byte, 0, 128*len(rows)), blockFormat), seen: map[string]uint64{}}
	for i := range rows {
		p.request(&rows[i])
	}
	return p.b
}

type packer struct {
	b    []byte
	seen map[string]uint64 // texts, from 1
}

func (p *packer) request(r *connector.Request) {
	p.b = append(p.b, r.ID[:]...)
	if p.b = append(p.b, 0); !r.User.IsZero() {
		p.b[len(p.b)-1] = 1
		p.b = append(p.b, r.User[:]...)
	}
	for _, n := range [...]int64{micros(r.At), int64(r.Status), r.Duration.Microseconds(), r.BytesIn, r.BytesOut} {
		p.b = binary.AppendVarint(p.b, n)
	}
	for _, s := range [...]string{r.Method, r.Path, r.Query, r.ScimType, r.Person, r.Profile, strings.Join(r.Quirks, " "), r.Ref, r.Remote} {
		p.text(s)
	}
}

func (p *packer) text(s string) {
	n, ok := p.seen[s]
	p.b = binary.AppendUvarint(p.b, n)
	if !ok {
		p.seen[s] = uint64(len(p.seen)) + 1
		p.b = append(binary.AppendUvarint(p.b, uint64(len(s))), s...)
	}
}

var errBlock = errors.New("a block of the request log is damaged")

// unpackBlock is the reverse of packBlock; whose requests they are is not in the block.
func unpackBlock(org, source string, b []byte) ([]connector.Request, error) {
	if len(b) == 0 || b[0] != blockFormat {
		return nil, fmt.Errorf("%w: it is of another format", errBlock)
	}
	u := unpacker{b: b[1:]}
	var rows []connector.Request
	for len(u.b) > 0 && !u.bad {
		rows = append(rows, u.request(org, source))
	}
	if u.bad {
		return nil, errBlock
	}
	return rows, nil
}

type unpacker struct {
	b     []byte
	texts []string
	bad   bool
}

func (u *unpacker) request(org, source string) connector.Request {
	r := connector.Request{Org: org, Source: source}
	copy(r.ID[:], u.take(uint64(len(r.ID))))
	if user := u.take(1); len(user) == 1 && user[0] == 1 {
		copy(r.User[:], u.take(uint64(len(r.User))))
	}
	r.At, r.Status, r.Duration = timeOf(u.number()), int(u.number()), time.Duration(u.number())*time.Microsecond
	r.BytesIn, r.BytesOut = u.number(), u.number()
	var quirks string
	for _, to := range [...]*string{&r.Method, &r.Path, &r.Query, &r.ScimType, &r.Person, &r.Profile, &quirks, &r.Ref, &r.Remote} {
		*to = u.text()
	}
	r.Quirks = strings.Fields(quirks)
	return r
}

// take returns the next n bytes, fewer where there are not so many.
func (u *unpacker) take(n uint64) []byte {
	if n > uint64(len(u.b)) {
		u.bad = true
		n = uint64(len(u.b))
	}
	part := u.b[:n]
	u.b = u.b[n:]
	return part
}

func (u *unpacker) number() int64 {
	n, size := binary.Varint(u.b)
	u.bad = u.bad || size <= 0
	u.take(uint64(max(size, 0)))
	return n
}

func (u *unpacker) count() uint64 {
	n, size := binary.Uvarint(u.b)
	u.bad = u.bad || size <= 0
	u.take(uint64(max(size, 0)))
	return n
}

func (u *unpacker) text() string {
	n := u.count()
	if n > uint64(len(u.texts)) {
		u.bad = true
		return ""
	}
	if n > 0 {
		return u.texts[n-1]
	}
	s := string(u.take(u.count()))
	u.texts = append(u.texts, s)
	return s
}

// about is what is told of a block beside its data: how many statuses there are, each with how many requests were answered
// with it, and then sorted hashes of whom they were about.
type about []byte

const hashSize = 4

// personHash and userHash are what stands for a person in about: two people may have the same.
func personHash(folded string) uint32 { return hashOf('p', []byte(folded)) }

func userHash(id connector.ID) uint32 { return hashOf('u', id[:]) }

func hashOf(kind byte, b []byte) uint32 {
	h := (uint32(2166136261) ^ uint32(kind)) * 16777619 // FNV-1a
	for _, c := range b {
		h = (h ^ uint32(c)) * 16777619
	}
	return h
}

func aboutBlock(rows []connector.Request) about {
	statuses := map[int]int{}
	people := make([]uint32, 0, 2*len(rows))
	for i := range rows {
		r := &rows[i]
		statuses[r.Status]++
		if r.Person != "" {
			people = append(people, personHash(connector.Fold(r.Person)))
		}
		if !r.User.IsZero() {
			people = append(people, userHash(r.User))
		}
	}
	a := binary.AppendUvarint(nil, uint64(len(statuses)))
	for _, status := range slices.Sorted(maps.Keys(statuses)) {
		a = binary.AppendVarint(a, int64(status))
		a = binary.AppendVarint(a, int64(statuses[status]))
	}
	slices.Sort(people)
	for _, h := range slices.Compact(people) {
		a = binary.BigEndian.AppendUint32(a, h)
	}
	return a
}

// statuses yields how many requests were answered with which status; rest are the hashes. What is damaged ends early.
func (a about) statuses(yield func(status, n int)) (rest []byte) {
	u := unpacker{b: a}
	for n := u.count(); n > 0 && !u.bad; n-- {
		status := int(u.number())
		yield(status, int(u.number()))
	}
	return u.b
}

// throttled is the status of what was one too many at a time.
const throttled = 429

// requests is how many there are, and how many of them were answered by an error.
func (a about) requests() (c connector.RequestCounts) {
	a.statuses(func(status, n int) {
		if c.Requests += n; status >= 400 {
			c.Errors += n
		}
		if status == throttled {
			c.Throttled += n
		}
	})
	return c
}

// has reports whether one of the hashes is among those of the block.
func (a about) has(hashes []uint32) bool {
	people := a.statuses(func(int, int) {})
	for _, h := range hashes {
		n := len(people) / hashSize
		i := sort.Search(n, func(i int) bool { return binary.BigEndian.Uint32(people[i*hashSize:]) >= h })
		if i < n && binary.BigEndian.Uint32(people[i*hashSize:]) == h {
			return true
		}
	}
	return false
}

// merge puts requests into the block that belong there, in order. One that is there already stays as it is.
func (b *block) merge(rows []connector.Request) {
	inOrder := len(b.rows) == 0 || compareIDs(b.rows[len(b.rows)-1].ID, rows[0].ID) < 0
	b.rows = append(b.rows, rows...)
	if !inOrder {
		slices.SortStableFunc(b.rows, func(p, q connector.Request) int { return compareIDs(p.ID, q.ID) })
	}
	b.rows = slices.CompactFunc(b.rows, func(p, q connector.Request) bool { return p.ID == q.ID })
}

// writeBlocks puts blocks into the store in the place of what is there. What they replace goes first: statements of one text
// may be sent together.
func writeBlocks(to *batch, blocks []*block) error {
	for _, b := range blocks {
		if b.stored.IsZero() {
			continue
		}
		if err := to.exec(sqlDropBlock, b.rows[0].Org, b.rows[0].Source, b.stored[:]); err != nil {
			return err
		}
	}
	for _, b := range blocks {
		for rows := range slices.Chunk(b.rows, blockRows) {
			r := &rows[len(rows)-1]
			if err := to.exec(sqlPutBlock, r.Org, r.Source, r.ID[:], []byte(aboutBlock(rows)), packBlock(rows)); err != nil {
				return err
			}
		}
	}
	return nil
}
