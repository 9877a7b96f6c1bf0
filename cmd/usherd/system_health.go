package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"usherd/connector"
	"usherd/connector/system"
)

// Health is how the daemon and its jobs are, as far as it is of all or of that organization.
func (p *daemonSystem) Health(ctx context.Context, org string) system.Health {
	d, s := p.d, p.d.current()
	is := d.replicaHealth()
	h := system.Health{
		Replica: is.Name, Replicas: is.Replicas, LeaderRevision: is.LeaderRevision, Since: p.since, Go: runtime.Version(),
		LogLevel: cmp.Or(s.file.Config.Log.Level, "info"), Store: "postgres",
	}
	if strings.HasPrefix(s.file.Config.Store, "sqlite:") {
		h.Store = "sqlite"
	}
	h.Checks = append(h.Checks, p.checkStore(ctx), p.checkFile(), checkLead(is))
	for _, x := range d.sources(ctx) {
		if name, ok := strings.CutPrefix(x.Source, org+"/"); ok {
			h.Checks = append(h.Checks, checkOfSource(name, x))
		}
	}
	if t := d.term(); t != nil {
		for _, j := range t.runner.Status() {
			of, source, ofSource := strings.Cut(j.Name, "/")
			switch job := (system.Job{Last: j.Last, Next: j.Next, Running: j.Running, Waiting: j.Waiting}); {
			case !ofSource:
				job.Name = j.Name
				h.Jobs = append(h.Jobs, job)
			case of == org:
				job.Source = source
				h.Jobs = append(h.Jobs, job)
			}
		}
	}
	return h
}

func (p *daemonSystem) checkStore(ctx context.Context) system.Check {
	began := time.Now()
	err := p.d.storeAnswers(ctx)
	c := system.Check{Name: "store", OK: err == nil, Took: time.Since(began)}
	if err != nil {
		c.Detail, c.Hint = err.Error(), connector.HintOf(err)
	}
	return c
}

func (p *daemonSystem) checkFile() system.Check {
	disk := p.disk.look(p.d.app, p.d.current().file)
	c := system.Check{Name: "configuration", OK: !disk.Bad(), Detail: disk.Error}
	if n := len(disk.Faults); n > 0 {
		c.Detail, c.Hint = plural(n, "fault"), "usherd check -c "+disk.Path
	}
	return c
}

// checkLead reports whether somebody reads the sources.
func checkLead(is replicaHealth) system.Check {
	c := system.Check{Name: "lead", OK: is.Leads || is.Leader != ""}
	switch {
	case !c.OK:
		c.Detail = "no replica leads"
	case !is.Leads:
		c.Detail = is.Leader
	}
	return c
}

func checkOfSource(name string, x sourceHealth) system.Check {
	c := system.Check{Name: name, Source: true, OK: x.Error == "" && !x.Quarantined, Detail: x.Error}
	if x.Quarantined && x.NextTry != nil {
		c.Hint = "usherd sync --source " + name
	}
	return c
}

// Metrics writes all metrics of the daemon, in the form of Prometheus.
func (p *daemonSystem) Metrics(w io.Writer) error {
	registry := p.d.metrics.registry
	r, err := http.NewRequest(http.MethodGet, "/metrics", http.NoBody) //nolint:noctx // it is answered here
	if err != nil {
		return err
	}
	a := &kept{header: http.Header{}}
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry}).ServeHTTP(a, r)
	if a.status != 0 && a.status != http.StatusOK {
		return fmt.Errorf("metrics: %s", a.body.String())
	}
	_, err = a.body.WriteTo(w)
	return err
}

// kept is an answer that goes nowhere.
type kept struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (k *kept) Header() http.Header { return k.header }

func (k *kept) WriteHeader(status int) { k.status = status }

func (k *kept) Write(b []byte) (int, error) { return k.body.Write(b) }
