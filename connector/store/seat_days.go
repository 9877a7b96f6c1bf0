package store

import (
	"context"
	"database/sql"
	"time"

	"usherd/connector"
)

const (
	sqlPutSeatDay = `INSERT INTO seat_days (org, package, day, seats, used, waiting) VALUES (?,?,?,?,?,?)
 ON CONFLICT (org, package, day) DO UPDATE SET seats = excluded.seats, used = excluded.used, waiting = excluded.waiting`

	sqlDropSeatDays = `DELETE FROM seat_days WHERE org = ? AND day < ?`

	sqlSeatDays = `SELECT day, seats, used, waiting FROM seat_days WHERE org = ? AND package = ? AND day >= ? ORDER BY day`
)

// keepSeatDays is for how many days it is known how full packages were.
const keepSeatDays = 400

// CountSeats keeps for the day how full the packages of the organization are, in the place of what was counted earlier on it, and
// forgets what is more than a year old.
func (db *DB) CountSeats(ctx context.Context, org string, now time.Time) error {
	err := db.write(ctx, func(t *tx) error {
		seats, err := t.Seats(ctx, org)
		if err != nil {
			return err
		}
		today := dayOf(now)
		for _, n := range seats {
			if _, err := t.s.exec(ctx, sqlPutSeatDay, org, n.Package, today, n.Seats, n.Used, n.Waiting); err != nil {
				return err
			}
		}
		_, err = t.s.exec(ctx, sqlDropSeatDays, org, today-keepSeatDays)
		return err
	})
	return wrap("count seats", err)
}

// SeatDays returns how full a package was on each day from that one on, in order; days on which nobody has counted are left out.
func (r *reader) SeatDays(ctx context.Context, org, pkg string, since time.Time) ([]connector.SeatDay, error) {
	rows, err := r.q.query(ctx, sqlSeatDays, org, pkg, dayOf(since))
	list, err := add[connector.SeatDay](nil, rows, err, func(r *sql.Rows, d *connector.SeatDay) error {
		var day int64
		err := r.Scan(&day, &d.Seats, &d.Used, &d.Waiting)
		d.Day = time.Unix(day*daySeconds, 0).UTC()
		return err
	})
	return list, wrap("seat days", err)
}

const daySeconds = 24 * 60 * 60

// dayOf is the number of a day, in UTC, since 1970.
func dayOf(t time.Time) int64 { return t.Unix() / daySeconds }
