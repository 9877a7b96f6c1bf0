package provision_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
	"usherd/connector/provision"
)

// client adds a SCIM client behind the directory.
func client(o *connector.Organization) {
	o.Sources = append(o.Sources, connector.SourceSettings{ID: "idp", Kind: connector.SCIM, Groups: true, Fingerprint: connector.Hash{3}})
}

// pushed is a record of the client: what person gives, known by an externalId or, where that is "", by the id.
func pushed(i int, externalID string, id connector.ID, more ...string) *connector.Record {
	r := person(i, more...)
	r.DN, r.Enabled, r.User, r.Anchor = "", connector.EnabledYes, id, connector.AnchorOf(id)
	if externalID != "" {
		r.Anchor = connector.Anchor{Kind: connector.TextAnchor, Raw: externalID}
	}
	return r
}

func (w *world) link(name, source string) connector.Link {
	w.t.Helper()
	for _, l := range w.links(w.user(name)) {
		if l.Source == source {
			return l
		}
	}
	w.t.Fatalf("%s has no link to %s", name, source)
	return connector.Link{}
}

func TestPushedUsersAreVerifiedAndKnownByID(t *testing.T) {
	t.Parallel()
	w := newWorld(t, client)
	id := connector.NewID(w.now)
	if ch := w.submit("idp", pushed(1, "", id)); ch.Action != connector.Created || ch.After.ID != id || ch.After.State != connector.Verified {
		t.Fatalf("%s %v, want %s verified", ch.Action, ch.After, id)
	}
	l := w.link("u0001", "idp")
	if l.Anchor != connector.AnchorOf(id) || l.Key != connector.Hash(id) {
		t.Errorf("%v %x", l.Anchor, l.Key)
	}
	// The same person once more, with a new id made for it: the user is found by its names.
	if ch := w.submit("idp", pushed(1, "", connector.NewID(w.now), "title", "Chief")); ch.Action != connector.Failed || ch.Failures[0].Reason != connector.EmailTaken {
		t.Errorf("somebody who is there and active is not taken over: %+v", ch)
	}
}

// A client that gives an externalId later, or another one, means the same user.
func TestPushByIDMovesTheAnchor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, client)
	id, other := connector.NewID(w.now), connector.NewID(w.now)
	w.submit("idp", pushed(1, "", id))
	w.submit("idp", pushed(2, "ext-2", other))
	for _, externalID := range []string{"ext-1", "ext-1b", ""} {
		rec := pushed(1, externalID, id, "title", "T"+externalID)
		rec.Enabled = connector.EnabledUnknown
		if ch := w.submit("idp", rec); ch.Action != connector.Updated || ch.After.ID != id {
			t.Fatalf("%q: %+v", externalID, ch)
		}
		if l := w.link("u0001", "idp"); l.Anchor != rec.Anchor || l.Standing != connector.StandingEnabled {
			t.Errorf("%q: %v %s", externalID, l.Anchor, l.Standing)
		}
	}
	if ch := w.submit("idp", pushed(1, "ext-2", id)); ch.Action != connector.Failed || ch.Failures[0].Reason != connector.AmbiguousMatch {
		t.Errorf("the externalId of another user: %+v", ch)
	}
}

func TestPushedAsDisabledIsCreatedAndDeactivated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) {
		client(o)
		o.Packages[0].Seats = 1
	})
	rec := pushed(1, "e1", connector.NewID(w.now))
	rec.Enabled = connector.EnabledNo
	ch := w.submit("idp", rec)
	if ch.Action != connector.Created || len(ch.Transitions) != 2 || ch.After.State != connector.Inactive || ch.After.Resume != connector.Verified {
		t.Fatalf("%+v", ch)
	}
	if w.used("standard") != 0 {
		t.Error("who is inactive holds no seat")
	}
	rec.Enabled = connector.EnabledYes
	if ch := w.submit("idp", rec); ch.Action != connector.Reactivated || ch.After.State != connector.Verified || w.used("standard") != 1 {
		t.Errorf("%+v", ch)
	}
	bad := pushed(2, "e2", connector.NewID(w.now), "sn", "")
	bad.Enabled = connector.EnabledNo
	if ch := w.submit("idp", bad); ch.Action != connector.Failed || ch.Failures[0].Reason != connector.RequiredMissing {
		t.Errorf("rules hold for them too: %+v", ch)
	}
}

// Whom the client deleted, or deactivated, it may push anew under another externalId: the same user comes back.
func TestPushedAnewIsTheSameUser(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(r *connector.Record){
		"deleted":     func(r *connector.Record) { r.Gone = true },
		"deactivated": func(r *connector.Record) { r.Enabled = connector.EnabledNo },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, client)
			id := connector.NewID(w.now)
			w.submit("idp", pushed(1, "e1", id))
			gone := pushed(1, "e1", id)
			leave(gone)
			if ch := w.submit("idp", gone); ch.Action != connector.Deactivated {
				t.Fatalf("%+v", ch)
			}
			for _, again := range []*connector.Record{pushed(1, "e9", connector.NewID(w.now)), pushed(1, "", connector.NewID(w.now))} {
				ch := w.submit("idp", again)
				if ch.Action != connector.Reactivated || ch.After.ID != id || ch.After.State != connector.Verified {
					t.Fatalf("%+v", ch)
				}
				gone := pushed(1, "e9", id)
				leave(gone)
				w.submit("idp", gone)
			}
		})
	}
}

