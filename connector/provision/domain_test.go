package provision_test

import (
	"testing"

	"usherd/connector"
)

func TestProofOfADomainVerifiesWhomNoDirectoryKnows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) {
		o.Sources = append(o.Sources, connector.SourceSettings{ID: "push", Kind: connector.SCIM})
	})
	w.sync(&people{list: []*connector.Record{person(1, "mail", "a@new.example")}}, connector.ResultOK)
	if _, err := w.prov.Submit(t.Context(), "push", person(2, "mail", "b@new.example"), connector.Cause{Kind: connector.CauseRequest, Actor: "test"}); err != nil {
		t.Fatal(err)
	}
	if w.state("u0001") != connector.NotVerified || w.state("u0002") != connector.NotVerified {
		t.Fatalf("%s, %s", w.state("u0001"), w.state("u0002"))
	}
	w.verify("new.example")
	moved, err := w.prov.DomainVerified(t.Context(), []connector.ID{w.user("u0001").ID, w.user("u0002").ID}, "test")
	if err != nil || moved != 1 || w.state("u0002") != connector.Verified || w.state("u0001") != connector.NotVerified {
		t.Errorf("%d moved: %s, %s; %v", moved, w.state("u0001"), w.state("u0002"), err)
	}
}
