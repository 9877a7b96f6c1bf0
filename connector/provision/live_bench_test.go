package provision_test

import (
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/provision"
)

// told is a feed that has nothing but what a benchmark tells.
type told struct {
	people
	batches chan *connector.Batch
}

func (f *told) Changes(context.Context, connector.ChangesRequest) (*connector.Batch, error) {
	return &connector.Batch{}, nil
}

func (f *told) Reread(context.Context, []connector.Anchor) ([]*connector.Record, error) {
	return nil, nil
}

func (f *told) Older(_, _ connector.Cursor) string { return "" }

func (f *told) Read(ctx context.Context, yield func(*connector.Record) error) (connector.ReadResult, error) {
	r, err := f.people.Read(ctx, yield)
	r.Cursor = connector.Cursor{Data: []byte("0")}
	return r, err
}

func (f *told) Follow(ctx context.Context, _ connector.ChangesRequest, yield func(*connector.Batch) error) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case b := <-f.batches:
			if err := yield(b); err != nil {
				return err
			}
		}
	}
}

// BenchmarkLiveBatch is a change of one person, followed live, in an organization of USHERD_BENCH_PEOPLE
// (10,000), of whom a tenth waits for a seat.
func BenchmarkLiveBatch(b *testing.B) {
	n := 10_000
	if s := os.Getenv("USHERD_BENCH_PEOPLE"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	w := newWorld(b, func(o *connector.Organization) {
		o.Packages[0].Seats = n - n/10
		o.KeepRecords = 24 * time.Hour
	})
	f := &told{people: people{list: crowd(n)}, batches: make(chan *connector.Batch)}
	if _, err := w.prov.Sync(b.Context(), provision.SyncRequest{Source: "dir", From: f, Mode: connector.ModeFull}); err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	applied, ended := make(chan provision.LiveReport, 1), make(chan error, 1)
	go func() {
		ended <- w.prov.Live(ctx, provision.LiveRequest{Source: "dir", From: f, Applied: func(r provision.LiveReport) { applied <- r }})
	}()
	i := 0
	for b.Loop() {
		i++
		rec := person(1+i%100, "sn", "Name"+strconv.Itoa(i))
		if i%2 == 0 {
			rec = person(n + i) // is new, and has to wait
		}
		f.batches <- &connector.Batch{Records: []*connector.Record{rec}, Cursor: connector.Cursor{Data: []byte(strconv.Itoa(i))}, Entries: 1}
		select {
		case <-applied:
		case err := <-ended:
			b.Fatal(err)
		}
	}
	stop()
	<-ended //nolint:errcheck // it was cancelled
}
