package lifecycle

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
)

func isActive(s connector.State, f Facts) bool {
	return s == connector.Active && !f.PendingApproval
}

func TestWay(t *testing.T) {
	t.Parallel()
	dir := []Signal{DirectorySeen, SignIn, Reactivate}
	other := []Signal{DomainVerified, SignIn, Reactivate}
	tests := map[string]struct {
		from    connector.State
		facts   Facts
		signals []Signal
		want    []Step
		ok      bool
	}{
		"there already": {from: connector.Active, signals: dir, ok: true},
		"of a directory, domain not verified": {
			connector.NotVerified, Facts{Kind: connector.Directory}, dir, []Step{
				{Need: NeedDomain, From: connector.NotVerified, To: connector.NotVerified},
				{Signal: DirectorySeen, From: connector.NotVerified, To: connector.Active},
			}, true,
		},
		"of SCIM, domain not verified": {
			connector.NotVerified, Facts{Kind: connector.SCIM}, other, []Step{
				{Signal: DomainVerified, From: connector.NotVerified, To: connector.Verified},
				{Signal: SignIn, From: connector.Verified, To: connector.Active},
			}, true,
		},
		"deactivated while active": {
			connector.Inactive, Facts{Kind: connector.Directory, Resume: connector.Active}, dir, []Step{
				{Signal: Reactivate, From: connector.Inactive, To: connector.Active},
			}, true,
		},
		"deactivated before its domain was verified": {
			connector.Inactive, Facts{Kind: connector.Directory, Resume: connector.NotVerified}, dir, []Step{
				{Need: NeedDomain, From: connector.Inactive, To: connector.Inactive},
				{Signal: Reactivate, From: connector.Inactive, To: connector.Active},
			}, true,
		},
		"approval pending": {
			connector.Verified, Facts{Kind: connector.SCIM, DomainVerified: true, PendingApproval: true}, other, []Step{
				{Need: NeedApproval, From: connector.Verified, To: connector.Verified},
				{Signal: SignIn, From: connector.Verified, To: connector.Active},
			}, true,
		},
		"a tombstone": {from: connector.Deleted, signals: dir},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok := Way(tt.from, tt.facts, tt.signals, isActive)
			if diff := cmp.Diff(tt.want, got); diff != "" || ok != tt.ok {
				t.Errorf("%v (-want +got):\n%s", ok, diff)
			}
		})
	}
}

// Whatever the facts are, going the way leads there, and only live users have one.
func TestWayLeadsThere(t *testing.T) {
	t.Parallel()
	signals := []Signal{EmailProven, DirectorySeen, DomainVerified, SignIn, Reactivate}
	everything(func(from connector.State, s Signal, f Facts) {
		if s != Created || from == "" { // each place once
			return
		}
		way, ok := Way(from, f, signals, isActive)
		if !ok {
			if from.Live() && from != connector.ClaimPending && (from != connector.Inactive || f.Resume != connector.ClaimPending) {
				t.Fatalf("no way from %q, %+v", from, f)
			}
			return
		}
		at, facts := from, f
		for _, step := range way {
			switch step.Need {
			case NeedApproval:
				facts.PendingApproval = false
			case NeedDomain:
				facts.DomainVerified = true
			default:
				if at, ok = Next(at, step.Signal, facts); !ok || at != step.To {
					t.Fatalf("%+v cannot be gone from %+v", step, facts)
				}
				facts.Resume = ""
			}
		}
		if !isActive(at, facts) {
			t.Fatalf("%+v leads from %q, %+v to %q", way, from, f, at)
		}
	})
}
