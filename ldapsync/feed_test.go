package ldapsync

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
	"usherd/ldapsync/ldaptest"
)

// feedServer is a directory whose people a feed is tested with: they stand in two units of a company, which
// is the base of the source, or outside of it.
type feedServer struct {
	t      *testing.T
	config *Config
	base   string // naming context
	person map[string][]string
	group  map[string][]string
	off    map[string][]string // what makes an account one that may not be used
	other  map[string][]string // an object beside people that a feed must not take for one; nil = none
	dir    feedDirectory
}

// feedDirectory changes a directory.
type feedDirectory interface {
	add(dn string, attrs map[string][]string) error
	modify(dn string, attrs map[string][]string) error
	move(dn, newDN string) error
	remove(dn string) error
}

func (s *feedServer) company() string { return "OU=Company," + s.base }
func (s *feedServer) people() string  { return "OU=People," + s.company() }
func (s *feedServer) guests() string  { return "OU=Guests," + s.company() }
func (s *feedServer) outside() string { return "OU=Outside," + s.base }
func (s *feedServer) teams() string   { return "OU=Teams," + s.base }

// team makes a group with these members of the people's unit.
func (s *feedServer) team(name string, members ...string) {
	s.t.Helper()
	attrs := maps.Clone(s.group)
	if s.config.Type == ActiveDirectory {
		attrs["sAMAccountName"] = []string{name}
	}
	for _, m := range members {
		attrs["member"] = append(attrs["member"], s.at(m))
	}
	s.do(s.dir.add("CN="+name+","+s.teams(), attrs))
}

// at is where somebody stands.
func (s *feedServer) at(name string) string { return "CN=" + name + "," + s.people() }

func (s *feedServer) hire(unit string, names ...string) {
	s.t.Helper()
	for _, n := range names {
		attrs := maps.Clone(s.person)
		attrs["mail"], attrs["sn"] = []string{n + "@example.test"}, []string{n}
		if s.config.Type == ActiveDirectory {
			attrs["sAMAccountName"] = []string{n}
		}
		s.do(s.dir.add("CN="+n+","+unit, attrs))
	}
}

func (s *feedServer) do(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *feedServer) set(dn, attribute string, values ...string) {
	s.t.Helper()
	s.do(s.dir.modify(dn, map[string][]string{attribute: values}))
}

// fill makes the company with its first people.
func (s *feedServer) fill() {
	s.t.Helper()
	unit := map[string][]string{"objectClass": {"organizationalUnit"}}
	for _, dn := range []string{s.company(), s.people(), s.guests(), s.outside(), s.teams()} {
		s.do(s.dir.add(dn, unit))
	}
	s.hire(s.people(), "anna", "bert", "carl", "dora", "emil")
	s.hire(s.guests(), "gina")
	s.hire(s.outside(), "otto")
	s.team("sales", "anna")
	s.team("staff", "anna", "dora")
	s.config.Bases, s.config.GroupBases = []string{s.company()}, []string{s.teams()}
	s.config.Filter = "(&" + s.config.filter() + "(!(title=Legal)))" // title is not mapped
}

// feedMaker is a mechanism with a directory that has it.
type feedMaker struct {
	name  string
	by    ChangesBy
	start func(t *testing.T) *feedServer
	blind bool // to deletions
	many  int  // people who come at once in the longest step
}

// feedMakers are all mechanisms and servers that must pass the list of steps.
var feedMakers = []feedMaker{
	{"dirsync of ldaptest", ByDirSync, fakeAD(ldaptest.Options{DirSyncPage: 3}), false, 1000},
	{"dirsync of ldaptest, large pages", ByDirSync, fakeAD(ldaptest.Options{DirSyncPage: 1000, RecycleBin: true}), false, 5000},
	{"dirsync of ldaptest, without the right", ByDirSync, fakeAD(ldaptest.Options{NoReplicationRight: true}), false, 100},
	{"usn of ldaptest", ByUSN, fakeAD(ldaptest.Options{MaxPageSize: 50}), false, 1000},
	{"timestamp of ldaptest AD", ByTimestamp, fakeAD(ldaptest.Options{}), true, 100},
	{"timestamp of ldaptest OpenLDAP", ByTimestamp, fakeLDAP(ldaptest.Options{Kind: ldaptest.OpenLDAP}), true, 100},
	{"timestamp of slapd", ByTimestamp, realSlapd, true, 20},
	{"dirsync of Samba", ByDirSync, realSamba, false, 20},
	{"usn of Samba", ByUSN, realSamba, false, 20},
}

