package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"usherd/connector"
)

var errTicketThere = errors.New("there is a ticket with this hash already")

const (
	sqlPutTicket  = `INSERT INTO tickets (org, source, kind, hash, until, data) VALUES (?,?,?,?,?,?) ON CONFLICT DO NOTHING`
	sqlTicket     = `SELECT org, source, kind, hash, until, data FROM tickets WHERE org = ? AND source = ? AND kind = ? AND hash = ?`
	sqlUseTicket  = `DELETE FROM tickets WHERE org = ? AND source = ? AND kind = ? AND hash = ?`
	sqlDropTicket = `DELETE FROM tickets WHERE until < ?`

	signInColumns = `s.org, s.source, s.id, s.at, s.code, s.reason, s.person, s.user_id, s.ref, s.remote, s.took, s.steps, s.test`

	sqlPutAttempt = `INSERT INTO sign_ins (org, source, id, at, code, reason, person, folded, user_id, ref, remote, took, steps, test)
 VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING`
	sqlNextSignInOrg    = `SELECT org FROM sign_ins WHERE org > ? ORDER BY org LIMIT 1`
	sqlNextSignInSource = `SELECT source FROM sign_ins WHERE org = ? AND source > ? ORDER BY source LIMIT 1`

	sqlSignInWindow   = ` AND s.id > ? AND s.id < ? AND s.code >= ? ORDER BY s.id DESC LIMIT 0 + ?`
	sqlSignIns        = `SELECT ` + signInColumns + ` FROM sign_ins s WHERE s.org = ? AND s.source = ?` + sqlSignInWindow
	sqlSignInsOf      = `SELECT ` + signInColumns + ` FROM sign_ins s WHERE s.org = ? AND s.source = ? AND s.folded = ? AND s.folded <> ''` + sqlSignInWindow
	sqlSignInsRef     = `SELECT ` + signInColumns + ` FROM sign_ins s WHERE s.org = ? AND s.source = ? AND s.ref = ? AND s.ref <> ''` + sqlSignInWindow
	sqlSignIn         = `SELECT ` + signInColumns + ` FROM sign_ins s WHERE s.org = ? AND s.source = ? AND s.id = ?`
	sqlCountSignIns   = `SELECT code, reason, COUNT(code) FROM (SELECT code, reason FROM sign_ins s WHERE s.org = ? AND s.source = ? AND s.id > ? AND s.test = '' ORDER BY s.id DESC LIMIT 0 + ?) AS x GROUP BY code, reason ORDER BY COUNT(code) DESC, code, reason`
	sqlOldSignIn      = `SELECT id FROM (SELECT id FROM sign_ins WHERE org = ? AND source = ? AND id < ? ORDER BY id LIMIT 0 + ?) AS s ORDER BY id DESC LIMIT 1`
	sqlDropOldSignIns = `DELETE FROM sign_ins WHERE org = ? AND source = ? AND id <= ?`
)

// PutTicket keeps a ticket that is not there yet.
func (db *DB) PutTicket(ctx context.Context, k connector.Ticket) error {
	if k.Org == "" || k.Source == "" || k.Kind == "" || k.Hash == (connector.TokenHash{}) || k.Until.IsZero() {
		return invalid("put ticket", "a ticket needs a source of an organization, a kind, its hash and its end")
	}
	return db.write(ctx, func(t *tx) error {
		n, err := t.s.exec(ctx, sqlPutTicket, k.Org, k.Source, string(k.Kind), k.Hash[:], micros(k.Until), append([]byte{}, k.Data...))
		if err == nil && n == 0 {
			return &connector.Error{Kind: connector.Conflict, Op: "put ticket", Err: errTicketThere}
		}
		return wrap("put ticket", err)
	})
}

// TakeTicket uses a ticket: of those who do at the same moment, in whatever process, one gets it. ok is false where
// there is none, or its time is over. Whoever guesses waits for no writer, and keeps none busy.
func (db *DB) TakeTicket(ctx context.Context, org, source string, kind connector.TicketKind, hash connector.TokenHash, now time.Time) (k connector.Ticket, ok bool, err error) {
	rows, err := db.q.query(ctx, sqlTicket, org, source, string(kind), hash[:])
	if k, ok, err = first(rows, err, scanTicket); err != nil || !ok {
		return connector.Ticket{}, false, wrap("take ticket", err)
	}
	err = db.write(ctx, func(t *tx) error {
		n, err := t.s.exec(ctx, sqlUseTicket, org, source, string(kind), hash[:])
		ok = n > 0 && now.Before(k.Until)
		return wrap("take ticket", err)
	})
	if err != nil || !ok {
		return connector.Ticket{}, false, err
	}
	return k, true, nil
}

func scanTicket(r *sql.Rows, k *connector.Ticket) error {
	var hash []byte
	err := r.Scan(&k.Org, &k.Source, &k.Kind, &hash, (*timeColumn)(&k.Until), &k.Data)
	copy(k.Hash[:], hash)
	return err
}

// DropTickets forgets tickets that nobody could use any more at that time.
func (db *DB) DropTickets(ctx context.Context, now time.Time) error {
	return db.write(ctx, func(t *tx) error {
		_, err := t.s.exec(ctx, sqlDropTicket, micros(now))
		return wrap("drop tickets", err)
	})
}

