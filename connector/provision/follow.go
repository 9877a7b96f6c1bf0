package provision

import (
	"context"
	"time"

	"usherd/connector"
)

// write saves changes and, in the same transaction, invites whoever has become not_verified, where the organization wants
// that, and tells the subscribers of templates what that means for them: whichever door changes an account, its
// subscriber follows. Nobody else calls Tx.Save.
func (p *Provisioner) write(ctx context.Context, tx connector.Tx, changes []*connector.Change, cause connector.Cause, now time.Time) ([]error, error) {
	errs, err := tx.Save(ctx, changes, cause, now)
	if err == nil {
		err = p.inviteNew(ctx, tx, changes, errs, now)
	}
	if err != nil || len(p.o.Org.Templates) == 0 {
		return errs, err
	}
	f := follower{p: p, ctx: ctx, tx: tx, cause: cause, now: now, told: map[connector.ID]bool{}}
	for i, ch := range changes {
		if errs[i] == nil && p.o.Org.Template(ch.Source) != nil && !ch.Anchor.IsZero() {
			if err := f.own(ch); err != nil {
				return errs, err
			}
		}
	}
	return errs, f.others(changes, errs)
}

// follower writes subscribers whose accounts have changed.
type follower struct {
	p     *Provisioner
	ctx   context.Context //nolint:containedctx // lives as long as one call of write
	tx    connector.Tx
	cause connector.Cause
	now   time.Time
	told  map[connector.ID]bool // subscribers that know already
}

// own is about a change that a template itself has brought.
func (f *follower) own(ch *connector.Change) error {
	list, err := f.tx.SubscribersNamed(f.ctx, ch.Org, ch.Source, []string{ch.Anchor.Raw})
	if err != nil || len(list) == 0 { // it was deleted
		return err
	}
	s := list[0]
	before := *s
	f.told[s.ID] = true
	s.Tries++
	step := connector.StepProvisioned
	if ch.Action == connector.Failed {
		failure := ch.Failures[0]
		s.Status, s.Failure, step = connector.SubscriberError, &failure, connector.StepRefused
		if failure.Reason == connector.NoSeat && !s.User.IsZero() {
			s.Status = connector.Updating
		}
		return f.put(&before, s, step)
	}
	u, err := f.account(ch)
	if err != nil || u == nil {
		return err
	}
	f.stand(s, u)
	return f.put(&before, s, step)
}

// account is the user that a change of a template is about.
func (f *follower) account(ch *connector.Change) (*connector.User, error) {
	if ch.After != nil {
		return ch.After, nil
	}
	var id connector.ID
	if ch.Link != nil {
		id = ch.Link.User
	} else {
		links, err := f.tx.Links(f.ctx, ch.Org, ch.Source, []connector.Anchor{ch.Anchor})
		if err != nil || len(links) == 0 {
			return nil, err
		}
		id = links[0].User
	}
	users, err := f.tx.Users(f.ctx, ch.Org, []connector.ID{id})
	if err != nil || len(users) == 0 {
		return nil, err
	}
	return users[0], nil
}

// others is about changes of accounts by whatever door.
func (f *follower) others(changes []*connector.Change, errs []error) error {
	became, ids := map[connector.ID]*connector.User{}, []connector.ID(nil)
	for i, ch := range changes {
		if errs[i] == nil && ch.After != nil && ch.Action != connector.Failed {
			became[ch.After.ID] = ch.After
			ids = append(ids, ch.After.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	list, err := f.tx.SubscribersOfUsers(f.ctx, f.p.o.Org.ID, ids)
	if err != nil {
		return err
	}
	for _, s := range list {
		if f.told[s.ID] {
			continue
		}
		before, was := *s, s.Failure
		if f.stand(s, became[s.User]); s.Failure == nil && was != nil && !ofAccount(was.Reason) {
			continue // its own failure lasts
		}
		if s.Status == before.Status && reasonOf(s) == reasonOf(&before) {
			continue
		}
		if err := f.put(&before, s, connector.StepAccount); err != nil {
			return err
		}
	}
	return nil
}

// stand is what an account means for its subscriber.
func (f *follower) stand(s *connector.Subscriber, u *connector.User) {
	s.User, s.Status, s.Failure = u.ID, connector.Provisioned, nil
	refusal := connector.Failure{Code: connector.CodeCreation}
	switch {
	case !u.State.Live():
		s.User, s.Status = connector.ID{}, connector.SubscriberError
		refusal.Code, refusal.Reason = connector.CodeNoAccount, connector.NoAccount
	case u.State == connector.Inactive:
		s.Status, refusal.Reason = connector.SubscriberError, connector.AccountInactive
	case u.PendingApproval:
		s.Status, refusal.Reason = connector.Provisioning, connector.AccountPendingApproval
	case u.State == connector.NotVerified:
		s.Status, refusal.Reason = connector.Provisioning, connector.AccountNotVerified
	default:
		return
	}
	refusal.UserID = s.User
	complete(&refusal, &connector.Change{Org: s.Org, Source: s.Template, Anchor: s.Anchor(), Subject: u.Profile.Subject()}, f.now)
	s.Failure = &refusal
}

// ofAccount reports whether a failure says how the account stands, and not why the last attempt has failed.
func ofAccount(r connector.Reason) bool {
	switch r { //nolint:exhaustive // all others are about attempts
	case connector.NoAccount, connector.AccountInactive, connector.AccountPendingApproval, connector.AccountNotVerified:
		return true
	}
	return false
}

func reasonOf(s *connector.Subscriber) connector.Reason {
	if s.Failure == nil {
		return ""
	}
	return s.Failure.Reason
}

// put stores a subscriber with what has happened. What a waiting list or a look at old failures finds out again is no
// news; whom it has given an account is told by mail.
func (f *follower) put(before, s *connector.Subscriber, step connector.SubscriberStep) error {
	s.UpdatedAt = f.now
	alone := byItself(f.cause)
	if alone && s.Status == before.Status && reasonOf(s) == reasonOf(before) {
		return f.tx.PutSubscriber(f.ctx, s)
	}
	if alone && s.Status == connector.Provisioned && s.Email != "" {
		if err := f.tx.PutMail(f.ctx, connector.Mail{
			ID: connector.NewID(f.now), Org: s.Org, Kind: connector.ReadyMail, To: s.Email, Language: s.Language, About: s.User,
			State: connector.MailWaiting, At: f.now, Next: f.now,
		}); err != nil {
			return err
		}
	}
	return f.tx.PutSubscriber(f.ctx, s, subscriberEvent(s, step, f.cause.Actor, f.now))
}

// subscriberEvent is a line of a subscriber's history.
func subscriberEvent(s *connector.Subscriber, step connector.SubscriberStep, actor string, now time.Time) connector.SubscriberEvent {
	e := connector.SubscriberEvent{ID: connector.NewID(now), At: now, What: step, Actor: actor, Status: s.Status, Email: s.Email}
	if f := s.Failure; f != nil && (step == connector.StepRefused || ofAccount(f.Reason)) {
		e.Code, e.Reason, e.Detail, e.Ref = f.Code, f.Reason, f.Detail, f.Ref
	}
	return e
}

// retries is the cause of attempts that nobody has asked for.
var retries = connector.Cause{Kind: connector.CauseRequest, Actor: "retry"}

// byItself reports whether nobody waits for the outcome.
func byItself(c connector.Cause) bool { return c == waitingList || c == retries }
