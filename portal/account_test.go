package portal_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/store/storetest"
)

// A link is shown by GET as often as one likes, and used by POST once.
func TestInvitation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := w.invited("ann")
	for range 3 {
		w.want(w.get(path), http.StatusOK, "Confirm your e-mail address", "ann@example.com", `<form method="post">`, "help@acme.test")
	}
	if w.state("ann") != connector.NotVerified {
		t.Fatal("GET has changed something")
	}
	a := w.post(path, nil)
	w.want(a, http.StatusSeeOther)
	if a.Header.Get("Location") != "/usherd/invitation/acme/done" || w.state("ann") != connector.Verified {
		t.Errorf("%s %s", a.Header.Get("Location"), w.state("ann"))
	}
	w.want(w.get("/invitation/acme/done"), http.StatusOK, "Your address is confirmed", `href="https://app.acme.test"`)
	w.want(w.get(path), http.StatusGone, "This link has been used already", `href="/usherd/account/acme"`)
	w.want(w.post(path, nil), http.StatusGone, "This link has been used already")
}

func TestLinksThatOpenNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := w.invited("ann")
	token := path[strings.LastIndexByte(path, '/')+1:]
	altered := []byte(token)
	altered[40] = 'a' + (altered[40]+1)%26
	for _, p := range []string{"/invitation/acme/" + string(altered), path[:len(path)-1], path + "0", "/invitation/other/" + token} {
		w.want(w.get(p), http.StatusNotFound, "This link is not complete")
		w.want(w.post(p, nil), http.StatusNotFound, "This link is not complete")
	}
	w.want(w.get("/invitation/nobody/"+token), http.StatusNotFound, "There is no such page")
	w.now = w.now.Add(7 * 24 * time.Hour)
	w.want(w.get(path), http.StatusGone, "This link has ended")
	w.want(w.post(path, nil), http.StatusGone, "This link has ended")
	if _, err := w.db.DropMailLinks(t.Context(), w.now.Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	w.want(w.get(path), http.StatusGone, "This link is too old")
	if w.state("ann") != connector.NotVerified {
		t.Error(w.state("ann"))
	}
}

// Whoever was deactivated since is told so, by the link too.
func TestInvitationOfADeactivated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := w.invited("ann")
	w.deactivate("ann")
	if a := w.post(path, nil); a.Header.Get("Location") != "/usherd/account/acme/inactive" {
		t.Error(a.Header.Get("Location"))
	}
	w.want(w.get("/account/acme/inactive"), http.StatusOK, "Your account has been deactivated. Contact your administrator", "(18)", "help@acme.test")
	w.want(w.get("/account/other/inactive?lang=sv"), http.StatusOK, "Ditt konto är inaktiverat. Kontakta din systemadministratör", "IT-avdelning")
}

// askedAbout posts an address and says what comes: status, where it leads, and the page without what passes.
func (w *world) askedAbout(email string) string {
	w.t.Helper()
	a := w.post("/account/acme", url.Values{"email": {email}})
	return a.Status + " " + a.Header.Get("Location") + passing.ReplaceAllString(a.text, "")
}

// An organization that wants it tells at once.
func TestDisclosure(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.org.DiscloseAccountStatus = true
	w.invited("ann")
	w.create("bob", connector.Active)
	w.create("eve", connector.Active)
	w.deactivate("eve")
	for who, want := range map[string]string{
		"nobody": "(3)", "ann": "303", "bob": "Your account is in order", "eve": "Your account has been deactivated. Contact your administrator",
	} {
		if got := w.askedAbout(who + "@example.com"); !strings.Contains(got, want) {
			t.Errorf("%s: there is no %q in\n%s", who, want, got)
		}
	}
}

func TestTheFormOfAddresses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.want(w.get("/account/acme"), http.StatusOK, `type="email"`, "help@acme.test")
	for _, email := range []string{"", "ann", "ann@", "<script>@x.test", strings.Repeat("a", 300) + "@x.test", "a@b.test\r\nBcc: c@d.test"} {
		a := w.post("/account/acme", url.Values{"email": {email}})
		w.want(a, http.StatusUnprocessableEntity, "This is no e-mail address", `aria-invalid="true"`)
		if strings.Contains(a.text, "<script>") {
			t.Error(a.text)
		}
	}
	a := w.post("/account/acme", url.Values{"email": {strings.Repeat("a", 20<<10)}})
	w.want(a, http.StatusBadRequest)
	w.want(w.post("/account/nobody", url.Values{"email": {"ann@example.com"}}), http.StatusNotFound)
}

// Neither one address of the network nor one e-mail is asked about without end.
func TestAskingHasLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	count := func(n int, ask func(i int) string) (refused int) {
		for i := range n {
			if strings.Contains(ask(i), "429") {
				refused++
			}
		}
		return refused
	}
	if n := count(6, func(int) string { return w.askedAbout("ann@example.com") }); n != 2 {
		t.Errorf("one e-mail: %d of 6 are refused", n)
	}
	w.now = w.now.Add(time.Minute)
	if got := w.askedAbout("ann@example.com"); !strings.Contains(got, "303") {
		t.Error("a minute later")
	}
	w.now = storetest.Start().Add(time.Hour)
	names := "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP"
	if n := count(40, func(i int) string { return w.askedAbout(names[i:i+1] + "x" + names[40-i:41-i] + "@example.com") }); n != 10 {
		t.Errorf("one address: %d of 40 are refused", n)
	}
}
