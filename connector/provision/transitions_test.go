package provision_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/lifecycle"
	"usherd/connector/provision"
)

// allDoors has a source of each kind, each of which may do much at once.
func allDoors(o *connector.Organization) {
	o.ReevaluateOnDomainVerified = true
	for _, k := range []connector.SourceKind{connector.SCIM, connector.SignIn, connector.Template, connector.Import, connector.SiteLink} {
		o.Sources = append(o.Sources, connector.SourceSettings{ID: string(k), Kind: k, FirstRun: connector.FirstRunApply, Fingerprint: connector.Hash{7}})
	}
	generous(o)
}

// Addresses of a domain that is proven, and of one that is not.
const (
	provenMail   = "u0001@example.com"
	unprovenMail = "u0001@new.example"
)

// doors are what a test does with u0001, by the functions that the doors call.
type doors struct {
	*pair // the user is one of acme
	dir   *people
	runs  []connector.ID
	claim *connector.Claim
}

// saidOf is u0001 by a source.
func saidOf(mail string, enabled connector.Enabled) *connector.Record {
	r := person(1, "mail", mail)
	r.Enabled = enabled
	return r
}

func (d *doors) push(mail string, enabled connector.Enabled) { d.submit("scim", saidOf(mail, enabled)) }

func (d *doors) gone(source string) {
	d.submit(source, &connector.Record{Anchor: person(1).Anchor, Gone: true})
}

func (d *doors) read(records ...*connector.Record) {
	d.dir.list = slices.Concat(records, []*connector.Record{person(99)})
	d.runs = append(d.runs, d.sync(d.dir, connector.ResultOK).Run.ID)
}

func (d *doors) brings(enabled connector.Enabled) {
	d.syncFrom("import", file(row(1, enabled, "mail", d.address())), connector.ResultOK)
}

// address is the one that the test speaks of: that of the user where there is one.
func (d *doors) address() string {
	if u := d.user("u0001"); u != nil {
		return u.Profile.Get(connector.Email)
	}
	return provenMail
}

func (d *doors) asserts(mail string) {
	d.pushAs(provision.Push{Source: "sso", SignIn: true}, saidOf(mail, connector.EnabledUnknown))
}

// activates is what a link does whose use proves the address.
func (d *doors) activates(mail string) {
	rec := saidOf(mail, connector.EnabledYes)
	subscribed(rec)
	d.pushAs(provision.Push{Source: "template", Proven: true}, rec)
}

func (d *doors) pushAs(p provision.Push, rec *connector.Record) {
	p.Cause = connector.Cause{Kind: connector.CauseRequest, Actor: "test"}
	p.Record = func(context.Context, connector.Reader) (*connector.Record, error) { return rec, nil }
	_, err := d.prov.Push(d.t.Context(), p)
	d.ok(err)
}

