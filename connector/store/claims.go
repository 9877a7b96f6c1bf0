package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"usherd/connector"
)

const claimColumns = `org, id, user_id, from_org, from_user, email, was, actor, at, until, next_at, status, choice, decided_at, decided_by, kept, kept_email, package, data`

const (
	sqlClaim       = `SELECT ` + claimColumns + ` FROM claims WHERE org = ? AND id = ?`
	sqlOpenClaimOf = `SELECT ` + claimColumns + ` FROM claims WHERE org = ? AND user_id = ? AND status = 'open'`
	sqlClaimsDue   = `SELECT ` + claimColumns + ` FROM claims WHERE org = ? AND next_at > 0 AND next_at <= ? ORDER BY next_at, id LIMIT 0 + ?`
	sqlClaims      = `SELECT ` + claimColumns + ` FROM claims WHERE org = ? AND id < ? AND (? = '' OR status = ?) ORDER BY id DESC LIMIT 0 + ?`
	sqlLostClaims  = `SELECT ` + claimColumns + ` FROM claims WHERE from_org = ? AND id < ? AND (? = '' OR status = ?) ORDER BY id DESC LIMIT 0 + ?`

	sqlTakenOver = `SELECT c.folded, c.org FROM claims c JOIN users u ON u.id = c.user_id
 WHERE c.from_org = ? AND u.state NOT IN ('deleted', 'converted_away') AND c.folded IN (*)`

	sqlPutClaim = `INSERT INTO claims (` + claimColumns + `, folded) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
 ON CONFLICT (org, id) DO UPDATE SET next_at = excluded.next_at, status = excluded.status, choice = excluded.choice,
   decided_at = excluded.decided_at, decided_by = excluded.decided_by, kept = excluded.kept, kept_email = excluded.kept_email,
   package = excluded.package, data = excluded.data`
)

func scanClaim(r *sql.Rows, c *connector.Claim) error {
	return r.Scan(&c.Org, (*idColumn)(&c.ID), (*idColumn)(&c.User), &c.From, (*idColumn)(&c.FromUser), &c.Email, &c.Was, &c.Actor, (*timeColumn)(&c.At),
		(*timeColumn)(&c.Until), (*timeColumn)(&c.NextAt), &c.Status, &c.Choice, (*timeColumn)(&c.DecidedAt), &c.DecidedBy, (*idColumn)(&c.Kept),
		&c.KeptEmail, &c.Package, (*profileColumn)(&c.Data))
}

// Claim returns one claim that the organization has made, or an error of Kind NotFound.
func (r *reader) Claim(ctx context.Context, org string, id connector.ID) (*connector.Claim, error) {
	rows, err := r.q.query(ctx, sqlClaim, org, id[:])
	c, ok, err := first(rows, err, scanClaim)
	if err == nil && !ok {
		return nil, notFound("claim", "there is no claim %s", id)
	}
	return &c, wrap("claim", err)
}

// OpenClaimOf returns the open claim of a user, nil when there is none.
func (r *reader) OpenClaimOf(ctx context.Context, org string, user connector.ID) (*connector.Claim, error) {
	rows, err := r.q.query(ctx, sqlOpenClaimOf, org, user[:])
	c, ok, err := first(rows, err, scanClaim)
	if err != nil || !ok {
		return nil, wrap("claim of user", err)
	}
	return &c, nil
}

// ClaimsDue returns open claims for which something is due by then, the longest due first.
func (r *reader) ClaimsDue(ctx context.Context, org string, until time.Time, limit int) ([]connector.Claim, error) {
	rows, err := r.q.query(ctx, sqlClaimsDue, org, micros(until), pageSize(limit))
	list, err := add[connector.Claim](nil, rows, err, scanClaim)
	return list, wrap("claims due", err)
}

// Claims returns a page of claims, latest first.
func (r *reader) Claims(ctx context.Context, q connector.ClaimQuery) ([]connector.Claim, error) {
	text, before := sqlClaims, q.Before
	if q.Lost {
		text = sqlLostClaims
	}
	if before.IsZero() {
		for i := range before {
			before[i] = 0xff
		}
	}
	rows, err := r.q.query(ctx, text, q.Org, before[:], string(q.Status), string(q.Status), pageSize(q.Limit))
	list, err := add[connector.Claim](nil, rows, err, scanClaim)
	return list, wrap("claims", err)
}

// TakenOver returns which of these addresses others have claimed from the organization, and who has them.
func (r *reader) TakenOver(ctx context.Context, org string, emails []string) (map[string]string, error) {
	args := make([]any, len(emails))
	for i, e := range emails {
		args[i] = e
	}
	type row struct{ email, org string }
	taken := map[string]string{}
	err := inLists(sqlTakenOver, []any{org}, args, func(q string, args []any) error {
		rows, err := r.q.query(ctx, q, args...)
		for v, err := range each(rows, err, func(r *sql.Rows, v *row) error { return r.Scan(&v.email, &v.org) }) {
			if err != nil {
				return err
			}
			taken[v.email] = v.org
		}
		return nil
	})
	return taken, wrap("taken over", err)
}

var errIncompleteClaim = errors.New("a claim names two organizations with a user each, an address, and while it is open when something is due")

// PutClaim inserts the claim or overwrites it.
func (t *tx) PutClaim(ctx context.Context, c *connector.Claim) error {
	isOpen := c.Status == connector.ClaimOpen
	if c.ID.IsZero() || c.Org == "" || c.From == "" || c.Org == c.From || c.User.IsZero() || c.FromUser.IsZero() || c.Email == "" || c.NextAt.IsZero() == isOpen {
		return &connector.Error{Kind: connector.Invalid, Op: "store: put claim", Err: errIncompleteClaim}
	}
	var data []byte
	if c.Data != nil {
		data = appendProfile(nil, c.Data)
	}
	_, err := t.s.exec(ctx, sqlPutClaim, c.Org, c.ID[:], c.User[:], c.From, c.FromUser[:], c.Email, string(c.Was), c.Actor, micros(c.At), micros(c.Until),
		micros(c.NextAt), string(c.Status), string(c.Choice), micros(c.DecidedAt), c.DecidedBy, idBlob(c.Kept), c.KeptEmail, c.Package, data, connector.Fold(c.Email))
	return wrap("put claim", err)
}
