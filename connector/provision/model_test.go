package provision_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/lifecycle"
	"usherd/connector/policy"
	"usherd/connector/provision"
)

// modelSteps are the random signals of TestRandomSignals; USHERD_MODEL_STEPS asks for another number.
const modelSteps = 100_000

const (
	modelStores = 4  // that share the steps
	modelOrgs   = 3  // on one store
	modelPeople = 25 // whom the sources of one organization know
)

// model is what a test remembers of the users of several organizations on one store, to compare each step with.
type model struct {
	t      *testing.T
	r      *rand.Rand
	w      []*world
	seen   []map[connector.ID]*connector.User
	rows   []lifecycle.Row
	signal map[string]int // how often each transition was seen
	step   int
	did    string
	claims *provision.Claims
	runs   [][]connector.ID // full runs of each organization's directory
}

// TestRandomSignals hands 100,000 random signals to real stores: whatever comes, the invariants of domain.md section 7
// hold after each, and nobody moves but by a row of the table of states.
func TestRandomSignals(t *testing.T) {
	t.Parallel()
	steps := modelSteps
	if racing || testing.Short() {
		steps /= 20
	}
	if s := os.Getenv("USHERD_MODEL_STEPS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		steps = n
	}
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("USHERD_MODEL_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	for k := range uint64(modelStores) { // each waits for its own disk
		t.Run(strconv.FormatUint(k, 10), func(t *testing.T) {
			t.Parallel()
			randomSignals(t, seed+k, steps/modelStores)
		})
	}
}

func randomSignals(t *testing.T, seed uint64, steps int) {
	t.Helper()
	t.Logf("USHERD_MODEL_SEED=%d, %d steps", seed, steps)
	m := newModel(t, seed)
	for m.step = 1; m.step <= steps; m.step++ {
		m.one(m.r.IntN(modelOrgs))
		if m.step%1000 == 0 {
			m.everything(m.step%10_000 == 0)
		}
		if t.Failed() {
			t.Fatalf("seed %d, step %d: %s", seed, m.step, m.did)
		}
	}
	m.everything(true)
	for _, key := range []string{ // what must have come about for the test to say anything
		"created verified", "created not_verified", "created active", "sign_in active", "deactivated inactive", "reactivated verified",
		"reactivated active", "grace_over deleted", "deleted deleted", "domain_verified verified", "directory_seen active", "email_proven verified",
		"created claim_pending", "claim_decided verified", "claimed_elsewhere converted_away", "run ok", "rollback ok",
	} {
		if m.signal[key] == 0 && steps >= 20_000 {
			t.Errorf("nobody was ever %s", key)
		}
	}
	t.Logf("%v", m.signal)
}

// newModel makes organizations that share a store, with few seats.
func newModel(t *testing.T, seed uint64) *model {
	t.Helper()
	m := &model{t: t, r: rand.New(rand.NewPCG(seed, 3)), rows: lifecycle.Rows(), signal: map[string]int{}}
	first := newWorld(t, nil)
	for i := range modelOrgs {
		w := *first
		org := *first.org
		org.ID, org.Approval, org.InactiveHoldsSeat = fmt.Sprintf("org%d", i), i == 1, i == 2
		org.Packages = []connector.Package{{ID: "standard", Seats: 12}, {ID: "gold", Seats: 3}, {ID: "guest", Seats: connector.Unlimited}}
		allDoors(&org)
		w.org, w.maps = &org, maps.Clone(first.maps)
		w.rebuild()
		w.verify(fmt.Sprintf("proven%d.test", i))
		m.w, m.seen = append(m.w, &w), append(m.seen, map[connector.ID]*connector.User{})
	}
	m.runs = make([][]connector.ID, modelOrgs)
	m.claims = provision.NewClaims(first.db, m.w[0].prov, m.w[1].prov, m.w[2].prov)
	return m
}

// record is what a source says of a random person: the sources name people alike, so that they meet, and now and then by
// the name or address of another one.
func (m *model) record(i int) *connector.Record { return m.recordOf(i, m.r.IntN(modelPeople)) }

