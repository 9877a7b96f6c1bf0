package scim_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// exchange is a request and what has to stand in the answer.
type exchange struct {
	name    string
	profile string // generic where it is left out
	request string // METHOD PATH, and after an empty line the body. {ann} and {team} are ids
	header  []string
	status  int
	// want are lines of the answer, as flat writes them, or of its header: "Allow: GET". A line that begins with "!" is
	// the beginning of one that must not be there.
	want []string
}

// reads reports whether nothing can come of it.
func (x exchange) reads() bool {
	head, _, _ := strings.Cut(x.request, "\n\n")
	return strings.HasPrefix(head, "GET ") || strings.HasPrefix(head, "HEAD ") || strings.HasSuffix(head, "/.search")
}

// flat writes a JSON document as lines: path = value.
func flat(path string, v any, out []string) []string {
	join := func(key string) string {
		if path == "" {
			return key
		}
		return path + "." + key
	}
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 0 {
			return append(out, path+" = {}")
		}
		for key, e := range v {
			out = flat(join(key), e, out)
		}
		return out
	case []any:
		if len(v) == 0 {
			return append(out, path+" = []")
		}
		for i, e := range v {
			out = flat(path+"["+strconv.Itoa(i)+"]", e, out)
		}
		return out
	}
	b, _ := json.Marshal(v) //nolint:errchkjson // it was JSON
	return append(out, path+" = "+string(b))
}

// lines are those of an answer.
func (r response) lines(t *testing.T) []string {
	t.Helper()
	var out []string
	for name, values := range r.header {
		out = append(out, name+": "+strings.Join(values, ", "))
	}
	if r.body != "" {
		var v any
		d := json.NewDecoder(strings.NewReader(r.body))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			t.Fatalf("the answer is no JSON: %v\n%s", err, r.body)
		}
		out = flat("", v, out)
	}
	return out
}

// hall is a world with a user ann, who was born when meta.created says, and a group team that she is a member of.
type hall struct {
	*world
	ann, born, team string
}

func newHall(t *testing.T) *hall {
	t.Helper()
	h := &hall{world: newWorld(t)}
	ann := h.send("POST", "/Users", person("ann", `,"externalId":"e-1","title":"Guide","nickName":"Annie"`)).want(t, http.StatusCreated)
	h.ann = ann.text("id")
	born, err := time.Parse(time.RFC3339Nano, ann.text("meta", "created"))
	if err != nil {
		t.Fatal(err)
	}
	h.born = born.In(time.FixedZone("", 7200)).Format(time.RFC3339Nano)
	h.team = h.send("POST", "/Groups", group("Team", h.ann)).want(t, http.StatusCreated).text("id")
	return h
}

// play makes the requests, each that may change something in a hall of its own, and holds the answers to what is
// expected.
func play(t *testing.T, list []exchange) {
	t.Helper()
	shared := map[string]*hall{}
	open := func(t *testing.T, profile string) *hall {
		t.Helper()
		h := newHall(t)
		h.speak("acme:idp", profile)
		return h
	}
	for _, x := range list {
		profile := cmp.Or(x.profile, "generic")
		if x.reads() && shared[profile] == nil {
			shared[profile] = open(t, profile)
		}
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			h := shared[profile]
			if !x.reads() {
				h = open(t, profile)
			}
			head, body, _ := strings.Cut(strings.NewReplacer("{ann}", h.ann, "{born}", h.born, "{team}", h.team).Replace(x.request), "\n\n")
			method, path, _ := strings.Cut(head, " ")
			if at, query, ok := strings.Cut(path, "?"); ok {
				path = at + "?" + encoded(query)
			}
			r := h.send(method, path, body, x.header...)
			if r.status != x.status {
				t.Fatalf("%s: %d, want %d\n%s", head, r.status, x.status, r.body)
			}
			lines := r.lines(t)
			for _, w := range x.want {
				w = strings.NewReplacer("{ann}", h.ann, "{team}", h.team).Replace(w)
				if not, ok := strings.CutPrefix(w, "!"); ok {
					if i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, not) }); i >= 0 {
						t.Errorf("%s: the answer has %s", head, lines[i])
					}
				} else if !slices.Contains(lines, w) {
					slices.Sort(lines)
					t.Errorf("%s: the answer has no line\n%s\nbut\n%s", head, w, strings.Join(lines, "\n"))
				}
			}
			if r.status >= http.StatusBadRequest {
				isError(t, r)
			}
		})
	}
}

// isError holds an answer to RFC 7644 section 3.12.
func isError(t *testing.T, r response) {
	t.Helper()
	lines := r.lines(t)
	for _, w := range []string{
		"Content-Type: application/scim+json", `schemas[0] = "urn:ietf:params:scim:api:messages:2.0:Error"`, fmt.Sprintf(`status = "%d"`, r.status),
	} {
		if !slices.Contains(lines, w) {
			t.Errorf("an error without %s:\n%s", w, r.body)
		}
	}
	if r.text("detail") == "" {
		t.Errorf("an error without a detail: %s", r.body)
	}
}

