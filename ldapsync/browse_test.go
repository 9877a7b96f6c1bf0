package ldapsync

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"usherd/connector"
	"usherd/ldapsync/testserver"
	"usherd/ldapsync/testserver/ldifgen"
)

// shownNames are those of the entries of a page.
func shownNames(p connector.BrowsePage) (list []string) {
	for _, e := range p.Entries {
		list = append(list, e.Name)
	}
	return list
}

func TestBrowseSlapd(t *testing.T) {
	t.Parallel()
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: ldifgen.To(ldifgen.Options{Users: 1010, Groups: 1})})
	people := "ou=People," + srv.Base
	for _, entry := range []string{
		"dn: ou=Old," + people + "\nobjectClass: organizationalUnit\nou: Old\n",
		"dn: cn=Doe\\2C \\3Cb\\3EJane," + people + "\nobjectClass: inetOrgPerson\ncn: Doe, <b>Jane\nsn: Doe\n",
		"dn: uid=robot,ou=Old," + people + "\nobjectClass: account\nuid: robot\n",
	} {
		if err := srv.Add(t.Context(), entry); err != nil {
			t.Fatal(err)
		}
	}
	c := slapdConfig(srv)
	c.ExcludeOUs = []string{"ou=Old," + people}
	s := open(t, c)
	look := func(q connector.BrowseRequest) connector.BrowsePage {
		t.Helper()
		q.Limit = 50
		p, err := s.Browse(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if p := look(connector.BrowseRequest{At: srv.Base}); !slices.Equal(shownNames(p), []string{"cn=limited", "cn=sync", "ou=Groups", "ou=People"}) || p.Up != "" || !p.Entries[0].Leaf || p.Entries[3].Leaf || p.Entries[3].Found {
		t.Errorf("the base: %+v", p)
	}
	through := func(begin string, cut bool, entries, pages int) {
		t.Helper()
		var all []string
		n := 0
		for after := ""; n == 0 || after != ""; n++ {
			p := look(connector.BrowseRequest{At: people, Begins: begin, After: after})
			if p.Up != srv.Base || p.Cut != cut || len(p.Entries) > 50 {
				t.Errorf("%q: %d entries below %s, cut: %v", begin, len(p.Entries), p.Up, p.Cut)
			}
			all, after = append(all, shownNames(p)...), p.Next
		}
		if n != pages || len(all) != entries || len(slices.Compact(slices.Clone(all))) != entries || !slices.IsSorted(all) {
			t.Errorf("%q: %d entries on %d pages: %q", begin, len(all), n, all)
		}
	}
	through("u00000", false, 99, 2)
	through("", true, mostBrowsed, mostBrowsed/50)
	jane := look(connector.BrowseRequest{At: people, Begins: "Doe, "}).Entries
	if len(jane) != 1 || !jane[0].Found || jane[0].Outside != "" || !jane[0].Leaf || !strings.Contains(jane[0].Name, "Jane") {
		t.Errorf("%+v", jane)
	}
	if p := look(connector.BrowseRequest{At: people, Begins: "u00000*"}); len(p.Entries) != 0 {
		t.Errorf("a star is no pattern: %v", shownNames(p))
	}
	robot := look(connector.BrowseRequest{At: "OU=old, " + people}).Entries
	if len(robot) != 1 || robot[0].Found || !strings.Contains(robot[0].Outside, "exclude_ous") || !slices.Contains(robot[0].Classes, "account") {
		t.Errorf("%+v", robot)
	}
	for _, at := range []string{"", "dc=test", "no DN", "ou=Nothing," + srv.Base} {
		if _, err := s.Browse(t.Context(), connector.BrowseRequest{At: at, Limit: 50}); connector.KindOf(err) != connector.NotFound {
			t.Errorf("%s: %v", at, err)
		}
	}
}

func TestDNsAreSplit(t *testing.T) {
	t.Parallel()
	for dn, want := range map[string]string{
		"cn=a,dc=b": "cn=a|dc=b|true", `cn=a\,b, dc=c`: `cn=a\,b|dc=c|true`, `cn="x,y",dc=c`: `cn="x,y"|dc=c|true`, "dc=b": "dc=b||false", `cn=a\`: `cn=a\||false`,
	} {
		if first, rest, ok := splitDN(dn); fmt.Sprintf("%s|%s|%v", first, rest, ok) != want {
			t.Errorf("%s: %s|%s|%v", dn, first, rest, ok)
		}
	}
}
