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
		return tx.PutGroups(ctx, []*connector.GroupChange{ch}, src.RenamesFollow, push.Cause, p.o.Now())
	})
	return ch, err
}

var errForeignGroup = errors.New("the change is not of a group")
