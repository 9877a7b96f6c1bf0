package store

import (
	"context"
	"database/sql"
	"io/fs"
)

// engine is what the databases do differently. SQL, the order of what is written and all decisions are the same:
// there is one writer at a time on each of them, so whatever holds for the changes of one process holds for those
// of all.
type engine interface {
	// where names the database in messages, without a password.
	where() string
	// connect opens the connection that writes; migrations run on it before readers are opened.
	connect(ctx context.Context) (*session, error)
	// readers opens the connections that read. They cannot write.
	readers(ctx context.Context) (*sql.DB, error)
	// close closes what connect and readers have opened, but for the session.
	close() error

	// migrations are the files 0001_name.sql and so on, without a gap.
	migrations() fs.FS
	// marked asks whether the database has a table of migrations, and whether it has any table at all.
	marked() (hasMarks, hasTables string)
	// createMarks makes the table of migrations.
	createMarks() string
	// keep puts a copy of the database aside before its schema of that version is left, where it can.
	keep(ctx context.Context, s *session, version int) error

	// begin begins a transaction that writes. Nobody else's does until it ends.
	begin(ctx context.Context, s *session) error
	commit(ctx context.Context, s *session) error
	// spoils reports whether an error of a statement leaves more undone than that statement.
	spoils(err error) bool
	// bulk is called when a run of chunks begins, and when none has come for a while.
	bulk(ctx context.Context, s *session, on bool) error

	// faults asks the database whether it is whole.
	faults(ctx context.Context, q querier) ([]string, error)
	backup(ctx context.Context, path string) error
	openError(err error) error
}
