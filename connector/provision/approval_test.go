package provision_test

import (
	"errors"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/provision"
)

// A person who was refused has no seat and no account, is told why, and comes back by no door; an administrator who
// thinks better of it finds everything as it was.
func TestWhoeverIsRejectedStaysOut(t *testing.T) {
	t.Parallel()
	for _, keepsSeat := range []bool{false, true} {
		w := newWorld(t, func(o *connector.Organization) {
			idp(o)
			o.Approval, o.InactiveHoldsSeat = true, keepsSeat
			o.Packages[0].Seats = 1
		})
		p := &people{list: crowd(1)}
		counts(t, w.sync(p, connector.ResultOK), connector.Counts{Created: 1})
		u := w.user("u0001")
		if !u.PendingApproval || w.used("standard") != 1 {
			t.Fatalf("%+v", u)
		}
		c := command(w, "u0001")
		c.Reason = "we do not know you"
		if ch := w.must(w.prov.RejectUser(t.Context(), c)); ch.Action != connector.Deactivated {
			t.Fatalf("%+v", ch)
		}
		u = w.user("u0001")
		if u.State != connector.Inactive || u.DeactivatedBy != connector.ByAdministrator || u.DeactivatedReason != c.Reason || u.PendingApproval ||
			!u.DeleteAt.Equal(w.now.Add(w.org.DeleteAfter)) || w.used("standard") != 0 {
			t.Errorf("seat kept %v: %+v, %d seats", keepsSeat, u, w.used("standard"))
		}
		mails, err := w.db.Mails(t.Context(), connector.MailQuery{Org: "acme"})
		if err != nil || len(mails) != 1 || mails[0].Kind != connector.RejectedMail || mails[0].To != "u0001@example.com" || mails[0].Values["reason"] != c.Reason ||
			mails[0].About != u.ID || mails[0].State != connector.MailWaiting {
			t.Errorf("%v %+v", err, mails)
		}
		if _, err := w.prov.RejectUser(t.Context(), c); connector.KindOf(err) != connector.Refused {
			t.Errorf("a second time: %v", err)
		}
		p.list[0] = person(1, "title", "Chief")
		w.sync(p, connector.ResultOK)
		w.now = w.now.Add(40 * 24 * time.Hour)
		w.sync(p, connector.ResultOK)
		ch, _ := w.signIn(asserted(1))
		refusedWith(t, ch, 31, connector.AccountInactive)
		if got := w.user("u0001"); got.ID != u.ID || got.State != connector.Inactive || w.used("standard") != 0 {
			t.Errorf("it came back: %+v", got)
		}
		w.must(w.prov.Reactivate(t.Context(), command(w, "u0001")))
		if got := w.user("u0001"); got.State != connector.Active || got.PendingApproval {
			t.Errorf("%+v", got)
		}
	}
}

func TestWhoeverDoesNotWaitIsNotRejected(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.sync(&people{list: crowd(1)}, connector.ResultOK)
	if _, err := w.prov.RejectUser(t.Context(), command(w, "u0001")); connector.KindOf(err) != connector.Refused {
		t.Error(err)
	}
	if n, err := w.db.CountMails(t.Context(), "acme", connector.MailWaiting); n != 0 || err != nil {
		t.Errorf("%d mails, %v", n, err)
	}
}

func TestCommandForAnotherVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.sync(&people{list: crowd(1)}, connector.ResultOK)
	c := command(w, "u0001")
	for c.Version = range int64(3) {
		_, err := w.prov.SetPackage(t.Context(), c, "", false)
		if refused := errors.Is(err, provision.ErrOtherVersion) && connector.KindOf(err) == connector.Conflict; refused != (c.Version == 1) {
			t.Errorf("version %d: %v", c.Version, err) // 0 is any, and makes it 2
		}
	}
}

// Signing in at an application makes a verified user active, once, and does nothing else.
func TestSignedIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { client(o); o.Approval = true })
	w.submit("idp", pushed(1, "one", connector.NewID(w.now)))
	c := command(w, "u0001")
	c.Cause = connector.CauseRequest
	step := func(want connector.Action, state connector.State) {
		t.Helper()
		if ch := w.must(w.prov.SignedIn(t.Context(), c)); ch.Action != want || w.state("u0001") != state {
			t.Errorf("%s, %s; want %s, %s", ch.Action, w.state("u0001"), want, state)
		}
	}
	step(connector.Unchanged, connector.Verified) // it waits for approval
	w.must(w.prov.Approve(t.Context(), command(w, "u0001")))
	step(connector.Updated, connector.Active)
	step(connector.Unchanged, connector.Active)
	w.must(w.prov.Deactivate(t.Context(), command(w, "u0001")))
	step(connector.Unchanged, connector.Inactive)
	n := 0
	for e, err := range w.db.UserEvents(t.Context(), "acme", c.User) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Cause.Kind == connector.CauseRequest && e.Cause.Actor == c.Actor {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d events", n)
	}
}

// Whoever was waited for is told once that the account can be used, whichever door approves; the others are told nothing.
func TestApprovalIsMailedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { o.Sources[0].Approval = true })
	w.sync(&people{list: crowd(2)}, connector.ResultOK)
	for range 2 {
		w.must(w.prov.Approve(t.Context(), command(w, "u0001")))
	}
	mails, err := w.db.Mails(t.Context(), connector.MailQuery{Org: "acme"})
	if err != nil || len(mails) != 1 || mails[0].Kind != connector.ReadyMail || mails[0].To != "u0001@example.com" || mails[0].About != w.user("u0001").ID {
		t.Errorf("%v %+v", err, mails)
	}
}

// A claim passes by no approval: who waits for one, and keeps the old account under another address, waits with that too.
func TestKeepingTheOldAccountPassesByNoApproval(t *testing.T) {
	t.Parallel()
	for _, waits := range []bool{true, false} {
		p := newPair(t, func(_, globex *connector.Organization) { globex.Approval = waits })
		c := p.claim(p.person(1, connector.Verified))[0]
		c = p.decide(c, connector.ClaimKeep, "ann@private.test")
		if kept := p.old.byID(c.Kept); kept.PendingApproval != waits {
			t.Errorf("waits for approval: %v, want %v", kept.PendingApproval, waits)
		}
	}
}
