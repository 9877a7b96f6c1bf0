package console_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/connector/sources"
	"usherd/internal/webdriver"
)

// runner notes what it is asked to do.
type runner struct {
	asked []string
	part  connector.Part
	first bool

	person *provision.Person // what a retry comes to, nil = it finds nobody
	err    error

	standings []connector.SourceStanding
	steps     []connector.CheckStep                       // of a connection test
	asking    func(ctx context.Context) error             // what a directory does before it answers; nil = nothing
	retry     func(key string) (*provision.Person, error) // nil = person and err
	explain   func(ctx context.Context, key string) (*provision.Person, error)
	level     connector.BrowsePage
	desk      *sources.Desk // where directories are asked, as the daemon's runner does; nil = at none
}

func (r *runner) Sync(_ context.Context, org, source string, mode connector.Mode, actor string) (connector.ID, error) {
	r.asked = append(r.asked, fmt.Sprintf("sync %s %s %s by %s", org, source, mode, actor))
	return connector.ID{1}, nil
}

func (r *runner) AcceptGroups(_ context.Context, org, source, digest, actor string) (connector.ID, error) {
	r.asked = append(r.asked, fmt.Sprintf("accept %s of %s %s by %s", digest, org, source, actor))
	return connector.ID{3}, nil
}

func (r *runner) Approve(ctx context.Context, held *connector.Run, part connector.Part, actor string) (connector.ID, bool, error) {
	r.asked, r.part = append(r.asked, fmt.Sprintf("approve by %s because %s", actor, connector.ActorOf(ctx).Reason)), part
	return held.ID, r.first, nil
}

func (r *runner) Rollback(_ context.Context, org string, req provision.RollbackRequest) (connector.ID, error) {
	r.asked = append(r.asked, fmt.Sprintf("rollback %s %s %v by %s", org, req.Run.Short(), req.Apply, req.Actor))
	return connector.ID{2}, nil
}

func (r *runner) Retry(_ context.Context, org, source, key, actor string) (*provision.Person, error) {
	r.asked = append(r.asked, fmt.Sprintf("retry %s %s %s by %s", org, source, key, actor))
	if r.retry != nil {
		return r.retry(key)
	}
	if r.person == nil {
		return &provision.Person{}, r.err
	}
	return r.person, r.err
}

func (*runner) Progress(connector.ID) (provision.Progress, bool) {
	return provision.Progress{Phase: "read", Done: 430, Total: 1000}, true
}

