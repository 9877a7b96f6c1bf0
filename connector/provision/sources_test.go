package provision_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"usherd/connector"
)

// Each attribute goes by its own order of sources, whichever of them speaks; one that a source does not
// give is not touched by it.
func TestOwnersDecidePerAttribute(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) {
		second(o)
		o.Owners = map[string][]string{"title": {"second"}}
	})
	high, low := &people{list: []*connector.Record{person(1, "title", "Boss")}}, &people{list: []*connector.Record{inSecond(person(1))}}
	says := func(title, familyName string) {
		t.Helper()
		w.sync(high, connector.ResultOK)
		w.syncFrom("second", low, connector.ResultOK)
		if u := w.user("u0001"); u.Profile.Get("title") != title || u.Profile.Get(connector.FamilyName) != familyName {
			t.Errorf("%v, want %q, %q", u.Profile, title, familyName)
		}
		w.sync(high, connector.ResultOK)
		if c := w.syncFrom("second", low, connector.ResultOK).Run.Counts; c.Updated > 0 {
			t.Errorf("nothing has changed: %+v", c)
		}
	}
	says("Boss", "Lee1") // the owner gives none
	low.list[0] = inSecond(person(1, "title", "Chief", "sn", "Other"))
	says("Chief", "Lee1") // and then it does
	high.list[0] = person(1, "title", "Director", "sn", "Name")
	says("Chief", "Name")
	low.list[0] = inSecond(person(1))
	says("Director", "Name")
	w.org.Owners = nil
	low.list[0] = inSecond(person(1, "title", "Chief"))
	w.rebuild()
	says("Director", "Name")
}

// The link decides; without one, the first matching attribute that anybody has, in any case.
func TestMatching(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		matching  []string
		record    *connector.Record
		user      string // that it is linked to, "" = none
		created   bool
		ambiguous bool
	}{
		"by e-mail, in any case":  {record: person(9, "uid", "x", "mail", "U0001@EXAMPLE.com"), user: "u0001"},
		"by user name":            {record: person(9, "uid", "U0002", "mail", "x@example.com"), user: "u0002"},
		"the e-mail comes first":  {record: person(9, "uid", "x", "mail", "u0002@example.com"), user: "u0002"},
		"nobody":                  {record: person(9), created: true},
		"by user name alone":      {matching: []string{connector.UserName}, record: person(9, "uid", "u0002"), user: "u0002"},
		"by number":               {matching: []string{"employeeNumber"}, record: person(9, "title", "n-1"), user: "u0001"},
		"two with one number":     {matching: []string{"employeeNumber"}, record: person(9, "title", "n-2"), ambiguous: true},
		"two names of two people": {record: person(9, "uid", "u0002", "mail", "u0001@example.com"), user: "u0001"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(o *connector.Organization) {
				second(o)
				o.Matching = tt.matching
			})
			for _, source := range []string{"dir", "second"} {
				w.remap(source, map[string]string{"employeeNumber": "title"})
			}
			w.sync(&people{list: []*connector.Record{person(1, "title", "N-1"), person(2, "title", "N-2"), person(3, "title", "N-2")}}, connector.ResultOK)
			before := w.picture()
			plan := w.syncFrom("second", &people{list: []*connector.Record{inSecond(tt.record)}}, connector.ResultOK)
			var linked []string
			for name := range before {
				if links := w.links(w.user(name)); len(links) == 2 {
					linked = append(linked, name)
				}
			}
			if strings.Join(linked, " ") != tt.user || (plan.Run.Counts.Created == 1) != tt.created {
				t.Errorf("linked to %q, %+v", linked, plan.Run.Counts)
			}
			items := w.items()
			if tt.ambiguous != (len(items) == 1 && items[0].Reason == connector.AmbiguousMatch) {
				t.Errorf("%+v", items)
			}
			if tt.ambiguous && fmt.Sprint(w.picture()) != fmt.Sprint(before) {
				t.Error("who is ambiguous changes nobody")
			}
		})
	}
}

