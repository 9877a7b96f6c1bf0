package provision

import (
	"context"
	"slices"
	"time"

	"usherd/connector"
	"usherd/connector/policy"
)

// facts is what decisions about a batch of people rest on. Links, users and keys are loaded in bulk
// for each batch; domains stay known for the length of a plan.
type facts struct {
	now     time.Time
	signIn  bool // the person of the record is signing in
	proven  bool // the person has just proven the address of the record
	links   map[connector.Anchor]connector.Link
	users   map[connector.ID]*connector.User
	linksOf map[connector.ID][]connector.Link
	byKey   map[connector.UserKey][]connector.ID
	domains map[string]connector.DomainStanding // by ASCII name of an address's domain
	// takenOver are the addresses whose users other organizations have claimed.
	takenOver map[string]bool

	// planned is what this plan has decided already; nil for a single person.
	planned *planned
	// gone are the anchors known to have left the source in this run: their users may be taken over.
	gone map[connector.Anchor]bool
}

func newFacts(now time.Time) *facts {
	f := &facts{now: now, domains: map[string]connector.DomainStanding{}}
	f.forget()
	return f
}

// forget drops what was loaded for one batch.
func (f *facts) forget() {
	f.links = map[connector.Anchor]connector.Link{}
	f.users = map[connector.ID]*connector.User{}
	f.linksOf = map[connector.ID][]connector.Link{}
	f.byKey = map[connector.UserKey][]connector.ID{}
}

// loadPeople reads the links of the batch, the users behind them, those that its records name and those that
// matching could find, with all their links.
func (f *facts) loadPeople(ctx context.Context, r connector.Reader, org *connector.Organization, source string, ds []*decision) error {
	q := connector.PeopleQuery{Org: org.ID, Source: source, Anchors: make([]connector.Anchor, 0, len(ds))}
	for _, d := range ds {
		q.Anchors = append(q.Anchors, d.rec.Anchor)
		if !d.rec.User.IsZero() {
			q.IDs = append(q.IDs, d.rec.User)
		}
		keys := matchKeys(org, d.src, d.mapped.Profile)
		if f.planned == nil { // nobody else's names are looked at: the rules will ask for these too
			keys = append(keys, (&connector.User{Profile: d.mapped.Profile}).Keys()...)
		}
		for _, k := range keys {
			if _, known := f.byKey[k]; !known {
				f.byKey[k] = nil
				q.Keys = append(q.Keys, k)
			}
		}
	}
	users, links, err := r.People(ctx, q)
	if err != nil {
		return err
	}
	f.keepUsers(users)
	f.keepKeys(users)
	for _, u := range users {
		f.linksOf[u.ID] = nil
	}
	for _, l := range links {
		if f.linksOf[l.User] = append(f.linksOf[l.User], l); l.Source == source {
			f.links[l.Anchor] = l
		}
	}
	return nil
}

// loadKeys finds the live users that hold any of these keys; keys that are known already cost
// nothing.
func (f *facts) loadKeys(ctx context.Context, r connector.Reader, org string, keys map[connector.UserKey]bool) error {
	var ask []connector.UserKey
	for k := range keys {
		if _, known := f.byKey[k]; !known {
			f.byKey[k] = nil
			ask = append(ask, k)
		}
	}
	if len(ask) == 0 {
		return nil
	}
	users, err := r.UsersByKey(ctx, org, ask)
	if err != nil {
		return err
	}
	f.keepUsers(users)
	f.keepKeys(users)
	return nil
}

// keepKeys notes which of the keys that were asked for live users hold.
func (f *facts) keepKeys(users []*connector.User) {
	for _, u := range users {
		if !u.State.Live() {
			continue
		}
		for _, k := range userKeys(u) {
			if _, asked := f.byKey[k]; asked && !slices.Contains(f.byKey[k], u.ID) {
				f.byKey[k] = append(f.byKey[k], u.ID)
			}
		}
	}
}

// keepUsers keeps users, and of live ones that they alone hold their unique names.
func (f *facts) keepUsers(users []*connector.User) {
	for _, u := range users {
		f.users[u.ID] = u
		if !u.State.Live() {
			continue
		}
		for _, k := range u.Keys() {
			f.byKey[k] = []connector.ID{u.ID}
		}
	}
}

// inSource reports whether an entry of the source, as far as is known still there, is linked to the user.
func (f *facts) inSource(id connector.ID, source string) bool {
	return slices.ContainsFunc(f.linksOf[id], func(l connector.Link) bool {
		return l.Source == source && l.Standing != connector.StandingGone && !f.gone[l.Anchor]
	})
}

