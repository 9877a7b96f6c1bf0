package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// healthMux answers /livez, /readyz and /metrics.
func (d *daemon) healthMux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("ok\n"))
	})
	mux.HandleFunc("GET /readyz", d.readyz)
	mux.Handle("GET /metrics", promhttp.HandlerFor(d.metrics.registry, promhttp.HandlerOpts{Registry: d.metrics.registry}))
	return mux
}

// health serves healthMux.
func (d *daemon) health(ctx context.Context, ln net.Listener) error {
	server := &http.Server{
		Handler: d.healthMux(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10, BaseContext: func(net.Listener) context.Context { return ctx },
	}
	return serveUntil(ctx, server, func() error { return server.Serve(ln) }, 5*time.Second)
}

// readiness is the answer of /readyz.
type readiness struct {
	Ready   bool           `json:"ready"`
	Error   string         `json:"error,omitempty"`
	Replica replicaHealth  `json:"replica"`
	Sources []sourceHealth `json:"sources"`
}

type sourceHealth struct {
	Source  string     `json:"source"`
	Running bool       `json:"running"`
	Next    *time.Time `json:"next,omitempty"`
	Last    *time.Time `json:"last,omitempty"`
	Result  string     `json:"result,omitempty"`
	Error   string     `json:"error,omitempty"`
	Follows string     `json:"follows,omitempty"` // live, "every 2m", or pushes
	// Quarantined: it has failed several times in a row, or refuses the account; it is tried again at NextTry.
	Quarantined bool       `json:"quarantined,omitempty"`
	NextTry     *time.Time `json:"next_try,omitempty"`
}

// readyz answers 200 while the store can be read. A directory that is down does not make the daemon
// unready: it goes on by itself, and the answer says how each source is.
func (d *daemon) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	answer := readiness{Ready: true, Replica: d.replicaHealth(), Sources: d.sources(ctx)}
	code := http.StatusOK
	if err := d.storeAnswers(ctx); err != nil {
		answer.Ready, answer.Error, code = false, "the store does not answer", http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(answer)
}

func (d *daemon) storeAnswers(ctx context.Context) error {
	_, err := d.current().db.Domains(ctx, "")
	return err
}