func (m *model) recordOf(i, p int) *connector.Record {
	name := m.r.IntN(modelPeople)
	if m.r.IntN(10) > 0 {
		name = p
	}
	domain := []string{ // the last one is that of another organization, which may claim whoever has it
		fmt.Sprintf("proven%d.test", i), "unproven.test", fmt.Sprintf("late%d.test", i), fmt.Sprintf("proven%d.test", (i+1)%modelOrgs),
	}[m.r.IntN(4)]
	r := person(name, "mail", fmt.Sprintf("u%d@%s", name, domain), "title", []string{"", "Boss", "Clerk"}[m.r.IntN(3)])
	r.Anchor, r.Enabled = person(p).Anchor, connector.EnabledYes
	switch m.r.IntN(12) {
	case 0, 1:
		r.Enabled = connector.EnabledNo
	case 2:
		r = &connector.Record{Anchor: r.Anchor, Gone: true}
	case 3:
		r.OutOfScope = "another unit"
	case 4:
		r.Attributes = r.Attributes[:2]
	case 5:
		r.Fault = "unreadable"
	}
	return r
}

// one does one random thing to one organization and looks at what came of it.
func (m *model) one(i int) {
	w, ctx := m.w[i], m.t.Context()
	switch m.r.IntN(50) {
	case 0:
		m.world(i)
		m.refresh(i)
		return
	case 1:
		m.many(i)
		return
	}
	var ch *connector.Change
	var err error
	if m.r.IntN(2) == 0 {
		ch, err = m.says(ctx, w, i)
	} else {
		ch, err = m.commands(ctx, w, i)
	}
	if k := connector.KindOf(err); err != nil && k != connector.NotFound && k != connector.Refused && k != connector.Invalid {
		m.t.Errorf("%v", err)
	}
	if err != nil || ch.FreeSeat != "" || ch.Action == connector.Removed { // somebody who waits may have got the seat
		m.refresh(i)
		return
	}
	m.look(i, ch)
}

// says hands in a record by a random source.
func (m *model) says(ctx context.Context, w *world, i int) (*connector.Change, error) {
	s := w.org.Sources[m.r.IntN(len(w.org.Sources))]
	rec := m.record(i)
	p := provision.Push{
		Source: s.ID, SignIn: s.Kind == connector.SignIn, Proven: s.Kind == connector.Template, Cause: connector.Cause{Kind: connector.CauseRequest, Actor: "model"},
		Record: func(context.Context, connector.Reader) (*connector.Record, error) { return rec, nil },
	}
	if s.Kind == connector.Template {
		rec.OutOfScope = ""
		subscribed(rec)
	}
	if p.SignIn {
		rec.OutOfScope, rec.Gone, rec.Enabled = "", false, connector.EnabledUnknown
	}
	m.did = fmt.Sprintf("%s of %s says %s, enabled %d, gone %t, scope %q, %d attributes", s.ID, w.org.ID, rec.DN, rec.Enabled, rec.Gone, rec.OutOfScope, len(rec.Attributes))
	return w.prov.Push(ctx, p)
}

// commands does what an administrator or an application does to a random user.
func (m *model) commands(ctx context.Context, w *world, i int) (*connector.Change, error) {
	u := m.somebody(i)
	if u == nil {
		return &connector.Change{Action: connector.Unchanged}, nil
	}
	c := provision.Command{User: u.ID, Actor: "model", Reason: "chance"}
	n := m.r.IntN(9)
	m.did = fmt.Sprintf("command %d on %s of org %d, who is %s", n, u.UserName(), i, u.State)
	switch n {
	case 0:
		return w.prov.Deactivate(ctx, c)
	case 1, 2:
		return w.prov.Reactivate(ctx, c)
	case 3:
		return w.prov.Approve(ctx, c)
	case 4:
		return w.prov.RejectUser(ctx, c)
	case 5:
		return w.prov.SetPackage(ctx, c, []string{"", "standard", "gold", "guest"}[m.r.IntN(4)], m.r.IntN(3) == 0)
	case 6:
		return w.prov.Delete(ctx, c)
	}
	ch, err := w.prov.SignedIn(ctx, c)
	if err == nil && ch.Action != connector.Unchanged && (u.PendingApproval || u.State != connector.Verified) {
		m.t.Errorf("%s was %s and has signed in", u.UserName(), u.State)
	}
	return ch, err
}

