package console_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/connector/store"
	"usherd/connector/store/newstore"
	"usherd/connector/store/storetest"
	"usherd/connector/system"
	"usherd/console"
)

const (
	address = "https://usherd.acme.test/admin"
	secret  = "correct horse battery"
)

// hashed is the hash of secret at the least cost that the console takes: each test signs in, and a hash at the cost of those
// that it makes itself is password's own matter.
const hashed = "$argon2id$v=19$m=8192,t=1,p=1$c2FsdCBvZiB0ZXN0cyAwMQ$tD0I+qd9DG91snDTO9UilTw34MotqbJk2ximiAZepYs"

// world is a console of two organizations with a store of its own. Each role has an administrator of its name in acme; root is an
// owner everywhere.
type world struct {
	t       *testing.T
	now     time.Time
	db      *store.DB
	org     *connector.Organization
	prov    *provision.Provisioner
	server  *console.Server
	set     *console.Settings
	runner  runner
	program system.Program
	txt     map[string][]string // what DNS says of names

	background func(work func(stop context.Context)) // nil = what takes long is done at once
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: storetest.Start()}
	var err error
	if w.db, err = store.Open(t.Context(), newstore.URL(t), store.Options{Now: func() time.Time { return w.now }}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.db.Close() })
	w.org = &connector.Organization{
		ID: "acme", Name: "Acme Ltd", PartnerID: "1", Languages: []string{"en"}, Contact: connector.Contact{Name: "Help Desk", Email: "help@acme.test"},
		Packages: []connector.Package{{ID: "standard", Name: "Standard", Seats: 3}, {ID: "guest", Seats: connector.Unlimited}},
		Sources:  []connector.SourceSettings{{ID: "office", Kind: connector.Directory}},
	}
	if err := w.db.SetPackages(t.Context(), "acme", w.org.Packages); err != nil {
		t.Fatal(err)
	}
	w.prov = provision.New(provision.Options{Store: w.db, Org: w.org, Now: func() time.Time { return w.now }})
	other := &connector.Organization{ID: "other", Name: "Other Inc", Languages: []string{"sv"}}
	second := provision.New(provision.Options{Store: w.db, Org: other, Now: func() time.Time { return w.now }})
	claims := provision.NewClaims(w.db, w.prov, second)
	w.set = &console.Settings{
		Organizations: []*console.Organization{
			{Settings: w.org, Writer: w.prov, Domains: w.keeper(w.org, w.prov), Claims: claims, TokenAddress: tokenAddress},
			{Settings: other, Writer: second, Domains: w.keeper(other, second), Claims: claims},
		},
		Admins:   []console.Admin{{Name: "root", PasswordHash: hashed, Grant: console.Grant{Role: connector.Owner}}},
		Revision: "0123456789ab",
	}
	for _, r := range connector.Roles() {
		w.set.Admins = append(w.set.Admins, console.Admin{Name: string(r), PasswordHash: hashed, Grant: console.Grant{Role: r, Organizations: []string{"acme"}}})
	}
	w.serve(address)
	return w
}

func tokenAddress(k *connector.Token) string { return "https://scim.acme.test/scim/" + k.Org + "/v2" }

func (w *world) clock() time.Time { return w.now }

// from is where a request comes from.
func from(r *http.Request) string { return r.Header.Get("X-From") }

// create makes a user.
func (w *world) create(name string, state connector.State, more ...func(*connector.User)) *connector.User {
	w.t.Helper()
	u := &connector.User{ID: connector.NewID(w.now), Org: "acme", State: state, CreatedAt: w.now, UpdatedAt: w.now, Version: 1, Profile: connector.Profile{}}
	u.Profile.Set(connector.UserName, name)
	u.Profile.Set(connector.Email, name+"@example.com")
	u.Profile.Set(connector.GivenName, "Given")
	u.Profile.Set(connector.FamilyName, name)
	for _, f := range more {
		f(u)
	}
	ch := &connector.Change{
		Action: connector.Created, Org: "acme", Subject: name, After: u, Fields: connector.Diff(nil, u),
		Transitions: []connector.Transition{{To: state, Signal: "created"}},
	}
	if u.Package != "" {
		ch.TakeSeat = u.Package
	}
	var errs []error
	err := w.db.Write(w.t.Context(), func(tx connector.Tx) (err error) {
		errs, err = tx.Save(w.t.Context(), []*connector.Change{ch}, connector.Cause{Kind: connector.CausePerson, Actor: "test"}, w.now)
		return err
	})
	if err != nil || errs[0] != nil {
		w.t.Fatal(err, errs)
	}
	return u
}

func (w *world) user(name string) *connector.User {
	w.t.Helper()
	u, err := w.db.FindUser(w.t.Context(), "acme", name)
	if err != nil {
		w.t.Fatal(err)
	}
	return u
}

// answer is what the console says.
type answer struct {
	*http.Response
	text string
}

// to is where it sends the browser.
func (a answer) to() string { return a.Header.Get("Location") }

// browser keeps cookies.
type browser struct {
	w       *world
	cookies map[string]string
	from    string
}

func (w *world) browser() *browser { return &browser{w, map[string]string{}, "192.0.2.1"} }

// as is a browser in which an administrator has signed in.
func (w *world) as(name string) *browser {
	w.t.Helper()
	b := w.browser()
	if a := b.signIn(name, secret); a.StatusCode != http.StatusSeeOther {
		w.t.Fatalf("%s: %d\n%s", name, a.StatusCode, a.text)
	}
	return b
}

func (b *browser) signIn(name, word string) answer {
	b.w.t.Helper()
	return b.send(http.MethodPost, "/login", url.Values{"name": {name}, "password": {word}}, nil)
}

func (b *browser) send(method, target string, form url.Values, header http.Header) answer {
	b.w.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(form.Encode()))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	maps.Copy(r.Header, header)
	r.Header.Set("X-From", b.from)
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	rec := httptest.NewRecorder()
	b.w.server.ServeHTTP(rec, r)
	for _, c := range rec.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	return answer{rec.Result(), rec.Body.String()}
}

func (b *browser) get(target string) answer {
	b.w.t.Helper()
	return b.send(http.MethodGet, target, nil, nil)
}

var keyForm = regexp.MustCompile(`name="key" value="([^"]+)"`)

// post sends the form of a page, with the key that it is shown with.
func (b *browser) post(target string, form url.Values) answer {
	b.w.t.Helper()
	a := b.get(target)
	m := keyForm.FindStringSubmatch(a.text)
	if m == nil {
		b.w.t.Fatalf("GET %s: %d, there is no form\n%s", target, a.StatusCode, a.text)
	}
	if form == nil {
		form = url.Values{}
	}
	form.Set("key", m[1])
	return b.send(http.MethodPost, target, form, nil)
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

// not asks for texts not to be in the page.
func (w *world) not(a answer, texts ...string) {
	w.t.Helper()
	for _, text := range texts {
		if strings.Contains(a.text, text) {
			w.t.Errorf("there is %q in\n%s", text, a.text)
		}
	}
}

func path(u *connector.User, more string) string { return fmt.Sprintf("/users/%s%s", u.ID, more) }
