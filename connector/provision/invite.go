package provision

import (
	"context"
	"slices"
	"time"

	"usherd/connector"
)

const (
	// InvitationLife is how long the link of an invitation works that nobody has asked for: people are away for some days.
	InvitationLife = 7 * 24 * time.Hour
	// AskedLife is how long the link works that somebody has asked for a moment ago.
	AskedLife = 24 * time.Hour
)

// inviteNew writes an invitation for whoever has become not_verified by changes, where the organization wants that: in the same
// transaction, so that nobody is forgotten, and nobody is invited who is not there.
func (p *Provisioner) inviteNew(ctx context.Context, tx connector.Tx, changes []*connector.Change, errs []error, now time.Time) error {
	if !p.o.Org.InviteNew {
		return nil
	}
	for i, ch := range changes {
		if errs[i] != nil || !newlyInvitable(ch) {
			continue
		}
		if err := p.invite(ctx, tx, ch.After, invitation{at: now, life: InvitationLife}); err != nil {
			return err
		}
	}
	return nil
}

// invitable reports whether an invitation is of use: the address is not proven, and nobody else has to say yes first.
func invitable(u *connector.User) bool {
	return u != nil && u.State == connector.NotVerified && !u.PendingApproval && u.Profile.Get(connector.Email) != ""
}

// newlyInvitable reports whether a change has made somebody so, or has given the person another address to prove.
func newlyInvitable(ch *connector.Change) bool {
	return invitable(ch.After) && slices.ContainsFunc(ch.Fields, func(f connector.FieldChange) bool {
		return f.Field == connector.FieldState || f.Field == connector.FieldPendingApproval || f.Field == connector.Email
	})
}

// invitation says when one is sent, and for how long its link works from then.
type invitation struct {
	at   time.Time
	life time.Duration
	lang string // "" = that of the user
}

// invite writes the mail and its link.
func (p *Provisioner) invite(ctx context.Context, tx connector.Tx, u *connector.User, v invitation) error {
	now, email := p.o.Now(), u.Profile.Get(connector.Email)
	link := connector.MailLink{
		ID: connector.NewID(now), Org: p.o.Org.ID, Kind: connector.ProveLink, Subject: u.ID, Email: email, Until: v.at.Add(v.life),
	}
	if err := tx.PutMailLink(ctx, link); err != nil {
		return err
	}
	if v.lang == "" {
		v.lang = languageOf(u)
	}
	return tx.PutMail(ctx, connector.Mail{
		ID: connector.NewID(now), Org: p.o.Org.ID, Kind: connector.InvitationMail, To: email, Language: v.lang, About: u.ID, Link: link.ID,
		Values: map[string]string{"Name": nameOf(u)}, At: now, Next: v.at,
	})
}

// languageOf is the language that the user's sources name, "" where they name none.
func languageOf(u *connector.User) string {
	if lang := u.Profile.Get("preferredLanguage"); lang != "" {
		return lang
	}
	return u.Profile.Get("locale")
}

// nameOf is how a mail calls a person.
func nameOf(u *connector.User) string {
	for _, name := range []string{connector.DisplayName, connector.GivenName, connector.UserName} {
		if n := u.Profile.Get(name); n != "" {
			return n
		}
	}
	return ""
}

// InviteRequest says whom to invite.
type InviteRequest struct {
	// Users are those who are meant; nil: everybody who is not_verified.
	Users []connector.ID
	// PerSecond is how many mails become due in a second; 0 = all at once.
	PerSecond float64
	// Again is how long ago somebody may have been invited last to be left out, so that a bulk of invitations that was cut
	// off goes on where it ended; 0 leaves nobody out.
	Again time.Duration
}

// Invited is what became of it.
type Invited struct {
	Invited int
	Recent  int // left out: they were invited a moment ago
	Others  int // left out: they are not not_verified, wait for approval, or have no address
}

// inviteChunk is how many invitations are written in one transaction.
const inviteChunk = 500

// Invite writes invitations into the outbox, spread over time as asked. Each is read again in the transaction that invites:
// who has become verified since is left out.
func (p *Provisioner) Invite(ctx context.Context, req InviteRequest) (Invited, error) {
	b := &inviting{p: p, req: req, due: p.o.Now()}
	if req.Users != nil {
		for ids := range slices.Chunk(req.Users, inviteChunk) {
			if err := b.chunk(ctx, ids); err != nil {
				return b.sum, err
			}
		}
		return b.sum, nil
	}
	q := connector.UserQuery{Org: p.o.Org.ID, State: connector.NotVerified, Limit: inviteChunk}
	for {
		users, next, err := p.o.Store.ListUsers(ctx, q)
		if err != nil {
			return b.sum, err
		}
		ids := make([]connector.ID, len(users))
		for i, u := range users {
			ids[i] = u.ID
		}
		if err := b.chunk(ctx, ids); err != nil || next == "" {
			return b.sum, err
		}
		q.After = next
	}
}

// inviting is one call of Invite.
type inviting struct {
	p   *Provisioner
	req InviteRequest
	due time.Time // when the next mail is sent
	sum Invited
}

func (b *inviting) chunk(ctx context.Context, ids []connector.ID) error {
	var sum Invited
	var due time.Time
	err := b.p.o.Store.Bulk(ctx, func(tx connector.Tx) error {
		sum, due = Invited{}, b.due
		users, err := tx.Users(ctx, b.p.o.Org.ID, ids)
		if err != nil {
			return err
		}
		sum.Others = len(ids) - len(users)
		for _, u := range users {
			recent, err := b.recent(ctx, tx, u)
			switch {
			case err != nil:
				return err
			case !invitable(u):
				sum.Others++
				continue
			case recent:
				sum.Recent++
				continue
			}
			if err := b.p.invite(ctx, tx, u, invitation{at: due, life: InvitationLife}); err != nil {
				return err
			}
			if sum.Invited++; b.req.PerSecond > 0 {
				due = due.Add(time.Duration(float64(time.Second) / b.req.PerSecond))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	b.due = due
	b.sum.Invited, b.sum.Recent, b.sum.Others = b.sum.Invited+sum.Invited, b.sum.Recent+sum.Recent, b.sum.Others+sum.Others
	return nil
}

// recent reports whether somebody has been invited within the time that leaves out.
func (b *inviting) recent(ctx context.Context, r connector.Reader, u *connector.User) (bool, error) {
	if b.req.Again == 0 {
		return false, nil
	}
	list, err := r.Mails(ctx, connector.MailQuery{Org: b.p.o.Org.ID, To: u.Profile.Get(connector.Email), Limit: 20})
	return slices.ContainsFunc(list, func(m connector.Mail) bool {
		return m.Kind == connector.InvitationMail && m.About == u.ID && b.p.o.Now().Sub(m.At) < b.req.Again
	}), err
}
