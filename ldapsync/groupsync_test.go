package ldapsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"usherd/connector"
	"usherd/ldapsync/ldaptest"
	"usherd/ldapsync/testserver"
	"usherd/ldapsync/testserver/ldifgen"
)

const groupOU = "OU=Groups,DC=example,DC=test"

// readGroups keeps all groups, by name.
func readGroups(ctx context.Context, s *Source) (map[string]*connector.GroupRecord, connector.ReadResult, error) {
	groups := map[string]*connector.GroupRecord{}
	res, err := s.Groups(ctx, func(g *connector.GroupRecord) error {
		own := *g
		own.Members = slices.Clone(g.Members)
		groups[g.Name] = &own
		return nil
	})
	return groups, res, err
}

func membersOf(g *connector.GroupRecord) []string {
	if g == nil {
		return []string{"(no such group)"}
	}
	dns := make([]string, len(g.Members))
	for i, m := range g.Members {
		dns[i] = m.DN
	}
	slices.Sort(dns)
	return dns
}

func namesOf(from, to int) []string {
	var dns []string
	for i := from; i < to; i++ {
		dns = append(dns, personDN(i))
	}
	return dns
}

func addGroup(t *testing.T, d *ldaptest.Server, name string, attrs ldaptest.Attrs) string {
	t.Helper()
	attrs["objectClass"], attrs["sAMAccountName"] = []string{"group"}, []string{name}
	dn := "CN=" + name + "," + groupOU
	add(t, d, dn, attrs)
	return dn
}

func TestGroupsAreReadWithAllTheirMembers(t *testing.T) {
	t.Parallel()
	d := directory(t, ldaptest.Options{MaxValRange: 10})
	populate(t, d, 60)
	inner := addGroup(t, d, "inner", ldaptest.Attrs{"member": namesOf(0, 35), "description": {"the inner one"}})
	outer := addGroup(t, d, "outer", ldaptest.Attrs{
		"member": append(namesOf(35, 37), inner), "objectSid": {string(binarySID(5, 21, 1, 2, 3, 1234))},
	})
	addGroup(t, d, "empty", ldaptest.Attrs{})
	if err := d.AddValues(inner, "member", outer); err != nil { // a circle
		t.Fatal(err)
	}
	c := configOf(t, d)
	c.GroupBases, c.PageSize = []string{groupOU}, 2
	s := open(t, c)
	groups, res, err := readGroups(t.Context(), s)
	if err != nil || !res.Complete || res.Entries != 3 || len(groups) != 3 {
		t.Fatalf("%v, %+v, %v", groups, res, err)
	}
	if got, want := membersOf(groups["inner"]), append([]string{outer}, namesOf(0, 35)...); !slices.Equal(got, want) {
		t.Errorf("inner has %d members: %q", len(got), got)
	}
	if got := membersOf(groups["outer"]); len(got) != 3 || len(groups["empty"].Members) != 0 {
		t.Errorf("outer has %q, empty %q", got, membersOf(groups["empty"]))
	}
	if g := groups["inner"]; g.DN != inner || g.Description != "the inner one" || g.Anchor.Kind != connector.ObjectGUID || groups["outer"].RID != 1234 {
		t.Errorf("inner is %s %s %q, outer has the RID %d", g.DN, g.Anchor, g.Description, groups["outer"].RID)
	}
	if i := slices.IndexFunc(groups["outer"].Members, func(m connector.Member) bool { return m.DN == inner }); groups["outer"].Members[i].Key != groups["inner"].Key {
		t.Error("a nested group is not named by its key")
	}

	people, _, err := readPeople(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if i := slices.IndexFunc(groups["inner"].Members, func(m connector.Member) bool { return m.DN == personDN(7) }); byDN(people)[personDN(7)].Key != groups["inner"].Members[i].Key {
		t.Error("a person's key is not that of the member")
	}
	c.GroupBases = nil
	if people, _, err = readPeople(t.Context(), open(t, c)); err != nil || people[0].Key != (connector.Hash{}) {
		t.Errorf("without group_bases people have keys: %v, %v", people[0].Key, err)
	}
}

func TestGroupsSayWhenTheyAreNotAll(t *testing.T) {
	t.Parallel()
	d := directory(t, ldaptest.Options{MaxValRange: 10})
	populate(t, d, 12)
	one, two := addGroup(t, d, "one", ldaptest.Attrs{"member": namesOf(0, 2)}), addGroup(t, d, "two", ldaptest.Attrs{"member": namesOf(0, 12)})
	c := configOf(t, d)
	c.GroupBases = []string{groupOU}
	source := func(edit func(*Config)) *Source {
		own := *c
		edit(&own)
		return open(t, &own)
	}
	stop := errors.New("enough")
	if _, err := source(func(*Config) {}).Groups(t.Context(), func(*connector.GroupRecord) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the error of yield became %v", err)
	}
	_, _, err := readGroups(t.Context(), source(func(c *Config) { c.GroupBases = []string{"OU=None," + groupOU} }))
	if err == nil || !strings.Contains(connector.HintOf(err), "group_bases") {
		t.Errorf("a base that does not exist: %v", err)
	}
	_, res, err := readGroups(t.Context(), source(func(c *Config) { c.Canaries = []string{"CN=nobody," + peopleOU} }))
	if err != nil || res.Complete || !strings.Contains(res.Why, "CN=nobody") {
		t.Errorf("without a canary: %+v, %v", res, err)
	}
	d.Hide("objectGUID")
	groups, res, err := readGroups(t.Context(), source(func(*Config) {}))
	if err != nil || res.Complete || len(groups) != 0 || !strings.Contains(res.Why, "2 of 2 groups have no objectGUID") {
		t.Errorf("without anchors: %v, %+v, %v", groups, res, err)
	}
	d.Hide()
	d.HideEntries(func(dn string) bool { return dn == one || dn == two })
	if groups, res, err = readGroups(t.Context(), source(func(*Config) {})); err != nil || !res.Complete || len(groups)+res.Entries != 0 {
		t.Errorf("an empty answer: %v, %+v, %v", groups, res, err)
	}
}

func TestCheckLooksAtGroups(t *testing.T) {
	t.Parallel()
	d := directory(t, ldaptest.Options{MaxValRange: 10})
	populate(t, d, 12)
	gold := addGroup(t, d, "gold", ldaptest.Attrs{"member": namesOf(0, 12)})
	addGroup(t, d, "empty", ldaptest.Attrs{})
	c := configOf(t, d)
	c.GroupBases = []string{groupOU, "OU=None,DC=example,DC=test", peopleOU}
	var told []string
	err := open(t, c, func(o *Options) { o.Packages = []connector.GroupPackage{{Group: gold, Package: "gold"}} }).Check(t.Context(), func(s Step) {
		if s.Name == "groups" || s.Name == "group base" {
			told = append(told, s.Detail)
		}
	})
	want := []string{"12 members of a group that gives gold", "2 groups sampled below " + groupOU + ", 1 without members of their own", ""}
	if len(told) != 4 || !slices.Equal(told[:3], want) || !strings.Contains(told[3], "0 groups") {
		t.Errorf("told %q", told)
	}
	for _, text := range []string{"OU=None", "no group matches the filter"} {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s is no fault: %v", text, err)
		}
	}
}

