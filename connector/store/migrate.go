package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"usherd/connector"
)

// fills are what migrations do that SQL cannot say, after their text and in the same transaction.
var fills = map[string]func(context.Context, *session) error{
	"0007_resources.sql": fillTerms, "0014_request_blocks.sql": fillBlocks, "0023_compare_runs.sql": fillUndoes,
}

const (
	sqlMarks   = `SELECT version, name, checksum FROM migrations ORDER BY version`
	sqlSince   = `SELECT version, since FROM migrations WHERE version > ?`
	sqlSetMark = `UPDATE migrations SET since = ? WHERE version = ?`
	sqlPutMark = `INSERT INTO migrations (version, name, checksum, at) VALUES (?,?,?,?)`
)

// migration is one step of the schema. A first line "-- since: N" says that a usherd which knows the steps up to N only
// goes on working after this one: it only adds, and what it adds may be left out. Then two versions can run side by
// side on one database while it is upgraded.
type migration struct {
	version  int
	since    int // 0: whoever does not know this step is refused
	name     string
	checksum []byte
	text     string
}

const sinceMark = "-- since: "

// loadMigrations reads the files in order.
func loadMigrations(files fs.FS) ([]migration, error) {
	names, err := fs.Glob(files, "*.sql") // sorted
	if err != nil {
		return nil, err
	}
	list := make([]migration, 0, len(names))
	for i, n := range names {
		number, _, _ := strings.Cut(path.Base(n), "_")
		version, err := strconv.Atoi(number)
		if err != nil || version != i+1 {
			return nil, fmt.Errorf("migration %s is not number %d", n, i+1)
		}
		text, err := fs.ReadFile(files, n)
		if err != nil {
			return nil, err
		}
		// A checkout may have turned line ends into CRLF.
		clean := strings.ReplaceAll(string(text), "\r\n", "\n")
		sum := sha256.Sum256([]byte(clean))
		m := migration{version: version, name: n, checksum: sum[:], text: clean}
		if line, _, _ := strings.Cut(clean, "\n"); strings.HasPrefix(line, sinceMark) {
			if m.since, err = strconv.Atoi(strings.TrimPrefix(line, sinceMark)); err != nil || m.since < 1 || m.since >= version {
				return nil, fmt.Errorf("migration %s: %q names no earlier one", n, line)
			}
		}
		list = append(list, m)
	}
	return list, nil
}

func scanMark(r *sql.Rows, m *migration) error { return r.Scan(&m.version, &m.name, &m.checksum) }

func count(ctx context.Context, q querier, text string) (n int, err error) {
	rows, err := q.stream(ctx, text)
	n, _, err = first(rows, err, func(r *sql.Rows, n *int) error { return r.Scan(n) })
	return n, err
}

// applied returns how many of the known migrations the database has, and refuses one that has others.
func applied(ctx context.Context, q querier, e engine, known []migration) (int, error) {
	hasMarks, hasTables := e.marked()
	has, err := count(ctx, q, hasMarks)
	if err != nil {
		return 0, e.openError(err)
	}
	if has == 0 {
		n, err := count(ctx, q, hasTables)
		if err == nil && n > 0 {
			err = &connector.Error{
				Kind: connector.Invalid, Op: "store: open " + e.where(), Err: errors.New("the database has tables, but is no usherd store"),
				Hint: "name another one: this one belongs to another program",
			}
		}
		return 0, err
	}
	rows, err := q.stream(ctx, sqlMarks)
	marks, err := add[migration](nil, rows, err, scanMark)
	if err != nil {
		return 0, e.openError(err)
	}
	for i, m := range marks {
		if i >= len(known) {
			if n, err := needed(ctx, q, len(known)); err != nil || n <= len(known) {
				return len(known), err
			}
			return 0, &connector.Error{
				Kind: connector.Refused, Op: "store: open " + e.where(),
				Err:  fmt.Errorf("its schema is version %d, and this usherd knows versions up to %d", marks[len(marks)-1].version, len(known)),
				Hint: "run the newer usherd that has used this store, or restore a backup from before",
			}
		}
		if k := known[i]; m.version != k.version || string(m.checksum) != string(k.checksum) {
			return 0, &connector.Error{
				Kind: connector.Refused, Op: "store: open " + e.where(),
				Err:  fmt.Errorf("migration %s was another one when it was applied here", m.name),
				Hint: "run the usherd that has used this store: the two are different branches",
			}
		}
	}
	return len(marks), nil
}

// needed returns up to which step somebody must know them to work with those that come after known.
func needed(ctx context.Context, q querier, known int) (n int, err error) {
	rows, err := q.stream(ctx, sqlSince, known)
	for m, err := range each(rows, err, func(r *sql.Rows, m *migration) error { return r.Scan(&m.version, &m.since) }) {
		if err != nil {
			return 0, err
		}
		if m.since == 0 {
			m.since = m.version
		}
		n = max(n, m.since)
	}
	return n, nil
}

// migrate brings the schema up to date, one transaction for each file.
func (db *DB) migrate(ctx context.Context, files fs.FS) error {
	known, err := loadMigrations(files)
	if err != nil {
		return wrap("migrations", err)
	}
	n, err := applied(ctx, db.w, db.engine, known)
	if err != nil {
		return err
	}
	if n > 0 && n < len(known) {
		if err := db.engine.keep(ctx, db.w, n); err != nil {
			return err
		}
	}
	for isNew := n == 0; n < len(known); {
		if err := db.step(ctx, known); err != nil {
			return err
		}
		if !isNew {
			db.log.Info("schema migrated", zap.String("migration", known[n].name))
		}
		if n, err = applied(ctx, db.w, db.engine, known); err != nil {
			return err
		}
	}
	return nil
}

// step applies the next migration. What the next one is, is asked inside of the transaction: another
// process may be doing the same.
func (db *DB) step(ctx context.Context, known []migration) error {
	if err := db.engine.begin(ctx, db.w); err != nil {
		return err
	}
	err := func() error {
		n, err := applied(ctx, db.w, db.engine, known)
		if err != nil || n == len(known) {
			return err
		}
		m := known[n]
		if n == 0 {
			if err := db.engine.script(ctx, db.w, db.engine.createMarks()); err != nil {
				return err
			}
		}
		if err := db.engine.script(ctx, db.w, m.text); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		if fill := fills[m.name]; fill != nil {
			if err := fill(ctx, db.w); err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
		}
		_, err = db.w.conn.ExecContext(ctx, sqlPutMark, m.version, m.name, m.checksum, micros(db.now()))
		if err == nil && m.since > 0 {
			_, err = db.w.conn.ExecContext(ctx, sqlSetMark, m.since, m.version)
		}
		return err
	}()
	if err == nil {
		return wrap("migrate", db.engine.commit(ctx, db.w))
	}
	if _, e := db.w.exec(context.WithoutCancel(ctx), "ROLLBACK"); e != nil {
		db.log.Debug("rollback", zap.Error(e)) // the database has done it by itself
	}
	return wrap("migrate", err)
}
