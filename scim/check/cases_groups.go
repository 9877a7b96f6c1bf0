package check

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
)

func groupsArea() area {
	return area{name: "groups", rfc: "7644", needs: groups, cases: []testCase{
		{id: "group-create", section: "3.3", name: "POST of a group is 201, and it is read as sent", run: groupCreate},
		{id: "group-members", rfc: "7643", section: "4.2", name: "members are read with value", needs: users, run: groupMembers},
		{id: "group-name", rfc: "7643", section: "4.2", name: "a group without displayName is 400", should: true, run: groupName},
		{id: "group-of-user", rfc: "7643", section: "4.1.2", name: "a user shows the groups that it is a member of", needs: users, should: true, run: groupOfUser},
		{id: "group-find", section: "3.4.2.2", name: "a group is found by displayName", needs: filtering, run: groupFind},
		{id: "group-without-members", section: "3.9", name: "excludedAttributes=members", needs: users, run: groupWithoutMembers},
		{id: "group-add", section: "3.5.2.1", name: "add appends members", needs: patching, run: groupAdd},
		{id: "group-add-twice", section: "3.5.2.1", name: "a member added twice is there once", needs: patching, run: groupAddTwice},
		{id: "group-remove", section: "3.5.2.2", name: "remove of members[value eq …] removes that one", needs: patching, run: groupRemove},
		{id: "group-remove-all", section: "3.5.2.2", name: "remove of members removes all", needs: patching, run: groupRemoveAll},
		{id: "group-replace", section: "3.5.2.3", name: "replace of members replaces all", needs: patching, run: groupReplace},
		{id: "group-rename", section: "3.5.2.3", name: "a new name leaves the members", needs: patching, run: groupRename},
		{id: "group-put", section: "3.5.1", name: "PUT replaces name and members", needs: users, run: groupPut},
		{id: "group-nested", rfc: "7643", section: "4.2", name: "a group may be a member of a group", should: true, run: groupNested},
		{id: "group-unknown-member", section: "3.3", name: "somebody unknown does not become a member", should: true, run: groupUnknownMember},
		{id: "group-delete", section: "3.6", name: "DELETE leaves the members", needs: users, run: groupDelete},
	}}
}

// members holds a group, as it is read now, to have these members.
func (s *step) members(g *resource, want ...*resource) object {
	got := s.get(g.path, http.StatusOK).body
	var expected, found []string
	for _, m := range want {
		expected = append(expected, m.id)
	}
	list, _ := got["members"].([]any)
	for _, m := range list {
		found = append(found, text(m, "value"))
	}
	slices.Sort(expected)
	slices.Sort(found)
	s.equal("members", expected, found)
	return got
}

func groupCreate(s *step) {
	g := s.group()
	s.equal("displayName", g.sent["displayName"], s.get(g.path, http.StatusOK).body["displayName"])
	s.equal("meta.resourceType", "Group", dig(g.body, "meta", "resourceType"))
}

func groupMembers(s *step) {
	a, b := s.user(), s.user()
	s.members(s.group(a, b), a, b)
}

func groupName(s *step) {
	s.refused(s.post(s.sv.endpoint(groups), object{"schemas": []string{groupURN}}), http.StatusBadRequest)
}

func groupOfUser(s *step) {
	s.need(s.sv.attribute(userURN, "groups") != nil, "users have no groups in the served schema")
	u := s.user()
	g := s.group(u)
	s.expect(element(s.get(u.path, http.StatusOK).body["groups"], "value", g.id) != nil, "the group "+g.id+" among groups", s.get(u.path, http.StatusOK).body["groups"])
}

func groupFind(s *step) {
	s.group()
	g := s.group()
	s.equal("who is found", []string{g.id}, ids(s.find(s.sv.endpoint(groups), `displayName eq "`+text(g.sent, "displayName")+`"`)))
}

func groupWithoutMembers(s *step) {
	g := s.group(s.user())
	got := s.get(query(g.path, "excludedAttributes", "members"), http.StatusOK).body
	s.expect(got["members"] == nil, "no members", got["members"])
	s.equal("displayName", g.sent["displayName"], got["displayName"])
}

func groupAdd(s *step) {
	a, b, c := s.user(), s.user(), s.user()
	g := s.group(a)
	s.patch(g, op("add", "members", references([]*resource{b, c})))
	s.members(g, a, b, c)
}

func groupAddTwice(s *step) {
	a := s.user()
	g := s.group(a)
	s.patch(g, op("add", "members", references([]*resource{a})))
	s.members(g, a)
}

func groupRemove(s *step) {
	a, b := s.user(), s.user()
	g := s.group(a, b)
	s.patch(g, op("remove", `members[value eq `+strconv.Quote(a.id)+`]`, nil))
	s.members(g, b)
}

