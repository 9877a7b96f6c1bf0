package ldapsync

import (
	"context"
	"errors"
	"iter"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
	"usherd/ldapsync/ldaptest"
	"usherd/ldapsync/testserver"
)

// groupScenario is everything that may happen to synced groups.
func groupScenario(t *testing.T, d *tree) {
	t.Helper()
	top, teams, away := "ou=People,"+d.base, "ou=Teams,ou=All,"+d.base, "ou=Elsewhere,"+d.base
	some, a := crowd("a", 4, top)
	d.add(unit(away), unit("ou=All,"+d.base), unit(teams))
	d.add(some...)
	team := func(cn string, members ...string) {
		d.add(fresh{"cn=" + cn + "," + teams, ldaptest.Attrs{"objectClass": {"groupOfNames"}, "cn": {cn}, "member": members}})
	}
	team("one", a[0])
	team("two", a[1], "cn=one,"+teams)
	c := *d.config
	c.Bases, c.GroupBases, c.GroupFilter, c.Changes = []string{top}, []string{"ou=All," + d.base}, "(&(objectClass=groupOfNames)(!(description=no)))", BySyncrepl
	s := open(t, &c, func(o *Options) { o.Attributes = []string{"uid", "mail"} })
	_, at := readRoster(t, s)
	have := readGroupRoster(t, s)
	known := func(context.Context) iter.Seq2[connector.Anchor, error] {
		return func(yield func(connector.Anchor, error) bool) {
			for a := range have {
				if !yield(a, nil) {
					return
				}
			}
		}
	}
	people := func(ctx context.Context) iter.Seq2[connector.Anchor, error] {
		return func(yield func(connector.Anchor, error) bool) {
			_, _ = s.Read(ctx, func(r *connector.Record) error {
				yield(r.Anchor, nil)
				return nil
			})
		}
	}
	step := func(name string, full bool, do func()) {
		t.Helper()
		do()
		b, err := s.Changes(t.Context(), connector.ChangesRequest{Since: at, Known: people, KnownGroups: known})
		if err != nil || (b.Full != "") != full {
			t.Fatalf("%s: full %q, %v", name, b.Full, err)
		}
		want := readGroupRoster(t, s)
		if full {
			_, at = readRoster(t, s)
			have = want
			return
		}
		for _, g := range b.Groups {
			have.take(g)
		}
		at = b.Cursor
		if diff := cmp.Diff(want, have); diff != "" {
			t.Fatalf("%s: %s", name, diff)
		}
	}
	step("nothing", false, func() {})
	step("a group comes", false, func() { team("three", a[2]) })
	step("a member", false, func() { d.modify("cn=two,"+teams, "member", a[3]) })
	step("a description", false, func() { d.modify("cn=two,"+teams, "description", "the second") })
	step("renamed", false, func() { d.move("cn=three,"+teams, "cn=third", teams) })
	step("out of the filter", false, func() { d.modify("cn=two,"+teams, "description", "no") })
	step("into the filter", false, func() { d.modify("cn=two,"+teams, "description", "yes") })
	step("moves out", false, func() { d.move("cn=third,"+teams, "cn=third", away) })
	step("moves in", false, func() { d.move("cn=third,"+away, "cn=third", teams) })
	step("is deleted", false, func() { d.del("cn=third," + teams) })
	step("the server starts anew in between", false, func() {
		team("four", a[2])
		d.del("cn=two," + teams)
		d.restart()
	})
	step("their unit is renamed", true, func() { d.move(teams, "ou=Clubs", "ou=All,"+d.base) })
	d.move("ou=Clubs,ou=All,"+d.base, "ou=Teams", "ou=All,"+d.base)
	_, at = readRoster(t, s)
	have = readGroupRoster(t, s)

	f := startFollow(t, s, at)
	f.groups = have
	hear := func(name string, do func()) {
		t.Helper()
		do()
		for want := readGroupRoster(t, s); !maps.Equal(f.groups, want); {
			f.one(t, name, roster{})
		}
	}
	hear("a member, while following", func() { d.modify("cn=four,"+teams, "member", a[3]) })
	hear("a group comes, while following", func() { team("five", a[1]) })
	hear("a group goes, while following", func() { d.del("cn=five," + teams) })
	if err := f.stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

func TestSyncreplTellsOfGroups(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(t *testing.T) *tree{
		"ldaptest as OpenLDAP": func(t *testing.T) *tree { t.Helper(); return fakeTree(t, ldaptest.OpenLDAP, OpenLDAP) },
		"ldaptest as 389-ds":   func(t *testing.T) *tree { t.Helper(); return fakeTree(t, ldaptest.DS389, DS389) },
		"slapd": func(t *testing.T) *tree {
			t.Helper()
			return realTree(t, testserver.Slapd(t, testserver.SlapdOptions{}), OpenLDAP)
		},
		"slapd without a session log": func(t *testing.T) *tree {
			t.Helper()
			return realTree(t, testserver.Slapd(t, testserver.SlapdOptions{NoSessionLog: true}), OpenLDAP)
		},
		"389-ds": func(t *testing.T) *tree {
			t.Helper()
			return realTree(t, testserver.DS389(t, testserver.DS389Options{}), DS389)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			groupScenario(t, start(t))
		})
	}
}
