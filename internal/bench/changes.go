package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"usherd/connector"
	"usherd/connector/store"
	"usherd/ldapsync/testserver"
	"usherd/ldapsync/testserver/ldifgen"
)

const (
	changesMeasured = 400
	changesPause    = 50 * time.Millisecond // between two changes: 20 a second
	changesLook     = 2 * time.Millisecond  // between two looks into the store
	changesLimit    = time.Minute           // for the last of them to arrive
)

// measureFollowing measures everything about following a directory.
func measureFollowing(ctx context.Context, b *bench) error {
	if err := measureChanges(ctx, b); err != nil {
		return err
	}
	if err := measureDomain(ctx, b); err != nil {
		return err
	}
	return measureMillion(ctx, b)
}

// measureChanges measures how long it takes from a change in a directory to the user in the store, with a
// daemon that follows, and what a run of changes takes when nothing has changed.
func measureChanges(ctx context.Context, b *bench) error {
	s, err := b.site(ctx, 0)
	if err != nil {
		return err
	}
	live := *s
	live.more, live.config = "live: true", filepath.Join(filepath.Dir(s.config), "live.yaml")
	if err := errors.Join(live.configure(), live.empty()); err != nil {
		return err
	}
	b.say("filling a store")
	if _, _, err := b.sync(ctx, &live, true); err != nil {
		return err
	}
	for range b.o.rounds {
		t, r, err := b.run(ctx, &live, "--mode", "changes")
		if err != nil {
			return err
		}
		if r.Counts != (connector.Counts{}) {
			return fmt.Errorf("nothing was changed, this run says %+v", r.Counts)
		}
		b.add(figure{name: "changes.unchanged_ms", unit: "ms", goal: 50}, milliseconds(t.wall))
	}
	return b.delays(ctx, &live, "changes.live", 1000)
}

// domainPeople is how many people a domain controller has: Samba takes a second for 300 of them.
const domainPeople = 2000

// measureDomain measures the delay with a domain controller. Without root there is none.
func measureDomain(ctx context.Context, b *bench) (err error) {
	b.fill("a Samba with %d people", domainPeople)
	dir := filepath.Join(b.dir, "domain")
	server, err := testserver.StartSamba(ctx, filepath.Join(dir, "s"), testserver.SambaOptions{
		LDIF: ldifgen.To(ldifgen.Options{AD: true, Users: domainPeople}),
	})
	if _, missing := errors.AsType[*testserver.MissingError](err); missing {
		b.say("left out: %v", err)
		return nil
	}
	if err != nil {
		return err
	}
	defer server.Close()
	s := &site{
		server: server, size: domainPeople, people: "OU=People," + server.Base, more: "live: true", ad: true,
		config: filepath.Join(dir, "usherd.yaml"), store: filepath.Join(dir, "usherd.db"),
	}
	if s.listen, err = freeAddress(ctx); err != nil {
		return err
	}
	if err := s.configure(); err != nil {
		return err
	}
	if _, _, err := b.sync(ctx, s, true); err != nil {
		return err
	}
	return b.delays(ctx, s, "samba.live", 3000)
}

