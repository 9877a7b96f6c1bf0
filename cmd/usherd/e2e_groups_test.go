package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"usherd/connector"
	"usherd/ldapsync/testserver"
	"usherd/ldapsync/testserver/ldifgen"
)

// groupRun is what `sync -o json` says of groups.
type groupRun struct {
	Groups   connector.GroupCounts
	Warnings []string
	Counts   connector.Counts
}

// groupsOf are the groups of a user, those through other groups in brackets.
func (r *rig) groupsOf(user string) (names []string) {
	r.t.Helper()
	for _, g := range r.show(user).Groups {
		if !g.Direct {
			g.Name = "(" + g.Name + ")"
		}
		names = append(names, g.Name)
	}
	return names
}

// The server gives a renamed person its new name in all lists, without a change of any group.
func TestMembershipsOfSambaFollowARename(t *testing.T) {
	t.Parallel()
	srv := testserver.Samba(t, testserver.SambaOptions{LDIF: ldifgen.To(ldifgen.Options{AD: true, Users: 40, Groups: 2, Members: 10, Nest: 3})})
	r := newRig(t, oneSource(fmt.Sprintf(`type: active_directory
servers: [%s]
tls: {ca_file: %s, server_name: %s}
bind: {user: "%s", password: {env: LDAP_PASSWORD}}
bases: ["OU=People,%s"]
group_bases: ["%s"]
`, srv.LDAPSURL, srv.CAFile, srv.Host, srv.SyncDN, srv.Base, srv.Base)))
	r.env["LDAP_PASSWORD"] = srv.SyncPassword
	first := decode[groupRun](r, exitOK, "sync", "-q", "-o", "json")
	if first.Counts.Created != 40 || first.Groups.Created < 6 || first.Groups.MembersAdded < 30 || len(first.Warnings) > 1 {
		t.Fatalf("%+v", first)
	}
	show := decode[struct {
		Members []memberJSON
	}](r, exitOK, "group", "show", "g00001", "-o", "json")
	name := show.Members[0].Name
	before := r.groupsOf(name)
	if len(show.Members) != 10 || !slices.Contains(before, "g00001") || !slices.Contains(before, "Domain Users") {
		t.Fatalf("g00001 has %+v; %s is in %q", show.Members, name, before)
	}
	nested := decode[struct {
		Effective map[string]int
	}](r, exitOK, "group", "show", "nest1", "-o", "json")
	if nested.Effective["groups"] != 2 || nested.Effective["users"] != 10+2 && nested.Effective["users"] != 10 {
		t.Errorf("nest1: %+v", nested)
	}

	dn := r.show(name).Links[0].DN
	if err := srv.Modify(t.Context(), fmt.Sprintf("dn: %s\nchangetype: moddn\nnewrdn: CN=Married Somebody\ndeleteoldrdn: 1\n", dn)); err != nil {
		t.Fatal(err)
	}
	again := decode[groupRun](r, exitOK, "sync", "-q", "-o", "json")
	if again.Groups != (connector.GroupCounts{}) {
		t.Errorf("a rename has changed groups: %+v", again.Groups)
	}
	if after := r.groupsOf(name); r.show(name).Links[0].DN == dn || !slices.Equal(before, after) {
		t.Errorf("%s was in %q and is in %q, at %s", name, before, after, r.show(name).Links[0].DN)
	}
	r.verify()
}

// groupServer is a real directory with people, whose memberships a test changes.
type groupServer struct {
	t     *testing.T
	srv   *testserver.Server
	class string
	block string
}

func (g *groupServer) dn(group string) string { return "CN=" + group + ",OU=Teams," + g.srv.Base }

func (g *groupServer) modify(format string, args ...any) {
	g.t.Helper()
	if err := g.srv.Modify(g.t.Context(), fmt.Sprintf(format, args...)); err != nil {
		g.t.Fatal(err)
	}
}

func (g *groupServer) add(group string, members ...string) {
	g.t.Helper()
	g.modify("dn: %s\nchangetype: add\nobjectClass: %s\nmember: %s\n", g.dn(group), g.class, strings.Join(members, "\nmember: "))
}

// member adds somebody to a group, or deletes somebody from it.
func (g *groupServer) member(group, do, dn string) {
	g.t.Helper()
	g.modify("dn: %s\nchangetype: modify\n%s: member\nmember: %s\n", g.dn(group), do, dn)
}