// What elimity-com/scim's server answers wrongly at the version that we use, this door answers rightly. The names say
// what that package does.
func TestWhatThePinnedServerGetsWrong(t *testing.T) {
	t.Parallel()
	play(t, []exchange{
		{name: "HEAD is 404", request: "HEAD /Users/{ann}", status: 200, want: []string{"Location: https://scim.test/scim/acme/v2/Users/{ann}"}},
		{name: "a wrong method on a known path is 404", request: "PUT /Users", status: 405, want: []string{"Allow: GET, HEAD, POST"}},
		{name: "OPTIONS is 404", request: "OPTIONS /Users", status: 405, want: []string{"Allow: GET, HEAD, POST"}},
		{name: "Users with a slash is a user without an id", request: "GET /Users/", status: 200, want: []string{"totalResults = 1"}},
		{name: "POST of the configuration is 200", request: "POST /ServiceProviderConfig\n\n{}", status: 405, want: []string{"Allow: GET, HEAD"}},
		{name: "DELETE of the configuration is 200", request: "DELETE /ServiceProviderConfig", status: 405, want: []string{"Allow: GET, HEAD"}},
		{name: "flags are always false", request: "GET /ServiceProviderConfig", status: 200, want: []string{
			"bulk.supported = true", "sort.supported = true", "etag.supported = true", "patch.supported = true", "filter.supported = true", "changePassword.supported = false",
			"filter.maxResults = 1000", "pagination.cursor = true", "pagination.index = true", `pagination.defaultPaginationMethod = "index"`, "pagination.defaultPageSize = 100",
			`meta.resourceType = "ServiceProviderConfig"`, `meta.location = "https://scim.test/scim/acme/v2/ServiceProviderConfig"`, "!documentationUri",
		}},
		{name: "schemas have no meta", request: "GET /Schemas", status: 200, want: []string{
			"totalResults = 8", "itemsPerPage = 8", `Resources[0].meta.resourceType = "Schema"`,
			`Resources[0].meta.location = "https://scim.test/scim/acme/v2/Schemas/urn:ietf:params:scim:schemas:core:2.0:User"`,
		}},
		{name: "resource types have no meta", request: "GET /ResourceTypes/User", status: 200, want: []string{
			`meta.resourceType = "ResourceType"`, `meta.location = "https://scim.test/scim/acme/v2/ResourceTypes/User"`,
		}},
		{name: "schemas are filtered and counted otherwise", request: `GET /Schemas?filter=id pr`, status: 403},
		{name: "a filter of resource types is ignored", request: `GET /ResourceTypes?filter=id pr`, status: 403},
		{name: "the URN of a schema is found in one case only", request: "GET /Schemas/URN:ietf:params:scim:schemas:core:2.0:user", status: 200, want: []string{`id = "urn:ietf:params:scim:schemas:core:2.0:User"`}},
		{name: "Me is 501 without a word", request: "GET /Me", status: 501},
		{name: "there is no Bulk", request: `POST /Bulk` + "\n\n" + `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[]}`, status: 200},
		{name: "there is no search at the root", request: "POST /.search\n\n{}", status: 200, want: []string{"totalResults = 2"}},
		{name: "there is no search of users", request: "POST /Users/.search\n\n{}", status: 200, want: []string{"totalResults = 1"}},
		{name: "no resources are null", request: `GET /Users?filter=userName eq "x"`, status: 200, want: []string{"Resources = []", "totalResults = 0", "itemsPerPage = 0"}},
		{name: "itemsPerPage is what was asked for", request: "GET /Users?count=50", status: 200, want: []string{"itemsPerPage = 1"}},
		{name: "a count in words has no scimType", request: "GET /Users?count=abc", status: 400, want: []string{`scimType = "invalidValue"`}},
		{name: "sortBy is ignored", request: "GET /Users?sortBy=shoe", status: 400, want: []string{`scimType = "invalidValue"`}},
		{name: "attributes is ignored", request: "GET /Users?attributes=userName", status: 200, want: []string{`Resources[0].userName = "ann"`, "!Resources[0].name"}},
		{name: "cursor is ignored", request: "GET /Users?cursor=x", status: 400, want: []string{`scimType = "invalidCursor"`}},
		{name: "a password comes back", request: "POST /Users\n\n" + person("bob", `,"password":"t1meMa$heen"`), status: 201, want: []string{`userName = "bob"`, "!password"}},
		{name: "a password is read", request: "GET /Users/{ann}?attributes=password", status: 200, want: []string{"!password"}},
		{name: "meta.location is relative", request: "GET /Users/{ann}", status: 200, want: []string{
			`meta.location = "https://scim.test/scim/acme/v2/Users/{ann}"`, "Location: https://scim.test/scim/acme/v2/Users/{ann}",
		}},
		{name: "schemas names every extension", request: "GET /Users/{ann}", status: 200, want: []string{
			`schemas[0] = "urn:ietf:params:scim:schemas:core:2.0:User"`, `schemas[1] = "urn:usherd:params:scim:schemas:extension:2.0:User"`, "!schemas[2]",
		}},
		{name: "If-None-Match is ignored", request: "GET /Users/{ann}", header: []string{"If-None-Match", `*`}, status: 304},
		{name: "If-Match is ignored", request: "DELETE /Users/{ann}", header: []string{"If-Match", `W/"99"`}, status: 412},
		{name: "409 of a GET is 500", request: "PUT /Groups/{team}\n\n" + group("Team"), header: []string{"If-Match", `"0"`}, status: 412},
		{name: "any Content-Type is taken", request: "POST /Users\n\n" + person("bob", ""), header: []string{"Content-Type", "text/xml"}, status: 415},
		{name: "any Accept is taken", request: "GET /Users", header: []string{"Accept", "text/html"}, status: 406},
		{name: "what follows the body is passed over", request: "POST /Users\n\n" + person("bob", "") + "x", status: 400, want: []string{`scimType = "invalidSyntax"`}},
		{name: "of keys that are there twice the last counts", request: "POST /Users\n\n" + person("bob", `,"title":"a","title":"b"`), status: 400, want: []string{`scimType = "invalidSyntax"`}},
		{name: "schemas may be anything", profile: "strict", request: `POST /Users` + "\n\n" + strings.Replace(person("bob", ""), "core:2.0:User", "core:2.0:Shoe", 1), status: 400},
		{name: "a path is unescaped twice", request: "GET /Users/%2541", status: 404, want: []string{`detail = "there is no User %41"`}},
	})
}

