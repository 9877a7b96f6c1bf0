package provision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"usherd/connector"
	"usherd/connector/policy"
)

// MaxClaims is how many users are claimed at once at most.
const MaxClaims = 250

// ClaimStore is what claims ask beside what each organization's Provisioner may.
type ClaimStore interface {
	connector.OtherOrganizations
	// Domains returns the domains of one organization.
	Domains(ctx context.Context, org string) ([]connector.Domain, error)
	// Claims returns a page of claims, latest first.
	Claims(ctx context.Context, q connector.ClaimQuery) ([]connector.Claim, error)
}

// Claims takes users over from one organization of the daemon to another: the one place that works for two at once.
// Each side is decided by its own Provisioner, and both are written in one transaction. All methods are safe for
// concurrent use.
type Claims struct {
	store ClaimStore
	orgs  map[string]*Provisioner
}

// NewClaims returns the claims between these organizations, which share one store, and tells each of them: it is called
// before they are at work.
func NewClaims(store ClaimStore, orgs ...*Provisioner) *Claims {
	c := &Claims{store: store, orgs: map[string]*Provisioner{}}
	for _, p := range orgs {
		c.orgs[p.o.Org.ID], p.claims = p, c
	}
	return c
}

// Candidate is a user of another organization as the organization that has verified the domain may see it: nothing of
// the other organization but that it is there.
type Candidate struct {
	User  connector.ID // by which it can be claimed
	Email string
	State connector.State
	Since time.Time // when the account was made
	// Failures are why it cannot be claimed; none when it can.
	Failures []connector.Failure
}

// CandidateQuery chooses users whom an organization could claim.
type CandidateQuery struct {
	Org    string
	Domain string // only of this domain and those below; "" = of all that the organization has verified
	After  string // what the page before gave as next
	Limit  int    // at most 1,000, which is also what 0 means
}

// Candidates returns a page of the users of other organizations on domains that this one has verified; next is ""
// after the last page. Whether seats are free is not looked at: Preview does that.
func (c *Claims) Candidates(ctx context.Context, q CandidateQuery) (list []Candidate, next string, err error) {
	to, err := c.org(q.Org)
	if err != nil {
		return nil, "", err
	}
	domains, err := c.domains(ctx, q.Org, q.Domain)
	if err != nil || len(domains) == 0 {
		return nil, "", err
	}
	users, next, err := c.store.UsersOnDomains(ctx, connector.DomainQuery{Orgs: c.others(q.Org), Domains: domains, After: q.After, Limit: q.Limit})
	if err != nil {
		return nil, "", err
	}
	for _, u := range users {
		t, err := c.decide(ctx, to.o.Store, taking{to: to, from: c.orgs[u.Org], user: u})
		if err != nil {
			return nil, "", err
		}
		list = append(list, t.candidate())
	}
	return list, next, nil
}

func (c *Claims) org(id string) (*Provisioner, error) {
	if p := c.orgs[id]; p != nil {
		return p, nil
	}
	return nil, &connector.Error{Kind: connector.NotFound, Op: "claims", Err: fmt.Errorf("there is no organization %q", id)}
}