func groupRemoveAll(s *step) {
	g := s.group(s.user(), s.user())
	s.patch(g, op("remove", "members", nil))
	s.members(g)
}

func groupReplace(s *step) {
	a, b := s.user(), s.user()
	g := s.group(a)
	s.patch(g, op("replace", "members", references([]*resource{b})))
	s.members(g, b)
}

func groupRename(s *step) {
	a := s.user()
	g := s.group(a)
	name := s.sv.name()
	s.patch(g, op("replace", "", object{"displayName": name}))
	s.equal("displayName", name, s.members(g, a)["displayName"])
}

func groupPut(s *step) {
	a, b := s.user(), s.user()
	g := s.group(a)
	name := s.sv.name()
	s.put(g.path, g.again(with("displayName", name), with("members", references([]*resource{b}))), http.StatusOK)
	s.equal("displayName", name, s.members(g, b)["displayName"])
}

func groupNested(s *step) {
	inner := s.group()
	s.members(s.group(inner), inner)
}

func groupUnknownMember(s *step) {
	g := s.sv.team()
	g["members"] = []any{object{"value": unknownID}}
	a := s.post(s.sv.endpoint(groups), g, http.StatusCreated, http.StatusBadRequest, http.StatusNotFound, http.StatusConflict)
	if a.status == http.StatusCreated {
		got := s.get(s.sv.endpoint(groups)+"/"+text(a.body, "id"), http.StatusOK).body
		s.expect(length(got["members"]) == 0, "no members", got["members"])
	}
}

func groupDelete(s *step) {
	u := s.user()
	g := s.group(u)
	s.del(g.path, http.StatusNoContent)
	s.refused(s.get(g.path), http.StatusNotFound)
	s.get(u.path, http.StatusOK)
}

func bulkArea() area {
	return area{name: "bulk", rfc: "7644", needs: bulk, cases: []testCase{
		{id: "bulk-all", section: "3.7", name: "POST, PUT, PATCH and DELETE in one request", needs: users, run: bulkAll},
		{id: "bulk-failure", section: "3.7.3", name: "a failed operation has its error, the others go on", needs: users, run: bulkFailure},
		{id: "bulk-fail-on-errors", section: "3.7.3", name: "failOnErrors ends it", needs: users, run: bulkFailOnErrors},
		{id: "bulk-reference", section: "3.7.2", name: "bulkId: stands for the id of a new resource", needs: groups, run: bulkReference},
		{id: "bulk-forward", section: "3.7.2", name: "also before that resource is there", needs: groups, run: bulkForward},
		{id: "bulk-circular", section: "3.7.1", name: "circles of references are resolved", needs: groups, should: true, run: bulkCircular},
		{id: "bulk-unresolved", section: "3.7.2", name: "a bulkId of nobody fails that operation", needs: groups, run: bulkUnresolved},
		{id: "bulk-too-many", section: "3.7.4", name: "more than maxOperations are 413", run: bulkTooMany},
	}}
}

// bulk sends operations and returns what became of each.
func (s *step) bulk(extra object, list ...object) []any {
	body := object{"schemas": []string{bulkURN}, "Operations": list}
	maps.Copy(body, extra)
	a := s.post("/Bulk", body, http.StatusOK)
	s.expect(listed(a.body["schemas"], bulkAnswerURN), "the schema "+bulkAnswerURN, a.body["schemas"])
	out, _ := a.body["Operations"].([]any)
	return out
}

func bulkOp(method, path, id string, data any) object {
	o := object{"method": method, "path": path}
	if id != "" {
		o["bulkId"] = id
	}
	if data != nil {
		o["data"] = data
	}
	return o
}

// results holds the results of a bulk request to these statuses, given as text.
func (s *step) results(got []any, want ...string) {
	var statuses []string
	for _, r := range got {
		statuses = append(statuses, text(r, "status"))
	}
	s.equal("statuses, as texts and in the order of the operations,", want, statuses)
}

