package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"usherd/connector"
)

var errMailThere = errors.New("there is a mail with this id already")

const (
	mailColumns = `org, id, kind, address, language, about, said, link, state, at, due, attempts, code, answer, done_at`

	sqlPutMail = `INSERT INTO mails (org, id, kind, address, folded, language, about, said, link, state, at, due, attempts, code, answer, done_at)
 VALUES (?,?,?,?,?,?,?,?,?,?,?,?,0,0,'',0) ON CONFLICT DO NOTHING`
	sqlSetMail = `UPDATE mails SET kind = ?, language = ?, about = ?, said = ?, link = ?, state = ?, due = ?, attempts = ?, code = ?, answer = ?,
 done_at = ? WHERE org = ? AND id = ? AND state IN ('waiting', 'asked')`
	sqlDropMail = `DELETE FROM mails WHERE org = ? AND id = ?`

	sqlMail        = `SELECT ` + mailColumns + ` FROM mails WHERE org = ? AND id = ?`
	sqlMails       = `SELECT ` + mailColumns + ` FROM mails WHERE org = ? AND id < ? ORDER BY id DESC LIMIT 0 + ?`
	sqlMailsIn     = `SELECT ` + mailColumns + ` FROM mails WHERE org = ? AND state = ? AND id < ? ORDER BY id DESC LIMIT 0 + ?`
	sqlMailsTo     = `SELECT ` + mailColumns + ` FROM mails WHERE org = ? AND folded = ? AND id < ? AND (? = '' OR state = ?) ORDER BY id DESC LIMIT 0 + ?`
	sqlDueMails    = `SELECT ` + mailColumns + ` FROM mails WHERE state = 'waiting' AND due <= ? ORDER BY due, id LIMIT 0 + ?`
	sqlAskedMails  = `SELECT ` + mailColumns + ` FROM mails WHERE state = 'asked' AND due <= ? ORDER BY due, id LIMIT 0 + ?`
	sqlNextMail    = `SELECT due FROM mails WHERE state = 'waiting' ORDER BY due LIMIT 1`
	sqlCountMails  = `SELECT count(*) FROM mails WHERE org = ? AND state = ?`
	sqlNextMailOrg = `SELECT org FROM mails WHERE org > ? ORDER BY org LIMIT 1`

	sqlLastFailed = `SELECT id FROM (SELECT id FROM mails WHERE org = ? AND state = 'failed' ORDER BY id LIMIT 0 + ?) AS m ORDER BY id DESC LIMIT 1`
	sqlRetryMails = `UPDATE mails SET state = 'waiting', due = ?, done_at = 0 WHERE org = ? AND state = 'failed' AND id <= ?`
	sqlRetryMail  = `UPDATE mails SET state = 'waiting', due = ?, done_at = 0 WHERE org = ? AND id = ? AND state IN ('waiting', 'failed')`
	sqlLastDone   = `SELECT done_at FROM (SELECT done_at FROM mails WHERE done_at > 0 AND done_at < ? ORDER BY done_at LIMIT 0 + ?) AS m
 ORDER BY done_at DESC LIMIT 1`
	sqlDropMails = `DELETE FROM mails WHERE done_at > 0 AND done_at <= ?`
)

// PutMail writes a mail into the outbox, waiting from At on; see connector.Tx.
func (t *tx) PutMail(ctx context.Context, m connector.Mail) error {
	if m.ID.IsZero() || m.Org == "" || m.Kind == "" || m.To == "" || m.At.IsZero() {
		return invalid("put mail", "a mail needs its id, an organization, a kind, an address and its time")
	}
	said, err := json.Marshal(m.Values)
	if err != nil {
		return wrap("put mail", err)
	}
	due := m.At
	if m.Next.After(due) {
		due = m.Next
	}
	state := connector.MailWaiting
	if m.Kind.Undecided() {
		state = connector.MailAsked
	}
	n, err := t.s.exec(ctx, sqlPutMail, m.Org, m.ID[:], string(m.Kind), m.To, connector.Fold(m.To), m.Language, idBlob(m.About), string(said), idBlob(m.Link),
		string(state), micros(m.At), micros(due))
	if err == nil && n == 0 {
		return &connector.Error{Kind: connector.Conflict, Op: "store: put mail", Err: errMailThere}
	}
	return wrap("put mail", err)
}

// SetMail overwrites what becomes of a mail that waits; see connector.Tx.
func (t *tx) SetMail(ctx context.Context, m connector.Mail) (ok bool, err error) {
	said, err := json.Marshal(m.Values)
	if err != nil {
		return false, wrap("set mail", err)
	}
	n, err := t.s.exec(ctx, sqlSetMail, string(m.Kind), m.Language, idBlob(m.About), string(said), idBlob(m.Link), string(m.State), micros(m.Next),
		m.Attempts, m.Code, m.Answer, micros(m.DoneAt), m.Org, m.ID[:])
	return n > 0, wrap("set mail", err)
}

// DropMail takes a mail out of the outbox; see connector.Tx.
func (t *tx) DropMail(ctx context.Context, org string, id connector.ID) (ok bool, err error) {
	n, err := t.s.exec(ctx, sqlDropMail, org, id[:])
	return n > 0, wrap("drop mail", err)
}

func scanMail(r *sql.Rows, m *connector.Mail) error {
	var said string
	err := r.Scan(&m.Org, (*idColumn)(&m.ID), &m.Kind, &m.To, &m.Language, (*idColumn)(&m.About), &said, (*idColumn)(&m.Link), &m.State,
		(*timeColumn)(&m.At), (*timeColumn)(&m.Next), &m.Attempts, &m.Code, &m.Answer, (*timeColumn)(&m.DoneAt))
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(said), &m.Values)
}

