package scim_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"usherd/scim/check"
)

// toDoor sends what is meant for the public address of the door to the test server.
type toDoor struct{ w *world }

func (d toDoor) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = "http", strings.TrimPrefix(d.w.srv.URL, "http://")
	return d.w.srv.Client().Transport.RoundTrip(r)
}

// checkDoor runs the cases that users of `usherd scim check` run, each as a test of its own.
func checkDoor(t *testing.T, w *world, o check.Options) *check.Report {
	t.Helper()
	o.URL, o.Token, o.Transport = "https://scim.test/scim/acme/v2", w.tokens["acme:idp"], toDoor{w}
	// What names end with stands at their beginning too, as it may by chance where the prefix is random.
	o.Prefix, o.Now, o.Domain = "usherd-check-a-b-c", time.Now, "example.com"
	report, err := check.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Results {
		t.Run(r.RFC+"/"+r.ID, func(t *testing.T) {
			switch r.Outcome {
			case check.OK:
			case check.Fails, check.NotAnnounced, check.Skipped:
				t.Errorf("%s %s %s: %s %s\nexpected %s\ngot      %s", r.RFC, r.Section, r.Name, r.Outcome, r.Reason, r.Expected, r.Got)
			}
		})
	}
	if len(report.Left) > 0 {
		t.Errorf("left behind: %v", report.Left)
	}
	return report
}

// What we ask of others we ask of ourselves: usherd announces everything, and no case fails or is skipped.
func TestDoorPassesItsOwnCheck(t *testing.T) {
	t.Parallel()
	for profile, only := range map[string][]string{"strict": nil, "generic": nil, "entra": {"dialect"}, "okta": {"dialect"}, "authentik": {"dialect"}, "keycloak": {"dialect"}} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.speak("acme:idp", profile)
			o := check.Options{Only: only}
			if only != nil {
				o.Profile = profile
			}
			report := checkDoor(t, w, o)
			if only == nil && report.Counts.Cases < 150 {
				t.Errorf("only %d cases ran", report.Counts.Cases)
			}
		})
	}
}

// spoiled is a door with a fault: what is asked or answered is changed on the way.
type spoiled struct {
	next http.RoundTripper
	// ask changes a request before it is sent.
	ask func(r *http.Request)
	// answer changes what came back. It may change the body, as JSON.
	answer func(r *http.Request, a *http.Response, body map[string]any)
}

func (s spoiled) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if s.ask != nil {
		s.ask(r)
	}
	a, err := s.next.RoundTrip(r)
	if err != nil || s.answer == nil {
		return a, err
	}
	raw, err := io.ReadAll(a.Body)
	if err != nil {
		return nil, err
	}
	_ = a.Body.Close()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var body map[string]any
	_ = d.Decode(&body) // not every answer has one
	s.answer(r, a, body)
	if body != nil {
		if raw, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	a.Body, a.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
	return a, nil
}

// without takes a parameter out of every address.
func without(name string) func(r *http.Request) {
	return func(r *http.Request) {
		q := r.URL.Query()
		q.Del(name)
		r.URL.RawQuery = q.Encode()
	}
}

// renamedIn writes a text of bodies that are sent in another way.
func renamedIn(method, from, to string) func(r *http.Request) {
	return func(r *http.Request) {
		if r.Method != method || r.Body == nil {
			return
		}
		b, _ := io.ReadAll(r.Body)
		b = bytes.ReplaceAll(b, []byte(from), []byte(to))
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
	}
}

// onStatus answers one status instead of another.
func onStatus(from, to int) func(*http.Request, *http.Response, map[string]any) {
	return func(_ *http.Request, a *http.Response, body map[string]any) {
		if a.StatusCode == from {
			if a.StatusCode = to; body["status"] != nil {
				body["status"] = strconv.Itoa(to)
			}
		}
	}
}

// dropped takes a header out of every answer.
func dropped(header string) func(*http.Request, *http.Response, map[string]any) {
	return func(_ *http.Request, a *http.Response, _ map[string]any) { a.Header.Del(header) }
}

// member changes a member of every body that has it.
func member(name string, change func(v any) any) func(*http.Request, *http.Response, map[string]any) {
	return func(_ *http.Request, _ *http.Response, body map[string]any) {
		if v, ok := body[name]; ok {
			body[name] = change(v)
		}
	}
}

