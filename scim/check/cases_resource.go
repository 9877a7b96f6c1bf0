package check

import (
	"maps"
	"net/http"
	"strings"
	"time"
)

func createArea() area {
	return area{name: "create", rfc: "7644", needs: users, cases: []testCase{
		{id: "create-answer", section: "3.3", name: "POST is 201 with the resource, its id and Location", run: createUser},
		{id: "create-location", section: "3.3", name: "Location is meta.location and leads to the resource", run: createLocation},
		{id: "create-keeps", section: "3.3", name: "what was sent is what is read", run: createKeeps},
		{id: "create-schemas", rfc: "7643", section: "3", name: "schemas names the core schema", run: createSchemas},
		{id: "create-meta", rfc: "7643", section: "3.1", name: "meta has resourceType, created and lastModified", run: createMeta},
		{id: "create-read-only", section: "3.3", name: "id, meta and groups of the client are ignored", run: createReadOnly},
		{id: "create-twice", section: "3.3", name: "a second user of the same userName is 409 uniqueness", run: createTwice},
		{id: "create-twice-case", rfc: "7643", section: "4.1.1", name: "userName is unique whatever its case", run: createTwiceCase},
		{id: "create-incomplete", section: "3.3", name: "a user without userName is 400", run: createIncomplete},
		{id: "create-null", rfc: "7643", section: "2.5", name: "null and [] are the same as left out", run: createNull},
		{id: "create-external-id", rfc: "7643", section: "3.1", name: "externalId is kept as sent", run: createExternalID},
		{id: "create-extension", rfc: "7643", section: "3.3", name: "an extension is kept, and schemas names it", needs: enterprise, run: createExtension},
		{id: "create-inactive", rfc: "7643", section: "4.1.1", name: "a user may be made with active false", run: createInactive},
	}}
}

func createUser(s *step) {
	u := s.user()
	s.expect(u.made.header.Get("Location") != "", "a Location header", "none")
	s.equal("userName", u.sent["userName"], u.body["userName"])
}

func createLocation(s *step) {
	u := s.user()
	s.equal("meta.location", u.made.header.Get("Location"), dig(u.body, "meta", "location"))
	s.expect(strings.Contains(u.made.header.Get("Location"), "://"), "an absolute Location", u.made.header.Get("Location"))
	s.equal("the id at Location", u.id, s.get(u.made.header.Get("Location"), http.StatusOK).body["id"])
}

func createKeeps(s *step) {
	u := s.user()
	got := s.get(u.path, http.StatusOK).body
	for _, path := range [][]any{{"userName"}, {"name", "givenName"}, {"name", "familyName"}, {"displayName"}, {"emails", 0, "value"}, {"emails", 0, "type"}} {
		if want := dig(u.sent, path...); want != nil {
			s.equal(show(path), want, dig(got, path...))
		}
	}
}

func createSchemas(s *step) {
	u := s.user()
	s.expect(listed(u.body["schemas"], userURN), "the schema "+userURN, u.body["schemas"])
}

func createMeta(s *step) {
	u := s.user()
	s.equal("meta.resourceType", "User", dig(u.body, "meta", "resourceType"))
	for _, name := range []string{"created", "lastModified"} {
		t := text(u.body, "meta", name)
		_, err := time.Parse(time.RFC3339Nano, t)
		s.expect(err == nil, "meta."+name+" a time", t)
	}
}

func createReadOnly(s *step) {
	const id = "00000000-0000-0000-0000-000000000000"
	u := s.user(with("id", id), with("meta", object{"created": "2001-02-03T04:05:06Z", "location": "https://example.com/"}), with("groups", []any{object{"value": id}}))
	s.expect(u.id != id, "an id of the service's own", u.id)
	s.expect(!strings.HasPrefix(text(u.body, "meta", "created"), "2001"), "a time of the service's own", dig(u.body, "meta", "created"))
	s.expect(length(u.body["groups"]) == 0, "no groups", u.body["groups"])
}

func createTwice(s *step) {
	u := s.user()
	p := s.sv.person()
	p["userName"] = u.sent["userName"]
	s.refused(s.post(s.sv.endpoint(users), p), http.StatusConflict, "uniqueness")
}

func createTwiceCase(s *step) {
	a := s.sv.attribute(userURN, "userName")
	s.need(a["caseExact"] != true, "userName is served as caseExact")
	u := s.user()
	p := s.sv.person()
	p["userName"] = strings.ToUpper(text(u.sent, "userName"))
	s.refused(s.post(s.sv.endpoint(users), p), http.StatusConflict, "uniqueness")
}

