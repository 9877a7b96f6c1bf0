package ldapsync

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/ldapsync/ldaptest"
	"usherd/ldapsync/testserver"
)

// tale is what follow told once.
type tale struct {
	touched *touched
	next    []byte
	full    string
}

// tail follows until the test or cut ends it; what was told comes through tales.
type tail struct {
	tales chan tale
	ended chan error
	cut   context.CancelFunc
	x     *session
}

func (w *walk) follow(t *testing.T, since []byte) *tail {
	t.Helper()
	ctx, cut := context.WithCancel(t.Context())
	f := &tail{tales: make(chan tale, 10_000), ended: make(chan error, 1), cut: cut, x: w.tree.session(t, w.s, w.was)}
	go func() {
		f.ended <- (syncrepl{}).follow(ctx, f.x, since, func(told *touched, next []byte, full string) error {
			f.tales <- tale{told, next, full}
			return nil
		})
	}()
	t.Cleanup(cut)
	return f
}

// hear waits for what is told until n people were named, or a change of structure.
func (f *tail) hear(t *testing.T, step string, n int) (told *touched, next []byte) {
	t.Helper()
	told = &touched{anchors: map[connector.Anchor]struct{}{}}
	limit := time.After(20 * time.Second)
	for tales := 0; len(told.records)+len(told.anchors) < n || tales == 0; tales++ {
		select {
		case one := <-f.tales:
			told.records = append(told.records, one.touched.records...)
			for a := range one.touched.anchors {
				told.anchors[a] = struct{}{}
			}
			told.entries += one.touched.entries
			told.structure += one.touched.structure
			next = one.next
			if one.full != "" {
				t.Fatalf("%s: full %s", step, one.full)
			}
			if told.structure != "" {
				return told, next
			}
		case err := <-f.ended:
			t.Fatalf("%s: %v", step, err)
		case <-limit:
			t.Fatalf("%s: nothing came", step)
		}
	}
	return told, next
}

// heard is hear for a change of n people, judged by full reads.
func (w *walk) heard(t *testing.T, f *tail, step string, n int) {
	t.Helper()
	told, next := f.hear(t, step, n)
	after := hashes(t, w.s)
	judge(t, step, told, "", w.was, after)
	if string(next) == string(w.since) {
		t.Errorf("%s: the place did not move", step)
	}
	w.was, w.since = after, next
}

func (w *walk) restructured(t *testing.T, f *tail, step string) {
	t.Helper()
	told, next := f.hear(t, step, 1<<30)
	if told.structure == "" {
		t.Errorf("%s: %d people and no change of structure", step, len(told.records)+len(told.anchors))
	}
	w.was, w.since = hashes(t, w.s), next
}

// live is everything that may happen while somebody follows.
func live(t *testing.T, d *tree) {
	t.Helper()
	top, away := "ou=People,"+d.base, "ou=Elsewhere,"+d.base
	sales := "ou=Sales," + top
	some, a := crowd("a", 8, top)
	d.add(unit(away), unit(sales))
	d.add(some...)
	d.add(person("b", sales))
	w := begin(t, d, nil)
	f := w.follow(t, w.since)
	if told, next := f.hear(t, "caught up", 0); !told.isEmpty() || string(next) != string(w.since) {
		t.Errorf("caught up: %+v", told)
	}
	d.add(person("new", top))
	w.heard(t, f, "add", 1)
	d.modify(a[0], "sn", "Other")
	w.heard(t, f, "modify", 1)
	d.move(a[1], "uid=renamed", top)
	w.heard(t, f, "rename", 1)
	d.modify(a[2], "employeeType", "guest")
	w.heard(t, f, "leave the filter", 1)
	d.move(a[3], "uid=a0003", away)
	w.heard(t, f, "leave the base", 1)
	d.move("uid=a0003,"+away, "uid=a0003", top)
	w.heard(t, f, "move in", 1)
	d.del(a[4])
	w.heard(t, f, "delete", 1)
	many, names := crowd("c", 200, top)
	d.add(many...)
	w.heard(t, f, "many added", len(many))
	d.move(sales, "ou=Sellers", top)
	w.restructured(t, f, "OU renamed")

	f.cut()
	if err := <-f.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("cut: %v", err)
	}
	if !f.x.c.broken.Load() {
		t.Error("the connection is open")
	}
	d.modify(a[0], "sn", "Meanwhile")
	d.del(names[:40]...)
	g := w.follow(t, w.since)
	w.heard(t, g, "taken up", 41)
	d.restart()
	if d.kill != nil {
		if err := <-g.ended; connector.KindOf(err) != connector.Incomplete {
			t.Errorf("restart: %v", err)
		}
	}
	g.cut()
	d.modify(a[0], "sn", "AfterRestart")
	d.del(names[100])
	h := w.follow(t, w.since)
	w.heard(t, h, "after a restart", 2)
	d.modify(a[0], "sn", "Last")
	w.heard(t, h, "and on", 1)
}

