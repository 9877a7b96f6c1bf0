package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"strconv"
	"time"

	"usherd/connector"
)

const (
	deliveryColumns = `id, notice, org, kind, at, said, channel, target, state, due, attempts, code, answer, done_at, mail`

	sqlUntoldRuns = `SELECT untold, doc FROM runs WHERE untold > 0 AND finished > 0 ORDER BY id LIMIT 0 + ?`
	sqlToldRun    = `UPDATE runs SET untold = 0 WHERE id = ? AND untold = ?`

	sqlPutDelivery = `INSERT INTO report_deliveries (` + deliveryColumns + `) VALUES (?,?,?,?,?,?,?,?,'waiting',?,0,0,'',0,NULL)`
	sqlSetDelivery = `UPDATE report_deliveries SET state = ?, due = ?, attempts = ?, code = ?, answer = ?, done_at = ?, mail = ? WHERE id = ? AND state = 'waiting'`

	sqlDueDeliveries   = `SELECT ` + deliveryColumns + ` FROM report_deliveries WHERE state = 'waiting' AND channel = ? AND due <= ? ORDER BY due, id LIMIT 0 + ?`
	sqlDelivery        = `SELECT ` + deliveryColumns + ` FROM report_deliveries WHERE id = ?`
	sqlDeliveries      = `SELECT ` + deliveryColumns + ` FROM report_deliveries WHERE id < ? AND (? = '' OR target = ?) ORDER BY id DESC LIMIT 0 + ?`
	sqlDeliveriesOf    = `SELECT ` + deliveryColumns + ` FROM report_deliveries WHERE org = ? AND id < ? AND (? = '' OR state = ?) AND (? = '' OR target = ?) ORDER BY id DESC LIMIT 0 + ?`
	sqlDeliveriesIn    = `SELECT ` + deliveryColumns + ` FROM report_deliveries WHERE state = ? AND id < ? AND (? = '' OR target = ?) ORDER BY id DESC LIMIT 0 + ?`
	sqlCountDeliveries = `SELECT count(*) FROM report_deliveries WHERE state = ?`

	sqlRetryDelivery    = `UPDATE report_deliveries SET state = 'waiting', due = ?, done_at = 0 WHERE id = ? AND org = ? AND state IN ('waiting', 'failed')`
	sqlLastDoneDelivery = `SELECT done_at FROM (SELECT done_at FROM report_deliveries WHERE done_at > 0 AND done_at < ? ORDER BY done_at LIMIT 0 + ?) AS m ORDER BY done_at DESC LIMIT 1`
	sqlDropDeliveries   = `DELETE FROM report_deliveries WHERE done_at > 0 AND done_at <= ?`
	sqlNoticeMarks      = `SELECT org, topic, value, at, suppressed FROM report_marks WHERE org = ? ORDER BY topic`
	sqlPutNoticeMark    = `INSERT INTO report_marks (org, topic, value, at, suppressed) VALUES (?,?,?,?,?)
 ON CONFLICT (org, topic) DO UPDATE SET value = excluded.value, at = excluded.at, suppressed = excluded.suppressed`
	sqlForgetNoticeMark = `DELETE FROM report_marks WHERE org = ? AND topic = ?`
)

// UntoldRuns returns runs that have ended and of which it was not decided yet whom to tell, the first begun first.
func (r *reader) UntoldRuns(ctx context.Context, limit int) ([]connector.UntoldRun, error) {
	rows, err := r.q.query(ctx, sqlUntoldRuns, pageSize(limit))
	list, err := add[connector.UntoldRun](nil, rows, err, func(r *sql.Rows, u *connector.UntoldRun) error {
		var doc sql.RawBytes
		if err := r.Scan(&u.Untold, &doc); err != nil {
			return err
		}
		u.Run = &connector.Run{}
		return json.Unmarshal(doc, u.Run)
	})
	return list, wrap("untold runs", err)
}

