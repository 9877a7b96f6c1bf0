package console_test

import (
	"net/http"
	"testing"

	"usherd/internal/webdriver"
)

// The page of help names each list with its filters and each key, and is reached from each page.
func TestHelp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as("auditor")
	w.want(b.get("/"), http.StatusOK, `href="/admin/help/overview" data-help`)
	w.want(b.get("/help"), http.StatusOK, `<a href="/admin/failures">Failures</a></dt><dd><code>code:  reason:  source:</code>`, `href="/admin/scim/requests"`, "<kbd>g</kbd> <kbd>p</kbd> </dt><dd>People",
		"<kbd>x</kbd> </dt><dd>tick the row", `href="/admin/errors/31"`)
	w.want(b.get("/help?lang=pl"), http.StatusOK, "Klawisze")
}

// Each page of the navigation leads to its topic by "?" and in the footer, pages below it too; a topic leads back, and says which words its lists take.
func TestTopicsOfHelp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.program = busyDaemon(t, w)
	w.serve(address)
	b, abroad := w.as("owner"), w.as("owner")
	index := b.get("/help")
	for path, topic := range map[string]string{
		"/": "overview", "/runs": "runs", "/runs/start": "runs", "/approvals": "approvals", "/failures": "failures", "/users": "users", "/users/fields": "users", "/provisioning": "provisioning",
		"/claims": "claims", "/domains": "domains", "/seats": "seats", "/seats/standard": "seats", "/sources": "sources", "/scim": "scim", "/scim/requests": "scim", "/sso": "sso",
		"/sso/attempts": "sso", "/templates": "templates", "/tokens": "tokens", "/errors/31": "errors", "/audit": "audit", "/reports": "reports", "/config": "config", "/system": "system",
	} {
		address := `href="/admin/help/` + topic + `"`
		w.want(b.get(path), http.StatusOK, `<a class="ask" `+address+` aria-label="Help: `, address+` data-help>Help: `)
		w.want(index, http.StatusOK, "<li><a "+address+">")
		for lang, same := range map[string]string{"en": "The same on the command line", "sv": "Detsamma på kommandoraden", "pl": "To samo w wierszu poleceń", "pt-BR": "O mesmo na linha de"} {
			w.want(abroad.get("/help/"+topic+"?lang="+lang), http.StatusOK, same, "<code>usherd ")
		}
	}
	w.want(b.get("/help/failures"), http.StatusOK, `<a class="button act" href="/admin/failures">Open the page</a>`, "<code>code:  reason:  source:</code>", `href="/admin/help" data-help`)
	w.want(b.get("/search"), http.StatusOK, `href="/admin/help" data-help>Help<`)
	w.want(b.get("/help/nothing"), http.StatusNotFound)
	w.want(b.get("/help/organizations"), http.StatusNotFound)
}

func TestHelpInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	srv := w.listens()
	b := webdriver.Start(t).Browser(t, true, "en")
	enter(b, srv.URL, "/failures", "owner")
	b.Click("a.ask")
	b.Await("h1", "Failures")
	b.Click(".crumbs a")
	b.Await("#topics", "Topics")
	shoot(t, b, srv.URL, "/help", "help-all")
	shoot(t, b, srv.URL, "/help/users", "help-users")
	shoot(t, b, srv.URL, "/users", "help-on-users")
	if faults := b.Faults(); len(faults) > 0 {
		t.Error(faults)
	}
}
