package scim

import (
	"io"
	"net/http"
	"sync"

	"usherd/scim/auth"
)

const (
	bodiesMost = 256 << 20 // bytes of bodies in memory at a time, of all clients, beside what each may have anyway
	bodyFree   = 64 << 10  // of each body: hardly any is longer
)

// budget bounds what bodies take of memory, all of them together: each client has places for twice as many as it may have
// worked on, and some clients are many. The beginning of a body is free, so that who floods the door with large ones is not
// in the way of those who send what everybody sends; and no client has more than half.
type budget struct {
	most int64

	mu   sync.Mutex
	used int64
	of   map[auth.Source]int64
}

func newBudget(most int64) *budget {
	if most <= 0 {
		most = bodiesMost
	}
	return &budget{most: most, of: map[auth.Source]int64{}}
}

// take reports whether the client may have n bytes more.
func (b *budget) take(client auth.Source, n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used+n > b.most || b.of[client]+n > b.most/2 {
		return false
	}
	b.used += n
	b.of[client] += n
	return true
}

func (b *budget) giveBack(client auth.Source, n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
	if b.of[client] -= n; b.of[client] == 0 {
		delete(b.of, client)
	}
}

// metered reads a body at the expense of the budget. What it has taken has to be given back.
type metered struct {
	io.Reader
	budget *budget
	client auth.Source
	free   int64
	taken  int64
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	more := int64(n)
	if m.free -= more; m.free >= 0 {
		return n, err
	}
	more, m.free = -m.free, 0
	if !m.budget.take(m.client, more) {
		e := refuse(http.StatusServiceUnavailable, "", "large bodies that are being read leave no room for this one: send it again, or in smaller parts")
		e.Header = map[string]string{"Retry-After": "2"}
		return n, e
	}
	m.taken += more
	return n, err
}
