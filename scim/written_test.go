package scim_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/scim/schema"
)

// shown is a user of an answer without the warnings, which only the answer to a write has.
func shown(t *testing.T, r response) map[string]any {
	t.Helper()
	var u map[string]any
	if err := json.Unmarshal([]byte(r.body), &u); err != nil {
		t.Fatalf("%v: %d %s", err, r.status, r.body)
	}
	if ours, ok := u[schema.UsherdURN].(map[string]any); ok {
		delete(ours, "warnings")
	}
	return u
}

// writes makes writes at random, to a few users that two clients and a directory have a word on.
type writes struct {
	*world
	*inventor
	paths map[string]string
	group string
}

// some is a path of somebody, or of nobody.
func (s *writes) some() string {
	if len(s.paths) == 0 {
		return "/Users/none"
	}
	return s.one(s.paths)
}

// change is what a PATCH does.
func (s *writes) change(name string) string {
	text, _ := s.pick(
		`{"op":"replace","path":"active","value":false}`, `{"op":"replace","path":"active","value":true}`, `{"op":"remove","path":"externalId"}`,
		fmt.Sprintf(`{"op":"replace","path":"externalId","value":"x%d"}`, s.IntN(12)), `{"op":"replace","path":"title","value":" Guide "}`,
		`{"op":"replace","path":"title","value":""}`, `{"op":"replace","path":"userName","value":"`+name+`"}`,
		`{"op":"add","path":"emails","value":[{"value":"`+name+`@other.example","type":"home"}]}`, `{"op":"remove","path":"emails"}`,
	).(string)
	return patchOf(text)
}

// next does something that no client is answered, and says what a client sends then.
func (s *writes) next(i int) (method, at, sent string) {
	name := fmt.Sprintf("p%d", s.IntN(8))
	switch s.IntN(10) {
	case 0:
		s.fromDirectory(name, map[string]string{"userName": name, "email": name + "@example.com", "familyName": "Lee", "givenName": fmt.Sprint("Given", i)})
	case 1:
		s.send("PATCH", "/Groups/"+s.group, patchOf(fmt.Sprintf(`{"op":%q,"path":"members","value":[{"value":%q}]}`, s.pick("add", "remove"), id(s.some()))))
	case 2:
		return "POST", "/Users", strings.Replace(s.user(name), "{", fmt.Sprintf(`{"externalId":"x%d",`, s.IntN(12)), 1)
	case 3:
		return "PUT", s.some(), s.user(name)
	case 4:
		return "DELETE", s.some(), ""
	case 5, 6:
		return "POST", "/Users", s.user(name)
	}
	return "PATCH", s.some(), s.change(name)
}

// What a write answers is made of what was written, and not read: it is what a GET shows right after it, whoever
// else has a word on the user, and in whatever groups it is.
func TestAnswersOfWritesAreWhatIsRead(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	s := &writes{world: newWorld(t), inventor: &inventor{Rand: rand.New(rand.NewPCG(seed, 7))}, paths: map[string]string{}}
	s.group = s.send("POST", "/Groups", `{"displayName":"G"}`).want(t, http.StatusCreated).id(t)
	compared := 0
	for i := 0; i < 250 || i < 1000 && compared < 50; i++ { // some lots refuse most of what is sent
		method, at, sent := s.next(i)
		client := []string{"acme:idp", "acme:idp", "acme:second"}[s.IntN(3)]
		r := s.sendAs(client, method, at, sent)
		switch {
		case method == "DELETE" && r.status == http.StatusNoContent:
			delete(s.paths, at)
		case method == "POST" && r.status == http.StatusCreated:
			at = "/Users/" + r.id(t)
			s.paths[at] = at
		}
		if r.status != http.StatusCreated && r.status != http.StatusOK {
			continue
		}
		again := s.sendAs(client, "GET", at, "").want(t, http.StatusOK)
		if d := cmp.Diff(shown(t, again), shown(t, r)); d != "" || r.header.Get("ETag") != again.header.Get("ETag") {
			t.Fatalf("request %d, %s %s %s: -read +answered, ETag %s and %s\n%s", i, method, at, sent, again.header.Get("ETag"), r.header.Get("ETag"), d)
		}
		compared++
	}
	if compared < 50 {
		t.Errorf("only %d answers were compared", compared)
	}
}
