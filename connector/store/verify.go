package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"usherd/connector"
)

// verifyMax bounds what Verify reports.
const verifyMax = 1000

// Verify checks what must hold at any time (domain.md, section 7, as far as it can be seen in the
// store) against one state of the database, and returns a sentence for each thing that does not hold,
// 1,000 at most. It reads everything, in constant memory.
func (db *DB) Verify(ctx context.Context) ([]string, error) {
	t, err := db.pool.db.BeginTx(ctx, snapshot)
	if err != nil {
		return nil, wrap("verify", err)
	}
	defer t.Rollback()
	v := &verifier{engine: db.engine, r: reader{connQuerier{t}, fewIDs}}
	for _, check := range [...]func(context.Context) error{v.file, v.seats, v.groups, v.users, v.extra} {
		if err := check(ctx); err != nil && !errors.Is(err, errEnough) {
			return nil, wrap("verify", err)
		}
	}
	return v.found, nil
}

var errEnough = errors.New("enough")

type verifier struct {
	engine engine
	r      reader
	found  []string
	names  [2]int // unique names and terms that the users' profiles ask for
}

func (v *verifier) report(format string, args ...any) error {
	if len(v.found) == verifyMax {
		return errEnough
	}
	v.found = append(v.found, fmt.Sprintf(format, args...))
	return nil
}

func (v *verifier) file(ctx context.Context) error {
	faults, err := v.engine.faults(ctx, v.r.q)
	for _, f := range faults {
		err = errors.Join(err, v.report("the database is damaged: %s", f))
	}
	return err
}

// Each statement gives one text a fault.
const (
	sqlWrongUse = `SELECT 'package ' || p.id || ' of ' || p.org || ': ' || p.used || ' seats are counted as used, and '
   || (SELECT count(*) FROM users u WHERE u.org = p.org AND u.package = p.id AND u.package <> '' AND u.seat = p.id) || ' users hold one'
 FROM packages p
 WHERE p.used <> (SELECT count(*) FROM users u WHERE u.org = p.org AND u.package = p.id AND u.package <> '' AND u.seat = p.id)`

	sqlOverUse = `SELECT 'package ' || id || ' of ' || org || ': ' || used || ' of ' || seats || ' seats are used, and the number was not lowered'
 FROM packages WHERE seats >= 0 AND used > seats AND lowered = 0`

	sqlLostLinks = `SELECT 'a link of source ' || l.source || ' of ' || l.org || ' (' || l.dn || ') belongs to no live user'
 FROM links l LEFT JOIN users u ON u.id = l.user_id AND u.org = l.org
 WHERE u.id IS NULL OR u.state IN ('deleted', 'converted_away') LIMIT 1000`

	sqlLostEvents = `SELECT 'event ' || lower(hex(e.id)) || ' belongs to no user' FROM events e
 WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id = e.user_id) LIMIT 1000`

	sqlWrongCounts = `SELECT 'organization ' || org || ': ' || sum(n) || ' users more are counted as ' || state || ' than there are'
 FROM (SELECT org, state, n FROM user_counts UNION ALL SELECT org, state, -count(*) FROM users GROUP BY org, state) AS s
 GROUP BY org, state HAVING sum(n) <> 0`

	sqlLostChunks = `SELECT 'records that source ' || c.source || ' of ' || c.org || ' has said are lost' FROM record_chunks c
 WHERE NOT EXISTS (SELECT 1 FROM record_blobs b WHERE b.org = c.org AND b.hash = c.hash) LIMIT 1000`

	sqlLostBlobs = `SELECT 'records of ' || b.org || ' are kept that belong to no run' FROM record_blobs b
 WHERE NOT EXISTS (SELECT 1 FROM record_chunks c WHERE c.org = b.org AND c.hash = b.hash) LIMIT 1000`

	sqlLostMembers = `SELECT 'a group that does not exist (' || lower(hex(m.group_id)) || ') has the member ' || m.dn FROM members m
 WHERE NOT EXISTS (SELECT 1 FROM groups g WHERE g.id = m.group_id) LIMIT 1000`

	sqlWrongMembers = `SELECT 'group ' || g.dn || ' of ' || g.org || ': ' || g.members || ' members are counted, and there are '
   || (SELECT count(*) FROM members m WHERE m.group_id = g.id) FROM groups g
 WHERE g.members <> (SELECT count(*) FROM members m WHERE m.group_id = g.id) LIMIT 1000`

	sqlUnbornGroups = `SELECT 'group ' || g.dn || ' of ' || g.org || ' has no event of its creation' FROM groups g
 WHERE NOT EXISTS (SELECT 1 FROM group_events e WHERE e.group_id = g.id AND e.kind = 'created') LIMIT 1000`

	sqlLostUsers = `SELECT 'claim ' || lower(hex(c.id)) || ' of ' || c.org || ' is about a user who does not exist' FROM claims c
 WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id = c.user_id AND u.org = c.org)
   OR NOT EXISTS (SELECT 1 FROM users u WHERE u.id = c.from_user AND u.org = c.from_org) LIMIT 1000`

	sqlCountKeys  = `SELECT count(*) FROM user_keys`
	sqlCountTerms = `SELECT count(*) FROM user_terms`
)

