package connector_test

import (
	"testing"
	"time"

	"usherd/connector"
)

func TestShortIDsDifferWithinAMinute(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	seen := map[string]bool{}
	for range 1000 {
		seen[connector.NewID(start).Short()] = true
	}
	if len(seen) < 999 {
		t.Errorf("%d of 1,000 short ids differ", len(seen))
	}
	if got := (connector.ID{}).Short(); got != "" {
		t.Errorf("no id gives %q", got)
	}
}
