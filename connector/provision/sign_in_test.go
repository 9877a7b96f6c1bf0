package provision_test

import (
	"context"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/provision"
)

// idp adds an identity provider whose people are created when they sign in.
func idp(o *connector.Organization) {
	o.Sources = append(o.Sources, connector.SourceSettings{ID: "idp", Kind: connector.SignIn, Fingerprint: connector.Hash{4}})
}

// onlyKnown is idp that creates nobody.
func onlyKnown(o *connector.Organization) {
	idp(o)
	o.Sources[1].OnlyKnown = true
}

// asserted is what the identity provider says of somebody.
func asserted(i int, more ...string) *connector.Record {
	r := person(i, more...)
	r.DN, r.Enabled, r.Anchor = "", connector.EnabledUnknown, connector.Anchor{Kind: connector.TextAnchor, Raw: person(i).DN}
	return r
}

// signIn is a person at the door; the user is the one who is there afterwards.
func (w *world) signIn(rec *connector.Record) (*connector.Change, *connector.User) {
	w.t.Helper()
	var before *connector.User
	ch, err := w.prov.Push(w.t.Context(), provision.Push{
		Source: "idp", SignIn: true, Cause: connector.Cause{Kind: connector.CauseRequest, Actor: "sso:idp"},
		Record: func(_ context.Context, _ connector.Reader) (*connector.Record, error) { return rec, nil },
		Accept: func(b *connector.User, _ *connector.Link, _ *connector.Change) error { before = b; return nil },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if ch.After != nil {
		return ch, ch.After
	}
	return ch, before
}

// refusedWith fails unless the change is a refusal by that code and reason.
func refusedWith(t *testing.T, ch *connector.Change, code connector.Code, reason connector.Reason) {
	t.Helper()
	if ch.Action != connector.Failed || ch.Failures[0].Code != code || ch.Failures[0].Reason != reason {
		t.Errorf("%s %+v, want %d %s", ch.Action, ch.Failures, code, reason)
	}
}

func TestSignInCreatesAndUpdates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, idp)
	ch, u := w.signIn(asserted(1))
	if ch.Action != connector.Created || u.State != connector.Active || len(ch.Transitions) != 2 || ch.Transitions[1].Signal != "sign_in" {
		t.Fatalf("%s %+v", ch.Action, ch.Transitions)
	}
	if provision.SignInRefusal(u) != nil || w.used("standard") != 1 {
		t.Error("the account cannot be used")
	}
	if ch, again := w.signIn(asserted(1)); ch.Action != connector.Unchanged || again.ID != u.ID {
		t.Errorf("the same again: %s", ch.Action)
	}
	if ch, again := w.signIn(asserted(1, "title", "Chief")); ch.Action != connector.Updated || again.Profile.Get("title") != "Chief" {
		t.Errorf("a new title: %s", ch.Action)
	}
}

func TestFirstSignInMakesActive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) {
		idp(o)
		o.Sources[0] = connector.SourceSettings{ID: "scim", Kind: connector.SCIM, Fingerprint: connector.Hash{3}}
	})
	w.submit("scim", pushed(1, "e1", connector.NewID(w.now)))
	if s := w.state("u0001"); s != connector.Verified {
		t.Fatal(s)
	}
	ch, u := w.signIn(asserted(1))
	if ch.Action != connector.Updated || u.State != connector.Active {
		t.Errorf("%s %s", ch.Action, u.State)
	}
}

