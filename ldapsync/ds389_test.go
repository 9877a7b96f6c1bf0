package ldapsync

import (
	"testing"

	"usherd/connector"
	"usherd/ldapsync/testserver"
	"usherd/ldapsync/testserver/ldifgen"
)

func TestRead389ds(t *testing.T) {
	t.Parallel()
	srv := testserver.DS389(t, testserver.DS389Options{LDIF: ldifgen.To(ldifgen.Mess(ldifgen.Options{
		Users: 2500, Groups: 2, Members: 20, Disabled: 10, DisabledAttr: "nsAccountLock=TRUE",
	}))})
	c := slapdConfig(srv)
	c.Type = DS389
	c.GroupBases = []string{"ou=Groups," + srv.Base}
	s := open(t, c, func(o *Options) { o.Attributes = []string{"uid", "mail", "sn"} })
	recs, res, err := readPeople(t.Context(), s)
	if err != nil || !res.Complete || len(recs) != 2500 {
		t.Fatalf("%d records, %+v, %v", len(recs), res, err)
	}
	off := 0
	for _, r := range recs {
		if r.Fault != "" || r.Enabled == connector.EnabledUnknown || r.Anchor.Kind != connector.NSUniqueID || len(r.Anchor.Raw) != 16 {
			t.Fatalf("record %+v", r)
		}
		if r.Enabled == connector.EnabledNo {
			off++
		}
	}
	if off < 150 || off > 350 {
		t.Errorf("%d of 2500 are disabled by nsAccountLock, 10 %% should be", off)
	}
	groups, people := groupsOfReal(t, c)
	if g := groups["g00001"]; len(groups) != 2 || known(g, people) != 20 || g.Anchor.Kind != connector.NSUniqueID {
		t.Errorf("%d groups, one is %+v", len(groups), g)
	}
	first := recs[0]
	if rec, is, err := s.Lookup(t.Context(), first.Anchor); err != nil || is != connector.PresentInScope || rec.DN != first.DN {
		t.Errorf("lookup: %v, %v, %v", rec, is, err)
	}
	if err := srv.Modify(t.Context(), "dn: "+first.DN+"\nchangetype: delete\n"); err != nil {
		t.Fatal(err)
	}
	if _, is, err := s.Lookup(t.Context(), first.Anchor); err != nil || is != connector.PresenceGone {
		t.Errorf("lookup of the deleted: %v, %v", is, err)
	}
}
