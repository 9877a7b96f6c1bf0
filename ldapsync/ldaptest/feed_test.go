package ldaptest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp"
)

// dirSyncRound repeats DirSync until nothing is left and tells the entries as text.
func dirSyncRound(t *testing.T, c *ldap.Conn, s *Server, flags int64, cookie []byte) (got []string, next []byte, answers int) {
	t.Helper()
	for {
		r, err := c.DirSync(request(s.Base(), "(|(objectClass=user)(objectClass=group))", "mail", "title", "member"), flags, 0, cookie)
		if err != nil {
			t.Fatal(err)
		}
		answers++
		for _, e := range r.Entries {
			got = append(got, tell(e))
		}
		k := ldap.FindControl(r.Controls, ldap.ControlTypeDirSync).(*ldap.ControlDirSync)
		if cookie = k.Cookie; k.Flags == 0 {
			return got, cookie, answers
		}
	}
}

func tell(e *ldap.Entry) string {
	rdn, _ := parentDN(e.DN)
	rdn, _, _ = strings.Cut(rdn, `\0ADEL`)
	text := []string{rdn}
	for _, a := range e.Attributes {
		switch a.Name {
		case "objectGUID", "parentGUID", "instanceType":
		default:
			for i, v := range a.Values {
				if strings.Contains(v, "=") {
					a.Values[i], _ = parentDN(v)
				}
			}
			text = append(text, a.Name+"="+strings.Join(a.Values, "|"))
		}
	}
	return strings.Join(text, " ")
}

