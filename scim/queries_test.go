package scim_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// search is a SearchRequest.
func search(path, more string) string {
	return "POST " + path + "\n\n" + `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]` + more + `}`
}

// Lists, their filters, order and pages (RFC 7644 section 3.4.2 and 3.4.3, RFC 9865).
func TestQueries(t *testing.T) {
	t.Parallel()
	one, none := []string{"totalResults = 1", "itemsPerPage = 1"}, []string{"totalResults = 0", "Resources = []"}
	invalid := func(scimType string) []string { return []string{`scimType = "` + scimType + `"`} }
	users := func(filter string) string { return "GET /Users?filter=" + filter }
	groups := func(filter string) string { return "GET /Groups?filter=" + filter }
	play(t, []exchange{
		// Filters of what is not the user's own, and of groups.
		{name: "users of a group", request: users(`groups.value eq "{team}"`), status: 200, want: one},
		{name: "users of a group, in brackets", request: users(`groups[value eq "{team}" and type eq "direct"]`), status: 200, want: one},
		{name: "users of a group by its name", request: users(`groups.display eq "team"`), status: 200, want: one},
		{name: "users of no group", request: users(`not (groups pr)`), status: 200, want: none},
		{name: "users of another group", request: users(`groups.value eq "{ann}"`), status: 200, want: none},
		{name: "groups of a user", request: groups(`members.value eq "{ann}"`), status: 200, want: one},
		{name: "groups of a user, in brackets", request: groups(`members[value eq "{ann}"]`), status: 200, want: one},
		{name: "groups of a user by name", request: groups(`members[type eq "User" and display pr]`), status: 200},
		{name: "groups by name in any case", request: groups(`displayName eq "TEAM"`), status: 200, want: one},
		{name: "groups without an externalId", request: groups(`externalId eq null`), status: 200, want: one},
		{name: "groups by what only users have", request: groups(`userName eq "ann"`), status: 400, want: invalid("invalidFilter")},
		{name: "by schemas", request: users(`schemas eq "urn:ietf:params:scim:schemas:core:2.0:User"`), status: 200, want: one},
		{name: "by standing", request: users(`urn:usherd:params:scim:schemas:extension:2.0:User:state eq "verified"`), status: 200, want: one},
		{name: "by location", request: users(`meta.location ew "/Users/{ann}"`), status: 200, want: one},
		{name: "externalId is exact", request: users(`externalId eq "E-1"`), status: 200, want: none},
		{name: "times with a zone", request: users(`meta.created eq "{born}"`), status: 200, want: one},
		{name: "a time that is none", request: users(`meta.created gt "yesterday"`), status: 400, want: invalid("invalidFilter")},
		{name: "a filter of blanks", request: users(" "), status: 400, want: invalid("invalidFilter")},
		{name: "what follows a filter", request: users(`userName pr x`), status: 400, want: invalid("invalidFilter")},
		{name: "texts without quotes", request: users(`userName eq ann`), status: 400, want: invalid("invalidFilter")},
		{name: "single quotes", request: users(`userName eq 'ann'`), status: 400, want: invalid("invalidFilter")},
		{name: "an order of booleans", request: users(`active ge true`), status: 400, want: invalid("invalidFilter")},
		{name: "an attribute of brackets that is none", request: users(`emails[shoe eq "x"]`), status: 400, want: invalid("invalidFilter")},

		// Order.
		{name: "an order by an object", request: "GET /Users?sortBy=emails", status: 200, want: one},
		{name: "an order by an object without a value", request: "GET /Users?sortBy=name", status: 400, want: invalid("invalidValue")},
		{name: "an order by a URN", request: "GET /Users?sortBy=urn:ietf:params:scim:schemas:core:2.0:User:userName&sortOrder=Descending", status: 200, want: one},

		// Pages.
		{name: "no count", request: "GET /Users", status: 200, want: []string{"startIndex = 1", "itemsPerPage = 1"}},
		{name: "a count of 0", request: "GET /Users?count=0", status: 200, want: []string{"totalResults = 1", "itemsPerPage = 0", "Resources = []"}},
		{name: "a count below 0", request: "GET /Users?count=-1", status: 200, want: []string{"totalResults = 1", "itemsPerPage = 0"}},
		{name: "a startIndex below 1", request: "GET /Users?startIndex=-7", status: 200, want: []string{"startIndex = 1", "itemsPerPage = 1"}},
		{name: "a startIndex beyond the end", request: "GET /Users?startIndex=2", status: 200, want: []string{"totalResults = 1", "itemsPerPage = 0", "Resources = []"}},
		{name: "a startIndex in words", request: "GET /Users?startIndex=two", status: 400, want: invalid("invalidValue")},
		{name: "a count with a point", request: "GET /Users?count=1.5", status: 400, want: invalid("invalidValue")},
		{name: "a cursor and a count of 0", request: "GET /Users?cursor=&count=0", status: 400, want: invalid("invalidCount")},
		{name: "a cursor and a startIndex", request: "GET /Users?cursor=&startIndex=1", status: 400, want: invalid("invalidValue")},

		// In a body.
		{name: "search", request: search("/Users/.search", `,"filter":"userName eq \"ann\"","startIndex":1,"count":10,"sortBy":"userName","sortOrder":"descending"`), status: 200, want: one},
		{name: "search without schemas", request: "POST /Users/.search\n\n{}", status: 200, want: one},
		{name: "search with other schemas", request: `POST /Users/.search` + "\n\n" + `{"schemas":["urn:x"]}`, status: 400, want: invalid("invalidSyntax")},
		{name: "search in any case", request: `POST /Users/.search` + "\n\n" + `{"FILTER":"userName eq \"x\"","Count":1}`, status: 200, want: none},
		{name: "search with attributes as a list", request: search("/Users/.search", `,"attributes":["userName","emails.value"]`), status: 200, want: []string{`Resources[0].userName = "ann"`, "!Resources[0].name", "!Resources[0].emails[0].type"}},
		{name: "search with attributes as a text", request: search("/Users/.search", `,"excludedAttributes":"name,emails"`), status: 200, want: []string{`Resources[0].userName = "ann"`, "!Resources[0].name", "!Resources[0].emails"}},
		{name: "search with both", request: search("/Users/.search", `,"attributes":["userName"],"excludedAttributes":["name"]`), status: 400, want: invalid("invalidValue")},
		{name: "search with a filter that is no text", request: search("/Users/.search", `,"filter":{"userName":"x"}`), status: 400, want: invalid("invalidValue")},
		{name: "search with a filter that is a list", request: search("/.search", `,"filter":["userName pr"]`), status: 400, want: invalid("invalidValue")},
		{name: "search with a count that is no number", request: search("/Users/.search", `,"count":true`), status: 400, want: invalid("invalidValue")},
		{name: "search with attributes that are no texts", request: search("/Users/.search", `,"attributes":[5]`), status: 400, want: invalid("invalidValue")},
		{name: "search with null is as without", request: search("/Users/.search", `,"filter":null,"count":null,"cursor":null,"attributes":null`), status: 200, want: one},
		{name: "search by cursor and count", request: search("/Users/.search", `,"cursor":"","count":1`), status: 200, want: []string{"totalResults = 1", "!startIndex"}},
		{name: "search by cursor and startIndex", request: search("/Users/.search", `,"cursor":"","startIndex":1`), status: 400, want: invalid("invalidValue")},

		// All types at once.
		{name: "all", request: "GET /", status: 200, want: []string{"totalResults = 2"}},
		{name: "all by a filter", request: `GET /?filter=userName eq "ann" or displayName eq "Team"`, status: 200, want: []string{"totalResults = 2"}},
		{name: "all of one type", request: `GET /?filter=meta.resourceType eq "Group"`, status: 200, want: []string{"totalResults = 1", `Resources[0].displayName = "Team"`}},
		{name: "all without what one type has", request: `GET /?filter=not (userName pr)`, status: 200, want: []string{"totalResults = 1", `Resources[0].displayName = "Team"`}},
		{name: "all by what no type has", request: `GET /?filter=shoe pr`, status: 400, want: invalid("invalidFilter")},
		{name: "all in one order", request: search("/.search", `,"sortBy":"displayName","sortOrder":"descending"`), status: 200, want: []string{`Resources[0].userName = "ann"`, `Resources[1].displayName = "Team"`}},
		{name: "all in an order by what is none", request: `GET /?sortBy=shoe`, status: 400, want: invalid("invalidValue")},
		{name: "all, by pages", request: "GET /?count=1&startIndex=2", status: 200, want: []string{"totalResults = 2", "itemsPerPage = 1", "startIndex = 2"}},
		{name: "all, some attributes", request: "GET /?attributes=displayName", status: 200, want: []string{"totalResults = 2", "!Resources[0].userName", "!Resources[0].meta", "!Resources[1].members"}},
		{name: "search for all by password", request: search("/.search", `,"filter":"password pr"`), status: 400, want: invalid("invalidFilter")},
		{name: "all by password", request: "GET /?filter=password pr", status: 403, want: invalid("sensitive")},
	})
}

