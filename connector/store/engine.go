package store

import (
	"context"
	"database/sql"
	"io/fs"
)

// snapshot is for transactions of which all statements read one state of the database.
var snapshot = &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}

// lostError says that a transaction was lost by no fault of what it was to write: all of it may be run again.
type lostError struct{ error }

// Unwrap gives the cause.
func (e *lostError) Unwrap() error { return e.error }

func newEngine(storeURL string, o Options) (engine, error) {
	if isPostgres(storeURL) {
		return newPostgres(storeURL, o)
	}
	return newSQLite(storeURL, o)
}

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
	// querier is how the connections of readers are asked.
	querier(p *pool) querier
	// close closes the session and what readers has opened.
	close(ctx context.Context, s *session) error

	// migrations are the files 0001_name.sql and so on, without a gap.
	migrations() fs.FS
	// marked asks whether the database has a table of migrations, and whether it has any table at all.
	marked() (hasMarks, hasTables string)
	// size asks how many bytes the database takes.
	size() string
	// createMarks makes the table of migrations.
	createMarks() string
	// script runs the text of a migration.
	script(ctx context.Context, s *session, text string) error
	// keep puts a copy of the database aside before its schema of that version is left, where it can.
	keep(ctx context.Context, s *session, version int) error

	// begin begins a transaction that writes. Nobody else's does until it ends.
	begin(ctx context.Context, s *session) error
	commit(ctx context.Context, s *session) error
	// spoils reports whether more than a statement has been undone when a function has ended with that error.
	spoils(err error) bool
	// lost returns an error where the transaction was lost by no fault of the function that has ended with that error:
	// it is a lostError, as are those of begin and commit by which nothing was written.
	lost(err error) error
	// wait pauses before a transaction that was lost is run for the n-th time again, and reports whether it is to be.
	wait(ctx context.Context, n int, err error) bool
	// bulk is called when a run of chunks begins, and when none has come for a while.
	bulk(ctx context.Context, s *session, on bool) error

	// faults asks the database whether it is whole.
	faults(ctx context.Context, q querier) ([]string, error)
	backup(ctx context.Context, path string) error
	openError(err error) error
}
