package provision_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/mapping"
	"usherd/connector/provision"
	"usherd/connector/store"
	"usherd/connector/store/newstore"
)

// people is a source that a test changes by hand.
type people struct {
	list       []*connector.Record
	incomplete string
	err        error
	lookups    int
	during     func(i int) // called before record i is handed over
	presence   map[string]connector.Presence
}

func (p *people) Read(ctx context.Context, yield func(*connector.Record) error) (connector.ReadResult, error) {
	res := connector.ReadResult{Complete: p.incomplete == "", Why: p.incomplete, Present: map[string]int{}, Server: "test"}
	for i, r := range p.list {
		if p.during != nil {
			p.during(i)
		}
		if err := ctx.Err(); err != nil {
			return res, err
		}
		res.Entries++
		for _, a := range r.Attributes {
			res.Present[a.Name]++
		}
		if err := yield(r.Clone()); err != nil {
			return res, err
		}
	}
	return res, p.err
}

func (p *people) Lookup(_ context.Context, a connector.Anchor) (*connector.Record, connector.Presence, error) {
	p.lookups++
	for _, r := range p.list {
		if r.Anchor == a {
			return r.Clone(), connector.PresentInScope, nil
		}
	}
	if x, ok := p.presence[a.Raw]; ok {
		return nil, x, nil
	}
	return nil, connector.PresenceGone, nil
}

func (p *people) Find(_ context.Context, key string) ([]*connector.Record, error) {
	var out []*connector.Record
	for _, r := range p.list {
		for _, name := range []string{"uid", "mail"} {
			if v := r.Values(name); len(v) > 0 && connector.Fold(string(v[0])) == connector.Fold(key) {
				out = append(out, r.Clone())
				break
			}
		}
	}
	return out, nil
}

// person makes a record with number i; more overrides or, with an empty value, removes attributes.
func person(i int, more ...string) *connector.Record {
	attrs := map[string]string{
		"uid": fmt.Sprintf("u%04d", i), "givenName": "Ann", "sn": fmt.Sprintf("Lee%d", i), "mail": fmt.Sprintf("u%04d@example.com", i),
	}
	for j := 0; j+1 < len(more); j += 2 {
		attrs[more[j]] = more[j+1]
	}
	r := &connector.Record{
		Anchor: connector.Anchor{Kind: connector.EntryUUID, Raw: fmt.Sprintf("anchor-%09d", i)}, DN: fmt.Sprintf("uid=u%04d,ou=people", i),
		Enabled: connector.EnabledYes,
	}
	for _, name := range []string{"uid", "givenName", "sn", "mail", "title"} {
		if v := attrs[name]; v != "" {
			r.Attributes = append(r.Attributes, connector.Attribute{Name: name, Values: [][]byte{[]byte(v)}})
		}
	}
	return r
}

func crowd(n int) []*connector.Record {
	var out []*connector.Record
	for i := 1; i <= n; i++ {
		out = append(out, person(i))
	}
	return out
}

// world is one organization on a real store with a clock that the test turns.
type world struct {
	t    testing.TB
	db   *store.DB
	url  string
	org  *connector.Organization
	prov *provision.Provisioner
	now  time.Time
	maps map[string]*mapping.Mapping
}

func newWorld(tb testing.TB, edit func(*connector.Organization)) *world {
	tb.Helper()
	w := &world{t: tb, url: newstore.URL(tb), now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC), maps: map[string]*mapping.Mapping{}}
	db, err := store.Open(tb.Context(), w.url, store.Options{Now: func() time.Time { return w.now }})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		db := w.db // the test may have opened it anew
		problems, err := db.Verify(context.Background())
		if err != nil || len(problems) > 0 {
			tb.Errorf("the store breaks an invariant: %v %v", problems, err)
		}
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	w.db = db
	w.org = &connector.Organization{
		ID: "acme", PartnerID: "P-1", DeleteAfter: 30 * 24 * time.Hour, GoneDeleteAfter: 7 * 24 * time.Hour,
		Packages: []connector.Package{{ID: "standard", Seats: connector.Unlimited}}, DefaultPackage: "standard",
		Sources: []connector.SourceSettings{{
			ID: "dir", Kind: connector.Directory, FirstRun: connector.FirstRunApply, Fingerprint: connector.Hash{1},
			Guard: connector.Guard{Min: 10, Percent: 5},
		}},
	}
	if edit != nil {
		edit(w.org)
	}
	w.rebuild()
	w.verify("example.com")
	return w
}

