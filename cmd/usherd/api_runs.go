package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.uber.org/zap"

	"usherd/connector"
	"usherd/connector/provision"
)

// runner does for programs what takes longer than an answer; what goes on ends with the daemon.
type runner struct {
	d    *daemon
	stop context.Context //nolint:containedctx // of the daemon: the work outlives the request that asks for it
	work *sync.WaitGroup
}

// Sync starts a run of a directory.
func (x *runner) Sync(ctx context.Context, org, source string, mode connector.Mode, actor string) (connector.ID, error) {
	s := x.d.current()
	t, err := s.readable(org, source)
	if err != nil {
		return connector.ID{}, err
	}
	return x.begin(ctx, func(ctx context.Context, begun func(connector.ID)) error {
		return x.d.syncWith(ctx, s, t, provision.SyncRequest{Mode: mode, Actor: actor, Begun: begun})
	})
}

// Approve carries out what a run holds. Where two administrators are asked for, the first is noted only: the id is that of
// the held run, and first is true.
func (x *runner) Approve(ctx context.Context, held *connector.Run, actor string) (id connector.ID, first bool, err error) {
	s := x.d.current()
	o, err := s.org(held.Org)
	if err != nil {
		return id, false, err
	}
	if first, err = o.prov.CheckApproval(held, nil, actor); err != nil {
		return id, false, err
	}
	if first {
		_, err = o.prov.ApproveFirst(ctx, held, nil, actor)
		return held.ID, true, err
	}
	if held.Mode == connector.ModeRollback {
		id, err = x.rollback(ctx, s, o, provision.RollbackRequest{Approve: held, Actor: actor})
		return id, false, err
	}
	t, err := s.readable(held.Org, held.Source)
	if err != nil {
		return id, false, err
	}
	id, err = x.begin(ctx, func(ctx context.Context, begun func(connector.ID)) error {
		return x.d.syncWith(ctx, s, t, provision.SyncRequest{Mode: connector.ModeFull, Actor: actor, Approve: held, Begun: begun})
	})
	return id, false, err
}

// Rollback plans to put back what a run did, and with apply does it.
func (x *runner) Rollback(ctx context.Context, run *connector.Run, apply bool, actor string) (connector.ID, error) {
	s := x.d.current()
	o, err := s.org(run.Org)
	if err != nil {
		return connector.ID{}, err
	}
	return x.rollback(ctx, s, o, provision.RollbackRequest{Run: run.ID, Apply: apply, Actor: actor})
}

func (x *runner) rollback(ctx context.Context, s *site, o *org, req provision.RollbackRequest) (connector.ID, error) {
	req.Revision = s.file.Revision
	return x.begin(ctx, func(ctx context.Context, begun func(connector.ID)) error {
		req.Begun = begun
		plan, err := o.prov.Rollback(ctx, req)
		if plan != nil {
			err = errors.Join(err, plan.Close())
		}
		return err
	})
}

// begin starts work and returns the id of its run as soon as that stands in the store, or why there is none.
func (x *runner) begin(ctx context.Context, work func(ctx context.Context, begun func(connector.ID)) error) (connector.ID, error) {
	begun, ended := make(chan connector.ID, 1), make(chan error, 1)
	x.work.Go(func() {
		err := work(x.stop, func(id connector.ID) {
			select {
			case begun <- id:
			default: // it is told already
			}
		})
		if err != nil && x.stop.Err() == nil {
			x.d.log.Warn("a run that a program has asked for did not do everything", zap.Error(err))
		}
		ended <- err
	})
	select {
	case id := <-begun:
		return id, nil
	case err := <-ended:
		select {
		case id := <-begun:
			return id, nil
		default:
		}
		if err == nil {
			err = &connector.Error{Kind: connector.Conflict, Op: "runs", Err: errors.New("another run of this source goes on: try again when it has ended")}
		}
		return connector.ID{}, err
	case <-ctx.Done():
		return connector.ID{}, ctx.Err()
	}
}

// readable is a source that is read when it is asked for.
func (s *site) readable(orgID, source string) (target, error) {
	o, err := s.org(orgID)
	if err != nil {
		return target{}, err
	}
	t := target{org: o, id: source, src: o.sources[source]}
	if t.src == nil {
		return t, &connector.Error{Kind: connector.Invalid, Op: "runs", Err: fmt.Errorf("there is no directory %q to read", source)}
	}
	return t, nil
}
