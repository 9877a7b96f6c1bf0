package api_test

import (
	"net/http"
	"testing"

	"usherd/api"
	"usherd/connector"
	"usherd/connector/sources"
)

// What is counted is what the lists have, by the same filters.
func TestCountsByAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) {
		phones(w)
		w.signOns = map[string]*sources.SignOn{"login": {}}
	})
	w.person("acme", "ann", nil)
	gone := w.person("acme", "bob", nil)
	w.person("beta", "eve", nil)
	w.failing("acme", "una", "dua")
	c := w.client("acme", connector.APIRead, connector.APIUsers, connector.APISubscribers)
	w.at.Add(1_000_000)
	c.want(http.StatusOK, http.MethodPost, "/orgs/acme/users/bob/deactivate", nil)
	c.want(http.StatusOK, http.MethodPost, "/orgs/acme/subscribers", `{"subscribers":[{"template":"phones","subscriber_id":"4712","email":"bo@home.test"}]}`)
	for i, code := range []connector.Code{0, 31} {
		w.ok(w.db.PutAttempt(t.Context(), connector.Attempt{ID: connector.NewID(w.now()), Org: "acme", Source: "login", At: w.now(), Code: code, Reason: []connector.Reason{"", connector.NoSeat}[i]}))
	}
	got := get[api.Counts](c, "/orgs/acme/counts")
	if got.Users.States[connector.Verified] != 1 || got.Users.States[connector.Inactive] != 1 || got.Users.Packages["standard"].Count != 2 || got.Users.Sources["idp"].Count != 2 || got.Users.Leaving.Count != 1 {
		t.Errorf("%+v", got.Users)
	}
	if got.Subscribers[connector.SubscriberError] != 1 || got.SignIns["login"] != (api.SignInCount{Attempts: 2, Refused: 1}) || len(got.Mails) != 4 {
		t.Errorf("%+v", got)
	}
	n := 0
	for _, f := range got.Failures {
		n += f.Count
		if f.Title == "" || f.Latest.IsZero() {
			t.Errorf("%+v", f)
		}
	}
	if open := get[api.Failures](c, "/orgs/acme/failures"); n != len(open.Failures) || n < 2 {
		t.Errorf("%d failures are counted, %d are open", n, len(open.Failures))
	}
	for query, want := range map[string]int{"": 2, "?exclude=inactive": 1, "?state=inactive&exclude=inactive": 0, "?leaving=true": 1} {
		list := get[api.Users](c, "/orgs/acme/users%s", query)
		if len(list.Users) != want || list.Users == nil || query == "?exclude=inactive" && list.Users[0].ID == gone.ID.String() {
			t.Errorf("%s: %+v", query, list)
		}
	}
	for sort, want := range map[string]string{"username": "ann", "-username": "bob", "changed": "ann", "-changed": "bob"} {
		page := get[api.Users](c, "/orgs/acme/users?limit=1&sort=%s", sort)
		rest := get[api.Users](c, "/orgs/acme/users?limit=1&sort=%s&after=%s", sort, page.Next)
		if page.Users[0].UserName != want || len(rest.Users) != 1 || rest.Users[0].UserName == want || rest.Next != "" {
			t.Errorf("%s: %+v, then %+v", sort, page, rest)
		}
	}
	c.refused(http.StatusUnprocessableEntity, "invalid_request", http.MethodGet, "/orgs/acme/users?sort=email", nil)
	if got := get[api.Counts](w.client("beta"), "/orgs/beta/counts"); got.Users.States[connector.Verified] != 1 || len(got.SignIns) != 1 || got.SignIns["login"].Attempts != 0 {
		t.Errorf("%+v", got)
	}
}
