package domains

import (
	"context"
	"fmt"
	"strings"
	"time"

	"usherd/connector"
	"usherd/connector/policy"
)

// Store is what a Keeper reads and writes. store.DB is one.
type Store interface {
	Users
	// Domains returns the domains of an organization, sorted by name.
	Domains(ctx context.Context, org string) ([]connector.Domain, error)
	AddDomain(ctx context.Context, d connector.Domain) error
	PutDomain(ctx context.Context, d connector.Domain) error
	RemoveDomain(ctx context.Context, org, name string) error
	ClaimDomain(ctx context.Context, org, name string, now time.Time) error
	ReleaseDomain(ctx context.Context, org, name string) error
	// ForgetHashes has everybody on a domain decided again by the next run, and says how many.
	ForgetHashes(ctx context.Context, org, domain string) (int, error)
}

// Keeper looks after the domains of one organization, for whoever asks: command line, daemon and API. It is safe for
// concurrent use.
type Keeper struct {
	Store    Store
	Org      *connector.Organization
	Others   []string // organizations of the daemon, without Org
	Resolver Resolver
	Now      func() time.Time
	// Verified moves those of the users whom the proof of their domain verifies at once, and says how many.
	Verified func(ctx context.Context, users []connector.ID, actor string) (int, error)
	// Changed is told that the domain rules mean something else since, so that whoever they have kept out is tried again; nil
	// tells nobody.
	Changed func(ctx context.Context) error
}

func (k *Keeper) changed(ctx context.Context) error {
	if k.Changed == nil {
		return nil
	}
	return k.Changed(ctx)
}

// List returns the domains, sorted by name.
func (k *Keeper) List(ctx context.Context) ([]connector.Domain, error) {
	return k.Store.Domains(ctx, k.Org.ID)
}

// Find returns one of the domains, or an error of Kind NotFound.
func (k *Keeper) Find(ctx context.Context, name policy.Name) (connector.Domain, error) {
	all, err := k.List(ctx)
	if err != nil {
		return connector.Domain{}, err
	}
	for _, d := range all {
		if d.Name == name.ASCII {
			return d, nil
		}
	}
	return connector.Domain{}, &connector.Error{
		Kind: connector.NotFound, Op: "domain", Err: fmt.Errorf("%s has no domain %s", k.Org.ID, name.Unicode),
		Hint: "add it with: usherd domain add " + name.Unicode,
	}
}

// Add adds a domain with a fresh token, not verified and not claimed; one that is there is an error of Kind Conflict.
func (k *Keeper) Add(ctx context.Context, name policy.Name) (connector.Domain, error) {
	d := connector.Domain{Org: k.Org.ID, Name: name.ASCII, Token: NewToken(), AddedAt: k.Now()}
	return d, k.Store.AddDomain(ctx, d)
}

// Checked is what a check has come to.
type Checked struct {
	Outcome
	Domain connector.Domain // as it stands in the store now
	Moved  int              // users who have become verified at once
	Again  int              // people whom the next run decides again
}

// Check asks DNS, stores what it said, and has the people of a domain that was won or lost decided again by their next run.
func (k *Keeper) Check(ctx context.Context, d connector.Domain) (Checked, error) {
	var c Checked
	c.Domain, c.Outcome = Check(ctx, k.Resolver, d, k.Now())
	if c.Finding == Stopped {
		return c, ctx.Err()
	}
	if err := k.Store.PutDomain(ctx, c.Domain); err != nil {
		return c, err
	}
	if !c.Gained && !c.Lost {
		return c, nil
	}
	var err error
	if c.Gained {
		if c.Moved, err = k.reevaluate(ctx, d.Name); err != nil {
			return c, err
		}
	}
	if c.Again, err = k.Store.ForgetHashes(ctx, k.Org.ID, d.Name); err != nil {
		return c, err
	}
	return c, k.changed(ctx)
}

// reevaluate verifies the users of a domain that has just been proven, where the organization wants it so. It pages
// through those that are not verified.
func (k *Keeper) reevaluate(ctx context.Context, domain string) (moved int, err error) {
	if !k.Org.ReevaluateOnDomainVerified {
		return 0, nil
	}
	q := connector.UserQuery{Org: k.Org.ID, State: connector.NotVerified}
	for {
		users, next, err := k.Store.ListUsers(ctx, q)
		if err != nil {
			return moved, err
		}
		var ids []connector.ID
		for _, u := range users {
			if onDomain(u, domain) {
				ids = append(ids, u.ID)
			}
		}
		n, err := k.Verified(ctx, ids, "domain "+domain+" verified")
		if moved += n; err != nil || next == "" {
			return moved, err
		}
		q.After = next
	}
}

// onDomain reports whether the address of a user is on a domain (ASCII form), or on one below it.
func onDomain(u *connector.User, domain string) bool {
	d, ok := policy.EmailDomain(u.Profile.Get(connector.Email))
	return ok && (d == domain || strings.HasSuffix(d, "."+domain))
}

// Effect counts what a domain means for the organization; yield gets everybody whom its proof would move.
func (k *Keeper) Effect(ctx context.Context, name policy.Name, yield func(Moved) error) (Effect, error) {
	return Preview(ctx, k.Store, k.Org, k.Others, name.ASCII, yield)
}

// Claim keeps all other organizations from creating users with a verified domain, and counts whom they have on it already.
// It fails with Kind Conflict where another one has claimed it or a domain above it, with Refused where it is not verified.
func (k *Keeper) Claim(ctx context.Context, name policy.Name) (Effect, error) {
	if err := k.Store.ClaimDomain(ctx, k.Org.ID, name.ASCII, k.Now()); err != nil {
		return Effect{}, err
	}
	if err := k.changed(ctx); err != nil {
		return Effect{}, err
	}
	return k.Effect(ctx, name, func(Moved) error { return nil })
}

// Release ends a claim; claimed is false where there was none.
func (k *Keeper) Release(ctx context.Context, name policy.Name) (claimed bool, err error) {
	d, err := k.Find(ctx, name)
	if err != nil || !d.Claimed {
		return false, err
	}
	if err := k.Store.ReleaseDomain(ctx, k.Org.ID, name.ASCII); err != nil {
		return true, err
	}
	return true, k.changed(ctx)
}

// Remove forgets a domain with its claim; users keep their states.
func (k *Keeper) Remove(ctx context.Context, name policy.Name) error {
	if err := k.Store.RemoveDomain(ctx, k.Org.ID, name.ASCII); err != nil {
		return err
	}
	return k.changed(ctx)
}
