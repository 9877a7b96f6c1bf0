package store

import "time"

// WalkMore has conditions walk all rows from so few ids on.
func WalkMore(db *DB, few int) *DB {
	db.few = few
	return db
}

// SetPatience has a database of PostgreSQL that is away be waited for so long.
func SetPatience(db *DB, d time.Duration) {
	e := db.engine.(*pgEngine)
	e.away.patience, e.gone.patience = d, d
}
