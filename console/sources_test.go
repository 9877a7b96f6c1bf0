package console_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/connector/schedule"
	"usherd/connector/sources"
)

func (r *runner) Sources(context.Context, string) ([]connector.SourceStanding, error) {
	return r.standings, nil
}

func (r *runner) Check(ctx context.Context, org, source string, tell func(connector.CheckStep)) (bool, error) {
	r.asked = append(r.asked, "check "+org+" "+source)
	walk := func(context.Context) (bool, error) {
		ok := true
		for _, s := range r.steps {
			tell(s)
			ok = ok && s.Err == nil
		}
		return ok, r.err
	}
	if r.desk == nil {
		return walk(ctx)
	}
	return r.desk.Test(ctx, sources.Key{Org: org, Source: source}, walk)
}

// ask asks a directory, at the desk where there is one.
func (r *runner) ask(ctx context.Context, org, source string, question func(ctx context.Context) error) error {
	if r.desk == nil {
		return question(ctx)
	}
	return r.desk.Ask(ctx, sources.Key{Org: org, Source: source}, question)
}

func (r *runner) Explain(ctx context.Context, org, source, key string) (p *provision.Person, err error) {
	r.asked = append(r.asked, fmt.Sprintf("explain %s %s %s", org, source, key))
	err = r.ask(ctx, org, source, func(ctx context.Context) (err error) {
		p, err = r.explain(ctx, key)
		return err
	})
	return p, err
}

func (r *runner) Browse(ctx context.Context, org, source string, q connector.BrowseRequest) (page connector.BrowsePage, err error) {
	r.asked = append(r.asked, fmt.Sprintf("browse %s %s %+v", org, source, q))
	err = r.ask(ctx, org, source, func(ctx context.Context) error {
		if r.asking != nil {
			return r.asking(ctx)
		}
		page = r.level
		return r.err
	})
	return page, err
}

// office says of the source what a configuration would.
func (w *world) office() {
	w.t.Helper()
	times, faults := schedule.Parse(schedule.Config{Cron: "30 6 * * 1-5", Timezone: "Europe/Stockholm", Jitter: connector.Duration(5 * time.Minute)})
	if len(faults) > 0 {
		w.t.Fatal(faults)
	}
	w.set.Organizations[0].Sources = map[string]*sources.Source{"office": {Schedule: times, Server: true, File: "usherd.yaml", Settings: []sources.Setting{
		{Key: "directory.servers", Value: "[ldaps://dc1.acme.test, ldaps://dc2.acme.test]", Line: 12},
		{Key: "directory.bind.user", Value: `<b>cn=reader</b>`, Line: 14},
		{Key: "directory.bind.password", Value: "{file: word}", Line: 15},
		{Key: "directory.bases", Value: "[dc=acme,dc=test]", Line: 17},
		{Key: "guard.min", Value: "5", Line: 30},
	}}}
}

func TestSourcesAtNoneOneAndManyRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as("operator")
	w.want(b.get("/sources"), http.StatusOK, `href="/admin/sources/office"`, "Never run", `href="/admin/sources/office/preview"`)
	w.want(b.get("/sources/office"), http.StatusOK, "No run yet. Test the connection")
	w.want(b.get("/sources/nowhere"), http.StatusNotFound, "No such source")
	w.want(w.as("root").get("/sources?org=other"), http.StatusOK, "Organisationen har inga källor")
	w.office()
	at := w.now.Add(-time.Hour)
	w.runner.standings = []connector.SourceStanding{{Org: "acme", Source: "office", Type: "openldap", Status: "ok", Follows: "every 2m", People: 4812, LastFull: &at}}
	for range 12 {
		w.aRun(0, nil)
	}
	a := b.get("/sources/office")
	w.want(a, http.StatusOK, `<span class="pill good">OK</span>`, "4,812", "every 2\u00a0min", "ldaps://dc2.acme.test", "Last runs: 12 of 12 OK", `href="/admin/runs?quiet=1&amp;source=office"`, "Next read", "Test connection…")
	if n := strings.Count(a.text, "<tr>"); n != 11 {
		t.Errorf("%d rows", n)
	}
	w.not(w.as("auditor").get("/sources/office"), "Run now", "Test connection…")
	w.aRun(0, func(r *connector.Run) { r.Result, r.Finished = connector.ResultRunning, time.Time{} })
	w.want(b.get("/sources"), http.StatusOK, "Running", `hx-trigger="every 10s"`)
}

func TestASourceThatFailsAndOneThatWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.office()
	held := w.aRun(0, nil)
	next, since := w.now.Add(40*time.Minute), w.now.Add(-3*time.Hour)
	w.runner.standings = []connector.SourceStanding{{
		Org: "acme", Source: "office", Status: "quarantined", Failures: 4, Since: &since, NextTry: &next, Error: "bind: <i>refused</i> =cmd", Hint: "correct the password",
		Held: held.ID.String(), HeldWhy: "82 removals are more than 10",
	}}
	b := w.as("operator")
	a := b.get("/sources/office")
	w.want(a, http.StatusOK, `<span class="pill bad">Quarantined</span>`, "bind: &lt;i&gt;refused&lt;/i&gt; =cmd", "correct the password", "in 40 minutes", "3 hours ago", "82 removals",
		`href="/admin/runs/`+held.ID.String()+`"`, "<textarea readonly")
	w.not(a, "<i>refused")
	w.want(b.get("/sources"), http.StatusOK, "Quarantined", "correct the password")
	w.runner.standings[0].Status = "waits_for_approval"
	w.want(b.get("/sources"), http.StatusOK, `<span class="pill wait">Held</span>`)
	w.runner.standings[0].Status = "signs in"
	w.want(b.get("/sources"), http.StatusOK, "People sign in")
}

func TestRunsAreStartedAtTheirSource(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.org.Sources = append(w.org.Sources, connector.SourceSettings{ID: "idp", Kind: connector.SCIM})
	b := w.as("operator")
	w.want(b.get("/sources/office/run"), http.StatusOK, "more waits for approval")
	for _, mode := range []string{"run", "preview"} {
		if a := b.post("/sources/office/"+mode, nil); !strings.HasPrefix(a.to(), "/admin/runs/") {
			t.Error(a.StatusCode, a.to())
		}
		w.want(w.as("helpdesk").get("/sources/office/"+mode), http.StatusForbidden)
		w.want(b.get("/sources/idp/"+mode), http.StatusOK, "Nothing can be read from this source")
	}
	if want := []string{"sync acme office full by console:operator", "sync acme office preview by console:operator"}; !slices.Equal(w.runner.asked, want) {
		t.Error(w.runner.asked)
	}
}

func TestConnectionTestTellsEachStepWithItsRemedy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.office()
	b := w.as("operator")
	w.want(b.get("/sources/office/connection"), http.StatusOK, "directory.bind.user", "&lt;b&gt;cn=reader", "usherd.yaml:14", "{file: word}", `href="/admin/sources/office/test"`)
	w.not(w.as("auditor").get("/sources/office/connection"), "/test")
	w.not(b.get("/sources/office/connection"), "guard.min")
	w.runner.steps = []connector.CheckStep{
		{Name: "resolve", Server: "ldaps://dc1.acme.test", Detail: "192.0.2.7; 192.0.2.8", Took: 1500 * time.Microsecond},
		{Name: "bind", Server: "ldaps://dc1.acme.test", Took: 20 * time.Millisecond, Err: &connector.Error{
			Kind: connector.Denied, Op: "ldapsync: bind", Err: errors.New("invalid <credentials> (49)"), Hint: "correct the password of the service account",
		}},
	}
	w.want(b.get("/sources/office/test"), http.StatusOK, "Nothing is changed")
	if len(w.runner.asked) > 0 {
		t.Error("a page asks by itself:", w.runner.asked)
	}
	a := b.post("/sources/office/test", nil)
	w.want(a, http.StatusOK, "The way does not lead there", "Resolve the name", "1.5 ms", "192.0.2.8", "invalid &lt;credentials&gt; (49)", "<code>denied</code>", "correct the password of the service account", "what to do:")
	w.runner.steps = w.runner.steps[:1]
	w.want(b.post("/sources/office/test", nil), http.StatusOK, "The way leads there")
	w.set.Organizations[0].Sources = nil
	w.want(b.get("/sources/office/test"), http.StatusOK, "There is no server behind this source")
	w.want(b.post("/sources/office/test", nil), http.StatusConflict, "Nothing to ask")
	w.want(w.as("helpdesk").get("/sources/office/test"), http.StatusForbidden)
}
