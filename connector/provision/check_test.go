package provision_test

import (
	"slices"
	"testing"

	"usherd/connector"
	"usherd/connector/provision"
)

// What Check says of somebody new is what becomes of the person then, and writes nothing.
func TestCheckIsWhatHappens(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) {
		idp(o)
		o.Packages = []connector.Package{{ID: "standard", Seats: 2}, {ID: "gold", Seats: connector.Unlimited}}
		o.Required = []string{"title"}
	})
	check := func(p connector.Profile, pkg string) *connector.Change {
		t.Helper()
		ch, err := w.prov.Check(t.Context(), provision.CheckRequest{Source: "dir", Profile: p, Package: pkg})
		if err != nil {
			t.Fatal(err)
		}
		return ch
	}
	profile := func(name string, more ...string) connector.Profile {
		p := connector.Profile{}
		p.Set(connector.UserName, name)
		p.Set(connector.GivenName, "Ann")
		p.Set(connector.FamilyName, "Lee")
		p.Set(connector.Email, name+"@example.com")
		p.Set("title", "Chief")
		for i := 0; i+1 < len(more); i += 2 {
			p.Set(more[i], more[i+1])
		}
		return p
	}
	reasons := func(ch *connector.Change) (list []connector.Reason) {
		for _, f := range ch.Failures {
			list = append(list, f.Reason)
		}
		return list
	}
	if ch := check(profile("new"), ""); ch.Action != connector.Created || ch.After.State != connector.Active || ch.TakeSeat != "standard" {
		t.Errorf("%+v", ch)
	}
	if ch := check(profile("new"), "gold"); ch.TakeSeat != "gold" {
		t.Errorf("%+v", ch)
	}
	bare := connector.Profile{}
	bare.Set(connector.UserName, "x")
	if ch := check(bare, ""); !slices.Equal(reasons(ch), []connector.Reason{connector.RequiredMissing}) ||
		!slices.Equal(ch.Failures[0].Fields, []string{connector.GivenName, connector.FamilyName, connector.Email, "title"}) {
		t.Errorf("%+v", ch.Failures)
	}
	if got := reasons(check(profile("new", connector.Email, "no address"), "")); len(got) == 0 {
		t.Error("what is no address was taken")
	}
	if users, _, err := w.db.ListUsers(t.Context(), connector.UserQuery{Org: "acme"}); err != nil || len(users) > 0 {
		t.Fatalf("%v %v", err, users)
	}

	p := &people{list: []*connector.Record{person(1, "title", "Chief"), person(2, "title", "Chief")}}
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Created: 2})
	if got := reasons(check(profile("new"), "")); !slices.Equal(got, []connector.Reason{connector.NoSeat}) {
		t.Error(got)
	}
	if ch := check(profile("new"), "gold"); len(ch.Failures) > 0 {
		t.Errorf("%+v", ch.Failures)
	}
	if got := reasons(check(profile("other", connector.Email, "u0001@example.com"), "gold")); len(got) == 0 {
		t.Error("an address that somebody has was taken")
	}
	if items, _, err := w.db.OpenItems(t.Context(), connector.ItemQuery{Org: "acme"}); err != nil || len(items) > 0 {
		t.Errorf("%v %+v", err, items)
	}
	if _, err := w.prov.Check(t.Context(), provision.CheckRequest{Source: "none"}); connector.KindOf(err) != connector.NotFound {
		t.Error(err)
	}
}

func TestFieldsOfASource(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { o.Required = []string{"custom.badge", "uid"} })
	list, err := w.prov.Fields("dir")
	if err != nil {
		t.Fatal(err)
	}
	var required []string
	rules := map[string][]string{}
	for _, f := range list {
		if rules[f.Name] = f.Rules; f.Required {
			required = append(required, f.Name)
		}
	}
	if !slices.Equal(required, []string{connector.UserName, connector.GivenName, connector.FamilyName, connector.Email, "custom.badge"}) {
		t.Error(required)
	}
	if len(rules["custom.badge"]) != 0 || !slices.Contains(rules[connector.FamilyName], "sn") || len(list) < 10 {
		t.Errorf("%+v", list)
	}
	if _, err := w.prov.Fields("none"); connector.KindOf(err) != connector.NotFound {
		t.Error(err)
	}
}
