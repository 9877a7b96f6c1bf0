package provision_test

import (
	"fmt"
	"slices"
	"testing"

	"usherd/connector"
	"usherd/connector/mapping"
	"usherd/connector/provision"
)

// pair is acme, which has verified example.com, and globex, whose client has people there.
type pair struct {
	*world
	old    *world
	claims *provision.Claims
}

// newPair makes both; edit is given each of them.
func newPair(tb testing.TB, edit func(acme, globex *connector.Organization)) *pair {
	tb.Helper()
	var globex *connector.Organization
	w := newWorld(tb, func(acme *connector.Organization) {
		acme.Name, acme.Packages[0].Seats = "Acme", 5
		globex = neighbour("globex")
		if edit != nil {
			edit(acme, globex)
		}
	})
	p := &pair{world: w, old: w.beside(globex)}
	p.build()
	return p
}

// neighbour is an organization with a client that pushes, and an identity provider.
func neighbour(id string) *connector.Organization {
	return &connector.Organization{
		ID: id, Name: "The " + id, PartnerID: "P-2", DeleteAfter: 30 * day, GoneDeleteAfter: 7 * day,
		Packages: []connector.Package{{ID: "standard", Seats: connector.Unlimited}, {ID: "gold", Seats: 3}}, DefaultPackage: "standard",
		Sources: []connector.SourceSettings{
			{ID: "idp", Kind: connector.SCIM, Fingerprint: connector.Hash{3}},
			{ID: "sso", Kind: connector.SignIn, Fingerprint: connector.Hash{4}},
			{ID: "dir", Kind: connector.Directory, FirstRun: connector.FirstRunApply, Fingerprint: connector.Hash{5}, Guard: connector.Guard{Min: 10, Percent: 5}},
		},
	}
}

// beside is another organization on the same store.
func (w *world) beside(org *connector.Organization) *world {
	w.t.Helper()
	other := *w
	other.org, other.maps = org, map[string]*mapping.Mapping{}
	other.rebuild()
	return &other
}

func (p *pair) build() { p.claims = provision.NewClaims(p.db, p.prov, p.old.prov) }

// person makes globex's user number i, verified or not, used or not.
func (p *pair) person(i int, was connector.State, more ...string) *connector.User {
	p.t.Helper()
	p.old.now = p.now
	p.old.submit("idp", pushed(i, fmt.Sprintf("e%d", i), connector.NewID(p.now), more...))
	return p.old.become(fmt.Sprintf("u%04d", i), was)
}

