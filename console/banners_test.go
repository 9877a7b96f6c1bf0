package console_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"usherd/config"
	"usherd/connector"
	"usherd/connector/store/storetest"
	"usherd/connector/system"
)

// program is a daemon that is as a test wants it.
type program struct {
	is    system.Standing
	err   error
	asked int

	health system.Health
	file   *config.File // in force, where a test asks for it
}

func (p *program) Standing(context.Context, string) (system.Standing, error) {
	p.asked++
	return p.is, p.err
}

// What everybody should know stands above each page, the most severe first, and costs the daemon a question once in a while.
func TestBanners(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := &program{is: system.Standing{Leads: true}}
	w.daemon(p)
	b := w.as("owner")
	w.not(b.get("/runs"), `class="banners"`)

	for _, name := range []string{"a", "b", "c"} {
		w.create(name, connector.Active, func(u *connector.User) { u.Package = "standard" })
	}
	w.run(connector.ResultHeld, func(r *connector.Run) {
		r.Hold = &connector.Hold{Status: connector.HoldOpen, Removals: true, Expires: w.now.Add(24 * time.Hour)}
	})
	p.is = system.Standing{
		Leader: "dc-2", Quarantined: []string{"office"}, Disk: system.Disk{Faults: []system.Fault{{Message: "wrong"}}},
		Ends: []system.Ending{
			{Name: "console.tls", Ends: w.now.Add(20 * 24 * time.Hour)},
			{Source: "idp", Name: "<b>CN=\u202eidp</b>", Ends: w.now.Add(-50 * time.Hour)},
			{Name: "far", Ends: w.now.AddDate(1, 0, 0)},
		},
	}
	k := connector.Token{
		ID: connector.NewID(w.now), Org: "acme", Source: "office", Kind: connector.BearerToken, Name: "=nightly", Scopes: []string{"scim"},
		CreatedAt: w.now, EndsAt: w.now.Add(3 * 24 * time.Hour),
	}
	k.Draw()
	if err := w.db.AddToken(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(time.Minute)
	a := b.get("/")
	w.want(a, http.StatusOK, `class="banners"`, "1 run waits for approval.", "The source office is in quarantine", "has faults: a reload", "This replica stands by: dc-2",
		"The token =nightly ends in 2 days", "The certificate console.tls ends in 19 days", "idp&lt;/b&gt; of idp has ended", "No seat of Standard is free.")
	w.not(a, "<b>CN", "more is on the overview", "certificate far")
	if at := strings.Index(a.text, "has ended"); at > strings.Index(a.text, "stands by") {
		t.Error("what is over does not stand before what goes on")
	}
	asked := p.asked
	a = b.get("/users")
	w.want(a, http.StatusOK, "4 more are on the overview.", "1 run waits for approval.")
	if p.asked != asked {
		t.Error("the daemon is asked for each page")
	}
	w.now = w.now.Add(time.Minute)
	p.err = errors.New("out of order")
	w.not(b.get("/users"), `class="banners"`)
	p.err, p.is = nil, system.Standing{}
	w.want(b.get("/users"), http.StatusOK, "No replica leads at the moment")
}

// daemon gives the console somebody to ask.
func (w *world) daemon(p system.Program) {
	w.program = p
	w.serve(address)
}

// Until a directory was read for the first time, the overview leads there; then it tells what failed and what comes up.
func TestOverviewLeadsToTheFirstRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := &program{is: system.Standing{Leads: true, Next: map[string]time.Time{"office": w.now.Add(2 * time.Hour)}}}
	w.daemon(p)
	b := w.as("operator")
	a := b.get("/")
	w.want(a, http.StatusOK, "Before the first run", `<span class="pill good">done</span> The configuration file`, `/runs/start?what=office&#43;preview`, "Start the first run", "in 2 hours",
		"Nobody has failed", "Nothing ends within the next 30 days")
	helpdesk := w.as("helpdesk").get("/")
	w.want(helpdesk, http.StatusOK, "Start the first run")
	w.not(helpdesk, "/runs/start")

	w.run(connector.ResultOK, func(r *connector.Run) { r.Mode = connector.ModePreview })
	p.is.Disk.Error = "gone"
	w.now = w.now.Add(time.Minute)
	a = b.get("/")
	w.want(a, http.StatusOK, `<span class="pill good">done</span> Make a preview`)
	w.not(a, `done</span> The configuration file`)
	w.run(connector.ResultPartial)
	p.is.Ends = []system.Ending{{Name: "sso.tls", Ends: w.now.Add(10 * 24 * time.Hour)}}
	w.fails("office", storetest.Fail(1, connector.EmailTaken), storetest.Fail(2, connector.EmailTaken))
	w.now = w.now.Add(time.Minute)
	a = b.get("/")
	w.want(a, http.StatusOK, "<code>email_taken</code>", `<td class="num">2</td>`, "reason=email_taken", "Certificate sso.tls ends", "in 9 days")
	w.not(a, "Before the first run")
	w.now = w.now.Add(24 * time.Hour)
	w.want(w.as("operator").get("/"), http.StatusOK, "Nobody has failed within the last 24 hours")
}
