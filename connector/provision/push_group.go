package provision

import (
	"context"
	"errors"
	"fmt"

	"usherd/connector"
)

// GroupPush is one change of a group by a client that pushes.
type GroupPush struct {
	Source string
	// Change makes the change of what stands in the transaction in which it is written, nil where nothing is
	// another thing. Its error refuses the push; it may be called again.
	Change func(ctx context.Context, r connector.Reader) (*connector.GroupChange, error)
	Cause  connector.Cause
}

// PushGroup writes one change of a group now, durable when it returns. Adding or removing one member costs a
// handful of rows, however many there are.
func (p *Provisioner) PushGroup(ctx context.Context, push GroupPush) (*connector.GroupChange, error) {
	src, _, err := p.source(push.Source)
	if err != nil {
		return nil, err
	}
	var ch *connector.GroupChange
	err = p.o.Store.Write(ctx, func(tx connector.Tx) error {
		var err error
		if ch, err = push.Change(ctx, tx); err != nil || ch == nil {
			return err
		}
		if g := ch.Group(); g == nil || g.Org != p.o.Org.ID || g.Source != push.Source {
			return &connector.Error{Kind: connector.Invalid, Op: "provision", Err: fmt.Errorf("%w of source %s", errForeignGroup, push.Source)}
		}
		if ch.Action == connector.Removed {
			if err := p.leave(ctx, tx, push.Source, ch.Before.ID, push.Cause); err != nil {
				return err
			}
		}
		return tx.PutGroups(ctx, []*connector.GroupChange{ch}, src.RenamesFollow, push.Cause, p.o.Now())
	})
	return ch, err
}

var errForeignGroup = errors.New("the change is not of a group")

// leave takes a user or group that a client deletes out of the client's groups. These are then what it sees of them,
// and who comes back under the same id is in none that it was not added to again.
func (p *Provisioner) leave(ctx context.Context, tx connector.Tx, source string, who connector.ID, cause connector.Cause) error {
	var changes []*connector.GroupChange
	q := connector.ResourceQuery{
		Org: p.o.Org.ID, Client: source, Where: &connector.Condition{Op: connector.OpEq, Field: connector.OnMember, Value: who.String()},
	}
	for more := true; more; more = q.After != "" {
		page, err := tx.ClientGroups(ctx, q)
		if err != nil {
			return err
		}
		for i := range page.Items {
			g := &page.Items[i].Group
			changes = append(changes, &connector.GroupChange{
				Action: connector.Updated, Before: g, After: g, Removed: []connector.Member{{Key: connector.Hash(who), DN: who.String()}},
			})
		}
		q.After = page.Next
	}
	if len(changes) == 0 {
		return nil
	}
	return tx.PutGroups(ctx, changes, false, cause, p.o.Now())
}