func (v *verifier) seats(ctx context.Context) error {
	return v.sentences(ctx, sqlWrongUse, sqlOverUse, sqlLostLinks, sqlLostEvents, sqlWrongCounts, sqlLostChunks, sqlLostBlobs, sqlLostUsers)
}

func (v *verifier) groups(ctx context.Context) error {
	return v.sentences(ctx, sqlLostMembers, sqlWrongMembers, sqlUnbornGroups)
}

func (v *verifier) sentences(ctx context.Context, queries ...string) error {
	for _, q := range queries {
		faults, err := texts(ctx, v.r.q, q)
		if err != nil {
			return err
		}
		for _, f := range faults {
			if err := v.report("%s", f); err != nil {
				return err
			}
		}
	}
	return nil
}

const (
	sqlAllUsers  = `SELECT u.seat, u.email_domain, ` + userColumns + ` FROM users u WHERE u.id > ? ORDER BY u.id LIMIT 0 + ?`
	sqlAllEvents = `SELECT '', ` + eventColumns + ` FROM events e WHERE e.user_id > ? AND e.user_id <= ? ORDER BY e.user_id, e.version`
	sqlKeyOf     = `SELECT user_id FROM user_keys WHERE org = ? AND kind = ? AND value = ?`
	sqlTermOf    = `SELECT user_id FROM user_terms WHERE org = ? AND kind = ? AND value = ? AND user_id = ?`
)

type storedUser struct {
	connector.User
	seat, domain string
}

func scanStoredUser(r *sql.Rows, u *storedUser) error {
	return r.Scan(append([]any{&u.seat, &u.domain}, userDest(&u.User)...)...)
}

// users walks the users and beside them their events, both in order of the ids, a page after the other: a connection
// need not be able to read from several statements at once.
func (v *verifier) users(ctx context.Context) error {
	keyOf, err := v.prepare(ctx, sqlKeyOf)
	if err != nil {
		return err
	}
	defer keyOf.Close() //nolint:errcheck // read only
	termOf, err := v.prepare(ctx, sqlTermOf)
	if err != nil {
		return err
	}
	defer termOf.Close() //nolint:errcheck // read only
	for last := (connector.ID{}); ; {
		rows, err := v.r.q.stream(ctx, sqlAllUsers, last[:], verifyPage)
		users, err := add[storedUser](nil, rows, err, scanStoredUser)
		if err != nil || len(users) == 0 {
			return err
		}
		end := users[len(users)-1].ID
		rows, err = v.r.q.stream(ctx, sqlAllEvents, last[:], end[:])
		histories := map[connector.ID]*history{}
		for i := range users {
			histories[users[i].ID] = &history{user: &users[i].User}
		}
		for e, err := range each(rows, err, scanEvent) {
			if err != nil {
				return err
			}
			if h := histories[e.User]; h != nil {
				h.add(&e)
			}
		}
		for i := range users {
			if err := v.user(ctx, &users[i], histories[users[i].ID], keyOf, termOf); err != nil {
				return err
			}
		}
		last = end
	}
}

