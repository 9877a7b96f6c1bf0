package ldapsync

import (
	"context"
	"fmt"
	"iter"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"usherd/connector"
	"usherd/ldapsync/ldaptest"
	"usherd/ldapsync/testserver"
)

// tree is a directory that a scenario changes.
type tree struct {
	base    string // suffix
	config  *Config
	is389   bool
	drops   bool // of many deletions at once
	add     func(entries ...fresh)
	modify  func(dn, name, value string)
	move    func(dn, rdn, under string)
	del     func(dns ...string)
	restart func()
	trim    func() // nil = it cannot be
	kill    func() // nil = it cannot be
}

// fresh is an entry to add.
type fresh struct {
	dn    string
	attrs ldaptest.Attrs
}

func unit(dn string) fresh { return fresh{dn, ldaptest.Attrs{"objectClass": {"organizationalUnit"}}} }

func person(uid, under string) fresh {
	return fresh{"uid=" + uid + "," + under, ldaptest.Attrs{
		"objectClass": {"inetOrgPerson"}, "uid": {uid}, "cn": {"Person " + uid}, "sn": {uid}, "mail": {uid + "@example.test"}, "employeeType": {"staff"},
	}}
}

// crowd is many people.
func crowd(prefix string, n int, under string) (all []fresh, dns []string) {
	for i := range n {
		p := person(fmt.Sprintf("%s%04d", prefix, i), under)
		all, dns = append(all, p), append(dns, p.dn)
	}
	return all, dns
}

// realTree changes a real server by LDIF.
func realTree(t *testing.T, srv *testserver.Server, kind Type) *tree {
	t.Helper()
	apply := func(ldif string) {
		t.Helper()
		if err := srv.Modify(context.WithoutCancel(t.Context()), ldif); err != nil {
			t.Fatal(err)
		}
	}
	c := slapdConfig(srv)
	c.Type = kind
	return &tree{
		base: srv.Base, config: c, is389: kind == DS389, drops: kind == DS389,
		add: func(entries ...fresh) {
			t.Helper()
			var b strings.Builder
			for _, e := range entries {
				fmt.Fprintf(&b, "dn: %s\nchangetype: add\n", e.dn)
				for name, values := range e.attrs {
					for _, v := range values {
						fmt.Fprintf(&b, "%s: %s\n", name, v)
					}
				}
				b.WriteByte('\n')
			}
			apply(b.String())
		},
		modify: func(dn, name, value string) {
			t.Helper()
			apply(fmt.Sprintf("dn: %s\nchangetype: modify\nreplace: %s\n%s: %s\n", dn, name, name, value))
		},
		move: func(dn, rdn, under string) {
			t.Helper()
			apply(fmt.Sprintf("dn: %s\nchangetype: modrdn\nnewrdn: %s\ndeleteoldrdn: 1\nnewsuperior: %s\n", dn, rdn, under))
		},
		del: func(dns ...string) {
			t.Helper()
			var b strings.Builder
			for _, dn := range dns {
				fmt.Fprintf(&b, "dn: %s\nchangetype: delete\n\n", dn)
			}
			apply(b.String())
		},
		restart: func() {
			t.Helper()
			if err := srv.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
		kill: srv.Kill,
	}
}

// fakeTree changes an in-process directory.
func fakeTree(t *testing.T, kind ldaptest.Kind, as Type) *tree {
	t.Helper()
	s := directory(t, ldaptest.Options{Kind: kind})
	c := configOf(t, s)
	c.Type, c.Bind.User = as, "CN=sync,OU=Service,DC=example,DC=test"
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.Add(peopleOU, unit("").attrs))
	restart, trim := s.RestartSync, (func())(nil)
	if kind == ldaptest.DS389 {
		restart, trim = func() {}, s.RestartSync
	}
	return &tree{
		base: "dc=example,dc=test", config: c, is389: as == DS389,
		add: func(entries ...fresh) {
			t.Helper()
			for _, e := range entries {
				must(s.Add(e.dn, e.attrs))
			}
		},
		modify: func(dn, name, value string) { t.Helper(); must(s.Modify(dn, ldaptest.Attrs{name: {value}})) },
		move:   func(dn, rdn, under string) { t.Helper(); must(s.Move(dn, rdn+","+under)) },
		del: func(dns ...string) {
			t.Helper()
			for _, dn := range dns {
				must(s.Delete(dn))
			}
		},
		restart: restart, trim: trim,
	}
}

