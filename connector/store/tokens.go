package store

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"usherd/connector"
)

const tokenColumns = `id, org, source, kind, hash, name, scopes, networks, parent, created_at, created_by, ends_at, used_at, revoked_at, revoked_by` //nolint:gosec // no secret: names of columns

const (
	sqlToken       = `SELECT ` + tokenColumns + ` FROM tokens WHERE id = ?`
	sqlTokenByHash = `SELECT ` + tokenColumns + ` FROM tokens WHERE hash = ?`
	sqlTokensOf    = `SELECT ` + tokenColumns + ` FROM tokens WHERE kind = ?`
	sqlTokenIDs    = `SELECT id FROM tokens ORDER BY id` //nolint:gosec // no secret: SQL

	sqlAddToken = `INSERT INTO tokens (` + tokenColumns + `) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING`

	sqlUseToken     = `UPDATE tokens SET used_at = ? WHERE id = ? AND used_at < ?`                       //nolint:gosec // no secret: SQL
	sqlRevokeToken  = `UPDATE tokens SET revoked_at = ?, revoked_by = ? WHERE id = ? AND revoked_at = 0` //nolint:gosec // no secret: SQL
	sqlRevokeOfThat = `UPDATE tokens SET revoked_at = ?, revoked_by = ? WHERE parent = ? AND revoked_at = 0`
	sqlShortenToken = `UPDATE tokens SET ends_at = ? WHERE id = ? AND revoked_at = 0 AND (ends_at = 0 OR ends_at > ?)` //nolint:gosec // no secret: SQL
	sqlDropTokens   = `DELETE FROM tokens WHERE kind = ? AND ends_at > 0 AND ends_at < ?`

	sqlTokenRevision = `SELECT revision FROM token_revision`
	sqlTokensRevised = `UPDATE token_revision SET revision = revision + 1` //nolint:gosec // no secret: SQL
)

func scanToken(r *sql.Rows, t *connector.Token) error {
	var hash []byte
	var scopes, networks string
	err := r.Scan((*idColumn)(&t.ID), &t.Org, &t.Source, &t.Kind, &hash, &t.Name, &scopes, &networks, (*idColumn)(&t.Parent),
		(*timeColumn)(&t.CreatedAt), &t.CreatedBy, (*timeColumn)(&t.EndsAt), (*timeColumn)(&t.LastUsed), (*timeColumn)(&t.RevokedAt), &t.RevokedBy)
	if err != nil {
		return err
	}
	copy(t.Hash[:], hash)
	t.Scopes = strings.Fields(scopes)
	for text := range strings.FieldsSeq(networks) {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return err
		}
		t.Networks = append(t.Networks, p)
	}
	return nil
}

// AddToken adds a token that is not there yet. A hash that is there already is an error of Kind Conflict.
func (db *DB) AddToken(ctx context.Context, k connector.Token) error {
	if err := validToken(&k); err != nil {
		return err
	}
	return db.write(ctx, func(t *tx) error { return t.addToken(ctx, &k, nil) })
}

func validToken(k *connector.Token) error {
	if k.ID.IsZero() || k.Org == "" || (k.Source == "") != (k.Kind == connector.APIToken) || k.Kind == "" || len(k.Scopes) == 0 || k.Hash == (connector.TokenHash{}) {
		return invalid("add token", "a token needs an id, an organization, a source unless it is for the API, a kind, a scope and its hash")
	}
	return nil
}

// addToken adds a token; the audit log tells more of it than it says itself.
func (t *tx) addToken(ctx context.Context, k *connector.Token, more map[string]string) error {
	n, err := t.s.exec(ctx, sqlAddToken, k.ID[:], k.Org, k.Source, string(k.Kind), k.Hash[:], k.Name, strings.Join(k.Scopes, " "),
		strings.Join(connector.NetworkTexts(k.Networks), " "), idBlob(k.Parent), micros(k.CreatedAt), k.CreatedBy, micros(k.EndsAt), micros(k.LastUsed),
		micros(k.RevokedAt), k.RevokedBy)
	if err == nil && n == 0 {
		return conflict("add token", "this token is there already")
	}
	if err != nil {
		return wrap("add token", err)
	}
	details := map[string]string{"kind": string(k.Kind), "source": k.Source, "name": k.Name, "scopes": strings.Join(k.Scopes, " ")}
	maps.Copy(details, more)
	return t.acted(ctx, k.CreatedAt, k.Org, connector.AuditTokenCreated, "token "+k.ID.String(), details)
}

// ReplaceToken adds a token in the place of one that opens something, which ends at that time unless it does so before; where that
// is no later than the new one was made, it is revoked. One that opens nothing any more is an error of Kind Conflict.
func (db *DB) ReplaceToken(ctx context.Context, id connector.ID, next connector.Token, ends time.Time) error {
	if err := validToken(&next); err != nil {
		return err
	}
	return db.write(ctx, func(t *tx) error {
		k, err := t.Token(ctx, id)
		if err != nil {
			return err
		}
		if !k.LiveAt(next.CreatedAt) {
			return conflict("replace token", "this token has ended or was revoked: make a new one")
		}
		if err := t.addToken(ctx, &next, map[string]string{"replaces": id.String()}); err != nil {
			return err
		}
		if !ends.After(next.CreatedAt) {
			return t.revokeToken(ctx, k, next.CreatedBy, next.CreatedAt)
		}
		if _, err = t.s.exec(ctx, sqlShortenToken, micros(ends), id[:], micros(ends)); err == nil {
			_, err = t.s.exec(ctx, sqlTokensRevised)
		}
		return wrap("replace token", err)
	})
}

