package schedule

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // Windows has no zones of its own

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
)

// zones have their clock changes at night, at midnight (Cairo, Santiago), by half an hour (Lord Howe),
// for Ramadan (Casablanca) or not at all.
var zones = []string{
	"Europe/Stockholm", "America/New_York", "America/Sao_Paulo", "America/Santiago", "Africa/Cairo",
	"Africa/Casablanca", "Australia/Lord_Howe", "Asia/Kathmandu",
}

func mustParse(t *testing.T, line, zone string) *Schedule {
	t.Helper()
	s, faults := Parse(Config{Cron: line, Timezone: zone})
	if faults != nil {
		t.Fatalf("%q in %s: %v", line, zone, faults)
	}
	return s
}

func TestOneFiringADayInEveryZone(t *testing.T) {
	t.Parallel()
	for _, zone := range zones {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			for _, line := range []string{"0 0 * * *", "30 0 * * *", "45 1 * * *", "30 2 * * *", "0 3 * * *", "59 23 * * *"} {
				s := mustParse(t, line, zone)
				loc := s.zone
				at := time.Date(2025, 12, 31, 23, 59, 59, 0, loc)
				for day := time.Date(2026, 1, 1, 12, 0, 0, 0, loc); day.Year() == 2026; day = day.AddDate(0, 0, 1) {
					next := s.Next(at)
					if y, m, d := next.Date(); y != day.Year() || m != day.Month() || d != day.Day() {
						t.Fatalf("%q: after %v comes %v, want one on %s", line, at, next, day.Format(time.DateOnly))
					}
					at = next
				}
				if last := s.Next(at); last.Year() != 2027 {
					t.Errorf("%q: fires again on the last day: %v", line, last)
				}
			}
		})
	}
}

// TestHoursThatPass compares a schedule with every minute of 2026.
func TestHoursThatPass(t *testing.T) {
	t.Parallel()
	for _, zone := range zones {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			s := mustParse(t, "*/20 * * * *", zone)
			start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			got := s.Next(start.Add(-time.Second))
			for at := start; at.Year() == 2026; at = at.Add(time.Minute) {
				if at.In(s.zone).Minute()%20 != 0 {
					continue
				}
				if !got.Equal(at) {
					t.Fatalf("fires at %v, want %v", got, at.In(s.zone))
				}
				got = s.Next(got)
			}
		})
	}
}

