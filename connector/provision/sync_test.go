package provision_test

import (
	"slices"
	"testing"
	"time"

	"usherd/connector"
)

func TestEachChangeOfADirectoryGivesItsTransition(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: append(crowd(20), person(30, "mail", "u30@elsewhere.org"), person(31))}
	p.list[21].Enabled = connector.EnabledNo
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Created: 21, Skipped: 1})
	if got := w.state("u0001"); got != connector.Active {
		t.Errorf("on a proven domain: %s", got)
	}
	if got := w.state("u0030"); got != connector.NotVerified {
		t.Errorf("on another domain: %s", got)
	}
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Unchanged: 21, Skipped: 1})

	first := w.user("u0001").ID
	p.list[0] = person(1, "uid", "renamed", "sn", "Smith")
	p.list[0].DN = "uid=renamed,ou=elsewhere"
	p.list[1].Enabled, p.list[1].EnabledReason = connector.EnabledNo, "disabled"
	gone := p.list[2]
	p.list = append(p.list[:2:2], p.list[3:]...)
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Updated: 1, Deactivated: 2, Unchanged: 18, Skipped: 1})
	if u := w.user("renamed"); u == nil || u.ID != first {
		t.Error("a renamed person must keep the user id")
	}
	lost := w.user("u0003")
	if lost.State != connector.Inactive || lost.DeactivatedReason != "gone" || lost.Resume != connector.Active {
		t.Errorf("gone: %+v", lost)
	}
	if days := lost.DeleteAt.Sub(lost.DeactivatedAt); days != 7*24*time.Hour {
		t.Errorf("kept for %s", days)
	}
	p.list[1].Enabled = connector.EnabledYes
	p.list = append(p.list, gone)
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Reactivated: 2, Unchanged: 19, Skipped: 1})
	if u := w.user("u0003"); u.ID != lost.ID || u.State != connector.Active || !u.DeleteAt.IsZero() {
		t.Errorf("the leaver who returns: %+v", u)
	}
}

func TestPersonCreatedAnewIsTheSamePerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: crowd(20)}
	w.sync(p, connector.ResultOK)
	old := w.user("u0005")
	p.list[4] = person(5)
	p.list[4].Anchor.Raw = "anchor-000005new"
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Unchanged: 20})
	if u := w.user("u0005"); u.ID != old.ID || u.State != connector.Active {
		t.Errorf("%+v", u)
	}
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Unchanged: 20})
}

// One run is enough for that, also where the new entry is disabled: the next one finds nothing more to say of the person.
func TestPersonCreatedAnewAsDisabledIsTheSamePerson(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(r *connector.Record){
		"active": func(*connector.Record) {}, "put away": func(r *connector.Record) { r.OutOfScope = "it stands among the leavers" },
	} {
		w, p := newWorld(t, nil), &people{list: crowd(20)}
		w.sync(p, connector.ResultOK)
		was := w.user("u0005").ID
		before(p.list[4])
		w.sync(p, connector.ResultOK)
		p.list[4] = person(5)
		p.list[4].Anchor.Raw, p.list[4].Enabled = "anchor-000005new", connector.EnabledNo
		w.sync(p, connector.ResultOK)
		if u := w.user("u0005"); u.ID != was || u.State != connector.Inactive || u.DeactivatedReason != string(connector.StandingDisabled) {
			t.Errorf("%s: %+v", name, u)
		}
		counts(t, w.sync(p, connector.ResultOK), connector.Counts{Unchanged: 20})
	}
}

// Somebody disabled who has the name of somebody else is nobody yet, and in nobody's way.
func TestDisabledDoubleIsPassedOver(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t, nil), &people{list: crowd(20)}
	w.sync(p, connector.ResultOK)
	double := person(5)
	double.Anchor.Raw, double.Enabled = "another anchor!!", connector.EnabledNo
	p.list = append(p.list, double)
	for range 2 {
		counts(t, w.sync(p, connector.ResultOK), connector.Counts{Unchanged: 20, Skipped: 1})
	}
	if u := w.user("u0005"); u.State != connector.Active {
		t.Errorf("%+v", u)
	}
}