// Token returns one token, or an error of Kind NotFound.
func (r *reader) Token(ctx context.Context, id connector.ID) (*connector.Token, error) {
	return r.token(ctx, sqlToken, id[:])
}

// TokenByHash returns the token with that hash, whatever has become of it, or an error of Kind NotFound.
func (r *reader) TokenByHash(ctx context.Context, hash connector.TokenHash) (*connector.Token, error) {
	return r.token(ctx, sqlTokenByHash, hash[:])
}

func (r *reader) token(ctx context.Context, q string, key []byte) (*connector.Token, error) {
	rows, err := r.q.query(ctx, q, key)
	k, ok, err := first(rows, err, scanToken)
	if err == nil && !ok {
		return nil, notFound("token", "there is no such token")
	}
	return &k, wrap("token", err)
}

// FindToken returns a token by its id or the ending of it, as commands show it.
func (r *reader) FindToken(ctx context.Context, text string) (*connector.Token, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	if id, err := connector.ParseID(text); err == nil {
		return r.Token(ctx, id)
	}
	if len(text) < refMin {
		return nil, invalid("find token", "%q is too short: give the id, at least its last %d characters", text, refMin)
	}
	rows, err := r.q.query(ctx, sqlTokenIDs)
	ids, err := add[connector.ID](nil, rows, err, func(r *sql.Rows, id *connector.ID) error { return r.Scan((*idColumn)(id)) })
	if err != nil {
		return nil, wrap("find token", err)
	}
	ids = slices.DeleteFunc(ids, func(id connector.ID) bool { return !strings.HasSuffix(id.String(), text) })
	switch len(ids) {
	case 0:
		return nil, notFound("find token", "there is no token %q", text)
	case 1:
		return r.Token(ctx, ids[0])
	}
	return nil, invalid("find token", "%q is the ending of more than one token: give more of the id", text)
}

// Tokens returns the tokens that the filter asks for, those of one source together, in the order in which they were
// made.
func (r *reader) Tokens(ctx context.Context, f connector.TokenFilter) ([]connector.Token, error) {
	var list []connector.Token
	for _, kind := range f.Kinds {
		rows, err := r.q.query(ctx, sqlTokensOf, string(kind))
		if list, err = add(list, rows, err, scanToken); err != nil {
			return nil, wrap("tokens", err)
		}
	}
	list = slices.DeleteFunc(list, func(k connector.Token) bool {
		return f.Org != "" && f.Org != k.Org || f.Source != "" && f.Source != k.Source
	})
	slices.SortFunc(list, func(a, b connector.Token) int {
		return cmp.Or(cmp.Compare(a.Org, b.Org), cmp.Compare(a.Source, b.Source), bytes.Compare(a.ID[:], b.ID[:]))
	})
	return list, nil
}

// UseTokens notes when tokens were used last. It never goes back, and tokens that are gone are no error.
func (db *DB) UseTokens(ctx context.Context, used map[connector.ID]time.Time) error {
	if len(used) == 0 {
		return nil
	}
	return db.write(ctx, func(t *tx) error {
		for id, at := range used {
			if _, err := t.s.exec(ctx, sqlUseToken, micros(at), id[:], micros(at)); err != nil {
				return wrap("use tokens", err)
			}
		}
		return nil
	})
}

// RevokeToken ends a token, and with a client secret the access tokens that were given out for it. One that is
// revoked already stays as it is.
func (db *DB) RevokeToken(ctx context.Context, id connector.ID, by string, now time.Time) error {
	return db.write(ctx, func(t *tx) error {
		k, err := t.Token(ctx, id)
		if err != nil {
			return err
		}
		return t.revokeToken(ctx, k, by, now)
	})
}

func (t *tx) revokeToken(ctx context.Context, k *connector.Token, by string, now time.Time) error {
	for _, q := range [...]string{sqlRevokeToken, sqlRevokeOfThat} {
		if _, err := t.s.exec(ctx, q, micros(now), by, k.ID[:]); err != nil {
			return wrap("revoke token", err)
		}
	}
	if _, err := t.s.exec(ctx, sqlTokensRevised); err != nil {
		return wrap("revoke token", err)
	}
	return t.acted(ctx, now, k.Org, connector.AuditTokenRevoked, "token "+k.ID.String(), map[string]string{"kind": string(k.Kind), "source": k.Source})
}

// TokenRevision returns a number that is another one when a token has been revoked since. Adding and using tokens
// does not change it.
func (r *reader) TokenRevision(ctx context.Context) (n int64, err error) {
	rows, err := r.q.query(ctx, sqlTokenRevision)
	n, _, err = first(rows, err, func(r *sql.Rows, n *int64) error { return r.Scan(n) })
	return n, wrap("token revision", err)
}

// DropTokens forgets access tokens that have ended before that time. The other kinds are kept for good: whoever
// still sends one is told when it ended.
func (db *DB) DropTokens(ctx context.Context, before time.Time) (n int, err error) {
	err = db.write(ctx, func(t *tx) error {
		rows, err := t.s.exec(ctx, sqlDropTokens, string(connector.AccessToken), micros(before))
		n = int(rows)
		return wrap("drop tokens", err)
	})
	return n, err
}
