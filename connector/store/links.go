package store

import (
	"context"
	"database/sql"
	"iter"
	"slices"
	"time"

	"usherd/connector"
)

const linkColumns = `org, source, anchor, user_id, dn, hash, profile, package, standing, protected, run, updated_at, recheck_at, dn_key, primary_rid`

const (
	sqlLinkStates = `SELECT anchor, user_id, hash, standing IN ('gone', 'out_of_scope') FROM links WHERE org = ? AND source = ?`

	sqlLinks = `SELECT ` + linkColumns + ` FROM links WHERE org = ? AND source = ? AND anchor IN (*)`

	sqlLinkProfiles = `SELECT l.anchor, coalesce(l.profile, u.profile) FROM links l JOIN users u ON u.id = l.user_id WHERE l.org = ? AND l.source = ?`

	sqlLinksOfUsers = `SELECT ` + linkColumns + ` FROM links
 WHERE org = ? AND source IN (SELECT source FROM link_sources WHERE org = ?) AND user_id IN (*)`

	sqlPutLink = `INSERT INTO links (` + linkColumns + `) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
 ON CONFLICT (org, source, anchor) DO UPDATE SET dn = excluded.dn, hash = excluded.hash, profile = excluded.profile,
   package = excluded.package, standing = excluded.standing, protected = excluded.protected, run = excluded.run, updated_at = excluded.updated_at,
   recheck_at = excluded.recheck_at, dn_key = excluded.dn_key, primary_rid = excluded.primary_rid
 WHERE links.user_id = excluded.user_id`

	sqlRecheck = `SELECT anchor FROM links WHERE org = ? AND source = ? AND recheck_at > 0 AND recheck_at <= ? ORDER BY recheck_at LIMIT 0 + ?`

	sqlDeleteLinksOfUser = `DELETE FROM links WHERE org = ? AND source IN (SELECT source FROM link_sources WHERE org = ?) AND user_id = ?`
	sqlDeleteLink        = `DELETE FROM links WHERE org = ? AND source = ? AND anchor = ? AND user_id = ?`

	sqlPutLinkSource = `INSERT INTO link_sources (org, source) VALUES (?,?) ON CONFLICT (org, source) DO NOTHING`

	sqlRechecked = `UPDATE links SET recheck_at = 0 WHERE org = ? AND source = ? AND anchor = ? AND recheck_at > 0 AND recheck_at <= ?`

	sqlForgetHashes = `UPDATE links SET hash = ?, recheck_at = 1
 WHERE org = ? AND source IN (SELECT source FROM link_sources WHERE org = ?) AND user_id IN (SELECT id FROM users WHERE org = ? AND email_domain >= ? AND email_domain < ?) AND hash <> ?`
)

// linkSource notes that a source has links. No source is ever taken off that list.
func (b *batch) linkSource(org, source string) error {
	key := linkSource{org, source}
	if b.s.linked[key] {
		return nil
	}
	err := b.exec(sqlPutLinkSource, org, source)
	b.s.linked[key] = err == nil
	return err
}

func scanLink(r *sql.Rows, l *connector.Link) error {
	return r.Scan(&l.Org, &l.Source, (*anchorColumn)(&l.Anchor), (*idColumn)(&l.User), &l.DN, (*hashColumn)(&l.Hash),
		(*profileColumn)(&l.Profile), &l.Package, &l.Standing, &l.Protected, (*idColumn)(&l.Run), (*timeColumn)(&l.UpdatedAt), (*timeColumn)(&l.RecheckAt),
		(*hashColumn)(&l.Key), &l.PrimaryGroup)
}

func scanLinkState(r *sql.Rows, s *connector.LinkState) error {
	var anchor, user, hash sql.RawBytes
	if err := r.Scan(&anchor, &user, &hash, &s.Absent); err != nil {
		return err
	}
	s.Anchor = anchorOf(anchor)
	copy(s.User[:], user)
	copy(s.Hash[:], hash)
	return nil
}

