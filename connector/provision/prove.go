package provision

import (
	"context"
	"errors"

	"usherd/connector"
	"usherd/connector/lifecycle"
)

// Proof is what became of a link by which somebody has proven an address.
type Proof struct {
	Change *connector.Change
	User   *connector.User // as it is now
	// Refusal is why the person may not use services all the same; nil lets the person in.
	Refusal *connector.Failure
}

// ProveEmail uses the link of an invitation: whoever has it has the mail. It fails with connector.ErrLinkUnknown, ErrLinkUsed
// or ErrLinkEnded, the last one also when the user has another address by now, and uses the link up only when the proof is
// written. Who is not not_verified any more stays as it is; of somebody who is deactivated the link is not used.
func (p *Provisioner) ProveEmail(ctx context.Context, link connector.ID) (proof Proof, err error) {
	err = connector.ErrMoved
	for try := 0; try < maxTries && errors.Is(err, connector.ErrMoved); try++ {
		err = p.o.Store.Write(ctx, func(tx connector.Tx) (err error) {
			proof, err = p.proveIn(ctx, tx, link)
			return err
		})
	}
	if err != nil {
		return Proof{}, err
	}
	return proof, nil
}

func (p *Provisioner) proveIn(ctx context.Context, tx connector.Tx, link connector.ID) (Proof, error) {
	l, err := tx.MailLink(ctx, p.o.Org.ID, link)
	if err == nil && l.Kind != connector.ProveLink {
		err = connector.ErrLinkUnknown
	}
	if err == nil {
		err = l.Check(p.o.Now())
	}
	if err != nil {
		return Proof{}, err
	}
	users, err := tx.Users(ctx, p.o.Org.ID, []connector.ID{l.Subject})
	switch {
	case err != nil:
		return Proof{}, err
	case len(users) == 0 || !users[0].State.Live():
		return Proof{}, connector.ErrLinkUnknown
	case connector.Fold(users[0].Profile.Get(connector.Email)) != connector.Fold(l.Email):
		return Proof{}, connector.ErrLinkEnded
	case users[0].State == connector.Inactive:
		return Proof{User: users[0], Refusal: SignInRefusal(users[0])}, nil
	}
	if _, err := tx.UseMailLink(ctx, p.o.Org.ID, link, p.o.Now()); err != nil {
		return Proof{}, err
	}
	ch, err := p.commandIn(ctx, tx, Command{User: l.Subject, Actor: "portal"}, func(ch *connector.Change, after *connector.User, f lifecycle.Facts) error {
		move(ch, after, lifecycle.EmailProven, f)
		return nil
	})
	if err != nil {
		return Proof{}, err
	}
	proof := Proof{Change: ch, User: users[0]}
	if ch.After != nil {
		proof.User = ch.After
	}
	proof.Refusal = SignInRefusal(proof.User)
	return proof, nil
}
