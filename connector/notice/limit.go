package notice

import (
	"errors"
	"strconv"
	"strings"
)

// Limit is under how many free seats people are told: a number, or a part of all seats.
type Limit struct {
	n       int
	percent int // 0 = n counts
}

var errLimit = errors.New("it is a number such as 20, or a part of the seats such as 10%")

// ParseLimit reads "20" or "10%".
func ParseLimit(text string) (Limit, error) {
	number, part := strings.CutSuffix(text, "%")
	n, err := strconv.ParseUint(number, 10, 31)
	switch {
	case err != nil || n == 0 || part && n > 100:
		return Limit{}, errLimit
	case part:
		return Limit{percent: int(n)}, nil
	}
	return Limit{n: int(n)}, nil
}

// Low reports whether so many free seats of so many are fewer than the limit.
func (l Limit) Low(free, total int) bool {
	if l.percent > 0 {
		return free*100 < l.percent*total
	}
	return free < l.n
}
