package sso_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"usherd/connector"
	"usherd/connector/store"
	"usherd/sso"
)

// A response that was signed once can be sent again and again by whoever has it.
func TestOldResponsesFillNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	old := w.response(ann, "")
	for i := range 700 {
		b := w.browser()
		b.from = "192.0.2." + string(rune('1'+i/100))
		b.post(old, "")
	}
	if n := len(w.attempts()); n != 500 {
		t.Errorf("%d attempts", n)
	}
	w.now = w.now.Add(time.Minute)
	w.codeOf(w.signIn(ann))
	if n := len(w.attempts()); n != 501 {
		t.Errorf("%d attempts: who comes in is kept always", n)
	}
}

// One address keeps the others out neither of beginning a sign-in nor of ending it.
func TestOneAddressKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	metrics := prometheus.NewRegistry()
	w.serve(sso.Options{Store: w.db, URL: address, Metrics: sso.NewMetrics(metrics)})
	flood := func(ask func(*browser) *answer) {
		t.Helper()
		b, refused := w.browser(), 0
		b.from = "2001:db8::1"
		for range 600 {
			if a := ask(b); a.StatusCode == http.StatusTooManyRequests && a.Header.Get("Retry-After") != "" {
				refused++
			}
		}
		if refused != 200 {
			t.Errorf("%d of 600 are refused", refused)
		}
		b.from = "2001:db8::2" // of the same network
		if a := ask(b); a.StatusCode != http.StatusTooManyRequests || !strings.Contains(a.text, "Wait a few seconds") || strings.Contains(a.text, "not set up") {
			t.Error(a.StatusCode, a.text)
		}
	}
	flood(func(b *browser) *answer { return b.get("/saml/acme/corp/login") })
	flood(func(b *browser) *answer { return b.post("x", "") })
	w.codeOf(w.signIn(ann))
	w.now = w.now.Add(time.Second)
	b := w.browser()
	b.from = "2001:db8::1"
	if a := b.get("/saml/acme/corp/login"); a.StatusCode != http.StatusSeeOther {
		t.Errorf("a second later: %d", a.StatusCode)
	}
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]float64{}
	for _, f := range families {
		counted[f.GetName()] = f.Metric[0].Counter.GetValue()
	}
	if n := counted["usherd_sso_throttled_total"]; n != 402 {
		t.Errorf("%g are counted", n)
	}
}

// Two windows of one browser do not get in each other's way.
func TestTwoWindows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	b := w.browser()
	first, firstRelay := b.login("")
	second, secondRelay := b.login("")
	w.codeOf(b.post(w.response(ann, first), firstRelay))
	w.codeOf(b.post(w.response(ann, second), secondRelay))
}

// Whether an organization is there is told to nobody who does not know one of its identity providers.
func TestOrganizationsAreNotToldApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) { w.org.Languages = []string{"sv"} })
	passing := regexp.MustCompile(`Ref: [0-9A-Z-]+`)
	page := func(target string) string { return passing.ReplaceAllString(w.browser().get(target).text, "") }
	nobody := page("/saml/nobody/login/login")
	if there := page("/saml/acme/login/login"); there != nobody || !strings.Contains(nobody, "(7)</h1>") {
		t.Errorf("%s\nand\n%s", there, nobody)
	}
}

// broken is a store that keeps no codes.
type broken struct{ *store.DB }

func (b broken) PutTicket(ctx context.Context, k connector.Ticket) error {
	if k.Kind == connector.CodeTicket {
		return errors.New("the disk is full")
	}
	return b.DB.PutTicket(ctx, k)
}

// What goes wrong with us is an attempt too.
func TestAccidentsAreKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.serve(sso.Options{Store: broken{w.db}, URL: address})
	a := w.signIn(ann)
	list := w.attempts()
	if a.StatusCode != http.StatusServiceUnavailable || len(list) != 1 || list[0].Code != 9 || list[0].Person != "ann" || !strings.Contains(a.text, list[0].Ref) {
		t.Fatalf("%d %+v", a.StatusCode, list)
	}
	if last := list[0].Steps[8]; last.Name != "created" || last.Result != "refused" {
		t.Errorf("%+v", last)
	}
}

// Whoever cannot even begin is shown a reference, which can be looked up.
func TestSignInsThatCannotBeginAreKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.code = 11
	a := w.browser().get("/saml/acme/corp/login")
	if list := w.attempts(); len(list) != 1 || list[0].Code != 11 || list[0].Steps[0].Result != "refused" || !strings.Contains(a.text, list[0].Ref) {
		t.Errorf("%+v", list)
	}
	for range 300 {
		w.browser().get("/saml/acme/corp/login")
	}
	if n := len(w.attempts()); n != 100 {
		t.Errorf("%d attempts", n)
	}
}

// A door may have a place of its own below the address of others.
func TestBelowAPath(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.serve(sso.Options{Store: w.db, URL: "https://acme.test/usherd"})
	r := httptest.NewRequest(http.MethodGet, "/saml/acme/corp/login", nil)
	rec := httptest.NewRecorder()
	w.server.ServeHTTP(rec, r)
	if c, err := http.ParseSetCookie(rec.Header().Get("Set-Cookie")); err != nil || c.Path != "/usherd/saml/acme/corp/" {
		t.Errorf("%v %v", c, err)
	}
	page := w.browser().get("/saml/acme/corp/acs").text
	for _, link := range []string{`href="../../static/page.`, `src="../../static/copy.`, `href="login"`} {
		if !strings.Contains(page, link) {
			t.Errorf("no %s: %s", link, page)
		}
	}
}

// The names of attributes are noted as far as they say something.
func TestManyAttributesAreClipped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := ann
	for i := range 200 {
		p = p.with(strings.Repeat("x", 100)+string(rune('a'+i%26))+string(rune('a'+i/26)), "1")
	}
	w.codeOf(w.signIn(p))
	for _, s := range w.attempts()[0].Steps {
		if len(s.Detail) > 1000 {
			t.Errorf("%s: %d bytes", s.Name, len(s.Detail))
		}
	}
}

// serve replaces the door.
func (w *world) serve(o sso.Options) {
	w.t.Helper()
	o.Gate, o.Now, o.Log = gate{}, func() time.Time { return w.now }, zap.NewNop()
	var err error
	if w.server, err = sso.New(o); err != nil {
		w.t.Fatal(err)
	}
	w.server.Replace([]*sso.Organization{
		{Settings: w.org, Writer: w.prov, Providers: map[string]*sso.Provider{"corp": w.provider}},
		{Settings: &connector.Organization{ID: "other"}},
	})
}
