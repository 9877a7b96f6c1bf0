package api_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"usherd/api"
	"usherd/connector"
)

// putRun stores a run with what it kept of people.
func (w *world) putRun(edit func(r *connector.Run), kept ...*connector.Change) *connector.Run {
	w.Helper()
	r := &connector.Run{
		ID: connector.NewID(w.now()), Org: "acme", Source: "hq", Mode: connector.ModeFull, Actor: connector.ActorSchedule, Result: connector.ResultOK,
		Started: w.now(), Finished: w.now().Add(time.Second), Revision: "1",
	}
	if edit != nil {
		edit(r)
	}
	w.ok(w.db.Write(w.Context(), func(tx connector.Tx) error {
		if err := tx.PutRun(w.Context(), r); err != nil {
			return err
		}
		return tx.PutOutcomes(w.Context(), r.ID, kept)
	}))
	return r
}

func lost(name string, reason connector.Reason) *connector.Change {
	return &connector.Change{
		Action: connector.Failed, Org: "acme", Source: "hq", Subject: name, DN: "CN=" + name,
		Failures: []connector.Failure{{Code: connector.CodeCreation, Reason: reason, Org: "acme", Source: "hq", Subject: name}},
	}
}

func TestRunsAreChosen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.client("acme", connector.APIRead)
	first := w.putRun(nil)
	w.at.Add(time.Second.Microseconds())
	by := w.putRun(func(r *connector.Run) { r.Actor, r.Counts.Created = "console:ann", 3 })
	w.at.Add(time.Second.Microseconds())
	failed := w.putRun(func(r *connector.Run) { r.Result, r.Mode = connector.ResultFailed, connector.ModeChanges })
	for query, want := range map[string]*connector.Run{
		"trigger=manual": by, "changes=3": by, "loud=true&result=ok": by, "result=failed": failed, "mode=changes": failed, "until=2000-01-01T00:00:00Z": nil, "decision=open": nil,
	} {
		got := get[api.Runs](c, "/orgs/acme/runs?%s", query)
		switch {
		case want == nil && len(got.Runs) == 0:
		case want != nil && len(got.Runs) == 1 && documentID(t, got.Runs[0]) == want.ID.String():
		default:
			t.Errorf("%s: %d runs", query, len(got.Runs))
		}
	}
	for sort, want := range map[string][]*connector.Run{"started": {first, by, failed}, "-started": {failed, by, first}} {
		next := ""
		for i, run := range want {
			page := get[api.Runs](c, "/orgs/acme/runs?limit=1&sort=%s&before=%s", sort, next)
			if next = page.Next; len(page.Runs) != 1 || documentID(t, page.Runs[0]) != run.ID.String() || (next == "") != (i == 2) {
				t.Fatalf("%s: page %d: %s", sort, i, page.Runs)
			}
		}
	}
	c.want(http.StatusUnprocessableEntity, http.MethodGet, "/orgs/acme/runs?trigger=moon", nil)
}

func TestRunsAreCompared(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.client("acme", connector.APIRead)
	a := w.putRun(nil, lost("same", connector.NoSeat), lost("eve", connector.NoSeat), lost("gone", connector.EmailTaken))
	b := w.putRun(func(r *connector.Run) { r.Revision = "2" }, lost("same", connector.NoSeat), lost("eve", connector.EmailTaken), lost("new", connector.EmailTaken))
	got := get[api.Comparison](c, "/orgs/acme/runs/compare?a=%s&b=%s&limit=2", a.ID, b.ID)
	if len(got.People) != 2 || got.Next == "" || !got.SameSource || got.SameConfig || !got.Comparable || documentID(t, got.A) != a.ID.String() || documentID(t, got.B) != b.ID.String() {
		t.Fatalf("%+v", got)
	}
	if p := got.People[0]; p.Person != "eve" || p.A.Reasons[0] != connector.NoSeat || p.B.Reasons[0] != connector.EmailTaken || p.A.Action != connector.Failed {
		t.Errorf("%+v", p)
	}
	if p := got.People[1]; p.Person != "gone" || p.A == nil || p.B != nil {
		t.Errorf("%+v", p)
	}
	got = get[api.Comparison](c, "/orgs/acme/runs/compare?a=%s&b=%s&limit=2&after=%s", a.ID, b.ID, got.Next)
	if len(got.People) != 1 || got.People[0].Person != "new" || got.People[0].A != nil || got.Next != "" {
		t.Errorf("%+v", got)
	}
	foreign := w.putRun(func(r *connector.Run) { r.Org = "other" })
	c.want(http.StatusNotFound, http.MethodGet, "/orgs/acme/runs/compare?a="+a.ID.String()+"&b="+foreign.ID.String(), nil)
	c.want(http.StatusNotFound, http.MethodGet, "/orgs/acme/runs/compare?b="+a.ID.String()+"&a="+connector.ID{7}.String(), nil)
	c.want(http.StatusUnprocessableEntity, http.MethodGet, "/orgs/acme/runs/compare?a="+a.ID.String()+"&b="+b.ID.String()+"&after=eA", nil)
	c.want(http.StatusUnprocessableEntity, http.MethodGet, "/orgs/acme/runs/compare?a="+a.ID.String(), nil)
}

// documentID is the id of a run in its report.
func documentID(t *testing.T, doc json.RawMessage) string {
	t.Helper()
	var head struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(doc, &head); err != nil {
		t.Fatal(err)
	}
	return head.ID
}
