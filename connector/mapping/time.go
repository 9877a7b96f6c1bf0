package mapping

import (
	"strconv"
	"strings"
	"time"
)

// parseTime reads RFC 3339, generalized time (RFC 4517 section 3.3.13) and a plain date, which is
// its midnight in UTC.
func parseTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, sane(t)
		}
	}
	return parseGeneralized(s)
}

// parseGeneralized reads YYYYMMDDHH[MM[SS]][.fraction](Z|+hh[mm]|-hh[mm]). The fraction belongs to the
// last unit written; only that of seconds is used by servers, and only it is read.
func parseGeneralized(s string) (time.Time, bool) {
	zoneAt := strings.IndexAny(s, "Z+-")
	if zoneAt < 0 {
		return time.Time{}, false
	}
	digits, zone := s[:zoneAt], s[zoneAt:]
	var layout string
	whole, fraction, _ := strings.Cut(strings.Replace(digits, ",", ".", 1), ".")
	switch len(whole) {
	case 10:
		layout = "2006010215"
	case 12:
		layout = "200601021504"
	case 14:
		layout = "20060102150405"
	default:
		return time.Time{}, false
	}
	if fraction != "" {
		if len(whole) != 14 || len(fraction) > 9 {
			return time.Time{}, false
		}
		whole += "." + fraction
		layout += "." + strings.Repeat("0", len(fraction))
	}
	switch len(zone) {
	case 1:
		layout += "Z07"
	case 3:
		layout += "-07"
	case 5:
		layout += "-0700"
	default:
		return time.Time{}, false
	}
	t, err := time.Parse(layout, whole+zone)
	return t, err == nil && sane(t)
}

// sane refuses years that RFC 3339 cannot write.
func sane(t time.Time) bool {
	y := t.UTC().Year()
	return y >= 1 && y <= 9999
}

// Windows counts 100 ns from 1601; both ends of the scale mean "never" (MS-ADTS, accountExpires).
const (
	filetimeNever = 1<<63 - 1
	filetimeUnix  = 116444736000000000 // 1970-01-01 in FILETIME
)

// fromFiletime gives RFC 3339; "" for never.
func fromFiletime(s string) (string, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return "", nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return "", evalError("no Windows file time: a whole number is wanted")
	}
	if n == 0 || n == filetimeNever {
		return "", nil
	}
	n -= filetimeUnix
	seconds, rest := n/10_000_000, n%10_000_000
	t := time.Unix(seconds, rest*100).UTC()
	if !sane(t) {
		return "", evalError("a Windows file time after the year 9999")
	}
	return t.Format(time.RFC3339), nil
}

// fromGeneralized gives RFC 3339.
func fromGeneralized(s string) (string, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return "", nil
	}
	t, ok := parseGeneralized(s)
	if !ok {
		return "", evalError("no generalized time: 20260131083000Z is one")
	}
	return t.UTC().Format(time.RFC3339), nil
}
