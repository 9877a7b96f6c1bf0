package notice_test

import (
	"slices"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/notice"
)

// What lasts is told when it begins, when it grows worse and, where somebody wants to know that, when it is over; what goes to and
// fro is told once an hour, and who begins to lead tells nothing again.
func TestConditions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hook(), notice.Target{Name: "other", Channel: connector.ByWebhook, Organizations: []string{"other"}})
	trouble := func(level int) notice.Condition {
		return notice.Condition{Org: "acme", Topic: "source/ad", Level: level, Kind: connector.NoticeQuarantined, Over: connector.NoticeRecovered}
	}
	seats := func(level int) notice.Condition {
		return notice.Condition{Org: "acme", Topic: "seats/a", Level: level, Kind: connector.NoticeSeats}
	}
	after := func(wait time.Duration, list ...notice.Condition) {
		t.Helper()
		w.now = w.now.Add(wait)
		w.conditions = slices.Concat(list, list) // the same once more is nothing new
		w.tell()
		w.start()
		w.tell()
	}
	const minute = time.Minute
	after(minute, trouble(0), seats(0))
	w.want("all")
	after(minute, trouble(1), seats(1))
	after(minute, trouble(1), seats(1))
	w.want("all", "source.quarantined", "seats.low")
	after(minute, trouble(1), seats(2))
	w.want("all", "source.quarantined", "seats.low", "seats.low")
	after(minute, trouble(0), seats(1))
	w.want("all", "source.quarantined", "seats.low", "seats.low", "source.recovered")
	for range 5 { // to and fro
		after(minute, trouble(0), seats(0))
		after(minute, trouble(0), seats(1))
	}
	w.want("all", "source.quarantined", "seats.low", "seats.low", "source.recovered")
	after(time.Hour, trouble(0), seats(1))
	w.want("all", "source.quarantined", "seats.low", "seats.low", "source.recovered", "seats.low")
	after(minute) // both are gone from the configuration, and come back
	after(minute, trouble(1), seats(1))
	w.want("all", "source.quarantined", "seats.low", "seats.low", "source.recovered", "seats.low", "source.quarantined", "seats.low")
	w.want("other")
	marks, err := w.db.NoticeMarks(t.Context(), "acme")
	w.ok(err)
	if len(marks) != 2 {
		t.Errorf("%+v", marks)
	}
}

// What only follows something is not told where that was not.
func TestConditionsThatFollow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hook())
	proof := func(level int) notice.Condition {
		return notice.Condition{Org: "acme", Topic: "domain/acme.test", Level: level, Follows: level == 2, Kind: connector.NoticeDomain}
	}
	for _, c := range []struct{ level, told int }{{2, 0}, {0, 0}, {2, 0}, {1, 1}, {1, 1}, {2, 2}, {2, 2}, {0, 2}, {2, 2}} {
		w.now = w.now.Add(2 * time.Hour)
		w.conditions = []notice.Condition{proof(c.level)}
		w.tell()
		if n := len(w.told("all")); n != c.told {
			t.Errorf("level %d: told %d times, want %d", c.level, n, c.told)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text        string
		free, total int
		low         bool
	}{
		{"10%", 20, 200, false},
		{"10%", 19, 200, true},
		{"10%", 0, 5, true},
		{"10%", 1, 5, false},
		{"10%", -3, 200, true},
		{"20", 20, 20, false},
		{"20", 19, 1000, true},
		{"100%", 200, 200, false},
		{"100%", 199, 200, true},
	} {
		l, err := notice.ParseLimit(c.text)
		if err != nil || l.Low(c.free, c.total) != c.low {
			t.Errorf("%+v: %v %v", c, l.Low(c.free, c.total), err)
		}
	}
	for _, text := range []string{"", "%", "0", "0%", "101%", "-1", "ten", "10 %", "99999999999"} {
		if _, err := notice.ParseLimit(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
