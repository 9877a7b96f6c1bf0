package provision

import (
	"context"
	"errors"
	"time"

	"usherd/connector"
	"usherd/connector/lifecycle"
)

// Approve ends a pending approval, and mails the person that the account can be used, where it can and there is an address.
func (p *Provisioner) Approve(ctx context.Context, c Command) (*connector.Change, error) {
	c.mail = func(before *connector.User, now time.Time) connector.Mail {
		if !before.PendingApproval || !before.State.MayUse() {
			return connector.Mail{}
		}
		return p.decided(before, connector.ReadyMail, now)
	}
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
	c.mail = func(before *connector.User, now time.Time) connector.Mail {
		m := p.decided(before, connector.RejectedMail, now)
		m.Values["reason"] = c.Reason
		return m
	}
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

// decided is what a person is told of whom an administrator has looked at.
func (p *Provisioner) decided(u *connector.User, kind connector.MailKind, now time.Time) connector.Mail {
	return connector.Mail{
		ID: connector.NewID(now), Org: p.o.Org.ID, Kind: kind, To: u.Profile.Get(connector.Email), Language: u.Profile.Get("preferredLanguage"),
		About: u.ID, Values: map[string]string{"Name": nameOf(u)}, State: connector.MailWaiting, At: now, Next: now,
	}
}