// become has a user of an organization that has not verified the domain in that state.
func (w *world) become(name string, state connector.State) *connector.User {
	w.t.Helper()
	u := w.user(name)
	if u.State == state {
		return u
	}
	after := *u
	after.State, after.Version = state, u.Version+1
	if state == connector.Inactive {
		after.Resume, after.DeactivatedBy, after.DeactivatedAt = u.State, connector.ByAdministrator, w.now
	}
	ch := &connector.Change{Action: connector.Updated, Org: u.Org, BaseVersion: u.Version, After: &after, Fields: connector.Diff(u, &after)}
	if state == connector.Inactive {
		ch.Action, ch.FreeSeat = connector.Deactivated, u.Package
	}
	err := w.db.Write(w.t.Context(), func(tx connector.Tx) error {
		errs, err := tx.Save(w.t.Context(), []*connector.Change{ch}, connector.Cause{Kind: connector.CausePerson, Actor: "test"}, w.now)
		if err == nil {
			err = errs[0]
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.user(name)
}

// claim claims these users, all of whom can be.
func (p *pair) claim(users ...*connector.User) []*connector.Claim {
	p.t.Helper()
	var list []*connector.Claim
	for _, r := range p.try(users...) {
		if r.Claim == nil {
			p.t.Fatalf("%s: %+v", r.Email, r.Failures)
		}
		list = append(list, r.Claim)
	}
	return list
}

func (p *pair) try(users ...*connector.User) []provision.ClaimResult {
	p.t.Helper()
	req := provision.ClaimRequest{Org: "acme", Actor: "cli:ann"}
	for _, u := range users {
		req.Users = append(req.Users, u.ID)
	}
	list, err := p.claims.Claim(p.t.Context(), req)
	if err != nil {
		p.t.Fatal(err)
	}
	return list
}

// decide decides a claim, which must go well.
func (p *pair) decide(c *connector.Claim, choice connector.ClaimChoice, email string) *connector.Claim {
	p.t.Helper()
	done, failures, err := p.claims.DecideClaim(p.t.Context(), provision.ClaimDecision{Org: c.Org, Claim: c.ID, Choice: choice, Email: email, Actor: "person"})
	if err != nil || len(failures) > 0 {
		p.t.Fatalf("%v %+v", err, failures)
	}
	return done
}

func (p *pair) expire() provision.ClaimsDone {
	p.t.Helper()
	done, err := p.claims.ExpireClaims(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	return done
}

// mails are the kinds of the mails to an address, first to last.
func (p *pair) mails(to string) []connector.MailKind {
	p.t.Helper()
	list, err := p.db.Mails(p.t.Context(), connector.MailQuery{Org: "acme", To: to})
	if err != nil {
		p.t.Fatal(err)
	}
	kinds := []connector.MailKind{}
	for _, m := range slices.Backward(list) {
		kinds = append(kinds, m.Kind)
	}
	return kinds
}

func (w *world) byID(id connector.ID) *connector.User {
	w.t.Helper()
	users, err := w.db.Users(w.t.Context(), w.org.ID, []connector.ID{id})
	if err != nil || len(users) != 1 {
		w.t.Fatal(users, err)
	}
	return users[0]
}

func TestClaimTakesAUserOver(t *testing.T) {
	t.Parallel()
	p := newPair(t, nil)
	u := p.person(1, connector.Active, "title", "Chief")
	staff := p.old.group("Staff", u.ID)
	c := p.claim(u)[0]
	came, gone := p.user("u0001"), p.old.byID(u.ID)
	if came.ID != c.User || came.State != connector.ClaimPending || came.Was != connector.Active || came.Package != "standard" || p.used("standard") != 1 {
		t.Errorf("%+v", came)
	}
	if came.Profile.Get("title") != "" || came.Profile.Get(connector.Email) != "u0001@example.com" || came.Profile.Get(connector.GivenName) != "Ann" {
		t.Errorf("the new organization is shown %v", came.Profile)
	}
	if gone.State != connector.ConvertedAway || p.old.user("u0001") != nil || p.old.used("standard") != 0 || len(p.old.links(gone)) != 0 {
		t.Errorf("%+v", gone)
	}
	if groups, err := p.db.GroupsOfUser(t.Context(), "globex", u.ID, 10); err != nil || len(groups) != 0 {
		t.Errorf("still in %s: %+v %v", staff, groups, err)
	}
	events, left := p.since(came.ID, 0), p.old.since(u.ID, u.Version)
	if len(events) != 1 || len(left) != 1 || left[0].Anchor != c.Anchor() || p.links(came)[0].Anchor != c.Anchor() {
		t.Errorf("%+v and %+v", events, left)
	}
	for _, e := range []connector.Event{events[0], left[0]} {
		if e.Source != connector.Claimed || e.Cause.Actor != "cli:ann" || len(e.Transitions) != 1 {
			t.Errorf("%+v", e)
		}
	}
	stored, err := p.db.Claim(t.Context(), "acme", c.ID)
	if err != nil || stored.FromUser != u.ID || stored.Data.Get("title") != "Chief" || !stored.Until.Equal(p.now.Add(14*day)) || stored.Status != connector.ClaimOpen {
		t.Errorf("%+v %v", stored, err)
	}
	if got := p.mails(c.Email); !slices.Equal(got, []connector.MailKind{connector.ClaimMail}) {
		t.Error(got)
	}
}

// group makes a group of the client with one member and gives its name.
func (w *world) group(name string, member connector.ID) string {
	w.t.Helper()
	id := connector.NewID(w.now)
	w.pushGroup(func(connector.Reader) *connector.GroupChange {
		return &connector.GroupChange{Action: connector.Created, Added: []connector.Member{byID(member)}, After: &connector.Group{
			ID: id, Org: w.org.ID, Source: "idp", Anchor: connector.AnchorOf(id), Key: connector.Hash(id), DN: id.String(), Name: name,
		}}
	})
	return name
}

func TestWhoCannotBeClaimed(t *testing.T) {
	t.Parallel()
	protect := func(r *connector.Record) *connector.Record { r.Protected = true; return r }
	for name, c := range map[string]struct {
		make func(p *pair) *connector.User
		want connector.Reason
	}{
		"inactive": {func(p *pair) *connector.User { return p.person(1, connector.Inactive) }, connector.AccountInactive},
		"from a directory": {func(p *pair) *connector.User {
			p.old.syncFrom("dir", &people{list: crowd(1)}, connector.ResultOK)
			return p.old.user("u0001")
		}, connector.SyncedElsewhere},
		"pushed, and known to a directory": {func(p *pair) *connector.User {
			p.person(1, connector.Active)
			p.old.syncFrom("dir", &people{list: crowd(1)}, connector.ResultOK)
			return p.old.user("u0001")
		}, connector.SyncedElsewhere},
		"signs in": {func(p *pair) *connector.User {
			p.old.submit("sso", asserted(1))
			return p.old.user("u0001")
		}, connector.SSOElsewhere},
		"protected": {func(p *pair) *connector.User {
			p.old.submit("idp", protect(pushed(1, "e1", connector.NewID(p.now))))
			return p.old.user("u0001")
		}, connector.ProtectedUser},
		"on another domain": {func(p *pair) *connector.User {
			return p.person(1, connector.Active, "mail", "ann@elsewhere.test")
		}, connector.NobodyToClaim},
		"a name that is held": {func(p *pair) *connector.User {
			p.sync(&people{list: []*connector.Record{person(1, "mail", "other@example.com")}}, connector.ResultOK)
			return p.person(1, connector.Active)
		}, connector.UserNameTaken},
		"an address that is held": {func(p *pair) *connector.User {
			p.sync(&people{list: []*connector.Record{person(2, "mail", "u0001@example.com")}}, connector.ResultOK)
			return p.person(1, connector.Active)
		}, connector.EmailTaken},
		"on a domain that its organization has claimed": {func(p *pair) *connector.User {
			p.old.verify("example.com")
			if err := p.db.ClaimDomain(p.t.Context(), "globex", "example.com", p.now); err != nil {
				p.t.Fatal(err)
			}
			return p.person(1, connector.Verified)
		}, connector.DomainClaimedElsewhere},
		"no seat": {func(p *pair) *connector.User {
			p.sync(&people{list: []*connector.Record{person(2), person(3), person(4), person(5), person(6)}}, connector.ResultOK)
			return p.person(1, connector.Active)
		}, connector.NoSeat},
		"an organization without a partner id": {func(p *pair) *connector.User {
			p.org.PartnerID = ""
			return p.person(1, connector.Active)
		}, connector.PartnerIDMissing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, nil)
			u := c.make(p)
			req := provision.ClaimRequest{Org: "acme", Users: []connector.ID{u.ID}}
			before, mine := p.old.picture(), p.picture()
			shown, err := p.claims.Preview(t.Context(), req)
			if err != nil || len(shown) != 1 || len(shown[0].Failures) != 1 || shown[0].Failures[0].Reason != c.want {
				t.Fatalf("preview: %+v %v, want %s", shown, err, c.want)
			}
			for _, r := range p.try(u) {
				if f := r.Failures; r.Claim != nil || len(f) != 1 || f[0].Reason != c.want || f[0].Code != connector.CodeCreation || f[0].Org != "acme" || f[0].Ref == "" {
					t.Errorf("%+v, want %s", f, c.want)
				}
			}
			if fmt.Sprint(p.old.picture(), p.picture()) != fmt.Sprint(before, mine) || len(p.mails("u0001@example.com")) != 0 {
				t.Error("a refusal has changed somebody")
			}
		})
	}
}

func TestClaimsByAddressTellNothingOfOtherDomains(t *testing.T) {
	t.Parallel()
	p := newPair(t, nil)
	p.person(1, connector.Active)
	p.person(2, connector.Active, "mail", "ann@elsewhere.test")
	p.person(3, connector.Active, "mail", "u0003@sub.Example.com")
	reasons := func(emails ...string) (list []string) {
		t.Helper()
		got, err := p.claims.Preview(t.Context(), provision.ClaimRequest{Org: "acme", Emails: emails})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range got {
			reason := "ok"
			if len(r.Failures) > 0 {
				reason = string(r.Failures[0].Reason)
			}
			list = append(list, reason)
		}
		return list
	}
	got := reasons("U0001@EXAMPLE.com", "u0001@example.com", "ann@elsewhere.test", "nobody@elsewhere.test", "nobody@example.com", "u0003@sub.example.com", "no address")
	want := []string{"ok", "domain_not_verified", "domain_not_verified", "nobody_to_claim", "ok", "domain_not_verified"}
	if !slices.Equal(got, want) { // the first one once
		t.Errorf("%v, want %v", got, want)
	}
	if _, err := p.claims.Preview(t.Context(), provision.ClaimRequest{Org: "acme", Emails: make([]string, 251)}); connector.KindOf(err) != connector.Invalid {
		t.Errorf("251 at once: %v", err)
	}
	third := p.beside(neighbour("third"))
	third.submit("idp", pushed(1, "e1", connector.NewID(p.now)))
	p.claims = provision.NewClaims(p.db, p.prov, p.old.prov, third.prov)
	if got := reasons("u0001@example.com"); !slices.Equal(got, []string{string(connector.AmbiguousMatch)}) {
		t.Errorf("an address in two organizations: %v", got)
	}
}

func TestPreviewCountsSeats(t *testing.T) {
	t.Parallel()
	p := newPair(t, func(acme, _ *connector.Organization) { acme.Packages[0].Seats = 2 })
	var req provision.ClaimRequest
	for i := range 4 {
		req.Users = append(req.Users, p.person(i+1, connector.Active).ID)
	}
	req.Org = "acme"
	list, err := p.claims.Preview(t.Context(), req)
	checkSeats(t, "preview", list, err)
	list, err = p.claims.Claim(t.Context(), req)
	checkSeats(t, "claim", list, err)
	if p.used("standard") != 2 || p.old.used("standard") != 2 {
		t.Errorf("%d and %d seats are used", p.used("standard"), p.old.used("standard"))
	}
}

func checkSeats(t *testing.T, name string, list []provision.ClaimResult, err error) {
	t.Helper()
	if err != nil || len(list) != 4 {
		t.Fatalf("%s: %+v %v", name, list, err)
	}
	for i, r := range list {
		if refused := len(r.Failures) > 0; refused != (i >= 2) || refused && r.Failures[0].Reason != connector.NoSeat {
			t.Errorf("%s, number %d: %+v", name, i, r.Failures)
		}
	}
}

func TestCandidatesByPage(t *testing.T) {
	t.Parallel()
	p := newPair(t, nil)
	for i := range 7 {
		p.person(i+1, connector.Active)
	}
	p.person(8, connector.Active, "mail", "x@a.example.com")
	p.person(9, connector.Active, "mail", "x@example.org")
	p.person(10, connector.Inactive)
	third := p.beside(neighbour("third"))
	third.submit("idp", pushed(11, "e", connector.NewID(p.now)))
	third.submit("idp", pushed(12, "f", connector.NewID(p.now), "mail", "x@notexample.com"))
	p.claims = provision.NewClaims(p.db, p.prov, p.old.prov, third.prov)
	var mails []string
	can := 0
	for q := (provision.CandidateQuery{Org: "acme", Limit: 3}); ; {
		list, next, err := p.claims.Candidates(t.Context(), q)
		if err != nil || len(list) > 3 {
			t.Fatal(list, err)
		}
		for _, c := range list {
			mails = append(mails, c.Email)
			if len(c.Failures) == 0 {
				can++
			}
		}
		if q.After = next; next == "" {
			break
		}
	}
	if len(mails) != 10 || can != 9 || mails[8] != "x@a.example.com" || mails[9] != "u0011@example.com" {
		t.Errorf("%d can be claimed of %v", can, mails)
	}
	if list, _, err := p.claims.Candidates(t.Context(), provision.CandidateQuery{Org: "acme", Domain: "a.example.com"}); err != nil || len(list) != 1 {
		t.Errorf("%+v %v", list, err)
	}
	if _, _, err := p.claims.Candidates(t.Context(), provision.CandidateQuery{Org: "acme", Domain: "example.org"}); connector.KindOf(err) != connector.Refused {
		t.Errorf("a domain that is not verified: %v", err)
	}
	if list, _, err := p.claims.Candidates(t.Context(), provision.CandidateQuery{Org: "globex"}); err != nil || len(list) != 0 {
		t.Errorf("without a domain: %+v %v", list, err)
	}
}
