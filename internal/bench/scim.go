package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"usherd/connector"
)

const (
	scimClients = 8               // that send requests at a time, each on its own connection
	scimPhase   = time.Second     // of one kind of requests
	scimMix     = 2 * time.Second // of all kinds
	scimPage    = 100
	scimMembers = 10_000
	scimSyncs   = 50
)

// measureSCIM measures the door for identity providers, in turns with a server that returns as many bytes as the
// door's answers have and does nothing else.
func measureSCIM(ctx context.Context, b *bench) (err error) {
	d, err := b.openDoor(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	for i := range b.o.rounds {
		b.say("scim: round %d of %d", i+1, b.o.rounds)
		if err := d.round(ctx); err != nil {
			return err
		}
	}
	return nil
}

// round measures everything once.
func (d *door) round(ctx context.Context) error {
	if err := d.beside(ctx, "get", d.get); err != nil {
		return err
	}
	if err := d.beside(ctx, "filter", d.filter); err != nil {
		return err
	}
	for _, m := range []struct {
		name string
		goal float64
		ask  asker
	}{{"list100", 0, d.list}, {"post", 2000, d.post}, {"patch_active", 0, d.patchActive}, {"patch_member", 0, d.patchMember}} {
		l, err := d.load(ctx, scimPhase, d.door, m.ask)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		d.add(m.name, m.goal, l)
	}
	l, err := d.load(ctx, scimMix, d.door, d.mix)
	if err != nil {
		return fmt.Errorf("mix: %w", err)
	}
	d.b.add(figure{name: "scim.p99_ms", unit: "ms"}, float64(l.percentile(99).Microseconds())/1000)
	return d.disk()
}

// add notes what some requests took.
func (d *door) add(name string, goal float64, l *loaded) {
	d.b.add(figure{name: "scim." + name + "_per_s", unit: "/s", goal: goal, atLeast: true}, l.perSecond())
	d.b.add(figure{name: "scim." + name + "_cpu_us", unit: "us"}, l.cpuEach())
}

// beside measures reads that the bare server answers too: it before and after the door, which halves what the machine
// does to one of them only.
func (d *door) beside(ctx context.Context, name string, ask asker) error {
	size, err := d.size(ctx, ask)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	bare := func(*worker) asked { return asked{http.MethodGet, fmt.Sprint("/", size), "", http.StatusOK} }
	var l [3]*loaded
	for i, part := range []struct {
		length time.Duration
		to     target
		ask    asker
	}{{scimPhase / 2, d.bare.target, bare}, {scimPhase, d.door, ask}, {scimPhase / 2, d.bare.target, bare}} {
		if l[i], err = d.load(ctx, part.length, part.to, part.ask); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	d.b.add(figure{name: "scim." + name + "_vs_bare", unit: "x", goal: 0.5, atLeast: true}, 2*l[1].perSecond()/(l[0].perSecond()+l[2].perSecond()))
	d.add(name, 0, l[1])
	d.add("bare", 0, l[0])
	return nil
}

// disk measures what a durable write costs on this disk at this moment: POST and PATCH are no faster than the store's
// commits, each of which several of them share.
func (d *door) disk() (err error) {
	f, err := os.Create(filepath.Join(filepath.Dir(d.site.store), "fsync"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	began, block := d.b.o.now(), make([]byte, 16<<10)
	for range scimSyncs {
		if _, err := f.Write(block); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
	}
	d.b.add(figure{name: "scim.fsync_ms", unit: "ms"}, d.b.o.now().Sub(began).Seconds()*1000/scimSyncs)
	return nil
}

// The requests, as clients send them.

func (d *door) get(w *worker) asked {
	return asked{http.MethodGet, "/Users/" + d.anybody(w).String(), "", http.StatusOK}
}

func (d *door) filter(w *worker) asked {
	q := url.Values{"filter": {fmt.Sprintf("userName eq %q", pushedName(w.rand.IntN(len(d.users))))}}
	return asked{http.MethodGet, "/Users?" + q.Encode(), "", http.StatusOK}
}

// list asks for a page as it is asked for by those who walk: by the cursor that the page before gave.
func (d *door) list(w *worker) asked {
	q := url.Values{"count": {strconv.Itoa(scimPage)}, "cursor": {w.cursor}}
	return asked{http.MethodGet, "/Users?" + q.Encode(), "", http.StatusOK}
}

func (d *door) post(*worker) asked {
	return asked{http.MethodPost, "/Users", pushedBody(int(d.created.Add(1))), http.StatusCreated}
}

func (d *door) patchActive(w *worker) asked {
	w.turn = !w.turn
	if w.turn {
		w.somebody = d.mine(w)
	}
	return asked{http.MethodPatch, "/Users/" + w.somebody.String(), patchBody("replace", "active", !w.turn), http.StatusOK}
}

// patchMember adds somebody to the group, and takes them out again with the next request, so that its size stays.
func (d *door) patchMember(w *worker) asked {
	w.turn = !w.turn
	op, path, value := "remove", fmt.Sprintf("members[value eq %q]", w.somebody), any(nil)
	if w.turn {
		w.somebody = d.mine(w)
		op, path, value = "add", "members", []map[string]string{{"value": w.somebody.String()}}
	}
	return asked{http.MethodPatch, "/Groups/" + d.group, patchBody(op, path, value), http.StatusNoContent}
}

// mix is what a provider sends: mostly it looks who is there.
func (d *door) mix(w *worker) asked {
	switch n := w.rand.IntN(20); {
	case n < 9:
		return d.get(w)
	case n < 15:
		return d.filter(w)
	case n < 16:
		return d.list(w)
	case n < 17:
		return d.post(w)
	}
	return d.patchActive(w)
}

func (d *door) anybody(w *worker) connector.ID { return d.users[w.rand.IntN(len(d.users))] }

// mine is somebody whom no other client changes, and who is not in the group from the beginning.
func (d *door) mine(w *worker) connector.ID {
	rest := d.users[len(d.members):]
	return rest[w.rand.IntN(len(rest)/scimClients)*scimClients+w.number]
}

func patchBody(op, path string, value any) string {
	o := map[string]any{"op": op, "path": path}
	if value != nil {
		o["value"] = value
	}
	b, err := json.Marshal(map[string]any{
		"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": []any{o},
	})
	if err != nil {
		panic(err) // texts and booleans
	}
	return string(b)
}