// somebody is a random user, the same for the same seed.
func (m *model) somebody(i int) *connector.User {
	list := slices.SortedFunc(maps.Values(m.seen[i]), func(a, b *connector.User) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	if len(list) == 0 {
		return nil
	}
	return list[m.r.IntN(len(list))]
}

// world changes what is around the users: the clock, a domain, the number of seats, the end of grace periods.
func (m *model) world(i int) {
	w, ctx := m.w[i], m.t.Context()
	m.did = "the world of " + w.org.ID
	switch m.r.IntN(6) {
	case 0, 1:
		for _, o := range m.w {
			o.now = w.now.Add(time.Duration(m.r.IntN(20*24)) * time.Hour)
		}
	case 2:
		d := connector.Domain{Org: w.org.ID, Name: fmt.Sprintf("late%d.test", i), Token: "t", AddedAt: w.now}
		if m.r.IntN(2) == 0 {
			d.VerifiedAt = w.now
		}
		_ = w.db.RemoveDomain(ctx, d.Org, d.Name) // it may not be there
		m.ok(w.db.AddDomain(ctx, d))
		if d.Verified() {
			m.provenFor(i, d.Name)
		}
	case 3:
		w.org.Packages[0].Seats = 8 + m.r.IntN(8)
		m.ok(w.db.SetPackages(ctx, w.org.ID, w.org.Packages))
		m.ok(w.prov.Offer(ctx))
	default:
		for _, s := range w.org.Sources {
			_, err := w.prov.EndGrace(ctx, s.ID, "r")
			m.ok(err)
		}
		_, err := w.prov.EndGraceUnlinked(ctx)
		m.ok(err)
	}
}

// provenFor tells the users of a domain that it is proven.
func (m *model) provenFor(i int, domain string) {
	var ids []connector.ID
	for id, u := range m.seen[i] {
		if name, ok := policy.EmailDomain(u.Profile.Get(connector.Email)); ok && name == domain && u.State == connector.NotVerified {
			ids = append(ids, id)
		}
	}
	_, err := m.w[i].prov.DomainVerified(m.t.Context(), ids, "model")
	m.ok(err)
}

func (m *model) ok(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Errorf("%v", err)
	}
}

// look checks what a step says that it did against what is stored.
func (m *model) look(i int, ch *connector.Change) {
	switch {
	case ch.Action == connector.Failed && ch.After != nil:
		m.t.Errorf("a refusal has a user: %+v", ch)
	case ch.After == nil:
		return
	}
	users, err := m.w[i].db.Users(m.t.Context(), m.w[i].org.ID, []connector.ID{ch.After.ID})
	if err != nil || len(users) != 1 {
		m.t.Fatal(users, err)
	}
	m.moved(i, users[0], ch.Transitions, ch.Fields)
	if ch.TakeSeat != "" {
		m.seats(i)
	}
}

// moved compares a user with what was known: its version is the next one, its fields are those before with what the event
// says, and it has come where it is by rows of the table.
func (m *model) moved(i int, now *connector.User, steps []connector.Transition, fields []connector.FieldChange) {
	was := m.seen[i][now.ID]
	before := connector.User{Profile: connector.Profile{}}
	if was != nil {
		before = *was
		before.Profile = was.Profile.Clone()
	}
	at := before.State
	if now.Version != before.Version+1 {
		m.t.Errorf("%s had version %d and has %d", now.UserName(), before.Version, now.Version)
	}
	for _, s := range steps {
		if s.From != at || !allowed(m.rows, s) {
			m.t.Errorf("%s: %q by %s to %q", now.UserName(), s.From, s.Signal, s.To)
		}
		at = s.To
		m.signal[s.Signal+" "+string(s.To)]++
	}
	if at != now.State {
		m.t.Errorf("%s is %s, and the steps end %q", now.UserName(), now.State, at)
	}
	if was == nil && len(steps) > 0 && steps[0].To == connector.Inactive {
		m.t.Errorf("%s was created inactive", now.UserName())
	}
	connector.Replay(&before, fields)
	if d := connector.Diff(&before, now); len(d) > 0 {
		m.t.Errorf("%s: the event does not give the user: %+v", now.UserName(), d)
	}
	m.seen[i][now.ID] = now
}

