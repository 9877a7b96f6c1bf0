package main

import (
	"context"
	"strings"

	"usherd/connector"
	"usherd/connector/policy"
)

// reevaluate verifies the users of a domain that has just been verified, where the organization wants it so.
// It pages through those that are not verified.
func (s *site) reevaluate(ctx context.Context, o *org, domain string) (moved int, err error) {
	if !o.Org.ReevaluateOnDomainVerified {
		return 0, nil
	}
	q := connector.UserQuery{Org: o.Org.ID, State: connector.NotVerified}
	for {
		users, next, err := s.db.ListUsers(ctx, q)
		if err != nil {
			return moved, err
		}
		var ids []connector.ID
		for _, u := range users {
			name, ok := policy.EmailDomain(u.Profile.Get(connector.Email))
			if ok && (name == domain || strings.HasSuffix(name, "."+domain)) {
				ids = append(ids, u.ID)
			}
		}
		n, err := o.prov.DomainVerified(ctx, ids, "domain "+domain+" verified")
		if moved += n; err != nil || next == "" {
			return moved, err
		}
		q.After = next
	}
}
