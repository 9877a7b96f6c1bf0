package main

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/connector/store"
	"usherd/connector/store/newstore"
)

const claimsConfig = `listen: 127.0.0.1:0
store: sqlite:$DIR/usherd.db
scim: {listen: "127.0.0.1:0", url: "https://scim.test"}
organizations:
- id: acme
  partner_id: P-1
  packages: [{id: standard, seats: 10}]
  package: standard
  sources: [{id: idp, scim: {}}]
- id: globex
  partner_id: P-2
  packages: [{id: standard, seats: 10}]
  package: standard
  sources: [{id: idp, scim: {}}]
`

// claimed has people of globex claimed by acme: none of them has decided.
func (r *rig) claimed(names ...string) {
	r.t.Helper()
	r.withStore(func(db *store.DB) {
		now, ctx := r.clock(), r.t.Context()
		d := connector.Domain{Org: "acme", Name: "claims.test", Token: "t", AddedAt: now, VerifiedAt: now}
		if err := db.AddDomain(ctx, d); err != nil {
			r.t.Fatal(err)
		}
		for _, name := range names {
			r.person(db, name)
		}
	})
	for _, name := range names {
		r.must(exitOK, "claim", "start", "--org", "acme", name+"@claims.test")
	}
}

// person puts an active user with a title into globex.
func (r *rig) person(db *store.DB, name string) {
	r.t.Helper()
	now, ctx := r.clock(), r.t.Context()
	u := &connector.User{ID: connector.NewID(now), Org: "globex", State: connector.Active, Package: "standard", CreatedAt: now, Version: 1, Profile: connector.Profile{
		connector.UserName: {name}, connector.Email: {name + "@claims.test"}, connector.GivenName: {"Ann"}, connector.FamilyName: {"Lee"}, "title": {"Chief"},
	}}
	ch := &connector.Change{
		Action: connector.Created, Org: u.Org, Subject: name, After: u, Fields: connector.Diff(nil, u), TakeSeat: u.Package,
		Transitions: []connector.Transition{{To: u.State, Signal: "created"}},
	}
	err := db.Write(ctx, func(tx connector.Tx) error {
		errs, err := tx.Save(ctx, []*connector.Change{ch}, connector.Cause{Kind: connector.CausePerson, Actor: "test"}, now)
		if err == nil {
			err = errs[0]
		}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// The time to decide passes while the daemons are restarted: reminders and the default action come about once, whichever of two
// replicas leads, and although both are at it.
func TestClaimsEndByTimeOnce(t *testing.T) {
	t.Parallel()
	r := newRigOn(t, newstore.Postgres(t), claimsConfig)
	start, ahead := time.Now(), atomic.Int64{}
	r.clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	r.withStore(func(db *store.DB) {
		for _, o := range []string{"acme", "globex"} {
			if err := db.SetPackages(t.Context(), o, []connector.Package{{ID: "standard", Seats: 10}}); err != nil {
				t.Fatal(err)
			}
		}
	})
	names := []string{"ann", "bo", "cy", "di", "ed"}
	r.claimed(names...)
	one, two := r.serve(), r.serve()
	want := []connector.MailKind{connector.ClaimMail}
	for _, day := range []int{6, 7, 8, 11, 13} {
		ahead.Store(int64(start.AddDate(0, 0, day).Add(time.Hour).Sub(start)))
		if day == 7 || day == 11 || day == 13 {
			want = append(want, connector.ClaimReminderMail)
		}
		r.bothAtIt(one, two)
		r.mailsAre(names, want)
		if day == 8 { // the one that leads goes, and comes back
			one.stop()
			r.until("the other one leads", func() bool { return two.is(t).Leads })
			one = r.serve()
		}
	}
	one.stop()
	two.stop()
	ahead.Store(int64(15 * 24 * time.Hour)) // the end comes while nobody is there
	one, two = r.serve(), r.serve()
	r.bothAtIt(one, two)
	r.bothAtIt(two, one)
	r.mailsAre(names, append(want, connector.ClaimDoneMail))
	if text := r.must(exitOK, "claim", "list", "--org", "acme", "--status", "expired"); strings.Count(text, "@claims.test") != len(names) {
		t.Error(text)
	}
	for limit, more := range map[int]bool{2: true, 4: true, 5: false, 0: false} {
		out, errs, _ := r.run("claim", "list", "--org", "acme", "--limit", strconv.Itoa(limit))
		if n := strings.Count(out, "@claims.test"); n != cmp.Or(limit, len(names)) || strings.Contains(errs, "there are more") != more {
			t.Errorf("--limit %d:\n%s%s", limit, out, errs)
		}
	}
	r.withStore(func(db *store.DB) {
		users, _, err := db.ListUsers(t.Context(), connector.UserQuery{Org: "acme"})
		if err != nil || len(users) != len(names) {
			t.Fatal(users, err)
		}
		for _, u := range users { // version 1 is the claim, 2 its end
			if u.State != connector.Active || u.Profile.Get("title") != "Chief" || u.Version != 2 {
				t.Errorf("%+v", u)
			}
		}
	})
	r.verify()
}

// bothAtIt has the leader do its housekeeping while the other replica does the same work beside it.
func (r *rig) bothAtIt(one, two *started) {
	r.t.Helper()
	lead, other := one, two
	r.until("one leads", func() bool { return one.is(r.t).Leads || two.is(r.t).Leads })
	if two.is(r.t).Leads {
		lead, other = two, one
	}
	beside := make(chan error, 1)
	go func() {
		_, err := other.current().claims.ExpireClaims(r.t.Context())
		beside <- err
	}()
	if err := lead.housekeeping(lead.term().ctx, lead.current()); err != nil {
		r.t.Fatal(err)
	}
	if err := <-beside; err != nil {
		r.t.Fatal(err)
	}
}

// mailsAre checks that each of the claimed has got these mails, in this order, and no other.
func (r *rig) mailsAre(names []string, want []connector.MailKind) {
	r.t.Helper()
	r.withStore(func(db *store.DB) {
		for _, name := range names {
			list, err := db.Mails(r.t.Context(), connector.MailQuery{Org: "acme", To: name + "@claims.test", Limit: 100})
			if err != nil {
				r.t.Fatal(err)
			}
			var got []connector.MailKind
			for i := range list {
				got = append(got, list[len(list)-1-i].Kind)
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				r.t.Errorf("%s at %s: %v, want %v", name, r.clock().Format(time.DateOnly), got, want)
			}
		}
	})
}

// Whoever was claimed by an organization that leaves the configuration has the old account back after the reload.
func TestClaimsOfAnOrganizationThatLeaves(t *testing.T) {
	t.Parallel()
	r := newRig(t, claimsConfig)
	d := r.serve()
	r.claimed("ann")
	top, _, _ := strings.Cut(claimsConfig, "- id: acme\n")
	_, rest, _ := strings.Cut(claimsConfig, "- id: globex\n")
	r.configure(top + "- id: globex\n" + rest)
	r.must(exitOK, "reload")
	if err := d.housekeeping(d.term().ctx, d.current()); err != nil {
		t.Fatal(err)
	}
	if line := d.log.await(t, "claims"); line["cancelled"] != 1.0 {
		t.Errorf("%v", line)
	}
	if text := r.must(exitOK, "claim", "list", "--lost"); !strings.Contains(text, "ann@claims.test  cancelled") {
		t.Error(text)
	}
	if u := r.users()["ann"]; u.State != connector.Active {
		t.Errorf("%+v", u)
	}
	if done, err := d.current().claims.ExpireClaims(t.Context()); err != nil || done != (provision.ClaimsDone{}) {
		t.Errorf("%+v %v", done, err)
	}
}