func TestFollowTheFakes(t *testing.T) {
	t.Parallel()
	t.Run("OpenLDAP", func(t *testing.T) { t.Parallel(); live(t, fakeTree(t, ldaptest.OpenLDAP, OpenLDAP)) })
	t.Run("389-ds", func(t *testing.T) { t.Parallel(); live(t, fakeTree(t, ldaptest.DS389, DS389)) })
}

func TestFollowSlapd(t *testing.T) {
	t.Parallel()
	live(t, realTree(t, testserver.Slapd(t, testserver.SlapdOptions{}), OpenLDAP))
}

func TestFollowSlapdWithoutSessionLog(t *testing.T) {
	t.Parallel()
	live(t, realTree(t, testserver.Slapd(t, testserver.SlapdOptions{NoSessionLog: true}), OpenLDAP))
}

func TestFollow389ds(t *testing.T) {
	t.Parallel()
	live(t, realTree(t, testserver.DS389(t, testserver.DS389Options{}), DS389))
}

func TestSeveralBasesAreFollowedAsOne(t *testing.T) {
	t.Parallel()
	d := realTree(t, testserver.Slapd(t, testserver.SlapdOptions{}), OpenLDAP)
	var bases []string
	for i := range 10 {
		bases = append(bases, fmt.Sprintf("ou=Site%d,%s", i, d.base))
		d.add(unit(bases[i]), person(fmt.Sprintf("s%d", i), bases[i]))
	}
	away := "ou=Elsewhere," + d.base
	d.add(unit(away))
	w := begin(t, d, func(c *Config) { c.Bases = bases })
	d.modify("uid=s9,"+bases[9], "sn", "Other")
	w.want(t, "modify", 1)
	d.move("uid=s8,"+bases[8], "uid=s8", away)
	w.want(t, "leave all bases", 1)
	d.restart()
	d.move("uid=s7,"+bases[7], "uid=s7", bases[6])
	d.del("uid=s5," + bases[5])
	w.want(t, "restart in between", 2)
	f := w.follow(t, w.since)
	f.hear(t, "caught up", 0)
	d.modify("uid=s9,"+bases[9], "sn", "Again")
	w.heard(t, f, "modify", 1)
	d.move("uid=s9,"+bases[9], "uid=s9", away)
	if told, _ := f.hear(t, "leave all bases", 1); len(told.records) != 1 || told.records[0].OutOfScope == "" {
		t.Errorf("leave all bases: %+v", told.records)
	}
}

func TestFollowEndsWithTheErrorOfTheListener(t *testing.T) {
	t.Parallel()
	d := fakeTree(t, ldaptest.OpenLDAP, OpenLDAP)
	d.add(person("a", "ou=People,"+d.base))
	w := begin(t, d, nil)
	enough := errors.New("enough")
	x := d.session(t, w.s, nil)
	if err := (syncrepl{}).follow(t.Context(), x, w.since, func(*touched, []byte, string) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("%v", err)
	}
	if !x.c.broken.Load() {
		t.Error("the connection is open")
	}
}

