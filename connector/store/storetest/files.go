package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"time"

	"usherd/connector"
)

// runFiles keeps files of several parts, of runs that wait and of ones that do not.
func runFiles(f *fixture) {
	big := make([]byte, 3<<20+17)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(big)
	waits := &connector.Run{
		ID: connector.NewID(f.now), Org: Org, Source: "file", Mode: connector.ModePreview, Result: connector.ResultOK, Started: f.now, Finished: f.now,
		Hold: &connector.Hold{Status: connector.HoldOpen, Expires: f.now.Add(time.Hour)},
	}
	done := &connector.Run{ID: connector.NewID(f.now), Org: Org, Source: "file", Result: connector.ResultOK, Started: f.now, Finished: f.now}
	f.ok(f.s.Write(f.ctx, func(tx connector.Tx) error { return errors.Join(tx.PutRun(f.ctx, waits), tx.PutRun(f.ctx, done)) }))
	f.ok(f.s.PutRunFile(f.ctx, Org, waits.ID, "first.csv", bytes.NewReader(big)))
	f.ok(f.s.PutRunFile(f.ctx, Org, waits.ID, "people.csv", bytes.NewReader(big[17:])))
	f.ok(f.s.PutRunFile(f.ctx, Org, done.ID, "empty.csv", bytes.NewReader(nil)))
	read := func(run connector.ID, name string, want []byte) {
		f.Helper()
		got, file, err := f.s.RunFile(f.ctx, Org, run)
		f.ok(err)
		body, err := io.ReadAll(file)
		f.ok(errors.Join(err, file.Close()))
		if got != name || !bytes.Equal(body, want) {
			f.Errorf("%s: %d bytes, want %s: %d", got, len(body), name, len(want))
		}
	}
	read(waits.ID, "people.csv", big[17:])
	read(done.ID, "empty.csv", nil)
	_, _, err := f.s.RunFile(f.ctx, "other", waits.ID)
	f.equal(connector.KindOf(err), connector.NotFound)

	n, err := f.s.DropRunFiles(f.ctx, f.now)
	f.ok(err)
	f.equal(n, 1)
	read(waits.ID, "people.csv", big[17:])
	n, err = f.s.DropRunFiles(f.ctx, f.now.Add(time.Hour))
	f.ok(err)
	f.equal(n, 1)
	_, _, err = f.s.RunFile(f.ctx, Org, waits.ID)
	f.equal(connector.KindOf(err), connector.NotFound)
	ended, cancel := context.WithCancel(f.ctx)
	cancel()
	if f.s.PutRunFile(ended, Org, waits.ID, "late.csv", bytes.NewReader(big)) == nil || f.s.PutRunFile(f.ctx, "", waits.ID, "x", nil) == nil {
		f.Error("a file was kept of nothing")
	}
}