func TestDirSyncTellsWhatChanged(t *testing.T) {
	t.Parallel()
	s := start(t, Options{DirSyncPage: 2, NoReplicationRight: true})
	b := s.Base()
	for _, n := range []string{"Anna", "Bert", "Carl"} {
		add(t, s, "CN="+n+",OU=P,"+b, Attrs{"mail": {strings.ToLower(n) + "@example.test"}, "title": {"x"}})
	}
	add(t, s, "CN=G,OU=P,"+b, Attrs{"objectClass": {"group"}, "member": {"CN=Anna,OU=P," + b, "CN=Bert,OU=P," + b}})
	c := bound(t, s)
	if _, err := c.DirSync(request(b, "(objectClass=*)"), 0, 0, nil); code(err) != 50 {
		t.Errorf("without the right: %v", err)
	}
	if _, err := c.DirSync(request("OU=P,"+b, "(objectClass=*)"), 1, 0, nil); code(err) != 50 {
		t.Errorf("below the top: %v", err)
	}
	if _, err := c.DirSync(request(b, "(objectClass=*)"), 1, 0, []byte("garbage")); code(err) != 12 {
		t.Errorf("garbage cookie: %v", err)
	}
	flags := ldap.DirSyncObjectSecurity | ldap.DirSyncIncrementalValues
	got, cookie, answers := dirSyncRound(t, c, s, flags, nil)
	want := []string{
		"CN=Anna mail=anna@example.test title=x", "CN=Bert mail=bert@example.test title=x",
		"CN=Carl mail=carl@example.test title=x", "CN=G member;range=1-1=CN=Anna|CN=Bert",
	}
	if diff := cmp.Diff(want, got); diff != "" || answers < 2 {
		t.Errorf("first round, %d answers: %s", answers, diff)
	}
	for _, err := range []error{
		s.Modify("CN=Anna,OU=P,"+b, Attrs{"title": nil}),
		s.Modify("CN=Bert,OU=P,"+b, Attrs{"department": {"not asked for"}}),
		s.Delete("CN=Carl,OU=P," + b),
		s.AddValues("CN=G,OU=P,"+b, "member", "CN=Users,"+b),
		s.DeleteValues("CN=G,OU=P,"+b, "member", "CN=Anna,OU=P,"+b),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	got, cookie, _ = dirSyncRound(t, c, s, flags, cookie)
	want = []string{"CN=Anna title=", "CN=Carl name=Carl\nDEL:" + deletedGUID(t, s, "Carl") + " isDeleted=TRUE", "CN=G member;range=1-1=CN=Users member;range=0-0=CN=Anna"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("second round: %s", diff)
	}
	if got, _, _ := dirSyncRound(t, c, s, flags, cookie); got != nil {
		t.Errorf("nothing changed: %v", got)
	}
	if err := s.Move("CN=Anna,OU=P,"+b, "CN=Anna,OU=Q,"+b); err != nil {
		t.Fatal(err)
	}
	if got, _, _ := dirSyncRound(t, c, s, 1, cookie); len(got) != 1 || got[0] != "CN=Anna name=Anna" {
		t.Errorf("moved: %v", got)
	}
}

func deletedGUID(t *testing.T, s *Server, name string) string {
	t.Helper()
	for _, e := range s.tree.slots {
		if e.deleted && strings.HasPrefix(e.rdn, "CN="+name) {
			return guidText(e.guid)
		}
	}
	t.Fatalf("no tombstone of %s", name)
	return ""
}

// refresh does one refreshOnly and tells it as text.
func refresh(t *testing.T, c *ldap.Conn, s *Server, cookie []byte) (got []string, next []byte) {
	t.Helper()
	r := c.Syncrepl(t.Context(), request(s.Base(), "(mail=*)", "mail"), 16, ldap.SyncRequestModeRefreshOnly, cookie, false)
	for r.Next() {
		line, k := tellSync(r)
		got = append(got, line)
		if k != nil {
			next = k
		}
	}
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	return got, next
}

func tellSync(r ldap.Response) (line string, cookie []byte) {
	for _, k := range r.Controls() {
		switch k := k.(type) {
		case *ldap.ControlSyncState:
			rdn, _ := parentDN(r.Entry().DN)
			return fmt.Sprint(map[ldap.ControlSyncStateState]string{1: "add ", 2: "modify ", 3: "delete "}[k.State], rdn), k.Cookie
		case *ldap.ControlSyncDone:
			return fmt.Sprintf("done deletes=%t", k.RefreshDeletes), k.Cookie
		case *ldap.ControlSyncInfo:
			switch {
			case k.SyncIdSet != nil:
				return fmt.Sprintf("ids %d deletes=%t", len(k.SyncIdSet.SyncUUIDs), k.SyncIdSet.RefreshDeletes), nil
			case k.RefreshDelete != nil:
				return "refreshDelete", k.RefreshDelete.Cookie
			case k.RefreshPresent != nil:
				return "refreshPresent", k.RefreshPresent.Cookie
			}
		}
	}
	return "?", nil
}

func syncServer(t *testing.T, kind Kind) (*Server, *ldap.Conn) {
	t.Helper()
	s := start(t, Options{Kind: kind, Bases: []string{"dc=example,dc=test"}})
	for _, n := range []string{"anna", "bert", "carl"} {
		add(t, s, "cn="+n+",ou=p,"+s.Base(), Attrs{"mail": {n + "@example.test"}})
	}
	return s, bound(t, s)
}

func upset(t *testing.T, s *Server) {
	t.Helper()
	for _, err := range []error{
		s.Modify("cn=anna,ou=p,"+s.Base(), Attrs{"title": {"boss"}}), s.Delete("cn=bert,ou=p," + s.Base()),
		s.Modify("cn=carl,ou=p,"+s.Base(), Attrs{"mail": nil}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestSyncreplOfOpenLDAP(t *testing.T) {
	t.Parallel()
	s, c := syncServer(t, OpenLDAP)
	first, cookie := refresh(t, c, s, nil)
	if diff := cmp.Diff([]string{"add cn=anna", "add cn=bert", "add cn=carl", "done deletes=true"}, first); diff != "" {
		t.Error(diff)
	}
	if got, next := refresh(t, c, s, cookie); len(got) != 1 || next != nil {
		t.Errorf("nothing changed: %v, cookie %q", got, next)
	}
	upset(t, s)
	got, next := refresh(t, c, s, cookie)
	if diff := cmp.Diff([]string{"add cn=anna", "ids 1 deletes=true", "ids 1 deletes=true", "done deletes=true"}, got); diff != "" || next == nil {
		t.Errorf("changes: %s", diff)
	}
	add(t, s, "cn=dora,ou=p,"+s.Base(), Attrs{"mail": {"d@example.test"}})
	s.RestartSync()
	got, _ = refresh(t, c, s, next)
	if diff := cmp.Diff([]string{"add cn=dora", "ids 1 deletes=false", "done deletes=false"}, got); diff != "" {
		t.Errorf("after a restart: %s", diff)
	}
	if got, next := refresh(t, c, s, []byte("garbage")); len(got) != 3 || next != nil {
		t.Errorf("garbage cookie: %v, cookie %q", got, next)
	}
}

func TestSyncreplOf389(t *testing.T) {
	t.Parallel()
	s, c := syncServer(t, DS389)
	_, cookie := refresh(t, c, s, nil)
	upset(t, s)
	got, _ := refresh(t, c, s, cookie)
	if diff := cmp.Diff([]string{"add cn=anna", "ids 1 deletes=true", "done deletes=false"}, got); diff != "" {
		t.Errorf("changes: %s", diff)
	}
	r := c.Syncrepl(t.Context(), request(s.Base(), "(cn=*)"), 16, ldap.SyncRequestModeRefreshOnly, cookie, false)
	for r.Next() {
		t.Error("an entry for a cookie of another request")
	}
	if code(r.Err()) != 4096 {
		t.Errorf("cookie of another request: %v", r.Err())
	}
}

func TestPersistReportsChangesAsTheyHappen(t *testing.T) {
	t.Parallel()
	s, c := syncServer(t, OpenLDAP)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := c.Syncrepl(ctx, request(s.Base(), "(mail=*)", "mail"), 16, ldap.SyncRequestModeRefreshAndPersist, nil, false)
	next := func() string {
		if !r.Next() {
			t.Fatal(r.Err())
		}
		line, _ := tellSync(r)
		return line
	}
	got := []string{next(), next(), next(), next()}
	if !slices.Equal(got, []string{"add cn=anna", "add cn=bert", "add cn=carl", "refreshDelete"}) {
		t.Errorf("refresh: %v", got)
	}
	upset(t, s)
	got = []string{next(), next(), next()}
	if diff := cmp.Diff([]string{"modify cn=anna", "delete cn=bert", "delete cn=carl"}, got); diff != "" {
		t.Error(diff)
	}
	add(t, s, "cn=dora,ou=p,"+s.Base(), Attrs{"mail": {"d@example.test"}})
	if line := next(); line != "add cn=dora" {
		t.Error(line)
	}
}
