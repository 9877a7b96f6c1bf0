package api_test

import (
	"net/http"
	"testing"

	"usherd/connector"
)

// Who has an answer already gets 304, until anything in it is another; the tag of a user is good for If-Match too.
func TestAnswersHaveTags(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.person("acme", "ann", nil)
	c := w.client("acme")
	tags := map[string]string{}
	paths := []string{"/orgs/acme", "/orgs/acme/users", "/orgs/acme/users/ann", "/orgs/acme/seats", "/orgs/acme/errors/31"}
	for _, path := range paths {
		r := c.want(http.StatusOK, http.MethodGet, path, nil)
		tags[path] = r.Header.Get("ETag")
		for _, value := range []string{tags[path], "W/" + tags[path], `"x", ` + tags[path], "*"} {
			r = c.with("If-None-Match", value).want(http.StatusNotModified, http.MethodGet, path, nil)
			if r.Header.Get("ETag") != tags[path] || len(r.body) > 0 || r.Header.Get("Content-Type") != "" {
				t.Errorf("%s %s: %v %s", path, value, r.Header, r.body)
			}
		}
		c.with("If-None-Match", `"x"`).want(http.StatusOK, http.MethodGet, path, nil)
	}
	c.with("If-None-Match", "*").refused(http.StatusNotFound, "not_found", http.MethodGet, "/orgs/acme/users/nobody", nil)
	if r := c.want(http.StatusOK, http.MethodGet, "/orgs/acme/errors/31", nil); c.with("Accept-Language", "sv").want(http.StatusOK, http.MethodGet, "/orgs/acme/errors/31", nil).Header.Get("ETag") == r.Header.Get("ETag") {
		t.Error("two languages have one tag")
	}

	user := tags["/orgs/acme/users/ann"]
	c.with("If-Match", user).want(http.StatusOK, http.MethodPut, "/orgs/acme/users/ann/package", map[string]string{"package": "guest"})
	c.with("If-Match", user).refused(http.StatusPreconditionFailed, "other_version", http.MethodPut, "/orgs/acme/users/ann/package", map[string]string{"package": "standard"})
	for _, path := range []string{"/orgs/acme/users", "/orgs/acme/users/ann", "/orgs/acme/seats"} {
		c.with("If-None-Match", tags[path]).want(http.StatusOK, http.MethodGet, path, nil)
	}
	// What belongs to the user and is no part of its version: another record of the same person.
	before := c.want(http.StatusOK, http.MethodGet, "/orgs/acme/users/ann", nil).Header.Get("ETag")
	moved := record("acme", "ann", func(r *connector.Record) { r.DN = "CN=Ann" })
	ch, err := w.provs["acme"].Submit(t.Context(), "idp", moved, connector.Cause{Kind: connector.CauseRequest, Actor: "test"})
	w.ok(err)
	if ch.Action != connector.Unchanged {
		t.Fatalf("%+v", ch)
	}
	c.with("If-None-Match", before).want(http.StatusOK, http.MethodGet, "/orgs/acme/users/ann", nil)
}
