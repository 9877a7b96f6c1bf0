package provision

import (
	"context"
	"errors"
	"fmt"
	"time"

	"usherd/connector"
)

const (
	// remindPause is how old the last mail about a claim has to be before the person is reminded of it.
	remindPause = time.Hour
	// remindLook is how many of the last mails to the person are looked at.
	remindLook = 20
)

var (
	errRemindedNow = errors.New("a mail about this claim was written less than an hour ago")
	errNoClaimLink = errors.New("there is no link that could be sent again")
)

// RemindClaim writes the mail about an open claim again, with the link that the person has already. It is refused within an hour of
// the last one. One that is not open any more is an error of Kind Conflict.
func (c *Claims) RemindClaim(ctx context.Context, org string, id connector.ID) (*connector.Claim, error) {
	p, err := c.org(org)
	if err != nil {
		return nil, err
	}
	var claim *connector.Claim
	err = p.o.Store.Write(ctx, func(tx connector.Tx) (err error) {
		if claim, err = tx.Claim(ctx, org, id); err != nil {
			return err
		}
		now := p.o.Now()
		refuse := func(kind connector.Kind, err error) error {
			return &connector.Error{Kind: kind, Op: "claim of " + claim.Email, Err: err}
		}
		if claim.Status != connector.ClaimOpen || !now.Before(claim.Until) {
			return refuse(connector.Conflict, fmt.Errorf("%w: it is %s", errClaimOver, claim.Status))
		}
		links, err := tx.MailLinks(ctx, org, connector.ClaimLink, id, 1)
		if err != nil {
			return err
		}
		mails, err := tx.Mails(ctx, connector.MailQuery{Org: org, To: claim.Email, Limit: remindLook})
		if err != nil {
			return err
		}
		for _, m := range mails {
			if m.About == id && now.Sub(m.At) < remindPause {
				return refuse(connector.Refused, errRemindedNow)
			}
		}
		if len(links) == 0 {
			return refuse(connector.Refused, errNoClaimLink)
		}
		if err := p.remind(ctx, tx, claim, c.nameOf(claim.From)); err != nil {
			return err
		}
		return tx.PutAudit(ctx, connector.AuditEntry{Org: org, At: now, Actor: connector.ActorOf(ctx), Action: connector.AuditClaimReminded, Target: "claim " + id.String()})
	})
	return claim, err
}