// delays measures from a change to the user, round after round.
func (b *bench) delays(ctx context.Context, s *site, name string, goal float64) error {
	for i := range b.o.rounds {
		b.say("%s: round %d of %d", name, i+1, b.o.rounds)
		took, err := b.followed(ctx, s, i)
		if err != nil {
			return err
		}
		slices.Sort(took)
		b.add(figure{name: name + "_p50_ms", unit: "ms"}, milliseconds(took[len(took)/2]))
		b.add(figure{name: name + "_p99_ms", unit: "ms", goal: goal}, milliseconds(took[len(took)*99/100]))
	}
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// followed lets a daemon follow, changes one person after the other and returns how long each change took.
func (b *bench) followed(ctx context.Context, s *site, round int) (took []time.Duration, err error) {
	d, err := b.serve(ctx, s)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	db, err := store.Open(ctx, "sqlite:"+s.store, store.Options{Now: b.o.now})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	w, err := s.writer(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	x := &watch{b: b, s: s, db: db, sent: map[string]sent{}}
	if err := x.change(w, fmt.Sprint("R", round)); err != nil { // the daemon may still be catching up
		return nil, err
	}
	if err := x.arrive(ctx); err != nil {
		return nil, err
	}
	x.took = nil
	tick := time.NewTicker(changesPause)
	defer tick.Stop()
	for i := range min(changesMeasured, s.size) {
		if err := x.change(w, fmt.Sprintf("R%d.%d", round, i)); err != nil {
			return nil, err
		}
		for waits := true; waits; {
			select {
			case <-tick.C:
				waits = false
			case <-time.After(changesLook):
				if err := x.look(ctx); err != nil {
					return nil, err
				}
			}
		}
	}
	if err := x.arrive(ctx); err != nil {
		return nil, err
	}
	return x.took, nil
}

// watch knows which changes are on their way.
type watch struct {
	b    *bench
	s    *site
	db   *store.DB
	next int // number of the person who was changed last
	sent map[string]sent
	took []time.Duration
}

// sent is a title that somebody was given, and when.
type sent struct {
	title string
	at    time.Time
}

func (x *watch) change(w *ldifWriter, title string) error {
	x.next++
	if x.next > x.s.size {
		x.next = 1
	}
	uid := fmt.Sprintf("u%07d", x.next)
	x.sent[x.s.userName(uid)] = sent{title, x.b.o.now()}
	return w.title(uid, title)
}

// look takes note of what has arrived.
func (x *watch) look(ctx context.Context) error {
	keys := make([]connector.UserKey, 0, len(x.sent))
	for uid := range x.sent {
		keys = append(keys, connector.UserKey{Kind: connector.UserName, Value: uid})
	}
	if len(keys) == 0 {
		return nil
	}
	users, err := x.db.UsersByKey(ctx, benchOrg, keys)
	if err != nil {
		return err
	}
	now := x.b.o.now()
	for _, u := range users {
		if c := x.sent[u.UserName()]; u.Profile.Get("title") == c.title {
			x.took = append(x.took, now.Sub(c.at))
			delete(x.sent, u.UserName())
		}
	}
	return nil
}

// arrive waits until nothing is on its way any more.
func (x *watch) arrive(ctx context.Context) error {
	for limit := x.b.o.now().Add(changesLimit); len(x.sent) > 0; {
		if x.b.o.now().After(limit) {
			return fmt.Errorf("%d changes have not arrived within %s", len(x.sent), changesLimit)
		}
		time.Sleep(changesLook)
		if err := x.look(ctx); err != nil {
			return err
		}
	}
	return nil
}

// userName is that of the user of somebody of ldifgen.
func (s *site) userName(uid string) string {
	if s.ad {
		return uid + "@lab.test"
	}
	return uid
}

// ldifWriter is one ldapmodify, which carries out each record as it comes.
type ldifWriter struct {
	site *site
	cmd  *exec.Cmd
	in   io.WriteCloser
	said limited
}

func (s *site) writer(ctx context.Context) (*ldifWriter, error) {
	w := &ldifWriter{site: s, cmd: exec.CommandContext(ctx, "ldapmodify", //nolint:gosec // our own words
		"-x", "-H", s.server.LDAPSURL, "-D", s.server.AdminDN, "-w", s.server.AdminPassword)}
	w.cmd.Env = s.server.ClientEnv()
	w.cmd.Stdout, w.cmd.Stderr = io.Discard, &w.said
	var err error
	if w.in, err = w.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	return w, w.cmd.Start()
}

func (w *ldifWriter) title(uid, title string) error {
	rdn := "uid"
	if w.site.ad {
		rdn = "CN"
	}
	_, err := fmt.Fprintf(w.in, "dn: %s=%s,%s\nchangetype: modify\nreplace: title\ntitle: %s\n\n", rdn, uid, w.site.people, title)
	return err
}

func (w *ldifWriter) close() error {
	if err := errors.Join(w.in.Close(), w.cmd.Wait()); err != nil {
		return fmt.Errorf("ldapmodify: %w\n%s", err, strings.TrimSpace(w.said.String()))
	}
	return nil
}