func TestRereadGroups(t *testing.T) {
	t.Parallel()
	d := directory(t, ldaptest.Options{MaxValRange: 10})
	populate(t, d, 25)
	dn := addGroup(t, d, "all", ldaptest.Attrs{"member": namesOf(0, 25)})
	gone, other := addGroup(t, d, "gone", ldaptest.Attrs{}), addGroup(t, d, "other", ldaptest.Attrs{})
	c := configOf(t, d)
	c.GroupBases = []string{groupOU}
	s := open(t, c)
	groups, _, err := readGroups(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.Delete(gone), d.DeleteValues(dn, "member", personDN(24)), d.Rename(dn, "CN=everybody")); err != nil {
		t.Fatal(err)
	}
	recs, err := s.RereadGroups(t.Context(), []connector.Anchor{groups["all"].Anchor, groups["gone"].Anchor})
	if err != nil || len(recs) != 2 || recs[0].Name != "everybody" || len(recs[0].Members) != 24 || recs[0].Key == groups["all"].Key ||
		!recs[1].Gone || recs[1].Anchor != groups["gone"].Anchor {
		t.Fatalf("%+v, %v", recs, err)
	}
	d.HideEntries(func(dn string) bool { return strings.HasSuffix(dn, groupOU) && dn != groupOU })
	recs, err = s.RereadGroups(t.Context(), []connector.Anchor{groups["other"].Anchor})
	if err != nil || len(recs) != 0 {
		t.Errorf("with no group to be seen, %s is said to be gone: %+v, %v", other, recs, err)
	}
}

func TestGroupsGivePackages(t *testing.T) {
	t.Parallel()
	d := directory(t, ldaptest.Options{})
	populate(t, d, 8)
	inner := addGroup(t, d, "inner", ldaptest.Attrs{"member": namesOf(0, 2)})
	gold := addGroup(t, d, "gold", ldaptest.Attrs{"member": append(namesOf(2, 3), inner)})
	tin := addGroup(t, d, "tin", ldaptest.Attrs{"member": namesOf(1, 5), "objectSid": {string(binarySID(5, 21, 1, 2, 3, 1234))}})
	if err := d.Modify(personDN(6), ldaptest.Attrs{"primaryGroupID": {"1234"}}); err != nil {
		t.Fatal(err)
	}
	s := open(t, configOf(t, d), func(o *Options) {
		o.Packages = []connector.GroupPackage{{Group: strings.ToUpper(gold), Package: "gold"}, {Group: tin, Package: "tin"}}
	})
	recs, res, err := readPeople(t.Context(), s)
	if err != nil || !res.Complete {
		t.Fatalf("%+v, %v", res, err)
	}
	for i, want := range []string{"gold", "gold", "gold", "tin", "tin", "", "tin", ""} {
		if r := byDN(recs)[personDN(i)]; r.Package != want || r.PrimaryGroup != 0 {
			t.Errorf("person %d gets %q, want %q; primary group %d", i, r.Package, want, r.PrimaryGroup)
		}
	}
}

