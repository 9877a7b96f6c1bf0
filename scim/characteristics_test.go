package scim_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"usherd/connector"
)

// ops are operations of a PATCH of ann.
func ops(list string) string { return "PATCH /Users/{ann}\n\n" + patchOf(list) }

// What clients may set, when it is returned and among whom it is unique (RFC 7643 section 2.2, RFC 7644 section 3.5).
func TestCharacteristics(t *testing.T) {
	t.Parallel()
	const standing = "urn:usherd:params:scim:schemas:extension:2.0:User"
	put := func(more string) string { return "PUT /Users/{ann}\n\n" + person("ann", more) }
	play(t, []exchange{
		// readOnly: passed over where it comes along, refused where it is meant.
		{name: "id and meta in a POST", request: "POST /Users\n\n" + person("bob", `,"id":"7","meta":{"created":"2001-01-01T00:00:00Z","version":"x"}`), status: 201, want: []string{"!id = \"7\"", `meta.version = "W/\"1\""`}},
		{name: "groups in a POST", request: "POST /Users\n\n" + person("bob", `,"groups":[{"value":"{team}"}]`), status: 201, want: []string{"!groups"}},
		{name: "the standing in a POST", request: "POST /Users\n\n" + person("bob", `,"`+standing+`":{"state":"active","package":"gold"}`), status: 201, want: []string{standing + `.state = "verified"`, standing + `.package = "standard"`}},
		{name: "id, meta and groups in a PUT", request: put(`,"id":"7","meta":{"resourceType":"Shoe"},"groups":[]`), status: 200, want: []string{`id = "{ann}"`, `meta.resourceType = "User"`, `groups[0].value = "{team}"`}},
		{name: "id and groups in a PATCH without a path", request: ops(`{"op":"replace","value":{"id":"7","groups":[],"title":"Boss"}}`), status: 200, want: []string{`id = "{ann}"`, `groups[0].value = "{team}"`, `title = "Boss"`}},
		{name: "id as a path", request: ops(`{"op":"replace","path":"id","value":"7"}`), status: 400, want: []string{`scimType = "mutability"`}},
		{name: "meta as a path", request: ops(`{"op":"replace","path":"meta.created","value":"2001-01-01T00:00:00Z"}`), status: 400, want: []string{`scimType = "mutability"`}},
		{name: "groups as a path", request: ops(`{"op":"remove","path":"groups"}`), status: 400, want: []string{`scimType = "mutability"`}},
		{name: "the standing as a path", request: ops(`{"op":"replace","path":"` + standing + `:state","value":"active"}`), status: 400, want: []string{`scimType = "mutability"`}},
		{name: "the display of a member", request: "PATCH /Groups/{team}\n\n" + patchOf(`{"op":"replace","path":"members[value eq \"{ann}\"].display","value":"x"}`), status: 400, want: []string{`scimType = "mutability"`}},
		// immutable: a member is, or is not.
		{name: "the value of a member", request: "PATCH /Groups/{team}\n\n" + patchOf(`{"op":"replace","path":"members[value eq \"{ann}\"].value","value":"x"}`), status: 400, want: []string{`scimType = "mutability"`}},
		// required.
		{name: "userName removed", request: ops(`{"op":"remove","path":"userName"}`), status: 400, want: []string{`scimType = "mutability"`}},
		{name: "active removed", request: ops(`{"op":"remove","path":"active"}`), status: 400, want: []string{`scimType = "mutability"`}},
		{name: "name.familyName removed", request: ops(`{"op":"remove","path":"name.familyName"}`), status: 400, want: []string{`scimType = "mutability"`}},
		{name: "emails removed", request: ops(`{"op":"remove","path":"emails"}`), status: 400, want: []string{`scimType = "mutability"`}},
		{name: "userName as null", request: ops(`{"op":"replace","path":"userName","value":null}`), status: 400, want: []string{`scimType = "invalidValue"`}},
		{name: "the last e-mail address removed", request: ops(`{"op":"remove","path":"emails[type eq \"work\"]"}`), status: 400, want: []string{`scimType = "invalidValue"`}},
		{name: "the name of a group removed", request: "PATCH /Groups/{team}\n\n" + patchOf(`{"op":"remove","path":"displayName"}`), status: 400, want: []string{`scimType = "mutability"`}},
		{name: "a user without a userName", request: `POST /Users` + "\n\n" + `{"name":{"familyName":"L","givenName":"G"},"emails":[{"value":"x@example.com"}]}`, status: 400, want: []string{`scimType = "invalidValue"`, `urn:usherd:params:scim:api:messages:2.0:Failure.reason = "required_missing"`}},
		{name: "a group without a name", request: "POST /Groups\n\n{}", status: 400, want: []string{`scimType = "invalidValue"`}},
		// writeOnly and never returned.
		{name: "a password in a PUT", request: put(`,"password":"t1meMa$heen"`), status: 200, want: []string{"!password"}},
		{name: "a password in a PATCH", request: ops(`{"op":"replace","path":"password","value":"t1meMa$heen"}`), status: 200, want: []string{"!password"}},
		{name: "a filter by password in an address", request: `GET /Users?filter=password eq "x"`, status: 403, want: []string{`scimType = "sensitive"`}},
		{name: "a filter by password in a body", request: `POST /Users/.search` + "\n\n" + `{"filter":"password pr"}`, status: 400, want: []string{`scimType = "invalidFilter"`}},
		{name: "sorted by password", request: "GET /Users?sortBy=password", status: 400, want: []string{`scimType = "invalidValue"`}},
		// unique.
		{name: "a userName twice", request: "POST /Users\n\n" + strings.Replace(person("ANN", ""), "ANN@", "other@", 1), status: 409, want: []string{`scimType = "uniqueness"`}},
		{name: "an e-mail address twice", request: "POST /Users\n\n" + strings.Replace(person("other", ""), "other@", "Ann@", 1), status: 409, want: []string{`scimType = "uniqueness"`}},
		{name: "an externalId twice", request: "POST /Users\n\n" + person("bob", `,"externalId":"e-1"`), status: 409, want: []string{`scimType = "uniqueness"`}},
		{name: "the name of a group twice", request: "POST /Groups\n\n" + group("TEAM"), status: 409, want: []string{`scimType = "uniqueness"`}},
		// null, [] and absence are one (RFC 7643 section 2.5); values come back as sent.
		{name: "null and nothing in a PUT", request: put(`,"title":null,"phoneNumbers":[]`), status: 200, want: []string{"!title", "!nickName", "!phoneNumbers", `externalId = "e-1"`, "active = true"}},
		{name: "values are kept as sent", request: put(`,"title":"Ünïcode e\u0301  İ ß"`), status: 200, want: []string{"title = \"Ünïcode e\u0301  İ ß\"", "!" + standing + ".warnings"}},
		{name: "blanks around them too", request: put(`,"title":"  Guide "`), status: 200, want: []string{`title = "  Guide "`, "!" + standing + ".warnings"}},
		{name: "canonical values in any case", request: ops(`{"op":"replace","path":"emails[type eq \"WORK\"].display","value":"x"}`), status: 200, want: []string{`emails[0].display = "x"`, `emails[0].type = "work"`}},
		// at most one primary value.
		{name: "a new primary value", request: ops(`{"op":"add","path":"emails","value":[{"value":"home@example.com","type":"home","primary":true}]}`), status: 200, want: []string{"emails[1].primary = true", "!emails[0].primary = true"}},
		{name: "two primary values", request: put(`,"phoneNumbers":[{"value":"1","primary":true},{"value":"2","primary":true}]`), status: 400, want: []string{`scimType = "invalidValue"`}},
		// schemas follows what is there.
		{name: "schemas with an extension", request: ops(`{"op":"add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department","value":"D"}`), status: 200, want: []string{`schemas[1] = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"`}},
		// values of another type.
		{name: "an object for a text", request: put(`,"title":{"value":"x"}`), status: 400, want: []string{`scimType = "invalidValue"`}},
		{name: "a text for an object", request: ops(`{"op":"replace","path":"name","value":"Ann"}`), status: 400, want: []string{`scimType = "invalidValue"`}},
		{name: "a word for a boolean", request: ops(`{"op":"replace","path":"active","value":"perhaps"}`), status: 400, want: []string{`scimType = "invalidValue"`}},
	})
}