// feedStep changes something; the feed must then lead to what a full read gives.
type feedStep struct {
	name    string
	do      func(s *feedServer)
	full    bool // only a full read helps
	deletes bool
	records int // that the batch has, -1 = any number
	groups  int
}

func feedSteps(many int) []feedStep {
	names := make([]string, many)
	for i := range names {
		names[i] = fmt.Sprintf("many%04d", i)
	}
	at := (*feedServer).at
	return []feedStep{
		{name: "nothing", do: func(*feedServer) {}},
		{name: "somebody comes", do: func(s *feedServer) { s.hire(s.people(), "fritz") }, records: 1},
		{name: "an attribute", do: func(s *feedServer) { s.set(at(s, "anna"), "mail", "anna@new.test") }, records: 1},
		{name: "an attribute is emptied", do: func(s *feedServer) { s.set(at(s, "bert"), "mail") }, records: 1},
		{name: "several at once", do: func(s *feedServer) {
			s.hire(s.guests(), "hans", "ilse")
			s.set(at(s, "carl"), "mail", "carl@new.test")
			s.set(at(s, "carl"), "mail", "carl@newer.test")
			s.set(at(s, "dora"), "mail", "dora@new.test")
		}, records: 4},
		{name: "an account is disabled", do: func(s *feedServer) { s.do(s.dir.modify(at(s, "dora"), s.off)) }, records: 1},
		{name: "renamed", do: func(s *feedServer) { s.do(s.dir.move(at(s, "emil"), at(s, "emilia"))) }, records: 1},
		{name: "moved within", do: func(s *feedServer) {
			s.do(s.dir.move(at(s, "emilia"), "CN=emilia,"+s.guests()))
		}, records: 1},
		{name: "leaves the filter", do: func(s *feedServer) { s.set(at(s, "anna"), "title", "Legal") }, records: 1},
		{name: "comes back into the filter", do: func(s *feedServer) { s.set(at(s, "anna"), "title", "Sales") }, records: 1},
		{name: "moves out", do: func(s *feedServer) {
			s.do(s.dir.move(at(s, "bert"), "CN=bert,"+s.outside()))
		}, records: 1},
		{name: "moves in", do: func(s *feedServer) {
			s.do(s.dir.move("CN=bert,"+s.outside(), at(s, "bert")))
			s.do(s.dir.move("CN=otto,"+s.outside(), at(s, "otto")))
		}, records: 2},
		{name: "is deleted", do: func(s *feedServer) { s.do(s.dir.remove(at(s, "otto"))) }, records: 1, deletes: true},
		{name: "is created anew", do: func(s *feedServer) {
			s.do(s.dir.remove(at(s, "carl")))
			s.hire(s.people(), "carl")
		}, records: 2, deletes: true},
		{name: "comes and goes", do: func(s *feedServer) {
			s.hire(s.people(), "short")
			s.do(s.dir.remove(at(s, "short")))
		}, records: -1, deletes: true},
		{name: "what is nobody", do: func(s *feedServer) {
			if s.other != nil {
				s.do(s.dir.add("CN=machine,"+s.people(), s.other))
			}
		}},
		{name: "a new unit", do: func(s *feedServer) {
			s.do(s.dir.add("OU=New,"+s.people(), map[string][]string{"objectClass": {"organizationalUnit"}}))
			s.hire("OU=New,"+s.people(), "nora")
		}, records: 1},
		{name: "a unit is renamed", do: func(s *feedServer) {
			s.do(s.dir.move(s.guests(), "OU=Visitors,"+s.company()))
		}, full: true},
		{name: "a unit moves out", do: func(s *feedServer) {
			s.do(s.dir.move("OU=Visitors,"+s.company(), "OU=Visitors,"+s.outside()))
		}, full: true},
		{name: "many come", do: func(s *feedServer) { s.hire(s.people(), names...) }, records: many},
		{name: "many go", do: func(s *feedServer) {
			for _, n := range names {
				s.do(s.dir.remove(at(s, n)))
			}
		}, records: many, deletes: true},
		{name: "a group comes", do: func(s *feedServer) { s.team("board", "dora") }, groups: 1},
		{name: "a member comes", do: func(s *feedServer) {
			s.set("CN=sales,"+s.teams(), "member", at(s, "anna"), at(s, "bert"))
		}, groups: 1},
		{name: "a member goes, another group and a person change", do: func(s *feedServer) {
			s.set("CN=sales,"+s.teams(), "member", at(s, "bert"))
			s.set("CN=staff,"+s.teams(), "member", at(s, "anna"), at(s, "dora"), "CN=sales,"+s.teams())
			s.set(at(s, "anna"), "mail", "anna@newest.test")
		}, records: 1, groups: 2},
		{name: "a group is described", do: func(s *feedServer) { s.set("CN=sales,"+s.teams(), "description", "sells") }, groups: 1},
		{name: "a group is renamed", do: func(s *feedServer) {
			s.do(s.dir.move("CN=board,"+s.teams(), "CN=directors,"+s.teams()))
		}, groups: 1},
		{name: "a group moves out", do: func(s *feedServer) {
			s.do(s.dir.move("CN=directors,"+s.teams(), "CN=directors,"+s.outside()))
		}, groups: 1},
		{name: "a group moves in", do: func(s *feedServer) {
			s.do(s.dir.move("CN=directors,"+s.outside(), "CN=directors,"+s.teams()))
		}, groups: 1},
		{name: "a group is deleted", do: func(s *feedServer) { s.do(s.dir.remove("CN=directors," + s.teams())) }, groups: 1, deletes: true},
	}
}

