package provision

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"time"

	"usherd/connector"
	"usherd/connector/policy"
)

// nameOf is how people know an organization: its name, or its id where it is not configured any more.
func (c *Claims) nameOf(org string) string {
	if p := c.orgs[org]; p != nil {
		return cmp.Or(p.o.Org.Name, org)
	}
	return org
}

// claimMail is a mail about a claim to the claimed address.
func (p *Provisioner) claimMail(c *connector.Claim, kind connector.MailKind, old string, link connector.ID) connector.Mail {
	now, u := p.o.Now(), &connector.User{Profile: c.Data}
	return connector.Mail{
		ID: connector.NewID(now), Org: c.Org, Kind: kind, To: c.Email, Language: languageOf(u), About: c.ID, Link: link, At: now,
		Values: map[string]string{"Name": nameOf(u), "old": old, "until": c.Until.UTC().Format(time.DateOnly), "days": strconv.Itoa(c.DaysLeft(now))},
	}
}

// announce writes the mail with the link by which the person decides.
func (p *Provisioner) announce(ctx context.Context, tx connector.Tx, c *connector.Claim, old string) error {
	link := connector.MailLink{ID: connector.NewID(p.o.Now()), Org: c.Org, Kind: connector.ClaimLink, Subject: c.ID, Email: c.Email, Until: c.Until}
	if err := tx.PutMailLink(ctx, link); err != nil {
		return err
	}
	return tx.PutMail(ctx, p.claimMail(c, connector.ClaimMail, cmp.Or(old, c.From), link.ID))
}

// remind writes it again, with the same link.
func (p *Provisioner) remind(ctx context.Context, tx connector.Tx, c *connector.Claim, old string) error {
	links, err := tx.MailLinks(ctx, c.Org, connector.ClaimLink, c.ID, 1)
	if err != nil || len(links) == 0 {
		return err
	}
	return tx.PutMail(ctx, p.claimMail(c, connector.ClaimReminderMail, old, links[0].ID))
}

// conclude tells the person what became of the old account, at the address that the new one has now.
func (p *Provisioner) conclude(ctx context.Context, tx connector.Tx, c *connector.Claim, old string, u *connector.User) error {
	m := p.claimMail(c, connector.ClaimDoneMail, old, connector.ID{})
	m.To, m.Language, m.Values["Name"] = cmp.Or(u.Profile.Get(connector.Email), c.Email), languageOf(u), nameOf(u)
	m.Values["choice"], m.Values["kept"] = string(c.Choice), c.KeptEmail
	return tx.PutMail(ctx, m)
}

const (
	// keepTime is how long the link to another address is good for.
	keepTime = 24 * time.Hour
	// keepPause is how long after one mail to another address the next one is sent, and keepMax how many there are.
	keepPause = time.Minute
	keepMax   = 5
)

var (
	errSameAddress = errors.New("this is the address that was claimed: the old account needs another one")
	errTooManyAsks = errors.New("a mail to prove an address was sent a moment ago, or five of them")
)

// AskToKeep sends a mail to the address under which the person wants to keep the old account: only with its link is the
// account kept. Whether the old organization takes the address is not said before that, so that nobody learns whose it is.
func (c *Claims) AskToKeep(ctx context.Context, org string, id connector.ID, email string) error {
	p, err := c.org(org)
	if err != nil {
		return err
	}
	refuse := func(kind connector.Kind, err error) error {
		return &connector.Error{Kind: kind, Op: "claims", Err: err}
	}
	if err := policy.CheckAddress(email); err != nil {
		return refuse(connector.Invalid, err)
	}
	return p.o.Store.Write(ctx, func(tx connector.Tx) error {
		claim, err := tx.Claim(ctx, org, id)
		now := p.o.Now()
		switch {
		case err != nil:
			return err
		case claim.Status != connector.ClaimOpen || !now.Before(claim.Until):
			return refuse(connector.Conflict, errClaimOver)
		case connector.Fold(email) == connector.Fold(claim.Email):
			return refuse(connector.Invalid, errSameAddress)
		}
		sent, err := tx.MailLinks(ctx, org, connector.ClaimKeepLink, id, keepMax)
		if err != nil {
			return err
		}
		if len(sent) == keepMax || len(sent) > 0 && now.Before(sent[0].Until.Add(keepPause-keepTime)) {
			return refuse(connector.Refused, errTooManyAsks)
		}
		link := connector.MailLink{ID: connector.NewID(now), Org: org, Kind: connector.ClaimKeepLink, Subject: id, Email: email, Until: now.Add(keepTime)}
		if err := tx.PutMailLink(ctx, link); err != nil {
			return err
		}
		m := p.claimMail(claim, connector.ClaimKeepMail, c.nameOf(claim.From), link.ID)
		m.To, m.Values["email"] = email, claim.Email
		return tx.PutMail(ctx, m)
	})
}