func bulkAll(s *step) {
	name := s.plain()
	a, b, c := s.user(), s.user(), s.user()
	patch := bulkOp(http.MethodPatch, b.path, "", ops(op("replace", name, "bulk")))
	list := []object{
		bulkOp(http.MethodPost, s.sv.endpoint(users), "one", s.sv.person()), bulkOp(http.MethodPut, a.path, "", a.again(with(name, "bulk"))),
		bulkOp(http.MethodDelete, c.path, "", nil),
	}
	want := []string{"201", "200", "204"}
	if s.sv.has(patching) {
		list = append(list, patch)
	}
	got := s.bulk(nil, list...)
	if s.sv.has(patching) {
		want = append(want, text(got, len(list)-1, "status")) // 200 or 204
	}
	s.results(got, want...)
	s.equal("bulkId", "one", dig(got, 0, "bulkId"))
	s.expect(text(got, 0, "location") != "", "the location of what was made", dig(got, 0))
	s.equal(name, "bulk", s.get(a.path, http.StatusOK).body[name])
	s.refused(s.get(c.path), http.StatusNotFound)
	if s.sv.has(patching) {
		s.equal(name, "bulk", s.get(b.path, http.StatusOK).body[name])
	}
}

func bulkFailure(s *step) {
	u := s.user()
	twice := s.sv.person()
	twice["userName"] = u.sent["userName"]
	got := s.bulk(nil, bulkOp(http.MethodPost, s.sv.endpoint(users), "bad", twice), bulkOp(http.MethodPost, s.sv.endpoint(users), "good", s.sv.person()))
	s.results(got, "409", "201")
	s.expect(listed(dig(got, 0, "response", "schemas"), errorURN), "an Error as response of the first", dig(got, 0))
}

func bulkFailOnErrors(s *step) {
	u := s.user()
	twice := s.sv.person()
	twice["userName"] = u.sent["userName"]
	last := s.sv.person()
	got := s.bulk(object{"failOnErrors": 1}, bulkOp(http.MethodPost, s.sv.endpoint(users), "bad", twice), bulkOp(http.MethodPost, s.sv.endpoint(users), "last", last))
	s.results(got, "409")
	if s.sv.has(filtering) {
		list := s.find(s.sv.endpoint(users), `userName eq "`+text(last, "userName")+`"`)
		s.expect(len(list) == 0, "that the second operation is not done", ids(list))
	}
}

// byBulkID is a group with members that are named by their bulkIds.
func (s *step) byBulkID(ids ...string) object {
	g := s.sv.team()
	members := []any{}
	for _, id := range ids {
		members = append(members, object{"value": "bulkId:" + id})
	}
	g["members"] = members
	return g
}

// idAt is the id in the location of a result.
func idAt(result any) string {
	location := text(result, "location")
	for i := len(location) - 1; i >= 0; i-- {
		if location[i] == '/' {
			return location[i+1:]
		}
	}
	return ""
}

func (s *step) made(f feature, result any) *resource {
	id := idAt(result)
	return &resource{id: id, path: s.sv.endpoint(f) + "/" + id}
}

func bulkReference(s *step) {
	got := s.bulk(nil, bulkOp(http.MethodPost, s.sv.endpoint(users), "ann", s.sv.person()), bulkOp(http.MethodPost, s.sv.endpoint(groups), "team", s.byBulkID("ann")))
	s.results(got, "201", "201")
	s.members(s.made(groups, dig(got, 1)), s.made(users, dig(got, 0)))
}

func bulkForward(s *step) {
	got := s.bulk(nil, bulkOp(http.MethodPost, s.sv.endpoint(groups), "team", s.byBulkID("ann")), bulkOp(http.MethodPost, s.sv.endpoint(users), "ann", s.sv.person()))
	s.results(got, "201", "201")
	s.members(s.made(groups, dig(got, 0)), s.made(users, dig(got, 1)))
}

func bulkCircular(s *step) {
	got := s.bulk(nil, bulkOp(http.MethodPost, s.sv.endpoint(groups), "a", s.byBulkID("b")), bulkOp(http.MethodPost, s.sv.endpoint(groups), "b", s.byBulkID("a")))
	s.results(got, "201", "201")
	a, b := s.made(groups, dig(got, 0)), s.made(groups, dig(got, 1))
	s.members(a, b)
	s.members(b, a)
}

func bulkUnresolved(s *step) {
	got := s.bulk(nil, bulkOp(http.MethodPost, s.sv.endpoint(groups), "team", s.byBulkID("nobody")))
	status := text(got, 0, "status")
	s.expect(status == "409" || status == "400", "status 409 or 400", dig(got, 0))
}

// fewOperations is up to how many it is tried to send one too many.
const fewOperations = 10_000

func bulkTooMany(s *step) {
	most := number(dig(s.sv.config, "bulk", "maxOperations"))
	s.need(most > 0 && most <= fewOperations, "maxOperations is "+strconv.Itoa(most))
	list := make([]object, most+1)
	for i := range list {
		list[i] = bulkOp(http.MethodDelete, "/Users/"+unknownID, "", nil)
	}
	a := s.post("/Bulk", object{"schemas": []string{bulkURN}, "Operations": list})
	s.refused(a, http.StatusRequestEntityTooLarge)
}
