package scim_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"usherd/scim/patch"
	"usherd/scim/schema"
)

// What loss_test.go is about, for members of groups.

// 3. A removal that lists members removes those; who is none is removed already.
func TestListedMembersAreWhoGoes(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{"strict", "generic", "entra", "okta", "authentik", "keycloak", "jumpcloud"} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			w, team, ann, bob := everybody(t)
			w.speak("acme:idp", profile)
			remove := func(value string) response {
				return w.send("PATCH", "/Groups/"+team, patchOf(`{"op":"remove","path":"members","value":`+value+`}`))
			}
			if r := remove(`[{"value":"` + bob + `"}]`); r.status >= 300 {
				t.Fatalf("%d %s", r.status, r.body)
			}
			w.has(team, ann)
			before := w.send("GET", "/Groups/"+team, "")
			if r := remove(`[{"value":"` + bob + `"},{"value":"nobody"}]`); r.status >= 300 {
				t.Fatalf("%d %s", r.status, r.body)
			}
			if r := w.send("GET", "/Groups/"+team, ""); r.body != before.body {
				t.Errorf("who is no member was removed: %s", r.body)
			}
		})
	}
}

// 5. [] on replace empties, by intent; on add it is nothing, on remove nothing (see scim/dialect for each profile).
func TestEmptyListsOfMembers(t *testing.T) {
	t.Parallel()
	w, team, ann, bob := everybody(t)
	for _, op := range []string{`{"op":"add","path":"members","value":[]}`, `{"op":"remove","path":"members","value":[]}`, `{"op":"add","value":{"members":[]}}`} {
		w.send("PATCH", "/Groups/"+team, patchOf(op)).want(t, http.StatusOK)
		w.has(team, ann, bob)
	}
	for _, x := range [][2]string{
		{"PATCH", patchOf(`{"op":"replace","path":"members","value":[]}`)},
		{"PATCH", patchOf(`{"op":"replace","value":{"members":[]}}`)},
		{"PUT", `{"displayName":"Team","members":[]}`},
	} {
		w.send(x[0], "/Groups/"+team, x[1]).want(t, http.StatusOK)
		w.has(team)
		w.send("PATCH", "/Groups/"+team, patchOf(`{"op":"add","path":"members","value":[{"value":"`+ann+`"}]}`)).want(t, http.StatusOK)
	}
}

// 7. What is answered with success is stored, and is what was answered. What was left out is told.
func TestSuccessIsStored(t *testing.T) {
	t.Parallel()
	w, team, ann, bob := everybody(t)
	for _, x := range []struct{ method, path, body string }{
		{"PATCH", "/Users/" + ann, patchOf(`{"op":"add","path":"roles","value":[{"value":"admin"}]},{"op":"replace","path":"emails[type eq \"work\"].value","value":"x@example.com"}`)},
		{"PUT", "/Users/" + ann, person("ann", `,"title":"T","roles":[{"value":"a","primary":true},{"value":"b"}]`)},
		{"PATCH", "/Groups/" + team, patchOf(`{"op":"remove","path":"members[value eq \"` + bob + `\"]"}`)},
		{"PATCH", "/Groups/" + team, patchOf(`{"op":"add","path":"members","value":[{"value":"` + bob + `"}]}`)},
		{"PUT", "/Groups/" + team, group("Other", ann)},
	} {
		before := w.send("GET", x.path, "")
		answer := w.send(x.method, x.path, x.body).want(t, http.StatusOK)
		stored := w.send("GET", x.path, "")
		if answer.body != stored.body || answer.header.Get("Etag") != stored.header.Get("Etag") {
			t.Errorf("%s %s\nanswered %s\nstored   %s", x.method, x.body, answer.body, stored.body)
		}
		if answer.body == before.body || answer.header.Get("Etag") == before.header.Get("Etag") {
			t.Errorf("%s %s changes nothing: %s", x.method, x.body, answer.body)
		}
	}
	r := w.send("PATCH", "/Users/"+ann, patchOf(`{"op":"replace","value":{"title":"U","shoeSize":43}}`)).want(t, http.StatusOK)
	if list, _ := r.field(schema.UsherdURN, "warnings").([]any); r.text("title") != "U" || len(list) != 1 || !strings.Contains(list[0].(string), "shoeSize") {
		t.Errorf("%s", r.body)
	}
	w.send("PATCH", "/Groups/"+team, patchOf(`{"op":"add","path":"members","value":[{"value":"nobody"}]}`)).want(t, http.StatusOK)
	if w.count("usherd_scim_quirks_total", "quirk", "unknown-member") != 1 || w.count("usherd_scim_quirks_total", "quirk", patch.UnknownAttribute) != 1 {
		t.Error("what was left out was not counted")
	}
}

// 7. Which members were left out is told in the answer, and by no read after it.
func TestUnknownMembersAreTold(t *testing.T) {
	t.Parallel()
	w, team, ann, _ := everybody(t)
	const nobody = "0190f3c1-7a2b-7c3d-8e4f-5a6b7c8d9e0f"
	told := func(r response) []any {
		list, _ := r.field(schema.UsherdGroup, "warnings").([]any)
		if schemas, _ := r.field("schemas").([]any); slices.Contains(schemas, any(schema.UsherdGroup)) != (len(list) > 0) {
			t.Errorf("%s", r.body)
		}
		return list
	}
	want := func(r response, ids ...string) {
		t.Helper()
		list := told(r)
		if len(list) != len(ids) {
			t.Fatalf("%d warnings, want %d: %s", len(list), len(ids), r.body)
		}
		for i, id := range ids {
			if text, _ := list[i].(string); !strings.Contains(text, id) {
				t.Errorf("%v, want %s", text, id)
			}
		}
	}
	made := w.send("POST", "/Groups", group("Odd", ann, nobody, "x")).want(t, http.StatusCreated)
	want(made, nobody, "members: what is no id of usherd is")
	want(w.send("POST", "/Groups", group("Odd", ann, nobody, "x")).want(t, http.StatusCreated), nobody, "members: what is no id of usherd is") // the same again
	at := "/Groups/" + made.text("id")
	want(w.send("GET", at, "").want(t, http.StatusOK))
	want(w.send("PUT", at, group("Odd", ann, nobody)).want(t, http.StatusOK), nobody)
	want(w.send("PATCH", at, patchOf(`{"op":"add","path":"members","value":[{"value":"`+nobody+`"}]}`)).want(t, http.StatusOK), nobody)
	want(w.send("PATCH", at, patchOf(`{"op":"replace","path":"displayName","value":"Even"}`)).want(t, http.StatusOK))
	if r := w.send("PUT", at+"?attributes=displayName", group("Even", ann, nobody)).want(t, http.StatusOK); told(r) != nil {
		t.Errorf("%s", r.body)
	}
	many := make([]string, 30)
	for i := range many {
		many[i] = fmt.Sprint("nobody-", i)
	}
	if list := told(w.send("PUT", "/Groups/"+team, group("Team", many...)).want(t, http.StatusOK)); len(list) != 21 || list[20] != "members: 10 more were left out" {
		t.Errorf("%v", list)
	}
}