// ToldRun marks that a run was told of as it was read; see connector.Tx.
func (t *tx) ToldRun(ctx context.Context, r connector.UntoldRun) (ok bool, err error) {
	n, err := t.s.exec(ctx, sqlToldRun, r.Run.ID[:], r.Untold)
	return n > 0, wrap("told run", err)
}

// PutDelivery puts a notice on its way; see connector.Tx.
func (t *tx) PutDelivery(ctx context.Context, d connector.Delivery) error {
	n := &d.Notice
	if d.ID.IsZero() || n.ID.IsZero() || n.Org == "" || n.Kind == "" || n.At.IsZero() || d.Channel == "" || d.Target == "" || d.Next.IsZero() {
		return invalid("put delivery", "a delivery needs its id, a channel, a target, its time, and a notice with id, organization, kind and time")
	}
	said, err := json.Marshal(n.Data)
	if err != nil {
		return wrap("put delivery", err)
	}
	_, err = t.s.exec(ctx, sqlPutDelivery, d.ID[:], n.ID[:], n.Org, string(n.Kind), micros(n.At), string(said), string(d.Channel), d.Target, micros(d.Next))
	return wrap("put delivery", err)
}

// SetDelivery overwrites what becomes of a delivery that waits; see connector.Tx.
func (t *tx) SetDelivery(ctx context.Context, d connector.Delivery) (ok bool, err error) {
	n, err := t.s.exec(ctx, sqlSetDelivery, string(d.State), micros(d.Next), d.Attempts, d.Code, d.Answer, micros(d.DoneAt), idBlob(d.Mail), d.ID[:])
	return n > 0, wrap("set delivery", err)
}

func scanDelivery(r *sql.Rows, d *connector.Delivery) error {
	var said string
	n := &d.Notice
	err := r.Scan((*idColumn)(&d.ID), (*idColumn)(&n.ID), &n.Org, &n.Kind, (*timeColumn)(&n.At), &said, &d.Channel, &d.Target, &d.State,
		(*timeColumn)(&d.Next), &d.Attempts, &d.Code, &d.Answer, (*timeColumn)(&d.DoneAt), (*idColumn)(&d.Mail))
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(said), &n.Data)
}

// DueDeliveries returns the deliveries of a channel, of all organizations, that are to be tried by that time, the longest due first.
func (r *reader) DueDeliveries(ctx context.Context, channel connector.Channel, now time.Time, limit int) ([]connector.Delivery, error) {
	rows, err := r.q.query(ctx, sqlDueDeliveries, string(channel), micros(now), pageSize(limit))
	list, err := add[connector.Delivery](nil, rows, err, scanDelivery)
	return list, wrap("due deliveries", err)
}

// Delivery returns one delivery; ok is false where there is none.
func (r *reader) Delivery(ctx context.Context, id connector.ID) (d connector.Delivery, ok bool, err error) {
	rows, err := r.q.query(ctx, sqlDelivery, id[:])
	d, ok, err = first(rows, err, scanDelivery)
	return d, ok, wrap("delivery", err)
}

// Deliveries returns deliveries, latest first.
func (r *reader) Deliveries(ctx context.Context, q connector.DeliveryQuery) ([]connector.Delivery, error) {
	before, limit, state := q.Before, pageSize(q.Limit), string(q.State)
	if before.IsZero() {
		before = topID
	}
	var rows *sql.Rows
	var err error
	switch {
	case q.Org != "":
		rows, err = r.q.query(ctx, sqlDeliveriesOf, q.Org, before[:], state, state, q.Target, q.Target, limit)
	case q.State != "":
		rows, err = r.q.query(ctx, sqlDeliveriesIn, state, before[:], q.Target, q.Target, limit)
	default:
		rows, err = r.q.query(ctx, sqlDeliveries, before[:], q.Target, q.Target, limit)
	}
	list, err := add[connector.Delivery](nil, rows, err, scanDelivery)
	return list, wrap("deliveries", err)
}

