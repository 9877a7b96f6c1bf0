package scim_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/scim/schema"
)

// person is the body of a POST; more is put before its end.
func person(name, more string) string {
	return `{"schemas":["` + schema.UserURN + `"],"userName":"` + name + `","name":{"familyName":"Lee","givenName":"Ann"},"emails":[{"value":"` +
		name + `@example.com","type":"work","primary":true}]` + more + `}`
}

func patchOf(ops string) string {
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + ops + `]}`
}

// field reads a member of an answer by its path, with dots; a URN is taken whole in brackets.
func (r response) field(path ...string) any {
	var v any
	_ = json.Unmarshal([]byte(r.body), &v)
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

func (r response) text(path ...string) string {
	s, _ := r.field(path...).(string)
	return s
}

// want checks a status and returns the response.
func (r response) want(t *testing.T, status int) response {
	t.Helper()
	if r.status != status {
		t.Fatalf("status %d, want %d: %s", r.status, status, r.body)
	}
	return r
}

// fromDirectory brings somebody as the directory does.
func (w *world) fromDirectory(name string, attributes map[string]string) {
	w.t.Helper()
	rec := &connector.Record{Anchor: connector.Anchor{Kind: connector.TextAnchor, Raw: name}, DN: "cn=" + name, Enabled: connector.EnabledYes}
	for _, a := range connector.Attributes() {
		if v := attributes[a.Name]; v != "" {
			rec.Attributes = append(rec.Attributes, connector.Attribute{Name: a.Name, Values: [][]byte{[]byte(v)}})
		}
	}
	ch, err := w.provs["acme"].Submit(w.t.Context(), "dir", rec, connector.Cause{Kind: connector.CauseRequest, Actor: "test"})
	if err != nil || len(ch.Failures) > 0 {
		w.t.Fatal(err, ch)
	}
}

// What the directory owns a client may not overwrite; what it does not, it may. Both are told.
func TestDirectoryOwnsWhatItSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fromDirectory("ann", map[string]string{
		"userName": "ann", "givenName": "Ann", "familyName": "Lee", "email": "ann@example.com", "title": "Director",
	})
	id := w.send("GET", `/Users?filter=userName+eq+"ann"`, "").want(t, http.StatusOK)
	user := id.field("Resources").([]any)[0].(map[string]any)["id"].(string)
	w.send("POST", "/Users", person("ann", "")).want(t, http.StatusConflict)
	r := w.send("PATCH", "/Users/"+user, patchOf(`{"op":"replace","path":"title","value":"Boss"},{"op":"replace","path":"nickName","value":"Annie"}`)).want(t, http.StatusOK)
	if r.text("title") != "Director" || r.text("nickName") != "Annie" {
		t.Errorf("%s", r.body)
	}
	warnings, _ := r.field(schema.UsherdURN, "warnings").([]any)
	if len(warnings) != 1 || !strings.HasPrefix(warnings[0].(string), "title is owned by another source") {
		t.Errorf("%v", warnings)
	}
	if r := w.send("PATCH", "/Users/"+user, patchOf(`{"op":"replace","path":"active","value":false}`)).want(t, http.StatusOK); r.field("active") != true {
		t.Errorf("the directory has it active: %s", r.body)
	}
	// Deleted by the client, it is gone for the client alone.
	w.send("DELETE", "/Users/"+user, "").want(t, http.StatusNoContent)
	w.send("GET", "/Users/"+user, "").want(t, http.StatusNotFound)
	w.sendAs("acme:second", "GET", "/Users/"+user, "").want(t, http.StatusOK)
	if r := w.send("POST", "/Users", person("ann", "")).want(t, http.StatusCreated); r.text("id") != user {
		t.Errorf("the same person has another id: %s", r.body)
	}
}

