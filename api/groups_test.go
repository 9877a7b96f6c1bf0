package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"usherd/api"
	"usherd/connector"
)

// Groups are listed, found by name, id and DN, and their members are told, also those of nested groups.
func TestGroupsByAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) { w.orgs["acme"].Sources[0].Kind = connector.Directory })
	dn := func(name string) string { return "cn=" + name }
	key := func(name string) connector.Hash { return connector.KeyOf([]byte(dn(name))) }
	user := w.person("acme", "ann", func(r *connector.Record) { r.DN, r.Key = dn("ann"), key("ann") })
	var records []*connector.GroupRecord
	for name, members := range map[string][]string{"Sales": {"ann", "Printer"}, "Staff": {"Sales"}, "Empty": nil} {
		g := &connector.GroupRecord{Anchor: connector.Anchor{Kind: connector.TextAnchor, Raw: name}, DN: dn(name), Key: key(name), Name: name}
		for _, m := range members {
			g.Members = append(g.Members, connector.Member{Key: key(m), DN: dn(m)})
		}
		records = append(records, g)
	}
	changes, err := w.db.CompareGroups(t.Context(), "acme", "idp", records, nil)
	w.ok(err)
	w.ok(w.db.Bulk(t.Context(), func(tx connector.Tx) error {
		return tx.PutGroups(t.Context(), changes, false, connector.Cause{Kind: connector.CauseRequest, Actor: "test"}, w.now())
	}))

	c := w.client("acme", connector.APIRead)
	var names []string
	after := ""
	for {
		page := get[api.Groups](c, "/orgs/acme/groups?limit=2&after=%s", after)
		for _, g := range page.Groups {
			names = append(names, fmt.Sprintf("%s:%d", g.Name, g.Members))
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if fmt.Sprint(names) != "[Empty:0 Sales:2 Staff:1]" {
		t.Error(names)
	}
	staff := get[api.GroupDetail](c, "/orgs/acme/groups/Staff")
	if staff.Effective["users"] != 1 || staff.Effective["groups"] != 1 || staff.Effective["outside"] != 1 {
		t.Errorf("%+v", staff)
	}
	members := func(path string) string {
		list := []string{}
		for _, m := range get[struct{ Members []api.Member }](c, "/orgs/acme/groups/%s", path).Members {
			list = append(list, m.Kind+":"+m.Name+m.DN)
		}
		slices.Sort(list)
		return strings.Join(list, " ")
	}
	for path, want := range map[string]string{
		"Staff/members": "group:Salescn=Sales", "Staff/members?effective=true": "user:ann", staff.ID + "/members?effective=true": "user:ann",
		"Empty/members": "", "Empty/members?effective=true": "",
	} {
		if got := members(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if got := members("cn=Sales/members"); got != "outside:cn=Printer user:anncn=ann" {
		t.Error(got)
	}
	if detail := get[api.UserDetail](c, "/orgs/acme/users/%s", user.ID); len(detail.Groups) != 2 {
		t.Errorf("%+v", detail.Groups)
	}
	c.refused(http.StatusNotFound, "not_found", http.MethodGet, "/orgs/acme/groups/Other", nil)
	w.client("beta").refused(http.StatusNotFound, "not_found", http.MethodGet, "/orgs/beta/groups/"+staff.ID+"/members", nil)
}
