package storetest

import (
	"time"

	"usherd/connector"
)

// createdInactive: who is there but inactive from the beginning is so whoever is changed before in the same call.
func createdInactive(f *fixture) {
	known := Create(1, "", f.now)
	f.save(known)
	update := Next(connector.Updated, known.After, f.now, func(u *connector.User) { u.Profile["title"] = []string{"Other"} })
	fresh := Create(2, "", f.now)
	u := fresh.After
	u.State, u.Resume, u.DeactivatedBy, u.DeactivatedSource = connector.Inactive, connector.Active, connector.BySource, Source
	u.DeactivatedReason, u.DeactivatedAt, u.DeleteAt = "it says so", f.now, f.now.Add(time.Hour)
	fresh.Fields = connector.Diff(nil, u)
	f.save(update, fresh)
	got, err := f.s.Users(f.ctx, Org, []connector.ID{u.ID})
	f.ok(err)
	f.equal(got, []*connector.User{u})
}