// aRun writes a run that created people, and keeps what it did not do.
func (w *world) aRun(people int, edit func(r *connector.Run), kept ...*connector.Change) *connector.Run {
	w.t.Helper()
	w.now = w.now.Add(time.Minute)
	r := &connector.Run{
		ID: connector.NewID(w.now), Org: "acme", Source: "office", Mode: connector.ModeFull, Actor: connector.ActorSchedule, Result: connector.ResultOK,
		Started: w.now, Finished: w.now.Add(2 * time.Second), Entries: 100, Server: "ldaps://dc1.acme.test",
		Phases: []connector.Phase{{Name: "read", Took: 1500 * time.Millisecond}, {Name: "apply", Took: 500 * time.Millisecond}},
	}
	r.Counts.Created = people
	for _, ch := range kept {
		r.Counts.Add(ch)
	}
	if edit != nil {
		edit(r)
	}
	ctx, cause := w.t.Context(), connector.Cause{Kind: connector.CauseRun, Run: r.ID, Actor: "run"}
	err := w.db.Bulk(ctx, func(tx connector.Tx) error {
		for n := range people {
			u := &connector.User{ID: connector.NewID(w.now), Org: "acme", State: connector.NotVerified, CreatedAt: w.now, Version: 1, Profile: connector.Profile{}}
			u.Profile.Set(connector.UserName, fmt.Sprintf("p%03d-%s", n, r.ID.Short()))
			ch := &connector.Change{
				Action: connector.Created, Org: "acme", Source: "office", Subject: u.UserName(), After: u, Fields: connector.Diff(nil, u),
				Transitions: []connector.Transition{{To: u.State, Signal: "created"}},
			}
			errs, err := tx.Save(ctx, []*connector.Change{ch}, cause, w.now)
			if err != nil || errs[0] != nil {
				return fmt.Errorf("%w %w", err, errs[0])
			}
		}
		if err := tx.PutOutcomes(ctx, r.ID, kept); err != nil {
			return err
		}
		return tx.PutRun(ctx, r)
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func failed(name string, reason connector.Reason) *connector.Change {
	return &connector.Change{
		Action: connector.Failed, Org: "acme", Source: "office", Subject: name,
		Failures: []connector.Failure{{Code: connector.CodeCreation, Reason: reason, Fields: []string{connector.FamilyName}, Org: "acme", Source: "office", Subject: name}},
	}
}

func held(name string) *connector.Change {
	return &connector.Change{
		Action: connector.Deactivated, Org: "acme", Source: "office", Subject: name, Held: true, Removal: true,
		Transitions: []connector.Transition{{From: connector.Active, To: connector.Inactive, Signal: "gone"}},
		Fields:      []connector.FieldChange{{Field: connector.FieldState, Before: []string{"active"}, After: []string{"inactive"}}},
	}
}

func waits(r *connector.Run) {
	r.Result = connector.ResultHeld
	r.Hold = &connector.Hold{Reason: "2 removals are more than 1", Removals: true, Status: connector.HoldOpen, Expires: r.Started.Add(24 * time.Hour), Digest: "d"}
}

func runPath(r *connector.Run, more string) string { return "/runs/" + r.ID.String() + more }

// runRows are the rows of the list of runs.
var runRows = regexp.MustCompile(`<tr id="run-([0-9a-f-]+)"`)

func TestRunsAreListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as("owner")
	w.want(b.get("/runs"), http.StatusOK, "No run fits")
	quiet := w.aRun(0, nil)
	full := w.aRun(2, nil, failed("bob", connector.RequiredMissing))
	w.aRun(1, func(r *connector.Run) { r.Source = "other" })
	a := b.get("/runs")
	w.want(a, http.StatusOK, full.ID.String(), "1 run that changed nobody is hidden", "schedule", "full run", "office")
	w.not(a, `id="run-`+quiet.ID.String())
	w.want(b.get("/runs?quiet=1"), http.StatusOK, quiet.ID.String())
	w.not(b.get("/runs?source=other"), full.ID.String())
	w.want(b.get("/runs?result=failed"), http.StatusOK, "No run fits")
	w.want(b.get("/runs?source=nobody"), http.StatusOK, "No run fits")
}

func TestListOfRunsHasPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	want := map[string]bool{}
	for i := range 120 {
		r := w.aRun(0, func(r *connector.Run) {
			if i%3 == 0 {
				r.Result = connector.ResultFailed
			}
		})
		if i%3 == 0 {
			want[r.ID.String()] = true
		}
	}
	if got := w.walk(w.as("owner"), "/runs?result=failed", runRows); len(got) != len(want) {
		t.Errorf("%d of %d", len(got), len(want))
	}
}

var nextLink = regexp.MustCompile(`rel="next" href="/admin([^"]+)"`)

// walk goes through all pages of a list, and returns what each row is.
func (w *world) walk(b *browser, page string, row *regexp.Regexp) map[string]bool {
	w.t.Helper()
	got := map[string]bool{}
	for range 20 {
		a := b.get(page)
		w.want(a, http.StatusOK)
		for _, m := range row.FindAllStringSubmatch(a.text, -1) {
			if got[m[1]] {
				w.t.Errorf("%s is there twice", m[1])
			}
			got[m[1]] = true
		}
		m := nextLink.FindStringSubmatch(a.text)
		if m == nil {
			return got
		}
		page = strings.ReplaceAll(m[1], "&amp;", "&")
	}
	w.t.Fatal("the list has no end")
	return nil
}

func TestReportOfARun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	kept := []*connector.Change{
		failed("bob", connector.RequiredMissing), failed("<b>eve</b>", connector.RequiredMissing), failed("zoe", connector.NoSeat), held("carol"), held("dave"),
		{Action: connector.Skipped, Org: "acme", Source: "office", Subject: "dan", Skip: connector.SkipProtected},
	}
	r := w.aRun(70, waits, kept...)
	b := w.as("operator")
	a := b.get(runPath(r, "")) // what asks for a decision comes first
	w.want(a, http.StatusOK, "2 removals are more than 1", "carol", "dave", "waits for a decision", "Approve…", "Reject…", "ldaps://dc1.acme.test")
	a = b.get(runPath(r, "?tab=failures"))
	w.want(a, http.StatusOK, "2 ×", "1 ×", "required_missing", "no_seat", "Auto account creation failed (31)", "&lt;b&gt;eve&lt;/b&gt;", "Copy error text")
	w.not(a, "<b>eve</b>", "carol")
	w.want(b.get(runPath(r, "?tab=skipped")), http.StatusOK, "dan", "protected")
	rows := w.walk(b, runPath(r, "?tab=changes"), regexp.MustCompile(`/users/([0-9a-f-]+)"><bdi>`))
	if len(rows) != 70 {
		t.Errorf("%d people were created, 70 are listed", len(rows))
	}
	w.want(b.get(runPath(r, "?tab=changes&action=deleted")), http.StatusOK, "Nobody here")
	w.not(w.as("auditor").get(runPath(r, "")), "carol", "Approve…")
	w.want(b.get("/runs/nonsense"), http.StatusNotFound)
	w.want(b.get("/runs/"+connector.ID{9}.String()), http.StatusNotFound)
	foreign := w.aRun(0, func(r *connector.Run) { r.Org = "other" })
	w.want(b.get(runPath(foreign, "")), http.StatusNotFound)
	w.want(b.get(runPath(foreign, "/export/report.csv")), http.StatusNotFound)
	running := w.aRun(0, func(r *connector.Run) { r.Result, r.Finished = connector.ResultRunning, time.Time{} })
	w.want(b.get(runPath(running, "")), http.StatusOK, `content="3"`, "43 %", "430")
}

