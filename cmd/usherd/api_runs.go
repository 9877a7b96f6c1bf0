package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"go.uber.org/zap"

	"usherd/api"
	"usherd/connector"
	"usherd/connector/provision"
	"usherd/connector/sources"
)

// runner does for programs what takes longer than an answer, or asks a directory; what goes on ends with the daemon.
type runner struct {
	d    *daemon
	stop context.Context //nolint:containedctx // of the daemon: the work outlives the request that asks for it
	work *sync.WaitGroup
}

// Sync starts a run of a directory.
func (x *runner) Sync(ctx context.Context, org, source string, mode connector.Mode, actor string) (connector.ID, error) {
	return x.read(ctx, org, source, provision.SyncRequest{Mode: mode, Actor: actor})
}

// AcceptGroups starts a full run that changes the groups as an earlier one would have.
func (x *runner) AcceptGroups(ctx context.Context, org, source, digest, actor string) (connector.ID, error) {
	return x.read(ctx, org, source, provision.SyncRequest{Mode: connector.ModeFull, AcceptGroups: digest, Actor: actor})
}

func (x *runner) read(ctx context.Context, org, source string, req provision.SyncRequest) (connector.ID, error) {
	s := x.d.current()
	t, err := s.readable(org, source)
	if err != nil {
		return connector.ID{}, err
	}
	return x.sync(ctx, s, t, req)
}

func (x *runner) sync(ctx context.Context, s *site, t target, req provision.SyncRequest) (connector.ID, error) {
	return x.begin(ctx, func(ctx context.Context, begun func(connector.ID)) error {
		req.Begun = begun
		return x.d.syncWith(ctx, s, t, req)
	})
}

// Import starts a run of a file, which it removes when the run has ended, or cannot begin.
func (x *runner) Import(ctx context.Context, r api.ImportRequest) (connector.ID, error) {
	s := x.d.current()
	o, err := s.organization(r.Org)
	if err == nil && o.Importers[r.Source] == nil {
		err = &connector.Error{Kind: connector.Invalid, Op: "import", Err: fmt.Errorf("there is no source %q that reads files", r.Source)}
	}
	if err != nil {
		return connector.ID{}, errors.Join(err, os.Remove(r.Path))
	}
	t := target{org: o, id: r.Source, file: &keptFile{r.Name, func(context.Context) (io.ReadCloser, error) { return os.Open(r.Path) }}}
	return x.begin(ctx, func(ctx context.Context, begun func(connector.ID)) error {
		err := x.d.syncWith(ctx, s, t, provision.SyncRequest{Mode: r.Mode, Actor: r.Actor, Begun: begun})
		return errors.Join(err, os.Remove(r.Path))
	})
}

// Approve carries out what a run holds, or a part of it. Where two administrators are asked for, the first is noted only:
// the id is that of the held run, and first is true.
func (x *runner) Approve(ctx context.Context, held *connector.Run, ask connector.Part, actor string) (id connector.ID, first bool, err error) {
	s := x.d.current()
	a, err := s.approval(ctx, held, ask, actor)
	switch {
	case err != nil:
		return id, false, err
	case a.first:
		_, err = a.org.prov.ApproveFirst(ctx, held, a.part, actor)
		return held.ID, true, err
	case held.Mode == connector.ModeRollback:
		id, err = x.rollback(ctx, s, a.org, provision.RollbackRequest{Approve: held, Part: a.part, Actor: actor})
	default:
		id, err = x.sync(ctx, s, a.t, provision.SyncRequest{Mode: connector.ModeFull, Actor: actor, Approve: held, Part: a.part})
	}
	return id, false, err
}

// Rollback plans to put back what a run did, and with Apply does it.
func (x *runner) Rollback(ctx context.Context, org string, req provision.RollbackRequest) (connector.ID, error) {
	s := x.d.current()
	o, err := s.organization(org)
	if err != nil {
		return connector.ID{}, err
	}
	return x.rollback(ctx, s, o, req)
}

