package main

import (
	"testing"
	"time"
)

func TestPastInstant(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 26, 19, 30, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2026-11-01":                time.Date(2026, 11, 1, 23, 59, 59, 999_999_999, time.UTC),
		"2026-11-26":                {}, // today is now
		"3d":                        now.Add(-72 * time.Hour),
		"90m":                       now.Add(-90 * time.Minute),
		"2026-11-01T08:00:00+01:00": time.Date(2026, 11, 1, 7, 0, 0, 0, time.UTC),
		"2026-11-01 08:00Z":         time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC),
		"2026-11-01 08:00":          time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC),
	} {
		if got, err := pastInstant(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "yesterday", "2026-11-27", "2026-13-01", "-3d", "2026-11-26T19:30:01Z"} {
		if got, err := pastInstant(text, now); err == nil || exitCode(err) != exitUsage {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}
