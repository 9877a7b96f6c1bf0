package store

import (
	"context"
	"database/sql"

	"github.com/jackc/pgx/v5"
)

// pgPool is a querier for reads outside of transactions. What could not be asked because the database is away is
// asked again as long as it has not been away for long.
type pgPool struct {
	db   *sql.DB
	away *outage
}

func (p *pgPool) query(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return p.ask(context.WithoutCancel(ctx), q, args...) // cancelling would cost the connection
}

func (p *pgPool) stream(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	return p.ask(ctx, q, args...)
}

func (p *pgPool) once(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	return p.ask(ctx, q, append([]any{pgx.QueryExecModeExec}, args...)...)
}

func (p *pgPool) ask(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	for n := 0; ; n++ {
		rows, err := p.db.QueryContext(ctx, q, args...)
		if err == nil {
			p.away.over()
			return rows, nil
		}
		if ctx.Err() != nil || !passing(err) || !p.away.wait(ctx, n, err) {
			return nil, err
		}
	}
}
