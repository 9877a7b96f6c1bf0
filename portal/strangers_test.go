package portal_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"usherd/connector"
	"usherd/connector/mapping"
	"usherd/connector/provision"
	"usherd/connector/store"
	"usherd/connector/store/storetest"
	"usherd/portal"
)

// watched is a store that notes what is done with it before an answer. Whatever is not written out here nobody may do for a
// stranger: it panics.
type watched struct {
	connector.Store
	db  *store.DB
	did []string
	err error // that writes end with
}

func (x *watched) Write(ctx context.Context, f func(connector.Tx) error) error {
	if x.err != nil {
		return x.err
	}
	return x.db.Write(ctx, func(tx connector.Tx) error {
		x.did = append(x.did, "write")
		return f(&watchedTx{real: tx, x: x})
	})
}

type watchedTx struct {
	connector.Tx
	real connector.Tx
	x    *watched
}

func (t *watchedTx) PutMail(ctx context.Context, m connector.Mail) error {
	t.x.did = append(t.x.did, fmt.Sprint("mail ", m.Kind, slices.Sorted(maps.Keys(m.Values))))
	return t.real.PutMail(ctx, m)
}

func (t *watchedTx) SubscribersNamed(ctx context.Context, org, template string, names []string) ([]*connector.Subscriber, error) {
	t.x.did = append(t.x.did, fmt.Sprint("subscribers named ", len(names)))
	return t.real.SubscribersNamed(ctx, org, template, names)
}

// strangers is a portal with people of all kinds; their addresses, each NAME@example.com, have the same length.
type strangers struct {
	*world
	watched *watched
	people  []string
	key     string // of the subscriber "line-1"
}

func newStrangers(tb testing.TB) *strangers {
	tb.Helper()
	w := newWorld(tb)
	w.org.PartnerID = "P-1"
	w.org.Packages, w.org.DefaultPackage = []connector.Package{{ID: "gold", Seats: 1}}, "gold"
	w.org.Templates = []connector.TemplateSettings{{ID: "phones", Name: "Phones", Untrusted: true, Fields: []string{connector.GivenName}}}
	w.org.Sources = []connector.SourceSettings{{ID: "phones", Kind: connector.Template}}
	m, faults := mapping.Compile(mapping.Config{Preset: mapping.Template})
	if len(faults) > 0 {
		tb.Fatal(faults)
	}
	options := provision.Options{Org: w.org, Mappings: map[string]*mapping.Mapping{"phones": m}, Now: func() time.Time { return w.now }, SpoolDir: tb.TempDir()}
	if err := w.db.SetPackages(tb.Context(), "acme", w.org.Packages); err != nil {
		tb.Fatal(err)
	}
	options.Store = w.db
	w.prov = provision.New(options)
	s := &strangers{world: w, watched: &watched{db: w.db}, people: []string{"nobody", "active", "verify", "unsure", "left-1", "waits1", "others", "line-1", "line-2"}}
	w.create("active", connector.Active)
	w.create("verify", connector.Verified)
	w.create("unsure", connector.NotVerified)
	w.create("left-1", connector.Active)
	w.deactivate("left-1")
	w.put(&connector.User{Org: "acme", State: connector.Verified, PendingApproval: true}, "waits1")
	w.put(&connector.User{Org: "other", State: connector.Active}, "others")
	for _, name := range []string{"line-1", "line-2"} {
		out, err := w.prov.Announce(tb.Context(), []connector.Announcement{{Template: "phones", Name: name, Profile: connector.Profile{connector.Email: {name + "@example.com"}}}}, "test")
		if err != nil {
			tb.Fatal(err)
		}
		if s.key == "" {
			s.key = w.links.Subscriber(out[0].Subscriber)
		}
	}
	var err error
	w.server, err = portal.New(portal.Options{
		Store: s.watched, Links: w.links, URL: address, Now: func() time.Time { return w.now }, Log: zap.NewNop(),
		Address: func(r *http.Request) string { return r.Header.Get("X-From") },
	})
	if err != nil {
		tb.Fatal(err)
	}
	options.Store = s.watched
	prov := provision.New(options)
	w.server.Replace([]*portal.Organization{{Settings: w.org, People: prov, Activations: prov}})
	return s
}

// tells is all that an answer and what was done for it could tell about a person.
func (s *strangers) tells(path, name string, form url.Values) string {
	s.t.Helper()
	s.now = s.now.Add(2 * time.Minute)
	s.watched.did = nil
	form = maps.Clone(form)
	form.Set("email", name+"@example.com")
	a := s.post(path, form)
	text := fmt.Sprint(a.StatusCode, a.Header, s.watched.did, passing.ReplaceAllString(a.text, ""))
	return strings.ReplaceAll(text, name+"@example.com", "NAME@example.com")
}