// groupRoster is which groups there are, with their members.
type groupRoster map[connector.Anchor]string

func (r groupRoster) take(rec *connector.GroupRecord) {
	if rec.Gone {
		delete(r, rec.Anchor)
		return
	}
	r[rec.Anchor] = fmt.Sprintf("%s %s %q %d %q", rec.DN, rec.Name, rec.Description, rec.RID, membersOf(rec))
}

func readGroupRoster(t *testing.T, s *Source) groupRoster {
	t.Helper()
	r := groupRoster{}
	groups, res, err := readGroups(t.Context(), s)
	if err != nil || !res.Complete {
		t.Fatalf("%+v, %v", res, err)
	}
	for _, g := range groups {
		r.take(g)
	}
	return r
}

// roster is who is in scope, told by whoever tells of it.
type roster map[connector.Anchor]string

func (r roster) take(rec *connector.Record) {
	if rec.Gone || rec.OutOfScope != "" {
		delete(r, rec.Anchor)
		return
	}
	var h connector.Hasher
	r[rec.Anchor] = fmt.Sprintf("%s %s %v %x", rec.DN, rec.Values("mail"), rec.Enabled, h.Hash(rec))
}

// readRoster is what a full read gives.
func readRoster(t *testing.T, s *Source) (roster, connector.Cursor) {
	t.Helper()
	r := roster{}
	res, err := s.Read(t.Context(), func(rec *connector.Record) error {
		r.take(rec)
		return nil
	})
	if err != nil || !res.Complete {
		t.Fatalf("%+v, %v", res, err)
	}
	if res.Cursor.IsZero() || res.Cursor.Key == (connector.Hash{}) {
		t.Fatalf("no cursor: %+v", res)
	}
	return r, res.Cursor
}

// startFeed starts the directory of a maker and a source of it.
func startFeed(t *testing.T, m feedMaker, edit ...func(*Options)) (*feedServer, *Source) {
	t.Helper()
	d := m.start(t)
	d.t = t
	d.fill()
	d.config.Changes = m.by
	return d, open(t, d.config, append(edit, func(o *Options) { o.Attributes = []string{"sn", "mail"} })...)
}

func TestChangesLeadToWhatAFullReadGives(t *testing.T) {
	t.Parallel()
	for _, m := range feedMakers {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			d, s := startFeed(t, m)
			have, at := readRoster(t, s)
			groups := readGroupRoster(t, s)
			for _, step := range feedSteps(m.many) {
				step.do(d)
				b, err := s.Changes(t.Context(), connector.ChangesRequest{Since: at})
				if err != nil {
					t.Fatalf("%s: %v", step.name, err)
				}
				checkBatch(t, m, step, b, at)
				want, next := readRoster(t, s)
				wanted := readGroupRoster(t, s)
				if b.Full != "" || m.blind && step.deletes {
					have, at, groups = want, next, wanted
					continue
				}
				for _, rec := range b.Groups {
					groups.take(rec)
				}
				if diff := cmp.Diff(wanted, groups); diff != "" {
					t.Fatalf("%s: groups: %s", step.name, diff)
				}
				for _, rec := range b.Records {
					have.take(rec)
				}
				at = b.Cursor
				if diff := cmp.Diff(want, have); diff != "" {
					t.Fatalf("%s: %s", step.name, diff)
				}
			}
		})
	}
}

