package store

import (
	"context"
	"database/sql"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// grace is how long the answer to a read is still waited for when nobody wants it any more.
const grace = time.Second

// pgPool is a querier for reads outside of transactions. What could not be asked because the database is away is
// asked again as long as it has not been away for long.
type pgPool struct {
	db      *sql.DB
	away    *outage
	writing *outage       // of the writer: what has been waited for by one of them long enough the other does not wait for
	asked   *atomic.Int64 // statements
}

func (p *pgPool) query(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// Cancelling costs the connection: it is done only when the server takes much longer than the caller has time.
	patient, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, giveUp) })
	rows, err := p.ask(patient, q, args...)
	stop()
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return rows, err
}

func (p *pgPool) stream(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	return p.ask(ctx, q, args...)
}

func (p *pgPool) once(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	return p.ask(ctx, q, append([]any{pgx.QueryExecModeExec}, args...)...)
}

func (p *pgPool) ask(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	for n := 0; ; n++ {
		p.asked.Add(1)
		rows, err := p.db.QueryContext(ctx, q, args...)
		if err == nil {
			p.away.over()
			return rows, nil
		}
		if ctx.Err() != nil || !passing(err) || p.writing.long() || !p.away.wait(ctx, n, err) {
			return nil, err
		}
	}
}
