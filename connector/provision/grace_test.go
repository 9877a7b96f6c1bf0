package provision_test

import (
	"strings"
	"testing"
	"time"

	"usherd/connector"
)

// names are the user names, those who have none left included.
func names(users []*connector.User) string {
	var list []string
	for _, u := range users {
		list = append(list, u.UserName())
	}
	return strings.Join(list, " ")
}

func (w *world) due(within time.Duration) string {
	w.t.Helper()
	users, next, err := w.prov.Due(w.t.Context(), w.now.Add(within), "", 0)
	if err != nil || next != "" {
		w.t.Fatal(err, next)
	}
	n, err := w.prov.CountDue(w.t.Context(), within)
	if err != nil || n != len(users) {
		w.t.Fatalf("%d users, but %d counted, %v", len(users), n, err)
	}
	return names(users)
}

func TestWhoIsDeletedSoon(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: crowd(20)}
	w.sync(p, connector.ResultOK)
	p.list[0].Enabled = connector.EnabledNo                                        // 30 days
	p.list = p.list[:18]                                                           // two are gone: 7 days
	if _, err := w.prov.Deactivate(t.Context(), command(w, "u0002")); err != nil { // kept, as the source has it enabled
		t.Fatal(err)
	}
	w.sync(p, connector.ResultOK)
	for within, want := range map[time.Duration]string{6 * day: "", 7 * day: "u0019 u0020", 40 * day: "u0019 u0020 u0001"} {
		if got := w.due(within); got != want {
			t.Errorf("within %s: %q, want %q", within, got, want)
		}
	}
	if n := w.sync(p, connector.ResultOK).Run.Due; n != 2 {
		t.Errorf("the report says %d", n)
	}
}

func TestKeepPostponesTheDeletion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: crowd(20)}
	w.sync(p, connector.ResultOK)
	p.list[19].Enabled = connector.EnabledNo
	w.sync(p, connector.ResultOK)
	keep := func(until time.Time) (*connector.Change, error) {
		return w.prov.Keep(t.Context(), command(w, "u0020"), until)
	}
	until := w.now.Add(60 * day)
	ch, err := keep(until)
	if err != nil || len(ch.Fields) != 1 || ch.Fields[0].Field != connector.FieldDeleteAt {
		t.Fatalf("%+v %v", ch, err)
	}
	if _, err := keep(w.now.Add(day)); connector.KindOf(err) != connector.Invalid || connector.HintOf(err) == "" {
		t.Errorf("sooner: %v", err)
	}
	if _, err := w.prov.Keep(t.Context(), command(w, "u0001"), until); connector.KindOf(err) != connector.Refused {
		t.Errorf("somebody active: %v", err)
	}
	p.list = p.list[:19] // a source that has the person gone gives 7 days, but shortens nothing
	w.sync(p, connector.ResultOK)
	if u := w.user("u0020"); !u.DeleteAt.Equal(until) || u.DeactivatedReason != "gone" {
		t.Errorf("deleted at %s, want %s, reason %s", u.DeleteAt, until, u.DeactivatedReason)
	}
	w.now = until.Add(-2 * time.Minute)
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Unchanged: 19})
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Deleted: 1, Unchanged: 19})
}

// Who was disabled and is deleted from the directory then is kept as long as those who are gone.
func TestGoneEndsTheGraceOfTheDisabledSooner(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: crowd(20)}
	w.sync(p, connector.ResultOK)
	p.list[19].Enabled = connector.EnabledNo
	w.sync(p, connector.ResultOK)
	p.list = p.list[:19]
	w.sync(p, connector.ResultOK)
	if u := w.user("u0020"); !u.DeleteAt.Equal(w.now.Add(7 * day)) {
		t.Errorf("deleted at %s, want %s", u.DeleteAt, w.now.Add(7*day))
	}
}

func TestGraceEndsWithoutAFullRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := &people{list: crowd(20)}
	w.sync(p, connector.ResultOK)
	p.list = p.list[:18]
	w.sync(p, connector.ResultOK)
	if run, err := w.prov.EndGrace(t.Context(), "dir", "r1"); run != nil || err != nil {
		t.Fatalf("before its time: %+v %v", run, err)
	}
	before, err := w.db.SourceState(t.Context(), w.org.ID, "dir")
	if err != nil {
		t.Fatal(err)
	}
	id := w.user("u0020").ID
	w.now = w.now.Add(7 * day)
	run, err := w.prov.EndGrace(t.Context(), "dir", "r1")
	if err != nil || run.Mode != connector.ModeGrace || run.Result != connector.ResultOK || run.Counts != (connector.Counts{Deleted: 2}) {
		t.Fatalf("%+v %v", run, err)
	}
	if again, err := w.prov.EndGrace(t.Context(), "dir", "r1"); again != nil || err != nil {
		t.Errorf("twice: %+v %v", again, err)
	}
	after, err := w.db.SourceState(t.Context(), w.org.ID, "dir")
	if err != nil || after.LastRun != before.LastRun || after.Entries != before.Entries {
		t.Errorf("what is known of the source: %+v, want %+v, %v", after, before, err)
	}
	users, err := w.db.Users(t.Context(), w.org.ID, []connector.ID{id})
	if err != nil || len(users) != 1 {
		t.Fatal(err)
	}
	u := users[0]
	if u.State != connector.Deleted || u.UserName() != "u0020" || len(u.Profile) != 1 || u.DeactivatedAt.IsZero() || u.CreatedAt.IsZero() || !u.UpdatedAt.Equal(w.now) {
		t.Errorf("the tombstone: %+v", u)
	}
	fresh := person(120, "uid", "u0020", "mail", "u0020@example.com") // its names are free at once
	p.list = append(p.list, fresh)
	counts(t, w.sync(p, connector.ResultOK), connector.Counts{Created: 1, Unchanged: 18})
	if w.user("u0020").ID == id {
		t.Error("somebody else got the id")
	}
}

func TestGraceThatEndsForTooManyIsHeld(t *testing.T) {
	t.Parallel()
	w, p, held := leavers(t, nil)
	w.mustApprove(held.Run.ID, p, connector.Part{})
	w.now = w.now.Add(8 * day)
	run, err := w.prov.EndGrace(t.Context(), "dir", "r1")
	if err != nil || run.Result != connector.ResultHeld || run.Counts != (connector.Counts{Held: 20}) {
		t.Fatalf("%+v %v", run, err)
	}
	if again, err := w.prov.EndGrace(t.Context(), "dir", "r1"); again != nil || err != nil {
		t.Errorf("while it waits: %+v %v", again, err)
	}
	counts(t, w.mustApprove(run.ID, p, connector.Part{Only: []string{"u0090"}}), connector.Counts{Deleted: 1, Held: 19, Unchanged: 80})
	if w.user("u0090") != nil || w.user("u0091") == nil {
		t.Error("others than those chosen")
	}
}

func TestGraceOfUsersWithoutASource(t *testing.T) {
	t.Parallel()
	w := newWorld(t, second)
	low := &people{list: []*connector.Record{inSecond(person(1)), inSecond(person(2))}}
	w.syncFrom("second", low, connector.ResultOK)
	w.sync(&people{list: []*connector.Record{person(2), person(3)}}, connector.ResultOK)
	for _, n := range []string{"u0001", "u0002", "u0003"} {
		if _, err := w.prov.Deactivate(t.Context(), command(w, n)); err != nil {
			t.Fatal(err)
		}
	}
	w.org.Sources = w.org.Sources[:1]
	w.rebuild()
	if n, err := w.prov.EndGraceUnlinked(t.Context()); n != 0 || err != nil {
		t.Fatalf("before its time: %d %v", n, err)
	}
	w.now = w.now.Add(31 * day)
	if n, err := w.prov.EndGraceUnlinked(t.Context()); n != 1 || err != nil {
		t.Errorf("%d %v, want the one whom no source knows", n, err)
	}
	if w.user("u0001") != nil || w.user("u0002") == nil || w.user("u0003") == nil {
		t.Error("others than that one")
	}
	if run, err := w.prov.EndGrace(t.Context(), "dir", ""); run != nil || err != nil {
		t.Errorf("a source that has them enabled would create them anew: %+v %v", run, err)
	}
}