func createIncomplete(s *step) {
	p := s.sv.person()
	delete(p, "userName")
	s.refused(s.post(s.sv.endpoint(users), p), http.StatusBadRequest)
}

func createNull(s *step) {
	name := s.plain()
	u := s.user(with(name, nil), with("photos", []any{}))
	got := s.get(u.path, http.StatusOK).body
	s.expect(got[name] == nil, name+" unassigned", got[name])
	s.expect(length(got["photos"]) == 0, "no photos", got["photos"])
}

func createExternalID(s *step) {
	id := s.sv.name() + "-External"
	u := s.user(with("externalId", id))
	s.equal("externalId", id, s.get(u.path, http.StatusOK).body["externalId"])
}

func createExtension(s *step) {
	s.wants(enterpriseURN, "department")
	u := s.user(with("schemas", []any{userURN, enterpriseURN}), with(enterpriseURN, object{"department": "Tour Operations"}))
	got := s.get(u.path, http.StatusOK).body
	s.equal("department", "Tour Operations", dig(got, enterpriseURN, "department"))
	s.expect(listed(got["schemas"], enterpriseURN), "the extension among schemas", got["schemas"])
}

func createInactive(s *step) {
	s.wants(userURN, "active")
	u := s.user(with("active", false))
	s.equal("active", false, s.get(u.path, http.StatusOK).body["active"])
}

func retrieveArea() area {
	return area{name: "retrieve", rfc: "7644", needs: users, cases: []testCase{
		{id: "retrieve-user", section: "3.4.1", name: "GET is 200 with id and schemas", run: retrieve},
		{id: "retrieve-unknown", section: "3.4.1", name: "GET of an unknown id is 404", run: retrieveUnknown},
		{id: "retrieve-list", section: "3.4.2", name: "GET without an id is a ListResponse", run: retrieveList},
		{id: "retrieve-empty", section: "3.4.2", name: "nobody found is 200 with totalResults 0", needs: filtering, run: retrieveEmpty},
	}}
}

func retrieve(s *step) {
	u := s.user()
	a := s.get(u.path, http.StatusOK)
	s.equal("id", u.id, a.body["id"])
	s.expect(listed(a.body["schemas"], userURN), "the schema "+userURN, a.body["schemas"])
}

func retrieveUnknown(s *step) {
	s.refused(s.get(s.sv.endpoint(users)+"/"+unknownID), http.StatusNotFound)
}

// unknownID is the id of nobody.
const unknownID = "ffffffff-ffff-4fff-bfff-ffffffffffff"

func retrieveList(s *step) {
	s.user()
	list := s.list(s.sv.endpoint(users))
	s.expect(len(list) > 0, "users in the list", "none")
	s.expect(text(list, 0, "id") != "" || len(list) == 0, "an id of each resource", dig(list, 0))
}

func retrieveEmpty(s *step) {
	s.user()
	a := s.get(query(s.sv.endpoint(users), "filter", `userName eq "`+s.sv.name()+`"`), http.StatusOK)
	s.listOf(a)
	s.equal("totalResults", 0, a.body["totalResults"])
}

func putArea() area {
	return area{name: "put", rfc: "7644", needs: users, cases: []testCase{
		{id: "put-values", section: "3.5.1", name: "PUT is 200 and the values sent are read", run: putValues},
		{id: "put-list", section: "3.5.1", name: "PUT replaces a multi-valued attribute whole", run: putList},
		{id: "put-read-only", section: "3.5.1", name: "id and meta in the body are ignored", run: putReadOnly},
		{id: "put-modified", rfc: "7643", section: "3.1", name: "lastModified moves on, created does not", run: putModified},
		{id: "put-unknown", section: "3.5.1", name: "PUT of an unknown id is 404 and makes nothing", run: putUnknown},
		{id: "put-required", section: "3.5.1", name: "PUT without userName is 400 and changes nothing", run: putRequired},
		{id: "put-taken", section: "3.5.1", name: "PUT with another's userName is 409 uniqueness", run: putTaken},
	}}
}

// again is what was sent, to be changed and sent again.
func (r *resource) again(edits ...func(o object)) object {
	o := object{"id": r.id}
	maps.Copy(o, r.sent)
	for _, f := range edits {
		f(o)
	}
	return o
}