func (d *doors) ok(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// tells is what an administrator's command does.
func (d *doors) tells(do func(context.Context, provision.Command) (*connector.Change, error)) {
	d.t.Helper()
	_, err := do(d.t.Context(), command(d.world, "u0001"))
	d.ok(err)
}

func (d *doors) later(t time.Duration) {
	d.now = d.now.Add(t)
	for _, s := range d.org.Sources {
		_, err := d.prov.EndGrace(d.t.Context(), s.ID, "r")
		d.ok(err)
	}
	_, err := d.prov.EndGraceUnlinked(d.t.Context())
	d.ok(err)
}

type step func(d *doors)

// Ways into the states.
var (
	notVerified = step(func(d *doors) { d.push(unprovenMail, connector.EnabledYes) })
	verified    = step(func(d *doors) { d.push(provenMail, connector.EnabledYes) })
	active      = step(func(d *doors) { verified(d); d.tells(d.prov.SignedIn) })
	fromDir     = step(func(d *doors) { d.read(saidOf(provenMail, connector.EnabledYes)) })
	dirUnproven = step(func(d *doors) { d.read(saidOf(unprovenMail, connector.EnabledYes)) })
	off         = step(func(d *doors) { d.tells(d.prov.Deactivate) })
	on          = step(func(d *doors) { d.tells(d.prov.Reactivate) })
	prove       = step(func(d *doors) { d.verify("new.example") })
	signsIn     = step(func(d *doors) { d.tells(d.prov.SignedIn) })
	asserts     = step(func(d *doors) { d.asserts(d.address()) })
	reads       = step(func(d *doors) { d.read(saidOf(d.address(), connector.EnabledYes)) })
	evaluates   = step(func(d *doors) { d.domainVerified("u0001") })
	deletes     = step(func(d *doors) { d.tells(d.prov.Delete) })
	undo        = step(func(d *doors) { d.rollback(d.runs[len(d.runs)-1]) })
	approvals   = step(func(d *doors) { d.org.Approval = true; d.rebuild(); d.build() })
	unprove     = step(func(d *doors) { d.ok(d.db.RemoveDomain(d.t.Context(), d.org.ID, "example.com")) })
	lost        = step(func(d *doors) { d.claimedFrom(d.world, "globex") })
	dueClaims   = step(func(d *doors) {
		d.now = d.claim.Until
		d.expire()
	})
)

// comes is a claim of globex's user, who was in that state.
func comes(was connector.State) step {
	return func(d *doors) {
		d.person(1, was)
		d.claimedFrom(d.old, "acme")
	}
}

func chooses(c connector.ClaimChoice) step {
	return func(d *doors) { d.decide(d.claim, c, "") }
}

// claimedFrom has an organization claim u0001 of the other one, on domains that it has proven too.
func (d *doors) claimedFrom(from *world, to string) {
	d.t.Helper()
	d.old.now = d.now
	if to == "globex" {
		d.old.verify("example.com")
		d.old.verify("new.example")
	}
	list, err := d.claims.Claim(d.t.Context(), provision.ClaimRequest{Org: to, Users: []connector.ID{from.user("u0001").ID}, Actor: "test"})
	d.ok(err)
	if d.claim = list[0].Claim; d.claim == nil {
		d.t.Fatalf("%+v", list[0].Failures)
	}
}

// invited is what the link of an invitation does.
func invited(d *doors) {
	u := d.user("u0001")
	l := connector.MailLink{ID: connector.NewID(d.now), Org: d.org.ID, Kind: connector.ProveLink, Subject: u.ID, Email: u.Profile.Get(connector.Email), Until: d.now.Add(day)}
	d.ok(d.db.Write(d.t.Context(), func(tx connector.Tx) error { return tx.PutMailLink(d.t.Context(), l) }))
	_, err := d.prov.ProveEmail(d.t.Context(), l.ID)
	d.ok(err)
}

func pushes(mail string, e connector.Enabled) step { return func(d *doors) { d.push(mail, e) } }
func brings(e connector.Enabled) step {
	return func(d *doors) { d.brings(e) }
}
func leaves(source string) step { return func(d *doors) { d.gone(source) } }
func passes(t time.Duration) step {
	return func(d *doors) { d.later(t) }
}

const (
	yes     = connector.EnabledYes
	no      = connector.EnabledNo
	unknown = connector.EnabledUnknown
)

// transition is one line of domain.md section 2: from a state a signal by a door, to a state.
type transition struct {
	from   connector.State
	signal lifecycle.Signal
	door   string
	before []step
	do     step
	to     connector.State
}

var transitions = []transition{
	{"", lifecycle.Created, "directory, proven", nil, fromDir, connector.Active},
	{"", lifecycle.Created, "directory, unproven", nil, dirUnproven, connector.NotVerified},
	{"", lifecycle.Created, "directory, disabled", nil, func(d *doors) { d.read(saidOf(provenMail, no)) }, ""},
	{"", lifecycle.Created, "SCIM, proven", nil, verified, connector.Verified},
	{"", lifecycle.Created, "SCIM, unproven", nil, notVerified, connector.NotVerified},
	{"", lifecycle.Created, "SCIM, active false", nil, pushes(provenMail, no), connector.Inactive},
	{"", lifecycle.Created, "SSO, proven", nil, func(d *doors) { d.asserts(provenMail) }, connector.Active},
	{"", lifecycle.Created, "SSO, unproven", nil, func(d *doors) { d.asserts(unprovenMail) }, connector.NotVerified},
	{"", lifecycle.Created, "template, unproven", nil, func(d *doors) { d.activates(unprovenMail) }, connector.Verified},
	{"", lifecycle.Created, "import, proven", nil, brings(unknown), connector.Verified},
	{"", lifecycle.Created, "import, unproven", nil, func(d *doors) { d.syncFrom("import", file(row(1, unknown, "mail", unprovenMail)), connector.ResultOK) }, connector.NotVerified},
	{"", lifecycle.Created, "import, active false", nil, brings(no), ""},
	{"", lifecycle.Created, "site link, unproven", nil, func(d *doors) {
		d.syncFrom("site_link", file(row(1, unknown, "mail", unprovenMail)), connector.ResultOK)
	}, connector.Verified},

	{connector.NotVerified, lifecycle.EmailProven, "template", []step{notVerified}, func(d *doors) { d.activates(unprovenMail) }, connector.Verified},
	{connector.NotVerified, lifecycle.EmailProven, "invitation", []step{notVerified}, invited, connector.Verified},
	{connector.Verified, lifecycle.EmailProven, "invitation", []step{verified}, invited, connector.Verified},
	{connector.Inactive, lifecycle.EmailProven, "invitation", []step{notVerified, off}, invited, connector.Inactive},
	{connector.NotVerified, lifecycle.DirectorySeen, "directory", []step{notVerified, prove}, reads, connector.Active},
	{connector.NotVerified, lifecycle.DirectorySeen, "directory, its own", []step{dirUnproven, prove}, func(d *doors) {
		d.ok(func() error { _, err := d.db.ForgetHashes(d.t.Context(), d.org.ID, "new.example"); return err }())
		reads(d)
	}, connector.Active},
	{connector.NotVerified, lifecycle.DirectorySeen, "directory, unproven", []step{notVerified}, reads, connector.NotVerified},
	{connector.Verified, lifecycle.DirectorySeen, "directory", []step{verified}, reads, connector.Active},
	{connector.NotVerified, lifecycle.DomainVerified, "domain", []step{notVerified, prove}, evaluates, connector.Verified},
	{connector.NotVerified, lifecycle.DomainVerified, "domain, of a directory", []step{dirUnproven, prove}, evaluates, connector.NotVerified},

	{connector.Verified, lifecycle.SignIn, "application", []step{verified}, signsIn, connector.Active},
	{connector.Verified, lifecycle.SignIn, "SSO", []step{verified}, asserts, connector.Active},
	{connector.Active, lifecycle.SignIn, "application", []step{active}, signsIn, connector.Active},
	{connector.NotVerified, lifecycle.SignIn, "application", []step{notVerified}, signsIn, connector.NotVerified},
	{connector.NotVerified, lifecycle.SignIn, "SSO", []step{notVerified}, asserts, connector.NotVerified},
	{connector.Inactive, lifecycle.SignIn, "application", []step{verified, off}, signsIn, connector.Inactive},
	{connector.Inactive, lifecycle.SignIn, "SSO", []step{verified, off}, asserts, connector.Inactive},
	{connector.Verified, lifecycle.SignIn, "application, approval pending", []step{approvals, verified}, signsIn, connector.Verified},
	{connector.Verified, lifecycle.SignIn, "SSO, approval pending", []step{approvals, verified}, asserts, connector.Verified},

	{connector.NotVerified, lifecycle.Deactivate, "administrator", []step{notVerified}, off, connector.Inactive},
	{connector.Verified, lifecycle.Deactivate, "administrator", []step{verified}, off, connector.Inactive},
	{connector.Active, lifecycle.Deactivate, "administrator", []step{active}, off, connector.Inactive},
	{connector.Verified, lifecycle.Deactivate, "rejection", []step{approvals, verified}, func(d *doors) { d.tells(d.prov.RejectUser) }, connector.Inactive},
	{connector.NotVerified, lifecycle.Deactivate, "SCIM", []step{notVerified}, pushes(unprovenMail, no), connector.Inactive},
	{connector.Active, lifecycle.Deactivate, "SCIM, deleted", []step{active}, leaves("scim"), connector.Inactive},
	{connector.Active, lifecycle.Deactivate, "directory, disabled", []step{fromDir}, func(d *doors) { d.read(saidOf(provenMail, no)) }, connector.Inactive},
	{connector.Active, lifecycle.Deactivate, "directory, gone", []step{fromDir}, func(d *doors) { d.read() }, connector.Inactive},
	{connector.Active, lifecycle.Deactivate, "directory, out of scope", []step{fromDir}, func(d *doors) {
		r := saidOf(provenMail, yes)
		r.OutOfScope = "another unit"
		d.read(r)
	}, connector.Inactive},
	{connector.Verified, lifecycle.Deactivate, "import", []step{brings(yes)}, brings(no), connector.Inactive},
	{connector.Verified, lifecycle.Deactivate, "import, not in the file", []step{brings(yes)}, func(d *doors) {
		d.syncFrom("import", file(row(2, yes)), connector.ResultOK)
	}, connector.Verified},

	{connector.Inactive, lifecycle.Reactivate, "administrator, was not verified", []step{notVerified, off}, on, connector.NotVerified},
	{connector.Inactive, lifecycle.Reactivate, "administrator, proven since", []step{notVerified, off, prove}, on, connector.Verified},
	{connector.Inactive, lifecycle.Reactivate, "administrator, was verified", []step{verified, off}, on, connector.Verified},
	{connector.Inactive, lifecycle.Reactivate, "administrator, was active", []step{active, off}, on, connector.Active},
	{connector.Inactive, lifecycle.Reactivate, "SCIM", []step{verified, pushes(provenMail, no)}, pushes(provenMail, yes), connector.Verified},
	{connector.Inactive, lifecycle.Reactivate, "SCIM, deleted before", []step{active, leaves("scim")}, pushes(provenMail, yes), connector.Active},
	{connector.Inactive, lifecycle.Reactivate, "SCIM, after an administrator", []step{verified, off}, pushes(provenMail, yes), connector.Inactive},
	{connector.Inactive, lifecycle.Reactivate, "directory", []step{fromDir, func(d *doors) { d.read() }}, reads, connector.Active},
	{connector.Inactive, lifecycle.Reactivate, "directory, proven since", []step{dirUnproven, func(d *doors) { d.read() }, prove}, func(d *doors) { d.read(saidOf(unprovenMail, yes)) }, connector.Active},
	{connector.Inactive, lifecycle.Reactivate, "directory, after an administrator", []step{fromDir, off}, func(d *doors) { d.read(saidOf(provenMail, yes)) }, connector.Inactive},
	{connector.Inactive, lifecycle.Reactivate, "import", []step{brings(yes), brings(no)}, brings(yes), connector.Verified},
	{connector.Inactive, lifecycle.Reactivate, "template", []step{verified, off}, func(d *doors) { d.activates(provenMail) }, connector.Inactive},

	{connector.Inactive, lifecycle.GraceOver, "clock, too early", []step{verified, off}, passes(29 * day), connector.Inactive},
	{connector.Inactive, lifecycle.GraceOver, "clock", []step{verified, pushes(provenMail, no)}, passes(31 * day), connector.Deleted},
	{connector.Inactive, lifecycle.GraceOver, "clock, gone", []step{fromDir, func(d *doors) { d.read() }}, passes(8 * day), connector.Deleted},
	{connector.Active, lifecycle.GraceOver, "clock", []step{active}, passes(365 * day), connector.Active},
	{connector.Inactive, lifecycle.Delete, "administrator", []step{verified, off}, deletes, connector.Deleted},
	{connector.Inactive, lifecycle.RolledBack, "deleted", []step{fromDir, func(d *doors) { d.read() }, func(d *doors) {
		d.now = d.now.Add(8 * day)
		d.read()
	}}, undo, connector.Inactive},
	{connector.Active, lifecycle.RolledBack, "was verified", []step{verified, reads}, undo, connector.Verified},
	{connector.Active, lifecycle.RolledBack, "was not verified", []step{notVerified, prove, reads}, undo, connector.NotVerified},
	{connector.Inactive, lifecycle.RolledBack, "was active", []step{fromDir, func(d *doors) { d.read(saidOf(provenMail, no)) }}, undo, connector.Active},

	{"", lifecycle.Created, "claim, was not verified", nil, comes(connector.NotVerified), connector.ClaimPending},
	{"", lifecycle.Created, "claim, was active", nil, comes(connector.Active), connector.ClaimPending},
	{connector.ClaimPending, lifecycle.ClaimDecided, "person, was active", []step{comes(connector.Active)}, chooses(connector.ClaimDelete), connector.Active},
	{connector.ClaimPending, lifecycle.ClaimDecided, "person, was verified", []step{comes(connector.Verified), unprove}, chooses(connector.ClaimMove), connector.Verified},
	{connector.ClaimPending, lifecycle.ClaimDecided, "person, was not verified", []step{comes(connector.NotVerified)}, chooses(connector.ClaimMove), connector.Verified},
	{connector.ClaimPending, lifecycle.ClaimDecided, "person, not proven any more", []step{comes(connector.NotVerified), unprove}, chooses(connector.ClaimMove), connector.NotVerified},
	{connector.ClaimPending, lifecycle.ClaimExpired, "clock, was active", []step{comes(connector.Active)}, dueClaims, connector.Active},
	{connector.ClaimPending, lifecycle.ClaimExpired, "clock, was verified", []step{comes(connector.Verified)}, dueClaims, connector.Verified},
	{connector.ClaimPending, lifecycle.ClaimExpired, "clock, not proven any more", []step{comes(connector.NotVerified), unprove}, dueClaims, connector.NotVerified},
	{connector.ClaimPending, lifecycle.ClaimExpired, "clock, too early", []step{comes(connector.Active), passes(13 * day)}, func(d *doors) { d.expire() }, connector.ClaimPending},
	{connector.ClaimPending, lifecycle.SignIn, "application", []step{comes(connector.Active)}, signsIn, connector.ClaimPending},
	{connector.ClaimPending, lifecycle.SignIn, "application, was not verified", []step{comes(connector.NotVerified)}, signsIn, connector.ClaimPending},
	{connector.ClaimPending, lifecycle.DirectorySeen, "directory", []step{comes(connector.Verified)}, reads, connector.ClaimPending},
	{connector.ClaimPending, lifecycle.Deactivate, "administrator", []step{comes(connector.Active)}, off, connector.Inactive},
	{connector.Inactive, lifecycle.Reactivate, "administrator, claim open", []step{comes(connector.Active), off}, on, connector.ClaimPending},
	{connector.Inactive, lifecycle.ClaimExpired, "clock", []step{comes(connector.Active), off}, dueClaims, connector.Inactive},
	{connector.Inactive, lifecycle.Reactivate, "administrator, claim over", []step{comes(connector.Active), off, dueClaims}, on, connector.Active},
	{connector.NotVerified, lifecycle.ClaimedElsewhere, "claim", []step{notVerified}, lost, connector.ConvertedAway},
	{connector.Verified, lifecycle.ClaimedElsewhere, "claim", []step{verified}, lost, connector.ConvertedAway},
	{connector.Active, lifecycle.ClaimedElsewhere, "claim", []step{active}, lost, connector.ConvertedAway},
	{connector.ClaimPending, lifecycle.ClaimedElsewhere, "claim back", []step{comes(connector.Active)}, lost, connector.ConvertedAway},
}

// TestTransitionsByDoor tries each transition by each door that can cause it, and each that is refused.
func TestTransitionsByDoor(t *testing.T) {
	t.Parallel()
	for _, tt := range transitions {
		t.Run(fmt.Sprintf("%s, %s by %s", stateName(tt.from), tt.signal, tt.door), func(t *testing.T) {
			t.Parallel()
			d := &doors{dir: &people{}, pair: newPair(t, func(acme, _ *connector.Organization) {
				acme.Packages[0].Seats = connector.Unlimited
				allDoors(acme)
			})}
			d.sync(&people{list: []*connector.Record{person(99)}}, connector.ResultOK)
			for _, s := range tt.before {
				s(d)
			}
			var id connector.ID
			if u := d.user("u0001"); u != nil {
				id = u.ID
			}
			tt.do(d)
			to := d.state("u0001")
			if to == "" && !id.IsZero() {
				users, err := d.db.Users(t.Context(), d.org.ID, []connector.ID{id})
				d.ok(err)
				to = users[0].State
			}
			if to != tt.to {
				t.Errorf("ends %s, want %s", stateName(to), stateName(tt.to))
			}
			d.lawful()
			d.old.lawful()
			d.consistent()
		})
	}
}

func stateName(s connector.State) string {
	if s == "" {
		return "nobody"
	}
	return string(s)
}

// lawful checks that whatever has happened to anybody is a row of the table.
func (w *world) lawful() {
	w.t.Helper()
	rows := lifecycle.Rows()
	for u, err := range w.allUsers() {
		if err != nil {
			w.t.Fatal(err)
		}
		var at connector.State
		for e, err := range w.db.UserEvents(w.t.Context(), w.org.ID, u.ID) {
			if err != nil {
				w.t.Fatal(err)
			}
			for _, tr := range e.Transitions {
				if tr.From != at || !allowed(rows, tr) {
					w.t.Errorf("%s: %s by %s to %s, but was %s", u.UserName(), stateName(tr.From), tr.Signal, tr.To, stateName(at))
				}
				at = tr.To
			}
		}
		if at != u.State {
			w.t.Errorf("%s is %s, and its history ends %s", u.UserName(), u.State, stateName(at))
		}
	}
}

func (w *world) allUsers() func(yield func(*connector.User, error) bool) {
	return func(yield func(*connector.User, error) bool) {
		q := connector.UserQuery{Org: w.org.ID}
		for {
			users, next, err := w.db.ListUsers(w.t.Context(), q)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, u := range users {
				if !yield(u, nil) {
					return
				}
			}
			if q.After = next; next == "" {
				return
			}
		}
	}
}

func allowed(rows []lifecycle.Row, t connector.Transition) bool {
	return slices.ContainsFunc(rows, func(r lifecycle.Row) bool {
		return r.To == t.To && slices.Contains(r.From, t.From) && slices.Contains(r.Signals, lifecycle.Signal(t.Signal))
	})
}

// TestEachRowHasADoor finds rows of the table that no line of the test tries.
func TestEachRowHasADoor(t *testing.T) {
	t.Parallel()
	for _, r := range lifecycle.Rows() {
		for _, from := range r.From {
			for _, s := range r.Signals {
				// That a run made somebody active, or less, can be undone in more ways than there are runs: these are tried by
				// state only, and the property test of rollbacks tries them at random.
				tried := slices.ContainsFunc(transitions, func(x transition) bool {
					return x.signal == s && (x.from == from || s == lifecycle.RolledBack) && (x.to == r.To || r.Stays || r.Refused || s == lifecycle.RolledBack)
				})
				if !tried {
					t.Errorf("%s by %s to %s (%s): no door tries it", stateName(from), s, stateName(r.To), r.When)
				}
			}
		}
	}
}
