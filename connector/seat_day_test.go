package connector_test

import (
	"math"
	"testing"
	"time"

	"usherd/connector"
)

func TestSeatTrend(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	days := func(used ...int) (list []connector.SeatDay) {
		for i, n := range used {
			if n >= 0 { // else nobody has counted
				list = append(list, connector.SeatDay{Day: start.AddDate(0, 0, i), Seats: 100, Used: n})
			}
		}
		return list
	}
	late := make([]int, 60) // flat for a month, and two more a day since
	for i := range late {
		late[i] = 10 + 2*max(i-30, 0)
	}
	for name, test := range map[string]struct {
		days []connector.SeatDay
		want float64
		ok   bool
	}{
		"nothing":               {nil, 0, false},
		"a day":                 {days(5), 0, false},
		"less than a week":      {days(1, 2, 3, 4, 5, 6), 0, false},
		"a week":                {days(1, 2, 3, 4, 5, 6, 7), 1, true},
		"days that are missing": {days(10, -1, -1, -1, -1, -1, -1, -1, -1, 19), 1, true},
		"downwards":             {days(14, 12, 10, 8, 6, 4, 2, 0), -2, true},
		"flat":                  {days(3, 3, 3, 3, 3, 3, 3, 3), 0, true},
		"what is long ago":      {days(late...), 2, true},
		"one after a long time": {days(append(append([]int{90}, repeated(-1, 60)...), 5)...), 0, false},
	} {
		if got, ok := connector.SeatTrend(test.days); ok != test.ok || math.Abs(got-test.want) > 0.05 {
			t.Errorf("%s: %v %v", name, got, ok)
		}
	}
}

func repeated(n, times int) []int {
	list := make([]int, times)
	for i := range list {
		list[i] = n
	}
	return list
}

func TestFullIn(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		seats, used int
		perDay      float64
		want        int
		ok          bool
	}{
		{10, 10, -1, 0, true},
		{10, 12, 0, 0, true},
		{10, 4, 0, 0, false},
		{10, 4, -1, 0, false},
		{10, 4, 2, 3, true},
		{10, 4, 4, 2, true},
		{10, 4, 0.001, connector.TrendFor, false},
		{connector.Unlimited, 4, 2, 0, false},
	} {
		got, ok := connector.SeatCount{Seats: test.seats, Used: test.used}.FullIn(test.perDay)
		if ok != test.ok || got != test.want {
			t.Errorf("%+v: %v %v", test, got, ok)
		}
	}
}
