package api_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"usherd/api"
	"usherd/connector"
)

// events counts what has happened to a user.
func (w *world) events(org string, user connector.ID) int {
	w.Helper()
	n := 0
	for _, err := range w.db.UserEvents(w.Context(), org, user) {
		w.ok(err)
		n++
	}
	return n
}

func TestWhoMaySignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) { w.orgs["acme"].Packages[0].Seats = 100 })
	c := w.client("acme", connector.APISignIn)
	ann := w.person("acme", "ann", nil)
	ask := func(path, user string, in bool) *api.Allowed {
		t.Helper()
		body := map[string]any{"user": user}
		if in {
			body["signed_in"] = true
		}
		return read[api.Allowed](w, c.want(http.StatusOK, http.MethodPost, "/orgs/acme/"+path, body))
	}
	for _, name := range []string{"ann", "ANN@acme.test", " ann ", ann.ID.String()} {
		for _, path := range []string{"sign-in", "password-reset"} {
			if a := ask(path, name, false); !a.Allowed || a.First || a.User.ID != ann.ID.String() || a.User.State != connector.Verified {
				t.Errorf("%s: %+v", name, a)
			}
		}
	}
	if w.events("acme", ann.ID) != 1 {
		t.Error("asking has changed somebody")
	}
	if a := ask("sign-in", "ann", true); !a.First || a.User.State != connector.Active {
		t.Errorf("%+v", a)
	}
	for range 3 {
		if a := ask("sign-in", "ann", true); a.First || a.User.State != connector.Active {
			t.Errorf("%+v", a)
		}
	}
	if n := w.events("acme", ann.ID); n != 2 {
		t.Errorf("%d events", n)
	}
	// A user name that is somebody else's address means the one who has it as a user name.
	bob := w.person("acme", "ann@acme.test", func(r *connector.Record) { r.Attributes[3].Values = [][]byte{[]byte("bob@acme.test")} })
	if a := ask("sign-in", "ann@acme.test", false); a.User.ID != bob.ID.String() {
		t.Errorf("%+v", a)
	}
}

func TestWhoMayNotSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) { w.orgs["acme"].Packages[0].Seats, w.orgs["beta"].Approval = 100, true })
	elsewhere := func(r *connector.Record) { r.Attributes[3].Values = [][]byte{[]byte("eve@unproven.org")} }
	gone := w.person("acme", "gone", nil)
	w.person("acme", "eve", elsewhere)
	w.person("beta", "pia", nil)
	_, err := w.provs["acme"].Deactivate(t.Context(), provisionBy(gone.ID))
	w.ok(err)
	deleted := w.person("acme", "del", nil)
	_, err = w.provs["acme"].Deactivate(t.Context(), provisionBy(deleted.ID))
	w.ok(err)
	_, err = w.provs["acme"].Delete(t.Context(), provisionBy(deleted.ID))
	w.ok(err)
	for _, x := range []struct {
		org, user string
		code      int
		reason    string
	}{
		{"acme", "gone", 18, "account_deactivated"},
		{"acme", "gone@acme.test", 18, "account_deactivated"},
		{"acme", gone.ID.String(), 18, "account_deactivated"},
		{"acme", "eve", 31, "account_not_verified"},
		{"beta", "pia", 31, "account_pending_approval"},
		{"acme", "nobody", 3, "no_account"},
		{"acme", "pia", 3, "no_account"}, // of the other organization
		{"acme", deleted.ID.String(), 3, "no_account"},
		{"acme", "del", 3, "no_account"},
		{"acme", "' OR 1=1 --", 3, "no_account"},
		{"acme", "%", 3, "no_account"},
		{"acme", "ann\u202e", 3, "no_account"},
	} {
		for _, path := range []string{"sign-in", "password-reset"} {
			body := map[string]any{"user": x.user}
			if path == "sign-in" {
				body["signed_in"] = true
			}
			p := w.client(x.org, connector.APISignIn).refused(http.StatusForbidden, x.reason, http.MethodPost, "/orgs/"+x.org+"/"+path, body)
			if p.Code != x.code || p.Ref == "" || p.Failure == nil || p.Failure.Ref != p.Ref || p.Contact == nil || p.Contact.Email != "help@"+x.org+".test" {
				t.Errorf("%s: %+v", x.user, p)
			}
		}
	}
	p := w.client("acme").with("Accept-Language", "sv, en;q=0.5").refused(http.StatusForbidden, "account_deactivated", http.MethodPost, "/orgs/acme/sign-in", `{"user":"gone"}`)
	if p.Detail != "Ditt konto är inaktiverat. Kontakta din systemadministratör." || p.Failure.Message != p.Detail {
		t.Errorf("%+v", p)
	}
	for _, body := range []string{"", "{}", `{"user":""}`, `{"user":1}`, `{"user":"x","admin":true}`, `[]`, `{"user":"\u0000"}`, `{"user":"` + long(400) + `"}`, "{", `{"user":"a"}{`} {
		r := w.client("acme").do(http.MethodPost, "/orgs/acme/sign-in", body)
		if r.StatusCode != http.StatusUnprocessableEntity && r.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s %s", body, r.Status, r.body)
		}
	}
	if r := w.client("acme").do(http.MethodPost, "/orgs/acme/sign-in", `{"user":"`+long(100_000)+`"}`); r.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("%s %s", r.Status, r.body)
	}
	if r := w.client("acme").with("Content-Type", "text/xml").do(http.MethodPost, "/orgs/acme/sign-in", `<user/>`); r.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("%s %s", r.Status, r.body)
	}
}

// Many who report the same first sign-in make one event of it.
func TestFirstSignInHappensOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ann := w.person("acme", "ann", nil)
	c := w.client("acme", connector.APISignIn)
	var all sync.WaitGroup
	firsts := make(chan bool, 20)
	for range cap(firsts) {
		all.Go(func() {
			r := c.do(http.MethodPost, "/orgs/acme/sign-in", `{"user":"ann","signed_in":true}`)
			if r.StatusCode != http.StatusOK {
				t.Errorf("%s %s", r.Status, r.body)
				return
			}
			a := read[api.Allowed](w, r)
			if a.User.State != connector.Active {
				t.Errorf("%+v", a)
			}
			firsts <- a.First
		})
	}
	all.Wait()
	close(firsts)
	n := 0
	for first := range firsts {
		if first {
			n++
		}
	}
	if n != 1 || w.events("acme", ann.ID) != 2 {
		t.Errorf("%d first sign-ins, %d events", n, w.events("acme", ann.ID))
	}
}

func BenchmarkSignIn(b *testing.B) {
	w := newWorld(b, func(w *world) { w.orgs["acme"].Packages[0].Seats = connector.Unlimited })
	for i := range 1000 {
		w.person("acme", fmt.Sprintf("u%04d", i), nil)
	}
	c := w.client("acme", connector.APISignIn)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			c.want(http.StatusOK, http.MethodPost, "/orgs/acme/sign-in", fmt.Sprintf(`{"user":"u%04d@acme.test"}`, i%1000))
		}
	})
}
