package provision_test

import (
	"fmt"
	"slices"

	"usherd/connector"
	"usherd/connector/provision"
)

// many does a random thing to many people, or to more than one organization, and takes over what came of it.
func (m *model) many(i int) {
	switch m.r.IntN(8) {
	case 0:
		m.reads(i)
	case 1:
		m.undoes(i)
	case 2, 3, 4:
		m.takes(i)
	case 5, 6:
		m.decides(i)
	case 7:
		m.did = "claims end by time"
		_, err := m.claims.ExpireClaims(m.t.Context())
		m.ok(err)
	}
	for k := range m.w {
		m.refresh(k)
	}
	m.claimsFit()
}

// reads is a full run over a directory with most of the people.
func (m *model) reads(i int) {
	w, from := m.w[i], &people{}
	for p := range modelPeople {
		if rec := m.recordOf(i, p); m.r.IntN(10) > 0 && !rec.Gone {
			from.list = append(from.list, rec)
		}
	}
	m.did = fmt.Sprintf("%s reads %d people", w.org.ID, len(from.list))
	plan, err := w.prov.Sync(m.t.Context(), provision.SyncRequest{Source: "dir", From: from, Mode: connector.ModeFull, Actor: "model"})
	if plan != nil {
		m.runs[i] = append(m.runs[i], plan.Run.ID)
		m.signal["run "+string(plan.Run.Result)]++
		m.ok(plan.Close())
	}
	m.ok(err)
}

// undoes takes one of the last runs back.
func (m *model) undoes(i int) {
	w, runs := m.w[i], m.runs[i]
	if len(runs) == 0 {
		return
	}
	run := runs[len(runs)-1-m.r.IntN(min(len(runs), 3))]
	m.did = fmt.Sprintf("%s undoes run %s", w.org.ID, run)
	plan, err := w.prov.Rollback(m.t.Context(), provision.RollbackRequest{Run: run, Apply: true, Actor: "model"})
	if plan != nil {
		m.signal["rollback "+string(plan.Run.Result)]++
		m.ok(plan.Close())
	}
	if k := connector.KindOf(err); err != nil && k != connector.Refused && k != connector.Conflict {
		m.ok(err)
	}
}

// takes claims random users of another organization, of whom some can be claimed.
func (m *model) takes(i int) {
	j := (i + modelOrgs - 1) % modelOrgs // whose people may have addresses on a domain of ours
	req := provision.ClaimRequest{Org: m.w[i].org.ID, Actor: "model"}
	for range 5 {
		if u := m.somebody(j); u != nil {
			req.Users = append(req.Users, u.ID)
		}
	}
	p := modelPeople + m.r.IntN(10) // whom only a client knows: who is in a directory or signs in stays
	rec := person(p, "mail", fmt.Sprintf("u%d@proven%d.test", p, i))
	ch, err := m.w[j].prov.Submit(m.t.Context(), "scim", rec, connector.Cause{Kind: connector.CauseRequest, Actor: "model"})
	if m.ok(err); err == nil && ch.After != nil {
		req.Users = append(req.Users, ch.After.ID)
		m.refresh(j)
	}
	m.did = fmt.Sprintf("%s claims %v of %s", req.Org, req.Users, m.w[j].org.ID)
	results, err := m.claims.Claim(m.t.Context(), req)
	m.ok(err)
	for _, r := range results {
		if (r.Claim == nil) == (len(r.Failures) == 0) {
			m.t.Errorf("neither claimed nor refused: %+v", r)
		}
	}
}

// decides ends an open claim as the person may.
func (m *model) decides(i int) {
	w := m.w[i]
	open, err := w.db.Claims(m.t.Context(), connector.ClaimQuery{Org: w.org.ID, Status: connector.ClaimOpen})
	m.ok(err)
	if len(open) == 0 {
		return
	}
	x := provision.ClaimDecision{Org: w.org.ID, Claim: open[m.r.IntN(len(open))].ID, Choice: connector.ClaimChoices()[m.r.IntN(3)], Actor: "model"}
	if x.Choice == connector.ClaimKeep {
		x.Email = fmt.Sprintf("k%d@private.test", m.r.IntN(1000))
	}
	m.did = fmt.Sprintf("%s decides %+v", w.org.ID, x)
	if _, _, err = m.claims.DecideClaim(m.t.Context(), x); connector.KindOf(err) != connector.Conflict { // its user was deleted
		m.ok(err)
	}
}

// claimsFit checks that whoever waits for a decision has one open claim, and that open claims are those of such people.
func (m *model) claimsFit() {
	for i, w := range m.w {
		open, err := w.db.Claims(m.t.Context(), connector.ClaimQuery{Org: w.org.ID, Status: connector.ClaimOpen})
		m.ok(err)
		waiting := map[connector.ID]bool{}
		for id, u := range m.seen[i] {
			if u.State == connector.ClaimPending || u.State == connector.Inactive && u.Resume == connector.ClaimPending {
				waiting[id] = true
				if n := len(slices.DeleteFunc(slices.Clone(open), func(c connector.Claim) bool { return c.User != id })); n != 1 {
					m.t.Errorf("%s of %s waits for a decision and has %d open claims", u.UserName(), w.org.ID, n)
				}
			}
		}
		for _, c := range open {
			u := m.seen[i][c.User]
			if gone := u == nil || !u.State.Live(); !gone && !waiting[c.User] {
				m.t.Errorf("claim %s of %s is open, and its user is %s", c.ID, w.org.ID, u.State)
			}
		}
	}
}