// Mail returns one mail; ok is false where there is none.
func (r *reader) Mail(ctx context.Context, org string, id connector.ID) (m connector.Mail, ok bool, err error) {
	rows, err := r.q.query(ctx, sqlMail, org, id[:])
	m, ok, err = first(rows, err, scanMail)
	return m, ok, wrap("mail", err)
}

// Mails returns mails of an organization, latest first.
func (r *reader) Mails(ctx context.Context, q connector.MailQuery) ([]connector.Mail, error) {
	before, limit := q.Before, pageSize(q.Limit)
	if before.IsZero() {
		before = topID
	}
	var rows *sql.Rows
	var err error
	switch {
	case q.To != "":
		rows, err = r.q.query(ctx, sqlMailsTo, q.Org, connector.Fold(q.To), before[:], string(q.State), string(q.State), limit)
	case q.State != "":
		rows, err = r.q.query(ctx, sqlMailsIn, q.Org, string(q.State), before[:], limit)
	default:
		rows, err = r.q.query(ctx, sqlMails, q.Org, before[:], limit)
	}
	list, err := add[connector.Mail](nil, rows, err, scanMail)
	return list, wrap("mails", err)
}

// MailOrgs returns the organizations that have mails in the outbox, sorted.
func (r *reader) MailOrgs(ctx context.Context) ([]string, error) {
	return r.leap(ctx, sqlNextMailOrg)
}

// DueMails returns the mails of all organizations that are to be tried by that time, the longest due first.
func (r *reader) DueMails(ctx context.Context, now time.Time, limit int) ([]connector.Mail, error) {
	rows, err := r.q.query(ctx, sqlDueMails, micros(now), pageSize(limit))
	list, err := add[connector.Mail](nil, rows, err, scanMail)
	return list, wrap("due mails", err)
}

// AskedMails is DueMails for those of which it is to be decided what they say.
func (r *reader) AskedMails(ctx context.Context, now time.Time, limit int) ([]connector.Mail, error) {
	rows, err := r.q.query(ctx, sqlAskedMails, micros(now), pageSize(limit))
	list, err := add[connector.Mail](nil, rows, err, scanMail)
	return list, wrap("asked mails", err)
}

// NextMail returns when the next mail is to be tried; zero where none waits.
func (r *reader) NextMail(ctx context.Context) (time.Time, error) {
	rows, err := r.q.query(ctx, sqlNextMail)
	at, _, err := first(rows, err, func(r *sql.Rows, v *timeColumn) error { return r.Scan(v) })
	return time.Time(at), wrap("next mail", err)
}

// CountMails returns how many mails of an organization are in a state.
func (r *reader) CountMails(ctx context.Context, org string, state connector.MailState) (int, error) {
	rows, err := r.q.query(ctx, sqlCountMails, org, string(state))
	n, _, err := first(rows, err, func(r *sql.Rows, v *int) error { return r.Scan(v) })
	return n, wrap("count mails", err)
}

// RetryMail has a mail that is not sent tried from that time on, with the attempts that it has had. ok is false where there
// is none.
func (db *DB) RetryMail(ctx context.Context, org string, id connector.ID, now time.Time) (ok bool, err error) {
	err = db.write(ctx, func(t *tx) error {
		n, err := t.s.exec(ctx, sqlRetryMail, micros(now), org, id[:])
		if ok = n > 0; err != nil || !ok {
			return wrap("retry mail", err)
		}
		return t.acted(ctx, now, org, connector.AuditMailRetried, "mail "+id.String(), nil)
	})
	return ok, err
}

// RetryMails is RetryMail for all mails of an organization that have failed. It returns how many there were.
func (db *DB) RetryMails(ctx context.Context, org string, now time.Time) (retried int, err error) {
	return db.inChunks(ctx, "retry mails", func(ctx context.Context, t *tx) (int64, error) {
		rows, err := t.q.query(ctx, sqlLastFailed, org, dropChunk)
		last, ok, err := first(rows, err, func(r *sql.Rows, v *[]byte) error { return r.Scan(v) })
		if err != nil || !ok {
			return 0, err
		}
		n, err := t.s.exec(ctx, sqlRetryMails, micros(now), org, last)
		if err != nil || n == 0 {
			return n, err
		}
		return n, t.acted(ctx, now, org, connector.AuditMailRetried, "mails", map[string]string{"mails": strconv.FormatInt(n, 10)})
	})
}

// DropMails forgets mails that were sent or given up before that time. It returns how many went.
func (db *DB) DropMails(ctx context.Context, before time.Time) (dropped int, err error) {
	return db.inChunks(ctx, "drop mails", func(ctx context.Context, t *tx) (int64, error) {
		rows, err := t.q.query(ctx, sqlLastDone, micros(before), dropChunk)
		last, ok, err := first(rows, err, func(r *sql.Rows, v *int64) error { return r.Scan(v) })
		if err != nil || !ok {
			return 0, err
		}
		return t.s.exec(ctx, sqlDropMails, last)
	})
}

// inChunks runs f, each time in a transaction of its own so that others get their turn, until it says that it has changed
// fewer rows than a chunk. It returns how many all of them were.
func (db *DB) inChunks(ctx context.Context, op string, f func(context.Context, *tx) (int64, error)) (all int, err error) {
	for {
		var n int64
		err := db.write(ctx, func(t *tx) (err error) {
			n, err = f(ctx, t)
			return err
		})
		if err != nil {
			return all, wrap(op, err)
		}
		if all += int(n); n < dropChunk {
			return all, nil
		}
	}
}