// What its schemas take or refuse of a body.
func TestWhatThePinnedSchemasGetWrong(t *testing.T) {
	t.Parallel()
	const enterprise = `"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User`
	post := func(more string) string { return "POST /Users\n\n" + person("bob", more) }
	play(t, []exchange{
		{name: "one object for a list is taken as it is", request: post(`,"phoneNumbers":{"value":"1","type":"work"}`), status: 201, want: []string{`phoneNumbers[0].value = "1"`}},
		{name: "one object for a list, strictly", profile: "strict", request: post(`,"phoneNumbers":{"value":"1"}`), status: 400, want: []string{`scimType = "invalidValue"`}},
		{name: "an empty list comes back as null", request: post(`,"phoneNumbers":[]`), status: 201, want: []string{"!phoneNumbers"}},
		{name: "two primary values are taken", request: post(`,"phoneNumbers":[{"value":"1","primary":true},{"value":"2","primary":true}]`), status: 400, want: []string{`scimType = "invalidValue"`}},
		{name: "an empty userName is taken", request: "POST /Users\n\n" + person("", ""), status: 400, want: []string{`scimType = "invalidValue"`}},
		{name: "an extension in another case is dropped", request: post(`,` + strings.ToUpper(enterprise) + `":{"department":"D"}`), status: 201, want: []string{`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User.department = "D"`}},
		{name: "a flat key of an extension is dropped", request: post(`,` + enterprise + `:department":"D"`), status: 201, want: []string{`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User.department = "D"`}},
		{name: "what is unknown is dropped without a word", request: post(`,"shoeSize":43`), status: 201, want: []string{"!shoeSize"}},
		{name: "a boolean as text is refused", request: post(`,"active":"False"`), status: 201, want: []string{"active = false"}},
		{name: "a boolean as text, strictly", profile: "strict", request: post(`,"active":"False"`), status: 400, want: []string{`scimType = "invalidValue"`}},
		{name: "a manager as text is refused", request: post(`,` + enterprise + `":{"manager":"271"}`), status: 201, want: []string{`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User.manager.value = "271"`}},
		{name: "members as texts are refused", request: `POST /Groups` + "\n\n" + `{"displayName":"G","members":["{ann}"]}`, status: 201, want: []string{`members[0].value = "{ann}"`}},
		{name: "null in a list", request: post(`,"phoneNumbers":[null]`), status: 400, want: []string{`scimType = "invalidValue"`}},
		{name: "a number as externalId is refused", request: post(`,"externalId":701984`), status: 201, want: []string{`externalId = "701984"`}},
		{name: "a number as externalId, strictly", profile: "strict", request: post(`,"externalId":701984`), status: 400, want: []string{`scimType = "invalidValue"`}},
		{name: "null is nothing", request: post(`,"title":null,"nickName":null,"phoneNumbers":null`), status: 201, want: []string{"!title", "!nickName", "!phoneNumbers"}},
		{name: "keys that differ in case are refused without a word", request: post(`,"TITLE":"a","title":"b"`), status: 400, want: []string{`scimType = "invalidSyntax"`}},
	})
}
