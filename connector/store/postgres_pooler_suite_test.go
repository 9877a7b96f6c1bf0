//go:build !race

package store_test

import (
	"net/url"
	"testing"

	"usherd/connector/store/newstore"
	"usherd/connector/store/storetest"
	"usherd/internal/testpg"
)

// Behind a pooler that hands connections on after each transaction, a store does what it does elsewhere. The race detector
// sees the same code in TestConformance.
func TestBehindAPooler(t *testing.T) {
	t.Parallel()
	pooler := testpg.Shared(t).Pooler(t, 4)
	storetest.Run(t, func(t *testing.T) storetest.Store {
		t.Helper()
		return openURL(t, behind(t, pooler, newstore.Postgres(t), url.Values{"default_query_exec_mode": {"exec"}}))
	})
}
