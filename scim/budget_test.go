package scim

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"usherd/scim/auth"
)

// Large bodies share a budget, of which no client has more than half; what is short is always read.
func TestBodiesShareABudget(t *testing.T) {
	t.Parallel()
	b := newBudget(1 << 20)
	read := func(client string, n int) (*metered, error) {
		m := &metered{Reader: strings.NewReader(strings.Repeat("x", n)), budget: b, client: auth.Source{ID: client}, free: bodyFree}
		got, err := io.ReadAll(m)
		if err == nil && len(got) != n {
			t.Errorf("%d of %d bytes were read", len(got), n)
		}
		return m, err
	}
	leave := func(m *metered) { b.giveBack(m.client, m.taken) }
	full := func(what string, m *metered, err error) {
		t.Helper()
		leave(m)
		if e, ok := errors.AsType[*Error](err); !ok || e.Status != http.StatusServiceUnavailable || e.Header["Retry-After"] == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	const half = 1 << 19
	first, err := read("a", half+bodyFree)
	if err != nil || first.taken != half {
		t.Fatalf("half of the budget: %v, %d bytes are counted", err, first.taken)
	}
	m, err := read("a", bodyFree+1)
	full("a byte more of the same client", m, err)
	if m, err := read("a", bodyFree); err != nil || m.taken != 0 {
		t.Errorf("a short body: %v", err)
	}
	second, err := read("b", half+bodyFree)
	if err != nil {
		t.Fatalf("half of the budget for another client: %v", err)
	}
	m, err = read("c", bodyFree+1)
	full("a byte more of anybody", m, err)
	leave(second)
	m, err = read("c", 2*bodyFree)
	if err != nil {
		t.Errorf("after another body has gone: %v", err)
	}
	leave(first)
	leave(m)
	if b.used != 0 || len(b.of) != 0 {
		t.Errorf("%d bytes are left over, %v", b.used, b.of)
	}
}