// A client deletes somebody whom the directory has: the user stays, and what the client said of it counts no more.
func TestDeletedByTheClientAloneStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, client)
	w.sync(&people{list: []*connector.Record{person(1)}}, connector.ResultOK)
	id := w.user("u0001").ID
	w.submit("idp", pushed(1, "e1", id, "title", "Chief"))
	if u := w.user("u0001"); u.Profile.Get("title") != "Chief" {
		t.Fatalf("%v", u.Profile)
	}
	gone := pushed(1, "e1", id)
	gone.Gone = true
	w.submit("idp", gone)
	if u := w.user("u0001"); u.State != connector.Active || u.Profile.Get("title") != "" {
		t.Errorf("%s %v", u.State, u.Profile)
	}
	if l := w.link("u0001", "idp"); l.Standing != connector.StandingGone {
		t.Errorf("%s", l.Standing)
	}
}

func TestAPushMayBeRefusedByItsDoor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, client)
	w.submit("idp", pushed(1, "e1", connector.NewID(w.now)))
	no := errors.New("no")
	before := w.picture()
	_, err := w.prov.Push(t.Context(), provision.Push{
		Source: "idp",
		Record: func(ctx context.Context, r connector.Reader) (*connector.Record, error) {
			users, err := r.UsersByKey(ctx, w.org.ID, []connector.UserKey{{Kind: connector.UserName, Value: "u0001"}})
			if err != nil || len(users) != 1 {
				return nil, err
			}
			return pushed(1, "e1", users[0].ID, "title", "Chief"), nil
		},
		Accept: func(before *connector.User, link *connector.Link, ch *connector.Change) error {
			if before == nil || link == nil || ch.Action != connector.Updated {
				t.Errorf("%v %v %+v", before, link, ch)
			}
			return no
		},
	})
	if !errors.Is(err, no) {
		t.Errorf("%v", err)
	}
	if after := w.picture(); len(after) != len(before) || after["u0001"] != before["u0001"] {
		t.Error("what was refused has changed something")
	}
}

// userByID also finds those who are deleted.
func (w *world) userByID(id connector.ID) *connector.User {
	w.t.Helper()
	users, err := w.db.Users(w.t.Context(), "acme", []connector.ID{id})
	if err != nil || len(users) != 1 {
		w.t.Fatal(users, err)
	}
	return users[0]
}

// Whoever is refused a seat has taken no name: the deleted one stays as it was, until there is a seat.
func TestTheDeletedStayForWhoGetsNoSeat(t *testing.T) {
	t.Parallel()
	for name, waits := range map[string]bool{"no seat at all": false, "a seat that somebody waits for": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(o *connector.Organization) { seats(1)(o); client(o) })
			off := func(r *connector.Record) *connector.Record {
				r.Enabled = connector.EnabledNo
				return r
			}
			id, other := connector.NewID(w.now), connector.NewID(w.now)
			gone := pushed(1, "e1", id, "title", "Chief")
			w.submit("idp", gone)
			gone.Gone = true
			w.submit("idp", gone)
			w.submit("idp", off(pushed(2, "e2", other)))
			w.submit("idp", pushed(3, "e3", connector.NewID(w.now)))
			want := 1
			if waits {
				w.submit("idp", pushed(4, "e4", connector.NewID(w.now)))
				want = 2
			}
			before := *w.userByID(id)
			for range 2 {
				w.wants(pushed(2, "e2", other, "uid", "u0001"))
				if diff := cmp.Diff(before, *w.userByID(id)); diff != "" {
					t.Fatalf("whose name was wanted in vain has changed: %s", diff)
				}
			}
			if w.waiting() != want || len(w.items()) != want {
				t.Errorf("%d wait, %+v", w.waiting(), w.items())
			}
			w.submit("idp", off(pushed(3, "e3", connector.ID{})))
			if waits {
				w.submit("idp", off(pushed(4, "e4", connector.ID{})))
			}
			if u := w.user("u0001"); u == nil || u.ID != other || u.State != connector.Verified || w.userByID(id).State != connector.Deleted {
				t.Errorf("%v", u)
			}
		})
	}
}

// The names of the deleted are free for others, at once; those of the deactivated are not.
func TestTheDeletedKeepNoNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, client)
	id, other := connector.NewID(w.now), connector.NewID(w.now)
	w.submit("idp", pushed(1, "e1", id))
	w.submit("idp", pushed(2, "e2", other))
	left := pushed(1, "e1", id)
	left.Enabled = connector.EnabledNo
	w.submit("idp", left)
	taker := pushed(2, "e2", other, "uid", "u0001")
	if ch := w.submit("idp", taker); ch.Action != connector.Failed || ch.Failures[0].Reason != connector.UserNameTaken {
		t.Fatalf("%+v", ch)
	}
	left.Gone = true
	w.submit("idp", left)
	bad := pushed(2, "e2", other, "uid", "u0001", "sn", "")
	if ch := w.submit("idp", bad); ch.Action != connector.Failed || w.userByID(id).State != connector.Inactive {
		t.Fatalf("nobody's time is over for somebody who is refused all the same: %+v", ch)
	}
	if ch := w.submit("idp", taker); ch.Action != connector.Updated {
		t.Fatalf("%+v", ch)
	}
	if u := w.user("u0001"); u.ID != other {
		t.Errorf("%s has the name", u.ID)
	}
	if u := w.userByID(id); u.State != connector.Deleted {
		t.Errorf("%s", u.State)
	}
	// Who returns now is somebody new.
	if ch := w.submit("idp", pushed(1, "e1", connector.NewID(w.now), "uid", "u0009")); ch.Action != connector.Created || ch.After.ID == id {
		t.Errorf("%+v", ch)
	}
}