// Which attributes an answer has (RFC 7644 section 3.4.2.5 and 3.9).
func TestProjections(t *testing.T) {
	t.Parallel()
	const core = "urn:ietf:params:scim:schemas:core:2.0:User"
	play(t, []exchange{
		{name: "only", request: "GET /Users/{ann}?attributes=userName", status: 200, want: []string{`id = "{ann}"`, `schemas[0] = "` + core + `"`, `userName = "ann"`, "!name", "!meta", "!emails", "!active", "!urn:usherd", "!schemas[1]"}},
		{name: "several, in any case and with blanks", request: "GET /Users/{ann}?attributes= USERNAME , Emails.Value ", status: 200, want: []string{`userName = "ann"`, `emails[0].value = "ann@example.com"`, "!emails[0].type", "!name"}},
		{name: "with the URN", request: "GET /Users/{ann}?attributes=" + core + ":name.familyName", status: 200, want: []string{`name.familyName = "Lee"`, "!name.givenName", "!userName"}},
		{name: "an extension whole", request: "GET /Users/{ann}?attributes=urn:usherd:params:scim:schemas:extension:2.0:User", status: 200, want: []string{`urn:usherd:params:scim:schemas:extension:2.0:User.state = "verified"`, "!userName"}},
		{name: "one of an extension", request: "GET /Users/{ann}?attributes=urn:usherd:params:scim:schemas:extension:2.0:User:package", status: 200, want: []string{`urn:usherd:params:scim:schemas:extension:2.0:User.package = "standard"`, "!urn:usherd:params:scim:schemas:extension:2.0:User.state"}},
		{name: "what is unknown is nothing", request: "GET /Users/{ann}?attributes=shoe,title", status: 200, want: []string{`title = "Guide"`, "!userName"}},
		{name: "only what is unknown", request: "GET /Users/{ann}?attributes=shoe", status: 200, want: []string{`id = "{ann}"`, "!userName", "!meta"}},
		{name: "a sub-attribute that nobody has", request: "GET /Users/{ann}?attributes=emails.display,name.middleName", status: 200, want: []string{`id = "{ann}"`, "!emails", "!name"}},
		{name: "meta.version", request: "GET /Users/{ann}?attributes=meta.version", status: 200, want: []string{"!meta.created", "!userName"}},
		{name: "without", request: "GET /Users/{ann}?excludedAttributes=emails,name.givenName", status: 200, want: []string{`userName = "ann"`, `name.familyName = "Lee"`, "!emails", "!name.givenName"}},
		{name: "never without id and schemas", request: "GET /Users/{ann}?excludedAttributes=id,schemas,userName", status: 200, want: []string{`id = "{ann}"`, `schemas[0] = "` + core + `"`, "!userName"}},
		{name: "without an extension", request: "GET /Users/{ann}?excludedAttributes=urn:usherd:params:scim:schemas:extension:2.0:User", status: 200, want: []string{`userName = "ann"`, "!urn:usherd", "!schemas[1]"}},
		{name: "both", request: "GET /Users/{ann}?attributes=userName&excludedAttributes=name", status: 400, want: []string{`scimType = "invalidValue"`}},
		{name: "none named", request: "GET /Users/{ann}?attributes=&excludedAttributes=", status: 200, want: []string{`userName = "ann"`, `name.familyName = "Lee"`}},
		{name: "a group without members", request: "GET /Groups/{team}?excludedAttributes=members", status: 200, want: []string{`displayName = "Team"`, "!members"}},
		{name: "a group and its members' values", request: "GET /Groups/{team}?attributes=members.value", status: 200, want: []string{`members[0].value = "{ann}"`, "!members[0].type", "!displayName"}},
		{name: "in a list", request: "GET /Groups?attributes=displayName", status: 200, want: []string{`Resources[0].displayName = "Team"`, "!Resources[0].members", "!Resources[0].meta"}},
		{name: "of a POST", request: "POST /Users?attributes=userName\n\n" + person("bob", ""), status: 201, want: []string{`userName = "bob"`, "!name"}},
		{name: "of a PUT", request: "PUT /Groups/{team}?attributes=displayName\n\n" + group("Crew"), status: 200, want: []string{`displayName = "Crew"`, "!members"}},
		{name: "of a PATCH that is answered by 204", profile: "okta", request: "PATCH /Groups/{team}?attributes=displayName\n\n" + patchOf(`{"op":"replace","value":{"displayName":"Crew"}}`), status: 200, want: []string{`displayName = "Crew"`, "!members"}},
	})
}