// session is a connection for the mechanism, as the feed opens it.
func (d *tree) session(t *testing.T, s *Source, known map[connector.Anchor]connector.Hash) *session {
	t.Helper()
	x, err := s.open(t.Context(), nil, (*session).preflight)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.c.Close() })
	x.known = func(context.Context) iter.Seq2[connector.Anchor, error] {
		return func(yield func(connector.Anchor, error) bool) {
			for a := range known {
				if !yield(a, nil) {
					return
				}
			}
		}
	}
	return x
}

// hashes are those of all records of a full read.
func hashes(t *testing.T, s *Source) map[connector.Anchor]connector.Hash {
	t.Helper()
	recs, res, err := readPeople(t.Context(), s)
	if err != nil || !res.Complete {
		t.Fatalf("%+v, %v", res, err)
	}
	all := map[connector.Anchor]connector.Hash{}
	var h connector.Hasher
	for _, r := range recs {
		all[r.Anchor] = h.Hash(r)
	}
	return all
}

func differing(before, after map[connector.Anchor]connector.Hash) map[connector.Anchor]bool {
	d := map[connector.Anchor]bool{}
	for a, h := range before {
		if after[a] != h {
			d[a] = true
		}
	}
	for a := range after {
		if _, was := before[a]; !was {
			d[a] = true
		}
	}
	return d
}

// judge holds what a feed told against what two full reads say.
func judge(t *testing.T, step string, told *touched, full string, before, after map[connector.Anchor]connector.Hash) {
	t.Helper()
	if full != "" || told.structure != "" {
		return // everybody is read again
	}
	var h connector.Hasher
	named := map[connector.Anchor]bool{}
	for a := range told.anchors {
		named[a] = true
	}
	for _, r := range told.records {
		named[r.Anchor] = true
		if _, there := after[r.Anchor]; !there && r.OutOfScope != "" {
			continue
		}
		if _, again := told.anchors[r.Anchor]; !again && h.Hash(r) != after[r.Anchor] {
			t.Errorf("%s: the record of %s is not that of a read: %+v", step, r.DN, r)
		}
		if r.ChangedAt.IsZero() {
			t.Errorf("%s: %s was changed at no time", step, r.DN)
		}
	}
	for a := range differing(before, after) {
		if !named[a] {
			t.Errorf("%s: %s differs and was not told of", step, a)
		}
	}
}

// walk is one source that goes through a scenario, polling after each step.
type walk struct {
	tree  *tree
	s     *Source
	since []byte
	first []byte
	was   map[connector.Anchor]connector.Hash
	start map[connector.Anchor]connector.Hash
}

func begin(t *testing.T, d *tree, edit func(*Config), more ...func(*Options)) *walk {
	t.Helper()
	c := *d.config
	c.Bases, c.Filter = []string{"ou=People," + d.base}, "(employeeType=staff)"
	if edit != nil {
		edit(&c)
	}
	w := &walk{tree: d, s: open(t, &c, append(more, func(o *Options) { o.Attributes = []string{"uid", "sn", "mail"} })...)}
	var err error
	if w.since, err = (syncrepl{}).mark(t.Context(), d.session(t, w.s, nil)); err != nil {
		t.Fatal(err)
	}
	w.was = hashes(t, w.s)
	w.first, w.start = w.since, w.was
	return w
}

// step polls after a change and judges. It returns what was told.
func (w *walk) step(t *testing.T, name string) (told *touched, full string) {
	t.Helper()
	told = new(touched)
	next, full, err := (syncrepl{}).changes(t.Context(), w.tree.session(t, w.s, w.was), w.since, told)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	after := hashes(t, w.s)
	judge(t, name, told, full, w.was, after)
	t.Logf("%-28s %d differ; %d records, %d anchors, %d entries, structure %q, full %q",
		name, len(differing(w.was, after)), len(told.records), len(told.anchors), told.entries, told.structure, full)
	if full != "" {
		if string(next) != string(w.since) {
			t.Errorf("%s: a full read, and yet the place moves", name)
		}
		if next, err = (syncrepl{}).mark(t.Context(), w.tree.session(t, w.s, nil)); err != nil {
			t.Fatal(err)
		}
	}
	w.since, w.was = next, after
	return told, full
}

