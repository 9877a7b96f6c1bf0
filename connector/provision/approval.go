package provision

import (
	"context"
	"errors"
	"time"

	"usherd/connector"
	"usherd/connector/lifecycle"
)

// Approve ends a pending approval.
func (p *Provisioner) Approve(ctx context.Context, c Command) (*connector.Change, error) {
	return p.command(ctx, c, func(_ *connector.Change, after *connector.User, _ lifecycle.Facts) error {
		after.PendingApproval = false
		return nil
	})
}

// RejectUser refuses somebody who waits for approval, and mails the person the reason where there is an address.
//
// The table of states has no row for it: a rejection is a deactivation by an administrator. So the account cannot be
// used, no source, sign-in or push brings it back (a user that were deleted would be created anew by the next of them,
// and wait for approval again), an administrator who thinks better of it may, and whoever no source has any more is
// deleted when the grace period is over. The seat is free at once: where those who are inactive keep theirs
// (InactiveHoldsSeat), the package is taken away, and sources give none.
//
// Somebody who does not wait is an error of Kind Refused.
func (p *Provisioner) RejectUser(ctx context.Context, c Command) (*connector.Change, error) {
	c.mail = func(before *connector.User, now time.Time) connector.Mail { return p.rejection(before, c.Reason, now) }
	return p.command(ctx, c, func(ch *connector.Change, after *connector.User, f lifecycle.Facts) error {
		if !after.PendingApproval {
			return &connector.Error{
				Kind: connector.Refused, Op: "provision", Err: errNotPending, Hint: "deactivate the user instead: usherd user deactivate KEY --reason WHY",
			}
		}
		after.PendingApproval = false
		if after.State == connector.Inactive { // by a source: the administrator's word replaces it
			after.DeactivatedBy, after.DeactivatedSource, after.DeactivatedReason = connector.ByAdministrator, "", c.Reason
		}
		deactivate(ch, after, f, deactivation{by: connector.ByAdministrator, reason: c.Reason, at: p.o.Now(), grace: p.o.Org.DeleteAfter})
		if p.o.Org.InactiveHoldsSeat {
			after.Package, after.PackageFixed = "", true
		}
		return nil
	})
}

var errNotPending = errors.New("the user does not wait for approval")

// rejection is what the person is told.
func (p *Provisioner) rejection(u *connector.User, reason string, now time.Time) connector.Mail {
	return connector.Mail{
		ID: connector.NewID(now), Org: p.o.Org.ID, Kind: connector.RejectedMail, To: u.Profile.Get(connector.Email), Language: u.Profile.Get("preferredLanguage"),
		About: u.ID, Values: map[string]string{"reason": reason}, State: connector.MailWaiting, At: now, Next: now,
	}
}
