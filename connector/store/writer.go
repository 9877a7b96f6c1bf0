package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"usherd/connector"
)

const (
	groupMax = 256 // changes that share a commit

	bulkPause = 500 * time.Millisecond // without a chunk: the bulk run is over
)

// job is one function that waits for the writer.
type job struct {
	ctx   context.Context //nolint:containedctx // of the caller that waits for done
	f     func(*tx) error
	bulk  bool
	own   bool         // of the store itself: it may write what is known of the transaction
	state atomic.Int32 // 0 waits, 1 the writer has it, 2 given up by the caller
	err   error
	done  chan struct{}
}

// take claims the job for the writer; one that nobody waits for any more is left alone.
func (j *job) take() bool {
	if err := j.ctx.Err(); err != nil {
		if j.state.CompareAndSwap(0, 1) {
			j.answer(err)
		}
		return false
	}
	return j.state.CompareAndSwap(0, 1)
}

func (j *job) answer(err error) {
	j.err = err
	close(j.done)
}

// Write runs f in a transaction that is durable when Write returns. Calls that arrive together share
// one commit: f may be run again, and fails alone; a panic in f is returned as
// its error. When ctx ends while f waits, nothing is written. f must not call Write or Bulk, and must
// not end its goroutine.
func (db *DB) Write(ctx context.Context, f func(connector.Tx) error) error {
	return db.submit(&job{ctx: ctx, f: func(t *tx) error { return f(t) }, done: make(chan struct{})})
}

// Bulk runs f in a transaction of its own, meant for chunks of about 1,000 people.
func (db *DB) Bulk(ctx context.Context, f func(connector.Tx) error) error {
	return db.submit(&job{ctx: ctx, f: func(t *tx) error { return f(t) }, bulk: true, done: make(chan struct{})})
}

// write is Write for what the store does itself, whatever tables that is in.
func (db *DB) write(ctx context.Context, f func(*tx) error) error {
	return db.submit(&job{ctx: ctx, f: f, own: true, done: make(chan struct{})})
}

func (db *DB) submit(j *job) error {
	select {
	case <-db.quit:
		return errClosed
	default:
	}
	select {
	case db.jobs <- j:
	case <-j.ctx.Done():
		return j.ctx.Err()
	case <-db.quit:
		return errClosed
	}
	select {
	case <-j.done:
		return j.err
	case <-j.ctx.Done():
		if j.state.CompareAndSwap(0, 2) {
			return j.ctx.Err()
		}
	case <-db.stopped:
		if j.state.CompareAndSwap(0, 2) {
			return errClosed
		}
	}
	<-j.done // the writer has it: only its answer is true
	return j.err
}

// writer is the one goroutine that writes.
func (db *DB) writer(ctx context.Context) {
	defer close(db.stopped)
	bulk := false
	pause := time.NewTimer(bulkPause)
	pause.Stop()
	for {
		select {
		case j := <-db.jobs:
			if db.serve(ctx, j) {
				if !bulk {
					bulk = true
					db.bulk(ctx, bulk)
				}
				pause.Reset(bulkPause)
			}
		case <-pause.C:
			bulk = false
			db.bulk(ctx, bulk)
		case <-db.quit:
			for {
				select {
				case j := <-db.jobs:
					db.serve(ctx, j)
				default:
					return
				}
			}
		}
	}
}

// serve runs j and, when it is a single change, all that wait behind it up to the next chunk. It
// reports whether there was a chunk.
func (db *DB) serve(ctx context.Context, j *job) (bulk bool) {
	var group []*job
	for more := true; more && !j.bulk; {
		if j.take() {
			group = append(group, j)
		}
		if more = len(group) < groupMax; more {
			select {
			case j = <-db.jobs:
			default:
				more = false
			}
		}
	}
	db.runGroup(ctx, group)
	if j.bulk && j.take() {
		db.runGroup(ctx, []*job{j})
	}
	return j.bulk
}

var (
	// errBroken says that SQLite has given up the whole transaction, as it does when the disk is full.
	errBroken = errors.New("the transaction is lost")
	// errSpoiled says that a job has failed after it had written, in a transaction that others share.
	errSpoiled = errors.New("the transaction holds half of a job")
	// errHidden is the error of a job that has ended without one although a statement has failed.
	errHidden = errors.New("a statement has failed, and with it all that was written")
)

// runGroup runs the jobs in one transaction and answers them all. Savepoints cost a third of a change, for SQLite
// then copies each page that a job is the first to touch, and a job that fails has seldom written: they are set
// only where one has.
func (db *DB) runGroup(ctx context.Context, group []*job) {
	if len(group) == 0 {
		return
	}
	errs, err := db.persist(ctx, group, false)
	if errors.Is(err, errSpoiled) {
		errs, err = db.persist(ctx, group, true)
	}
	if errors.Is(err, errBroken) && len(group) > 1 {
		for _, j := range group {
			db.runGroup(ctx, []*job{j})
		}
		return
	}
	for i, j := range group {
		switch {
		case errs[i] != nil:
			j.answer(errs[i])
		default:
			j.answer(err)
		}
	}
}

