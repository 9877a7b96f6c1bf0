package schedule

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/robfig/cron/v3"

	"usherd/connector"
)

// Schedule is a Config that was found right. It does not change and may be used concurrently. A nil
// Schedule never fires.
type Schedule struct {
	text    string
	spec    cron.Schedule
	elapsed bool // the hour field is *: counts hours that pass, not hours on the wall
	zone    *time.Location
	jitter  time.Duration
	catchUp bool
}

const (
	maxSpec   = 256
	maxJitter = 24 * time.Hour
	fields    = `the five fields minute, hour, day of month, month and day of week, such as "*/30 * * * *"`
)

// Parse checks c and returns the schedule, or every fault of it with paths cron, timezone and jitter.
// A Config without cron gives nil and no faults: it never fires. Time zones come from the machine
// or, where it has none, from the program (time/tzdata).
func Parse(c Config) (*Schedule, []connector.Fault) {
	if c.Cron == "" && c.Timezone == "" && c.Jitter == 0 {
		return nil, nil
	}
	var faults []connector.Fault
	fault := func(path, format string, args ...any) {
		faults = append(faults, connector.Fault{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	s := &Schedule{catchUp: c.CatchUp == nil || *c.CatchUp, jitter: time.Duration(c.Jitter), zone: time.Local}
	if c.Timezone != "" {
		zone, err := time.LoadLocation(c.Timezone)
		if err != nil {
			fault("timezone", "%.60q is no time zone: write an IANA name such as Europe/Stockholm, or leave it out for the machine's", c.Timezone)
		} else {
			s.zone = zone
		}
	}
	if c.Cron == "" {
		fault("cron", "is missing: write %s", fields)
	} else if problem := s.read(c.Cron); problem != "" {
		fault("cron", "%s", problem)
	}
	switch gap := s.smallestGap(); {
	case s.jitter < 0:
		fault("jitter", `is negative: write a duration such as "5m"`)
	case s.jitter > maxJitter:
		fault("jitter", "is longer than a day: write a later time in cron instead")
	case gap > 0 && s.jitter >= gap:
		fault("jitter", "%s is not shorter than the %s between two runs: write less", connector.Duration(s.jitter), connector.Duration(gap))
	}
	if faults != nil {
		return nil, faults
	}
	return s, nil
}

// instead of the descriptors that other crons know.
var instead = map[string]string{
	"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
	"@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
}

// read parses the cron line and says what is wrong with it, in words. The parser of cron v3.0.1 panics
// on "TZ=" and makes seconds of "@every 1ns"; neither gets to it.
func (s *Schedule) read(line string) string {
	parts := strings.Fields(line)
	switch {
	case len(line) > maxSpec || !utf8.ValidString(line):
		return "is too long or not UTF-8: write " + fields
	case strings.Contains(strings.ToUpper(line), "TZ="):
		return `has a time zone: write it under "timezone" as Europe/Stockholm`
	case strings.HasPrefix(strings.TrimSpace(line), "@"):
		if five, ok := instead[strings.ToLower(strings.TrimSpace(line))]; ok {
			return fmt.Sprintf("%q: write %q", line, five)
		}
		return fmt.Sprintf("%q: write %s", line, fields)
	case len(parts) == 6:
		return fmt.Sprintf("%q has six fields; there are no seconds: write %s", line, fields)
	case len(parts) != 5:
		return fmt.Sprintf("%q: write %s", line, fields)
	}
	spec, err := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(line)
	if err != nil {
		hint := ""
		if strings.Contains(parts[4], "7") {
			hint = "; Sunday is 0"
		}
		return fmt.Sprintf("%q: %v%s; write %s", line, err, hint, fields)
	}
	s.text, s.spec = strings.Join(parts, " "), spec
	s.elapsed = parts[1] == "*" || parts[1] == "?" || parts[1] == "*/1"
	if s.nextWall(reference).IsZero() {
		s.spec = nil
		return fmt.Sprintf("%q never fires: no month has that day", line)
	}
	return ""
}

// reference is where looking for a first moment begins; any date would do.
var reference = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// smallestGap looks at the first moments; 0 when there is no line to look at.
func (s *Schedule) smallestGap() time.Duration {
	if s.spec == nil {
		return 0
	}
	gap, t := time.Duration(0), s.nextWall(reference)
	for range 64 {
		next := s.nextWall(t)
		if d := next.Sub(t); gap == 0 || d < gap {
			gap = d
		}
		t = next
	}
	return gap
}

// String gives the cron line and the zone.
func (s *Schedule) String() string {
	if s == nil {
		return "never"
	}
	return s.text + " " + s.zone.String()
}

// Cron is the line with its five fields, each apart from the next by one blank; "" of a nil Schedule.
func (s *Schedule) Cron() string {
	if s == nil {
		return ""
	}
	return s.text
}

// Zone is where the times of the line are those of the wall clock.
func (s *Schedule) Zone() *time.Location {
	if s == nil {
		return time.UTC
	}
	return s.zone
}

// Jitter is the time over which starts are spread after the exact moment.
func (s *Schedule) Jitter() time.Duration {
	if s == nil {
		return 0
	}
	return s.jitter
}

// CatchUp says whether a moment missed while the program or the machine slept is made up for.
func (s *Schedule) CatchUp() bool { return s != nil && s.catchUp }

// Next returns the first moment after the given one, in the schedule's zone; zero from a nil Schedule.
//
// Where the hour field is *, time that passes counts: "0 * * * *" fires every hour, whatever the clocks
// do. Otherwise the wall clock counts, and each of its times fires exactly once: one that is left
// out in spring fires at the moment of the change, one that is repeated in autumn at its first occurrence.
func (s *Schedule) Next(after time.Time) time.Time {
	if s == nil {
		return time.Time{}
	}
	after = after.In(s.zone)
	if s.elapsed {
		return s.nextElapsed(after)
	}
	for w := asUTC(after); ; {
		w = s.nextWall(w)
		if w.IsZero() {
			return time.Time{}
		}
		if t := fromWall(w, s.zone); t.After(after) {
			return t
		}
	}
}

// Coming are the next n moments after one, in their order; fewer where there are not so many, and none where s never fires.
func (s *Schedule) Coming(after time.Time, n int) []time.Time {
	list := []time.Time{}
	for at := s.Next(after); !at.IsZero() && len(list) < n; at = s.Next(at) {
		list = append(list, at)
	}
	return list
}

// nextElapsed goes through the stretches of time between two clock changes; within one the offset is
// constant and the wall clock as good as UTC. Asking cron itself in the zone would leave out days that
// begin without a midnight (Cairo, Santiago).
func (s *Schedule) nextElapsed(after time.Time) time.Time {
	for {
		_, seconds := after.Zone()
		offset := time.Duration(seconds) * time.Second
		_, end := after.ZoneBounds()
		w := s.nextWall(asUTC(after))
		if w.IsZero() {
			return time.Time{}
		}
		t := w.Add(-offset).In(s.zone)
		if end.IsZero() || t.Before(end) {
			return t
		}
		// The first second of the next stretch may be a moment itself.
		_, seconds = end.In(s.zone).Zone()
		first := end.UTC().Add(time.Duration(seconds) * time.Second)
		if s.nextWall(first.Add(-time.Second)).Equal(first) {
			return end.In(s.zone)
		}
		after = end.In(s.zone)
	}
}

// nextWall is the next wall time, written as UTC. Cron looks five years ahead only, and 1896 to 1904 or
// 2096 to 2104 are eight without a 29 February.
func (s *Schedule) nextWall(w time.Time) time.Time {
	for _, years := range []int{0, 5} {
		if t := s.spec.Next(w.AddDate(years, 0, 0)); !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

// asUTC keeps what the wall clock shows.
func asUTC(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// fromWall gives the instant at which clocks of the zone show w: the first one where there are two, the
// moment of the change where there is none.
func fromWall(w time.Time, zone *time.Location) time.Time {
	t := time.Date(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute(), w.Second(), 0, zone)
	start, end := t.ZoneBounds()
	switch shown := asUTC(t); {
	case shown.After(w): // time.Date does not say which way it goes
		return start
	case shown.Before(w):
		return end
	}
	if start.IsZero() {
		return t
	}
	_, before := start.Add(-time.Second).Zone()
	if earlier := w.Add(-time.Duration(before) * time.Second); earlier.Before(start) {
		return earlier.In(zone)
	}
	return t
}
