package domains_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
	"usherd/connector/domains"
	"usherd/connector/store"
	"usherd/connector/store/newstore"
)

// settled puts a user of a source into a store.
func settled(t *testing.T, db *store.DB, org, source string, i int, mail string, state connector.State) {
	t.Helper()
	now := time.Date(2026, 3, 1, 8, 0, 0, i, time.UTC)
	u := &connector.User{
		ID: connector.NewID(now), Org: org, State: state, Version: 1, CreatedAt: now, UpdatedAt: now,
		Profile: connector.Profile{connector.UserName: {fmt.Sprintf("u%d", i)}, connector.Email: {mail}},
	}
	ch := &connector.Change{
		Action: connector.Created, Org: org, Source: source, After: u, Fields: connector.Diff(nil, u), Anchor: connector.Anchor{Kind: connector.TextAnchor, Raw: mail},
		Transitions: []connector.Transition{{To: state, Signal: "created"}},
	}
	ch.Link = &connector.Link{Org: org, Source: source, Anchor: ch.Anchor, User: u.ID, Standing: connector.StandingEnabled, UpdatedAt: now}
	err := db.Write(t.Context(), func(tx connector.Tx) error {
		errs, err := tx.Save(t.Context(), []*connector.Change{ch}, connector.Cause{Kind: connector.CausePerson, Actor: "test"}, now)
		return errors.Join(append(errs, err)...)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestPreview(t *testing.T) {
	t.Parallel()
	db, err := store.Open(t.Context(), newstore.URL(t), store.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	org := &connector.Organization{ID: "acme", ReevaluateOnDomainVerified: true, Sources: []connector.SourceSettings{{ID: "dir", Kind: connector.Directory}, {ID: "push", Kind: connector.SCIM}}}
	settled(t, db, "acme", "push", 1, "a@new.test", connector.NotVerified)
	settled(t, db, "acme", "push", 2, "b@sub.new.test", connector.NotVerified)
	settled(t, db, "acme", "push", 3, "c@new.test", connector.Verified)
	settled(t, db, "acme", "dir", 4, "d@NEW.test", connector.NotVerified)
	settled(t, db, "acme", "dir", 5, "e@new.test", connector.Active)
	settled(t, db, "acme", "push", 6, "f@anew.test", connector.NotVerified)
	settled(t, db, "other", "push", 7, "g@new.test", connector.Active)
	settled(t, db, "third", "push", 8, "h@new.test", connector.NotVerified)
	preview := func() (domains.Effect, []string) {
		var moved []string
		e, err := domains.Preview(t.Context(), db, org, []string{"other", "third"}, "new.test", func(m domains.Moved) error {
			moved = append(moved, m.User.UserName()+" "+string(m.Becomes))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return e, moved
	}
	e, moved := preview()
	want := domains.Effect{
		Users: map[connector.State]int{connector.NotVerified: 3, connector.Verified: 1, connector.Active: 1}, Verified: 2, Active: 1, Elsewhere: 2,
	}
	if diff := cmp.Diff(want, e) + cmp.Diff([]string{"u1 verified", "u2 verified", "u4 active"}, moved); diff != "" {
		t.Error(diff)
	}
	org.ReevaluateOnDomainVerified = false
	if e, moved = preview(); e.Verified != 0 || e.Active != 1 || len(moved) != 1 {
		t.Errorf("without reevaluation: %+v %v", e, moved)
	}
	stop := errors.New("enough")
	if _, err := domains.Preview(t.Context(), db, org, nil, "new.test", func(domains.Moved) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
}
