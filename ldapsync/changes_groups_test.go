package ldapsync

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"usherd/connector"
	"usherd/ldapsync/ldaptest"
)

// A group says who is in scope, who is protected, or what a mapped attribute holds, and only the group itself
// changes.
func TestChangesOfGroupsReachTheirMembers(t *testing.T) {
	t.Parallel()
	const staff, inner, other = "CN=staff,OU=Groups,DC=example,DC=test", "CN=inner,OU=Groups,DC=example,DC=test", "CN=other,OU=Groups,DC=example,DC=test"
	steps := []struct {
		name string
		do   func(d *ldaptest.Server) error
		full bool // for DirSync; others cannot tell who came and went
	}{
		{"joins", func(d *ldaptest.Server) error { return d.AddValues(staff, "member", personDN(7), personDN(8)) }, false},
		{"leaves", func(d *ldaptest.Server) error { return d.DeleteValues(staff, "member", personDN(7)) }, false},
		{"joins a nested one", func(d *ldaptest.Server) error { return d.AddValues(inner, "member", personDN(9)) }, false},
		{"renamed", func(d *ldaptest.Server) error { return d.Rename(personDN(8), "CN=renamed") }, false},
		{"joins another", func(d *ldaptest.Server) error { return d.AddValues(other, "member", personDN(10)) }, false},
		{"a group joins", func(d *ldaptest.Server) error { return d.AddValues(staff, "member", other) }, true},
		{"a group leaves", func(d *ldaptest.Server) error { return d.DeleteValues(staff, "member", inner) }, true},
		{"a group is deleted", func(d *ldaptest.Server) error { return d.Delete(other) }, true},
	}
	for name, edit := range map[string]func(*Options){
		"scope":              func(o *Options) { o.Config.Groups = []string{staff} },
		"protected":          func(o *Options) { o.Protected.Groups = []string{staff} },
		"package":            func(o *Options) { o.Packages = []connector.GroupPackage{{Group: staff, Package: "gold"}} },
		"memberOf mapped":    func(o *Options) { o.Attributes = append(o.Attributes, "memberOf") },
		"memberOf in filter": func(o *Options) { o.Config.Filter = "(&(sAMAccountType=805306368)(memberOf=" + staff + "))" },
		"chain in the filter": func(o *Options) {
			o.Config.Filter = "(&(sAMAccountType=805306368)(memberOf:1.2.840.113556.1.4.1941:=" + staff + "))"
		},
	} {
		for _, by := range []ChangesBy{ByDirSync, ByUSN, ByTimestamp} {
			t.Run(name+" "+string(by), func(t *testing.T) {
				t.Parallel()
				d := directory(t, ldaptest.Options{})
				populate(t, d, 12)
				group := func(dn string, members ...string) {
					add(t, d, dn, ldaptest.Attrs{"objectClass": {"group"}, "sAMAccountName": {dn[3:8]}, "member": members})
				}
				group(inner, personDN(3))
				group(staff, personDN(1), personDN(2), inner)
				group(other)
				c := configOf(t, d)
				c.Changes = by
				s := open(t, c, edit)
				have, at := readRoster(t, s)
				for _, step := range steps {
					do(t, step.do(d))
					b := changesSince(t, s, at)
					if by == ByDirSync && (b.Full != "") != step.full {
						t.Errorf("%s: full %q", step.name, b.Full)
					}
					want, next := readRoster(t, s)
					if b.Full != "" || by == ByTimestamp && step.name == "a group is deleted" { // no deletions there
						have, at = want, next
						continue
					}
					for _, rec := range b.Records {
						have.take(rec)
					}
					if at = b.Cursor; !equalRosters(want, have) {
						t.Fatalf("%s: %v, want %v", step.name, have, want)
					}
				}
			})
		}
	}
}

func equalRosters(a, b roster) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