// want is step for a change that must be told exactly, without a full read, and not more than most entries.
func (w *walk) want(t *testing.T, name string, most int) *touched {
	t.Helper()
	told, full := w.step(t, name)
	if n := len(told.records) + len(told.anchors); full != "" || told.structure != "" || n > most {
		t.Errorf("%s: full %q, structure %q, %d told of, at most %d should be", name, full, told.structure, n, most)
	}
	return told
}

func (w *walk) structure(t *testing.T, name string) {
	t.Helper()
	if told, full := w.step(t, name); told.structure == "" || full != "" {
		t.Errorf("%s: structure %q, full %q", name, told.structure, full)
	}
}

// scenario is everything that may happen to people.
func scenario(t *testing.T, d *tree) {
	t.Helper()
	top := "ou=People," + d.base
	away := "ou=Elsewhere," + d.base
	sales := "ou=Sales," + top
	some, a := crowd("a", 8, top)
	d.add(unit(away), unit(sales))
	d.add(some...)
	d.add(person("b", sales))
	b := "uid=b," + sales
	w := begin(t, d, nil)

	w.want(t, "nothing", 0)
	unchanged := w.since
	d.add(person("new", top))
	w.want(t, "add", 1)
	if string(w.since) == string(unchanged) {
		t.Error("the place did not move")
	}
	d.modify(a[0], "sn", "Other")
	w.want(t, "modify", 1)
	d.move(a[1], "uid=renamed", top)
	w.want(t, "rename", 1)
	d.move(a[2], "uid=a0002", sales)
	w.want(t, "move", 1)
	d.modify(a[3], "employeeType", "guest")
	w.want(t, "leave the filter", 1)
	d.modify(a[3], "employeeType", "staff")
	w.want(t, "come into the filter", 1)
	d.move(a[4], "uid=a0004", away)
	w.want(t, "leave the base", 1)
	d.move("uid=a0004,"+away, "uid=a0004", top)
	w.want(t, "move in", 1)
	d.modify(b, "sn", "Twice")
	d.modify(b, "sn", "Thrice")
	d.del(a[5])
	w.want(t, "delete, and another twice", 2)
	d.add(unit("ou=Empty," + top))
	if !d.is389 { // which leaves out hasSubordinates
		w.want(t, "empty OU", 0)
	} else {
		w.structure(t, "empty OU")
	}
	d.move(sales, "ou=Sellers", top)
	w.structure(t, "OU renamed")
	d.move("ou=Sellers,"+top, "ou=Sellers", away)
	w.structure(t, "OU with people moved away")
	d.move("ou=Sellers,"+away, "ou=Sellers", top)
	w.structure(t, "OU with people moved in")
	d.del("ou=Empty," + top)
	w.want(t, "OU deleted", 1)

	d.restart()
	w.want(t, "restart, nothing", 0)
	d.modify(a[0], "sn", "After")
	d.del(a[6])
	d.restart()
	w.want(t, "restart in between", 2)

	size := 3000
	if d.drops { // it shows at a hundred, and the server is slow
		size = 120
	}
	many, names := crowd("c", size, top)
	d.add(many...)
	w.want(t, "many added", len(many))
	d.del(names...)
	if told, full := w.step(t, "many deleted"); d.drops != (full != "") || !d.drops && len(told.anchors) != len(many) {
		t.Errorf("many deleted: full %q, %d told of", full, len(told.anchors))
	}
	if d.trim != nil {
		d.modify(a[0], "sn", "Late")
		d.trim()
		if _, full := w.step(t, "log trimmed"); !strings.Contains(full, "change log") {
			t.Errorf("log trimmed: full %q", full)
		}
	}
	old := &walk{tree: d, s: w.s, since: w.first, was: w.start}
	old.step(t, "old cookie")
	odd(t, w)
}

