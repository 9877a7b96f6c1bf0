package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"iter"
	"math"
	"strings"
	"time"
	"unicode"

	"usherd/connector"
)

const (
	auditColumns = `org, seq, at, actor, address, action, target, details, reason, ref, hash`

	sqlPutAudit  = `INSERT INTO audit (` + auditColumns + `) VALUES (?,?,?,?,?,?,?,?,?,?,?)`
	sqlAuditHead = `SELECT seq, hash FROM audit WHERE org = ? ORDER BY seq DESC LIMIT 1`
	sqlAudit     = `SELECT ` + auditColumns + ` FROM audit WHERE org = ? ORDER BY seq`

	sqlNextAuditOrg = `SELECT org FROM audit WHERE org > ? ORDER BY org LIMIT 1`

	sqlAuditPage = `SELECT ` + auditColumns + ` FROM audit WHERE org = ? AND seq < ? AND at >= ? AND at < ?`
	sqlAuditEnd  = ` ORDER BY seq DESC LIMIT 0 + ?`
)

// PutAudit puts an entry at the end of its organization's chain; see connector.Tx.
func (t *tx) PutAudit(ctx context.Context, e connector.AuditEntry) error {
	if e.Actor.Name == "" || e.Action == "" || e.At.IsZero() {
		return invalid("put audit", "an entry needs who acts, an action and its time")
	}
	type head struct {
		seq  int64
		hash connector.AuditHash
	}
	rows, err := t.q.query(ctx, sqlAuditHead, e.Org)
	last, _, err := first(rows, err, func(r *sql.Rows, h *head) error {
		var b []byte
		if err := r.Scan(&h.seq, &b); err != nil {
			return err
		}
		copy(h.hash[:], b)
		return nil
	})
	if err != nil {
		return wrap("put audit", err)
	}
	if err := e.Seal(last.seq+1, last.hash); err != nil {
		return wrap("put audit", err)
	}
	details, err := json.Marshal(e.Details)
	if err != nil {
		return wrap("put audit", err)
	}
	_, err = t.s.exec(ctx, sqlPutAudit, e.Org, e.Seq, micros(e.At), e.Actor.Name, e.Actor.Address, string(e.Action), e.Target, string(details),
		e.Actor.Reason, e.Actor.Ref, e.Hash[:])
	return wrap("put audit", err)
}

// acted keeps what whoever the context names has done; where it names nobody, usherd did it by itself and there is nothing
// to keep.
func (t *tx) acted(ctx context.Context, now time.Time, org string, action connector.AuditAction, target string, details map[string]string) error {
	a := connector.ActorOf(ctx)
	if a.Name == "" {
		return nil
	}
	return t.PutAudit(ctx, connector.AuditEntry{Org: org, At: now, Actor: a, Action: action, Target: target, Details: details})
}

// audit keeps what a person has done to users.
func (s *saver) audit() error {
	if s.cause.Kind != connector.CausePerson {
		return nil
	}
	actor := connector.ActorOf(s.ctx)
	actor.Name = s.cause.Actor
	if actor.Name == "" {
		return nil
	}
	for i, c := range s.changes {
		if !s.plans[i].admitted || !writesUser(c.Action) {
			continue
		}
		err := s.t.PutAudit(s.ctx, connector.AuditEntry{
			Org: c.Org, At: s.now, Actor: actor, Action: connector.AuditAction("user." + string(c.Action)),
			Target: "user " + c.After.ID.String(), Details: detailsOf(c),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// detailsOf tells a change without data of the person: the states, the seat, and which attributes.
func detailsOf(c *connector.Change) map[string]string {
	d := map[string]string{}
	if n := len(c.Transitions); n > 0 && c.Transitions[0].From != c.Transitions[n-1].To {
		d["state"] = strings.TrimSpace(string(c.Transitions[0].From) + " → " + string(c.Transitions[n-1].To))
	}
	if c.TakeSeat != "" {
		d["seat taken"] = c.TakeSeat
	}
	if c.FreeSeat != "" {
		d["seat freed"] = c.FreeSeat
	}
	names := make([]string, 0, len(c.Fields))
	for _, f := range c.Fields {
		if !unicode.IsUpper(rune(f.Field[0])) { // those are told by the states and the seat
			names = append(names, f.Field)
		}
	}
	if len(names) > 0 {
		d["fields"] = strings.Join(names, ", ")
	}
	return d
}

func scanAudit(r *sql.Rows, e *connector.AuditEntry) error {
	var details string
	var hash []byte
	err := r.Scan(&e.Org, &e.Seq, (*timeColumn)(&e.At), &e.Actor.Name, &e.Actor.Address, &e.Action, &e.Target, &details, &e.Actor.Reason, &e.Actor.Ref, &hash)
	if err != nil {
		return err
	}
	copy(e.Hash[:], hash)
	return json.Unmarshal([]byte(details), &e.Details)
}

// Audit returns a page of what was done in an organization, latest first.
func (r *reader) Audit(ctx context.Context, q connector.AuditQuery) ([]connector.AuditEntry, error) {
	before, until := q.Before, int64(math.MaxInt64)
	if before == 0 {
		before = math.MaxInt64
	}
	if !q.Until.IsZero() {
		until = micros(q.Until)
	}
	text, args := sqlAuditPage, []any{q.Org, before, micros(q.Since), until}
	for _, only := range []struct{ column, value string }{{"action", string(q.Action)}, {"target", q.Target}} {
		if only.value != "" {
			text, args = text+" AND "+only.column+" = ?", append(args, only.value)
		}
	}
	if q.Actor != "" {
		text, args = text+" AND actor >= ? AND actor < ?", append(args, q.Actor, q.Actor+"\U0010ffff")
	}
	rows, err := r.q.query(ctx, text+sqlAuditEnd, append(args, pageSize(q.Limit))...)
	list, err := add[connector.AuditEntry](nil, rows, err, scanAudit)
	return list, wrap("audit", err)
}

// AuditChain streams all entries of an organization in the order in which they were written.
func (r *reader) AuditChain(ctx context.Context, org string) iter.Seq2[connector.AuditEntry, error] {
	rows, err := r.q.stream(ctx, sqlAudit, org)
	return each(rows, wrap("audit", err), scanAudit)
}

// AuditOrgs returns the organizations that have entries.
func (r *reader) AuditOrgs(ctx context.Context) ([]string, error) {
	return r.leap(ctx, sqlNextAuditOrg)
}