// Neither the page nor what is done before it is sent differs, whoever has the address that a stranger gives: nobody, people in each state,
// people of another organization, subscribers, by themselves and with the id or the key of one.
func TestStrangersLearnNothing(t *testing.T) {
	t.Parallel()
	s := newStrangers(t)
	plain := url.Values{"givenName": {"A"}}
	with := func(more ...string) url.Values {
		form := maps.Clone(plain)
		for i := 0; i < len(more); i += 2 {
			form.Set(more[i], more[i+1])
		}
		return form
	}
	for _, c := range []struct {
		what, path string
		form       url.Values
		want       string // what is done
	}{
		{"account", "/account/acme", plain, "[write mail account[]]"},
		{"activation", "/activate/acme/phones", plain, "[write mail activation_asked[given template]]"},
		{"another mail", "/activate/acme/phones/resend", with("again", "0"), "[write mail activation_asked[given template]]"},
		{"somebody's id", "/activate/acme/phones", with("subscriber", "line-1"), "[write mail activation_asked[given template]]"},
		{"nobody's id", "/activate/acme/phones", with("subscriber", "line-9", "key", "x"), "[write subscribers named 1 mail activation_asked[given template]]"},
		{"somebody's id and no key", "/activate/acme/phones", with("subscriber", "line-1", "key", "x"), "[write subscribers named 1 mail activation_asked[given template]]"},
	} {
		first := s.tells(c.path, s.people[0], c.form)
		if !strings.Contains(first, c.want) || !strings.HasPrefix(first, "200") && !strings.HasPrefix(first, "303") {
			t.Errorf("%s: no %s in %s", c.what, c.want, first)
		}
		for _, name := range s.people[1:] {
			if got := s.tells(c.path, name, c.form); got != first {
				t.Errorf("%s tells %s apart:\n%s\nand of nobody\n%s", c.what, name, got, first)
			}
		}
	}
	right, wrong := s.tells("/activate/acme/phones", "nobody", with("subscriber", "line-1", "key", s.key)), s.tells("/activate/acme/phones", "nobody", with("subscriber", "line-1", "key", s.key[1:]+"x"))
	if strings.ReplaceAll(right, s.key, "KEY") != strings.ReplaceAll(wrong, s.key[1:]+"x", "KEY") {
		t.Error("it is told whether a key is one")
	}
	for _, path := range []string{"/account/acme", "/account/acme/sent", "/account/acme/inactive", "/activate/acme/phones?subscriber=line-1&key=" + s.key} {
		if a := s.get(path); a.StatusCode != http.StatusOK { // and the store is not asked, else this panics
			t.Error(path, a.Status)
		}
	}
	// What is decided later is not the same: else all of this would be easy.
	s.answer()
	sent := map[connector.MailKind]int{}
	list, err := s.db.Mails(t.Context(), connector.MailQuery{Org: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		sent[m.Kind]++
	}
	want := map[connector.MailKind]int{ // one for each subscriber: they were all asked for by the same minute
		connector.ActivationMail: 2, connector.DeactivatedMail: 1, connector.InvitationMail: 1, connector.PendingMail: 1, connector.ReadyMail: 2,
	}
	if !maps.Equal(sent, want) {
		t.Errorf("%v were sent, want %v", sent, want)
	}
}

// Nobody is promised a mail that is not kept: the page comes after the write.
func TestNothingIsPromisedThatIsNotKept(t *testing.T) {
	t.Parallel()
	s := newStrangers(t)
	s.watched.err = &connector.Error{Kind: connector.Unavailable, Op: "store", Err: context.DeadlineExceeded}
	for _, path := range []string{"/account/acme", "/activate/acme/phones"} {
		a := s.post(path, url.Values{"email": {"line-1@example.com"}, "givenName": {"A"}})
		s.want(a, http.StatusServiceUnavailable)
		if strings.Contains(a.text, "on its way") {
			t.Errorf("%s: %s", path, a.text)
		}
	}
}

// BenchmarkStrangers says how long people wait for the answer, by who has the address.
func BenchmarkStrangers(b *testing.B) {
	for _, path := range []string{"/account/acme", "/activate/acme/phones"} {
		for _, name := range []string{"nobody", "active", "left-1", "line-1"} {
			b.Run(strings.TrimPrefix(path, "/")+"/"+name, func(b *testing.B) {
				s := newStrangers(b)
				s.now = storetest.Start()
				for b.Loop() {
					s.now = s.now.Add(2 * time.Minute)
					r := httptest.NewRequest(http.MethodPost, path, strings.NewReader("givenName=A&email="+name+"%40example.com"))
					r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
					s.server.ServeHTTP(httptest.NewRecorder(), r)
				}
			})
		}
	}
}