// everInSource reports whether the user is, or was, linked to an entry of the source.
func (f *facts) everInSource(id connector.ID, source string) bool {
	return slices.ContainsFunc(f.linksOf[id], func(l connector.Link) bool { return l.Source == source })
}

// loadRules reads who holds the names of the folded profiles and how their domains stand.
func (f *facts) loadRules(ctx context.Context, r connector.Reader, org string, ds []*decision) error {
	keys := map[connector.UserKey]bool{}
	var names []string
	for _, d := range ds {
		for _, k := range (&connector.User{Profile: d.profile}).Keys() {
			keys[k] = true
		}
		for _, e := range d.profile.Emails() {
			if name, ok := policy.EmailDomain(e); ok {
				if _, known := f.domains[name]; !known {
					f.domains[name] = connector.DomainStanding{}
					names = append(names, name)
				}
			}
		}
	}
	if err := f.loadKeys(ctx, r, org, keys); err != nil {
		return err
	}
	if err := f.loadDomains(ctx, r, org, names); err != nil {
		return err
	}
	return f.loadTakenOver(ctx, r, org, ds)
}

// loadTakenOver asks which of the addresses belong to people whom others have claimed: a source that pushes somebody
// again is not to make the person anew. Only addresses of domains that others have verified are asked for, and they
// count as long as the claimer has verified the domain.
func (f *facts) loadTakenOver(ctx context.Context, r connector.Reader, org string, ds []*decision) error {
	domainOf := map[string]string{}
	var ask []string
	for _, d := range ds {
		for _, e := range d.profile.Emails() {
			name, _ := policy.EmailDomain(e)
			if e = connector.Fold(e); domainOf[e] == "" && len(f.domains[name].VerifiedElsewhere) > 0 {
				domainOf[e] = name
				ask = append(ask, e)
			}
		}
	}
	if len(ask) == 0 {
		return nil
	}
	taken, err := r.TakenOver(ctx, org, ask)
	for e, by := range taken {
		if slices.Contains(f.domains[domainOf[e]].VerifiedElsewhere, by) {
			if f.takenOver == nil {
				f.takenOver = map[string]bool{}
			}
			f.takenOver[e] = true
		}
	}
	return err
}

// loadDomains works out the standing of domains from their own entries and those of the domains above.
func (f *facts) loadDomains(ctx context.Context, r connector.Reader, org string, names []string) error {
	if len(names) == 0 {
		return nil
	}
	asked := map[string]bool{}
	var ask []string
	for _, n := range names {
		for _, up := range connector.ParentDomains(n) {
			if !asked[up] {
				asked[up] = true
				ask = append(ask, up)
			}
		}
	}
	domains, err := r.DomainsByName(ctx, ask)
	if err != nil {
		return err
	}
	for _, n := range names {
		f.domains[n] = standing(org, n, domains)
	}
	return nil
}

func standing(org, name string, domains []connector.Domain) connector.DomainStanding {
	var s connector.DomainStanding
	for _, up := range connector.ParentDomains(name) {
		for _, d := range domains {
			if d.Name != up || !d.Verified() {
				continue
			}
			if d.Org == org {
				s.Verified = true
				continue
			}
			s.ClaimedElsewhere = s.ClaimedElsewhere || d.Claimed
			if !slices.Contains(s.VerifiedElsewhere, d.Org) {
				s.VerifiedElsewhere = append(s.VerifiedElsewhere, d.Org)
			}
		}
	}
	return s
}

// matchKeys are the values by which a record finds a user that it has no link to, in the
// organization's order. Who activates finds an account by nothing but the address, which is proven or believed: other
// values may be the person's own words.
func matchKeys(org *connector.Organization, src *connector.SourceSettings, p connector.Profile) []connector.UserKey {
	matching := org.Matching
	switch {
	case src.Kind == connector.Template:
		matching = []string{connector.Email}
	case len(matching) == 0:
		matching = []string{connector.Email, connector.UserName}
	}
	var keys []connector.UserKey
	for _, name := range matching {
		if v := p.Get(name); v != "" {
			keys = append(keys, connector.UserKey{Kind: name, Value: connector.Fold(v)})
		}
	}
	return keys
}

// userKeys are all the values that can find the user.
func userKeys(u *connector.User) []connector.UserKey {
	keys := u.Keys()
	if n := u.Profile.Get("employeeNumber"); n != "" {
		keys = append(keys, connector.UserKey{Kind: "employeeNumber", Value: connector.Fold(n)})
	}
	return keys
}
