package requestlog

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"usherd/connector"
)

const (
	batchRows  = 8192
	batchBytes = 8 << 20
	batchWait  = time.Second      // how long the first row of a batch waits for others
	memoryRows = 16_384           // that wait for the store
	memoryMost = 32 << 20         // bytes of them
	rowBytes   = 512              // of a row beside its texts and bodies
	retryWait  = time.Second      // after the store has refused a batch
	closeWait  = 10 * time.Second // for the store at the end
	toldEvery  = time.Minute      // between two lines about rows that are lost
)

// Store is where rows go.
type Store interface {
	// PutRequests writes rows and adds to the counts of quirks, in one transaction.
	PutRequests(ctx context.Context, list []connector.Request, quirks []connector.QuirkCount) error
}

// Options are what a Recorder needs.
type Options struct {
	Store Store
	Now   func() time.Time // must not be nil
	Log   *zap.Logger      // nil = silent
	Lost  func(rows int)   // is told of rows that are dropped, for a metric; nil = nobody
}

// Recorder writes the request log in the background. All methods are safe for concurrent use. A process that is
// killed loses what has come within the last batch.
type Recorder struct {
	o       Options
	wake    chan struct{} // something waits
	full    chan struct{} // a whole batch waits
	quit    chan struct{}
	stopped chan struct{}
	cancel  context.CancelFunc // of the writes
	once    sync.Once
	err     error // of the last write; of the writer until stopped

	mu     sync.Mutex
	rows   []connector.Request // a queue from head on
	head   int
	bytes  int
	quirks map[quirkKey]*connector.QuirkCount
	lost   int
	closed bool
}

type quirkKey struct{ org, source, quirk string }