// persist runs transact again as long as the transaction gets lost by no fault of the jobs.
func (db *DB) persist(ctx context.Context, group []*job, apart bool) (errs []error, err error) {
	for n := 0; ; n++ {
		errs, err = db.transact(ctx, group, apart)
		if lost, ok := errors.AsType[*lostError](err); !ok {
			return errs, err
		} else if !db.engine.wait(db.waiting, n, lost) { //nolint:contextcheck // it ends with Close, the other one does not
			return make([]error, len(group)), wrap("write", lost.error)
		}
	}
}

// transact returns the errors of the single jobs and one that holds for those without. Each job has a savepoint
// where they are to be apart.
func (db *DB) transact(ctx context.Context, group []*job, apart bool) (errs []error, err error) {
	errs = make([]error, len(group))
	if err := db.engine.begin(ctx, db.w); err != nil {
		return errs, err
	}
	db.w.forget()
	good := 0
	for i, j := range group {
		if apart {
			errs[i], err = db.runApart(ctx, j)
		} else if errs[i], err = db.runJob(j); len(group) == 1 && errors.Is(err, errSpoiled) {
			err = nil // there is nobody beside it
		}
		if err != nil {
			break
		}
		if errs[i] == nil {
			good++
		}
	}
	if err == nil && good > 0 {
		if err = db.commit(ctx, len(group) > 1 && !apart); err == nil {
			return errs, nil
		}
	}
	if e := db.w.undo(ctx, "ROLLBACK"); e != nil && err == nil {
		db.log.Debug("rollback", zap.Error(e)) // SQLite has done it by itself
	}
	return errs, err
}

// commit writes the counters and ends the transaction. Counters of several jobs that cannot be written are one job's.
func (db *DB) commit(ctx context.Context, several bool) error {
	err := db.w.settle(ctx)
	if err == nil {
		return wrap("commit", db.engine.commit(ctx, db.w))
	}
	if lost := db.engine.lost(err); lost != nil {
		return lost
	}
	if several {
		return errSpoiled
	}
	return wrap("commit", err)
}

// runJob runs one function. The second error says that what the transaction holds of others must not stay.
func (db *DB) runJob(j *job) (own, all error) {
	db.w.wrote = false
	own = db.call(j)
	switch lost := db.engine.lost(own); {
	case lost != nil:
		return own, lost
	case db.engine.spoils(own), own != nil && db.w.wrote:
		return cmp.Or(own, errHidden), errSpoiled
	}
	return own, nil
}

// runApart runs one function in a savepoint.
func (db *DB) runApart(ctx context.Context, j *job) (own, all error) {
	if _, err := db.w.exec(ctx, "SAVEPOINT job"); err != nil {
		return err, fmt.Errorf("%w: %w", errBroken, err)
	}
	own = db.call(j)
	if own == nil {
		own = wrap("save", db.w.settle(ctx)) // what is left to be written is nobody else's
	}
	if lost := db.engine.lost(own); lost != nil {
		return own, lost
	}
	if own == nil && db.engine.spoils(nil) {
		own = errHidden
	}
	if own != nil {
		if err := db.w.undo(ctx, "ROLLBACK TO job"); err != nil {
			return own, fmt.Errorf("%w: %w", errBroken, own)
		}
	}
	if _, err := db.w.exec(ctx, "RELEASE job"); err != nil {
		return own, fmt.Errorf("%w: %w", errBroken, err)
	}
	return own, nil
}

// call runs the job's function and turns a panic into its error.
func (db *DB) call(j *job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			db.log.Error("panic in a write", zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
			err = &connector.Error{Op: "store: write", Err: fmt.Errorf("panic: %v", p)}
		}
	}()
	if err := j.ctx.Err(); err != nil {
		return err
	}
	t := &tx{reader: reader{db.w, db.few}, s: db.w, now: db.now}
	defer func() { t.s = nil }()
	if err := t.fence(j.ctx); err != nil {
		return err
	}
	if !j.own {
		return j.f(t)
	}
	if err := db.w.settle(j.ctx); err != nil {
		return err
	}
	if err := j.f(t); err != nil {
		return err
	}
	defer db.w.forget()
	return db.w.settle(j.ctx)
}

func (db *DB) bulk(ctx context.Context, on bool) {
	if err := db.engine.bulk(ctx, db.w, on); err != nil {
		db.log.Warn("bulk mode", zap.Bool("on", on), zap.Error(err))
	}
}

// tx is one write transaction. It is valid until the function that it was given to returns.
type tx struct {
	reader
	s    *session
	now  func() time.Time
	read map[personKey]*person // people whom this job has read, as they are; nil = the id is nobody's
}

var _ connector.Tx = (*tx)(nil)
