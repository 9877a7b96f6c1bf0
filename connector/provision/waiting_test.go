package provision_test

import (
	"testing"
	"time"

	"usherd/connector"
)

// crowded is a client whose package has one seat, which u0001 has.
func crowded(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, func(o *connector.Organization) { seats(1)(o); client(o) })
	w.submit("idp", pushed(1, "e1", connector.NewID(w.now)))
	return w
}

// wants is a record that finds no seat.
func (w *world) wants(rec *connector.Record) {
	w.t.Helper()
	if ch := w.submit("idp", rec); ch.Action != connector.Failed || ch.Failures[0].Reason != connector.NoSeat {
		w.t.Fatalf("%s is %s: %+v", ch.Subject, ch.Action, ch.Failures)
	}
}

// frees gives the seat of u0001 back.
func (w *world) frees() {
	w.t.Helper()
	left := pushed(1, "e1", connector.ID{})
	left.Enabled = connector.EnabledNo
	if ch := w.submit("idp", left); ch.FreeSeat != "standard" {
		w.t.Fatalf("%+v", ch)
	}
}

func (w *world) waiting() int {
	w.t.Helper()
	list, err := w.db.Waiting(w.t.Context(), "acme", "standard", 100)
	if err != nil {
		w.t.Fatal(err)
	}
	return len(list)
}

// Somebody whom a client has asked for gets the seat as long as the client has not been silent for a week: it has no
// other way to say that it does not want the account any more that it was refused.
func TestClientsWhoDoNotAskAgainLoseTheirPlace(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for name, test := range map[string]struct {
		asks []time.Duration // after the one before
		then time.Duration
		want connector.State
	}{
		"at once":              {want: connector.Verified},
		"within the week":      {then: 7*day - time.Minute, want: connector.Verified},
		"later":                {then: 7*day + time.Minute},
		"asked again":          {asks: []time.Duration{6 * day, 6 * day}, then: 6 * day, want: connector.Verified},
		"asked again, at last": {asks: []time.Duration{6 * day}, then: 8 * day},
	} {
		for _, externalID := range []string{"e2", ""} {
			t.Run(name+" "+externalID, func(t *testing.T) {
				t.Parallel()
				w := crowded(t)
				w.wants(pushed(2, externalID, connector.NewID(w.now)))
				for _, after := range test.asks {
					w.now = w.now.Add(after)
					w.wants(pushed(2, externalID, connector.NewID(w.now)))
				}
				w.now = w.now.Add(test.then)
				w.wants(pushed(3, "e3", connector.NewID(w.now)))
				w.frees()
				next := connector.State("")
				if test.want == "" {
					next = connector.Verified
				}
				if w.state("u0002") != test.want || w.state("u0003") != next {
					t.Errorf("u0002 is %q, u0003 is %q", w.state("u0002"), w.state("u0003"))
				}
				if len(w.items()) != 1 {
					t.Errorf("whoever got no seat is still told as a failure: %+v", w.items())
				}
			})
		}
	}
}

// What a client says of somebody later counts, by whatever name it means the person.
func TestALaterWordEndsThePlace(t *testing.T) {
	t.Parallel()
	off := func(r *connector.Record) *connector.Record {
		r.Enabled = connector.EnabledNo
		return r
	}
	gone := func(r *connector.Record) *connector.Record {
		r.Gone = true
		return r
	}
	for name, test := range map[string]struct {
		before bool   // the person is there, and inactive
		asks   string // externalId of the request that is refused
		says   func(id connector.ID) []*connector.Record
		want   connector.State
	}{
		"disabled under the same externalId": {asks: "e2", says: func(id connector.ID) []*connector.Record { return []*connector.Record{off(pushed(2, "e2", id))} }, want: connector.Inactive},
		"disabled under another externalId":  {asks: "e2", says: func(id connector.ID) []*connector.Record { return []*connector.Record{off(pushed(2, "e9", id))} }, want: connector.Inactive},
		"disabled without one":               {asks: "e2", says: func(id connector.ID) []*connector.Record { return []*connector.Record{off(pushed(2, "", id))} }, want: connector.Inactive},
		"disabled under one, asked without":  {says: func(id connector.ID) []*connector.Record { return []*connector.Record{off(pushed(2, "e2", id))} }, want: connector.Inactive},
		"disabled again":                     {before: true, asks: "e2", says: func(id connector.ID) []*connector.Record { return []*connector.Record{off(pushed(2, "e2", id))} }, want: connector.Inactive},
		"deleted":                            {before: true, asks: "e2", says: func(id connector.ID) []*connector.Record { return []*connector.Record{gone(pushed(2, "e2", id))} }, want: connector.Inactive},
		"called something else, and deleted": {before: true, asks: "e2", says: func(id connector.ID) []*connector.Record {
			return []*connector.Record{off(pushed(2, "e9", id)), gone(pushed(2, "e9", id))}
		}, want: connector.Inactive},
		"asked under another name, and deleted": {before: true, asks: "e8", says: func(id connector.ID) []*connector.Record { return []*connector.Record{gone(pushed(2, "e2", id))} }, want: connector.Inactive},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := crowded(t)
			id := connector.NewID(w.now)
			if test.before {
				w.submit("idp", off(pushed(2, "e2", id)))
			}
			w.wants(pushed(2, test.asks, id))
			for _, rec := range test.says(id) {
				w.now = w.now.Add(time.Minute)
				if ch := w.submit("idp", rec); ch.Action == connector.Failed {
					t.Fatalf("%+v", ch.Failures)
				}
			}
			w.wants(pushed(3, "e3", connector.NewID(w.now)))
			w.frees()
			if w.state("u0002") != test.want || w.state("u0003") != connector.Verified {
				t.Errorf("u0002 is %q, u0003 is %q", w.state("u0002"), w.state("u0003"))
			}
			if w.waiting() != 0 || len(w.items()) != 0 {
				t.Errorf("%d waiting, %+v", w.waiting(), w.items())
			}
		})
	}
}

// A place that leads to nobody stops nobody behind it.
func TestPlacesOfNobodyStopNobody(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(w *world){
		"the user is deleted": func(w *world) {
			if _, err := w.prov.Delete(w.t.Context(), command(w, "u0002")); err != nil {
				w.t.Fatal(err)
			}
		},
		"the source is not configured any more": func(w *world) {
			w.org.Sources[len(w.org.Sources)-1].ID = "new"
			w.maps["new"] = w.maps["idp"]
			w.rebuild()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := crowded(t)
			id := connector.NewID(w.now)
			was := pushed(2, "", id)
			was.Enabled = connector.EnabledNo
			if name == "the user is deleted" {
				w.submit("idp", was)
			}
			w.wants(pushed(2, "", id))
			source := "idp"
			if end(w); w.org.Source("idp") == nil {
				source = "new"
			}
			if ch := w.submit(source, pushed(3, "e3", connector.NewID(w.now))); ch.Action != connector.Failed {
				t.Fatalf("%+v", ch)
			}
			if _, err := w.prov.Deactivate(t.Context(), command(w, "u0001")); err != nil {
				t.Fatal(err)
			}
			if w.state("u0003") != connector.Verified || w.waiting() != 0 {
				t.Errorf("u0003 is %q, %d wait", w.state("u0003"), w.waiting())
			}
		})
	}
}