func (w *world) links(u *connector.User) []connector.Link {
	w.t.Helper()
	links, err := w.db.UserLinks(w.t.Context(), w.org.ID, u.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	slices.SortFunc(links, func(a, b connector.Link) int { return strings.Compare(a.Source, b.Source) })
	return links
}

// A person created anew in one source is linked there again, and keeps what the other one says.
func TestPersonCreatedAnewKeepsTheOtherSource(t *testing.T) {
	t.Parallel()
	for _, source := range []string{"dir", "second"} {
		t.Run(source, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(o *connector.Organization) {
				second(o)
				o.Owners = map[string][]string{"title": {"second"}}
			})
			from := map[string]*people{"dir": {list: crowd(20)}, "second": {}}
			for i := 1; i <= 20; i++ {
				from["second"].list = append(from["second"].list, inSecond(person(i, "title", "T")))
			}
			w.sync(from["dir"], connector.ResultOK)
			w.syncFrom("second", from["second"], connector.ResultOK)
			before, old := w.user("u0005"), w.links(w.user("u0005"))
			anew := from[source].list[4].Clone()
			anew.Anchor.Raw = "created-anew-005"
			from[source].list[4] = anew
			counts(t, w.syncFrom(source, from[source], connector.ResultOK), connector.Counts{Unchanged: 20})
			u, links := w.user("u0005"), w.links(w.user("u0005"))
			if u.ID != before.ID || !u.Profile.Equal(before.Profile) || u.Version != before.Version {
				t.Errorf("%+v, was %+v", u, before)
			}
			if len(links) != 2 || links[0].Source != old[0].Source || links[1].Source != old[1].Source {
				t.Fatalf("%+v", links)
			}
			for i, l := range links {
				if want := l.Source == source; (l.Anchor != old[i].Anchor) != want || want && l.Anchor != anew.Anchor {
					t.Errorf("%+v, was %+v", l, old[i])
				}
			}
			counts(t, w.syncFrom(source, from[source], connector.ResultOK), connector.Counts{Unchanged: 20})
		})
	}
}

// A leaver whom another source brings again is the same user.
func TestLeaverIsMatchedByAnotherSource(t *testing.T) {
	t.Parallel()
	w := newWorld(t, second)
	p := &people{list: crowd(20)}
	w.sync(p, connector.ResultOK)
	id := w.user("u0020").ID
	p.list = p.list[:19]
	w.sync(p, connector.ResultOK)
	if w.state("u0020") != connector.Inactive {
		t.Fatal(w.state("u0020"))
	}
	low := &people{list: []*connector.Record{inSecond(person(20, "sn", "New"))}}
	counts(t, w.syncFrom("second", low, connector.ResultOK), connector.Counts{Reactivated: 1})
	u := w.user("u0020")
	if u.ID != id || u.State != connector.Active || u.Profile.Get(connector.FamilyName) != "New" {
		t.Errorf("%+v", u)
	}
}

// What a source said that the configuration does not have any more stays behind all others: it owns only
// what nobody else gives, keeps nobody's access, and does not speak for who has left all others.
func TestSourceThatIsNotConfiguredAnyMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) {
		second(o)
		o.Sources[0], o.Sources[1] = o.Sources[1], o.Sources[0] // the one to go is the first
	})
	old := &people{list: []*connector.Record{inSecond(person(1, "sn", "Old", "title", "Boss")), inSecond(person(2))}}
	dir := &people{list: []*connector.Record{person(1)}}
	w.syncFrom("second", old, connector.ResultOK)
	w.sync(dir, connector.ResultOK)
	if u := w.user("u0001"); u.Profile.Get(connector.FamilyName) != "Old" {
		t.Fatalf("%v", u.Profile)
	}
	w.org.Sources = w.org.Sources[1:]
	w.org.Sources[0].Fingerprint = connector.Hash{9} // the configuration is another one
	w.rebuild()
	w.sync(dir, connector.ResultOK)
	u := w.user("u0001")
	if u.Profile.Get(connector.FamilyName) != "Lee1" || u.Profile.Get("title") != "Boss" {
		t.Errorf("%v", u.Profile)
	}
	dir.list = []*connector.Record{person(3)}
	w.sync(dir, connector.ResultOK)
	u = w.user("u0001")
	if u.State != connector.Inactive || u.DeactivatedSource != "dir" || u.Profile.Get(connector.FamilyName) != "Lee1" {
		t.Errorf("%+v", u)
	}
	if u := w.user("u0002"); u.State != connector.Active {
		t.Errorf("nobody decides about who had only that source: %+v", u)
	}
	if e := w.explain(w.user("u0002")); e.Records[0].Place != 0 || !strings.Contains(strings.Join(e.Why, " "), "only administrators decide") {
		t.Errorf("%+v", e)
	}
}

