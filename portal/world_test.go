package portal_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/connector/store"
	"usherd/connector/store/newstore"
	"usherd/connector/store/storetest"
	"usherd/portal"
)

const address = "https://account.acme.test/usherd"

// world is a portal of two organizations with a store of its own.
type world struct {
	t      testing.TB
	now    time.Time
	db     *store.DB
	links  connector.LinkKey
	org    *connector.Organization
	prov   *provision.Provisioner
	server *portal.Server
}

// passing is what differs between two pages that say the same.
var passing = regexp.MustCompile(`Ref: [0-9A-Z-]+`)

func newWorld(tb testing.TB) *world {
	tb.Helper()
	w := &world{t: tb, now: storetest.Start(), links: connector.NewLinkKey([]byte(strings.Repeat("k", 32)))}
	var err error
	if w.db, err = store.Open(tb.Context(), newstore.URL(tb), store.Options{Now: func() time.Time { return w.now }}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { w.db.Close() })
	w.org = &connector.Organization{ID: "acme", Name: "Acme", Languages: []string{"en"}, Contact: connector.Contact{Name: "Help Desk", Email: "help@acme.test"}, Application: "https://app.acme.test"}
	w.prov = provision.New(provision.Options{Store: w.db, Org: w.org, Now: func() time.Time { return w.now }})
	w.server, err = portal.New(portal.Options{
		Store: w.db, Links: w.links, URL: address, Now: func() time.Time { return w.now }, Log: zap.NewNop(),
		Address: func(r *http.Request) string { return r.Header.Get("X-From") },
	})
	if err != nil {
		tb.Fatal(err)
	}
	w.server.Replace([]*portal.Organization{{Settings: w.org, People: w.prov}, {Settings: &connector.Organization{ID: "other", Name: "Other"}}})
	return w
}

// create makes a user whose address is NAME@example.com.
func (w *world) create(name string, state connector.State) connector.ID {
	w.t.Helper()
	return w.put(&connector.User{Org: "acme", State: state}, name)
}

// put stores a user whose address is NAME@example.com.
func (w *world) put(u *connector.User, name string) connector.ID {
	w.t.Helper()
	u.ID, u.CreatedAt, u.UpdatedAt, u.Version, u.Profile = connector.NewID(w.now), w.now, w.now, 1, connector.Profile{}
	u.Profile.Set(connector.UserName, name)
	u.Profile.Set(connector.Email, name+"@example.com")
	ch := &connector.Change{
		Action: connector.Created, Org: u.Org, Subject: name, After: u, Fields: connector.Diff(nil, u),
		Transitions: []connector.Transition{{To: u.State, Signal: "created"}},
	}
	var errs []error
	err := w.db.Write(w.t.Context(), func(tx connector.Tx) (err error) {
		errs, err = tx.Save(w.t.Context(), []*connector.Change{ch}, connector.Cause{Kind: connector.CausePerson, Actor: "test"}, w.now)
		return err
	})
	if err != nil || errs[0] != nil {
		w.t.Fatal(err, errs)
	}
	return u.ID
}

// invited makes a user who is not_verified, and gives the path of the link in the invitation.
func (w *world) invited(name string) string {
	w.t.Helper()
	id := w.create(name, connector.NotVerified)
	if sum, err := w.prov.Invite(w.t.Context(), provision.InviteRequest{Users: []connector.ID{id}}); err != nil || sum.Invited != 1 {
		w.t.Fatal(sum, err)
	}
	links, err := w.db.MailLinks(w.t.Context(), "acme", connector.ProveLink, id, 1)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.links.Path(&links[0])
}

func (w *world) user(name string) *connector.User {
	w.t.Helper()
	u, err := w.db.FindUser(w.t.Context(), "acme", name)
	if err != nil {
		w.t.Fatal(err)
	}
	return u
}

func (w *world) state(name string) connector.State { return w.user(name).State }

func (w *world) deactivate(name string) {
	w.t.Helper()
	if _, err := w.prov.Deactivate(w.t.Context(), provision.Command{User: w.user(name).ID, Actor: "test"}); err != nil {
		w.t.Fatal(err)
	}
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
