package main

import (
	"context"
	"io"
	"path/filepath"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/domains"
	"usherd/connector/provision"
	"usherd/connector/store"
	"usherd/ldapsync"
)

// The benchmarks do in one process what the program does, so that a profile can be taken:
//
//	go test ./internal/bench -run '^$' -bench Unchanged -cpuprofile cpu.out

const profiled = 100_000

func BenchmarkUnchanged(b *testing.B) {
	w := newWorld(b)
	w.sync(b)
	for b.Loop() {
		if c := w.sync(b); c.Unchanged != profiled {
			b.Fatalf("%+v", c)
		}
	}
}

func BenchmarkFirst(b *testing.B) {
	w := newWorld(b)
	for b.Loop() {
		if err := w.site.empty(); err != nil {
			b.Fatal(err)
		}
		if c := w.sync(b); c.Created != profiled {
			b.Fatalf("%+v", c)
		}
	}
}

type world struct{ site *site }

func newWorld(b *testing.B) *world {
	b.Helper()
	m, err := newBench(options{people: profiled, rounds: 1, now: time.Now, log: io.Discard})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := joinClose(nil, m); err != nil {
			b.Error(err)
		}
	})
	s, err := m.site(b.Context(), 0)
	if err != nil {
		b.Fatal(err)
	}
	return &world{s}
}

// sync is `usherd sync` without its report.
func (w *world) sync(b *testing.B) connector.Counts {
	b.Helper()
	counts, err := w.run(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return counts
}

func (w *world) run(ctx context.Context) (c connector.Counts, err error) {
	file, err := w.site.load()
	if err != nil {
		return c, err
	}
	db, err := store.Open(ctx, "sqlite:"+filepath.ToSlash(w.site.store), store.Options{Now: time.Now})
	if err != nil {
		return c, err
	}
	defer db.Close()
	o := file.Organizations[0]
	if err := db.SetPackages(ctx, o.Org.ID, o.Org.Packages); err != nil {
		return c, err
	}
	d := o.Directories[sourceID]
	from, err := ldapsync.New(ldapsync.Options{
		Config: d.Config, Attributes: d.Attributes, Protected: d.Protected, Resolver: domains.NewResolver(""), Now: time.Now,
	})
	if err != nil {
		return c, err
	}
	p := provision.New(provision.Options{Store: db, Org: o.Org, Mappings: o.Mappings, Now: time.Now})
	plan, err := p.Sync(ctx, provision.SyncRequest{Source: sourceID, From: from, Mode: connector.ModeFull, Actor: "bench"})
	if plan == nil {
		return c, err
	}
	defer plan.Close()
	return plan.Run.Counts, err
}
