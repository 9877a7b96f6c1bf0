package scim_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// A cursor is of the client that it was given to.
func TestCursorsOfOthersAreNone(t *testing.T) {
	t.Parallel()
	s := newStrangers(t)
	for i := range 3 {
		for _, token := range []string{"globex:idp", "acme:idp"} {
			s.sendAs(token, "POST", "/Users", person("more"+string(rune('a'+i)), "")).want(t, http.StatusCreated)
		}
	}
	own := s.send("GET", "/Users?count=1&cursor=", "").want(t, http.StatusOK).text("nextCursor")
	s.send("GET", "/Users?count=1&cursor="+own, "").want(t, http.StatusOK)
	for _, from := range []struct{ token, path string }{
		{"globex:idp", "/Users?count=1&cursor="},
		{"acme:second", "/Users?count=1&cursor="},
		{"acme:idp", "/Users?count=2&cursor="},
		{"acme:idp", "/Users?count=1&sortBy=userName&cursor="},
		{"acme:idp", "/Users?count=1&filter=" + url.QueryEscape(`userName sw "m"`) + "&cursor="},
	} {
		c := s.sendAs(from.token, "GET", from.path, "").want(t, http.StatusOK).text("nextCursor")
		if c == "" {
			t.Fatalf("%s %s has one page only", from.token, from.path)
		}
		if r := s.send("GET", "/Users?count=1&cursor="+c, ""); r.status != http.StatusBadRequest || r.text("scimType") != "invalidCursor" {
			t.Errorf("a cursor of %s %s: %d %s", from.token, from.path, r.status, r.body)
		}
	}
	if r := s.send("GET", "/Groups?count=1&cursor="+own, ""); r.status != http.StatusBadRequest || r.text("scimType") != "invalidCursor" {
		t.Errorf("a cursor of another type: %d %s", r.status, r.body)
	}
}

// Names, addresses and externalIds of one organization are free in all others.
func TestNamesOfOthersAreFree(t *testing.T) {
	t.Parallel()
	s := newStrangers(t)
	id := s.send("POST", "/Users", person("secret", `,"externalId":"x-1"`)).want(t, http.StatusCreated).text("id")
	s.send("POST", "/Groups", group("Hidden")).want(t, http.StatusCreated)
	if id == s.user {
		t.Error("it is the user of the other organization")
	}
	if r := s.sendAs("globex:idp", "GET", "/Users/"+s.user, "").want(t, http.StatusOK); r.text("title") != "Spy" {
		t.Errorf("%s", r.body)
	}
	s.send("DELETE", "/Users/"+id, "").want(t, http.StatusNoContent)
	s.sendAs("globex:idp", "GET", "/Users/"+s.user, "").want(t, http.StatusOK)
}

// Two clients of one organization share its people, but neither what they call them nor their groups.
func TestClientsHaveTheirOwnGroupsAndNames(t *testing.T) {
	t.Parallel()
	s := newStrangers(t)
	if r := s.sendAs("acme:second", "GET", "/Users/"+s.own, "").want(t, http.StatusOK); r.field("externalId") != nil {
		t.Errorf("the name that another client has for somebody is shown: %s", r.body)
	}
	if r := s.sendAs("acme:second", "GET", `/Users?filter=externalId+eq+"e-1"`, ""); r.field("totalResults") != 0.0 {
		t.Errorf("%s", r.body)
	}
	// The same externalId means another person to another client.
	bob := s.sendAs("acme:second", "POST", "/Users", person("bob", `,"externalId":"e-1"`)).want(t, http.StatusCreated).text("id")
	for token, want := range map[string]string{"acme:idp": s.own, "acme:second": bob} {
		r := s.sendAs(token, "GET", `/Users?filter=externalId+eq+"e-1"`, "").want(t, http.StatusOK)
		list, _ := r.field("Resources").([]any)
		if len(list) != 1 || list[0].(map[string]any)["id"] != want {
			t.Errorf("%s: %s", token, r.body)
		}
	}
	// Each may give the other's person a name of its own; the other's stays.
	s.sendAs("acme:second", "PATCH", "/Users/"+s.own, patchOf(`{"op":"replace","path":"externalId","value":"e-2"}`)).want(t, http.StatusOK)
	if r := s.send("GET", "/Users/"+s.own, ""); r.text("externalId") != "e-1" {
		t.Errorf("%s", r.body)
	}
	// A group of that name, and that externalId, each has for itself.
	team := `{"displayName":"Team","externalId":"g-1"}`
	second := s.sendAs("acme:second", "POST", "/Groups", team).want(t, http.StatusCreated).text("id")
	s.send("PATCH", "/Groups/"+s.team, patchOf(`{"op":"replace","path":"externalId","value":"g-1"}`)).want(t, http.StatusOK)
	for token, want := range map[string]string{"acme:idp": s.team, "acme:second": second} {
		for _, filter := range []string{`displayName+eq+"team"`, `externalId+eq+"g-1"`} {
			r := s.sendAs(token, "GET", `/Groups?filter=`+filter, "").want(t, http.StatusOK)
			list, _ := r.field("Resources").([]any)
			if len(list) != 1 || list[0].(map[string]any)["id"] != want {
				t.Errorf("%s %s: %s", token, filter, r.body)
			}
		}
	}
	// What one deletes for itself, the other has still.
	s.send("DELETE", "/Groups/"+s.team, "").want(t, http.StatusNoContent)
	s.sendAs("acme:second", "GET", "/Groups/"+second, "").want(t, http.StatusOK)
}

