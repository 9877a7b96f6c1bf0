package store

import (
	"context"
	"database/sql"

	"usherd/connector"
)

const (
	sqlPackages = `SELECT p.id, p.name, p.seats, p.used, p.place,
   (SELECT count(*) FROM waiting w WHERE w.org = p.org AND w.package = p.id)
 FROM packages p WHERE p.org = ? ORDER BY p.place < 0, p.place, p.id`

	sqlPutPackage = `INSERT INTO packages (org, id, name, seats, used, lowered, place) VALUES (?,?,?,?,0,0,?)
 ON CONFLICT (org, id) DO UPDATE SET name = excluded.name, seats = excluded.seats, place = excluded.place,
   lowered = CASE WHEN excluded.seats >= 0 AND packages.used > excluded.seats THEN 1 ELSE 0 END
 WHERE packages.name <> excluded.name OR packages.seats <> excluded.seats OR packages.place <> excluded.place`

	sqlDropPackage = `DELETE FROM packages WHERE org = ? AND id = ? AND used = 0`

	sqlRetirePackage = `UPDATE packages SET seats = 0, place = -1, lowered = CASE WHEN used > 0 THEN 1 ELSE 0 END WHERE org = ? AND id = ?`

	// A seat is given only where one is free, whatever was read before.
	sqlMoveSeats = `UPDATE packages SET used = used + ?, lowered = CASE WHEN seats >= 0 AND used + ? > seats THEN lowered ELSE 0 END
 WHERE org = ? AND id = ? AND (? <= 0 OR seats < 0 OR used + ? <= seats)`
)

type packageRow struct {
	id, name    string
	seats, used int
	place       int
	waiting     int
}

func scanPackage(r *sql.Rows, p *packageRow) error {
	return r.Scan(&p.id, &p.name, &p.seats, &p.used, &p.place, &p.waiting)
}

// seatRow is a package while a segment is decided.
type seatRow struct {
	exists      bool
	seats, used int
	delta       int
}

func (r *seatRow) take() bool {
	if !r.exists || r.seats != connector.Unlimited && r.used+r.delta >= r.seats {
		return false
	}
	r.delta++
	return true
}

func (r *seatRow) free() { r.delta-- }

func (s *saver) moveSeats() {
	for id, r := range s.seats {
		if r.delta != 0 {
			s.t.s.moveSeats(s.changes[0].Org, id, r.delta)
		}
	}
}

// Seats returns the standing of all packages of the organization in the order of the configuration;
// those that are not in it any more follow as long as users hold their seats.
func (r *reader) Seats(ctx context.Context, org string) ([]connector.SeatCount, error) {
	rows, err := r.q.query(ctx, sqlPackages, org)
	list, err := add[packageRow](nil, rows, err, scanPackage)
	return seatCounts(list), wrap("seats", err)
}

func seatCounts(list []packageRow) []connector.SeatCount {
	seats := make([]connector.SeatCount, len(list))
	for i, p := range list {
		seats[i] = connector.SeatCount{Package: p.id, Name: p.name, Seats: p.seats, Used: p.used, Waiting: p.waiting}
	}
	return seats
}

// SetPackages makes the organization's packages those of its configuration. Counters stay: a number
// below what is in use takes nobody's seat, and a package that is gone is kept with no seats while
// somebody holds one.
func (db *DB) SetPackages(ctx context.Context, org string, packages []connector.Package) error {
	err := db.write(ctx, func(t *tx) error {
		rows, err := t.q.query(ctx, sqlPackages, org)
		old, err := add[packageRow](nil, rows, err, scanPackage)
		if err != nil {
			return err
		}
		keep := map[string]bool{}
		for i, p := range packages {
			if keep[p.ID] || p.Seats < connector.Unlimited {
				return invalid("set packages", "package %q: it stands there twice, or its seats are negative", p.ID)
			}
			keep[p.ID] = true
			if _, err := t.s.exec(ctx, sqlPutPackage, org, p.ID, p.Name, p.Seats, i); err != nil {
				return err
			}
		}
		for _, p := range old {
			if keep[p.id] {
				continue
			}
			q := sqlRetirePackage
			if p.used == 0 {
				q = sqlDropPackage
			}
			if _, err := t.s.exec(ctx, q, org, p.id); err != nil {
				return err
			}
		}
		return nil
	})
	return wrap("set packages", err)
}
