package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"usherd/connector"
	"usherd/connector/domains"
	"usherd/connector/provision"
	"usherd/connector/sources"
	"usherd/connector/store"
	"usherd/connector/store/storetest"
	"usherd/console"
	"usherd/console/password"
)

const (
	consolePeople  = 200_000
	consoleChanges = 4 // of each of them after the first, each with an event
	consoleRuns    = 2000
	consoleAsked   = 40 // times that each page is asked for
	consoleWord    = "a password for measuring"
)

// measureConsole asks for each page of the console, on a store that is as full as any should be.
func measureConsole(ctx context.Context, b *bench) (err error) {
	b.fill("a store with %d users", consolePeople)
	db, err := store.Open(ctx, "sqlite:"+filepath.ToSlash(filepath.Join(b.dir, "console.db")), store.Options{Now: b.o.now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	c := &visited{b: b, db: db, people: &stored{db: db, now: b.o.now, users: make([]*connector.User, consolePeople)}}
	if err := c.fill(ctx); err != nil {
		return err
	}
	server, err := c.serve() //nolint:contextcheck // a visit asks under the context of its request
	if err != nil {
		return err
	}
	s := httptest.NewServer(server)
	defer s.Close()
	if err := c.signIn(ctx, s.URL); err != nil {
		return err
	}
	return c.pages(ctx, s.URL, server.Routes())
}

// visited is a console with a store that is full.
type visited struct {
	b      *bench
	db     *store.DB
	people *stored
	runs   []connector.ID
	client *http.Client
}

// fill writes people, what has changed of them, and runs.
func (c *visited) fill(ctx context.Context) error {
	if err := c.people.fill(ctx); err != nil {
		return err
	}
	for turn := range consoleChanges {
		c.b.say("console: change %d of %d of each of them", turn+1, consoleChanges)
		for from := 0; from < len(c.people.users); from += storeChunk {
			var changes []*connector.Change
			for n := from; n < min(from+storeChunk, len(c.people.users)); n++ {
				ch := storetest.Next(connector.Updated, c.people.users[n], c.people.now(), func(u *connector.User) { u.Profile.Set("title", fmt.Sprintf("Engineer %d", turn)) })
				c.people.users[n], changes = ch.After, append(changes, ch)
			}
			if err := c.db.Bulk(ctx, c.people.save(ctx, changes...)); err != nil {
				return err
			}
		}
	}
	results := []connector.Result{connector.ResultOK, connector.ResultOK, connector.ResultOK, connector.ResultPartial, connector.ResultFailed}
	return c.db.Bulk(ctx, func(tx connector.Tx) error {
		for n := range consoleRuns {
			at := c.people.now().Add(time.Duration(n-consoleRuns) * time.Hour)
			r := &connector.Run{
				ID: connector.NewID(at), Org: storetest.Org, Source: storetest.Source, Mode: connector.ModeFull, Actor: connector.ActorSchedule, Result: results[n%len(results)],
				Started: at, Finished: at.Add(time.Minute), Counts: connector.Counts{Updated: n, Unchanged: consolePeople},
			}
			if err := tx.PutRun(ctx, r); err != nil {
				return err
			}
			c.runs = append(c.runs, r.ID)
		}
		return nil
	})
}

func (c *visited) serve() (*console.Server, error) {
	org := &connector.Organization{
		ID: storetest.Org, Name: "Acme", Packages: []connector.Package{{ID: hotPackage, Name: hotPackage, Seats: hotSeats}},
		Sources: []connector.SourceSettings{{ID: storetest.Source, Kind: connector.Directory}},
	}
	hash, err := password.Hash(consoleWord)
	if err != nil {
		return nil, err
	}
	server, err := console.New(console.Options{
		Store: c.db, URL: "http://127.0.0.1", Version: "bench", Secret: []byte(strings.Repeat("s", 32)), Now: c.people.now, Log: zap.NewNop(),
		Address: func(r *http.Request) string { return r.Header.Get("X-From") }, Runner: idleRunner{},
	})
	if err != nil {
		return nil, err
	}
	prov := provision.New(provision.Options{Store: c.db, Org: org, Now: c.people.now})
	keeper := &domains.Keeper{Store: c.db, Org: org, Resolver: domains.NewResolver("127.0.0.1:1"), Now: c.people.now, Verified: prov.DomainVerified}
	server.Replace(&console.Settings{
		Organizations: []*console.Organization{{
			Settings: org, Writer: prov, Domains: keeper, Claims: provision.NewClaims(c.db, prov),
			Sources: map[string]*sources.Source{storetest.Source: {Server: true, Scope: &sources.Scope{Bases: []string{"dc=bench"}}}},
		}},
		Admins: []console.Admin{{Name: "bench", PasswordHash: hash, Grant: console.Grant{Role: connector.Owner}}},
	})
	return server, nil
}

// idleRunner has one source, and starts nothing.
type idleRunner struct{ console.Runner }

func (idleRunner) Sources(_ context.Context, org string) ([]connector.SourceStanding, error) {
	return []connector.SourceStanding{{Org: org, Source: storetest.Source, Status: "ok", People: consolePeople}}, nil
}

func (c *visited) signIn(ctx context.Context, base string) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	c.client = &http.Client{Jar: jar}
	_, err = c.ask(ctx, http.MethodPost, base+"/login", url.Values{"name": {"bench"}, "password": {consoleWord}}, 0)
	return err
}

// ask asks for a page, and says how long that took; of a file, which is streamed however long it is, how long until it came.
func (c *visited) ask(ctx context.Context, method, address string, form url.Values, turn int) (time.Duration, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("X-From", fmt.Sprintf("10.0.%d.%d", turn/250, turn%250)) // an address that asks for so much would be stopped
	began := c.people.now()
	a, err := c.client.Do(r)
	if err != nil {
		return 0, err
	}
	var first [1]byte
	n, err := io.ReadFull(a.Body, first[:])
	came := c.people.now().Sub(began)
	rest, more := io.ReadAll(a.Body)
	if errors.Is(err, io.EOF) { // there is nothing in it
		err = nil
	}
	text, took := append(first[:n], rest...), c.people.now().Sub(began)
	if a.Header.Get("Content-Disposition") != "" {
		took = came
	}
	err = errors.Join(err, more, a.Body.Close())
	if err == nil && a.StatusCode >= http.StatusInternalServerError { // that something does not fit is a page, too
		err = fmt.Errorf("%s %s: %s\n%.500s", method, address, a.Status, text)
	}
	return took, err
}

var placeholder = regexp.MustCompile(`\{[^}]+\}`)

// address is one of a page; ok is false for a page about what there is none of.
func (c *visited) address(path string, turn int) (address string, ok bool) {
	ok = true
	address = placeholder.ReplaceAllStringFunc(path, func(name string) string {
		switch name {
		case "{$}":
			return ""
		case "{user}":
			return c.people.users[turn*7919%len(c.people.users)].ID.String()
		case "{run}":
			return c.runs[turn*7919%len(c.runs)].String()
		case "{source}":
			return storetest.Source
		case "{org}":
			return storetest.Org
		case "{package}":
			return hotPackage
		case "{topic}":
			return "users"
		}
		ok = false
		return name
	})
	return address, ok
}

// pages asks for each page in turns.
func (c *visited) pages(ctx context.Context, base string, routes []string) error {
	var paths []string
	for _, pattern := range routes {
		if path, isPage := strings.CutPrefix(pattern, "GET "); isPage && path != "/reauth" {
			paths = append(paths, path)
		}
	}
	paths = append(paths, "/users?q=user1&active=any", "/search?q=user1", "/users?state=inactive", "/users?domain=example.com&failing=1", "/users?leaving=1",
		"/users?source="+storetest.Source+"&package="+hotPackage, "/users?package="+hotPackage, "/users?sort=name&active=any", "/users?sort=-changed", "/users?sort=username&cols=email",
		"/users/{user}?at="+url.QueryEscape(c.b.o.now().UTC().Format("2006-01-02T15:04:05")), "/runs?decision=rejected", "/runs?sort=started", "/failures?reason="+string(connector.NoSeat), "/help/{topic}")
	took := map[string][]time.Duration{}
	turn := 0
	for range consoleAsked {
		for _, path := range paths {
			turn++
			address, ok := c.address(path, turn)
			if !ok {
				continue
			}
			d, err := c.ask(ctx, http.MethodGet, base+address, nil, turn)
			if err != nil {
				return err
			}
			took[path] = append(took[path], d)
		}
	}
	return c.tell(took)
}

// tell adds the figures: of all pages together, and of the slowest.
func (c *visited) tell(took map[string][]time.Duration) error {
	if len(took) == 0 {
		return errors.New("there are no pages")
	}
	var all []time.Duration
	of := map[string]time.Duration{}
	for path, list := range took {
		all, of[path] = append(all, list...), share(list, 95)
	}
	order := slices.SortedFunc(maps.Keys(of), func(a, b string) int { return cmp.Compare(of[b], of[a]) })
	slowest := order[0]
	c.b.say("console: the slowest of %d pages:", len(took))
	for _, path := range order[:min(len(order), 5)] {
		c.b.say("console: %6.1f ms  %s", ms(of[path]), path)
	}
	c.b.add(figure{name: "console.p95_ms", unit: "ms", goal: 100}, ms(share(all, 95)))
	c.b.add(figure{name: "console.slowest_page", unit: "ms", goal: 100}, ms(of[slowest]))
	return nil
}

// share is what that many percent are not above.
func share(list []time.Duration, percent int) time.Duration {
	s := slices.Sorted(slices.Values(list))
	return s[min(len(s)*percent/100, len(s)-1)]
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
