package check

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCasesHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, name := range Areas() {
		seen[name] = true
	}
	for _, a := range areas() {
		for _, c := range a.cases {
			if seen[c.id] {
				t.Errorf("%s is there twice, or the name of an area", c.id)
			}
			seen[c.id] = true
			if c.section == "" || c.name == "" || c.run == nil || a.rfc == "" {
				t.Errorf("%s lacks something: %+v", c.id, c)
			}
			if len([]rune(c.name)) > 76 {
				t.Errorf("%s: the name does not fit into the table", c.id)
			}
		}
	}
}

// tenant is a small service: users in a map, whatever is posted. It is not meant to pass many cases.
type tenant struct {
	mu    sync.Mutex
	users map[string]object
	next  int
	asked []string
	// before answers instead of the service where it returns true.
	before func(w http.ResponseWriter, r *http.Request) bool
}

func (s *tenant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.Method+" "+r.URL.Path)
	if s.before != nil && s.before(w, r) {
		return
	}
	w.Header().Set("Content-Type", mediaType)
	id := strings.TrimPrefix(r.URL.Path, "/Users/")
	switch {
	case r.URL.Path == "/ServiceProviderConfig":
		answerJSON(w, http.StatusOK, object{"schemas": []string{configURN}, "filter": object{"supported": true}, "patch": object{"supported": true}})
	case r.URL.Path == "/Users" && r.Method == http.MethodPost:
		u := object{}
		_ = json.NewDecoder(r.Body).Decode(&u)
		s.next++
		id = strconv.Itoa(s.next)
		u["id"] = id
		s.users[id] = u
		answerJSON(w, http.StatusCreated, u)
	case r.URL.Path == "/Users":
		list := []any{}
		for _, u := range s.users {
			list = append(list, u)
		}
		answerJSON(w, http.StatusOK, object{"schemas": []string{listURN}, "totalResults": len(list), "Resources": list})
	case s.users[id] == nil:
		answerJSON(w, http.StatusNotFound, object{"schemas": []string{errorURN}, "status": "404"})
	case r.Method == http.MethodDelete:
		delete(s.users, id)
		w.WriteHeader(http.StatusNoContent)
	default:
		answerJSON(w, http.StatusOK, s.users[id])
	}
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func start(t *testing.T, s *tenant) (*tenant, Options) {
	t.Helper()
	s.users = map[string]object{"boss": {"id": "boss", "userName": "boss@example.com"}}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	return s, Options{URL: srv.URL, Token: "very-secret", Prefix: "usherd-check-test", Domain: "example.com", Now: time.Now}
}

func TestEverythingMadeIsDeleted(t *testing.T) {
	t.Parallel()
	s, o := start(t, &tenant{})
	o.Profile = allProfiles
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Complete || r.Counts.Cases < 150 || r.Counts.OK == 0 || r.Counts.Fails == 0 || r.Counts.NotAnnounced == 0 || r.Counts.Skipped == 0 || !r.Failed() {
		t.Errorf("%+v", r.Counts)
	}
	if d := cmp.Diff([]string{"boss"}, keys(s.users)); d != "" || len(r.Left) > 0 {
		t.Errorf("who is left (-want +got):\n%s\n%v", d, r.Left)
	}
	b, err := json.Marshal(r)
	if err != nil || strings.Contains(string(b), o.Token) {
		t.Errorf("the report has the token, or none is made: %v", err)
	}
}

func keys(m map[string]object) (out []string) {
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func TestInterruptedCheckDeletesWhatItMade(t *testing.T) {
	t.Parallel()
	s, o := start(t, &tenant{})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	o.Done = func(r Result) {
		if r.Area == "create" {
			stop()
		}
	}
	r, err := Run(ctx, o)
	if err == nil || r == nil || r.Complete || r.Made == 0 || len(r.Left) > 0 {
		t.Fatalf("%+v %v", r, err)
	}
	if d := cmp.Diff([]string{"boss"}, keys(s.users)); d != "" {
		t.Errorf("who is left (-want +got):\n%s", d)
	}
}

// A POST may work although its answer is lost.
func TestWhoseAnswerWasLostIsDeletedToo(t *testing.T) {
	t.Parallel()
	s, o := start(t, &tenant{})
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		u := object{}
		_ = json.NewDecoder(r.Body).Decode(&u)
		u["id"] = "lost"
		s.users["lost"] = u
		answerJSON(w, http.StatusInternalServerError, object{})
		return true
	}
	o.Only = []string{"create-answer"}
	r, err := Run(t.Context(), o)
	if err != nil || r.Made != 1 {
		t.Fatalf("%+v %v", r, err)
	}
	if d := cmp.Diff([]string{"boss"}, keys(s.users)); d != "" {
		t.Errorf("who is left (-want +got):\n%s", d)
	}
}

func TestWhatCannotBeDeletedIsTold(t *testing.T) {
	t.Parallel()
	s, o := start(t, &tenant{})
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodDelete {
			answerJSON(w, http.StatusForbidden, object{})
		}
		return r.Method == http.MethodDelete
	}
	o.Only = []string{"create-answer"}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"/Users/1"}, r.Left); d != "" {
		t.Errorf("left (-want +got):\n%s", d)
	}
}