func TestReportsAreTakenAlong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.aRun(1, nil, failed("=cmd|' /C calc'!A0", connector.NoSeat))
	b := w.as("owner")
	a := b.get(runPath(r, "/export/report.csv"))
	w.want(a, http.StatusOK, "'=cmd|")
	if a.Header.Get("Content-Disposition") == "" || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/csv") {
		t.Error(a.Header)
	}
	w.want(b.get(runPath(r, "/export/report.json")), http.StatusOK, `"counts"`)
	w.want(b.get(runPath(r, "/export/report.html")), http.StatusOK, "<html")
	w.want(b.get(runPath(r, "/export/passwd")), http.StatusNotFound)
	w.want(w.as("auditor").get(runPath(r, "/export/report.csv")), http.StatusForbidden)
	entries, err := w.db.Audit(t.Context(), connector.AuditQuery{Org: "acme", Action: connector.AuditExported})
	if err != nil || len(entries) != 3 || entries[0].Target != "run "+r.ID.String() || entries[0].Actor.Name != "console:owner" {
		t.Errorf("%v %+v", err, entries)
	}
}

func TestHeldRunsAreDecided(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var many []*connector.Change
	for n := range 30 {
		many = append(many, held(fmt.Sprintf("gone%d", n)))
	}
	r := w.aRun(0, waits, many...)
	b := w.as("owner")
	w.want(b.get(runPath(r, "/approve")), http.StatusOK, "2 removals are more than 1", `name="count"`)
	w.want(b.post(runPath(r, "/approve"), url.Values{"count": {"29"}}), http.StatusUnprocessableEntity, "Type how many people")
	w.want(b.post(runPath(r, "/approve"), url.Values{"count": {"30"}, "only": {"a"}, "except": {"b"}}), http.StatusUnprocessableEntity, "Say either")
	a := b.post(runPath(r, "/approve"), url.Values{"count": {"30"}, "except": {"gone1\r\n\r\n gone2 \n"}, "action": {"deactivated"}, "reason": {"they left"}})
	if a.to() != "/admin"+runPath(r, "") || len(w.runner.asked) != 1 || w.runner.asked[0] != "approve by console:owner because they left" {
		t.Errorf("%d %s %q", a.StatusCode, a.to(), w.runner.asked)
	}
	if p := w.runner.part; strings.Join(p.Except, "|") != "gone1|gone2" || p.Action != connector.Deactivated || len(p.Only) > 0 {
		t.Errorf("%+v", p)
	}
	if a = b.post(runPath(r, "/reject"), url.Values{"reason": {"no"}}); a.StatusCode != http.StatusSeeOther {
		t.Fatal(a.StatusCode, a.text)
	}
	w.want(b.get(runPath(r, "")), http.StatusOK, "rejected by console:owner", "What waited was dropped.")
	w.want(b.get(runPath(r, "/approve")), http.StatusConflict)
	w.want(b.post("/runs/start", url.Values{"choice": {"office preview"}}), http.StatusSeeOther)
	done := w.aRun(1, nil)
	w.want(b.post(runPath(done, "/rollback"), nil), http.StatusSeeOther)
	if got := strings.Join(w.runner.asked[1:], "\n"); got != "sync acme office preview by console:owner\nrollback acme "+done.ID.Short()+" false by console:owner" {
		t.Error(got)
	}
}

