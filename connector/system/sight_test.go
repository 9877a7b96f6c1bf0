package system_test

import (
	"testing"

	"usherd/connector/system"
)

func TestSight(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path     string
		own, all bool // is seen by one of acme: among several organizations, and alone
	}{
		{"organizations[acme].name", true, true},
		{"organizations[acme]", true, true},
		{"organizations[acme2].name", false, false},
		{"organizations[beta].sources[organizations[acme]].scim", false, false},
		{"organizations[]", false, true},
		{"organizations", false, true},
		{"store", false, true},
		{"", false, true},
	} {
		if got := (system.Sight{Org: "acme"}).Sees(c.path); got != c.own {
			t.Errorf("%s: %v among several", c.path, got)
		}
		if got := (system.Sight{Org: "acme", All: true}).Sees(c.path); got != c.all {
			t.Errorf("%s: %v alone", c.path, got)
		}
	}
	list := []system.Value{{Path: "store"}, {Path: "organizations[acme].name"}}
	if got := (system.Sight{Org: "acme"}).Values(list); len(got) != 1 || list[0].Path != "store" {
		t.Errorf("%+v, and the list of the daemon is %+v", got, list)
	}
}

func TestDiskAgainstWhatIsInForce(t *testing.T) {
	t.Parallel()
	for want, d := range map[system.DiskState]system.Disk{
		system.DiskSame: {Revision: "a"}, system.DiskDiffers: {Revision: "b"}, system.DiskFaulty: {Error: "gone"},
	} {
		if got := d.Against("a"); got != want {
			t.Errorf("%+v: %s, want %s", d, got, want)
		}
	}
	bad := system.Disk{Faults: []system.Fault{{Message: "of others"}}, Error: "of others", Revision: "a"}
	if got := (system.Sight{Org: "acme"}).Disk(bad); got.Bad() || !bad.Bad() {
		t.Errorf("%+v %+v", got, bad)
	}
}