// Each reason for which somebody is refused has its status and scimType, and the failure itself stands with it.
func TestReasonsHaveTheirStatus(t *testing.T) {
	t.Parallel()
	const failure = "urn:usherd:params:scim:api:messages:2.0:Failure"
	for _, c := range []struct {
		reason, scimType string
		status           int
		body             string
		edit             func(o *connector.Organization)
	}{
		{reason: "required_missing", status: 400, scimType: "invalidValue", body: `{"userName":"bob"}`},
		{reason: "email_invalid", status: 400, scimType: "invalidValue", body: strings.Replace(person("bob", ""), "bob@example.com", "bob@", 1)},
		{reason: "attribute_too_long", status: 400, scimType: "invalidValue", body: person("bob", `,"title":"`+strings.Repeat("x", 5000)+`"`)},
		{reason: "user_name_taken", status: 409, scimType: "uniqueness", body: strings.Replace(person("ann", ""), "ann@", "bob@", 1)},
		{reason: "no_seat", status: 403, body: person("bob", ""), edit: func(o *connector.Organization) { o.Packages[0].Seats = 1 }},
		{reason: "domain_claimed_elsewhere", status: 403, body: strings.Replace(person("bob", ""), "@example.com", "@globex.test", 1)},
		{reason: "partner_id_missing", status: 403, body: person("bob", ""), edit: func(o *connector.Organization) { o.PartnerID = "" }},
	} {
		t.Run(c.reason, func(t *testing.T) {
			t.Parallel()
			edit := c.edit
			if edit == nil {
				edit = func(*connector.Organization) {}
			}
			w := newWorld(t, edit)
			claimed := connector.Domain{Org: "globex", Name: "globex.test", Token: "t", AddedAt: w.now, VerifiedAt: w.now}
			if err := errors.Join(w.db.AddDomain(t.Context(), claimed), w.db.ClaimDomain(t.Context(), claimed.Org, claimed.Name, w.clock())); err != nil {
				t.Fatal(err)
			}
			if c.reason != "partner_id_missing" {
				w.send("POST", "/Users", person("ann", "")).want(t, http.StatusCreated)
			}
			r := w.send("POST", "/Users", c.body).want(t, c.status)
			isError(t, r)
			if r.text("scimType") != c.scimType || r.text(failure, "reason") != c.reason || r.text(failure, "remedy") == "" && r.field(failure, "remedy") == nil {
				t.Errorf("%s", r.body)
			}
			if ref := r.text(failure, "ref"); ref == "" || r.text(failure, "message") == "" {
				t.Errorf("a failure without a reference or message: %s", r.body)
			}
			// What was refused is not there, and a filter says so too.
			if p := w.page("/Users?" + encoded(`filter=userName eq "bob"`)); p.TotalResults != 0 {
				t.Errorf("bob is there: %v", p.Resources)
			}
		})
	}
}