// PutAttempt keeps an attempt to sign in; one that is there already stays as it is.
func (db *DB) PutAttempt(ctx context.Context, s connector.Attempt) error {
	if s.Org == "" || s.Source == "" || s.ID.IsZero() {
		return invalid("put sign-in", "an attempt names no organization, source or id")
	}
	steps, err := json.Marshal(s.Steps)
	if err != nil {
		return wrap("put sign-in", err)
	}
	test := []byte{}
	if s.Test != nil {
		if test, err = json.Marshal(s.Test); err != nil {
			return wrap("put sign-in", err)
		}
	}
	var user any
	if !s.User.IsZero() {
		user = s.User[:]
	}
	return db.write(ctx, func(t *tx) error {
		_, err := t.s.exec(ctx, sqlPutAttempt, s.Org, s.Source, s.ID[:], micros(s.At), int64(s.Code), string(s.Reason), s.Person, indexed(connector.Fold(s.Person)),
			user, s.Ref, s.Remote, s.Took.Microseconds(), string(steps), string(test))
		return wrap("put sign-in", err)
	})
}

func scanAttempt(r *sql.Rows, s *connector.Attempt) error {
	var took int64
	var steps, test string
	err := r.Scan(&s.Org, &s.Source, (*idColumn)(&s.ID), (*timeColumn)(&s.At), &s.Code, &s.Reason, &s.Person, (*idColumn)(&s.User), &s.Ref, &s.Remote,
		&took, &steps, &test)
	if err != nil {
		return err
	}
	s.Took = time.Duration(took) * time.Microsecond
	if err := json.Unmarshal([]byte(steps), &s.Steps); err != nil || test == "" {
		return err
	}
	return json.Unmarshal([]byte(test), &s.Test)
}

// Attempts returns attempts to sign in, latest first.
func (r *reader) Attempts(ctx context.Context, q connector.AttemptQuery) ([]connector.Attempt, error) {
	limit, sources := pageSize(q.Limit), []string{q.Source}
	if q.Source == "" {
		var err error
		if sources, err = r.AttemptSources(ctx, q.Org); err != nil {
			return nil, err
		}
	}
	var after connector.ID
	if !q.Since.IsZero() {
		after = connector.FirstID(q.Since)
	}
	end, least := q.Before, 0
	if end.IsZero() {
		end = topID
	}
	if q.Failed {
		least = 1
	}
	var list []connector.Attempt
	for _, source := range sources {
		text, args := sqlSignIns, []any{q.Org, source}
		switch {
		case q.Ref != "":
			text, args = sqlSignInsRef, append(args, strings.ToUpper(q.Ref))
		case q.Person != "":
			text, args = sqlSignInsOf, append(args, indexed(connector.Fold(q.Person)))
		}
		rows, err := r.q.query(ctx, text, append(args, after[:], end[:], least, limit)...)
		if list, err = add(list, rows, err, scanAttempt); err != nil {
			return nil, wrap("sign-ins", err)
		}
	}
	slices.SortFunc(list, func(a, b connector.Attempt) int { return bytes.Compare(b.ID[:], a.ID[:]) })
	return list[:min(len(list), limit)], nil
}

// Attempt returns one attempt; ok is false where there is none.
func (r *reader) Attempt(ctx context.Context, org string, id connector.ID) (s connector.Attempt, ok bool, err error) {
	sources, err := r.AttemptSources(ctx, org)
	for _, source := range sources {
		rows, err := r.q.query(ctx, sqlSignIn, org, source, id[:])
		if s, ok, err = first(rows, err, scanAttempt); ok || err != nil {
			return s, ok, wrap("sign-in", err)
		}
	}
	return s, false, err
}

// CountAttempts counts the latest attempts to sign in of a source since a time, up to so many, by an index alone.
func (r *reader) CountAttempts(ctx context.Context, org, source string, since time.Time, most int) (c connector.AttemptCounts, err error) {
	from := connector.FirstID(since)
	rows, err := r.q.query(ctx, sqlCountSignIns, org, source, from[:], most)
	list, err := add(nil, rows, err, func(r *sql.Rows, x *connector.AttemptReason) error { return r.Scan(&x.Code, &x.Reason, &x.Count) })
	for _, x := range list {
		c.Attempts += x.Count
		if x.Code != 0 {
			c.Refused += x.Count
			c.Reasons = append(c.Reasons, x)
		}
	}
	return c, wrap("count sign-ins", err)
}

// AttemptOrgs returns the organizations of which attempts to sign in are kept, sorted.
func (r *reader) AttemptOrgs(ctx context.Context) ([]string, error) {
	return r.leap(ctx, sqlNextSignInOrg)
}

// AttemptSources returns the sources of an organization of which attempts to sign in are kept, sorted.
func (r *reader) AttemptSources(ctx context.Context, org string) ([]string, error) {
	return r.leap(ctx, sqlNextSignInSource, org)
}

// DropAttempts forgets the attempts of a source from before that time. It returns how many went.
func (db *DB) DropAttempts(ctx context.Context, org, source string, before time.Time) (dropped int, err error) {
	end := connector.FirstID(before)
	for {
		n := 0
		err := db.write(ctx, func(t *tx) error {
			n = 0
			rows, err := t.q.query(ctx, sqlOldSignIn, org, source, end[:], dropChunk)
			last, _, err := first(rows, err, func(r *sql.Rows, v *[]byte) error { return r.Scan(v) })
			if err != nil || last == nil {
				return err
			}
			went, err := t.s.exec(ctx, sqlDropOldSignIns, org, source, last)
			n = int(went)
			return err
		})
		dropped += n
		if err != nil || n < dropChunk {
			return dropped, wrap("drop sign-ins", err)
		}
	}
}