// An administrator's deactivation survives every source, by whatever door it comes.
func TestAdministratorsDeactivationSurvivesEverySource(t *testing.T) {
	t.Parallel()
	doors := map[string]func(w *world, p *people){
		"a full run":                 func(w *world, p *people) { w.sync(p, connector.ResultOK) },
		"a full run with other data": func(w *world, p *people) { p.list[0] = person(1, "sn", "New"); w.sync(p, connector.ResultOK) },
		"a full run under other settings": func(w *world, p *people) {
			w.org.Sources[0].Fingerprint = connector.Hash{9}
			w.rebuild()
			w.sync(p, connector.ResultOK)
		},
		"disabled and enabled again": func(w *world, p *people) {
			p.list[0].Enabled = connector.EnabledNo
			w.sync(p, connector.ResultOK)
			p.list[0].Enabled = connector.EnabledYes
			w.sync(p, connector.ResultOK)
		},
		"out of scope and back": func(w *world, p *people) {
			p.list[0].OutOfScope = "OU excluded"
			w.sync(p, connector.ResultOK)
			p.list[0].OutOfScope = ""
			w.sync(p, connector.ResultOK)
		},
		"gone and back": func(w *world, p *people) {
			all := p.list
			p.list = all[1:]
			w.sync(p, connector.ResultOK)
			p.list = all
			w.sync(p, connector.ResultOK)
		},
		"created anew": func(w *world, p *people) {
			p.list[0].Anchor.Raw = "created-anew-001"
			w.sync(p, connector.ResultOK)
		},
		"gone, then created anew": func(w *world, p *people) {
			all := p.list
			p.list = all[1:]
			w.sync(p, connector.ResultOK)
			anew := person(1)
			anew.Anchor.Raw = "created-anew-001"
			p.list = append(p.list, anew)
			w.sync(p, connector.ResultOK)
		},
		"a person run": func(w *world, p *people) { w.personRun(p, "u0001") },
		"one record":   func(w *world, _ *people) { w.submit("dir", person(1, "sn", "New")) },
		"a second source by matching": func(w *world, _ *people) {
			w.syncFrom("second", &people{list: []*connector.Record{inSecond(person(1))}}, connector.ResultOK)
		},
		"one record of a second source": func(w *world, _ *people) { w.submit("second", inSecond(person(1, "uid", "x"))) },
		"the proof of its domain":       func(w *world, _ *people) { w.verify("other.test"); w.domainVerified("u0001") },
		"a rest after a long time":      func(w *world, p *people) { w.now = w.now.Add(400 * day); w.sync(p, connector.ResultOK) },
		"the waiting list": func(w *world, p *people) {
			if err := w.prov.Offer(w.t.Context()); err != nil {
				w.t.Fatal(err)
			}
		},
		"an approved preview": func(w *world, p *people) {
			p.list[0] = person(1, "sn", "New")
			w.org.Sources[0].FirstRun, w.org.Sources[0].Fingerprint = connector.FirstRunPreview, connector.Hash{9}
			w.rebuild()
			if _, err := w.approve(w.sync(p, connector.ResultHeld), p); err != nil {
				w.t.Fatal(err)
			}
		},
	}
	for name, door := range doors {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(o *connector.Organization) {
				second(o)
				o.Packages[0].Seats = 20
			})
			p := &people{list: crowd(20)}
			w.sync(p, connector.ResultOK)
			id := w.user("u0001").ID
			w.must(w.prov.Deactivate(t.Context(), command(w, "u0001")))
			door(w, p)
			users, err := w.db.Users(t.Context(), "acme", []connector.ID{id})
			if err != nil {
				t.Fatal(err)
			}
			if u := users[0]; u.State != connector.Inactive || u.DeactivatedBy != connector.ByAdministrator || u.Resume != connector.Active {
				t.Errorf("%+v", u)
			}
			if n, err := w.db.CountUsers(t.Context(), "acme"); err != nil || n[connector.Active] != 19 || n[connector.Inactive] != 1 {
				t.Errorf("%v %v: somebody was created beside it", n, err)
			}
			if s := w.explain(users[0]).Package.Seats; s.Used != 19 {
				t.Errorf("%+v", s)
			}
		})
	}
}
