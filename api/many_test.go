package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"usherd/api"
	"usherd/connector"
)

// Many are changed by one request: whoever is refused, or not there, is told and stops nobody else; with a key it is done once.
func TestManyUsersByOneRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.client("acme", connector.APIRead, connector.APIUsers)
	ann, bo := w.person("acme", "ann", nil), w.person("acme", "bo", nil)
	type answer struct {
		Users []api.ChangedUser `json:"users"`
	}
	const path = "/orgs/acme/users/changes"
	body := fmt.Sprintf(`{"action":"deactivate","reason":"moved away","users":[%q,"bo","nobody",%q]}`, ann.ID, ann.ID)
	once := c.with("Idempotency-Key", "one")
	first := once.want(http.StatusOK, http.MethodPost, path, body)
	got := read[answer](w, first).Users
	if len(got) != 4 || !got[0].Changed || !got[1].Changed || got[3].Changed || got[3].Problem != nil || got[1].Now.State != connector.Inactive {
		t.Fatalf("%+v", got)
	}
	if p := got[2].Problem; got[2].Changed || got[2].User != "nobody" || p == nil || p.Status != http.StatusNotFound || p.Reason != "not_found" {
		t.Errorf("%+v", got[2])
	}
	if u := get[api.UserDetail](c, "/orgs/acme/users/%s", bo.ID); u.State != connector.Inactive {
		t.Errorf("%+v", u.User)
	}
	again := once.want(http.StatusOK, http.MethodPost, path, body)
	if !slices.Equal(again.body, first.body) || again.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%s", again.body)
	}
	if got := read[answer](w, c.want(http.StatusOK, http.MethodPost, path, `{"action":"reject","users":["ann"]}`)).Users; got[0].Problem == nil || got[0].Problem.Status != http.StatusConflict {
		t.Errorf("%+v", got)
	}
	if got := read[answer](w, c.want(http.StatusOK, http.MethodPost, path, `{"action":"reactivate","users":["ann","bo"]}`)).Users; !got[0].Changed || !got[1].Changed {
		t.Errorf("%+v", got)
	}
	for _, wrong := range []string{`{"action":"delete","users":["ann"]}`, `{"action":"reactivate","users":[]}`, `{"action":"reactivate"}`} {
		c.refused(http.StatusUnprocessableEntity, "invalid_request", http.MethodPost, path, wrong)
	}
	many := `{"action":"approve","users":[` + strings.Repeat(`"ann",`, 500) + `"ann"]}`
	c.refused(http.StatusUnprocessableEntity, "invalid_request", http.MethodPost, path, many)
	w.client("acme", connector.APIRead).refused(http.StatusForbidden, "scope", http.MethodPost, path, body)
}

func TestManySubscribersByOneRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, phones)
	c := w.client("acme", connector.APISubscribers, connector.APIRead)
	type announced struct {
		Subscribers []api.Announced `json:"subscribers"`
	}
	list := read[announced](w, c.want(http.StatusOK, http.MethodPost, "/orgs/acme/subscribers",
		`{"subscribers":[{"template":"phones","subscriber_id":"4711","email":"ann@home.test","attributes":{"userName":"ann.home","givenName":"Ann","familyName":"Lee"}},
		{"template":"phones","subscriber_id":"4712","email":"bo@home.test"}]}`)).Subscribers
	change := func(more string) []api.ChangedSubscriber {
		type answer struct {
			Subscribers []api.ChangedSubscriber `json:"subscribers"`
		}
		body := fmt.Sprintf(`{%s,"subscribers":[%q,%q,"no id"]}`, more, list[0].ID, list[1].ID)
		got := read[answer](w, c.want(http.StatusOK, http.MethodPost, "/orgs/acme/subscribers/changes", body)).Subscribers
		if len(got) != 3 || got[2].ID != "no id" || got[2].Problem == nil {
			t.Fatalf("%+v", got)
		}
		return got
	}
	got := change(`"action":"retry"`)
	if got[0].Problem == nil || got[0].Problem.Reason != "refused" || got[1].Changed || got[1].Now.Failure.Reason != "required_missing" {
		t.Errorf("%+v", got)
	}
	if got = change(`"action":"package","package":"none of ours"`); got[0].Problem == nil || got[0].Problem.Status != http.StatusUnprocessableEntity {
		t.Errorf("%+v", got)
	}
	if got = change(`"action":"delete"`); !got[0].Changed || !got[1].Changed || got[0].Now != nil {
		t.Errorf("%+v", got)
	}
	if page := get[api.SubscriberPage](c, "/orgs/acme/subscribers"); len(page.Subscribers) > 0 {
		t.Errorf("%+v", page)
	}
	c.refused(http.StatusUnprocessableEntity, "invalid_request", http.MethodPost, "/orgs/acme/subscribers/changes", `{"action":"retry","subscribers":["x"],"package":"standard"}`)
}
