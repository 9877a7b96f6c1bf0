package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"usherd/connector"
)

// asked is a request and the status that it has to be answered with.
type asked struct {
	method, path, body string
	status             int
}

// asker makes the next request of a client.
type asker func(w *worker) asked

// target is a server that requests go to.
type target struct {
	url string // below which paths are
	cmd *exec.Cmd
}

// loaded is what some clients got in a while.
type loaded struct {
	took, cpu time.Duration   // cpu is that of the server
	answers   []time.Duration // how long each took
}

func (l *loaded) perSecond() float64 { return float64(len(l.answers)) / l.took.Seconds() }

// cpuEach is the CPU time of the server for a request, in microseconds.
func (l *loaded) cpuEach() float64 { return l.cpu.Seconds() * 1e6 / float64(len(l.answers)) }

func (l *loaded) percentile(p int) time.Duration {
	slices.Sort(l.answers)
	return l.answers[min(len(l.answers)*p/100, len(l.answers)-1)]
}

// load has all clients send requests one after the other for a while. An answer of another status ends it.
func (d *door) load(ctx context.Context, length time.Duration, to target, ask asker) (*loaded, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	all, errs := make([][]time.Duration, scimClients), make([]error, scimClients)
	began, cpu := d.b.o.now(), cpuOf(to.cmd.Process.Pid)
	var wg sync.WaitGroup
	for n := range scimClients {
		wg.Go(func() {
			w := d.newWorker(n)
			for at := began; at.Sub(began) < length; {
				if errs[n] = d.answer(ctx, w, to.url, ask(w)); errs[n] != nil {
					cancel()
					return
				}
				now := d.b.o.now()
				all[n] = append(all[n], now.Sub(at))
				at = now
			}
		})
	}
	wg.Wait()
	l := &loaded{took: d.b.o.now().Sub(began), cpu: cpuOf(to.cmd.Process.Pid) - cpu, answers: slices.Concat(all...)}
	if err := first(errs); err != nil {
		return nil, err
	}
	if len(l.answers) == 0 {
		return nil, errors.New("nothing was answered")
	}
	return l, nil
}

// first is the error that is not only that of another client.
func first(errs []error) error {
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
	}
	return errors.Join(errs...)
}

// answer sends a request and reads all of its answer.
func (d *door) answer(ctx context.Context, w *worker, base string, a asked) error {
	body, err := d.ask(ctx, d.clients[w.number], base, a)
	_, cursor, _ := bytes.Cut(body, []byte(`"nextCursor":"`))
	cursor, _, _ = bytes.Cut(cursor, []byte(`"`))
	w.cursor = string(cursor)
	return err
}

func (d *door) ask(ctx context.Context, c *http.Client, base string, a asked) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, a.method, base+a.path, strings.NewReader(a.body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+d.token)
	if a.body != "" {
		req.Header.Set("Content-Type", "application/scim+json")
	}
	res, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != a.status {
		err = fmt.Errorf("%s %s: %s, not %d: %.500s", a.method, a.path, res.Status, a.status, body)
	}
	return body, err
}

// worker is one client.
type worker struct {
	number   int
	rand     *rand.Rand
	turn     bool
	somebody connector.ID
	cursor   string // of the page that follows
}

func (d *door) newWorker(number int) *worker {
	return &worker{number: number, rand: rand.New(rand.NewPCG(d.seed.Add(1), 0))} //nolint:gosec // whom it asks for
}
