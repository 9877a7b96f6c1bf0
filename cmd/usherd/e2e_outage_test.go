package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usherd/connector/store"
	"usherd/internal/testpg"
)

// pushing is eight clients that make users at the doors of several replicas, one after the other, and come again when
// they are told to.
type pushing struct {
	t        *testing.T
	token    string
	doors    []string
	stop     chan struct{}
	all      sync.WaitGroup
	next     atomic.Int64
	mu       sync.Mutex
	made     []string // acknowledged
	told     int      // to come again
	outage   time.Duration
	last     time.Time
	unlawful []string // other answers
}

func (p *pushing) begin() {
	p.stop, p.last = make(chan struct{}), time.Now()
	for i := range 8 {
		p.all.Go(func() {
			for {
				name := fmt.Sprintf("user%d@acme.test", p.next.Add(1))
				for try := i; !p.push(p.doors[try%len(p.doors)], name); try++ {
					select {
					case <-p.stop:
						return
					case <-time.After(100 * time.Millisecond): // sooner than Retry-After says, so that the test is short
					}
				}
				select {
				case <-p.stop:
					return
				default:
				}
			}
		})
	}
	p.t.Cleanup(p.end)
}

func (p *pushing) end() {
	select {
	case <-p.stop:
	default:
		close(p.stop)
	}
	p.all.Wait()
}

// push makes a user and reports whether it is there.
func (p *pushing) push(door, name string) bool {
	body := fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":%q,"name":{"givenName":"U","familyName":"Ser"},
"emails":[{"value":%q,"primary":true}],"active":true}`, name, name)
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, "http://"+door+"/scim/acme/v2/Users", strings.NewReader(body))
	if err != nil {
		p.t.Error(err)
		return true
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	req.Header.Set("Content-Type", "application/scim+json")
	resp, err := http.DefaultClient.Do(req)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.unlawful = append(p.unlawful, err.Error())
		return true
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusCreated, resp.StatusCode == http.StatusConflict: // the answer before was 503, and it was written
		now := time.Now()
		p.outage, p.last = max(p.outage, now.Sub(p.last)), now
		p.made = append(p.made, name)
		return true
	case resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != "":
		p.told++
		return false
	}
	p.unlawful = append(p.unlawful, resp.Status)
	return true
}

// counts returns how many users were made, and how often somebody was told to come again.
func (p *pushing) counts() (made, told int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.made), p.told
}

// longest is the longest time in which nothing was acknowledged.
func (p *pushing) longest() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.outage
}

func (p *pushing) more(r *rig, n int) {
	r.t.Helper()
	from, _ := p.counts()
	r.until("users are made", func() bool { now, _ := p.counts(); return now >= from+n })
}

// Two replicas while their database fails over, and while it is away for longer than they wait: clients are told to come
// again, replicas say that they are not ready, nothing that was acknowledged is lost, and nobody has to do anything.
func TestReplicasOutliveTheirDatabase(t *testing.T) {
	t.Parallel()
	primary := testpg.Start(t, testpg.Options{TCP: true})
	u, err := url.Parse(primary.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	standby := primary.Standby(t, testpg.StandbyOptions{Synchronous: true})
	hosts := testpg.URLOf(strings.TrimPrefix(u.Path, "/"), primary, standby)
	r := newRig(t, `listen: 127.0.0.1:0
store: "`+hosts+`"
scim: {listen: "127.0.0.1:0", url: "https://scim.test"}
organizations:
- {id: acme, partner_id: P-1, packages: [{id: standard, seats: unlimited}], package: standard, sources: [{id: idp, scim: {rate: 1000, concurrency: 32}}]}
`)
	p := &pushing{t: t}
	p.token = decode[newTokenJSON](r, exitOK, "token", "create", "-o", "json").Token
	replicas := []*started{r.serve(), r.serve()}
	for _, d := range replicas {
		p.doors = append(p.doors, d.log.find(t, "scim listens")["listen"].(string))
	}
	p.begin()
	p.more(r, 100)

	primary.Kill()
	if err := standby.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.more(r, 100)
	_, told := p.counts()
	failover := p.longest()

	standby.Stop()
	r.until("clients are told to come again", func() bool { _, now := p.counts(); return now > told })
	for _, d := range replicas {
		r.until("a replica says that it is not ready", func() bool {
			out, errs, code := r.run("healthcheck", "--url", "http://"+d.addr)
			return code == exitError && out == "" && strings.Contains(errs, "the store does not answer")
		})
	}
	if err := standby.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.more(r, 100)
	for _, d := range replicas {
		r.until("a replica is ready again", func() bool { _, _, code := r.run("healthcheck", "--url", "http://"+d.addr); return code == exitOK })
	}
	r.until("one leads again", func() bool { return len(leaders(t, replicas...)) == 1 })
	p.end()
	p.check(hosts)
	t.Logf("%d users; fail-over: nothing acknowledged for %s, %d told to come again; all: %s and %d", len(p.made),
		failover.Round(time.Millisecond), told, p.outage.Round(time.Millisecond), p.told)
}

// A service manager would start a daemon again that says nothing; while its database is away that is of no use.
func TestTheServiceManagerHearsOfNoOutage(t *testing.T) {
	t.Parallel()
	db := testpg.Start(t, testpg.Options{TCP: true})
	r := newRig(t, `listen: 127.0.0.1:0
store: "`+db.Database(t)+`"
organizations: [{id: acme, partner_id: P-1, packages: [{id: standard, seats: unlimited}], package: standard}]
`)
	d := r.daemon(t)
	db.Stop()
	for range 40 { // each 50 ms
		d.told("WATCHDOG=1")
	}
	d.get("/readyz", http.StatusServiceUnavailable)
	if err := db.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.until("it is ready again", func() bool { _, _, code := r.run("healthcheck", "--url", d.url); return code == exitOK })
	d.end()
}

// check looks for everybody who was acknowledged.
func (p *pushing) check(storeURL string) {
	p.t.Helper()
	for _, answer := range p.unlawful {
		p.t.Errorf("a client was answered %s", answer)
	}
	db, err := store.Open(p.t.Context(), storeURL, store.Options{Now: time.Now})
	if err != nil {
		p.t.Fatal(err)
	}
	defer db.Close()
	for _, name := range p.made {
		if _, err := db.FindUser(p.t.Context(), "acme", name); err != nil {
			p.t.Errorf("%s was acknowledged: %v", name, err)
		}
	}
	faults, err := db.Verify(p.t.Context())
	if err != nil || len(faults) > 0 {
		p.t.Errorf("the store: %v %v", faults, err)
	}
}