// CountDeliveries returns how many deliveries are in a state.
func (r *reader) CountDeliveries(ctx context.Context, state connector.DeliveryState) (int, error) {
	rows, err := r.q.query(ctx, sqlCountDeliveries, string(state))
	n, _, err := first(rows, err, func(r *sql.Rows, v *int) error { return r.Scan(v) })
	return n, wrap("count deliveries", err)
}

// NoticeMarks returns what is remembered of an organization's topics.
func (r *reader) NoticeMarks(ctx context.Context, org string) ([]connector.NoticeMark, error) {
	rows, err := r.q.query(ctx, sqlNoticeMarks, org)
	list, err := add[connector.NoticeMark](nil, rows, err, func(r *sql.Rows, m *connector.NoticeMark) error {
		return r.Scan(&m.Org, &m.Topic, &m.Value, (*timeColumn)(&m.At), &m.Suppressed)
	})
	return list, wrap("notice marks", err)
}

// PutNoticeMark overwrites what is remembered of a topic; see connector.Tx.
func (t *tx) PutNoticeMark(ctx context.Context, m connector.NoticeMark) error {
	if m.Org == "" || m.Topic == "" {
		return invalid("put notice mark", "a mark needs an organization and a topic")
	}
	var err error
	if m.Value == "" {
		_, err = t.s.exec(ctx, sqlForgetNoticeMark, m.Org, m.Topic)
	} else {
		_, err = t.s.exec(ctx, sqlPutNoticeMark, m.Org, m.Topic, m.Value, micros(m.At), m.Suppressed)
	}
	return wrap("put notice mark", err)
}

// RetryDelivery has a delivery that is not sent tried from that time on, with the attempts that it has had. ok is false where there
// is none in that organization.
func (db *DB) RetryDelivery(ctx context.Context, org string, id connector.ID, now time.Time) (ok bool, err error) {
	err = db.write(ctx, func(t *tx) error {
		n, err := t.s.exec(ctx, sqlRetryDelivery, micros(now), id[:], org)
		if ok = n > 0; err != nil || !ok {
			return wrap("retry delivery", err)
		}
		return t.acted(ctx, now, org, connector.AuditReportRetried, "report "+id.String(), nil)
	})
	return ok, err
}

// RetryDeliveries is RetryDelivery for all of an organization that have failed, at most 1,000 at once, the latest first. It returns how many there were.
func (db *DB) RetryDeliveries(ctx context.Context, org string, now time.Time) (retried int, err error) {
	err = db.write(ctx, func(t *tx) error {
		retried = 0
		list, err := t.Deliveries(ctx, connector.DeliveryQuery{Org: org, State: connector.DeliveryFailed})
		if err != nil || len(list) == 0 {
			return err
		}
		for i := range list {
			n, err := t.s.exec(ctx, sqlRetryDelivery, micros(now), list[i].ID[:], org)
			if retried += int(n); err != nil {
				return wrap("retry deliveries", err)
			}
		}
		return t.acted(ctx, now, org, connector.AuditReportRetried, "reports", map[string]string{"reports": strconv.Itoa(retried)})
	})
	return retried, err
}

// DropDeliveries forgets deliveries that ended before that time. It returns how many went.
func (db *DB) DropDeliveries(ctx context.Context, before time.Time) (dropped int, err error) {
	return db.inChunks(ctx, "drop deliveries", func(ctx context.Context, t *tx) (int64, error) {
		rows, err := t.q.query(ctx, sqlLastDoneDelivery, micros(before), dropChunk)
		last, ok, err := first(rows, err, func(r *sql.Rows, v *int64) error { return r.Scan(v) })
		if err != nil || !ok {
			return 0, err
		}
		return t.s.exec(ctx, sqlDropDeliveries, last)
	})
}
