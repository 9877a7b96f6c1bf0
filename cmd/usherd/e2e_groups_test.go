package main

import (
	"fmt"
	"slices"
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
