package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"go.uber.org/zap"

	"usherd/connector"
)

// pgEngine is a database of PostgreSQL that any number of processes share. Whoever writes has locked the one row of
// the table writer first: that is SQLite's BEGIN IMMEDIATE for several machines.
type pgEngine struct {
	url    *pgURL
	log    *zap.Logger
	w, r   *sql.DB
	conn   *pgConn // of the session; used by the writer alone
	holder string  // names this process among writer_marks
	n      int64   // of the transactions that it has begun
	begun  bool    // the last one was: it has the lock, unless it is lost
	cut    int     // times that what is written now was begun and has lost its connection
	next   int64   // statements that write before look; 0 = never again
	away   outage  // of the writer
	gone   outage  // of those who read
}

func newPostgres(storeURL string, o Options) (*pgEngine, error) {
	u, err := parsePostgres(storeURL)
	if err != nil {
		return nil, err
	}
	if !o.Password.IsZero() {
		u.config.Password = o.Password.Reveal()
	}
	e := &pgEngine{url: u, log: o.Log, holder: rand.Text(), next: figuresFirst}
	for _, o := range [...]*outage{&e.away, &e.gone} {
		o.log, o.patience = e.log, patience
	}
	return e, nil
}

func (e *pgEngine) where() string { return e.url.shown }

// connect opens the session that writes and makes the tables without which nobody can lock.
func (e *pgEngine) connect(ctx context.Context) (*session, error) {
	e.w = sql.OpenDB(e.url.writer())
	e.w.SetMaxOpenConns(1)
	s := newSession(nil)
	for n := 0; ; n++ {
		err := e.dial(ctx, s)
		if err == nil {
			err = e.prepare(ctx, s)
		}
		if err == nil {
			e.away.over()
			return s, nil
		}
		if !passing(err) || !e.away.wait(ctx, n, err) {
			return s, e.openError(err)
		}
	}
}

// dial gives the session another connection in the place of the one that it has lost.
func (e *pgEngine) dial(ctx context.Context, s *session) error {
	if s.conn != nil {
		_ = s.close()
	}
	e.conn = nil
	conn, err := e.w.Conn(ctx)
	if err != nil {
		return err
	}
	s.renew(conn)
	return conn.Raw(func(dc any) error {
		e.conn = dc.(*pgConn)
		return nil
	})
}

const (
	// Tables that the account may not use count too, those of extensions do not.
	pgHasTables = `SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p')
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')`
	pgHasMarks = pgHasTables + ` AND c.relname = 'migrations'`

	pgCreateMarks = `CREATE TABLE IF NOT EXISTS migrations (version bigint NOT NULL PRIMARY KEY, name text COLLATE "C" NOT NULL, checksum bytea NOT NULL,
 at bigint NOT NULL)`

	// The one row of writer is locked by whoever writes. In writer_marks stands which transaction of a process was
	// committed last: whoever has lost the answer to a commit looks there.
	pgStart = `BEGIN; ` + pgCreateMarks + `;
CREATE TABLE writer (id bigint NOT NULL PRIMARY KEY CHECK (id = 1));
INSERT INTO writer (id) VALUES (1);
CREATE TABLE writer_marks (holder text COLLATE "C" NOT NULL PRIMARY KEY, n bigint NOT NULL, at timestamptz NOT NULL) WITH (fillfactor = 50);
COMMIT`

	pgJoin   = `INSERT INTO writer_marks (holder, n, at) VALUES (?, ?, now()) ON CONFLICT (holder) DO NOTHING`
	pgForget = `DELETE FROM writer_marks WHERE at < now() - interval '30 days'`
	pgLeave  = `DELETE FROM writer_marks WHERE holder = ?`
)

// prepare checks what the database is like, and makes the tables of the lock in one that is empty. Another process
// may be doing the same: then it is looked at again.
func (e *pgEngine) prepare(ctx context.Context, s *session) error {
	for try := 0; ; try++ {
		has, err := count(ctx, s, pgHasMarks)
		if err != nil {
			return err
		}
		if has == 0 {
			n, err := count(ctx, s, pgHasTables)
			if err != nil || n > 0 {
				return err // migrate refuses what belongs to another program
			}
			if err = e.simple(ctx, pgStart); err != nil {
				_ = e.simple(ctx, "ROLLBACK")
				if isTwice(err) && try < 10 {
					continue
				}
				return err
			}
		}
		if _, err := s.exec(ctx, pgForget); err != nil {
			return err
		}
		_, err = s.exec(ctx, pgJoin, e.holder, e.n)
		return err
	}
}

func (e *pgEngine) readers(ctx context.Context) (*sql.DB, error) {
	e.r = sql.OpenDB(e.url.reader())
	e.r.SetMaxOpenConns(e.url.readers)
	e.r.SetMaxIdleConns(e.url.readers)
	if err := e.r.PingContext(ctx); err != nil {
		return nil, e.openError(err)
	}
	return e.r, nil
}

func (e *pgEngine) querier(p *pool) querier { return &pgPool{p.db, &e.gone, &e.away, &p.asked} }

func (e *pgEngine) close(ctx context.Context, s *session) error {
	var errs []error
	if s != nil && s.conn != nil {
		if e.conn.alive() {
			_, _ = s.exec(ctx, pgLeave, e.holder) // it is forgotten in the end anyway
		}
		if err := s.close(); !errors.Is(err, sql.ErrConnDone) { // one that was lost is closed
			errs = append(errs, err)
		}
	}
	for _, db := range [...]*sql.DB{e.r, e.w} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

func (e *pgEngine) openError(err error) error {
	if r, ok := pgRemedy(err); ok {
		return &connector.Error{Kind: r.kind, Op: "store: open " + e.where(), Err: err, Hint: r.hint}
	}
	return &connector.Error{
		Kind: connector.Unavailable, Op: "store: open " + e.where(), Err: err,
		Hint: "store must name a database of PostgreSQL 13 or later that the account may make tables in",
	}
}

//go:embed migration/postgres/*.sql
var pgFiles embed.FS

func (e *pgEngine) migrations() fs.FS {
	sub, err := fs.Sub(pgFiles, "migration/postgres")
	if err != nil {
		panic(err) // it is embedded
	}
	return sub
}

func (e *pgEngine) marked() (hasMarks, hasTables string) { return pgHasMarks, pgHasTables }

func (e *pgEngine) size() string { return `SELECT pg_database_size(current_database())` }

func (e *pgEngine) createMarks() string { return pgCreateMarks }

func (e *pgEngine) script(ctx context.Context, _ *session, text string) error {
	return e.simple(ctx, text)
}

// keep keeps nothing: each migration is one transaction, and copies of the database are its administrator's.
func (e *pgEngine) keep(context.Context, *session, int) error { return nil }

func (e *pgEngine) bulk(context.Context, *session, bool) error { return nil }

func (e *pgEngine) faults(context.Context, querier) ([]string, error) { return nil, nil }

func (e *pgEngine) backup(context.Context, string) error {
	return &connector.Error{
		Kind: connector.Refused, Op: "store: backup", Err: fmt.Errorf("%s is a database of PostgreSQL", e.where()),
		Hint: "copy it with pg_dump, or have the server archive its log (pg_basebackup, WAL archiving)",
	}
}
