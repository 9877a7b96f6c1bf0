//go:build patroni

package store_test

import (
	"testing"

	"usherd/internal/testpg"
)

// Patroni replaces a leader that is killed, and one that is frozen and wakes again, under eight clients who write: nothing
// that was acknowledged is lost, and nobody is refused, since it takes less than the store's patience.
func TestNothingAcknowledgedIsLostOnPatroni(t *testing.T) {
	c := testpg.Patroni(t, testpg.PatroniOptions{Synchronous: true})
	db := openURL(t, c.Database(t))
	w := writing(t, db)
	for name, away := range map[string]struct{ leave, comeBack func(*testpg.Node) error }{
		"killed": {func(n *testpg.Node) error { n.Kill(); return nil }, func(n *testpg.Node) error { return n.Restart(t.Context()) }},
		"frozen": {(*testpg.Node).Freeze, (*testpg.Node).Thaw},
	} {
		w.more(t, 200)
		old, err := c.Leader(t.Context())
		fine(t, err)
		w.mu.Lock()
		w.outage = 0
		w.mu.Unlock()
		fine(t, away.leave(old))
		next, err := c.Leader(t.Context())
		fine(t, err)
		w.more(t, 200)
		w.mu.Lock()
		t.Logf("%s: %s takes over from %s; nothing was acknowledged for %s", name, next.Name, old.Name, w.outage)
		w.mu.Unlock()
		fine(t, away.comeBack(old))
		fine(t, c.Whole(t.Context()))
	}
	w.more(t, 200)
	w.kept(t, db)
	t.Logf("%d were refused", len(w.refuse))
}
