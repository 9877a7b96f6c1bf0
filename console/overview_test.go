package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/clients"
	"usherd/connector/sources"
)

// run keeps a run of the source office.
func (w *world) run(result connector.Result, more ...func(*connector.Run)) *connector.Run {
	w.t.Helper()
	r := &connector.Run{
		ID: connector.NewID(w.now), Org: "acme", Source: "office", Mode: connector.ModeFull, Actor: connector.ActorSchedule, Result: result, Started: w.now,
		Counts: connector.Counts{Created: 14, Updated: 1203, Failed: 2},
	}
	if result != connector.ResultRunning {
		r.Finished = w.now.Add(103 * time.Second)
	}
	for _, f := range more {
		f(r)
	}
	if err := w.db.Write(w.t.Context(), func(tx connector.Tx) error { return tx.PutRun(w.t.Context(), r) }); err != nil {
		w.t.Fatal(err)
	}
	w.now = w.now.Add(5 * time.Minute)
	return r
}

func TestOverview(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as("auditor")
	w.want(b.get("/"), http.StatusOK, "Never run", "<strong>0</strong> <span>Active</span>", "of 3 free")
	w.create("ann", connector.Active, func(u *connector.User) { u.Package = "standard" })
	w.create("bob", connector.Active, func(u *connector.User) { u.PendingApproval = true })
	w.run(connector.ResultOK)
	w.run(connector.ResultFailed, func(r *connector.Run) { r.Error = "<b>no answer</b>" })
	w.run(connector.ResultHeld, func(r *connector.Run) {
		r.Hold = &connector.Hold{Status: connector.HoldOpen, Removals: true, Expires: w.now.Add(24 * time.Hour)}
	})
	a := b.get("/")
	w.want(a, http.StatusOK, "<strong>2</strong> <span>Active</span>", "<strong>2</strong> <span>Standard</span>", "<strong>1</strong> <span>accounts to approve</span>",
		"<strong>1</strong> <span>held runs</span>", "Last runs: 1 of 3 OK", "1 m 43 s", "1,203 updated", "5 minutes ago", "Held")
	w.not(a, "hx-get", "<b>no")
	run := w.run(connector.ResultRunning)
	a = b.get("/")
	w.want(a, http.StatusOK, "Running", `hx-get="/admin/" hx-trigger="every 10s"`, `<noscript><meta http-equiv="refresh" content="10">`)
	part := b.send(http.MethodGet, "/", nil, http.Header{"Hx-Request": {"true"}, "Hx-Target": {"live"}})
	if strings.Contains(part.text, "<html") || !strings.Contains(part.text, "Running") || part.Header.Get("HX-Refresh") != "" {
		t.Errorf("%v\n%s", part.Header, part.text)
	}
	run.Result, run.Finished = connector.ResultOK, w.now
	w.run(connector.ResultOK, func(r *connector.Run) { *r = *run })
	if part = b.send(http.MethodGet, "/", nil, http.Header{"Hx-Request": {"true"}, "Hx-Target": {"live"}}); part.Header.Get("HX-Refresh") != "true" {
		t.Errorf("%v", part.Header)
	}
	w.now = w.now.Add(31 * time.Minute)
	if part = b.send(http.MethodGet, "/", nil, http.Header{"Hx-Request": {"true"}}); part.Header.Get("HX-Redirect") == "" {
		t.Errorf("%v", part.Header)
	}
}

func TestUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as("helpdesk")
	w.want(b.get("/users"), http.StatusOK, "There is nobody here", "Also search inactive accounts")
	for i := range 51 {
		w.create("user"+string(rune('a'+i/26))+string(rune('a'+i%26)), connector.Active)
	}
	gone := w.create("xavier", connector.Inactive, func(u *connector.User) {
		u.Profile.Set(connector.DisplayName, "<i>Xavier</i>")
		u.Resume, u.DeactivatedBy, u.DeactivatedSource, u.DeactivatedReason = connector.Verified, connector.BySource, "office", "gone"
	})
	a := b.get("/users")
	w.want(a, http.StatusOK, "Given useraa", "Given userbx", `rel="next"`)
	w.not(a, "Given userby")
	next := strings.ReplaceAll(a.text[strings.Index(a.text, `rel="next" href="`)+len(`rel="next" href="`):], "&amp;", "&")
	next = next[len("/admin"):strings.IndexByte(next, '"')]
	w.want(b.get(next), http.StatusOK, "Given userby", "First page", "1 inactive account matches on this page and is hidden", "Show them")
	w.want(b.get("/users?q=XAV"), http.StatusOK, "1 inactive account matches")
	w.want(b.get("/users?q=xav&active=any"), http.StatusOK, "&lt;i&gt;Xavier", path(gone, ""))
	w.want(b.get("/users?q=xavier@example"), http.StatusOK, "1 inactive account matches")
	w.want(b.get("/users?state=inactive"), http.StatusOK, "&lt;i&gt;Xavier")
	w.want(b.get("/users?q=nobody"), http.StatusOK, "begins with “nobody”", "Also search inactive accounts")
	w.want(b.get("/users?after=nonsense"), http.StatusConflict)
	a = b.get(path(gone, ""))
	w.want(a, http.StatusOK, "the source office", "gone", "Reactivate…", "xavier@example.com")
	w.not(a, "Deactivate…", "Delete…") // the one does not fit, the other is not a helpdesk's
	w.want(b.get("/users/nobody"), http.StatusNotFound)
	auditor := w.as("auditor")
	a = auditor.get(path(gone, ""))
	w.want(a, http.StatusOK, "x•••@example.com")
	w.not(a, "xavier", "Xavier", "Reactivate…")
	w.not(auditor.get("/users?active=any&q=xav"), "xavier", "Xavier")
}

// A package with no free seat cannot be chosen, and the store refuses it all the same.
func TestPackageOfAUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"a", "b", "c"} {
		w.create(name, connector.Active, func(u *connector.User) { u.Package = "standard" })
	}
	u := w.create("ann", connector.Active)
	b := w.as("operator")
	w.want(b.get(path(u, "/package")), http.StatusOK, `value="standard" required disabled`, "0 of 3 seats free", `value="guest" required>`)
	a := b.post(path(u, "/package"), map[string][]string{"choice": {"standard"}})
	w.want(a, http.StatusConflict, "no_seat", "Copy error text")
	if a := b.post(path(u, "/package"), map[string][]string{"choice": {"guest"}}); a.to() != "/admin"+path(u, "") || w.user("ann").Package != "guest" {
		t.Errorf("%d %s", a.StatusCode, a.to())
	}
	if a := b.post(path(u, "/package"), nil); a.to() != "/admin"+path(u, "/package") {
		t.Errorf("%d %s", a.StatusCode, a.to())
	}
	w.want(b.get(path(u, "/package")), http.StatusOK, "Let the sources decide")
	w.want(b.post(path(u, "/package"), map[string][]string{"choice": {"none of these"}}), http.StatusConflict)
}

func TestOverviewTellsWhatCameThroughTheDoors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as("auditor")
	w.not(b.get("/"), "Sign-on and pushes")
	w.signsIn("entra", &sources.SignOn{})
	w.pushesAs("okta", clients.Settings{Profile: clients.Auto})
	w.tried(7, func(i int, x *connector.Attempt) {
		if i == 6 {
			x.Code, x.Reason = 9, ""
		}
	})
	w.asked(5, func(i int, r *connector.Request) {
		if i == 0 {
			r.Status = http.StatusTooManyRequests
		}
	})
	w.want(b.get("/"), http.StatusOK, "Sign-on and pushes of the last 24 hours",
		`<a href="/admin/sso/attempts?idp=entra&amp;since=1d">7</a>`, `<a class="bad" href="/admin/sso/attempts?idp=entra&amp;result=refused&amp;since=1d">3</a>`,
		`code=31&amp;idp=entra&amp;reason=no_seat&amp;since=1d">Auto account creation failed (31) · no_seat</a> <span class="quiet">× 2</span>`, `code=9&amp;idp=entra`,
		`<a href="/admin/scim/requests?client=okta&amp;since=1d">5</a>`, `<a class="bad" href="/admin/scim/requests?client=okta&amp;since=1d&amp;status=4xx-5xx">1</a>`,
		`/admin/scim/requests?client=okta&amp;since=1d&amp;status=429">Too many at a time</a> <span class="quiet">× 1</span>`)
}
