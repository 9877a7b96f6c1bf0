package provision_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/provision"
)

// stored is everything that is kept of what a source has said.
func (w *world) stored() (list []connector.StoredRecord) {
	w.t.Helper()
	for s, err := range w.db.Records(w.t.Context(), w.org.ID, "dir", time.Unix(0, 0)) {
		if err != nil {
			w.t.Fatal(err)
		}
		list = append(list, s)
	}
	return list
}

func keeping(o *connector.Organization) { o.KeepRecords = 30 * 24 * time.Hour }

func TestWhatSourcesSayIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, keeping)
	p := &people{list: crowd(30)}
	p.list[3] = person(4, "sn", "") // refused, and decided about again and again
	first := w.sync(p, connector.ResultOK)
	all := w.stored()
	if len(all) != 30 {
		t.Fatalf("%d records, want 30", len(all))
	}
	for _, s := range all {
		if s.Run != first.Run.ID || s.Base || !s.At.Equal(w.now) {
			t.Errorf("%+v", s)
		}
	}
	w.sync(p, connector.ResultOK) // only the refused one is decided about
	if got := w.stored(); len(got) != 31 || got[30].Record.Anchor != p.list[3].Anchor {
		t.Fatalf("%d records", len(got))
	}
	p.list[5] = person(6, "title", "Head")
	p.list = append(p.list[:10], p.list[11:]...)
	third := w.sync(p, connector.ResultOK)
	got := w.stored()[31:]
	if len(got) != 3 {
		t.Fatalf("%d records of the third run, want the changed, the gone and the refused one", len(got))
	}
	title, gone := 0, 0
	for _, s := range got {
		if s.Run != third.Run.ID {
			t.Errorf("of run %s", s.Run)
		}
		if s.Record.Gone {
			gone++
		}
		if v := s.Record.Values("title"); len(v) == 1 && bytes.Equal(v[0], []byte("Head")) {
			title++
		}
	}
	if gone != 1 || title != 1 {
		t.Errorf("%d gone, %d changed", gone, title)
	}
}

func TestOnePersonsRecordIsKeptWithTheDecision(t *testing.T) {
	t.Parallel()
	w := newWorld(t, keeping)
	cause := connector.Cause{Kind: connector.CauseRequest, Actor: "test"}
	if _, err := w.prov.Submit(t.Context(), "dir", person(1), cause); err != nil {
		t.Fatal(err)
	}
	if _, err := w.prov.Person(t.Context(), provision.PersonRequest{Source: "dir", From: &people{list: crowd(3)}, Key: "u0002"}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.prov.Person(t.Context(), provision.PersonRequest{Source: "dir", From: &people{list: crowd(3)}, Key: "u0003", Preview: true}); err != nil {
		t.Fatal(err)
	}
	got := w.stored()
	if len(got) != 2 || !got[0].Run.IsZero() || got[1].Run.IsZero() || got[1].Record.Anchor != person(2).Anchor {
		t.Errorf("%+v", got)
	}
}

func TestPreviewsAndOffKeepNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, keeping)
	plan, err := w.prov.Sync(t.Context(), provision.SyncRequest{Source: "dir", From: &people{list: crowd(5)}, Mode: connector.ModePreview})
	if err != nil {
		t.Fatal(err)
	}
	_ = plan.Close()
	w.org.KeepRecords = 0
	w.sync(&people{list: crowd(5)}, connector.ResultOK)
	if _, err := w.prov.Submit(t.Context(), "dir", person(9), connector.Cause{Kind: connector.CauseRequest}); err != nil {
		t.Fatal(err)
	}
	if got := w.stored(); len(got) > 0 {
		t.Errorf("%d records are kept", len(got))
	}
}

// TestCutRunHasKeptWhatItDecidedAbout: records are written before the changes that rest on them.
func TestCutRunHasKeptWhatItDecidedAbout(t *testing.T) {
	t.Parallel()
	w := newWorld(t, keeping)
	ctx, cancel := context.WithCancel(t.Context())
	plan, err := w.prov.Sync(ctx, provision.SyncRequest{
		Source: "dir", From: &people{list: crowd(3500)}, Mode: connector.ModeFull,
		Progress: func(x provision.Progress) {
			if x.Phase == "apply" && x.Done < 3000 {
				cancel()
			}
		},
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	defer plan.Close()
	kept := map[connector.Anchor]bool{}
	for _, s := range w.stored() {
		kept[s.Record.Anchor] = true
	}
	users := 0
	for l, err := range w.db.LinkStates(t.Context(), w.org.ID, "dir") {
		if err != nil {
			t.Fatal(err)
		}
		if users++; !kept[l.Anchor] {
			t.Errorf("nothing is kept of %s", l.Anchor)
		}
	}
	if users == 0 || users == 3500 {
		t.Errorf("the run was to be cut in the middle: %d users", users)
	}
}
