package ldapsync

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
	"usherd/ldapsync/ldaptest"
)

// pointingMakers are the mechanisms of directories that keep references.
var pointingMakers = []feedMaker{
	{name: "dirsync of ldaptest", by: ByDirSync, start: fakeAD(ldaptest.Options{})},
	{name: "usn of ldaptest", by: ByUSN, start: fakeAD(ldaptest.Options{MaxPageSize: 50})},
	{name: "dirsync of Samba", by: ByDirSync, start: realSamba},
	{name: "usn of Samba", by: ByUSN, start: realSamba},
}

// A chief who is renamed or moved is another value of manager at all who report to him, and nothing happens
// to their entries.
func TestWhoPointsToThoseWhoChangedIsReadAgain(t *testing.T) {
	t.Parallel()
	for _, m := range pointingMakers {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			d, _ := startFeed(t, m)
			s := open(t, d.config, func(o *Options) { o.Attributes = []string{"sn", "mail", "manager"} })
			at := func(name string) string { return "CN=" + name + "," + d.people() }
			for _, name := range []string{"bert", "carl"} {
				d.set(at(name), "manager", at("anna"))
			}
			d.set(at("dora"), "manager", at("carl"))
			d.set(at("anna"), "manager", "CN=otto,"+d.outside())
			have, cursor := readRoster(t, s)
			for _, step := range []struct {
				name     string
				from, to string
				records  int
			}{
				{"renamed", at("anna"), at("maria (2)"), 3}, // bert and carl
				{"moved out", at("maria (2)"), "CN=maria," + d.outside(), 3},
				{"nobody points", at("emil"), at("emilia"), 1},
				{"an outsider", "CN=otto," + d.outside(), "CN=ottokar," + d.outside(), 1}, // anna is outside too now
				{"one level", at("carl"), "CN=carl," + d.guests(), 2},
			} {
				d.do(d.dir.move(step.from, step.to))
				b := changesSince(t, s, cursor)
				for _, rec := range b.Records {
					have.take(rec)
				}
				cursor = b.Cursor
				want, _ := readRoster(t, s)
				if diff := cmp.Diff(want, have); diff != "" || b.Full != "" || len(b.Records) != step.records {
					t.Errorf("%s: full %q, %d records, want %d: %s", step.name, b.Full, len(b.Records), step.records, diff)
				}
			}
		})
	}
}

// records are what a store keeps: the last word of everybody in scope.
type records map[connector.Anchor]*connector.Record

func (r records) take(rec *connector.Record) {
	delete(r, rec.Anchor)
	if !rec.Gone && rec.OutOfScope == "" {
		r[rec.Anchor] = rec.Clone()
	}
}

// naming is that of the ChangesRequest.
func (r records) naming(_ context.Context, gone []connector.Anchor, names []string) (found []connector.Anchor, _ error) {
	for _, a := range gone {
		if rec := r[a]; rec != nil {
			names = append(names, rec.DN)
		}
	}
	for a, rec := range r {
		if v := rec.Values("manager"); len(v) > 0 && slices.Contains(names, string(v[0])) {
			found = append(found, a)
		}
	}
	return found, nil
}

// With a chief's entry goes what others say of it, and nothing happens to their entries.
func TestWhoPointedToThoseWhoAreGoneIsReadAgain(t *testing.T) {
	t.Parallel()
	for _, m := range pointingMakers {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			d, _ := startFeed(t, m)
			s := open(t, d.config, func(o *Options) { o.Attributes = []string{"sn", "mail", "manager"} })
			at := func(name string) string { return "CN=" + name + "," + d.people() }
			d.hire(d.people(), "rank")
			d.do(d.dir.move(at("rank"), at(`rank (and file)`)))
			for _, name := range []string{"bert", "carl"} {
				d.set(at(name), "manager", at(`rank (and file)`))
			}
			d.set(at("dora"), "manager", "CN=otto,"+d.outside())
			have := records{}
			res, err := s.Read(t.Context(), func(rec *connector.Record) error { have.take(rec); return nil })
			if err != nil {
				t.Fatal(err)
			}
			d.do(d.dir.move(at(`rank (and file)`), "CN=private,"+d.guests()))
			d.do(d.dir.remove("CN=private," + d.guests()))
			d.do(d.dir.remove("CN=otto," + d.outside())) // whom nobody has stored
			ask := connector.ChangesRequest{Since: res.Cursor}
			if b := changesWith(t, s, ask); b.Full != errNoNamer.Error() {
				t.Errorf("nobody can say who pointed: %+v", b)
			}
			ask.Naming = have.naming
			b := changesWith(t, s, ask)
			if b.Full != "" || len(b.Records) != 5 { // two who are gone, three who pointed to them
				t.Errorf("full %q, %d records", b.Full, len(b.Records))
			}
			for _, rec := range b.Records {
				have.take(rec)
			}
			for _, rec := range have {
				if v := rec.Values("manager"); len(v) > 0 {
					t.Errorf("the manager of %s is %s", rec.DN, v[0])
				}
			}
		})
	}
}

func changesWith(t *testing.T, s *Source, req connector.ChangesRequest) *connector.Batch {
	t.Helper()
	b, err := s.Changes(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTooManyWhoPointNeedAFullRead(t *testing.T) {
	t.Parallel()
	d := directory(t, ldaptest.Options{})
	populate(t, d, maxTouched+1)
	for i := range maxTouched {
		do(t, d.Modify(personDN(i+1), ldaptest.Attrs{"manager": {personDN(0)}}))
	}
	s := open(t, configOf(t, d), func(o *Options) { o.Attributes = append(o.Attributes, "manager") })
	_, at := readRoster(t, s)
	do(t, d.Modify(personDN(0), ldaptest.Attrs{"mail": {"new@example.test"}}))
	if b := changesSince(t, s, at); b.Full != tooMany || len(b.Records) > 0 || string(b.Cursor.Data) != string(at.Data) {
		t.Errorf("full %q, %d records", b.Full, len(b.Records))
	}
}
