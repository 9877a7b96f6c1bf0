package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const replicaConfiguration = `listen: %q
store: %q
organizations:
  - id: ` + benchOrg + `
    partner_id: bench
    packages: [{id: standard, seats: unlimited}]
    package: standard
    sources: [{id: ` + pushedBy + `, scim: {}}]
scim: {listen: "127.0.0.1:0", url: "http://127.0.0.1"}
`

const (
	failoverLimit = 2 * time.Minute
	failoverTick  = 20 * time.Millisecond
	failoverGoal  = 30 // seconds: two times the life of the lead
)

// failover measures how long nobody leads when the replica that leads is not heard of any more. It is frozen: one that
// is seen to have died on the same machine is followed at once.
func (b *bench) failover(ctx context.Context, url string) (err error) {
	one, err := b.replica(ctx, "replica1", url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, one.kill()) }()
	if err := b.leads(ctx, one.listen); err != nil {
		return err
	}
	two, err := b.replica(ctx, "replica2", url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, two.stop()) }()
	began := b.o.now()
	if err := freeze(one.cmd.Process); err != nil {
		return err
	}
	if err := b.leads(ctx, two.listen); err != nil {
		return err
	}
	b.add(figure{name: "replicas.failover_s", unit: "s", goal: failoverGoal}, b.o.now().Sub(began).Seconds())
	return nil
}

// replica is a daemon that shares its store.
type replica struct {
	*daemon
	listen string
}

func (b *bench) replica(ctx context.Context, name, url string) (*replica, error) {
	dir := filepath.Join(b.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &site{config: filepath.Join(dir, "usherd.yaml")}
	var err error
	if s.listen, err = freeAddress(ctx); err != nil {
		return nil, err
	}
	if err := os.WriteFile(s.config, fmt.Appendf(nil, replicaConfiguration, s.listen, url), 0o600); err != nil {
		return nil, err
	}
	d, err := b.serve(ctx, s)
	return &replica{d, s.listen}, err
}

// kill ends it, also while it is frozen.
func (r *replica) kill() error {
	err := r.cmd.Process.Kill()
	<-r.ended //nolint:errcheck // it was killed
	return err
}

// leads waits until the daemon that listens there leads.
func (b *bench) leads(ctx context.Context, address string) error {
	for began := b.o.now(); b.o.now().Sub(began) < failoverLimit; time.Sleep(failoverTick) {
		text, err := metrics(ctx, address)
		if err != nil {
			return err
		}
		if strings.Contains(text, "\nusherd_leader 1\n") {
			return nil
		}
	}
	return fmt.Errorf("nobody has led after %v", failoverLimit)
}

func metrics(ctx context.Context, address string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(res.Body)
	return string(text), err
}
