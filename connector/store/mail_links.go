package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"usherd/connector"
)

var errLinkThere = errors.New("there is a link with this id already")

const (
	linkMailColumns = `org, id, kind, subject, email, until, used_at`

	sqlPutMailLink = `INSERT INTO mail_links (` + linkMailColumns + `) VALUES (?,?,?,?,?,?,0) ON CONFLICT DO NOTHING`
	sqlUseMailLink = `UPDATE mail_links SET used_at = ? WHERE org = ? AND id = ?`
	sqlMailLink    = `SELECT ` + linkMailColumns + ` FROM mail_links WHERE org = ? AND id = ?`
	sqlMailLinks   = `SELECT ` + linkMailColumns + ` FROM mail_links WHERE org = ? AND kind = ? AND subject = ? ORDER BY id DESC LIMIT 0 + ?`
	sqlLastLink    = `SELECT until FROM (SELECT until FROM mail_links WHERE until < ? ORDER BY until LIMIT 0 + ?) AS m ORDER BY until DESC LIMIT 1`
	sqlDropLinks   = `DELETE FROM mail_links WHERE until <= ?`
)

// PutMailLink keeps a link that is not there yet; see connector.Tx.
func (t *tx) PutMailLink(ctx context.Context, l connector.MailLink) error {
	if l.ID.IsZero() || l.Org == "" || l.Kind == "" || l.Subject.IsZero() || l.Email == "" || l.Until.IsZero() {
		return invalid("put mail link", "a link needs its id, an organization, a kind, a subject, an address and its end")
	}
	n, err := t.s.exec(ctx, sqlPutMailLink, l.Org, l.ID[:], string(l.Kind), l.Subject[:], l.Email, micros(l.Until))
	if err == nil && n == 0 {
		return &connector.Error{Kind: connector.Conflict, Op: "store: put mail link", Err: errLinkThere}
	}
	return wrap("put mail link", err)
}

// UseMailLink uses a link once; see connector.Tx.
func (t *tx) UseMailLink(ctx context.Context, org string, id connector.ID, now time.Time) (connector.MailLink, error) {
	l, err := t.MailLink(ctx, org, id)
	if err != nil {
		return l, err
	}
	if err := l.Check(now); err != nil {
		return l, err
	}
	// There is one writer at a time: nobody has used it since it was read.
	if _, err := t.s.exec(ctx, sqlUseMailLink, micros(now), org, id[:]); err != nil {
		return connector.MailLink{}, wrap("use mail link", err)
	}
	l.UsedAt = timeOf(micros(now))
	return l, nil
}

func scanMailLink(r *sql.Rows, l *connector.MailLink) error {
	return r.Scan(&l.Org, (*idColumn)(&l.ID), &l.Kind, (*idColumn)(&l.Subject), &l.Email, (*timeColumn)(&l.Until), (*timeColumn)(&l.UsedAt))
}

// MailLink returns a link without using it; connector.ErrLinkUnknown where there is none.
func (r *reader) MailLink(ctx context.Context, org string, id connector.ID) (connector.MailLink, error) {
	rows, err := r.q.query(ctx, sqlMailLink, org, id[:])
	l, ok, err := first(rows, err, scanMailLink)
	if err == nil && !ok {
		return l, connector.ErrLinkUnknown
	}
	return l, wrap("mail link", err)
}

// MailLinks returns the links of a kind that were made for a subject, latest first, at most limit.
func (r *reader) MailLinks(ctx context.Context, org string, kind connector.LinkKind, subject connector.ID, limit int) ([]connector.MailLink, error) {
	rows, err := r.q.query(ctx, sqlMailLinks, org, string(kind), subject[:], pageSize(limit))
	list, err := add[connector.MailLink](nil, rows, err, scanMailLink)
	return list, wrap("mail links", err)
}

// DropMailLinks forgets links whose time was over before that one. It returns how many went.
func (db *DB) DropMailLinks(ctx context.Context, before time.Time) (dropped int, err error) {
	return db.inChunks(ctx, "drop mail links", func(ctx context.Context, t *tx) (int64, error) {
		rows, err := t.q.query(ctx, sqlLastLink, micros(before), dropChunk)
		last, ok, err := first(rows, err, func(r *sql.Rows, v *int64) error { return r.Scan(v) })
		if err != nil || !ok {
			return 0, err
		}
		return t.s.exec(ctx, sqlDropLinks, last)
	})
}
