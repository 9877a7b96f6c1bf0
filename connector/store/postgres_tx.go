package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"usherd/connector"
)

const (
	pgLock = `SELECT 1 FROM writer WHERE id = 1 FOR UPDATE`
	pgMark = `INSERT INTO writer_marks (holder, n, at) VALUES ($1, $2, now()) ON CONFLICT (holder) DO UPDATE SET n = excluded.n, at = excluded.at`
	pgLast = `SELECT n FROM writer_marks WHERE holder = $1`

	// lockTries is how often the lock of the writer is waited for, 5 s each time.
	lockTries = 4
)

// begin begins a transaction, takes the lock and leaves a mark, in one round trip.
func (e *pgEngine) begin(ctx context.Context, s *session) (err error) {
	e.begun = false
	for range lockTries {
		if !e.conn.alive() {
			if err = e.dial(ctx, s); err != nil {
				break
			}
		}
		e.n++
		if err = e.lock(ctx, true); err == nil {
			e.begun = true
			e.away.over()
			return nil
		}
		e.end(ctx, err)
		if !isLocked(err) {
			break
		}
	}
	if passing(err) || collides(err) {
		return &lostError{err}
	}
	return wrap("begin", err)
}

func (e *pgEngine) lock(ctx context.Context, mark bool) error {
	e.conn.settle()
	b := &pgx.Batch{}
	if locals := e.url.locals(); locals == "" {
		b.Queue("BEGIN")
	} else if err := e.simple(ctx, "BEGIN"+locals); err != nil {
		return err
	}
	b.Queue(pgLock)
	if mark {
		b.Queue(pgMark, e.holder, e.n)
	}
	return e.conn.pgx().SendBatch(ctx, b).Close()
}

// simple runs statements that have no parameters.
func (e *pgEngine) simple(ctx context.Context, q string) error {
	e.conn.settle()
	_, err := e.conn.pgx().PgConn().Exec(ctx, q).ReadAll()
	return err
}

// end rolls back what there is of a transaction. A connection on which that fails, or that leads to a server that takes
// no writes, is not used again.
func (e *pgEngine) end(ctx context.Context, why error) {
	if !e.conn.alive() {
		return
	}
	if passing(why) || e.simple(ctx, "ROLLBACK") != nil {
		_ = e.conn.pgx().Close(ctx)
	}
}

// commit commits. When the answer gets lost it finds out what has become of the transaction.
func (e *pgEngine) commit(ctx context.Context, s *session) error {
	e.conn.settle()
	results, err := e.conn.pgx().PgConn().Exec(ctx, "COMMIT").ReadAll()
	switch {
	case err == nil && len(results) == 1 && results[0].CommandTag.String() == "COMMIT":
		e.look(ctx)
		return nil
	case err == nil: // the server had given it up, and now has rolled it back
		return &lostError{errAborted}
	case collides(err):
		return &lostError{err}
	case !passing(err):
		return err
	}
	return e.ask(ctx, s, err)
}

var errAborted = errors.New("the server had given up the transaction")

// ask finds out whether the transaction that was begun last has been committed, and fails with a lostError where it
// was not. It waits for the lock first: the old session may still be at it.
func (e *pgEngine) ask(ctx context.Context, s *session, why error) error {
	held := 0 // times that somebody else, or the old session, had the lock
	for n := 0; ; n++ {
		done, err := e.committed(ctx, s)
		switch {
		case err == nil && done:
			return nil
		case err == nil:
			return &lostError{why}
		case passing(err) && e.away.wait(ctx, n, err):
			continue
		case isLocked(err) || collides(err):
			if held++; held <= lockTries {
				continue
			}
		}
		return &connector.Error{
			Kind: connector.Unavailable, Op: "store: commit", Err: fmt.Errorf("whether it was written is not known: %w", why),
			Hint: "look whether it is there before doing it again; " + pgAway,
		}
	}
}

func (e *pgEngine) committed(ctx context.Context, s *session) (done bool, err error) {
	if err := e.dial(ctx, s); err != nil {
		return false, err
	}
	defer func() { e.end(ctx, err) }()
	if err := e.lock(ctx, false); err != nil {
		return false, err
	}
	var n int64
	err = e.conn.pgx().QueryRow(ctx, pgLast, e.holder).Scan(&n)
	if errors.Is(err, pgx.ErrNoRows) { // not even the first one was
		return false, nil
	}
	return n == e.n, err
}

// spoils reports whether the transaction can write no more: any error has the server give it up.
func (e *pgEngine) spoils(error) bool {
	return !e.conn.alive() || e.conn.pgx().PgConn().TxStatus() != 'T'
}

// lost returns a lostError where the transaction is to be run again, whatever a function has made of it: the
// connection has ended, or the server has given the transaction up for the sake of another one.
func (e *pgEngine) lost(err error) error {
	switch {
	case !e.conn.alive():
		return &lostError{errors.Join(errAborted, err)}
	case e.spoils(err) && collides(err):
		return &lostError{err}
	}
	return nil
}

const (
	// collisions is how often a transaction is run again that the server has given up for the sake of others. Those of
	// usherd wait for each other and never collide on PostgreSQL itself.
	collisions = 20
	// cuts is how often a transaction is begun whose connection ends each time: it may be what the transaction does, as
	// when a statement takes longer than a server is waited for.
	cuts = 5
)

// wait pauses before a transaction that was lost is run for the n-th time again, and reports whether it is to be.
func (e *pgEngine) wait(ctx context.Context, n int, err error) bool {
	if n == 0 {
		e.cut = 0
	}
	if !e.conn.alive() || passing(err) {
		if e.begun {
			e.cut++
		}
		return e.cut < cuts && e.away.wait(ctx, n, err)
	}
	return n < collisions
}
