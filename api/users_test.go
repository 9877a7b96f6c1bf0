package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"usherd/api"
	"usherd/connector"
)

func TestUsersComeInPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) { w.orgs["acme"].Packages[0].Seats = 100 })
	for i := range 25 {
		w.person("acme", fmt.Sprintf("ann%02d", i), nil)
	}
	w.person("beta", "ann99", nil)
	c, after, pages, n := w.client("acme", connector.APIRead), "", 0, 0
	for {
		page := get[api.Users](c, "/orgs/acme/users?limit=10&search=ann&after=%s", after)
		for _, u := range page.Users {
			if u.UserName != fmt.Sprintf("ann%02d", n) || u.Org != "acme" {
				t.Fatalf("%d: %+v", n, u)
			}
			n++
		}
		if pages++; page.Next == "" {
			break
		}
		after = page.Next
	}
	if n != 25 || pages != 3 {
		t.Errorf("%d users on %d pages", n, pages)
	}
	for query, want := range map[string]int{
		"": 25, "?search=ANN03": 1, "?search=x": 0, "?state=verified": 25, "?state=inactive": 0, "?pending=true": 0, "?package=standard": 25, "?package=none": 0,
	} {
		if got := get[api.Users](c, "/orgs/acme/users%s", query); len(got.Users) != want {
			t.Errorf("%s: %d users, want %d", query, len(got.Users), want)
		}
	}
}

func TestUserWithItsRecordsAndHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	u := w.person("acme", "ann", nil)
	_, err := w.provs["acme"].Deactivate(t.Context(), provisionBy(u.ID))
	w.ok(err)
	c := w.client("acme", connector.APIRead)
	for _, key := range []string{u.ID.String(), "ANN", "ann@acme.test"} {
		r := c.want(http.StatusOK, http.MethodGet, "/orgs/acme/users/"+url.PathEscape(key), nil)
		got := read[api.UserDetail](w, r)
		if got.ID != u.ID.String() || got.State != connector.Inactive || got.Deactivated == nil || got.Deactivated.Resume != connector.Verified ||
			len(got.Links) != 1 || got.Links[0].Source != "idp" || !strings.HasPrefix(r.Header.Get("ETag"), `"2-`) {
			t.Errorf("%s: %s %s", key, r.Header, r.body)
		}
	}
	h := get[api.History](c, "/orgs/acme/users/%s/history?limit=1", u.ID)
	if len(h.Events) != 1 || h.Events[0].Action != connector.Created || h.Next != 1 {
		t.Errorf("%+v", h)
	}
	h = get[api.History](c, "/orgs/acme/users/%s/history?after=%d", u.ID, h.Next)
	if len(h.Events) != 1 || h.Events[0].Action != connector.Deactivated || h.Next != 0 || h.Events[0].Cause != "cli:test" {
		t.Errorf("%+v", h)
	}
	c.refused(http.StatusNotFound, "not_found", http.MethodGet, "/orgs/acme/users/nobody", nil)
	c.refused(http.StatusNotFound, "not_found", http.MethodGet, "/orgs/acme/users/nobody/history", nil)
}