// A user shows a client the groups that this client can read, and no others; conditions and versions go by the same.
func TestUsersShowTheClientsOwnGroups(t *testing.T) {
	t.Parallel()
	s := newStrangers(t)
	before := s.send("GET", "/Users/"+s.own, "").want(t, http.StatusOK)
	inner := s.sendAs("acme:second", "POST", "/Groups", `{"displayName":"Inner","members":[{"value":"`+s.own+`"}]}`).want(t, http.StatusCreated).text("id")
	outer := s.sendAs("acme:second", "POST", "/Groups", `{"displayName":"Outer","members":[{"value":"`+inner+`"}]}`).want(t, http.StatusCreated).text("id")
	if after := s.send("GET", "/Users/"+s.own, "").want(t, http.StatusOK); after.body != before.body || after.header.Get("ETag") != before.header.Get("ETag") {
		t.Errorf("groups of another client are shown: %s\nbefore: %s", after.body, before.body)
	}
	for token, groups := range map[string][]string{"acme:idp": {s.team}, "acme:second": {s.other, inner, outer}} {
		r := s.sendAs(token, "GET", "/Users/"+s.own, "").want(t, http.StatusOK)
		list, _ := r.field("groups").([]any)
		if len(list) != len(groups) {
			t.Fatalf("%s is shown %d groups, want %d: %s", token, len(list), len(groups), r.body)
		}
		for i, id := range groups {
			if list[i].(map[string]any)["value"] != id {
				t.Errorf("%s is shown %v, want %s", token, list[i], id)
			}
			s.sendAs(token, "GET", "/Groups/"+id, "").want(t, http.StatusOK)
		}
		for _, id := range []string{s.team, s.other, inner, outer} {
			own := slices.Contains(groups, id)
			for filter, want := range map[string]bool{
				`groups.value eq "` + id + `"`: own, `groups[value eq "` + id + `" and type pr]`: own, `not (groups eq "` + id + `")`: !own,
				`groups.value ne "` + id + `" and groups.value pr`: !own || len(groups) > 1,
			} {
				r := s.sendAs(token, "GET", "/Users?filter="+url.QueryEscape(`userName eq "ann" and `+filter), "").want(t, http.StatusOK)
				if found := r.field("totalResults") == 1.0; found != want {
					t.Errorf("%s: %s: found %v, want %v", token, filter, found, want)
				}
			}
		}
	}
}

// Addresses in answers are those of the configuration, whatever a request says of the host.
func TestLocationsDoNotFollowTheRequest(t *testing.T) {
	t.Parallel()
	s := newStrangers(t)
	r := s.send("GET", "/Users/"+s.own, "", "Host", "evil.test", "X-Forwarded-Host", "evil.test", "Forwarded", "host=evil.test")
	if r.text("meta", "location") != "https://scim.test/scim/acme/v2/Users/"+s.own || strings.Contains(r.body, "evil") {
		t.Errorf("%s", r.body)
	}
}
