package store

import (
	"bytes"
	"compress/flate"
	"context"
	"database/sql"
	"errors"
	"io"
	"time"

	"usherd/connector"
)

const (
	sqlPutFilePart  = `INSERT INTO run_files (org, run, part, name, body) VALUES (?,?,?,?,?)`
	sqlFilePart     = `SELECT name, body FROM run_files WHERE org = ? AND run = ? AND part = ?`
	sqlDropFile     = `DELETE FROM run_files WHERE org = ? AND run = ?`
	sqlRunsWithFile = `SELECT org, run FROM run_files WHERE part = 0 ORDER BY org, run`
)

const filePart = 1 << 20 // bytes of the file in one row, before they are compressed

var errNoFile = errors.New("the file of the run is not kept")

// PutRunFile keeps the file that a run has read, for as long as something of the run waits for approval; see
// DropRunFiles. One that was kept of the run before is replaced. It is read in parts: memory does not grow with it.
func (db *DB) PutRunFile(ctx context.Context, org string, run connector.ID, name string, r io.Reader) error {
	if org == "" || run.IsZero() {
		return invalid("put file", "a file belongs to a run of an organization")
	}
	part := make([]byte, filePart)
	for i := 0; ; i++ {
		n, err := io.ReadFull(r, part)
		end := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !end {
			return err
		}
		if n > 0 || i == 0 {
			if err := db.putFilePart(ctx, org, run, i, name, deflate(part[:n])); err != nil {
				return wrap("put file", err)
			}
		}
		if end {
			return nil
		}
	}
}

func (db *DB) putFilePart(ctx context.Context, org string, run connector.ID, i int, name string, body []byte) error {
	return db.write(ctx, func(t *tx) error {
		if i == 0 {
			if _, err := t.s.exec(ctx, sqlDropFile, org, run[:]); err != nil {
				return err
			}
		}
		_, err := t.s.exec(ctx, sqlPutFilePart, org, run[:], int64(i), name, body)
		return err
	})
}

func deflate(b []byte) []byte {
	var out bytes.Buffer
	w, _ := flate.NewWriter(&out, flate.DefaultCompression) // which is a level that there is
	_, _ = w.Write(b)
	_ = w.Close() // into memory: none of these fails
	return out.Bytes()
}

type partRow struct {
	name string
	body []byte
}

// RunFile opens the file that is kept of a run. Reading it asks the store for one part after the other, under ctx. An
// error of Kind NotFound says that none is kept.
func (r *reader) RunFile(ctx context.Context, org string, run connector.ID) (name string, file io.ReadCloser, err error) {
	first, ok, err := r.filePart(ctx, org, run, 0)
	if err == nil && !ok {
		err = &connector.Error{
			Kind: connector.NotFound, Op: "run file", Err: errNoFile, Hint: "nothing of it waits for approval any more: import the file again",
		}
	}
	if err != nil {
		return "", nil, err
	}
	return first.name, &runFile{ctx: ctx, r: r, org: org, run: run, part: flate.NewReader(bytes.NewReader(first.body))}, nil
}

func (r *reader) filePart(ctx context.Context, org string, run connector.ID, i int) (partRow, bool, error) {
	rows, err := r.q.query(ctx, sqlFilePart, org, run[:], int64(i))
	p, ok, err := first(rows, err, func(row *sql.Rows, p *partRow) error { return row.Scan(&p.name, &p.body) })
	return p, ok, wrap("run file", err)
}

// runFile reads the parts of a file one after the other.
type runFile struct {
	ctx  context.Context //nolint:containedctx // an io.Reader has none of its own
	r    *reader
	org  string
	run  connector.ID
	i    int
	part io.ReadCloser
	end  bool
}

func (f *runFile) Read(p []byte) (int, error) {
	for !f.end {
		n, err := f.part.Read(p)
		if n > 0 || err != nil && !errors.Is(err, io.EOF) {
			return n, ignoreEOF(err)
		}
		if err == nil {
			continue
		}
		f.i++
		next, ok, err := f.r.filePart(f.ctx, f.org, f.run, f.i)
		if err != nil {
			return 0, err
		}
		f.end = !ok
		f.part = flate.NewReader(bytes.NewReader(next.body))
	}
	return 0, io.EOF
}

// ignoreEOF leaves the end of a part to the next read.
func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (f *runFile) Close() error { return nil }

// DropRunFiles forgets the files of runs of which nothing waits for approval at that time. It returns how many went.
func (db *DB) DropRunFiles(ctx context.Context, now time.Time) (n int, err error) {
	type of struct {
		org string
		run connector.ID
	}
	rows, err := db.q.query(ctx, sqlRunsWithFile)
	list, err := add[of](nil, rows, err, func(r *sql.Rows, o *of) error { return r.Scan(&o.org, (*idColumn)(&o.run)) })
	if err != nil {
		return 0, wrap("drop files", err)
	}
	for _, o := range list {
		run, err := db.Run(ctx, o.run)
		if err != nil && connector.KindOf(err) != connector.NotFound {
			return n, err
		}
		if err == nil && run.Hold.Open(now) {
			continue
		}
		err = db.write(ctx, func(t *tx) error {
			_, err := t.s.exec(ctx, sqlDropFile, o.org, o.run[:])
			return wrap("drop files", err)
		})
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
