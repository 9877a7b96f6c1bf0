package storetest

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"usherd/connector"
)

// audit: what a person does is written with the act, in a chain for each organization; what is not done is not written.
func audit(f *fixture) {
	ctx := connector.Acting(f.ctx, connector.Actor{Name: "console:anna", Address: "192.0.2.7", Reason: "asked by\x00 mail\xff", Ref: "AB12-CD34"})
	d := connector.Domain{Org: Org, Name: "audit.example", Token: "t", AddedAt: f.now, VerifiedAt: f.now}
	f.ok(f.s.AddDomain(ctx, d))
	f.kind(f.s.AddDomain(ctx, d), connector.Conflict)
	f.ok(f.s.ClaimDomain(ctx, Org, d.Name, f.now))
	f.ok(f.s.ReleaseDomain(ctx, Org, d.Name))
	f.ok(f.s.RemoveDomain(f.ctx, Org, d.Name)) // by nobody
	f.kind(f.s.RemoveDomain(ctx, Org, d.Name), connector.NotFound)

	by := func(kind connector.CauseKind) connector.Cause { return connector.Cause{Kind: kind, Actor: "cli:root"} }
	person := Create(7001, "", f.now)
	for c, cause := range map[*connector.Change]connector.Cause{person: by(connector.CausePerson), Create(7002, "", f.now): by(connector.CauseRun)} {
		f.ok(f.s.Write(f.ctx, func(tx connector.Tx) error {
			errs, err := tx.Save(f.ctx, []*connector.Change{c}, cause, f.now)
			return errors.Join(append(errs, err)...)
		}))
	}
	got := f.auditOf(Org)
	actions := make([]string, len(got))
	for i, e := range got {
		f.equal(e.Seq, int64(i+1))
		actions[i] = string(e.Action) + " " + e.Target
	}
	f.equal(actions, []string{
		"domain.added domain audit.example", "domain.claimed domain audit.example", "domain.released domain audit.example",
		"user.created user " + person.After.ID.String(),
	})
	f.equal(got[0].Actor, connector.Actor{Name: "console:anna", Address: "192.0.2.7", Reason: "asked by mail", Ref: "AB12-CD34"})
	f.equal(got[3].Actor.Name, "cli:root")

	entry := connector.AuditEntry{Org: "other", At: f.now, Actor: connector.Actor{Name: "api:1"}, Action: connector.AuditExported, Details: map[string]string{"rows": "3"}}
	f.ok(f.s.Write(f.ctx, func(tx connector.Tx) error { return tx.PutAudit(f.ctx, entry) }))
	f.kind(f.s.Write(f.ctx, func(tx connector.Tx) error { return tx.PutAudit(f.ctx, connector.AuditEntry{Org: Org, At: f.now}) }), connector.Invalid)
	f.equal(len(f.auditOf("other")), 1)
	check, err := connector.CheckAudit(f.s.AuditChain(f.ctx, Org), got[1].Hash)
	f.ok(err)
	f.equal(check, connector.AuditCheck{Entries: 4, Head: got[3].Hash, Passed: true})
	orgs, err := f.s.AuditOrgs(f.ctx)
	f.ok(err)
	f.equal(orgs, []string{Org, "other"})
}

// auditOf are all entries of an organization in order.
func (f *fixture) auditOf(org string) (list []connector.AuditEntry) {
	f.Helper()
	for e, err := range f.s.AuditChain(f.ctx, org) {
		f.ok(err)
		list = append(list, e)
	}
	return list
}

// auditChosen compares pages of entries with a naive reading of all of them.
func auditChosen(f *fixture) {
	seed := rand.Uint64() //nolint:gosec // of a test
	f.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // of a test
	actors, targets := []string{"cli:root", "cli:rolf", "api:1", "console:ann"}, []string{"user a", "user b", "domain c"}
	actions := []connector.AuditAction{connector.AuditExported, connector.AuditSignedIn}
	f.ok(f.s.Write(f.ctx, func(tx connector.Tx) error {
		for i := range 60 {
			err := tx.PutAudit(f.ctx, connector.AuditEntry{
				Org: Org, At: f.now.Add(time.Duration(i) * time.Minute), Actor: connector.Actor{Name: pick(r, actors...)},
				Action: pick(r, actions...), Target: pick(r, targets...),
			})
			if err != nil {
				return err
			}
		}
		return nil
	}))
	all := f.auditOf(Org)
	slices.Reverse(all)
	for range 60 {
		q := connector.AuditQuery{Org: Org, Limit: 1 + r.IntN(80)}
		if r.IntN(2) == 0 {
			q.Actor = pick(r, "cli:", "cli:ro", "api:1", "nobody")
		}
		if r.IntN(2) == 0 {
			q.Action = pick(r, actions...)
		}
		if r.IntN(2) == 0 {
			q.Target = pick(r, targets...)
		}
		if r.IntN(2) == 0 {
			q.Since, q.Until = f.now.Add(time.Duration(r.IntN(40))*time.Minute), f.now.Add(time.Duration(20+r.IntN(60))*time.Minute)
		}
		if r.IntN(2) == 0 {
			q.Before = int64(1 + r.IntN(70))
		}
		var want []connector.AuditEntry
		for _, e := range all {
			fits := strings.HasPrefix(e.Actor.Name, q.Actor) && (q.Action == "" || e.Action == q.Action) && (q.Target == "" || e.Target == q.Target) &&
				!e.At.Before(q.Since) && (q.Until.IsZero() || e.At.Before(q.Until)) && (q.Before == 0 || e.Seq < q.Before)
			if fits && len(want) < q.Limit {
				want = append(want, e)
			}
		}
		got, err := f.s.Audit(f.ctx, q)
		f.ok(err)
		f.equal(got, want)
	}
}
