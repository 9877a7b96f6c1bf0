package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"usherd/connector"
)

const (
	sqlPutSession = `INSERT INTO sessions (hash, provider, subject, name, groups, address, created_at, used_at, fresh_at, until)
 VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT (hash) DO UPDATE SET used_at = excluded.used_at, fresh_at = excluded.fresh_at`
	sqlSession      = `SELECT hash, provider, subject, name, groups, address, created_at, used_at, fresh_at, until FROM sessions WHERE hash = ?`
	sqlEndSession   = `DELETE FROM sessions WHERE hash = ?`
	sqlDropSessions = `DELETE FROM sessions WHERE until < ?`

	sqlTries      = `SELECT n FROM tries WHERE key = ? AND until > ?`
	sqlPutTries   = `INSERT INTO tries (key, n, until) VALUES (?,?,?) ON CONFLICT (key) DO UPDATE SET n = excluded.n, until = excluded.until`
	sqlForgetTry  = `DELETE FROM tries WHERE key = ?`
	sqlDropTries  = `DELETE FROM tries WHERE until < ?`
	sqlUseFormKey = `INSERT INTO form_keys (hash, until) VALUES (?,?) ON CONFLICT DO NOTHING`
	sqlDropKeys   = `DELETE FROM form_keys WHERE until < ?`
)

// PutSession keeps a session; of one that is there already, UsedAt and FreshAt are written anew.
func (db *DB) PutSession(ctx context.Context, s connector.Session) error {
	if s.Hash == (connector.TokenHash{}) || s.Provider == "" || s.Subject == "" || s.Until.IsZero() {
		return invalid("put session", "a session needs its hash, who it is by which provider, and its end")
	}
	groups, err := json.Marshal(s.Groups)
	if err != nil {
		return wrap("put session", err)
	}
	return db.write(ctx, func(t *tx) error {
		_, err := t.s.exec(ctx, sqlPutSession, s.Hash[:], s.Provider, s.Subject, s.Name, string(groups), s.Address,
			micros(s.CreatedAt), micros(s.UsedAt), micros(s.FreshAt), micros(s.Until))
		return wrap("put session", err)
	})
}

// Session returns the session with that hash, whatever its time; ok is false where there is none.
func (r *reader) Session(ctx context.Context, hash connector.TokenHash) (s connector.Session, ok bool, err error) {
	rows, err := r.q.query(ctx, sqlSession, hash[:])
	s, ok, err = first(rows, err, scanSession)
	return s, ok, wrap("session", err)
}

func scanSession(r *sql.Rows, s *connector.Session) error {
	var hash []byte
	var groups string
	err := r.Scan(&hash, &s.Provider, &s.Subject, &s.Name, &groups, &s.Address, (*timeColumn)(&s.CreatedAt), (*timeColumn)(&s.UsedAt),
		(*timeColumn)(&s.FreshAt), (*timeColumn)(&s.Until))
	if err != nil {
		return err
	}
	copy(s.Hash[:], hash)
	return json.Unmarshal([]byte(groups), &s.Groups)
}

// EndSession forgets a session; none there is no error.
func (db *DB) EndSession(ctx context.Context, hash connector.TokenHash) error {
	return db.write(ctx, func(t *tx) error {
		_, err := t.s.exec(ctx, sqlEndSession, hash[:])
		return wrap("end session", err)
	})
}

// TakeTry takes one try of each limit, and reports whether there was one of all: those who try at the same moment, in whatever
// process, take theirs one after the other. Where there is none nothing is counted, so that a limit ends window after the last
// try that it let through.
func (db *DB) TakeTry(ctx context.Context, limits []connector.TryLimit, window time.Duration, now time.Time) (ok bool, err error) {
	err = db.write(ctx, func(t *tx) error {
		ok = true
		taken := make([]int64, len(limits))
		for i, l := range limits {
			rows, err := t.q.query(ctx, sqlTries, l.Key, micros(now))
			n, _, err := first(rows, err, func(r *sql.Rows, n *int64) error { return r.Scan(n) })
			if err != nil {
				return wrap("take try", err)
			}
			if taken[i] = n + 1; n >= int64(l.Tries) {
				ok = false
				return nil
			}
		}
		for i, l := range limits {
			if _, err := t.s.exec(ctx, sqlPutTries, l.Key, taken[i], micros(now.Add(window))); err != nil {
				return wrap("take try", err)
			}
		}
		return nil
	})
	return ok && err == nil, err
}

// ForgetTries forgets what was counted under a key.
func (db *DB) ForgetTries(ctx context.Context, key string) error {
	return db.write(ctx, func(t *tx) error {
		_, err := t.s.exec(ctx, sqlForgetTry, key)
		return wrap("forget tries", err)
	})
}

// UseFormKey uses the key of a form: of those who do at the same moment, in whatever process, one is told that it is fresh.
func (db *DB) UseFormKey(ctx context.Context, hash connector.TokenHash, until time.Time) (fresh bool, err error) {
	err = db.write(ctx, func(t *tx) error {
		n, err := t.s.exec(ctx, sqlUseFormKey, hash[:], micros(until))
		fresh = n > 0
		return wrap("use form key", err)
	})
	return fresh && err == nil, err
}

// DropSessions forgets sessions, tries, keys of forms and selections whose time was over before now.
func (db *DB) DropSessions(ctx context.Context, now time.Time) error {
	return db.write(ctx, func(t *tx) error {
		for _, q := range [...]string{sqlDropSessions, sqlDropTries, sqlDropKeys, sqlDropSelections} {
			if _, err := t.s.exec(ctx, q, micros(now)); err != nil {
				return wrap("drop sessions", err)
			}
		}
		return nil
	})
}