// groupsOfReal reads the groups of a real server, with those members that are people or groups there.
func groupsOfReal(t *testing.T, c *Config) (map[string]*connector.GroupRecord, map[connector.Hash]*connector.Record) {
	t.Helper()
	s := open(t, c)
	groups, res, err := readGroups(t.Context(), s)
	if err != nil || !res.Complete {
		t.Fatalf("%+v, %v", res, err)
	}
	recs, _, err := readPeople(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	people := map[connector.Hash]*connector.Record{}
	for _, r := range recs {
		people[r.Key] = r
	}
	return groups, people
}

func known(g *connector.GroupRecord, people map[connector.Hash]*connector.Record) (n int) {
	for _, m := range g.Members {
		if people[m.Key] != nil {
			n++
		}
	}
	return n
}

func TestGroupsOfSlapd(t *testing.T) {
	t.Parallel()
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: ldifgen.To(ldifgen.Mess(ldifgen.Options{
		Users: 2000, Groups: 3, Members: 20, Big: []int{1700}, Nest: 3, Cycle: true,
	}))})
	c := slapdConfig(srv)
	c.GroupBases = []string{"ou=Groups," + srv.Base}
	groups, people := groupsOfReal(t, c)
	if len(groups) != 7 || len(groups["big1"].Members) != 1700 || known(groups["big1"], people) != 1700 || known(groups["g00001"], people) != 20 {
		t.Fatalf("%d groups, big1 has %d members, %d of them known", len(groups), len(groups["big1"].Members), known(groups["big1"], people))
	}
	if i := slices.IndexFunc(groups["nest3"].Members, func(m connector.Member) bool { return m.Key == groups["nest1"].Key }); i < 0 {
		t.Errorf("the circle is not closed: %q", membersOf(groups["nest3"]))
	}
	// No referential integrity: the list keeps the old name of somebody who is renamed.
	victim := groups["g00001"].Members[0]
	if err := srv.Modify(t.Context(), fmt.Sprintf("dn: %s\nchangetype: moddn\nnewrdn: uid=renamed\ndeleteoldrdn: 0\n", people[victim.Key].DN)); err != nil {
		t.Fatal(err)
	}
	after, _ := groupsOfReal(t, c)
	if !slices.Equal(membersOf(after["g00001"]), membersOf(groups["g00001"])) {
		t.Errorf("members became %q", membersOf(after["g00001"]))
	}
}

func TestGroupsOfSamba(t *testing.T) {
	t.Parallel()
	srv := testserver.Samba(t, testserver.SambaOptions{LDIF: ldifgen.To(ldifgen.Mess(ldifgen.Options{
		AD: true, Users: 1700, Groups: 2, Members: 20, Big: []int{1650}, Nest: 3,
	}))})
	c := &Config{
		Type: ActiveDirectory, Servers: []string{srv.LDAPSURL}, TLS: TLS{CAFile: srv.CAFile, ServerName: srv.Host},
		Bind:  Bind{User: srv.SyncDN, Password: connector.NewSecret(srv.SyncPassword)},
		Bases: []string{srv.Base}, GroupBases: []string{srv.Base},
	}
	groups, people := groupsOfReal(t, c)
	if len(groups["big1"].Members) != 1650 || known(groups["big1"], people) != 1650 {
		t.Fatalf("big1 has %d members, %d of them known", len(groups["big1"].Members), known(groups["big1"], people))
	}
	if groups["nest1"].Members[0].Key != groups["nest2"].Key {
		t.Errorf("nest1 has %q", membersOf(groups["nest1"]))
	}
	users := groups["Domain Users"]
	primary := 0
	for _, p := range people {
		if p.PrimaryGroup == users.RID {
			primary++
		}
	}
	if users.RID != 513 || len(users.Members) != 0 || primary < 1700 {
		t.Errorf("Domain Users is %d with %q, and the primary group of %d", users.RID, membersOf(users), primary)
	}
	// The server itself gives a renamed member its new name in all lists.
	victim := people[groups["g00001"].Members[0].Key]
	if err := srv.Modify(t.Context(), fmt.Sprintf("dn: %s\nchangetype: moddn\nnewrdn: CN=Renamed Somebody\ndeleteoldrdn: 1\n", victim.DN)); err != nil {
		t.Fatal(err)
	}
	recs, err := open(t, c).RereadGroups(t.Context(), []connector.Anchor{groups["g00001"].Anchor})
	if err != nil || len(recs) != 1 || !slices.ContainsFunc(recs[0].Members, func(m connector.Member) bool {
		return strings.HasPrefix(m.DN, "CN=Renamed Somebody,")
	}) || len(recs[0].Members) != 20 {
		t.Errorf("%+v, %v", recs, err)
	}
}
