package storetest

import (
	"time"

	"usherd/connector"
)

// seatDays: a day has what was counted last on it, is kept when the package is gone, and is forgotten after more than a year.
func seatDays(f *fixture) {
	f.packages(connector.Package{ID: "gold", Seats: 1}, connector.Package{ID: "tin", Seats: connector.Unlimited})
	count := func(at time.Time) {
		f.Helper()
		f.ok(f.s.CountSeats(f.ctx, Org, at))
	}
	read := func(pkg string, since time.Time, want ...connector.SeatDay) {
		f.Helper()
		got, err := f.s.SeatDays(f.ctx, Org, pkg, since)
		f.ok(err)
		f.equal(got, want)
	}
	midnight := f.now.UTC().Truncate(24 * time.Hour)
	first := connector.SeatDay{Day: midnight, Seats: 1}
	count(midnight)
	read("gold", f.now, first)
	f.create(1, "gold")
	f.save(Fail(2, connector.NoSeat))
	count(midnight.Add(24*time.Hour - 1))
	first.Used, first.Waiting = 1, 1
	read("gold", f.now, first)
	read("tin", f.now, connector.SeatDay{Day: midnight, Seats: connector.Unlimited})

	f.packages(connector.Package{ID: "gold", Seats: 2}) // tin has gone
	count(midnight.Add(48 * time.Hour))
	third := connector.SeatDay{Day: midnight.Add(48 * time.Hour), Seats: 2, Used: 1, Waiting: 1}
	read("gold", midnight.Add(-time.Hour), first, third)
	read("gold", midnight.Add(24*time.Hour), third)
	read("tin", midnight, connector.SeatDay{Day: midnight, Seats: connector.Unlimited})
	read("gold", midnight.Add(72*time.Hour))
	other, err := f.s.SeatDays(f.ctx, "other", "gold", midnight)
	f.ok(err)
	f.equal(len(other), 0)

	count(midnight.Add(402 * 24 * time.Hour))
	read("gold", midnight, third, connector.SeatDay{Day: midnight.Add(402 * 24 * time.Hour), Seats: 2, Used: 1, Waiting: 1})
}