func (x *runner) rollback(ctx context.Context, s *site, o *org, req provision.RollbackRequest) (connector.ID, error) {
	req.Revision = s.file.Revision
	return x.begin(ctx, func(ctx context.Context, begun func(connector.ID)) error {
		begun, show, done := x.d.progress.follow(begun)
		defer done()
		req.Begun, req.Progress = begun, show
		plan, err := o.prov.Rollback(ctx, req)
		if plan != nil {
			err = errors.Join(err, plan.Close())
		}
		return err
	})
}

// Progress is how far a run of this process is.
func (x *runner) Progress(run connector.ID) (provision.Progress, bool) { return x.d.progress.get(run) }

// Person asks a directory for one person, and decides.
func (x *runner) Person(ctx context.Context, org, source string, req provision.PersonRequest) (p *provision.Person, err error) {
	s := x.d.current()
	t, err := s.readable(org, source)
	if err != nil {
		return nil, err
	}
	req.Source, req.From, req.Revision = t.id, t.src, s.file.Revision
	ask := x.d.desk.Ask
	if !req.Preview {
		ask = x.d.desk.Change
	}
	err = ask(ctx, sources.Key{Org: org, Source: source}, func(ctx context.Context) (err error) {
		p, err = t.org.prov.Person(ctx, req)
		return err
	})
	return p, err
}

// Retry asks a directory for one person again, and decides anew.
func (x *runner) Retry(ctx context.Context, org, source, key, actor string) (*provision.Person, error) {
	return x.Person(ctx, org, source, provision.PersonRequest{Key: key, Actor: actor})
}

// Sources tells how the sources of an organization are.
func (x *runner) Sources(ctx context.Context, org string) ([]connector.SourceStanding, error) {
	list, err := x.d.current().sourceList(ctx, org, x.d.app.now())
	out := make([]connector.SourceStanding, len(list))
	for i := range list {
		out[i] = list[i].SourceStanding
	}
	return out, err
}

// Check walks the way to the server of a source, and tells of each step.
func (x *runner) Check(ctx context.Context, org, source string, tell func(connector.CheckStep)) (ok bool, err error) {
	s := x.d.current()
	o, err := s.organization(org)
	if err == nil && !reachable(o.Runtime, source) {
		err = &connector.Error{Kind: connector.Invalid, Op: "check", Err: fmt.Errorf("there is no server behind a source %q", source)}
	}
	if err != nil {
		return false, err
	}
	return x.d.desk.Test(ctx, sources.Key{Org: org, Source: source}, func(ctx context.Context) (bool, error) {
		return x.d.app.checkSource(ctx, s.file, o.Runtime, source, tell)
	})
}

// Explain asks a directory for one person, and decides; nothing is changed.
func (x *runner) Explain(ctx context.Context, org, source, key string) (*provision.Person, error) {
	return x.Person(ctx, org, source, provision.PersonRequest{Key: key, Preview: true})
}

// Browse asks a directory for the entries right below one.
func (x *runner) Browse(ctx context.Context, org, source string, q connector.BrowseRequest) (page connector.BrowsePage, err error) {
	t, err := x.d.current().readable(org, source)
	if err != nil {
		return page, err
	}
	err = x.d.desk.Ask(ctx, sources.Key{Org: org, Source: source}, func(ctx context.Context) (err error) {
		page, err = t.src.Browse(ctx, q)
		return err
	})
	return page, err
}

// Clients tells how the sources of an organization are that push.
func (x *runner) Clients(ctx context.Context, org string) ([]api.Client, error) {
	s := x.d.current()
	o, err := s.organization(org)
	if err != nil {
		return nil, err
	}
	out := []api.Client{}
	for _, src := range o.Org.Sources {
		if o.Clients[src.ID] == nil {
			continue
		}
		j, err := s.clientStanding(ctx, target{org: o, id: src.ID}, x.d.app.now())
		if err != nil {
			return nil, err
		}
		out = append(out, j)
	}
	return out, nil
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
	o, err := s.organization(orgID)
	if err != nil {
		return target{}, err
	}
	t := target{org: o, id: source, src: o.sources[source]}
	if t.src == nil {
		return t, &connector.Error{Kind: connector.Invalid, Op: "runs", Err: fmt.Errorf("there is no directory %q to read", source)}
	}
	return t, nil
}
