package portal_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"usherd/connector"
	"usherd/connector/store"
	"usherd/connector/store/newstore"
	"usherd/connector/store/storetest"
	"usherd/portal"
)

const address = "https://account.acme.test/usherd"

// world is a portal of two organizations with a store of its own.
type world struct {
	t      *testing.T
	now    time.Time
	db     *store.DB
	links  connector.LinkKey
	org    *connector.Organization
	server *portal.Server
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: storetest.Start(), links: connector.NewLinkKey([]byte(strings.Repeat("k", 32)))}
	var err error
	if w.db, err = store.Open(t.Context(), newstore.URL(t), store.Options{Now: func() time.Time { return w.now }}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.db.Close() })
	w.org = &connector.Organization{ID: "acme", Name: "Acme", Languages: []string{"en"}, Contact: connector.Contact{Name: "Help Desk", Email: "help@acme.test"}}
	w.server, err = portal.New(portal.Options{
		Store: w.db, Links: w.links, URL: address, Now: func() time.Time { return w.now }, Log: zap.NewNop(),
		Address: func(r *http.Request) string { return r.Header.Get("X-From") },
	})
	if err != nil {
		t.Fatal(err)
	}
	w.server.Replace([]*portal.Organization{{Settings: w.org}, {Settings: &connector.Organization{ID: "other", Name: "Other"}}})
	return w
}

// answer is what the portal says.
type answer struct {
	*http.Response
	text string
}

func (w *world) ask(r *http.Request) answer {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.server.ServeHTTP(rec, r)
	return answer{rec.Result(), rec.Body.String()}
}

func (w *world) get(target string) answer {
	w.t.Helper()
	return w.ask(httptest.NewRequest(http.MethodGet, target, nil))
}

func (w *world) post(target string, form url.Values) answer {
	w.t.Helper()
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return w.ask(r)
}

// want asks for a status and for texts in the page.
func (w *world) want(a answer, status int, texts ...string) {
	w.t.Helper()
	if a.StatusCode != status {
		w.t.Errorf("%d, want %d", a.StatusCode, status)
	}
	for _, text := range texts {
		if !strings.Contains(a.text, text) {
			w.t.Errorf("there is no %q in\n%s", text, a.text)
		}
	}
}
