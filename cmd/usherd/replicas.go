package main

import (
	"context"
	"strings"
	"time"

	"go.uber.org/zap"

	"usherd/connector"
	"usherd/scim"
	"usherd/scim/auth"
)

const (
	// presence begins the names of the leases by which replicas say that they are there. A colon is before a semicolon,
	// see DropLeases.
	presence    = "replica:"
	presenceTTL = 15 * time.Second
	// presenceLook is how often a replica says so, and looks who else is there.
	presenceLook = presenceTTL / 5
	// replicaRefresh is how often a replica finds out what others have done: counts for its metrics, dialects of clients.
	replicaRefresh = time.Minute
)

// attend tells the other replicas that this one is there, and with which configuration, and finds out how many there
// are. What clients may do is shared out among them. Where there is one only, it has nothing to do.
func (d *daemon) attend(ctx context.Context) error {
	if !d.lead.shared {
		return nil
	}
	a := &attendance{d: d}
	defer a.leave(ctx)
	look := time.NewTicker(presenceLook)
	defer look.Stop()
	refresh := time.NewTicker(replicaRefresh)
	defer refresh.Stop()
	for {
		if err := a.look(ctx); err != nil && ctx.Err() == nil {
			d.log.Warn("which replicas there are is not known", zap.Error(err), zap.String("what_to_do", connector.HintOf(err)))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		case <-refresh.C:
			if err := d.refresh(ctx); err != nil && ctx.Err() == nil {
				d.log.Warn("metrics", zap.Error(err))
			}
		}
	}
}

// attendance is one replica among those of a store.
type attendance struct {
	d      *daemon
	said   string // what this replica has said of itself
	others int
	warned string // the leader's revision that was told to be another one
}

// name is that of the lease by which a replica is known to be there.
func (a *attendance) name() string { return presence + a.d.lead.replica }

// look renews what this replica says of itself, and reads what the others say.
func (a *attendance) look(ctx context.Context) error {
	db, s := a.d.current().db, a.d.current()
	say := a.d.lead.replica + " " + version + " " + s.file.Revision
	if a.said != "" && a.said != say { // a lease has one holder until it is given back
		if err := db.Release(ctx, a.name(), a.said); err != nil {
			return err
		}
	}
	if _, err := db.Lease(ctx, a.name(), say, presenceTTL); err != nil {
		return err
	}
	a.said = say
	there, err := db.Leases(ctx, presence)
	if err != nil {
		return err
	}
	a.share(len(there))
	leader, err := leaderOf(ctx, db)
	if err == nil {
		a.compare(ctx, s.file.Revision, revisionOf(there[presence+leader]))
	}
	return err
}

// share lets this replica's clients, and the addresses that people come from, do their part of what they may.
func (a *attendance) share(replicas int) {
	d := a.d
	d.metrics.lead.replicas.Set(float64(replicas))
	if d.door != nil {
		d.door.gate.Share(replicas)
	}
	if d.signOn != nil {
		d.signOn.gate.Share(replicas)
		d.signOn.server.Share(replicas)
	}
	if d.api != nil {
		d.api.gate.Share(replicas)
	}
	if d.portal != nil {
		d.portal.server.Share(replicas)
	}
	if d.console != nil {
		d.console.server.Share(replicas)
	}
	if a.others != replicas-1 {
		a.others = replicas - 1
		d.log.Info("replicas", zap.Int("serving", replicas))
	}
	d.mu.Lock()
	d.lead.replicas = replicas
	d.mu.Unlock()
}

// revisionOf is the last word of what a replica says of itself.
func revisionOf(said string) string { return said[strings.LastIndexByte(said, ' ')+1:] }

// compare looks whether the leader has another configuration. Where the file here is that one by now, it is read; a
// replica goes on with what it has else, and says so.
func (a *attendance) compare(ctx context.Context, own, leaders string) {
	d := a.d
	differs := leaders != "" && leaders != own
	d.mu.Lock()
	d.lead.revision = leaders
	d.mu.Unlock()
	if differs && leaders != a.warned {
		if file, err := d.app.load(); err == nil && file.Revision == leaders && d.reloadTold(ctx) {
			differs = false
		} else {
			a.warned = leaders
			d.log.Warn("this replica has another configuration than the one that leads", zap.String("revision", own), zap.String("leader_revision", leaders),
				zap.String("what_to_do", "give all replicas the same file, then usherd reload"))
		}
	}
	if !differs {
		a.warned = ""
	}
	d.metrics.lead.differs.Set(map[bool]float64{true: 1}[differs])
}

// leave lets the others know at once.
func (a *attendance) leave(ctx context.Context) {
	free, stop := context.WithTimeout(context.WithoutCancel(ctx), presenceTTL/3)
	defer stop()
	_ = a.d.current().db.Release(free, a.name(), a.said) // else it runs out by itself
}

// refresh finds out what other replicas have done.
func (d *daemon) refresh(ctx context.Context) error {
	s := d.current()
	if err := d.door.learn(ctx, s); err != nil || d.term() != nil {
		return err
	}
	if err := d.recallAll(ctx, s); err != nil {
		return err
	}
	return d.metrics.refresh(ctx, s)
}

// learn takes over which dialects other replicas have recognised clients to speak.
func (x *door) learn(ctx context.Context, s *site) error {
	if x == nil {
		return nil
	}
	for _, o := range s.orgs {
		for id, c := range o.Clients {
			if c.Profile != scim.Auto {
				continue
			}
			known, err := s.db.ClientProfile(ctx, o.Org.ID, id)
			if err != nil {
				return err
			}
			x.server.Know(auth.Source{Org: o.Org.ID, ID: id}, known.Profile)
		}
	}
	return nil
}

// recallAll remembers how all sources are.
func (d *daemon) recallAll(ctx context.Context, s *site) error {
	for _, o := range s.orgs {
		for id, src := range o.sources {
			if _, err := d.recall(ctx, s, target{org: o, id: id, src: src}); err != nil {
				return err
			}
		}
	}
	return nil
}

// replicaHealth says of a replica who it is, and who leads.
type replicaHealth struct {
	Name     string `json:"name"`
	Leads    bool   `json:"leads"`
	Leader   string `json:"leader,omitempty"`
	Token    int64  `json:"token,omitempty"` // of the term, where it leads
	Replicas int    `json:"replicas"`        // that serve, as far as this one knows
	Revision string `json:"revision"`
	// LeaderRevision is that of the configuration in force, where it is known and another one.
	LeaderRevision string `json:"leader_revision,omitempty"`
}

func (d *daemon) replicaHealth() replicaHealth {
	own := d.current().file.Revision
	d.mu.Lock()
	defer d.mu.Unlock()
	h := replicaHealth{Name: d.lead.replica, Leader: d.lead.leader, Replicas: max(d.lead.replicas, 1), Revision: own}
	if t := d.lead.term; t != nil {
		h.Leads, h.Token = true, t.lease.Turn()
	}
	if d.lead.revision != own {
		h.LeaderRevision = d.lead.revision
	}
	return h
}