func TestPeopleAreFoundByAnAnchorOfTheirOwn(t *testing.T) {
	t.Parallel()
	for _, by := range []ChangesBy{ByDirSync, ByUSN, ByTimestamp} {
		d, s := companyAD(t, ldaptest.Options{}, func(c *Config) { c.Anchor, c.Changes = "employeeID", by })
		for i := range 20 {
			do(t, d.Modify(personDN(i), ldaptest.Attrs{"employeeID": {strconv.Itoa(i)}}))
		}
		have, at := readRoster(t, s)
		do(t, d.Modify(personDN(1), ldaptest.Attrs{"mail": {"a@example.test"}}), d.Modify(personDN(3), ldaptest.Attrs{"employeeID": {"2"}}))
		b := changesSince(t, s, at)
		for _, rec := range b.Records {
			have.take(rec)
		}
		twice := 0
		for _, rec := range b.Records {
			if rec.Fault == "2 entries have the same employeeID" {
				twice++
			}
		}
		if b.Full != "" || twice != 2 || len(b.Records) != 3 || len(b.Warnings) != 0 {
			t.Errorf("%s: %+v", by, b)
		}
		do(t, d.Modify(personDN(4), ldaptest.Attrs{"employeeID": nil}))
		if b = changesSince(t, s, b.Cursor); by != ByTimestamp && len(b.Warnings) != 1 {
			t.Errorf("%s: %+v", by, b)
		}
	}
}

// DirSync tells a unit that was renamed from one that only got another description; the others cannot.
func TestAChangedUnitIsNotAlwaysARenamedOne(t *testing.T) {
	t.Parallel()
	for _, by := range []ChangesBy{ByDirSync, ByUSN, ByTimestamp} {
		d, s := companyAD(t, ldaptest.Options{}, func(c *Config) { c.Changes = by })
		add(t, d, "CN=System,DC=example,DC=test", ldaptest.Attrs{"objectClass": {"container"}})
		add(t, d, "CN=Policies,CN=System,DC=example,DC=test", ldaptest.Attrs{"objectClass": {"container"}})
		add(t, d, "CN=Policy,OU=People,DC=example,DC=test", ldaptest.Attrs{"objectClass": {"top", "container", "groupPolicyContainer"}})
		_, at := readRoster(t, s)
		do(t, d.Modify("CN=Policy,OU=People,DC=example,DC=test", ldaptest.Attrs{"description": {"x"}}))
		if b := changesSince(t, s, at); b.Full != "" || len(b.Records) != 0 {
			t.Errorf("%s, a policy: %+v", by, b)
		}
		do(t, d.Modify("CN=Policies,CN=System,DC=example,DC=test", ldaptest.Attrs{"description": {"x"}}))
		if b := changesSince(t, s, at); b.Full != "" || len(b.Records) != 0 {
			t.Errorf("%s, the system's own: %+v", by, b)
		}
		do(t, d.Modify(peopleOU, ldaptest.Attrs{"description": {"x"}}))
		if b := changesSince(t, s, at); (b.Full != "") != (by != ByDirSync) || len(b.Records) != 0 {
			t.Errorf("%s, a unit: %+v", by, b)
		}
	}
}

func TestCheckTellsHowChangesAreFound(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		options ldaptest.Options
		by      ChangesBy
		hide    []string
		want    string
		fails   bool
	}{
		"right":    {ldaptest.Options{}, Auto, nil, `dirsync; with the right "Replicating Directory Changes"`, false},
		"no right": {ldaptest.Options{NoReplicationRight: true}, Auto, nil, `dirsync; without the right "Replicating Directory Changes", which is better granted`, false},
		"usn":      {ldaptest.Options{}, ByUSN, nil, "usn", false},
		"refused":  {ldaptest.Options{}, ByUSN, []string{"invocationId"}, "", true},
		"auto, nothing allowed": {
			ldaptest.Options{}, Auto, []string{"invocationId", "objectGUID"}, "changes are found by full reads only: ldapsync: usn: ", false,
		},
		"off":       {ldaptest.Options{}, NoChanges, nil, "off: changes are found by full reads only", false},
		"timestamp": {ldaptest.Options{}, ByTimestamp, nil, "timestamp; deletions are found by full reads only", false},
	} {
		d, s := companyAD(t, tc.options, func(c *Config) { c.Changes = tc.by })
		d.Hide(tc.hide...)
		told := false
		_ = s.Check(t.Context(), func(st Step) {
			if st.Name != "changes" {
				return
			}
			told = true
			if !strings.HasPrefix(st.Detail, tc.want) || (st.Err != nil) != tc.fails || tc.fails && connector.HintOf(st.Err) == "" {
				t.Errorf("%s: %q, %v", name, st.Detail, st.Err)
			}
		})
		if !told {
			t.Errorf("%s: not told", name)
		}
	}
}
