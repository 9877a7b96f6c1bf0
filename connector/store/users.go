package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"golang.org/x/net/idna"

	"usherd/connector"
)

const userColumns = `u.id, u.org, u.state, u.package, u.package_fixed, u.pending_approval, u.version, u.created_at, u.updated_at,
 u.profile, u.resume, u.deactivated_by, u.deactivated_source, u.deactivated_reason, u.deactivated_at, u.delete_at, u.was`

const (
	sqlUsersByID = `SELECT ` + userColumns + ` FROM users u WHERE u.org = ? AND u.id IN (*)`

	sqlUsersByKey = `SELECT ` + userColumns + ` FROM user_keys k JOIN users u ON u.id = k.user_id
 WHERE k.org = ? AND k.kind = ? AND k.value IN (*)`

	sqlUsersByTerm = `SELECT ` + userColumns + ` FROM user_terms k JOIN users u ON u.id = k.user_id
 WHERE k.org = ? AND k.kind = ? AND k.value IN (*)`

	sqlUserCounts = `SELECT state, n FROM user_counts WHERE org = ?`
)

func scanUser(r *sql.Rows, v **connector.User) error {
	*v = &connector.User{}
	return r.Scan(userDest(*v)...)
}

// userDest are the places for userColumns.
func userDest(u *connector.User) []any {
	return []any{
		(*idColumn)(&u.ID), &u.Org, &u.State, &u.Package, &u.PackageFixed, &u.PendingApproval, &u.Version,
		(*timeColumn)(&u.CreatedAt), (*timeColumn)(&u.UpdatedAt), (*profileColumn)(&u.Profile), &u.Resume, &u.DeactivatedBy,
		&u.DeactivatedSource, &u.DeactivatedReason, (*timeColumn)(&u.DeactivatedAt), (*timeColumn)(&u.DeleteAt), &u.Was,
	}
}

// The kinds of names, as stored. Those below termKind are unique.
const (
	keyUserName int64 = 1 + iota
	keyEmail
	termEmployeeNumber
	termDisplayName
	termPhone
	termManager
	termKind = termEmployeeNumber
)

var keyKinds = map[string]int64{
	connector.UserName: keyUserName, connector.Email: keyEmail,
	"employeeNumber": termEmployeeNumber, connector.DisplayName: termDisplayName,
}

// reader answers connector.Reader from a pool or a transaction.
type reader struct {
	q   querier
	few int // fewIDs, but in tests
}

// Users returns the users with these ids, tombstones included; absent ones are left out.
func (r *reader) Users(ctx context.Context, org string, ids []connector.ID) ([]*connector.User, error) {
	users := make([]*connector.User, 0, len(ids))
	err := inLists(sqlUsersByID, []any{org}, idArgs(ids), func(q string, args []any) error {
		rows, err := r.q.query(ctx, q, args...)
		users, err = add(users, rows, err, scanUser)
		return err
	})
	return users, wrap("users", err)
}

// UsersByKey returns the live users that hold any of these keys, each once. Kinds other than
// userName, email, employeeNumber and displayName are an error of Kind Invalid.
func (r *reader) UsersByKey(ctx context.Context, org string, keys []connector.UserKey) ([]*connector.User, error) {
	byKind := map[int64][]any{}
	for _, k := range keys {
		kind, err := keyKind(k)
		if err != nil {
			return nil, err
		}
		if holdable(k) {
			byKind[kind] = append(byKind[kind], k.Value)
		}
	}
	var users []*connector.User
	seen := map[connector.ID]bool{}
	for kind := keyUserName; kind <= termDisplayName; kind++ {
		q := sqlUsersByKey
		if kind >= termKind {
			q = sqlUsersByTerm
		}
		err := inLists(q, []any{org, kind}, byKind[kind], func(q string, args []any) error {
			rows, err := r.q.query(ctx, q, args...)
			for u, err := range each(rows, err, scanUser) {
				if err != nil {
					return err
				}
				if !seen[u.ID] {
					seen[u.ID] = true
					users = append(users, u)
				}
			}
			return nil
		})
		if err != nil {
			return nil, wrap("users by key", err)
		}
	}
	return users, nil
}

// keyKind is the kind of a key, as stored.
func keyKind(k connector.UserKey) (int64, error) {
	kind, ok := keyKinds[k.Kind]
	if !ok {
		return 0, invalid("users by key", "users cannot be found by %s: only by userName, email, employeeNumber and displayName", k.Kind)
	}
	return kind, nil
}

// holdable reports whether anybody can hold the key.
func holdable(k connector.UserKey) bool { return k.Value != "" && k.Value < unnamed }

// CountUsers returns how many users the organization has in each state; states without any are left
// out.
func (r *reader) CountUsers(ctx context.Context, org string) (map[connector.State]int, error) {
	counts := map[connector.State]int{}
	rows, err := r.q.query(ctx, sqlUserCounts, org)
	type row struct {
		state connector.State
		n     int
	}
	for c, err := range each(rows, err, func(r *sql.Rows, v *row) error { return r.Scan(&v.state, &v.n) }) {
		if err != nil {
			return nil, wrap("count users", err)
		}
		if c.n != 0 {
			counts[c.state] = c.n
		}
	}
	return counts, nil
}

func idArgs(ids []connector.ID) []any {
	args := make([]any, len(ids))
	for i := range ids {
		args[i] = ids[i][:]
	}
	return args
}

// name is one row of user_keys or user_terms.
type name struct {
	kind  int64
	value string
}

// uniqueNames are the names that no other live user of the organization may have.
func uniqueNames(list []name, u *connector.User) []name {
	for _, k := range u.Keys() {
		list = append(list, name{keyKinds[k.Kind], k.Value})
	}
	return list
}

// terms are the names that find the user and need not be unique.
func terms(list []name, p connector.Profile) []name {
	for _, v := range p["employeeNumber"] {
		list = appendTerm(list, termEmployeeNumber, v)
	}
	list = append(list, name{termDisplayName, shownName(p)})
	for _, attribute := range [...]string{"phone", "mobilePhone", "fax", "otherPhones"} {
		for _, v := range p[attribute] {
			list = appendTerm(list, termPhone, v)
		}
	}
	for _, v := range p["manager"] {
		list = appendTerm(list, termManager, v)
	}
	return list
}

// shownName is the folded display name, or what stands for none.
func shownName(p connector.Profile) string {
	if n := connector.Fold(p.Get(connector.DisplayName)); n != "" && n < unnamed {
		return n
	}
	return unnamed
}

func appendTerm(list []name, kind int64, value string) []name {
	n := name{kind, indexed(connector.Fold(value))}
	if n.value == "" || hasName(list, n) {
		return list
	}
	return append(list, n)
}

// emailDomain is the users.email_domain of a profile.
func emailDomain(p connector.Profile) string {
	e := p.Get(connector.Email)
	return reverseLabels(asciiDomain(e[strings.LastIndexByte(e, '@')+1:]))
}

// asciiDomain is the form in which domains are compared.
func asciiDomain(s string) string {
	s = strings.TrimSuffix(connector.Fold(s), ".")
	for i := range len(s) {
		if s[i] >= 0x80 {
			if a, err := idna.Lookup.ToASCII(s); err == nil {
				return a
			}
			break
		}
	}
	return s
}

// wrap names the operation of an error of the database; errors of the domain pass as they are.
func wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("store: %s: %w", op, explain(err))
}
