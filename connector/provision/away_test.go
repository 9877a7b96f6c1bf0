package provision_test

import (
	"context"
	"errors"
	"testing"

	"usherd/connector"
	"usherd/connector/provision"
)

// leaving is a directory that may go away after it was read, before it is asked for anybody.
type leaving struct {
	company
	cursor string
	away   bool
}

func (l *leaving) Read(ctx context.Context, yield func(*connector.Record) error) (connector.ReadResult, error) {
	res, err := l.people.Read(ctx, yield)
	res.Cursor = connector.Cursor{Data: []byte(l.cursor)}
	return res, err
}

func (l *leaving) Lookup(ctx context.Context, a connector.Anchor) (*connector.Record, connector.Presence, error) {
	if l.away {
		return nil, connector.PresenceUnknown, errAway
	}
	return l.people.Lookup(ctx, a)
}

var errAway = &connector.Error{Kind: connector.Unavailable, Op: "connect", Err: errors.New("connection refused")}

// A feed that goes on from a read tells nothing of what was before it: who could not be asked for, or groups that
// could not be read, would stay as they are until the next full run.
func TestDirectoryThatGoesAwayAfterItWasRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { o.Sources[0].Groups = true })
	dir := &leaving{company: *newCompany(30), cursor: "first"}
	sync := func(want connector.Result, deactivated int, cursor string) {
		t.Helper()
		plan, err := w.prov.Sync(t.Context(), provision.SyncRequest{Source: "dir", From: dir, Mode: connector.ModeFull, Actor: "test"})
		if err != nil {
			t.Fatal(err)
		}
		if run := plan.Run; run.Result != want || run.Counts.Deactivated != deactivated {
			t.Errorf("%s, %q: %+v; want %s with %d deactivated", run.Result, run.Error, run.Counts, want, deactivated)
		}
		state, err := w.db.SourceState(t.Context(), w.org.ID, "dir")
		if err != nil || string(state.Cursor.Data) != cursor {
			t.Errorf("the cursor is %q (%v), want %q", state.Cursor.Data, err, cursor)
		}
	}
	sync(connector.ResultOK, 0, "first")

	dir.list, dir.cursor, dir.away = dir.list[1:], "second", true
	sync(connector.ResultPartial, 0, "first")
	dir.away = false
	sync(connector.ResultOK, 1, "second")

	dir.list, dir.cursor, dir.err = dir.list[1:], "third", errAway
	sync(connector.ResultPartial, 1, "second")
	dir.err = nil
	sync(connector.ResultOK, 0, "third")
}