// seats checks that no package is over-used by anybody but its number.
func (m *model) seats(i int) {
	w := m.w[i]
	counts, err := w.db.Seats(m.t.Context(), w.org.ID)
	m.ok(err)
	for _, s := range counts {
		used := 0
		for _, u := range m.seen[i] {
			if u.Package == s.Package && u.HoldsSeat(w.org.InactiveHoldsSeat) {
				used++
			}
		}
		if used != s.Used {
			m.t.Errorf("%d seats of %s are counted as used, %d are", s.Used, s.Package, used)
		}
		if lowered := w.org.Packages[0]; s.Seats != connector.Unlimited && s.Used > s.Seats && (s.Package != lowered.ID || s.Used > 15) {
			m.t.Errorf("%d of %d seats of %s are used", s.Used, s.Seats, s.Package)
		}
	}
}

// refresh takes over what a step did to several users, by their events.
func (m *model) refresh(i int) {
	w := m.w[i]
	var changed []connector.ID
	live := map[connector.ID]bool{}
	for u, err := range w.allUsers() {
		m.ok(err)
		live[u.ID] = true
		if was := m.seen[i][u.ID]; was == nil || was.Version != u.Version {
			changed = append(changed, u.ID)
		}
	}
	for id, u := range m.seen[i] {
		if !live[id] && u.State.Live() {
			changed = append(changed, id)
		}
	}
	users, err := w.db.Users(m.t.Context(), w.org.ID, changed)
	m.ok(err)
	for _, u := range users {
		m.catchUp(i, u)
	}
	m.seats(i)
}

// catchUp follows a user event by event from what was known.
func (m *model) catchUp(i int, u *connector.User) {
	was := m.seen[i][u.ID]
	at := connector.User{Profile: connector.Profile{}}
	if was != nil {
		at = *was
		at.Profile = was.Profile.Clone()
	}
	for e, err := range m.w[i].db.UserEvents(m.t.Context(), m.w[i].org.ID, u.ID) {
		m.ok(err)
		if e.Version <= at.Version {
			continue
		}
		next := at
		next.Profile = at.Profile.Clone()
		connector.Replay(&next, e.Fields)
		next.ID, next.Version = u.ID, e.Version
		m.moved(i, &next, e.Transitions, e.Fields)
		at = next
	}
	if d := connector.Diff(&at, u); len(d) > 0 || at.Version != u.Version {
		m.t.Errorf("%s: the events do not give the user: %+v", u.UserName(), d)
	}
	m.seen[i][u.ID] = u
}

// everything compares all users with what was remembered, and finds names that two hold; the store looks at itself too.
func (m *model) everything(deep bool) {
	for i, w := range m.w {
		names := map[connector.UserKey]connector.ID{}
		live := 0
		for u, err := range w.allUsers() {
			m.ok(err)
			live++
			was := m.seen[i][u.ID]
			if was == nil || was.Version != u.Version || len(connector.Diff(was, u)) > 0 {
				m.t.Errorf("%s of %s is not as it was left", u.UserName(), w.org.ID)
			}
			for _, k := range u.Keys() {
				if other, taken := names[k]; taken && other != u.ID {
					m.t.Errorf("%s %s is held twice", k.Kind, k.Value)
				}
				names[k] = u.ID
			}
		}
		for id, u := range m.seen[i] {
			switch {
			case u.State.Live():
				live--
			default:
				delete(m.seen[i], id) // nothing becomes of a tombstone
			}
		}
		if live != 0 {
			m.t.Errorf("%s has %d users more than were remembered", w.org.ID, live)
		}
	}
	if deep {
		m.w[0].sound()
	}
}

// subscribed gives a record the names that the records of templates have.
func subscribed(rec *connector.Record) {
	for i := range rec.Attributes {
		a := &rec.Attributes[i]
		if name := map[string]string{"uid": connector.UserName, "givenName": connector.GivenName, "sn": connector.FamilyName, "mail": connector.Email}[a.Name]; name != "" {
			a.Name = name
		}
	}
}