// faults are doors with one fault each, and cases that have to find it.
var faults = []struct {
	name   string
	ask    func(r *http.Request)
	answer func(r *http.Request, a *http.Response, body map[string]any)
	found  string // ids of cases
}{
	{name: "no Location", answer: dropped("Location"), found: "create-answer create-location"},
	{name: "200 for 201", answer: onStatus(http.StatusCreated, http.StatusOK), found: "create-answer group-create"},
	{name: "400 for 409", answer: onStatus(http.StatusConflict, http.StatusBadRequest), found: "create-twice create-twice-case put-taken"},
	{name: "400 for 404", answer: onStatus(http.StatusNotFound, http.StatusBadRequest), found: "retrieve-unknown delete-gone delete-unknown put-unknown patch-unknown error-unknown discovery-unknown"},
	{name: "404 for 405", answer: onStatus(http.StatusMethodNotAllowed, http.StatusNotFound), found: "discovery-read-only error-method"},
	{name: "500 for 400", answer: onStatus(http.StatusBadRequest, http.StatusInternalServerError), found: "create-incomplete error-json error-array error-type filter-bad-end patch-bad-op required-empty"},
	{name: "200 for 204", answer: onStatus(http.StatusNoContent, http.StatusOK), found: "delete-answer"},
	{name: "400 for 413", answer: onStatus(http.StatusRequestEntityTooLarge, http.StatusBadRequest), found: "bulk-too-many"},
	{name: "400 for 412", answer: onStatus(http.StatusPreconditionFailed, http.StatusBadRequest), found: "etag-stale"},
	{name: "400 for 415", answer: onStatus(http.StatusUnsupportedMediaType, http.StatusBadRequest), found: "media-other"},
	{name: "403 for 401", answer: onStatus(http.StatusUnauthorized, http.StatusForbidden), found: "error-anonymous error-token"},
	{name: "400 for 403", answer: onStatus(http.StatusForbidden, http.StatusBadRequest), found: "discovery-filter"},
	{name: "no challenge", answer: dropped("WWW-Authenticate"), found: "error-anonymous"},
	{name: "no Allow", answer: dropped("Allow"), found: "error-method"},
	{name: "no ETag", answer: dropped("ETag"), found: "etag-version"},
	{name: "filters in bodies are ignored", ask: renamedIn(http.MethodPost, `"filter"`, `"shoe"`), found: "search-users search-filter"},
	{name: "another version in lists", answer: member("Resources", func(v any) any {
		for _, r := range v.([]any) {
			if meta, ok := r.(map[string]any)["meta"].(map[string]any); ok {
				meta["version"] = "W/\"0\""
			}
		}
		return v
	}), found: "etag-list"},
	{
		name: "no scimType", answer: func(_ *http.Request, _ *http.Response, body map[string]any) { delete(body, "scimType") },
		found: "create-twice put-taken filter-bad-operator patch-remove-pathless patch-remove-read-only read-only-patch cursor-invalid",
	},
	{name: "status as a number", answer: member("status", func(v any) any { n, _ := strconv.Atoi(v.(string)); return n }), found: "error-unknown retrieve-unknown"},
	{
		name: "JSON of no kind", answer: func(_ *http.Request, a *http.Response, _ map[string]any) {
			a.Header.Set("Content-Type", "application/json")
		},
		found: "media-answer error-media-type",
	},
	{name: "the password comes back", ask: renamedIn(http.MethodPost, `"password"`, `"nickName"`), found: "password-hidden"},
	{name: "filters are ignored", ask: without("filter"), found: "filter-eq filter-ne filter-pr filter-bad-end discovery-filter retrieve-empty delete-unlisted paging-walk sort-default group-find"},
	{name: "sortBy is ignored", ask: without("sortBy"), found: "sort-default sort-ascending sort-descending sort-sub sort-multi sort-none"},
	{name: "sortOrder is ignored", ask: without("sortOrder"), found: "sort-descending sort-none"},
	{name: "attributes is ignored", ask: without("attributes"), found: "attributes attributes-sub attributes-urn attributes-case attributes-list attributes-post attributes-patch"},
	{name: "excludedAttributes is ignored", ask: without("excludedAttributes"), found: "excluded excluded-always excluded-sub group-without-members"},
	{name: "startIndex is ignored", ask: without("startIndex"), found: "paging-walk paging-beyond paging-items"},
	{name: "count is ignored", ask: without("count"), found: "paging-totals paging-negative cursor-walk"},
	{name: "cursor is ignored", ask: without("cursor"), found: "cursor-walk cursor-invalid cursor-other cursor-count"},
	{name: "If-Match is ignored", ask: func(r *http.Request) { r.Header.Del("If-Match") }, found: "etag-stale"},
	{name: "If-None-Match is ignored", ask: func(r *http.Request) { r.Header.Del("If-None-Match") }, found: "etag-none-match"},
	{name: "add replaces", ask: renamedIn(http.MethodPatch, `"op":"add"`, `"op":"replace"`), found: "patch-add-list group-add"},
	{name: "replace adds", ask: renamedIn(http.MethodPatch, `"op":"replace"`, `"op":"add"`), found: "patch-replace-list group-replace"},
	{name: "a filter in a path is ignored", ask: renamedIn(http.MethodPatch, `[type eq \"home\"]`, ``), found: "patch-replace-element patch-remove-value-path"},
	{name: "a filter of members is ignored", ask: func(r *http.Request) {
		if r.Method == http.MethodPatch {
			b, _ := io.ReadAll(r.Body)
			b = regexp.MustCompile(`members\[[^]]*\]`).ReplaceAll(b, []byte("members"))
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
		}
	}, found: "group-remove"},
	{name: "the first operation only", ask: func(r *http.Request) {
		if r.Method == http.MethodPatch {
			var m map[string]any
			_ = json.NewDecoder(r.Body).Decode(&m)
			m["Operations"] = m["Operations"].([]any)[:1]
			b, _ := json.Marshal(m)
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
		}
	}, found: "patch-order patch-atomic"},
	{name: "failOnErrors is ignored", ask: renamedIn(http.MethodPost, `"failOnErrors"`, `"no"`), found: "bulk-fail-on-errors"},
	{name: "bulkIds are not resolved", ask: renamedIn(http.MethodPost, `"bulkId:ann"`, `"x"`), found: "bulk-reference bulk-forward"},
	{name: "circles are not resolved", ask: renamedIn(http.MethodPost, `"bulkId:b"`, `"x"`), found: "bulk-circular"},
	{name: "a user has no groups", answer: func(_ *http.Request, _ *http.Response, body map[string]any) { delete(body, "groups") }, found: "group-of-user"},
	{
		name: "no schemas", answer: func(_ *http.Request, _ *http.Response, body map[string]any) { delete(body, "schemas") },
		found: "config-served types-listed schemas-listed create-schemas retrieve-user retrieve-list search-users error-unknown bulk-all",
	},
	{name: "totalResults of the page", answer: func(_ *http.Request, _ *http.Response, body map[string]any) {
		if body["totalResults"] != nil {
			body["totalResults"] = body["itemsPerPage"]
		}
	}, found: "paging-walk paging-totals paging-beyond"},
	{name: "flags as text", answer: member("patch", func(any) any { return map[string]any{"supported": "true"} }), found: "config-flags"},
	{name: "no limits", answer: member("filter", func(any) any { return map[string]any{"supported": true} }), found: "config-limits"},
	{name: "schemes without a name", answer: member("authenticationSchemes", func(any) any { return []any{map[string]any{"type": "oauth2"}} }), found: "config-authentication"},
	{name: "attributes of no type", answer: member("Resources", func(v any) any {
		for _, s := range v.([]any) {
			if list, ok := s.(map[string]any)["attributes"].([]any); ok {
				list[0].(map[string]any)["type"] = "text"
			}
		}
		return v
	}), found: "schemas-words"},
	{name: "times in words", answer: member("meta", func(v any) any { v.(map[string]any)["created"] = "yesterday"; return v }), found: "create-meta"},
	{name: "the client's id", answer: func(r *http.Request, _ *http.Response, body map[string]any) {
		if r.Method == http.MethodPost && body["meta"] != nil {
			body["id"] = "00000000-0000-0000-0000-000000000000"
		}
	}, found: "create-read-only"},
}

