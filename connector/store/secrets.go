package store

import (
	"context"
	"database/sql"
)

const (
	sqlSecret    = `SELECT value FROM secrets WHERE name = ?`                                     //nolint:gosec // no secret: SQL
	sqlPutSecret = `INSERT INTO secrets (name, value) VALUES (?,?) ON CONFLICT (name) DO NOTHING` //nolint:gosec // no secret: SQL
)

// Secret returns the secret of that name, which all who share the store have alike. Where there is none it is fresh from
// now on, which must be random.
func (db *DB) Secret(ctx context.Context, name string, fresh []byte) (value []byte, err error) {
	if value, err = db.secret(ctx, name); err != nil || value != nil {
		return value, err
	}
	if name == "" || len(fresh) == 0 {
		return nil, invalid("secret", "a secret needs a name and a value")
	}
	err = db.write(ctx, func(t *tx) error {
		if _, err := t.s.exec(ctx, sqlPutSecret, name, fresh); err != nil {
			return wrap("secret", err)
		}
		value, err = t.secret(ctx, name)
		return err
	})
	return value, err
}

func (r *reader) secret(ctx context.Context, name string) ([]byte, error) {
	rows, err := r.q.query(ctx, sqlSecret, name)
	value, _, err := first(rows, err, func(r *sql.Rows, v *[]byte) error { return r.Scan(v) })
	return value, wrap("secret", err)
}
