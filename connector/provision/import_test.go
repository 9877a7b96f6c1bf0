package provision_test

import (
	"testing"

	"usherd/connector"
)

// brought has a directory, then files, then a client that pushes.
func brought(o *connector.Organization) {
	for _, s := range []connector.SourceSettings{{ID: "file", Kind: connector.Import}, {ID: "site", Kind: connector.SiteLink}, {ID: "push", Kind: connector.SCIM}} {
		s.FirstRun, s.Guard, s.Fingerprint = connector.FirstRunApply, connector.Guard{Min: 10, Percent: 5}, connector.Hash{9}
		o.Sources = append(o.Sources, s)
	}
}

// row is a person in a file, whose key is not that of the directory.
func row(i int, enabled connector.Enabled, more ...string) *connector.Record {
	r := person(i, more...)
	r.Anchor, r.DN, r.Enabled = connector.Anchor{Kind: connector.TextAnchor, Raw: string(r.Values("uid")[0])}, "people.csv line 2", enabled
	return r
}

func file(rows ...*connector.Record) *people {
	return &people{list: rows, presence: map[string]connector.Presence{}}
}

func TestAFileRemovesNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, brought)
	for _, source := range []string{"file", "site"} {
		all := file()
		from := map[string]int{"file": 0, "site": 100}[source]
		for i := 1; i <= 40; i++ {
			all.list = append(all.list, row(from+i, connector.EnabledUnknown))
		}
		counts(t, w.syncFrom(source, all, connector.ResultOK), connector.Counts{Created: 40})
		later := file(row(from+1, connector.EnabledUnknown))
		counts(t, w.syncFrom(source, later, connector.ResultOK), connector.Counts{Unchanged: 1})
		if later.lookups > 0 {
			t.Errorf("%d people were looked up", later.lookups)
		}
	}
	if n := len(w.picture()); n != 80 {
		t.Errorf("%d users", n)
	}
}

func TestFirstStateByFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, brought)
	w.syncFrom("file", file(row(1, connector.EnabledYes), row(2, connector.EnabledUnknown, "mail", "b@other.test"), row(3, connector.EnabledNo)), connector.ResultOK)
	w.syncFrom("site", file(row(4, connector.EnabledUnknown, "mail", "d@other.test"), row(5, connector.EnabledNo)), connector.ResultOK)
	for name, want := range map[string]connector.State{
		"u0001": connector.Verified, "u0002": connector.NotVerified, "u0003": "", "u0004": connector.Verified, "u0005": "",
	} {
		if got := w.state(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestAFileLinksWhoIsThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, brought)
	w.sync(&people{list: crowd(2)}, connector.ResultOK)
	plan := w.syncFrom("file", file(row(1, connector.EnabledUnknown), row(2, connector.EnabledUnknown, "title", "Boss"), row(3, connector.EnabledUnknown)), connector.ResultOK)
	counts(t, plan, connector.Counts{Created: 1, Updated: 1, Unchanged: 1, Linked: 2})
	linked := 0
	for ch, err := range plan.Changes() {
		if err != nil {
			t.Fatal(err)
		}
		if ch.Linked {
			linked++
		}
	}
	kept := 0
	for ch, err := range w.db.RunChanges(t.Context(), plan.Run.ID) {
		if err != nil {
			t.Fatal(err)
		}
		if ch.Linked {
			kept++
		}
	}
	if linked != 2 || kept != 1 { // of a past run an event tells of the other one
		t.Errorf("%d are shown as linked, %d later", linked, kept)
	}
	counts(t, w.syncFrom("file", file(row(1, connector.EnabledUnknown)), connector.ResultOK), connector.Counts{Unchanged: 1})
}

