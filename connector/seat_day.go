package connector

import (
	"math"
	"time"
)

// SeatDay is how full a package was on one day, as it was counted last on it.
type SeatDay struct {
	Day     time.Time // its beginning, UTC
	Seats   int       // or Unlimited
	Used    int
	Waiting int
}

const (
	// trendOver is how much of the past a forecast goes by, and trendFrom how much of it there has to be.
	trendOver = 28
	trendFrom = 7
	// TrendFor is for how many days something is foreseen.
	TrendFor = 180
)

// SeatTrend is how the number of used seats has moved of late: by how many a day, the line of least squares through the last four
// weeks. Days come in order; ok is false where they are fewer than a week.
func SeatTrend(days []SeatDay) (perDay float64, ok bool) {
	if len(days) == 0 {
		return 0, false
	}
	last := days[len(days)-1].Day
	x := func(d SeatDay) float64 { return d.Day.Sub(last).Hours() / 24 }
	for len(days) > 0 && x(days[0]) < -trendOver {
		days = days[1:]
	}
	if x(days[0]) > -(trendFrom - 1) {
		return 0, false
	}
	var n, sumX, sumY, sumXX, sumXY float64
	for _, d := range days {
		n, sumX, sumY = n+1, sumX+x(d), sumY+float64(d.Used)
		sumXX, sumXY = sumXX+x(d)*x(d), sumXY+x(d)*float64(d.Used)
	}
	return (n*sumXY - sumX*sumY) / (n*sumXX - sumX*sumX), true
}

// FullIn is after how many days the package is full where it goes on like that: 0 = it is already. Ok is false where it does not
// fill up, or not within TrendFor days.
func (s SeatCount) FullIn(perDay float64) (days int, ok bool) {
	switch {
	case s.Seats == Unlimited:
		return 0, false
	case s.Free() == 0:
		return 0, true
	case perDay <= 0:
		return 0, false
	}
	d := math.Ceil(float64(s.Free()) / perDay)
	return int(min(d, TrendFor)), d <= TrendFor
}
