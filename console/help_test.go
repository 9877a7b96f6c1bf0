package console_test

import (
	"net/http"
	"testing"
)

// The page of help names each list with its filters and each key, and is reached from each page.
func TestHelp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as("auditor")
	w.want(b.get("/"), http.StatusOK, `href="/admin/help" data-help`)
	w.want(b.get("/help"), http.StatusOK, `<a href="/admin/failures">Failures</a></dt><dd><code>code:  reason:  source:</code>`, `href="/admin/scim/requests"`, "<kbd>g</kbd> <kbd>p</kbd> </dt><dd>People",
		"<kbd>x</kbd> </dt><dd>tick the row", `href="/admin/errors/31"`)
	w.want(b.get("/help?lang=pl"), http.StatusOK, "Klawisze")
}