// odd is what a place may be that is none.
func odd(t *testing.T, w *walk) {
	t.Helper()
	p, ok := decodePlace(w.since)
	if !ok {
		t.Fatal("no place")
	}
	edit := func(f func(*syncMark)) []byte {
		q := syncPlace{groups: p.groups}
		for _, m := range p.marks {
			f(&m)
			q.marks = append(q.marks, m)
		}
		return q.encode()
	}
	for name, place := range map[string][]byte{
		"no place":             []byte("xyz"),
		"garbage cookie":       edit(func(m *syncMark) { m.cookie = []byte("garbage") }),
		"garbage csn":          edit(func(m *syncMark) { m.cookie = []byte("rid=000,csn=garbage") }),
		"other filter":         edit(func(m *syncMark) { m.key = markKey("ou=People", "(uid=*)") }),
		"another directory":    edit(func(m *syncMark) { m.top = syncID{1} }),
		"cookie of the future": edit(func(m *syncMark) { m.cookie = future(m.cookie) }),
	} {
		told := new(touched)
		next, full, err := (syncrepl{}).changes(t.Context(), w.tree.session(t, w.s, w.was), place, told)
		if err != nil || full == "" || string(next) != string(place) || told.entries != 0 {
			t.Errorf("%s: full %q, %v, %d entries", name, full, err, told.entries)
		}
		t.Logf("%-28s full %q", name, full)
		if went := strings.Contains(full, "went back"); went != (name == "cookie of the future") {
			t.Errorf("%s: %s", name, full)
		}
	}
	if why := (syncrepl{}).older(w.since, edit(func(m *syncMark) { m.cookie = future(m.cookie) })); !strings.Contains(why, "backup") {
		t.Errorf("older: %q", why)
	}
	if why := (syncrepl{}).older(w.since, w.first); why != "" {
		t.Errorf("newer is older: %q", why)
	}
}

// future is a cookie of a server that has come further.
func future(cookie []byte) []byte {
	if c := parseCookie(cookie); c.csns == nil {
		return fmt.Appendf(nil, "%s#%d", c.search, c.number+100)
	}
	return []byte(strings.Replace(string(cookie), "csn=2", "csn=3", 1))
}

func TestSyncreplOfTheFakes(t *testing.T) {
	t.Parallel()
	t.Run("OpenLDAP", func(t *testing.T) { t.Parallel(); scenario(t, fakeTree(t, ldaptest.OpenLDAP, OpenLDAP)) })
	t.Run("389-ds", func(t *testing.T) { t.Parallel(); scenario(t, fakeTree(t, ldaptest.DS389, DS389)) })
}

func TestSyncreplOfSlapd(t *testing.T) {
	t.Parallel()
	srv := testserver.Slapd(t, testserver.SlapdOptions{})
	d := realTree(t, srv, OpenLDAP)
	scenario(t, d)
	killed(t, d)
}

func TestSyncreplOfSlapdWithoutSessionLog(t *testing.T) {
	t.Parallel()
	srv := testserver.Slapd(t, testserver.SlapdOptions{NoSessionLog: true})
	scenario(t, realTree(t, srv, OpenLDAP))
}

func TestSyncreplOf389ds(t *testing.T) {
	t.Parallel()
	srv := testserver.DS389(t, testserver.DS389Options{})
	d := realTree(t, srv, DS389)
	scenario(t, d)
	killed(t, d)
}

// killed lets the server die in the middle of a refresh.
func killed(t *testing.T, d *tree) {
	t.Helper()
	w := begin(t, d, nil)
	many, _ := crowd("k", 600, "ou=People,"+d.base)
	d.add(many...)
	var left atomic.Int64
	left.Store(1 << 40)
	o := w.s.options
	o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		nc, err := new(net.Dialer).DialContext(ctx, network, address)
		return &mortal{Conn: nc, left: &left, end: d.kill}, err
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	x := d.session(t, s, w.was)
	left.Store(100_000)
	told := new(touched)
	next, full, err := (syncrepl{}).changes(t.Context(), x, w.since, told)
	if err == nil || full != "" || string(next) != string(w.since) || told.entries == 0 || told.entries >= len(many) {
		t.Fatalf("killed: %d entries, full %q, %v", told.entries, full, err)
	}
	d.restart()
	// A slapd that was killed believes that its last change was that of the last checkpoint, and tells of what
	// came after it with the next change.
	d.add(person("late", "ou=People,"+d.base))
	if told, _ := w.step(t, "killed in a refresh"); told.structure != "" {
		t.Error(told.structure)
	}
}
