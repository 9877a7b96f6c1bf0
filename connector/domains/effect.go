package domains

import (
	"context"

	"usherd/connector"
)

// Users is what an Effect is counted from. The store is one.
type Users interface {
	// ListUsers returns a page of users; next is "" after the last one.
	ListUsers(ctx context.Context, q connector.UserQuery) (users []*connector.User, next string, err error)
	// LinksOfUsers returns all links of these users.
	LinksOfUsers(ctx context.Context, org string, users []connector.ID) ([]connector.Link, error)
}

// Effect is what the proof of a domain does, and its claim. Nothing is changed by counting it.
type Effect struct {
	// Users are those of the organization whose address is on the domain, or on one below it, by state.
	Users map[connector.State]int `json:"users"`
	// Verified is how many of them are not verified and become so with the proof; a domain that is proven has none left.
	Verified int `json:"become_verified"`
	// Active is how many become active with the next run of the directory that has them as enabled.
	Active int `json:"become_active"`
	// Elsewhere is how many users of other organizations of the daemon are on it. A claim leaves them where they are, and
	// refuses new ones there.
	Elsewhere int `json:"elsewhere"`
}

// Moved is somebody whom the proof moves.
type Moved struct {
	User    *connector.User
	Becomes connector.State
}

// Preview counts the effect of a domain (ASCII form) for an organization, and calls yield with everybody whom its proof
// would move; an error of yield ends it and is returned. It reads all users, page by page: memory does not grow with them.
func Preview(ctx context.Context, s Users, o *connector.Organization, others []string, name string, yield func(Moved) error) (Effect, error) {
	e := Effect{Users: map[connector.State]int{}}
	err := pages(ctx, s, o.ID, name, func(users []*connector.User) error {
		links, err := linkKinds(ctx, s, o, users)
		if err != nil {
			return err
		}
		for _, u := range users {
			e.Users[u.State]++
			to := becomes(o, u, links[u.ID])
			switch to { //nolint:exhaustive // nothing else comes of a proof
			case connector.Verified:
				e.Verified++
			case connector.Active:
				e.Active++
			default:
				continue
			}
			if err := yield(Moved{u, to}); err != nil {
				return err
			}
		}
		return nil
	})
	for _, org := range others {
		if err != nil {
			break
		}
		err = pages(ctx, s, org, name, func(users []*connector.User) error {
			e.Elsewhere += len(users)
			return nil
		})
	}
	return e, err
}

// becomes is where the proof of its domain leads a user, "" = nowhere: the two rows of the table of states that ask for it.
func becomes(o *connector.Organization, u *connector.User, fromDirectory bool) connector.State {
	switch {
	case fromDirectory && (u.State == connector.NotVerified || u.State == connector.Verified):
		return connector.Active
	case !fromDirectory && u.State == connector.NotVerified && o.ReevaluateOnDomainVerified:
		return connector.Verified
	}
	return ""
}

// linkKinds says of which users a directory of the organization has the entry.
func linkKinds(ctx context.Context, s Users, o *connector.Organization, users []*connector.User) (map[connector.ID]bool, error) {
	ids := make([]connector.ID, len(users))
	for i, u := range users {
		ids[i] = u.ID
	}
	links, err := s.LinksOfUsers(ctx, o.ID, ids)
	has := map[connector.ID]bool{}
	for _, l := range links {
		if src := o.Source(l.Source); src != nil && src.Kind == connector.Directory {
			has[l.User] = true
		}
	}
	return has, err
}

// pages calls do with the users of an organization on a domain, a page at a time.
func pages(ctx context.Context, s Users, org, name string, do func([]*connector.User) error) error {
	q := connector.UserQuery{Org: org}
	for {
		users, next, err := s.ListUsers(ctx, q)
		if err != nil {
			return err
		}
		var on []*connector.User
		for _, u := range users {
			if onDomain(u, name) {
				on = append(on, u)
			}
		}
		if len(on) > 0 {
			if err := do(on); err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		q.After = next
	}
}
