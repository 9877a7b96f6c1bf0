package connector

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration is a time.Duration that also understands days when it is read from text: "7d", "1d12h",
// "90m". The zero value means "not given" wherever a default exists.
type Duration time.Duration

var errDuration = errors.New(`a duration is a number with a unit, such as "30s", "15m", "12h" or "7d"`)

// UnmarshalText reads "7d", "1d12h" and everything that time.ParseDuration reads; never a negative one.
func (d *Duration) UnmarshalText(b []byte) error {
	text := strings.TrimSpace(string(b))
	var total time.Duration
	if days, rest, ok := strings.Cut(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return errDuration
		}
		total, text = time.Duration(n)*24*time.Hour, rest
	}
	if text != "" || total == 0 {
		more, err := time.ParseDuration(text)
		if err != nil || more < 0 {
			return errDuration
		}
		total += more
	}
	*d = Duration(total)
	return nil
}

// MarshalText writes days where the duration is a whole number of them.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String gives "7d", "12h" or what time.Duration gives.
func (d Duration) String() string {
	const day = 24 * time.Hour
	if t := time.Duration(d); t > 0 && t%day == 0 {
		return fmt.Sprintf("%dd", t/day)
	}
	s := time.Duration(d).String()
	s = strings.TrimSuffix(s, "m0s") + map[bool]string{true: "m"}[strings.HasSuffix(s, "m0s")]
	return strings.TrimSuffix(s, "h0m") + map[bool]string{true: "h"}[strings.HasSuffix(s, "h0m")]
}

// Or returns d, or other where d is zero.
func (d Duration) Or(other time.Duration) time.Duration {
	if d == 0 {
		return other
	}
	return time.Duration(d)
}