func checkBatch(t *testing.T, m feedMaker, step feedStep, b *connector.Batch, at connector.Cursor) {
	t.Helper()
	if (b.Full != "") != step.full {
		t.Fatalf("%s: full %q", step.name, b.Full)
	}
	if b.Mechanism != string(m.by) || b.Server == "" || len(b.Warnings) > 0 {
		t.Errorf("%s: %+v", step.name, b)
	}
	if n := len(b.Records); step.records >= 0 && n != step.records && !step.full && (!m.blind || !step.deletes) {
		t.Errorf("%s: %d records, want %d: %+v", step.name, n, step.records, b.Records)
	}
	if n := len(b.Groups); n != step.groups && !step.full && (!m.blind || !step.deletes) {
		t.Errorf("%s: %d groups, want %d", step.name, n, step.groups)
	}
	if step.name == "nothing" && (!bytes.Equal(b.Cursor.Data, at.Data) || b.Cursor.Key != at.Key) {
		t.Errorf("the cursor moved on from %x to %x although nothing has changed", at.Data, b.Cursor.Data)
	}
	for _, rec := range b.Records {
		if rec.ChangedAt.IsZero() != rec.Gone {
			t.Errorf("%s: changed at %v: %+v", step.name, rec.ChangedAt, rec)
		}
	}
}

func TestFollowLeadsToWhatAFullReadGives(t *testing.T) {
	t.Parallel()
	for _, m := range feedMakers {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			d, s := startFeed(t, m, func(o *Options) { o.poll = 20 * time.Millisecond })
			have, at := readRoster(t, s)
			f := startFollow(t, s, at)
			f.groups = readGroupRoster(t, s)
			for _, step := range feedSteps(min(m.many, 20)) {
				step.do(d)
				want, next := readRoster(t, s)
				wanted := readGroupRoster(t, s)
				switch {
				case step.full:
					f.full(t, step.name)
				case m.blind && step.deletes:
					if err := f.stop(); !errors.Is(err, context.Canceled) {
						t.Errorf("%s: ended with %v", step.name, err)
					}
				}
				if f.ended {
					have, f = want, startFollow(t, s, next)
					f.groups = wanted
					continue
				}
				for !maps.Equal(have, want) || !maps.Equal(f.groups, wanted) {
					f.one(t, step.name, have)
				}
			}
			if err := f.stop(); !errors.Is(err, context.Canceled) {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

// followed is a Follow that runs.
type followed struct {
	batches chan *connector.Batch
	end     chan error
	cancel  context.CancelFunc
	groups  groupRoster
	err     error
	ended   bool
}

// startFollow starts it and waits until it has caught up.
func startFollow(t *testing.T, s *Source, since connector.Cursor) *followed {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f := &followed{batches: make(chan *connector.Batch, 10_000), end: make(chan error, 1), cancel: cancel, groups: groupRoster{}}
	t.Cleanup(func() { f.stop() }) //nolint:errcheck // told already
	go func() {
		f.end <- s.Follow(ctx, connector.ChangesRequest{Since: since}, func(b *connector.Batch) error {
			f.batches <- b
			return nil
		})
	}()
	f.one(t, "start", roster{})
	return f
}

// one takes the next batch.
func (f *followed) one(t *testing.T, step string, have roster) {
	t.Helper()
	timer := time.NewTimer(time.Minute)
	defer timer.Stop()
	select {
	case b := <-f.batches:
		if b.Full != "" {
			t.Fatalf("%s: full: %s", step, b.Full)
		}
		for _, rec := range b.Records {
			have.take(rec)
		}
		for _, rec := range b.Groups {
			f.groups.take(rec)
		}
	case f.err = <-f.end:
		f.ended = true
		t.Fatalf("%s: ended: %v", step, f.err)
	case <-timer.C:
		t.Fatalf("%s: nothing comes", step)
	}
}

// full waits for the batch that says that only a full read helps, and for the end after it.
func (f *followed) full(t *testing.T, step string) {
	t.Helper()
	select {
	case f.err = <-f.end:
	case <-time.After(time.Minute):
		t.Fatalf("%s: it goes on", step)
	}
	f.ended = true
	var last *connector.Batch
	for len(f.batches) > 0 {
		last = <-f.batches
	}
	if last == nil || last.Full == "" || connector.KindOf(f.err) != connector.Conflict || !strings.Contains(f.err.Error(), last.Full) {
		t.Errorf("%s: %+v, %v", step, last, f.err)
	}
}

func (f *followed) stop() error {
	if !f.ended {
		f.cancel()
		f.err, f.ended = <-f.end, true
	}
	return f.err
}

// goroutines waits until no more run than before.
func goroutines(t *testing.T, before int) {
	t.Helper()
	tick, late := time.NewTicker(time.Millisecond), time.After(20*time.Second)
	defer tick.Stop()
	for waits := true; waits; {
		if runtime.NumGoroutine() <= before {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			waits = false
		}
	}
	buf := make([]byte, 1<<20)
	t.Errorf("%d goroutines, %d before: %s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
}
