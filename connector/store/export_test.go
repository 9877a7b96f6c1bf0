package store

// WalkMore has conditions walk all rows from so few ids on.
func WalkMore(db *DB, few int) *DB {
	db.few = few
	return db
}