// Who finds no seat is refused with the package, waits, and is created when one is free.
func TestSeatsAreWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { o.Packages[0].Seats = 1 })
	first := w.send("POST", "/Users", person("ann", "")).want(t, http.StatusCreated).text("id")
	r := w.send("POST", "/Users", person("bob", "")).want(t, http.StatusForbidden)
	if r.text("urn:usherd:params:scim:api:messages:2.0:Failure", "reason") != "no_seat" || !strings.Contains(r.text("detail"), "(31)") {
		t.Errorf("%s", r.body)
	}
	if r := w.send("GET", `/Users?filter=userName+eq+"bob"`, "").want(t, http.StatusOK); r.field("totalResults") != 0.0 {
		t.Errorf("%s", r.body)
	}
	w.send("PATCH", "/Users/"+first, patchOf(`{"op":"replace","path":"active","value":false}`)).want(t, http.StatusOK)
	if r := w.send("GET", `/Users?filter=userName+eq+"bob"`, "").want(t, http.StatusOK); r.field("totalResults") != 1.0 {
		t.Errorf("the seat was not offered: %s", r.body)
	}
	w.send("PATCH", "/Users/"+first, patchOf(`{"op":"replace","path":"active","value":true}`)).want(t, http.StatusForbidden)
}

// Who needs an approval is created all the same, and says so.
func TestApprovalIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { o.Approval = true })
	if r := w.send("POST", "/Users", person("ann", "")).want(t, http.StatusCreated); r.field(schema.UsherdURN, "pendingApproval") != true {
		t.Errorf("%s", r.body)
	}
}

// Nobody but an administrator undoes what an administrator did.
func TestAnAdministratorsWordStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.send("POST", "/Users", person("ann", `,"externalId":"e1"`)).want(t, http.StatusCreated).text("id")
	parsed, err := connector.ParseID(id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.provs["acme"].Deactivate(t.Context(), provision.Command{User: parsed, Actor: "admin", Reason: "left"}); err != nil {
		t.Fatal(err)
	}
	r := w.send("PATCH", "/Users/"+id, patchOf(`{"op":"replace","path":"active","value":true}`)).want(t, http.StatusOK)
	if r.field("active") != false || !strings.Contains(r.body, "only an administrator can reactivate it") {
		t.Errorf("%s", r.body)
	}
	if r := w.send("POST", "/Users", person("ann", `,"externalId":"e1"`)).want(t, http.StatusCreated); r.text("id") != id || r.field("active") != false {
		t.Errorf("%s", r.body)
	}
}

// A failed change is told with the resource until it has gone well.
func TestTheLastFailureIsShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.send("POST", "/Users", person("ann", "")).want(t, http.StatusCreated)
	id := w.send("POST", "/Users", person("bob", "")).want(t, http.StatusCreated).text("id")
	w.send("PATCH", "/Users/"+id, patchOf(`{"op":"replace","path":"userName","value":"ANN"}`)).want(t, http.StatusConflict)
	if r := w.send("GET", "/Users/"+id, ""); r.text(schema.UsherdURN, "lastFailure", "reason") != "user_name_taken" {
		t.Errorf("%s", r.body)
	}
	w.send("PATCH", "/Users/"+id, patchOf(`{"op":"replace","path":"title","value":"Boss"}`)).want(t, http.StatusOK)
	if r := w.send("GET", "/Users/"+id, ""); r.field(schema.UsherdURN, "lastFailure") != nil {
		t.Errorf("%s", r.body)
	}
}

// Whom the configuration protects no client takes away, and it is told so.
func TestTheProtectedStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *connector.Organization) { o.Sources[1].Protected.Users = []string{"ANN@example.com"} })
	id := w.send("POST", "/Users", person("ann", "")).want(t, http.StatusCreated).text("id")
	w.send("DELETE", "/Users/"+id, "").want(t, http.StatusForbidden)
	w.send("PATCH", "/Users/"+id, patchOf(`{"op":"replace","path":"active","value":false}`)).want(t, http.StatusForbidden)
	if r := w.send("GET", "/Users/"+id, "").want(t, http.StatusOK); r.field("active") != true {
		t.Errorf("%s", r.body)
	}
}

// What is returned is what was sent, to the blank.
func TestNamesAreKeptAsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"Ann.LEE", "ünïcode", "a b", "ann+x"} {
		body := strings.Replace(person("x"+strings.ReplaceAll(name, " ", ""), ""), `"userName":"x`+strings.ReplaceAll(name, " ", "")+`"`, `"userName":"`+name+`"`, 1)
		body = strings.Replace(body, `"value":"x`+strings.ReplaceAll(name, " ", "")+"@", `"value":"a`+strconv.Itoa(len(name))+"@", 1)
		r := w.send("POST", "/Users", body).want(t, http.StatusCreated)
		if r.text("userName") != name || w.send("GET", "/Users/"+r.text("id"), "").text("userName") != name {
			t.Errorf("%q: %s", name, r.body)
		}
	}
}
