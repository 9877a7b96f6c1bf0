package portal_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/internal/webdriver"
)

// A subscriber activates in a browser that runs no script: a form with mistakes, a link that others cannot use, no seat, another address, and
// an account at the end.
func TestActivationWithoutScript(t *testing.T) {
	t.Parallel()
	w, prov, s := subscribed(t, func(o *connector.Organization) { o.Packages[0].Seats = 0 })
	srv := httptest.NewServer(http.StripPrefix("/usherd", w.server))
	t.Cleanup(srv.Close)
	base := srv.URL + "/usherd"
	b := webdriver.Start(t).Browser(t, false, "en")
	b.Size(360, 800)
	fill := func(email string) {
		t.Helper()
		b.Type("#email", email)
		b.Type("#field-givenName", "Ann")
		b.Type("#field-familyName", "Lee")
		b.Click("button.act")
		b.Await("h1", "Look into your mail")
	}
	b.Open(base + form + "?" + url.Values{"subscriber": {s.Name}, "key": {w.links.Subscriber(s)}}.Encode())
	b.Click("button.act")
	b.Await("#email-fault", "This is no complete e-mail address, such as ann@example.com.")
	b.Await("#fault-givenName", "Fill this in.")
	fill("ann@home.test")
	w.now = w.now.Add(time.Minute)
	w.answer()
	b.Click("form button") // once more: it is less than a minute since the link was made
	b.Await(".quiet", "Nothing came? After a minute you can have another mail sent, 2 more at most.")
	first := w.linkPath(s)
	b.Open(base + strings.Replace(first, "/acme/", "/other/", 1))
	b.Await("h1", "There is no such page")
	b.Open(base + first[:len(first)-1])
	b.Await("h1", "This link is not complete")
	b.Click("a.button") // of the one template that there is
	b.Await("h1", "Activate your account: Phones")
	b.Open(base + first)
	b.Click("button.act")
	b.Await("h1", "Auto account creation failed (31)")
	if got := b.Text("dl.contact"); !strings.Contains(got, "help@acme.test") || b.Shown("#copy") {
		t.Errorf("%q", got)
	}
	b.Click("button.act") // Try again
	b.Await("h1", "Auto account creation failed (31)")
	b.Click("main > p > a") // with another address, which nobody had announced
	w.now = w.now.Add(2 * time.Minute)
	fill("own@home.test")
	second := w.linkPath(s)
	if second == first {
		t.Fatal("who comes from a refusal is sent no link to another address")
	}
	b.Open(base + first)
	b.Await("h1", "This link has been used already")
	w.org.Packages[0].Seats = 1
	if err := w.db.SetPackages(t.Context(), "acme", w.org.Packages); err != nil {
		t.Fatal(err)
	}
	if err := prov.Offer(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(25 * time.Hour)
	b.Open(base + second)
	b.Await("h1", "This link has ended")
	b.Click("a.button")
	b.Await("h1", "Activate your account: Phones")
	b.Open(base + form + "?" + url.Values{"subscriber": {s.Name}, "key": {w.links.Subscriber(s)}}.Encode())
	fill("own@home.test")
	b.Open(base + w.linkPath(s) + "?lang=sv")
	b.Click("button.act")
	b.Await("h1", "Ditt konto är klart")
	if got := b.Property("a.button", "href"); got != "https://app.acme.test/" {
		t.Errorf("the account leads to %q", got)
	}
	for _, problem := range []string{"31", "18"} {
		b.Open(base + "/problem/" + problem + "?org=acme&lang=pl")
		if got := b.Text("main"); !strings.Contains(got, "("+problem+")") || !strings.Contains(got, "help@acme.test") || b.Shown("#copy") {
			t.Errorf("%s: %q", problem, got)
		}
	}
}