// A line in a file keeps nobody's access whom a directory has lost, and gives nobody back what one took.
func TestAFileIsNoWordOnWhoIsStillThere(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"dir", "file"} {
		w := newWorld(t, func(o *connector.Organization) {
			if brought(o); first == "file" {
				o.Sources[0], o.Sources[1] = o.Sources[1], o.Sources[0]
			}
		})
		dir := &people{list: crowd(3)}
		w.sync(dir, connector.ResultOK)
		w.syncFrom("file", file(row(1, connector.EnabledYes), row(2, connector.EnabledNo), row(3, connector.EnabledUnknown)), connector.ResultOK)
		if w.state("u0002") != connector.Active {
			t.Errorf("%s first: a file alone has made somebody %s whom the directory has", first, w.state("u0002"))
		}
		dir.list = dir.list[:0:0]
		dir.list = append(dir.list, person(9))
		w.sync(dir, connector.ResultOK)
		for _, name := range []string{"u0001", "u0002", "u0003"} {
			if w.state(name) != connector.Inactive {
				t.Errorf("%s first: %s is %s without the directory", first, name, w.state(name))
			}
		}
		w.syncFrom("file", file(row(1, connector.EnabledYes, "title", "Boss")), connector.ResultOK)
		if w.state("u0001") != connector.Inactive {
			t.Errorf("%s first: a file has brought u0001 back", first)
		}
	}
}

// Whom only files have brought they deactivate, by saying so, and give back.
func TestAFileDecidesAboutItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, brought)
	w.syncFrom("file", file(row(1, connector.EnabledUnknown)), connector.ResultOK)
	counts(t, w.syncFrom("file", file(row(1, connector.EnabledNo)), connector.ResultOK), connector.Counts{Deactivated: 1})
	counts(t, w.syncFrom("file", file(row(1, connector.EnabledUnknown, "title", "Boss")), connector.ResultOK), connector.Counts{Updated: 1})
	if w.state("u0001") != connector.Inactive {
		t.Error("a file that does not say it has brought somebody back")
	}
	counts(t, w.syncFrom("file", file(row(1, connector.EnabledYes)), connector.ResultOK), connector.Counts{Reactivated: 1})
}

// What a file has no column for stays; an empty field is a word.
func TestAFileLeavesWhatItDoesNotName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, brought)
	w.syncFrom("file", file(row(1, connector.EnabledUnknown, "title", "Boss")), connector.ResultOK)
	short := row(1, connector.EnabledUnknown)
	short.Attributes = short.Attributes[:1] // the user name alone
	counts(t, w.syncFrom("file", file(short), connector.ResultOK), connector.Counts{Unchanged: 1})
	if got := w.user("u0001").Profile; got.Get("title") != "Boss" || got.Get(connector.GivenName) != "Ann" {
		t.Error(got)
	}
	empty := row(1, connector.EnabledUnknown)
	empty.Attributes = append(empty.Attributes, connector.Attribute{Name: "title"})
	w.syncFrom("file", file(empty), connector.ResultOK)
	if got := w.user("u0001").Profile; len(got["title"]) > 0 {
		t.Error(got)
	}
}

func TestSeatsThatAFileNeeds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) {
		brought(o)
		o.Packages[0].Seats = 2
	})
	plan := w.syncFrom("file", file(row(1, connector.EnabledYes), row(2, connector.EnabledYes), row(3, connector.EnabledYes)), connector.ResultOK)
	if s := plan.Run.Seats[0]; s.Needed != 3 || s.Used != 2 || plan.Run.Counts.Failed != 1 {
		t.Errorf("%+v, %+v", s, plan.Run.Counts)
	}
}

// What of a file waits is approved and put back like what of a directory does.
func TestAFileIsApprovedAndPutBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, brought)
	all := file()
	for i := 1; i <= 40; i++ {
		all.list = append(all.list, row(i, connector.EnabledUnknown))
	}
	w.syncFrom("file", all, connector.ResultOK)
	for i := range all.list {
		all.list[i] = row(i+1, connector.EnabledNo)
	}
	held := w.syncFrom("file", all, connector.ResultHeld)
	counts(t, held, connector.Counts{Held: 40})
	plan, err := w.approve(held, all)
	if err != nil || plan.Run.Counts.Deactivated != 40 {
		t.Fatal(plan.Run.Counts, err)
	}
	w.rollback(plan.Run.ID)
	if w.state("u0040") != connector.Verified {
		t.Error(w.state("u0040"))
	}
}
