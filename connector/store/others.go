package store

import (
	"context"
	"encoding/json"
	"slices"

	"usherd/connector"
)

// This file is connector.OtherOrganizations: all other reads are of one organization.

const sqlUsersOnDomain = `SELECT ` + userColumns + ` FROM users u
 WHERE u.org = ? AND u.email_domain >= ? AND u.email_domain < ? AND (u.email_domain, u.id) > (?, ?) AND u.state NOT IN ('deleted', 'converted_away')
 ORDER BY u.email_domain, u.id LIMIT 0 + ?`

var _ connector.OtherOrganizations = (*DB)(nil)

// otherPlace is where a page of users of several organizations ended.
type otherPlace struct {
	Org    string       `json:"o"`
	Domain string       `json:"d"` // labels reversed
	User   connector.ID `json:"u"`
}

// UsersOnDomains returns a page of the live users of these organizations whose primary e-mail is in one of the
// domains. It asks once for each organization and domain, by their index.
func (db *DB) UsersOnDomains(ctx context.Context, q connector.DomainQuery) (users []*connector.User, next string, err error) {
	var at otherPlace
	if q.After != "" {
		if err := json.Unmarshal([]byte(q.After), &at); err != nil {
			return nil, "", invalid("users on domains", "After is not what a page gave: %w", err)
		}
	}
	var prefixes []string
	for _, d := range q.Domains {
		prefixes = append(prefixes, reverseLabels(asciiDomain(d)))
	}
	slices.Sort(prefixes)
	orgs := slices.Sorted(slices.Values(q.Orgs))
	limit := pageSize(q.Limit)
	for _, org := range orgs {
		if org < at.Org {
			continue
		}
		for _, prefix := range prefixes {
			last := otherPlace{Org: org}
			if org == at.Org {
				last = at
			}
			if prefix == "" || afterPrefix(prefix) <= last.Domain {
				continue
			}
			from := max(prefix, last.Domain)
			rows, err := db.q.query(ctx, sqlUsersOnDomain, org, from, afterPrefix(prefix), last.Domain, last.User[:], limit+1-len(users))
			if users, err = add(users, rows, err, scanUser); err != nil {
				return nil, "", wrap("users on domains", err)
			}
			if len(users) > limit {
				users = users[:limit]
				u := users[limit-1]
				doc, err := json.Marshal(otherPlace{u.Org, emailDomain(u.Profile), u.ID})
				return users, string(doc), err
			}
		}
	}
	return users, "", nil
}

// UsersByID returns the users of these organizations with these ids, tombstones included.
func (db *DB) UsersByID(ctx context.Context, orgs []string, ids []connector.ID) ([]*connector.User, error) {
	var users []*connector.User
	for _, org := range orgs {
		list, err := db.Users(ctx, org, ids)
		if err != nil {
			return nil, err
		}
		users = append(users, list...)
	}
	return users, nil
}