// Many put leavers away before they delete them.
func TestPersonPutAwayThenCreatedAnewIsTheSamePerson(t *testing.T) {
	w, p := newWorld(t, nil), &people{list: crowd(20)}
	w.sync(p, connector.ResultOK)
	was := w.user("u0005").ID
	p.list[4] = person(5)
	p.list[4].OutOfScope = "it stands among the leavers"
	w.sync(p, connector.ResultOK)
	p.list = slices.Delete(p.list, 4, 5)
	w.sync(p, connector.ResultOK)
	again := person(5)
	again.Anchor.Raw = "another anchor!!"
	p.list = append(p.list, again)
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Unchanged: 19, Reactivated: 1})
	if u := w.user("u0005"); u.ID != was || u.State != connector.Active {
		t.Errorf("the user is %s, %s", u.ID, u.State)
	}
	if items := w.items(); len(items) != 0 {
		t.Errorf("open items: %+v", items)
	}
}

func TestUserIsDeletedWhenItsGraceIsOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: crowd(20)}
	w.sync(p, connector.ResultOK)
	id := w.user("u0020").ID
	p.list = p.list[:19]
	w.sync(p, connector.ResultOK)
	w.now = w.now.Add(8 * 24 * time.Hour)
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Unchanged: 19, Deleted: 1})
	if w.user("u0020") != nil {
		t.Error("the name must be free")
	}
	p.list = append(p.list, person(20))
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Unchanged: 19, Created: 1})
	if w.user("u0020").ID == id {
		t.Error("a deleted user does not come back")
	}
}

func TestRunIsHeldWhenTooManyLeave(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: crowd(100)}
	w.sync(p, connector.ResultOK)
	p.list = append(p.list[:80:80], person(200))
	plan := w.sync(p, connector.ResultHeld)
	counts(t, plan, connector.Counts{Created: 1, Held: 20, Unchanged: 80})
	if w.state("u0081") != connector.Active || w.state("u0200") != connector.Active {
		t.Error("a hold keeps the removals only")
	}
	p.list = p.list[:79]
	if _, err := w.approve(plan, p); connector.KindOf(err) != connector.Conflict {
		t.Fatalf("approved although the directory had moved: %v", err)
	}
	now := w.sync(p, connector.ResultHeld)
	done, err := w.approve(now, p)
	if err != nil {
		t.Fatal(err)
	}
	counts(t, done, connector.Counts{Deactivated: 22, Unchanged: 79})
	if w.state("u0081") != connector.Inactive {
		t.Error("approved removals must be applied")
	}
}

func TestAnswerThatCannotBeTrustedRemovesNobody(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*people) connector.Result{
		"empty": func(p *people) connector.Result { p.list = nil; return connector.ResultFailed },
		"incomplete": func(p *people) connector.Result {
			p.list, p.incomplete = p.list[:50], "size limit"
			return connector.ResultPartial
		},
		"rights lost": func(p *people) connector.Result {
			for i := range p.list {
				p.list[i] = person(i+1, "sn", "")
			}
			return connector.ResultFailed
		},
		"unreadable": func(p *people) connector.Result {
			p.presence = map[string]connector.Presence{p.list[0].Anchor.Raw: connector.PresenceUnreadable}
			p.list = p.list[1:]
			return connector.ResultOK
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			p := &people{list: crowd(100)}
			w.sync(p, connector.ResultOK)
			want := spoil(p)
			plan := w.sync(p, want)
			if c := plan.Run.Counts; c.Deactivated+c.Held+c.Deleted+c.Updated > 0 {
				t.Errorf("%+v", c)
			}
			for i := range 100 {
				if s := w.state(person(i + 1).DN[4:9]); s != connector.Active {
					t.Fatalf("person %d is %s", i+1, s)
				}
			}
		})
	}
}