// A check that finds nothing proves nothing: each fault that a door may have is found by the cases that are about it.
func TestCheckFindsFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.speak("acme:idp", "strict")
	for i, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			report, err := check.Run(t.Context(), check.Options{
				URL: "https://scim.test/scim/acme/v2", Token: w.tokens["acme:idp"], Transport: spoiled{toDoor{w}, f.ask, f.answer},
				Prefix: "usherd-check-" + strconv.Itoa(i), Now: time.Now, Domain: "example.com", Only: strings.Fields(f.found),
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range report.Results {
				if r.Outcome != check.Fails || r.Expected == "" || r.Got == "" {
					t.Errorf("%s does not find it: %s %s %s", r.ID, r.Outcome, r.Reason, r.Got)
				}
			}
		})
	}
	checkDoor(t, w, check.Options{}) // it is the faults that were found, and nothing that the checks have left behind
}

// There is no case that passes whatever the service answers.
func TestEveryCaseCanFail(t *testing.T) {
	t.Parallel()
	failed := map[string]bool{}
	for name, lie := range map[string]func(a *http.Response, body map[string]any){
		"empty": func(a *http.Response, body map[string]any) {
			a.StatusCode = http.StatusOK
			clear(body)
		},
		"made": func(a *http.Response, body map[string]any) {
			a.StatusCode = http.StatusCreated
			clear(body)
			body["id"] = "x"
		},
		"broken": func(a *http.Response, body map[string]any) {
			a.StatusCode = http.StatusInternalServerError
			clear(body)
		},
	} {
		w := newWorld(t)
		asked := 0
		report, err := check.Run(t.Context(), check.Options{
			URL: "https://scim.test/scim/acme/v2", Token: w.tokens["acme:idp"], Prefix: "usherd-check-test", Now: time.Now, Domain: "example.com", Profile: "all",
			Transport: spoiled{next: toDoor{w}, answer: func(_ *http.Request, a *http.Response, body map[string]any) {
				if asked++; asked > 3 { // what it has is told first
					lie(a, body)
				}
			}},
		})
		if err != nil {
			t.Fatal(name, err)
		}
		for _, r := range report.Results {
			failed[r.ID] = failed[r.ID] || r.Outcome == check.Fails
		}
	}
	for id, ok := range failed {
		if !ok {
			t.Errorf("%s passes whatever is answered", id)
		}
	}
}
