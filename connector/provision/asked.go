package provision

import (
	"context"
	"slices"
	"time"

	"usherd/connector"
)

const (
	// Between two mails that were asked for by a form to one address lie a minute at least, less what passes until a form is
	// answered, and within a day there are four at most: the first, and three more.
	askedPause  = linkPause
	askedMost   = 4
	askedPeriod = 24 * time.Hour
)

// AnswerAsked turns a mail that somebody has asked for by a form (connector.AccountMail, AskedMail) into what the owner of the
// address is owed, or drops it: where nobody has the address, and where it has had enough of them.
func (p *Provisioner) AnswerAsked(ctx context.Context, m connector.Mail) error {
	if m.Kind == connector.AskedMail {
		return p.answerActivation(ctx, m)
	}
	return p.o.Store.Write(ctx, func(tx connector.Tx) error {
		users, err := tx.UsersByKey(ctx, p.o.Org.ID, []connector.UserKey{{Kind: connector.Email, Value: connector.Fold(m.To)}})
		if err != nil {
			return err
		}
		enough, err := p.enough(ctx, tx, m)
		if err != nil {
			return err
		}
		if len(users) != 1 || enough {
			_, err := tx.DropMail(ctx, m.Org, m.ID)
			return err
		}
		return p.answer(ctx, tx, m, users[0])
	})
}

func (p *Provisioner) answer(ctx context.Context, tx connector.Tx, m connector.Mail, u *connector.User) error {
	switch {
	case u.State == connector.Inactive:
		m.Kind = connector.DeactivatedMail
	case u.PendingApproval:
		m.Kind = connector.PendingMail
	case u.State == connector.NotVerified: // to the address that is to be proven, whichever of the person's was asked for
		if err := p.invite(ctx, tx, u, invitation{at: p.o.Now(), life: AskedLife, lang: m.Language}); err != nil {
			return err
		}
		_, err := tx.DropMail(ctx, m.Org, m.ID)
		return err
	default:
		m.Kind = connector.ReadyMail
	}
	m.State, m.Next = connector.MailWaiting, p.o.Now()
	m.About, m.Values = u.ID, map[string]string{"Name": nameOf(u)}
	_, err := tx.SetMail(ctx, m)
	return err
}

// accountMails are those that tell somebody how an account is.
var accountMails = []connector.MailKind{connector.InvitationMail, connector.DeactivatedMail, connector.ReadyMail, connector.PendingMail}

// enough reports whether an address has been written to for its account so lately, or so often, that it has to wait.
func (p *Provisioner) enough(ctx context.Context, r connector.Reader, m connector.Mail) (bool, error) {
	now, n := p.o.Now(), 0
	list, err := r.Mails(ctx, connector.MailQuery{Org: m.Org, To: m.To, Limit: 50})
	for _, x := range list {
		if !slices.Contains(accountMails, x.Kind) { // asked for and not answered yet, or about something else
			continue
		}
		if since := now.Sub(x.At); since < askedPause {
			return true, err
		} else if since < askedPeriod {
			n++
		}
	}
	return n >= askedMost, err
}
