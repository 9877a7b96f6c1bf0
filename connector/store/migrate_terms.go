package store

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strings"

	"usherd/connector"
)

const sqlTermSources = `SELECT org, id, profile FROM users WHERE id > ? AND state ` + liveStates + ` ORDER BY id LIMIT 10000`

const sqlFillTerm = `INSERT INTO user_terms (org, kind, value, user_id) VALUES (?,?,?,?) ON CONFLICT (org, kind, value, user_id) DO NOTHING`

// fillMax bounds the terms that are sorted in memory: in order, they are written page after page.
const fillMax = 500_000

// term is a row of user_terms.
type term struct {
	org  string
	name name
	user connector.ID
}

// fillTerms adds to user_terms what users have who were written before their telephone numbers and managers
// stood there.
func fillTerms(ctx context.Context, s *session) error {
	var list []term
	var after connector.ID
	for {
		rows, err := s.query(ctx, sqlTermSources, after[:])
		n := 0
		for u, err := range each(rows, err, func(r *sql.Rows, u *connector.User) error {
			return r.Scan(&u.Org, (*idColumn)(&u.ID), (*profileColumn)(&u.Profile))
		}) {
			if err != nil {
				return err
			}
			n, after = n+1, u.ID
			for _, t := range terms(nil, u.Profile) {
				if t.kind == termPhone || t.kind == termManager || t.value == unnamed {
					list = append(list, term{u.Org, t, u.ID})
				}
			}
		}
		if n == 0 || len(list) >= fillMax {
			if err := writeTerms(ctx, s, list); err != nil || n == 0 {
				return err
			}
			list = list[:0]
		}
	}
}

func writeTerms(ctx context.Context, s *session, list []term) error {
	slices.SortFunc(list, func(a, b term) int {
		return cmp.Or(strings.Compare(a.org, b.org), cmp.Compare(a.name.kind, b.name.kind), strings.Compare(a.name.value, b.name.value),
			bytes.Compare(a.user[:], b.user[:]))
	})
	return s.batch(ctx, func(b *batch) error {
		for i := range list {
			t := &list[i]
			if err := b.exec(sqlFillTerm, t.org, t.name.kind, t.name.value, t.user[:]); err != nil {
				return err
			}
		}
		return nil
	})
}