// The pages of runs in a real browser: none has it complain.
func TestRunsInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for n := range 40 {
		w.aRun(n%3, func(r *connector.Run) {
			r.Started = r.Started.AddDate(0, 0, n*n/55-29)
			r.ID, r.Finished = connector.NewID(r.Started), r.Started.Add(time.Duration(20+n*7%13)*time.Second)
			r.Result = []connector.Result{connector.ResultOK, connector.ResultOK, connector.ResultPartial, connector.ResultOK, connector.ResultFailed, connector.ResultCancelled}[n%6]
		})
	}
	w.aRun(3, func(r *connector.Run) {
		r.Result, r.Finished, r.Actor = connector.ResultRunning, time.Time{}, "console:ann"
	})
	r := w.aRun(5, waits, failed("bob", connector.RequiredMissing), failed(strings.Repeat("long ", 60), connector.NoSeat), held("carol"), held("\u202eשלום עולם"))
	broken := w.aRun(0, func(r *connector.Run) {
		r.Result, r.Error, r.Hint = connector.ResultFailed, "ldap: no server answers: dial tcp 10.0.0.1:636: connect: connection refused", "see whether the servers run: usherd check --connect"
	})
	groups := w.aRun(1, func(r *connector.Run) {
		r.Groups = connector.GroupCounts{Deleted: 9, MembersRemoved: 1200}
		r.GroupHold = &connector.GroupHold{Reason: "9 groups would be deleted, more than 5 and 5 % of 20 groups", Digest: "0a1b2c3d4e5f6071"}
	})
	w.fails("office", failed("bob", connector.RequiredMissing), failed(strings.Repeat("eve ", 30), connector.NoSeat))
	w.create("pia", connector.Verified, func(u *connector.User) { u.PendingApproval = true })
	if err := w.db.AddDomain(t.Context(), connector.Domain{Org: "acme", Name: "example.com", Token: "t0k3n", AddedAt: w.now, LastError: "example.com has no TXT record"}); err != nil {
		t.Fatal(err)
	}
	srv := w.listens()
	b := webdriver.Start(t).Browser(t, true, "en")
	enter(b, srv.URL, "/runs", "owner")
	for name, page := range map[string]string{
		"runs": "/runs", "run-held": runPath(r, ""), "run-failures": runPath(r, "?tab=failures"), "run-changes": runPath(r, "?tab=changes"), "run-broken": runPath(broken, ""), "run-groups": runPath(groups, ""),
		"compare": "/runs/compare?a=" + r.ID.String() + "&b=" + groups.ID.String(), "runs-filtered": "/runs?trigger=schedule&from=2026-02-01",
		"domains": "/domains", "domain": "/domains/of/example.com", "domain-effect": "/domains/of/example.com/effect", "domain-add": "/domains/add",
		"errors": "/errors", "error31": "/errors/31", "audit": "/audit", "audit-verify": "/audit/verify", "failures": "/failures", "approvals": "/approvals", "approve": runPath(r, "/approve"), "start": "/runs/start", "rollback": runPath(r, "/rollback"),
	} {
		b.Open(srv.URL + page)
		if b.Text("h1") == "" {
			t.Error(page)
		}
		shoot(t, b, srv.URL, page, name)
	}
	if faults := b.Faults(); len(faults) > 0 {
		t.Error(faults)
	}
}