// The token is for one service: no other host gets it, wherever that service points.
func TestTokenGoesToNoOtherHost(t *testing.T) {
	t.Parallel()
	var elsewhere []string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		elsewhere = append(elsewhere, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization"))
		answerJSON(w, http.StatusOK, object{})
	}))
	t.Cleanup(other.Close)
	_, o := start(t, &tenant{before: func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.Method == http.MethodPost:
			w.Header().Set("Location", other.URL+"/Users/1")
			answerJSON(w, http.StatusCreated, object{"id": "1", "meta": object{"location": other.URL + "/Users/1"}})
			return true
		case r.URL.Path == "/Users/1":
			http.Redirect(w, r, other.URL+"/Users/1", http.StatusTemporaryRedirect)
			return true
		}
		return false
	}})
	o.Only = []string{"create-location", "retrieve-user"}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(elsewhere) > 0 || r.Counts.Fails != 2 {
		t.Errorf("another host was asked: %v; %+v", elsewhere, r.Results)
	}
}

func TestTokenThatIsRepeatedIsHidden(t *testing.T) {
	t.Parallel()
	_, o := start(t, &tenant{before: func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			answerJSON(w, http.StatusBadRequest, object{"detail": "no " + r.Header.Get("Authorization")})
		}
		return r.Method == http.MethodPost
	}})
	o.Only = []string{"create-answer"}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Results[0].Got; !strings.Contains(got, "Bearer [hidden]") || strings.Contains(got, o.Token) {
		t.Errorf("got %q", got)
	}
}

func TestServiceThatAsksToWaitIsWaitedFor(t *testing.T) {
	t.Parallel()
	times := 0
	_, o := start(t, &tenant{before: func(w http.ResponseWriter, r *http.Request) bool {
		if times++; times%2 == 1 {
			w.Header().Set("Retry-After", "0")
			answerJSON(w, http.StatusTooManyRequests, object{})
		}
		return times%2 == 1
	}})
	o.Only = []string{"retrieve-unknown"}
	r, err := Run(t.Context(), o)
	if err != nil || r.Counts.OK != 1 {
		t.Errorf("%+v %v", r, err)
	}
}

func TestNothingIsCheckedWithoutAccess(t *testing.T) {
	t.Parallel()
	_, o := start(t, &tenant{before: func(w http.ResponseWriter, _ *http.Request) bool {
		answerJSON(w, http.StatusUnauthorized, object{"detail": "token ended"})
		return true
	}})
	_, err := Run(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "the service does not accept the token") || !strings.Contains(err.Error(), "token ended") {
		t.Error(err)
	}
	o.URL = "http://127.0.0.1:1"
	if _, err = Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "cannot be reached") {
		t.Error(err)
	}
}

func TestChoosing(t *testing.T) {
	t.Parallel()
	for only, want := range map[string]int{"delete": 5, "3.6": 6, "7644-3.6": 6, "7643-3.6": 0, "delete-free": 1, "DELETE": 5, "3": -1, "nothing": 0, "dialect": 0} {
		list, err := choose(Options{Prefix: "x", Only: []string{only}})
		if (err != nil) != (want == 0) || want > 0 && len(list) != want || want < 0 && len(list) < 50 {
			t.Errorf("%s: %d cases, %v", only, len(list), err)
		}
	}
	for _, o := range []Options{
		{Prefix: "x", URL: "scim.example.com"},
		{Prefix: "x", URL: "https://u:p@scim.example.com"},
		{Prefix: "x", URL: "https://scim.example.com?a=b"},
		{Prefix: "x", URL: "https://scim.example.com", Profile: "aol"},
		{URL: "https://scim.example.com"},
	} {
		if err := o.Validate(); err == nil || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if err := (Options{Prefix: "x", URL: "https://scim.example.com/v2/", Profile: "entra", Only: []string{"dialect"}}).Validate(); err != nil {
		t.Error(err)
	}
}

// What the served schema requires is given, whatever it is.
func TestPersonHasWhatIsRequired(t *testing.T) {
	t.Parallel()
	attribute := func(name, kind string, more ...any) any {
		a := object{"name": name, "type": kind, "required": true, "mutability": "readWrite"}
		for i := 0; i+1 < len(more); i += 2 {
			a[more[i].(string)] = more[i+1] //nolint:forcetypeassert // written here
		}
		return a
	}
	o := Options{Prefix: "p", Domain: "example.com", Now: func() time.Time { return time.Unix(0, 0) }}
	sv := &service{o: o, types: map[feature]object{users: {"endpoint": "/Users", "schemaExtensions": []any{object{"schema": "urn:x", "required": true}}}}}
	sv.schemas = map[string]object{
		strings.ToLower(userURN): {"attributes": []any{
			attribute("userName", "string"), attribute("id", "string", "mutability", "readOnly"), attribute("level", "integer"),
			attribute("kind", "string", "canonicalValues", []any{"red", "blue"}), attribute("since", "dateTime"), attribute("key", "binary", "multiValued", true),
			attribute("site", "reference"), attribute("on", "boolean"), attribute("place", "complex", "subAttributes", []any{attribute("city", "string")}),
		}},
		"urn:x": {"attributes": []any{attribute("badge", "string")}},
	}
	want := object{
		"schemas": []any{userURN, "urn:x"}, "userName": "p-1@example.com", "level": 1, "kind": "red", "since": "1970-01-01T00:00:00Z",
		"key": []any{"dXNoZXJk"}, "site": "https://example.com/p-1", "on": true, "place": object{"city": "p-1"}, "urn:x": object{"badge": "p-1"},
	}
	if d := cmp.Diff(want, sv.person()); d != "" {
		t.Errorf("person (-want +got):\n%s", d)
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	_, o := start(t, &tenant{before: func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			_, _ = io.WriteString(w, "<html>"+strings.Repeat("x", 1000))
		}
		return r.Method == http.MethodPost
	}})
	o.Only = []string{"create"}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range r.Results {
		if x.Outcome == OK || x.Outcome == Fails && !strings.Contains(x.Got, "with a body that is no JSON object") {
			t.Errorf("%+v", x)
		}
	}
}