// What is asked for is looked at before anything is written.
func TestNothingIsWrittenForAnAnswerThatCannotBe(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	before := h.send("GET", "/Groups/"+h.team, "").body + h.send("GET", "/Users/"+h.ann, "").body
	const both = "?attributes=userName&excludedAttributes=name"
	for _, r := range []response{
		h.send("POST", "/Users"+both, person("bob", "")), h.send("POST", "/Groups"+both, group("Crew")), h.send("PUT", "/Users/"+h.ann+both, person("ann", "")),
		h.send("PATCH", "/Users/"+h.ann+both, patchOf(`{"op":"add","path":"title","value":"x"}`)), h.send("PUT", "/Groups/"+h.team+both, group("Crew")),
		h.send("PATCH", "/Groups/"+h.team+both, patchOf(`{"op":"remove","path":"members[value eq \"`+h.ann+`\"]"}`)),
	} {
		if r.status != http.StatusBadRequest || r.text("scimType") != "invalidValue" {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
	if d := cmp.Diff(before, h.send("GET", "/Groups/"+h.team, "").body+h.send("GET", "/Users/"+h.ann, "").body); d != "" {
		t.Errorf("something has changed (-before +after):\n%s", d)
	}
	if p := h.page("/"); p.TotalResults != 2 {
		t.Errorf("there are %d resources", p.TotalResults)
	}
}

// A version is the same wherever it is shown, and another one after each change that is seen (RFC 7644 section 3.14).
func TestVersions(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	version := func(what string) string {
		t.Helper()
		r := h.send("GET", what, "").want(t, http.StatusOK)
		tag := r.header.Get("ETag")
		endpoint, id, _ := strings.Cut(strings.TrimPrefix(what, "/"), "/")
		for name, got := range map[string]string{
			"meta.version":             r.text("meta", "version"),
			"attributes":               h.send("GET", what+"?attributes=meta", "").text("meta", "version"),
			"without":                  h.send("GET", what+"?excludedAttributes=groups,members", "").text("meta", "version"),
			"a list":                   h.listed(endpoint, id, ""),
			"a list of meta only":      h.listed(endpoint, id, "&attributes=meta"),
			"a list of versions":       h.listed(endpoint, id, "&attributes=meta.version"),
			"a list without groups":    h.listed(endpoint, id, "&excludedAttributes=groups,members"),
			"a list that is looked at": h.listed(endpoint, id, "&sortBy=meta.location"),
			"HEAD":                     h.send("HEAD", what, "").header.Get("ETag"),
		} {
			if got != tag {
				t.Errorf("%s: the version in %s is %s, the ETag %s", what, name, got, tag)
			}
		}
		h.send("GET", what, "", "If-None-Match", `"x", `+tag).want(t, http.StatusNotModified)
		h.send("GET", what, "", "If-None-Match", `"x"`).want(t, http.StatusOK)
		return tag
	}
	ann, team := "/Users/"+h.ann, "/Groups/"+h.team
	seen := map[string]bool{version(ann): true, version(team): true}
	changed := func(what string) {
		t.Helper()
		if v := version(what); seen[what+v] {
			t.Errorf("%s has version %s again", what, v)
		}
	}
	note := func() { seen[ann+version(ann)], seen[team+version(team)] = true, true }
	note()
	for _, step := range []struct {
		method, path, body string
		of                 []string
	}{
		{"PATCH", ann, patchOf(`{"op":"replace","path":"title","value":"Boss"}`), []string{ann}},
		{"PUT", ann, person("ann", `,"externalId":"e-2"`), []string{ann}},
		{"PATCH", team, patchOf(`{"op":"replace","path":"displayName","value":"Crew"}`), []string{team, ann}},
		{"PATCH", team, patchOf(`{"op":"remove","path":"members[value eq \"` + h.ann + `\"]"}`), []string{team, ann}},
		{"PATCH", team, patchOf(`{"op":"add","path":"members","value":[{"value":"` + h.ann + `"}]}`), []string{team}},
		{"PATCH", ann, patchOf(`{"op":"replace","path":"active","value":false}`), []string{ann}},
	} {
		r := h.send(step.method, step.path, step.body, "If-Match", version(step.path)).want(t, http.StatusOK)
		if tag := h.send("GET", step.path, "").header.Get("ETag"); r.header.Get("ETag") != tag {
			t.Errorf("%s %s answers ETag %s, GET %s", step.method, step.body, r.header.Get("ETag"), tag)
		}
		for _, what := range step.of {
			changed(what)
		}
		note()
	}
	// What the client was refused is shown too.
	h.send("POST", "/Users", person("bob", "")).want(t, http.StatusCreated)
	h.send("PATCH", ann, patchOf(`{"op":"replace","path":"userName","value":"bob"}`)).want(t, http.StatusConflict)
	changed(ann)
	const reason = `urn:usherd:params:scim:schemas:extension:2.0:User:lastFailure.reason eq "user_name_taken"`
	if p := h.page("/Users?" + encoded("filter="+reason)); p.TotalResults != 1 || p.Resources[0]["id"] != h.ann {
		t.Errorf("refused is %v", p.Resources)
	}
	h.send("PATCH", ann, patchOf(`{"op":"replace","path":"title","value":"Guide"}`)).want(t, http.StatusOK)
	// What changes nothing keeps version and time.
	for what, body := range map[string]string{ann: patchOf(`{"op":"replace","path":"userName","value":"ann"}`), team: patchOf(`{"op":"add","path":"members","value":[{"value":"` + h.ann + `"}]}`)} {
		before := h.send("GET", what, "")
		h.send("PATCH", what, body).want(t, http.StatusOK)
		if after := h.send("GET", what, ""); after.body != before.body || after.header.Get("ETag") != before.header.Get("ETag") {
			t.Errorf("%s has changed:\n%s", what, cmp.Diff(before.body, after.body))
		}
	}
	// A version of before is refused, everything else too that is none.
	for _, match := range []string{`W/"1"`, `"0"`, `W/"99", "98"`, "nonsense"} {
		for _, r := range []response{
			h.send("PUT", ann, person("ann", ""), "If-Match", match), h.send("PATCH", ann, patchOf(`{"op":"remove","path":"title"}`), "If-Match", match),
			h.send("DELETE", ann, "", "If-Match", match), h.send("PUT", team, group("Crew"), "If-Match", match), h.send("DELETE", team, "", "If-Match", match),
		} {
			isError(t, r.want(t, http.StatusPreconditionFailed))
		}
	}
	h.send("DELETE", team, "", "If-Match", "*").want(t, http.StatusNoContent)
	h.send("DELETE", ann, "", "If-Match", `"x", `+h.send("GET", ann, "").header.Get("ETag")).want(t, http.StatusNoContent)
}

// listed is the version of a resource as a list shows it.
func (h *hall) listed(endpoint, id, more string) string {
	h.t.Helper()
	for _, r := range h.page("/" + endpoint + "?count=100" + more).Resources {
		if r["id"] == id {
			m, _ := r["meta"].(map[string]any)
			return fmt.Sprint(m["version"])
		}
	}
	return "not there"
}

// Documents of discovery have a version of their own, and answer 304 to it.
func TestVersionsOfDiscovery(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	for _, path := range []string{"/ServiceProviderConfig", "/Schemas", "/ResourceTypes", "/ResourceTypes/Group", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:Group"} {
		tag := h.send("GET", path, "").want(t, http.StatusOK).header.Get("ETag")
		if r := h.send("GET", path, "", "If-None-Match", tag); tag == "" || r.status != http.StatusNotModified || r.body != "" {
			t.Errorf("%s: ETag %q, then %d", path, tag, r.status)
		}
	}
}
