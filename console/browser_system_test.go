package console_test

import (
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/clients"
	"usherd/connector/sources"
	"usherd/connector/store/storetest"
	"usherd/connector/system"
	"usherd/internal/webdriver"
)

// Overview and banners in a real browser, which has nothing to complain about.
func TestTourOfTheSystemInABrowser(t *testing.T) {
	t.Parallel()
	d := webdriver.Start(t)
	w := newWorld(t)
	w.program = busyDaemon(t, w)
	for id, text := range map[string]string{"first": configText, "second": strings.NewReplacer("percent: 5", "percent: 7", "[dc=acme]", "[dc=acme, ou=x]").Replace(configText)} {
		if err := w.db.PutRevision(t.Context(), connector.Revision{ID: id, At: w.now, Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a", "b", "c"} {
		w.create(name, connector.Active, func(u *connector.User) { u.Package = "standard" })
	}
	for range 3 {
		w.run(connector.ResultOK)
	}
	w.fails("office", storetest.Fail(1, connector.EmailTaken), storetest.Fail(2, connector.RequiredMissing))
	w.run(connector.ResultHeld, func(r *connector.Run) {
		r.Hold = &connector.Hold{Status: connector.HoldOpen, Removals: true, Expires: w.now.Add(24 * time.Hour)}
	})
	w.signsIn("entra", &sources.SignOn{})
	w.pushesAs("okta", clients.Settings{Profile: clients.Auto})
	w.tried(60, nil)
	w.asked(500, nil)
	srv := w.listens()
	b := d.Browser(t, true, "en")
	enter(b, srv.URL, "/", "owner")
	if got := b.Text(".banners .bad"); !strings.Contains(got, "1 run waits for approval.") {
		t.Error(got)
	}
	shoot(t, b, srv.URL, "/", "sys-overview")
	shoot(t, b, srv.URL, "/users", "sys-banners")
	shoot(t, b, srv.URL, "/config", "sys-config")
	shoot(t, b, srv.URL, "/system", "sys-system")
	shoot(t, b, srv.URL, "/system/diagnostics", "sys-diagnostics")
	shoot(t, b, srv.URL, "/config/revisions", "sys-revisions")
	shoot(t, b, srv.URL, "/config/diff?a=first&b=second", "sys-diff")
	if faults := b.Faults(); len(faults) > 0 {
		t.Error(faults)
	}
}

// busyDaemon is one with much to tell.
func busyDaemon(t *testing.T, w *world) *program {
	t.Helper()
	return &program{file: parsed(t), health: sick(w), is: system.Standing{
		Leader: "dc-sync-2.example.com 4711 ABCD", Quarantined: []string{"office"},
		Next: map[string]time.Time{"office": w.now.Add(2 * time.Hour)},
		Disk: system.Disk{Path: "/etc/usherd/usherd.yaml", Faults: []system.Fault{{
			File: "/etc/usherd/usherd.yaml", Line: 12, Column: 7, Path: "organizations[0].sources[0].kind", Message: `"ldap" is none of these words: directory, scim`,
		}}},
		Ends: []system.Ending{{Name: "console.tls", Ends: w.now.Add(20 * 24 * time.Hour)}, {Source: "idp", Name: "CN=idp.example.com", Ends: w.now.Add(2 * 24 * time.Hour)}},
	}}
}