// New starts a recorder. Close ends it.
func New(o Options) *Recorder {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	r := &Recorder{
		o: o, wake: make(chan struct{}, 1), full: make(chan struct{}, 1), quit: make(chan struct{}), stopped: make(chan struct{}),
		quirks: map[quirkKey]*connector.QuirkCount{},
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go r.write(ctx)
	return r
}

// Add takes one row, gives it its id and returns at once. When more rows wait for the store than memory is meant
// for, the oldest are dropped and counted. A row without a client is not kept: nobody could ask for it, and
// whoever has no token should fill no disk. Quirks are counted in any case; keep says whether the row is kept too.
func (r *Recorder) Add(row connector.Request, keep bool) {
	if row.Org == "" || row.Source == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	for _, q := range row.Quirks {
		r.count(quirkKey{row.Org, row.Source, q}, row.At)
	}
	if keep {
		row.ID = connector.NewID(r.o.Now())
		r.rows = append(r.rows, row)
		r.bytes += size(&row)
		for len(r.rows)-r.head > memoryRows || r.bytes > memoryMost && len(r.rows)-r.head > 1 {
			r.bytes -= size(&r.rows[r.head])
			r.rows[r.head] = connector.Request{}
			r.head++
			r.lost++
		}
		r.compact()
	}
	if len(r.rows)-r.head >= batchRows {
		signal(r.full)
	}
	signal(r.wake)
}

// quirksMost bounds the counts in memory: ids come from a table, but a bug may not fill memory.
const quirksMost = 4096

func (r *Recorder) count(key quirkKey, at time.Time) {
	c := r.quirks[key]
	if c == nil {
		if len(r.quirks) >= quirksMost {
			return
		}
		c = &connector.QuirkCount{Org: key.org, Source: key.source, Quirk: key.quirk, First: at}
		r.quirks[key] = c
	}
	c.Count++
	if at.Before(c.First) {
		c.First = at
	}
	if at.After(c.Last) {
		c.Last = at
	}
}

// compact gives the room before head back once it is more than half.
func (r *Recorder) compact() {
	if r.head > batchRows && r.head > len(r.rows)/2 {
		n := copy(r.rows, r.rows[r.head:])
		clear(r.rows[n:])
		r.rows, r.head = r.rows[:n], 0
	}
}

func size(r *connector.Request) int {
	return rowBytes + len(r.Path) + len(r.Query) + len(r.Person) + len(r.Asked) + len(r.Answered)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Close writes what waits, for ten seconds at most, and ends the recorder; rows that come later are not kept. It returns the error of the
// store if something could not be written. Calling it again returns what it returned.
func (r *Recorder) Close() error {
	r.once.Do(func() {
		close(r.quit)
		defer time.AfterFunc(closeWait, r.cancel).Stop()
		<-r.stopped
		r.cancel()
	})
	return r.err
}

// write is the one goroutine that writes.
func (r *Recorder) write(ctx context.Context) {
	defer close(r.stopped)
	timer := time.NewTimer(0)
	defer timer.Stop()
	var told time.Time
	for {
		select {
		case <-r.quit:
			r.finish(ctx)
			return
		case <-r.wake:
		}
		timer.Reset(batchWait)
		select {
		case <-r.quit:
		case <-r.full:
		case <-timer.C:
		}
		r.err = r.flush(ctx)
		select { // it has been seen to
		case <-r.full:
		default:
		}
		if r.err != nil {
			signal(r.wake) // what waits is tried again
			timer.Reset(retryWait)
			select {
			case <-r.quit:
			case <-timer.C:
			}
		}
		told = r.tell(told)
	}
}

// finish writes the rest.
func (r *Recorder) finish(ctx context.Context) {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	if r.err = r.flush(ctx); r.err != nil {
		r.mu.Lock()
		r.lost += len(r.rows) - r.head
		r.mu.Unlock()
	}
	r.tell(time.Time{})
}

// flush writes batches until nothing waits.
func (r *Recorder) flush(ctx context.Context) error {
	for {
		rows, quirks := r.take()
		if len(rows)+len(quirks) == 0 {
			return nil
		}
		if err := r.o.Store.PutRequests(ctx, rows, quirks); err != nil {
			r.putBack(quirks)
			return err
		}
		r.done(rows)
	}
}

// take returns what is to be written next. The rows stay in the queue until done says that they are written.
func (r *Recorder) take() ([]connector.Request, []connector.QuirkCount) {
	r.mu.Lock()
	defer r.mu.Unlock()
	end, bytes := r.head, 0
	for end < len(r.rows) && end-r.head < batchRows && bytes < batchBytes {
		bytes += size(&r.rows[end])
		end++
	}
	rows := slices.Clone(r.rows[r.head:end])
	quirks := make([]connector.QuirkCount, 0, len(r.quirks))
	for _, c := range r.quirks {
		quirks = append(quirks, *c)
	}
	clear(r.quirks)
	return rows, quirks
}

// done takes written rows out of the queue; those that were dropped in the meantime are not lost after all.
func (r *Recorder) done(rows []connector.Request) {
	if len(rows) == 0 {
		return
	}
	last := rows[len(rows)-1].ID
	r.mu.Lock()
	defer r.mu.Unlock()
	left := len(rows)
	for r.head < len(r.rows) && !after(r.rows[r.head].ID, last) {
		r.bytes -= size(&r.rows[r.head])
		r.rows[r.head] = connector.Request{}
		r.head++
		left--
	}
	r.lost -= left
	r.compact()
}

func after(a, b connector.ID) bool { return string(a[:]) > string(b[:]) }

// putBack adds counts that could not be written to those that have come since.
func (r *Recorder) putBack(quirks []connector.QuirkCount) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, q := range quirks {
		key := quirkKey{q.Org, q.Source, q.Quirk}
		if c := r.quirks[key]; c != nil {
			c.Count += q.Count
			c.First = q.First
			if q.Last.After(c.Last) {
				c.Last = q.Last
			}
			continue
		}
		r.quirks[key] = &q
	}
}

// tell says how many rows were dropped, now and then.
func (r *Recorder) tell(last time.Time) time.Time {
	now := r.o.Now()
	r.mu.Lock()
	lost := r.lost
	if lost <= 0 || now.Sub(last) < toldEvery {
		r.mu.Unlock()
		return last
	}
	r.lost = 0
	r.mu.Unlock()
	if r.o.Lost != nil {
		r.o.Lost(lost)
	}
	r.o.Log.Warn("rows of the request log were dropped: the store is slower than the requests come, or refuses them",
		zap.Int("rows", lost), zap.NamedError("last_error", r.err))
	return now
}