// verifyPage is how many users are looked at with their events at a time.
const verifyPage = 500

func (v *verifier) user(ctx context.Context, u *storedUser, h *history, keyOf, termOf *sql.Stmt) error {
	for _, f := range append(h.faults(), columnFaults(u)...) {
		if err := v.report("user %s (%s): %s", u.ID, u.Profile.Subject(), f); err != nil {
			return err
		}
	}
	return v.userNames(ctx, u, keyOf, termOf)
}

func (v *verifier) prepare(ctx context.Context, q string) (*sql.Stmt, error) {
	return v.r.q.(connQuerier).c.(*sql.Tx).PrepareContext(ctx, q)
}

func compareIDs(a, b connector.ID) int {
	for i := range a {
		if a[i] != b[i] {
			return int(a[i]) - int(b[i])
		}
	}
	return 0
}

// history is what the events of one user come to.
type history struct {
	user   *connector.User
	replay connector.User
	n      int64
	bad    []string
}

func (h *history) add(e *eventRow) {
	h.n++
	if e.Version != h.n {
		h.bad = append(h.bad, fmt.Sprintf("event %d of its history is of version %d", h.n, e.Version))
		h.n = e.Version
	}
	connector.Replay(&h.replay, e.Fields)
	if e.Version != 1 {
		return
	}
	state := h.replay.State
	if len(e.Transitions) > 0 {
		state = e.Transitions[0].To
	}
	if state == connector.Inactive || e.Action != connector.Created {
		h.bad = append(h.bad, fmt.Sprintf("its history begins with %s in state %s", e.Action, state))
	}
}

func (h *history) faults() []string {
	if h.n != h.user.Version {
		h.bad = append(h.bad, fmt.Sprintf("it is of version %d, and its events lead to %d", h.user.Version, h.n))
	}
	for _, d := range connector.Diff(&h.replay, h.user) {
		h.bad = append(h.bad, d.Field+" is not what its events lead to")
	}
	return h.bad
}

// columnFaults compares the columns that follow from others.
func columnFaults(u *storedUser) (bad []string) {
	if u.seat != "" && (u.seat != u.Package || !u.State.Live()) {
		bad = append(bad, fmt.Sprintf("it holds a seat of %s, is %s and its package is %q", u.seat, u.State, u.Package))
	}
	if u.seat == "" && u.HoldsSeat(false) {
		bad = append(bad, fmt.Sprintf("it is %s and holds no seat of its package %s", u.State, u.Package))
	}
	if want := emailDomain(u.Profile); u.domain != want {
		bad = append(bad, fmt.Sprintf("its e-mail domain is kept as %q", u.domain))
	}
	return bad
}

// userNames checks that the user, and nobody else, holds its names.
func (v *verifier) userNames(ctx context.Context, u *storedUser, keyOf, termOf *sql.Stmt) error {
	if !u.State.Live() {
		return nil
	}
	scan := func(r *sql.Rows, id *connector.ID) error { return r.Scan((*idColumn)(id)) }
	for i, list := range [...][]name{uniqueNames(nil, &u.User), terms(nil, u.Profile)} {
		v.names[i] += len(list)
		for _, n := range list {
			var rows *sql.Rows
			var err error
			if i == 0 {
				rows, err = keyOf.QueryContext(ctx, u.Org, n.kind, n.value)
			} else {
				rows, err = termOf.QueryContext(ctx, u.Org, n.kind, n.value, u.ID[:])
			}
			holder, _, err := first(rows, err, scan)
			if err != nil {
				return err
			}
			if holder != u.ID {
				if err := v.report("user %s (%s) does not hold the name %q", u.ID, u.Profile.Subject(), n.value); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// extra looks for names that no user has.
func (v *verifier) extra(ctx context.Context) error {
	for i, q := range [...]string{sqlCountKeys, sqlCountTerms} {
		n, err := count(ctx, v.r.q, q)
		if err != nil {
			return err
		}
		if n > v.names[i] && len(v.found) < verifyMax {
			if err := v.report("%d names are kept of which no user has one", n-v.names[i]); err != nil {
				return err
			}
		}
	}
	return nil
}
