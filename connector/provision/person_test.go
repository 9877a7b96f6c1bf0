package provision_test

import (
	"fmt"
	"strings"
	"testing"

	"usherd/connector"
	"usherd/connector/provision"
)

func (w *world) person(p *people, key string, preview bool) *provision.Person {
	w.t.Helper()
	out, err := w.prov.Person(w.t.Context(), provision.PersonRequest{Source: "dir", From: p, Key: key, Preview: preview, Actor: "test"})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func way(p *provision.Person) string {
	var names []string
	for _, s := range p.Steps {
		names = append(names, fmt.Sprintf("%s=%v", s.Name, s.OK))
	}
	return strings.Join(names, " ")
}

func TestOnePersonIsShownStepByStep(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: append(crowd(3), person(4, "sn", "", "givenName", ""))}
	const good = "found=true in scope=true matched=true mapped=true rules=true seat=true state=true stored=true"
	if got := w.person(p, "U0001@EXAMPLE.com", true); way(got) != good || w.user("u0001") != nil {
		t.Errorf("preview: %s", way(got))
	}
	if got := w.person(p, "u0001", false); way(got) != good || w.state("u0001") != connector.Active {
		t.Errorf("%s", way(got))
	}
	got := w.person(p, "u0004", false)
	if f := got.Change.Failures; len(f) != 1 || f[0].Reason != connector.RequiredMissing || len(f[0].Fields) != 2 {
		t.Errorf("%+v", f)
	}
	if len(w.items()) != 1 {
		t.Error("the failure stays as an open item")
	}
	p.list[3] = person(4)
	w.person(p, "u0004", false)
	if len(w.items()) != 0 || w.state("u0004") != connector.Active {
		t.Error("the item closes when the person succeeds")
	}
	p.list = p.list[1:]
	if got := w.person(p, "u0001", false); w.state("u0001") != connector.Inactive {
		t.Errorf("gone by the directory's own word: %s", way(got))
	}
	if got := w.person(p, "nobody", false); got.Change != nil || got.Run.Result != connector.ResultFailed {
		t.Errorf("%s", way(got))
	}
}

func TestFailuresOfAPerson(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		org  func(*connector.Organization)
		rec  *connector.Record
		want connector.Reason
	}{
		"no partner id": {func(o *connector.Organization) { o.PartnerID = "" }, person(1), connector.PartnerIDMissing},
		"no surname":    {nil, person(1, "sn", ""), connector.RequiredMissing},
		"bad address":   {nil, person(1, "mail", "not an address"), connector.EmailInvalid},
		"own rule":      {func(o *connector.Organization) { o.Required = []string{"department"} }, person(1), connector.RequiredMissing},
		"no seat":       {seats(0), person(1), connector.NoSeat},
		"fault":         {nil, func() *connector.Record { r := person(1); r.Fault = "two entries have this anchor"; return r }(), connector.AttributeInvalid},
		"unreadable":    {nil, func() *connector.Record { r := person(1); r.Enabled = connector.EnabledUnknown; return r }(), connector.AttributeInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.org)
			ch, err := w.prov.Submit(t.Context(), "dir", c.rec, connector.Cause{Kind: connector.CauseRequest, Actor: "test"})
			if err != nil {
				t.Fatal(err)
			}
			if ch.Action != connector.Failed || len(ch.Failures) == 0 {
				t.Fatalf("%+v", ch)
			}
			f := ch.Failures[0]
			if f.Reason != c.want || f.Code != connector.CodeCreation || f.Ref == "" || f.Subject == "" || f.At.IsZero() {
				t.Errorf("%+v", f)
			}
			if items := w.items(); len(items) != len(ch.Failures) || items[0].Ref != f.Ref {
				t.Errorf("%+v", items)
			}
		})
	}
}

func TestTwoNewPeopleWithOneAddressGetNeither(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: []*connector.Record{person(1), person(2, "mail", "U0001@Example.COM"), person(3)}}
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Created: 1, Failed: 2})
	for _, i := range w.items() {
		if i.Reason != connector.EmailTaken || i.Fields[0] != connector.Email {
			t.Errorf("%+v", i)
		}
	}
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Unchanged: 1, Failed: 2})
	if items := w.items(); len(items) != 2 || items[0].Count != 2 {
		t.Errorf("%+v", items)
	}
	p.list[1] = person(2)
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Created: 2, Unchanged: 1})
	if len(w.items()) != 0 {
		t.Error("open items must close")
	}
}

func TestItemOfSomebodyWhoIsGoneCloses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: append(crowd(3), person(4, "sn", ""))}
	w.sync(p, connector.ResultOK)
	p.list = p.list[:3]
	w.sync(p, connector.ResultOK)
	if items := w.items(); len(items) != 0 {
		t.Errorf("%+v", items)
	}
}

func TestItemOfSomebodyWhoIsAgainAsBeforeCloses(t *testing.T) {
	w, p := newWorld(t, nil), &people{list: crowd(20)}
	w.sync(p, connector.ResultOK)
	p.list[4] = person(5, "givenName", "")
	w.sync(p, connector.ResultOK)
	if items := w.items(); len(items) != 1 {
		t.Fatalf("%d open items, want the one without a given name", len(items))
	}
	p.list[4] = person(5)
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Unchanged: 20})
	if items := w.items(); len(items) != 0 {
		t.Errorf("it stays open although everything is as before: %+v", items)
	}
}

func TestAnotherEntryCannotTakeSomebodysAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: crowd(3)}
	w.sync(p, connector.ResultOK)
	owner := w.user("u0001")
	p.list = append(p.list, person(9, "mail", "u0001@example.com"))
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Unchanged: 3, Failed: 1})
	if i := w.items(); len(i) != 1 || i[0].Reason != connector.AmbiguousMatch {
		t.Errorf("%+v", i)
	}
	if u := w.user("u0001"); u.Version != owner.Version {
		t.Error("the owner must not change")
	}
}

// Whoever is refused anyway is in nobody's way, in whatever order the two come.
func TestFaultyEntryWithSomebodysAddressIsInNobodysWay(t *testing.T) {
	t.Parallel()
	good, faulty := person(1), person(2, "mail", "u0001@example.com", "sn", "")
	for _, list := range [][]*connector.Record{{good, faulty}, {faulty, good}} {
		w := newWorld(t, nil)
		counts(t, w.sync(&people{list: list}, connector.ResultOK), connector.Counts{Created: 1, Failed: 1})
		if w.state("u0001") != connector.Active {
			t.Errorf("the good one is %q", w.state("u0001"))
		}
		if items := w.items(); len(items) != 1 || items[0].Reason != connector.RequiredMissing {
			t.Errorf("%+v", items)
		}
		counts(t, w.sync(&people{list: list}, connector.ResultOK), connector.Counts{Unchanged: 1, Failed: 1})
	}
}