func putValues(s *step) {
	name := s.plain()
	u := s.user()
	value := s.sv.name() + " put"
	a := s.put(u.path, u.again(with(name, value)), http.StatusOK)
	s.equal(name, value, a.body[name])
	s.equal(name, value, s.get(u.path, http.StatusOK).body[name])
}

func putList(s *step) {
	s.wants(userURN, "emails")
	u := s.user()
	other := s.sv.mail(s.sv.name())
	s.put(u.path, u.again(with("emails", []any{object{"value": other, "type": "work", "primary": true}})), http.StatusOK)
	got := s.get(u.path, http.StatusOK).body
	s.expect(length(got["emails"]) == 1, "one e-mail address", got["emails"])
	s.equal("emails[0].value", other, dig(got, "emails", 0, "value"))
}

func putReadOnly(s *step) {
	u := s.user()
	a := s.put(u.path, u.again(with("id", unknownID), with("meta", object{"created": "2001-02-03T04:05:06Z"})), http.StatusOK)
	s.equal("id", u.id, a.body["id"])
	s.equal("meta.created", dig(u.body, "meta", "created"), dig(a.body, "meta", "created"))
}

func putModified(s *step) {
	name := s.plain()
	u := s.user()
	a := s.put(u.path, u.again(with(name, s.sv.name())), http.StatusOK)
	s.equal("meta.created", dig(u.body, "meta", "created"), dig(a.body, "meta", "created"))
	before, err := time.Parse(time.RFC3339Nano, text(u.body, "meta", "lastModified"))
	after, err2 := time.Parse(time.RFC3339Nano, text(a.body, "meta", "lastModified"))
	s.expect(err == nil && err2 == nil && !after.Before(before), "a lastModified not before "+text(u.body, "meta", "lastModified"), dig(a.body, "meta", "lastModified"))
}

func putUnknown(s *step) {
	s.refused(s.put(s.sv.endpoint(users)+"/"+unknownID, s.sv.person()), http.StatusNotFound)
	s.refused(s.get(s.sv.endpoint(users)+"/"+unknownID), http.StatusNotFound)
}

func putRequired(s *step) {
	u := s.user()
	s.refused(s.put(u.path, u.again(func(o object) { delete(o, "userName") })), http.StatusBadRequest)
	s.equal("userName", u.sent["userName"], s.get(u.path, http.StatusOK).body["userName"])
}

func putTaken(s *step) {
	u, other := s.user(), s.user()
	s.refused(s.put(u.path, u.again(with("userName", other.sent["userName"]))), http.StatusConflict, "uniqueness")
}

func deleteArea() area {
	return area{name: "delete", rfc: "7644", needs: users, cases: []testCase{
		{id: "delete-answer", section: "3.6", name: "DELETE is 204 without a body", run: deleteUser},
		{id: "delete-gone", section: "3.6", name: "afterwards every method is 404", run: deleteGone},
		{id: "delete-unlisted", section: "3.6", name: "who was deleted is in no list", needs: filtering, run: deleteUnlisted},
		{id: "delete-free", section: "3.6", name: "the userName of who was deleted is free again", run: deleteFree},
		{id: "delete-unknown", section: "3.6", name: "DELETE of an unknown id is 404", run: deleteUnknown},
	}}
}

func deleteUser(s *step) {
	u := s.user()
	a := s.del(u.path, http.StatusNoContent)
	s.expect(len(a.raw) == 0, "no body", string(a.raw))
}

func deleteGone(s *step) {
	name := s.plain()
	u := s.user()
	s.del(u.path, http.StatusNoContent)
	s.refused(s.get(u.path), http.StatusNotFound)
	s.refused(s.put(u.path, u.again()), http.StatusNotFound)
	if s.sv.has(patching) {
		s.refused(s.send(request{method: http.MethodPatch, path: u.path, body: ops(op("replace", name, "x"))}), http.StatusNotFound)
	}
	s.refused(s.del(u.path), http.StatusNotFound)
}

func deleteUnlisted(s *step) {
	u := s.user()
	s.del(u.path, http.StatusNoContent)
	list := s.find(s.sv.endpoint(users), `userName eq "`+text(u.sent, "userName")+`"`)
	s.expect(len(list) == 0, "nobody", ids(list))
}

func deleteFree(s *step) {
	u := s.user()
	s.del(u.path, http.StatusNoContent)
	s.make(users, u.sent)
}

func deleteUnknown(s *step) {
	s.refused(s.del(s.sv.endpoint(users)+"/"+unknownID), http.StatusNotFound)
}
