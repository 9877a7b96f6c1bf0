package provision_test

import (
	"context"
	"testing"

	"usherd/connector"
	"usherd/connector/provision"
)

// pushGroup writes one change of a group of the client.
func (w *world) pushGroup(change func(r connector.Reader) *connector.GroupChange) *connector.Group {
	w.t.Helper()
	ch, err := w.prov.PushGroup(w.t.Context(), provision.GroupPush{
		Source: "idp", Cause: connector.Cause{Kind: connector.CauseRequest, Actor: "scim:idp"},
		Change: func(_ context.Context, r connector.Reader) (*connector.GroupChange, error) { return change(r), nil },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return ch.Group()
}

func byID(id connector.ID) connector.Member {
	return connector.Member{Key: connector.Hash(id), DN: id.String()}
}

func TestPushedGroupsNameMembersByID(t *testing.T) {
	t.Parallel()
	w := newWorld(t, client)
	w.submit("idp", pushed(1, "e1", connector.NewID(w.now)))
	w.submit("idp", pushed(2, "", connector.NewID(w.now)))
	one, two := w.user("u0001"), w.user("u0002")
	id := connector.NewID(w.now)
	g := w.pushGroup(func(connector.Reader) *connector.GroupChange {
		return &connector.GroupChange{
			Action: connector.Created, Added: []connector.Member{byID(one.ID)},
			After: &connector.Group{ID: id, Org: "acme", Source: "idp", Anchor: connector.AnchorOf(id), Key: connector.Hash(id), DN: id.String(), Name: "Staff"},
		}
	})
	w.pushGroup(func(r connector.Reader) *connector.GroupChange {
		stored, err := r.GroupsOf(t.Context(), "acme", "idp", []connector.ID{g.ID}, nil)
		if err != nil || len(stored) != 1 || stored[0].MemberCount != 1 {
			t.Fatal(stored, err)
		}
		after := stored[0]
		after.Anchor = connector.Anchor{Kind: connector.TextAnchor, Raw: "g-1"}
		return &connector.GroupChange{
			Action: connector.Updated, Before: &stored[0], After: &after, Added: []connector.Member{byID(two.ID)}, Removed: []connector.Member{byID(one.ID)},
		}
	})
	groups, err := w.db.GroupsOfUser(t.Context(), "acme", two.ID, 10)
	if err != nil || len(groups) != 1 || groups[0].Name != "Staff" || groups[0].Anchor.Raw != "g-1" {
		t.Errorf("%+v %v", groups, err)
	}
	if groups, err := w.db.GroupsOfUser(t.Context(), "acme", one.ID, 10); err != nil || len(groups) != 0 {
		t.Errorf("%+v %v", groups, err)
	}
	if _, err := w.prov.PushGroup(t.Context(), provision.GroupPush{
		Source: "idp",
		Change: func(context.Context, connector.Reader) (*connector.GroupChange, error) {
			return &connector.GroupChange{Action: connector.Removed, Before: &connector.Group{ID: id, Org: "other", Source: "idp", Anchor: connector.AnchorOf(id)}}, nil
		},
	}); connector.KindOf(err) != connector.Invalid {
		t.Errorf("a group of another organization: %v", err)
	}
}
