package storetest

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"usherd/connector"
)

// Org and Source are what the people of this package belong to unless a test says otherwise.
const (
	Org    = "acme"
	Source = "ad"
)

// Start is the instant at which the tests begin.
func Start() time.Time { return time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC) }

// AnchorOf is the objectGUID of person n: no two are equal, and they come in no order.
func AnchorOf(n int) connector.Anchor {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n))) //nolint:gosec // n is small and positive
	return connector.Anchor{Kind: connector.ObjectGUID, Raw: string(sum[:16])}
}

// Profile is what the mapping makes of person n: fifteen attributes, about 700 bytes.
func Profile(n int) connector.Profile {
	given, family := fmt.Sprintf("Given%d", n%977), fmt.Sprintf("Family%d", n)
	return connector.Profile{
		connector.UserName:    {fmt.Sprintf("User%06d", n)},
		connector.GivenName:   {given},
		connector.FamilyName:  {family},
		connector.Email:       {fmt.Sprintf("Given%d.Family%d@example.com", n%977, n)},
		connector.DisplayName: {given + " " + family},
		"title":               {"Senior Engineer for Something Long Enough"},
		"department":          {fmt.Sprintf("Department of Affairs %d", n%40)},
		"division":            {"Research and Development"},
		"organization":        {"Acme Corporation International"},
		"phone":               {fmt.Sprintf("+46 8 123 %06d", n)},
		"mobilePhone":         {fmt.Sprintf("+46 70 123 %06d", n)},
		"streetAddress":       {"12 Long Street, Building B, Floor 3"},
		"locality":            {"Stockholm"},
		"country":             {"Sweden"},
		"preferredLanguage":   {"sv-SE"},
	}
}

// Create is the decision to create person n, active and with a seat of pkg ("" = no package).
func Create(n int, pkg string, now time.Time) *connector.Change {
	u := &connector.User{
		ID: connector.NewID(now), Org: Org, Profile: Profile(n), State: connector.Active, Package: pkg,
		CreatedAt: now, UpdatedAt: now, Version: 1,
	}
	dn := fmt.Sprintf("CN=Given%d Family%d,OU=Department %d,OU=People,DC=corp,DC=example,DC=com", n%977, n, n%40)
	sum := sha256.Sum256([]byte(dn))
	return &connector.Change{
		Action: connector.Created, Org: Org, Source: Source, Anchor: AnchorOf(n), DN: dn, Subject: u.UserName(),
		After: u, Fields: connector.Diff(nil, u), TakeSeat: pkg,
		Transitions: []connector.Transition{{To: connector.Active, Signal: "created_verified_domain"}},
		Link: &connector.Link{
			Org: Org, Source: Source, Anchor: AnchorOf(n), User: u.ID, DN: dn, Hash: connector.Hash(sum[:16]),
			Standing: connector.StandingEnabled, UpdatedAt: now,
		},
	}
}

// Next is the decision that turns before into what edit makes of a copy of it.
func Next(action connector.Action, before *connector.User, now time.Time, edit func(*connector.User)) *connector.Change {
	after := *before
	after.Profile = before.Profile.Clone()
	edit(&after)
	after.Version, after.UpdatedAt = before.Version+1, now
	c := &connector.Change{
		Action: action, Org: before.Org, Source: Source, Subject: after.Profile.Subject(),
		BaseVersion: before.Version, After: &after, Fields: connector.Diff(before, &after),
	}
	if after.State != before.State {
		c.Transitions = []connector.Transition{{From: before.State, To: after.State, Signal: "test"}}
	}
	return c
}

// RunCause is the cause of changes made by a run.
func RunCause(run connector.ID) connector.Cause {
	return connector.Cause{Kind: connector.CauseRun, Run: run, Actor: "run"}
}