// rebuild takes over changed settings.
func (w *world) rebuild() {
	w.t.Helper()
	for _, s := range w.org.Sources {
		preset := "openldap"
		if s.Kind == connector.Template {
			preset = mapping.Template
		}
		m, faults := mapping.Compile(mapping.Config{Preset: preset})
		if len(faults) > 0 {
			w.t.Fatal(faults)
		}
		w.maps[s.ID] = m
	}
	if err := w.db.SetPackages(w.t.Context(), w.org.ID, w.org.Packages); err != nil {
		w.t.Fatal(err)
	}
	w.prov = provision.New(provision.Options{
		Store: w.db, Org: w.org, Mappings: w.maps, Now: func() time.Time { return w.now }, SpoolDir: w.t.TempDir(),
	})
}

func (w *world) verify(domain string) {
	w.t.Helper()
	if err := w.db.AddDomain(w.t.Context(), connector.Domain{Org: w.org.ID, Name: domain, Token: "t", AddedAt: w.now, VerifiedAt: w.now}); err != nil {
		w.t.Fatal(err)
	}
}

// sync does a full run and checks its result.
func (w *world) sync(p *people, want connector.Result) *provision.Plan {
	w.t.Helper()
	return w.syncFrom("dir", p, want)
}

func (w *world) syncFrom(source string, p *people, want connector.Result) *provision.Plan {
	w.t.Helper()
	w.now = w.now.Add(time.Minute)
	plan, err := w.prov.Sync(w.t.Context(), provision.SyncRequest{Source: source, From: p, Mode: connector.ModeFull, Actor: "test"})
	if err != nil && want != connector.ResultFailed {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = plan.Close() })
	if plan.Run.Result != want {
		w.t.Fatalf("the run ended as %s (%s %+v), want %s", plan.Run.Result, plan.Run.Error, plan.Run.Hold, want)
	}
	stored, err := w.db.Run(w.t.Context(), plan.Run.ID)
	if err != nil || stored.Result != want || stored.Counts != plan.Run.Counts {
		w.t.Fatalf("stored as %+v, %v", stored, err)
	}
	return plan
}

// user returns the live user with that name, nil when there is none.
func (w *world) user(name string) *connector.User {
	w.t.Helper()
	users, err := w.db.UsersByKey(w.t.Context(), w.org.ID, []connector.UserKey{{Kind: connector.UserName, Value: connector.Fold(name)}})
	if err != nil {
		w.t.Fatal(err)
	}
	if len(users) == 0 {
		return nil
	}
	return users[0]
}

func (w *world) state(name string) connector.State {
	w.t.Helper()
	if u := w.user(name); u != nil {
		return u.State
	}
	return ""
}

func (w *world) items() []connector.OpenItem {
	w.t.Helper()
	items, _, err := w.db.OpenItems(w.t.Context(), connector.ItemQuery{Org: w.org.ID})
	if err != nil {
		w.t.Fatal(err)
	}
	return items
}

func (w *world) used(pkg string) int {
	w.t.Helper()
	seats, err := w.db.Seats(w.t.Context(), w.org.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	i := slices.IndexFunc(seats, func(s connector.SeatCount) bool { return s.Package == pkg })
	return seats[i].Used
}

func counts(t *testing.T, p *provision.Plan, want connector.Counts) {
	t.Helper()
	if p.Run.Counts != want {
		t.Fatalf("counts %+v, want %+v", p.Run.Counts, want)
	}
}

func (w *world) approve(held *provision.Plan, p *people) (*provision.Plan, error) {
	w.t.Helper()
	w.now = w.now.Add(time.Minute)
	run, err := w.db.Run(w.t.Context(), held.Run.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.prov.CheckHold(run); err != nil {
		w.t.Fatal(err)
	}
	plan, err := w.prov.Sync(w.t.Context(), provision.SyncRequest{Source: run.Source, From: p, Mode: connector.ModeFull, Actor: "test", Approve: run})
	w.t.Cleanup(func() { _ = plan.Close() })
	return plan, err
}

func command(w *world, name string) provision.Command {
	return provision.Command{User: w.user(name).ID, Actor: "admin"}
}

// submit hands in one record.
func (w *world) submit(source string, rec *connector.Record) *connector.Change {
	w.t.Helper()
	ch, err := w.prov.Submit(w.t.Context(), source, rec, connector.Cause{Kind: connector.CauseRequest, Actor: "test"})
	if err != nil {
		w.t.Fatal(err)
	}
	return ch
}

// personRun does one person of dir.
func (w *world) personRun(p *people, key string) {
	w.t.Helper()
	if _, err := w.prov.Person(w.t.Context(), provision.PersonRequest{Source: "dir", From: p, Key: key, Actor: "test"}); err != nil {
		w.t.Fatal(err)
	}
}

// domainVerified tells of the proof of a user's domain.
func (w *world) domainVerified(name string) {
	w.t.Helper()
	if _, err := w.prov.DomainVerified(w.t.Context(), []connector.ID{w.user(name).ID}, "test"); err != nil {
		w.t.Fatal(err)
	}
}