func TestWhoMayNotSignIn(t *testing.T) {
	t.Parallel()
	elsewhere := []string{"mail", "ann@unproven.org"}
	t.Run("not verified", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, idp)
		ch, u := w.signIn(asserted(1, elsewhere...))
		if f := provision.SignInRefusal(u); ch.Action != connector.Created || u.State != connector.NotVerified || f == nil || f.Reason != connector.AccountNotVerified {
			t.Errorf("%s %s %+v", ch.Action, u.State, f)
		}
		ch, _ = w.signIn(asserted(1, elsewhere...))
		refusedWith(t, ch, 31, connector.AccountNotVerified)
	})
	t.Run("pending approval", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, func(o *connector.Organization) { idp(o); o.Approval = true })
		ch, u := w.signIn(asserted(1))
		if f := provision.SignInRefusal(u); ch.Action != connector.Created || u.State != connector.Verified || f == nil || f.Reason != connector.AccountPendingApproval {
			t.Errorf("%s %s %+v", ch.Action, u.State, f)
		}
		ch, _ = w.signIn(asserted(1))
		refusedWith(t, ch, 31, connector.AccountPendingApproval)
		if items := w.items(); len(items) != 1 {
			t.Errorf("%+v", items)
		}
		w.must(w.prov.Approve(t.Context(), command(w, "u0001")))
		if _, u := w.signIn(asserted(1)); u.State != connector.Active || len(w.items()) != 0 {
			t.Errorf("%s %+v", u.State, w.items())
		}
	})
	t.Run("deactivated", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, idp)
		w.signIn(asserted(1))
		w.must(w.prov.Deactivate(t.Context(), command(w, "u0001")))
		before := w.picture()
		ch, _ := w.signIn(asserted(1, "title", "Chief"))
		refusedWith(t, ch, 31, connector.AccountInactive)
		if after := w.picture(); after["u0001"] != before["u0001"] {
			t.Error("a refusal has changed the person")
		}
		w.must(w.prov.Reactivate(t.Context(), command(w, "u0001")))
		if _, u := w.signIn(asserted(1)); u.State != connector.Active {
			t.Error(u.State)
		}
	})
	t.Run("disabled in the directory", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, idp)
		w.sync(&people{list: []*connector.Record{person(1)}}, connector.ResultOK)
		w.signIn(asserted(1))
		off := person(1)
		off.Enabled = connector.EnabledNo
		w.sync(&people{list: []*connector.Record{off}}, connector.ResultOK)
		if s := w.state("u0001"); s != connector.Inactive {
			t.Fatalf("having signed in once keeps nobody: %s", s)
		}
		ch, _ := w.signIn(asserted(1))
		refusedWith(t, ch, 31, connector.AccountInactive)
	})
	t.Run("unknown, deactivated, where nobody is created", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, onlyKnown)
		ch, _ := w.signIn(asserted(1))
		refusedWith(t, ch, 3, connector.NoAccount)
		w.sync(&people{list: []*connector.Record{person(1)}}, connector.ResultOK)
		if _, u := w.signIn(asserted(1)); u.State != connector.Active {
			t.Error(u.State)
		}
		w.must(w.prov.Deactivate(t.Context(), command(w, "u0001")))
		ch, _ = w.signIn(asserted(1))
		refusedWith(t, ch, 18, connector.AccountDeactivated)
	})
}

// Whoever is gone from the directory is gone, although the identity provider has known the person.
func TestSignInKeepsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) {
		idp(o)
		o.Sources[0], o.Sources[1] = o.Sources[1], o.Sources[0] // the identity provider comes first
	})
	w.sync(&people{list: crowd(3)}, connector.ResultOK)
	w.signIn(asserted(1))
	w.sync(&people{list: crowd(3)[1:]}, connector.ResultOK)
	if s := w.state("u0001"); s != connector.Inactive {
		t.Error(s)
	}
	ch, _ := w.signIn(asserted(1))
	refusedWith(t, ch, 31, connector.AccountInactive)
	w.sync(&people{list: crowd(3)}, connector.ResultOK)
	if _, u := w.signIn(asserted(1)); u.State != connector.Active {
		t.Errorf("who returns to the directory: %s", u.State)
	}
}

// Each cause of 31 and 32 that comes of the rules is the same here as at any door.
func TestSignInByTheRules(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) {
		idp(o)
		o.Packages[0].Seats = 1
	})
	ch, _ := w.signIn(asserted(1, "sn", "", "mail", ""))
	refusedWith(t, ch, 31, connector.RequiredMissing)
	w.signIn(asserted(1))
	ch, _ = w.signIn(asserted(2))
	refusedWith(t, ch, 31, connector.NoSeat)
	status := asserted(1)
	status.Attributes = append(status.Attributes, connector.Attribute{Name: "urn:x:Member Status", Values: [][]byte{[]byte("active")}})
	ch, _ = w.signIn(status)
	refusedWith(t, ch, 32, connector.MemberStatusPresent)
	ch, _ = w.signIn(asserted(1, "sn", ""))
	refusedWith(t, ch, 32, connector.RequiredMissing)

	// A seat frees: whoever waits has an account, and has not signed in by that.
	w.must(w.prov.Deactivate(t.Context(), command(w, "u0001")))
	if s := w.state("u0002"); s != connector.Verified {
		t.Errorf("from the waiting list: %s", s)
	}
	if _, u := w.signIn(asserted(2)); u.State != connector.Active {
		t.Error(u.State)
	}
	w.org.PartnerID = ""
	w.now = w.now.Add(time.Hour)
	ch, _ = w.signIn(asserted(3))
	refusedWith(t, ch, 31, connector.PartnerIDMissing)
}

// Who waits for a seat is no exception where signing in creates nobody.
func TestTheWaitingListCreatesNobodyWhereOnlyTheKnownSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) {
		idp(o)
		o.Packages[0].Seats = 1
	})
	w.signIn(asserted(1))
	ch, _ := w.signIn(asserted(2))
	refusedWith(t, ch, 31, connector.NoSeat)
	w.org.Sources[1].OnlyKnown = true // by another configuration, while the person waits
	w.must(w.prov.Deactivate(t.Context(), command(w, "u0001")))
	if p := w.picture(); p["u0002"] != "" {
		t.Errorf("an account was made: %s", p["u0002"])
	}
}
