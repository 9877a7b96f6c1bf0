package provision_test

import (
	"slices"
	"testing"
	"time"

	"usherd/connector"
)

// An administrator reminds the person, not within an hour of the last mail, and of nothing that is over; the audit trail says so.
func TestClaimsAreRemindedOfByHand(t *testing.T) {
	t.Parallel()
	p := newPair(t, nil)
	c := p.claim(p.person(1, connector.Active))[0]
	other := p.claim(p.person(2, connector.Active))[0]
	ctx := connector.Acting(t.Context(), connector.Actor{Name: "console:ann"})
	refused := func(want connector.Kind) {
		t.Helper()
		if _, err := p.claims.RemindClaim(ctx, "acme", c.ID); connector.KindOf(err) != want {
			t.Errorf("%v, want %v", err, want)
		}
	}
	refused(connector.Refused) // the first mail
	p.now = p.now.Add(time.Hour)
	got, err := p.claims.RemindClaim(ctx, "acme", c.ID)
	if err != nil || got.ID != c.ID || got.NextAt != c.NextAt {
		t.Fatalf("%+v %v", got, err)
	}
	refused(connector.Refused)
	if got := p.mails(c.Email); !slices.Equal(got, []connector.MailKind{connector.ClaimMail, connector.ClaimReminderMail}) {
		t.Error(got)
	}
	if got := p.mails(other.Email); len(got) != 1 {
		t.Error(got)
	}
	entries, err := p.db.Audit(t.Context(), connector.AuditQuery{Org: "acme", Target: "claim " + c.ID.String()})
	if err != nil || len(entries) != 1 || entries[0].Action != connector.AuditClaimReminded || entries[0].Actor.Name != "console:ann" {
		t.Errorf("%v %+v", err, entries)
	}
	p.decide(c, connector.ClaimMove, "")
	p.now = p.now.Add(2 * time.Hour)
	refused(connector.Conflict)
	p.now = other.Until
	if _, err := p.claims.RemindClaim(ctx, "acme", other.ID); connector.KindOf(err) != connector.Conflict {
		t.Error(err)
	}
	if _, err := p.claims.RemindClaim(ctx, "globex", c.ID); connector.KindOf(err) != connector.NotFound {
		t.Error(err)
	}
}