// LinkStates streams all links of a source.
func (r *reader) LinkStates(ctx context.Context, org, source string) iter.Seq2[connector.LinkState, error] {
	return func(yield func(connector.LinkState, error) bool) {
		rows, err := r.q.stream(ctx, sqlLinkStates, org, source)
		each(rows, wrap("link states", err), scanLinkState)(yield)
	}
}

// Links returns the links of the source with these anchors; absent ones are left out.
func (r *reader) Links(ctx context.Context, org, source string, anchors []connector.Anchor) ([]connector.Link, error) {
	args := make([]any, len(anchors))
	for i, a := range anchors {
		args[i] = anchorBlob(a)
	}
	links := make([]connector.Link, 0, len(anchors))
	err := inLists(sqlLinks, []any{org, source}, args, func(q string, args []any) error {
		rows, err := r.q.query(ctx, q, args...)
		links, err = add(links, rows, err, scanLink)
		return err
	})
	return links, wrap("links", err)
}

// LinksNaming streams the anchors of all links of the source in whose profile one of the values stands.
func (r *reader) LinksNaming(ctx context.Context, org, source string, values []string) iter.Seq2[connector.Anchor, error] {
	wanted := make(map[string]bool, len(values))
	for _, v := range values {
		wanted[connector.Fold(v)] = true
	}
	isWanted := func(v string) bool { return wanted[connector.Fold(v)] }
	type row struct {
		anchor  connector.Anchor
		profile connector.Profile
	}
	return func(yield func(connector.Anchor, error) bool) {
		rows, err := r.q.stream(ctx, sqlLinkProfiles, org, source)
		for l, err := range each(rows, wrap("links naming", err), func(r *sql.Rows, l *row) error {
			return r.Scan((*anchorColumn)(&l.anchor), (*profileColumn)(&l.profile))
		}) {
			named := err != nil
			for _, values := range l.profile {
				named = named || slices.ContainsFunc(values, isWanted)
			}
			if named && !yield(l.anchor, err) {
				return
			}
		}
	}
}

// LinksOfUsers returns all links, of any source, of these users.
func (r *reader) LinksOfUsers(ctx context.Context, org string, users []connector.ID) ([]connector.Link, error) {
	var links []connector.Link
	err := inLists(sqlLinksOfUsers, []any{org, org}, idArgs(users), func(q string, args []any) error {
		rows, err := r.q.query(ctx, q, args...)
		links, err = add(links, rows, err, scanLink)
		return err
	})
	return links, wrap("links of users", err)
}

// Recheck returns at most limit anchors of a source whose links say that their state has become another
// one by the clock alone, the longest due first.
func (r *reader) Recheck(ctx context.Context, org, source string, now time.Time, limit int) ([]connector.Anchor, error) {
	rows, err := r.q.query(ctx, sqlRecheck, org, source, micros(now), limit)
	anchors, err := add[connector.Anchor](nil, rows, err, func(r *sql.Rows, a *connector.Anchor) error { return r.Scan((*anchorColumn)(a)) })
	return anchors, wrap("recheck", err)
}

// UserLinks returns the links of one user.
func (r *reader) UserLinks(ctx context.Context, org string, user connector.ID) ([]connector.Link, error) {
	return r.LinksOfUsers(ctx, org, []connector.ID{user})
}

// ForgetHashes zeroes the hash of the links of all users whose primary e-mail is in the domain or
// below it, and has them due for a look, so that the next run decides them again, whether it reads everybody
// or changes only. It returns how many links there were.
func (db *DB) ForgetHashes(ctx context.Context, org, domain string) (int, error) {
	from := reverseLabels(asciiDomain(domain))
	if from == "" {
		return 0, invalid("forget hashes", "no domain is given")
	}
	n := 0
	err := db.write(ctx, func(t *tx) error {
		var none connector.Hash
		changed, err := t.s.exec(ctx, sqlForgetHashes, none[:], org, org, org, from, afterPrefix(from), none[:])
		n = int(changed)
		return err
	})
	return n, wrap("forget hashes", err)
}
