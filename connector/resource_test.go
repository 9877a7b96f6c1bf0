package connector_test

import (
	"testing"
	"time"

	"usherd/connector"
)

func TestAnchorsByID(t *testing.T) {
	t.Parallel()
	id := connector.NewID(time.UnixMilli(1_800_000_000_123))
	a := connector.AnchorOf(id)
	if a.String() != id.String() || a.Key() != connector.Hash(id) {
		t.Errorf("%s has the anchor %s with key %x", id, a, a.Key())
	}
	if back, err := connector.ParseAnchor(connector.ResourceID, a.String()); back != a || err != nil {
		t.Errorf("%s is read as %v, %v", a, back, err)
	}
	if _, err := connector.ParseAnchor(connector.ResourceID, "00u1"); err == nil {
		t.Error("what is no id is an anchor")
	}
}

func TestExternalIDIsWhatTheClientCallsIt(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		anchor connector.Anchor
		want   string
	}{
		{connector.Anchor{}, ""},
		{connector.AnchorOf(connector.NewID(time.UnixMilli(1))), ""},
		{connector.Anchor{Kind: connector.TextAnchor, Raw: "00u1"}, "00u1"},
		{connector.Anchor{Kind: connector.TextAnchor, Raw: "base64:eA=="}, "base64:eA=="}, // never taken apart
	} {
		u, g := connector.ClientUser{Anchor: test.anchor}, connector.ClientGroup{Group: connector.Group{Anchor: test.anchor}}
		if u.ExternalID() != test.want || g.ExternalID() != test.want {
			t.Errorf("%#v: got %q and %q", test.anchor, u.ExternalID(), g.ExternalID())
		}
	}
}
