package provision

import (
	"context"

	"usherd/connector"
	"usherd/connector/lifecycle"
)

// stranger refuses somebody who has no account, where signing in creates none: at the door, and later too, when the
// person waits for a seat.
func (d *decision) stranger() bool {
	if d.user != nil || !d.src.OnlyKnown || len(d.failures) > 0 { // whose account it is cannot be told
		return false
	}
	d.turnAway(connector.CodeNoAccount, connector.NoAccount)
	return true
}

// turnedAway refuses whom the state of the account lets not sign in, before anything else is asked: nothing of the
// person changes by it. Where signing in creates nobody, no account was to be created, and the refusal is that of a
// sign-in by itself.
func (d *decision) turnedAway() bool {
	code := connector.CodeCreation
	switch u := d.user; {
	case len(d.failures) > 0: // whose account it is cannot be told
		return false
	case u == nil:
		return false
	case u.State == connector.Inactive && d.src.OnlyKnown:
		d.turnAway(connector.CodeDeactivated, connector.AccountDeactivated)
	case u.State == connector.Inactive:
		d.turnAway(code, connector.AccountInactive)
	case u.PendingApproval:
		d.turnAway(code, connector.AccountPendingApproval)
	case u.Standing() == connector.NotVerified:
		d.turnAway(code, connector.AccountNotVerified)
	default:
		return false
	}
	return true
}

// stayedOut refuses somebody who activates and whose account was deactivated: only who did that gives it back. Where it
// was this template, since the subscriber was deleted, it comes back with the subscriber.
func (d *decision) stayedOut() bool {
	u := d.user
	if d.src.Kind != connector.Template || len(d.failures) > 0 || d.rec.Gone || u == nil || u.State != connector.Inactive ||
		u.DeactivatedBy == connector.BySource && u.DeactivatedSource == d.src.ID {
		return false
	}
	d.turnAway(connector.CodeCreation, connector.AccountInactive)
	return true
}

func (d *decision) turnAway(code connector.Code, reason connector.Reason) {
	d.failures = []connector.Failure{{Code: code, Reason: reason}}
}

// SignedIn notes that somebody signs in at this moment, where an application has seen to it: a first sign-in makes a
// verified user active. For everybody else the change is Unchanged, and nothing is written.
func (p *Provisioner) SignedIn(ctx context.Context, c Command) (*connector.Change, error) {
	return p.command(ctx, c, func(ch *connector.Change, after *connector.User, f lifecycle.Facts) error {
		move(ch, after, lifecycle.SignIn, f)
		return nil
	})
}

// SignInRefusal is why a user may not use services although its account is as it should be: one that has just been
// created may wait for approval, or its address may not be proven. Nil lets the person in.
func SignInRefusal(u *connector.User) *connector.Failure {
	switch {
	case u.PendingApproval:
		return &connector.Failure{Code: connector.CodeCreation, Reason: connector.AccountPendingApproval}
	case u.Standing() == connector.NotVerified:
		return &connector.Failure{Code: connector.CodeCreation, Reason: connector.AccountNotVerified}
	case u.State == connector.Inactive:
		return &connector.Failure{Code: connector.CodeDeactivated, Reason: connector.AccountDeactivated}
	}
	return nil
}
