package provision_test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"

	"usherd/connector"
)

// feed is a source that remembers what has changed. Its cursor is the length of the log.
type feed struct {
	people
	groups  []*connector.GroupRecord
	mu      sync.Mutex
	log     []connector.Anchor
	more    chan struct{}                                         // closed and made anew with each change
	full    string                                                // what every batch says
	naming  func(req connector.ChangesRequest) []connector.Anchor // whom else it tells of
	warn    []string                                              // what every batch warns of
	older   string
	asked   int // for changes
	rereads int
}

func newFeed(list []*connector.Record) *feed {
	return &feed{people: people{list: list}, more: make(chan struct{})}
}

// put adds or replaces a record, and tells of it.
func (f *feed) put(records ...*connector.Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range records {
		f.putSilently(r)
		f.log = append(f.log, r.Anchor)
	}
	f.tell()
}

func (f *feed) putSilently(r *connector.Record) {
	if i := slices.IndexFunc(f.list, func(o *connector.Record) bool { return o.Anchor == r.Anchor }); i >= 0 {
		f.list[i] = r
	} else {
		f.list = append(f.list, r)
	}
}

func (f *feed) fire(anchors ...connector.Anchor) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range anchors {
		f.list = slices.DeleteFunc(f.list, func(r *connector.Record) bool { return r.Anchor == a })
		f.log = append(f.log, a)
	}
	f.tell()
}

func (f *feed) tell() {
	close(f.more)
	f.more = make(chan struct{})
}

func (f *feed) cursor() connector.Cursor {
	return connector.Cursor{Data: []byte(strconv.Itoa(len(f.log))), Key: connector.Hash{7}}
}

func (f *feed) Read(ctx context.Context, yield func(*connector.Record) error) (connector.ReadResult, error) {
	f.mu.Lock()
	now, mark := people{list: slices.Clone(f.list), incomplete: f.incomplete, err: f.err}, f.cursor()
	f.mu.Unlock()
	res, err := now.Read(ctx, yield)
	res.Cursor = mark
	return res, err
}

func (f *feed) records(anchors []connector.Anchor) (out []*connector.Record) {
	for _, a := range anchors {
		rec := &connector.Record{Anchor: a, Gone: true}
		for _, r := range f.list {
			if r.Anchor == a {
				rec = r.Clone()
			}
		}
		out = append(out, rec)
	}
	return out
}

func (f *feed) Changes(_ context.Context, req connector.ChangesRequest) (*connector.Batch, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	b := f.batch(req.Since)
	if f.naming != nil {
		b.Records = append(b.Records, f.records(f.naming(req))...)
	}
	return b, f.err
}

func (f *feed) batch(since connector.Cursor) *connector.Batch {
	n, err := strconv.Atoi(string(since.Data))
	if err != nil || n > len(f.log) || since.Key != (connector.Hash{7}) {
		return &connector.Batch{Full: "the cursor is from elsewhere"}
	}
	var people, groups []connector.Anchor
	for _, a := range f.log[n:] {
		switch {
		case !strings.HasPrefix(a.Raw, "groups-"):
			people = append(people, a)
		case !slices.Contains(groups, a):
			groups = append(groups, a)
		}
	}
	return &connector.Batch{
		Records: f.records(people), Groups: f.groupRecords(groups), Cursor: f.cursor(), Full: f.full, Mechanism: "test", Server: "test", Entries: len(f.log) - n,
		Warnings: f.warn,
	}
}

func (f *feed) Follow(ctx context.Context, req connector.ChangesRequest, yield func(*connector.Batch) error) error {
	since, first := req.Since, true
	for {
		f.mu.Lock()
		b, more, err := f.batch(since), f.more, f.err
		f.mu.Unlock()
		if err != nil {
			return err
		}
		if first || len(b.Records)+len(b.Groups) > 0 || b.Full != "" {
			if err := yield(b); err != nil {
				return err
			}
		}
		since, first = b.Cursor, false
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-more:
		}
	}
}

func (f *feed) Reread(_ context.Context, anchors []connector.Anchor) ([]*connector.Record, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rereads++
	return f.records(anchors), nil
}

func (f *feed) Older(_, _ connector.Cursor) string { return f.older }