// others are the other organizations, sorted.
func (c *Claims) others(org string) []string {
	var ids []string
	for id := range c.orgs {
		if id != org {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// domains are the verified domains of the organization, none of them below another one; or only that one, which must be
// among or below them.
func (c *Claims) domains(ctx context.Context, org, only string) ([]string, error) {
	all, err := c.store.Domains(ctx, org)
	if err != nil {
		return nil, err
	}
	verified := map[string]bool{}
	for _, d := range all {
		if d.Verified() {
			verified[d.Name] = true
		}
	}
	under := func(name string) bool {
		return slices.ContainsFunc(connector.ParentDomains(name), func(up string) bool { return verified[up] })
	}
	if only != "" {
		name, err := policy.ParseDomain(only)
		if err == nil && !under(name.ASCII) {
			err = fmt.Errorf("%s has not verified the domain %s", org, name.Unicode)
		}
		if err != nil {
			return nil, &connector.Error{Kind: connector.Refused, Op: "claims", Err: err, Hint: "see its domains with: usherd domain list"}
		}
		return []string{name.ASCII}, nil
	}
	var tops []string
	for name := range verified {
		if _, above, _ := strings.Cut(name, "."); !under(above) {
			tops = append(tops, name)
		}
	}
	slices.Sort(tops)
	return tops, nil
}

// ClaimRequest names the users whom an organization wants to claim, MaxClaims at most.
type ClaimRequest struct {
	Org     string
	Users   []connector.ID // as Candidates gives them
	Emails  []string       // primary addresses
	Package string         // "" = the organization's
	Actor   string         // who, in words that the history keeps
}

// ClaimResult is what becomes of one of them.
type ClaimResult struct {
	Candidate
	Claim *connector.Claim // nil where it was refused, and in a preview
}

// Preview says what Claim would do, seats included, and does nothing.
func (c *Claims) Preview(ctx context.Context, req ClaimRequest) ([]ClaimResult, error) {
	to, named, err := c.named(ctx, req)
	if err != nil {
		return nil, err
	}
	seats, err := to.o.Store.Seats(ctx, req.Org)
	if err != nil {
		return nil, err
	}
	free := map[string]int{}
	for _, s := range seats {
		free[s.Package] = max(s.Free()-s.Waiting, 0)
	}
	results := make([]ClaimResult, len(named))
	for i, t := range named {
		if len(t.failures) == 0 {
			t.to, t.pkg = to, req.Package
			if t, err = c.decide(ctx, to.o.Store, t); err != nil {
				return nil, err
			}
		}
		if len(t.failures) == 0 && t.came.TakeSeat != "" {
			if pkg := t.came.TakeSeat; free[pkg] > 0 {
				free[pkg]--
			} else {
				t.refuse(connector.Failure{Reason: connector.NoSeat, Package: pkg})
			}
		}
		results[i].Candidate = t.candidate()
	}
	return results, nil
}

// Claim takes the users over, each in a transaction of its own: claim_pending here, a tombstone there. Who cannot be
// claimed is told so and stays as it is. Those who were claimed when it fails stay claimed: to ask again does the rest.
func (c *Claims) Claim(ctx context.Context, req ClaimRequest) ([]ClaimResult, error) {
	to, named, err := c.named(ctx, req)
	if err != nil {
		return nil, err
	}
	results := make([]ClaimResult, len(named))
	for i, t := range named {
		if len(t.failures) == 0 {
			t.to, t.pkg, t.actor = to, req.Package, req.Actor
			if t, err = c.take(ctx, t); err != nil {
				return nil, err
			}
		}
		results[i] = ClaimResult{Candidate: t.candidate()}
		if len(t.failures) == 0 {
			results[i].Claim = t.claim
		}
	}
	// Subscribers have waited for the accounts that are here now.
	if _, err := to.RetrySubscribers(context.WithoutCancel(ctx)); err != nil {
		return results, err
	}
	return results, nil
}

// elsewhere reports whether the address is that of a user of another organization whom this one could claim: a subscriber
// who has no account waits for that, so that nobody has two.
func (p *Provisioner) elsewhere(ctx context.Context, r connector.Reader, s *connector.Subscriber, email string) (bool, error) {
	if p.claims == nil || email == "" || hasAccount(s) {
		return false, nil
	}
	domain, ok := policy.EmailDomain(email)
	if !ok {
		return false, nil
	}
	entries, err := r.DomainsByName(ctx, connector.ParentDomains(domain))
	if err != nil || !slices.ContainsFunc(entries, func(d connector.Domain) bool { return d.Org == p.o.Org.ID && d.Verified() }) {
		return false, err // who has an account elsewhere is nobody's business who has not proved the domain
	}
	keys := []connector.UserKey{{Kind: connector.Email, Value: connector.Fold(email)}}
	if own, err := r.UsersByKey(ctx, p.o.Org.ID, keys); err != nil || len(own) > 0 {
		return false, err
	}
	for _, org := range p.claims.others(p.o.Org.ID) {
		users, err := r.UsersByKey(ctx, org, keys)
		if err != nil {
			return false, err
		}
		for _, u := range users {
			t := taking{to: p, from: p.claims.orgs[org], user: u}
			if err := t.mayGo(ctx, r); err != nil || len(t.failures) == 0 {
				return err == nil, err
			}
		}
	}
	return false, nil
}

var errTooManyClaims = fmt.Errorf("at most %d users are claimed at once", MaxClaims)

// named finds the users whom a request names, in its order, each once. Who is not on a domain of the claimer is not
// looked for, or shown not to be there: who has an account elsewhere is nobody else's business.
func (c *Claims) named(ctx context.Context, req ClaimRequest) (*Provisioner, []taking, error) {
	to, err := c.org(req.Org)
	if err != nil {
		return nil, nil, err
	}
	if len(req.Users)+len(req.Emails) > MaxClaims {
		return nil, nil, &connector.Error{Kind: connector.Invalid, Op: "claims", Err: errTooManyClaims, Hint: "claim the others after these"}
	}
	if _, ok := to.o.Org.Package(req.Package); req.Package != "" && !ok {
		return nil, nil, &connector.Error{Kind: connector.Invalid, Op: "claims", Err: fmt.Errorf("there is no package %q", req.Package), Hint: "see them with: usherd seats"}
	}
	domains, err := c.domains(ctx, req.Org, "")
	if err != nil {
		return nil, nil, err
	}
	list, err := c.byID(ctx, to, req.Users, domains)
	if err != nil {
		return nil, nil, err
	}
	byMail, err := c.byEmail(ctx, to, req.Emails, domains)
	list = append(list, byMail...)
	seen := map[connector.ID]bool{}
	return to, slices.DeleteFunc(list, func(t taking) bool {
		again := t.user != nil && seen[t.user.ID]
		if t.user != nil {
			seen[t.user.ID] = true
		}
		return again
	}), err
}

func (c *Claims) byID(ctx context.Context, to *Provisioner, ids []connector.ID, domains []string) ([]taking, error) {
	users, err := c.store.UsersByID(ctx, c.others(to.o.Org.ID), ids)
	if err != nil {
		return nil, err
	}
	byID := map[connector.ID]*connector.User{}
	for _, u := range users {
		byID[u.ID] = u
	}
	var list []taking
	for _, id := range ids {
		u := byID[id]
		if u == nil || !u.State.Live() || !onDomains(u.Profile.Get(connector.Email), domains) {
			list = append(list, c.nobody(to, id, "", connector.Failure{Reason: connector.NobodyToClaim}))
			continue
		}
		list = append(list, taking{from: c.orgs[u.Org], user: u})
	}
	return list, nil
}

func (c *Claims) byEmail(ctx context.Context, to *Provisioner, emails, domains []string) ([]taking, error) {
	var keys []connector.UserKey
	for _, e := range emails {
		if onDomains(e, domains) {
			keys = append(keys, connector.UserKey{Kind: connector.Email, Value: connector.Fold(e)})
		}
	}
	hits := map[string][]*connector.User{}
	for _, org := range c.others(to.o.Org.ID) {
		users, err := c.orgs[org].o.Store.UsersByKey(ctx, org, keys)
		if err != nil {
			return nil, err
		}
		for _, u := range users {
			e := connector.Fold(u.Profile.Get(connector.Email))
			hits[e] = append(hits[e], u)
		}
	}
	var list []taking
	for _, e := range emails {
		found := hits[connector.Fold(e)]
		switch domain, _ := policy.EmailDomain(e); {
		case !onDomains(e, domains):
			list = append(list, c.nobody(to, connector.ID{}, e, connector.Failure{Reason: connector.DomainNotVerified, Fields: []string{connector.Email}, Domain: domain}))
		case len(found) == 0:
			list = append(list, c.nobody(to, connector.ID{}, e, connector.Failure{Reason: connector.NobodyToClaim}))
		case len(found) > 1:
			list = append(list, c.nobody(to, connector.ID{}, e, connector.Failure{
				Reason: connector.AmbiguousMatch, Detail: "several other organizations have a user with this address: claim one of them by its id",
			}))
		default:
			list = append(list, taking{from: c.orgs[found[0].Org], user: found[0]})
		}
	}
	return list, nil
}

// onDomains reports whether the address is in one of the domains or below.
func onDomains(email string, domains []string) bool {
	name, ok := policy.EmailDomain(email)
	return ok && slices.ContainsFunc(connector.ParentDomains(name), func(up string) bool { return slices.Contains(domains, up) })
}

// nobody is the refusal of a name that stands for no user who could be claimed.
func (c *Claims) nobody(to *Provisioner, id connector.ID, email string, f connector.Failure) taking {
	t := taking{to: to, id: id, email: email}
	t.refuse(f)
	return t
}

// take is one claim, decided and written in one transaction.
func (c *Claims) take(ctx context.Context, t taking) (out taking, err error) {
	err = connector.ErrMoved
	for try := 0; try < maxTries && errors.Is(err, connector.ErrMoved); try++ {
		err = t.to.o.Store.Write(ctx, func(tx connector.Tx) error {
			out = t
			users, err := tx.Users(ctx, t.user.Org, []connector.ID{t.user.ID})
			if err != nil {
				return err
			}
			if len(users) == 0 || !users[0].State.Live() { // another one was faster
				out.refuse(connector.Failure{Reason: connector.NobodyToClaim})
				return nil
			}
			out.user = users[0]
			if out, err = c.decide(ctx, tx, out); err != nil || len(out.failures) > 0 {
				return err
			}
			return out.write(ctx, tx)
		})
	}
	if errors.Is(err, connector.ErrNoSeat) {
		out.refuse(connector.Failure{Reason: connector.NoSeat, Package: out.came.TakeSeat})
		err = nil
	}
	if err != nil || len(out.failures) > 0 {
		return out, err
	}
	return out, out.from.offerFreed(ctx, out.gone)
}

func (t *taking) candidate() Candidate {
	x := Candidate{User: t.id, Email: t.email, Failures: t.failures}
	if u := t.user; u != nil {
		x = Candidate{User: u.ID, Email: u.Profile.Get(connector.Email), State: u.State, Since: u.CreatedAt, Failures: t.failures}
	}
	return x
}

// subject is how failures call the person.
func (t *taking) subject() string {
	if t.user != nil {
		return t.user.Profile.Get(connector.Email)
	}
	return cmp.Or(t.email, t.id.String())
}