func TestClockChanges(t *testing.T) {
	t.Parallel()
	tests := []struct{ line, zone, after, want string }{
		{"30 2 * * *", "Europe/Stockholm", "2026-03-29T00:00:00+01:00", "2026-03-29T03:00:00+02:00"},
		{"30 2 * * *", "Europe/Stockholm", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"},
		{"30 2 * * *", "Europe/Stockholm", "2026-10-25T00:00:00+02:00", "2026-10-25T02:30:00+02:00"},
		{"30 2 * * *", "Europe/Stockholm", "2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"},
		{"30 2 * * *", "Europe/Stockholm", "2026-10-25T02:10:00+01:00", "2026-10-26T02:30:00+01:00"},
		{"*/30 2,3 * * *", "Europe/Stockholm", "2026-03-29T01:59:59+01:00", "2026-03-29T03:00:00+02:00"},
		{"*/30 2,3 * * *", "Europe/Stockholm", "2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00"},
		{"30 * * * *", "Europe/Stockholm", "2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"},
		{"0 * 24 4 *", "Africa/Cairo", "2026-04-23T22:00:00+02:00", "2026-04-24T01:00:00+03:00"},
		{"0 0 24 4 *", "Africa/Cairo", "2026-04-23T22:00:00+02:00", "2026-04-24T01:00:00+03:00"},
		{"0 0 29 2 *", "Europe/Stockholm", "2096-03-01T00:00:00+01:00", "2104-02-29T00:00:00+01:00"},
		{"0 9 * * MON-FRI", "America/Sao_Paulo", "2026-01-02T09:00:00-03:00", "2026-01-05T09:00:00-03:00"},
	}
	for _, tt := range tests {
		after, err := time.Parse(time.RFC3339, tt.after)
		if err != nil {
			t.Fatal(err)
		}
		if got := mustParse(t, tt.line, tt.zone).Next(after).Format(time.RFC3339); got != tt.want {
			t.Errorf("%q in %s after %s: %s, want %s", tt.line, tt.zone, tt.after, got, tt.want)
		}
	}
}

func TestParseTellsFaults(t *testing.T) {
	t.Parallel()
	minute := connector.Duration(time.Minute)
	tests := []struct {
		config Config
		want   []string // path and a part of the message
	}{
		{Config{}, nil},
		{Config{Cron: "*/30 * * * *", Timezone: "Europe/Stockholm", Jitter: minute}, nil},
		{Config{Cron: " 0  0 ? * SUN "}, nil},
		{Config{Cron: "0 0 29 FEB *"}, nil},
		{Config{Cron: "TZ=UTC"}, []string{`cron: has a time zone: write it under "timezone"`}},
		{Config{Cron: "CRON_TZ=Europe/Stockholm 0 0 * * *"}, []string{`cron: has a time zone`}},
		{Config{Cron: "@daily"}, []string{`write "0 0 * * *"`}},
		{Config{Cron: "@every 1ns"}, []string{`cron: "@every 1ns": write the five fields`}},
		{Config{Cron: "0 */5 * * * *"}, []string{"there are no seconds"}},
		{Config{Cron: "0 0"}, []string{`"0 0": write the five fields`}},
		{Config{Cron: "61 * * * *"}, []string{"end of range (61) above maximum (59)"}},
		{Config{Cron: "0 0 * * 7"}, []string{"Sunday is 0"}},
		{Config{Cron: "0 0 30 2 *"}, []string{"never fires"}},
		{Config{Cron: "*/0 * * * *"}, []string{"step of range"}},
		{Config{Cron: strings.Repeat("0,", 200) + "0 * * * *"}, []string{"too long"}},
		{Config{Cron: "0 0 * * *", Timezone: "Mars/Olympus"}, []string{"timezone: \"Mars/Olympus\" is no time zone"}},
		{Config{Cron: "0 0 * * *", Timezone: "../etc/passwd"}, []string{"is no time zone"}},
		{Config{Timezone: "UTC"}, []string{"cron: is missing"}},
		{Config{Cron: "0 * * * *", Jitter: 60 * minute}, []string{"jitter: 1h is not shorter than the 1h between two runs"}},
		{Config{Cron: "0,10 * * * *", Jitter: 10 * minute}, []string{"not shorter than the 10m"}},
		{Config{Cron: "0 0 1 * *", Jitter: 1441 * minute}, []string{"longer than a day"}},
		{Config{Cron: "0 0 1 * *", Jitter: -minute}, []string{"negative"}},
		{Config{Cron: "x", Timezone: "x", Jitter: -minute}, []string{"timezone: ", "cron: ", "jitter: "}},
	}
	for _, tt := range tests {
		s, faults := Parse(tt.config)
		if (s == nil) != (faults != nil || tt.config == Config{}) {
			t.Errorf("%+v: schedule %v and faults %v", tt.config, s, faults)
		}
		if len(faults) != len(tt.want) {
			t.Errorf("%+v: %v, want %q", tt.config, faults, tt.want)
			continue
		}
		for i, f := range faults {
			if !strings.Contains(f.Error(), tt.want[i]) {
				t.Errorf("%+v: %q, want %q", tt.config, f.Error(), tt.want[i])
			}
		}
	}
}

func TestNilScheduleNeverFires(t *testing.T) {
	t.Parallel()
	var s *Schedule
	if !s.Next(time.Now()).IsZero() || s.CatchUp() || s.Jitter() != 0 || s.String() != "never" {
		t.Error("it does something")
	}
}

func TestScheduleTellsItself(t *testing.T) {
	t.Parallel()
	no := false
	s, faults := Parse(Config{Cron: "0  2 * * *", Timezone: "UTC", Jitter: connector.Duration(time.Minute), CatchUp: &no})
	if faults != nil {
		t.Fatal(faults)
	}
	if diff := cmp.Diff([]any{"0 2 * * * UTC", time.Minute, false}, []any{s.String(), s.Jitter(), s.CatchUp()}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzParse(f *testing.F) {
	for _, line := range []string{
		"*/30 * * * *", "TZ=UTC", "CRON_TZ=", "tz=x * * * *", "@every 0s", "0 0 30 2 *", "0-59/7 1,2,3 L ? MON#2", "5/ * * * *",
		"1-0 * * * *", "* * * * 7", "0 0 29 2 1", "99999999999999999999 * * * *", "*/9223372036854775807 * * * *",
	} {
		f.Add(line, "Europe/Stockholm", int64(1_774_742_400), int64(60))
	}
	f.Add("30 2 * * *", "Australia/Lord_Howe", int64(-9_999_999_999), int64(0))
	f.Fuzz(func(t *testing.T, line, zone string, unix, jitter int64) {
		s, faults := Parse(Config{Cron: line, Timezone: zone, Jitter: connector.Duration(jitter)})
		if (s == nil) == (faults == nil) && (line != "" || zone != "" || jitter != 0) {
			t.Fatalf("schedule %v and faults %v", s, faults)
		}
		if s == nil {
			return
		}
		after := time.Unix(unix%10_000_000_000, 0)
		for range 3 {
			next := s.Next(after)
			if !next.After(after) {
				t.Fatalf("%v after %v: %v", s, after, next)
			}
			after = next
		}
	})
}