func TestFollowFromNowhereSaysThatItIsFull(t *testing.T) {
	t.Parallel()
	d := fakeTree(t, ldaptest.OpenLDAP, OpenLDAP)
	d.add(person("a", "ou=People,"+d.base))
	w := begin(t, d, nil)
	full := ""
	err := (syncrepl{}).follow(t.Context(), d.session(t, w.s, nil), []byte("nowhere"), func(_ *touched, _ []byte, f string) error {
		full = f
		return nil
	})
	if full == "" || connector.KindOf(err) != connector.Conflict {
		t.Errorf("full %q, %v", full, err)
	}
}

// Groups hold who is in scope, who is protected, or who has a package.
func TestGroupsAreCompared(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(o *Options, staff string){
		"scope":     func(o *Options, staff string) { o.Config.Groups = []string{staff} },
		"protected": func(o *Options, staff string) { o.Protected.Groups = []string{staff} },
		"package": func(o *Options, staff string) {
			o.Packages = []connector.GroupPackage{{Group: staff, Package: "gold"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			compareGroups(t, edit)
		})
	}
}

func compareGroups(t *testing.T, edit func(o *Options, staff string)) {
	t.Helper()
	srv := testserver.Slapd(t, testserver.SlapdOptions{})
	d := realTree(t, srv, OpenLDAP)
	top, groups := "ou=People,"+d.base, "ou=Groups,"+d.base
	some, a := crowd("a", 4, top)
	d.add(some...)
	group := func(cn string, members ...string) fresh {
		return fresh{"cn=" + cn + "," + groups, ldaptest.Attrs{"objectClass": {"groupOfNames"}, "cn": {cn}, "member": members}}
	}
	d.add(group("inner", a[1]), group("other", a[0]), group("staff", a[0], "cn=inner,"+groups))
	w := begin(t, d, nil, func(o *Options) { edit(o, "cn=staff,"+groups) })

	d.modify("cn=other,"+groups, "member", a[2])
	w.want(t, "a group that does not matter", 3) // groups and containers look the same in a list of deletions
	d.modify("cn=inner,"+groups, "member", a[2])
	w.structure(t, "member of a nested group")
	f := w.follow(t, w.since)
	f.hear(t, "caught up", 0)
	d.modify(a[2], "sn", "Seen")
	w.heard(t, f, "modify", 1)
	d.modify("cn=inner,"+groups, "member", a[3])
	w.restructured(t, f, "member while following")
	f.cut()
	d.del("cn=inner," + groups)
	w.structure(t, "a nested group deleted")
}

// TestAnchorOfAnotherKind has a source whose anchor no server names in its feed.
func TestAnchorOfAnotherKind(t *testing.T) {
	t.Parallel()
	d := fakeTree(t, ldaptest.OpenLDAP, OpenLDAP)
	some, a := crowd("a", 3, "ou=People,"+d.base)
	d.add(some...)
	w := begin(t, d, func(c *Config) { c.Anchor = "uid" })
	d.modify(a[0], "sn", "Other")
	if told := w.want(t, "modify", 1); len(told.anchors) != 1 { // another entry may have the same anchor
		t.Errorf("%d anchors", len(told.anchors))
	}
	d.del(a[1])
	if _, full := w.step(t, "delete"); !strings.Contains(full, "uid") {
		t.Errorf("delete: full %q", full)
	}
	d.modify(a[0], "sn", "Again")
	d.restart()
	if _, full := w.step(t, "present phase"); !strings.Contains(full, "uid") {
		t.Errorf("present phase: full %q", full)
	}
}

func TestTooManyIsFull(t *testing.T) {
	t.Parallel()
	d := fakeTree(t, ldaptest.OpenLDAP, OpenLDAP)
	d.add(person("a", "ou=People,"+d.base))
	w := begin(t, d, nil)
	many, names := crowd("m", maxTouched+1, "ou=People,"+d.base)
	d.add(many...)
	if told, full := w.step(t, "added"); full == "" || len(told.records) > maxTouched+1 {
		t.Errorf("added: full %q", full)
	}
	d.del(names...)
	d.restart()
	if told, full := w.step(t, "deleted"); full == "" || len(told.anchors) > maxTouched {
		t.Errorf("deleted: full %q, %d anchors", full, len(told.anchors))
	}
}