// A membership two groups down changes although no entry of a person does: it gives a package by a run of changes,
// and takes away and gives back what is followed live.
func TestNestedMembershipsArriveByChanges(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(t *testing.T) *groupServer{
		"slapd": func(t *testing.T) *groupServer {
			t.Helper()
			srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: ldifgen.To(ldifgen.Options{Users: 12})})
			return &groupServer{t, srv, "groupOfNames", slapdBlock(srv)}
		},
		"Samba": func(t *testing.T) *groupServer {
			t.Helper()
			srv := testserver.Samba(t, testserver.SambaOptions{LDIF: ldifgen.To(ldifgen.Options{AD: true, Users: 12})})
			return &groupServer{t, srv, "group", fmt.Sprintf(`type: active_directory
servers: [%s]
tls: {ca_file: %s, server_name: %s}
bind: {user: "%s", password: {env: LDAP_PASSWORD}}
bases: ["OU=People,%s"]
`, srv.LDAPSURL, srv.CAFile, srv.Host, srv.SyncDN, srv.Base)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := start(t)
			g.modify("dn: OU=Teams,%s\nchangetype: add\nobjectClass: organizationalUnit\n", g.srv.Base)
			nestedMemberships(t, g)
		})
	}
}

func nestedMemberships(t *testing.T, g *groupServer) {
	t.Helper()
	r := newRig(t, oneSource(g.block))
	r.env["LDAP_PASSWORD"] = g.srv.SyncPassword
	r.sync(exitOK)
	var names, dns []string
	for n := range r.users() {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		dns = append(dns, r.show(n).Links[0].DN)
	}
	a := names[0]
	g.add("inner", dns[1])
	g.add("gold", g.dn("inner"))
	g.add("staff inner", dns...)
	g.add("staff", g.dn("staff inner"))
	config := oneSource(g.block + fmt.Sprintf("groups: [%q]\ngroup_bases: [\"OU=Teams,%s\"]\n", g.dn("staff"), g.srv.Base))
	config = strings.Replace(config, "packages: [", "packages: [{id: gold, seats: 5}, ", 1)
	config = strings.Replace(config, "    directory:\n", fmt.Sprintf("    group_packages: [{group: %q, package: gold}]\n    directory:\n", g.dn("gold")), 1)
	r.configure(config)
	r.sync(exitOK)
	if is := r.users(); is[names[1]].Package != "gold" || is[a].Package != "standard" || is[a].State == connector.Inactive {
		t.Fatalf("%+v", is)
	}

	g.member("inner", "add", dns[0])
	run := decode[groupRun](r, exitOK, "sync", "-q", "--mode", "changes", "-o", "json")
	if run.Groups != (connector.GroupCounts{Updated: 1, MembersAdded: 1}) || run.Counts.Updated != 1 {
		t.Errorf("%+v", run)
	}
	if pkg := r.users()[a].Package; pkg != "gold" || !slices.Equal(r.groupsOf(a), []string{"(gold)", "inner", "(staff)", "staff inner"}) {
		t.Errorf("%s has the package %s and is in %q", a, pkg, r.groupsOf(a))
	}

	r.configure(strings.Replace(config, "    first_run: apply\n", "    first_run: apply\n    live: true\n", 1))
	d := r.daemon(t)
	d.log.await(t, "following")
	g.member("staff inner", "delete", dns[0])
	r.until("who left the groups of the scope loses access", func() bool { return r.state(a) == connector.Inactive })
	g.member("staff inner", "add", dns[0])
	r.until("who is in them again has access again", func() bool { return r.state(a) != connector.Inactive })
	g.member("inner", "delete", dns[0])
	r.until("who left the group of a package loses it", func() bool { return r.users()[a].Package == "standard" })
	r.until("the groups are as they are", func() bool { return slices.Equal(r.groupsOf(a), []string{"(staff)", "staff inner"}) })
	d.end()
	if full := r.sync(exitOK); full.Missed == nil || *full.Missed != 0 || full.Counts.Unchanged != len(names) {
		t.Errorf("a full run finds %+v, missed %v", full.Counts, full.Missed)
	}
	r.verify()
}
