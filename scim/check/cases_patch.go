package check

import (
	"net/http"
)

func patchArea() area {
	return area{name: "patch", rfc: "7644", needs: patching, cases: []testCase{
		{id: "patch-answer", section: "3.5.2", name: "PATCH is 200 with the resource, or 204 without a body", run: patchAnswer},
		{id: "patch-unknown", section: "3.5.2", name: "PATCH of an unknown id is 404", run: patchUnknown},
		{id: "patch-order", section: "3.5.2", name: "operations are done in order", run: patchOrder},
		{id: "patch-atomic", section: "3.5.2", name: "if one operation fails, none is done", run: patchAtomic},
		{id: "patch-add", section: "3.5.2.1", name: "add sets an attribute", run: patchAdd},
		{id: "patch-add-pathless", section: "3.5.2.1", name: "add without a path sets the attributes of its value", run: patchAddPathless},
		{id: "patch-add-replaces", section: "3.5.2.1", name: "add replaces the value of a single-valued attribute", run: patchAddReplaces},
		{id: "patch-add-sub", section: "3.5.2.1", name: "add to a sub-attribute leaves the others", run: patchAddSub},
		{id: "patch-add-complex", section: "3.5.2.1", name: "add to a complex attribute leaves what it does not name", run: patchAddComplex},
		{id: "patch-add-list", section: "3.5.2.1", name: "add appends to a multi-valued attribute", run: patchAddList},
		{id: "patch-add-same", section: "3.5.2.1", name: "add of a value that is there changes nothing", should: true, run: patchAddSame},
		{id: "patch-add-extension", section: "3.5.2.1", name: "add to an attribute of an extension", needs: enterprise, run: patchAddExtension},
		{id: "patch-primary", section: "3.5.2", name: "a new primary value takes it from the others", run: patchPrimary},
		{id: "patch-replace", section: "3.5.2.3", name: "replace sets an attribute", run: patchReplace},
		{id: "patch-replace-pathless", section: "3.5.2.3", name: "replace without a path leaves what its value does not name", run: patchReplacePathless},
		{id: "patch-replace-new", section: "3.5.2.3", name: "replace of an attribute without a value adds it", run: patchReplaceNew},
		{id: "patch-replace-sub", section: "3.5.2.3", name: "replace of a sub-attribute leaves the others", run: patchReplaceSub},
		{id: "patch-replace-complex", section: "3.5.2.3", name: "replace of a complex attribute leaves what it does not name", run: patchReplaceComplex},
		{id: "patch-replace-list", section: "3.5.2.3", name: "replace of a multi-valued attribute replaces all values", run: patchReplaceList},
		{id: "patch-replace-value-path", section: "3.5.2.3", name: "replace of values[filter].sub changes the matching only", run: patchReplaceValuePath},
		{id: "patch-replace-element", section: "3.5.2.3", name: "replace of values[filter] changes the matching only", run: patchReplaceElement},
		{id: "patch-replace-extension", section: "3.5.2.3", name: "replace of an attribute of an extension", needs: enterprise, run: patchReplaceExtension},
		{id: "patch-replace-active", section: "3.5.2.3", name: "replace of active", run: patchReplaceActive},
		{id: "patch-replace-no-target", section: "3.5.2.3", name: "replace of values[filter] that finds nothing is 400 noTarget", should: true, run: patchReplaceNoTarget},
		{id: "patch-remove", section: "3.5.2.2", name: "remove unassigns an attribute", run: patchRemove},
		{id: "patch-remove-sub", section: "3.5.2.2", name: "remove of a sub-attribute leaves the others", run: patchRemoveSub},
		{id: "patch-remove-list", section: "3.5.2.2", name: "remove of a multi-valued attribute removes all values", run: patchRemoveList},
		{id: "patch-remove-value-path", section: "3.5.2.2", name: "remove of values[filter] removes the matching only", run: patchRemoveValuePath},
		{id: "patch-remove-value-path-sub", section: "3.5.2.2", name: "remove of values[filter].sub leaves the rest of the value", run: patchRemoveValuePathSub},
		{id: "patch-remove-pathless", section: "3.5.2.2", name: "remove without a path is 400 noTarget", run: patchRemovePathless},
		{id: "patch-remove-required", section: "3.5.2.2", name: "remove of what is required is 400 mutability", run: patchRemoveRequired},
		{id: "patch-remove-read-only", section: "3.5.2.2", name: "remove of what is read-only is 400 mutability", run: patchRemoveReadOnly},
		{id: "patch-bad-op", section: "3.5.2", name: "an unknown op is 400", run: patchBadOp},
		{id: "patch-bad-path", section: "3.5.2", name: "a path that is none is 400 invalidPath", run: patchBadPath},
		{id: "patch-bad-value", section: "3.5.2", name: "a value of the wrong type is 400 invalidValue", run: patchBadValue},
	}}
}

func patchAnswer(s *step) {
	name := s.plain()
	u := s.user()
	a := s.send(request{method: http.MethodPatch, path: u.path, body: ops(op("replace", name, "x"))}, http.StatusOK, http.StatusNoContent)
	if a.status == http.StatusNoContent {
		s.expect(len(a.raw) == 0, "no body", string(a.raw))
		return
	}
	s.equal("id", u.id, a.body["id"])
}

func patchUnknown(s *step) {
	name := s.plain()
	a := s.send(request{method: http.MethodPatch, path: s.sv.endpoint(users) + "/" + unknownID, body: ops(op("replace", name, "x"))})
	s.refused(a, http.StatusNotFound)
}

func patchOrder(s *step) {
	name := s.plain()
	got := s.patch(s.user(), op("replace", name, "first"), op("remove", name, nil), op("add", name, "last"))
	s.equal(name, "last", got[name])
}

func patchAtomic(s *step) {
	name := s.plain()
	s.patchRefused(s.user(), nil, op("replace", name, "changed"), op("remove", "userName", nil))
}

func patchAdd(s *step) {
	name := s.plain()
	got := s.patch(s.user(func(o object) { delete(o, name) }), op("add", name, "added"))
	s.equal(name, "added", got[name])
}

func patchAddPathless(s *step) {
	name := s.plain()
	u := s.user(func(o object) { delete(o, name) })
	got := s.patch(u, op("add", "", object{name: "added"}))
	s.equal(name, "added", got[name])
	s.equal("userName", u.sent["userName"], got["userName"])
}

func patchAddReplaces(s *step) {
	name := s.plain()
	got := s.patch(s.user(with(name, "before")), op("add", name, "after"))
	s.equal(name, "after", got[name])
}

func patchAddSub(s *step) {
	s.wants(userURN, "name")
	u := s.user()
	got := s.patch(u, op("add", "name.middleName", "Jane"))
	s.equal("name.middleName", "Jane", dig(got, "name", "middleName"))
	s.equal("name.familyName", dig(u.sent, "name", "familyName"), dig(got, "name", "familyName"))
}

func patchAddComplex(s *step) {
	s.wants(userURN, "name")
	u := s.user()
	got := s.patch(u, op("add", "name", object{"givenName": "Patched"}))
	s.equal("name.givenName", "Patched", dig(got, "name", "givenName"))
	s.equal("name.familyName", dig(u.sent, "name", "familyName"), dig(got, "name", "familyName"))
}

// phones makes a user with two telephone numbers.
func (s *step) phones() *resource {
	s.wants(userURN, "phoneNumbers")
	return s.user(with("phoneNumbers", []any{
		object{"value": "+1-555-0100", "type": "work", "primary": true}, object{"value": "+1-555-0101", "type": "home"},
	}))
}

func patchAddList(s *step) {
	got := s.patch(s.phones(), op("add", "phoneNumbers", []any{object{"value": "+1-555-0102", "type": "mobile"}}))
	s.expect(length(got["phoneNumbers"]) == 3, "three phoneNumbers", got["phoneNumbers"])
	s.equal("the new one", "+1-555-0102", dig(element(got["phoneNumbers"], "type", "mobile"), "value"))
}

func patchAddSame(s *step) {
	u := s.phones()
	got := s.patch(u, op("add", "phoneNumbers", []any{object{"value": "+1-555-0101", "type": "home"}}))
	s.expect(length(got["phoneNumbers"]) == 2, "two phoneNumbers", got["phoneNumbers"])
	s.equal("meta.lastModified", dig(u.body, "meta", "lastModified"), dig(got, "meta", "lastModified"))
}

func patchAddExtension(s *step) {
	s.wants(enterpriseURN, "department")
	got := s.patch(s.user(), op("add", enterpriseURN+":department", "Tours"))
	s.equal("department", "Tours", dig(got, enterpriseURN, "department"))
	s.expect(listed(got["schemas"], enterpriseURN), "the extension among schemas", got["schemas"])
}

func patchPrimary(s *step) {
	got := s.patch(s.phones(), op("replace", `phoneNumbers[type eq "home"].primary`, true))
	s.equal("the new primary value", true, dig(element(got["phoneNumbers"], "type", "home"), "primary"))
	s.expect(dig(element(got["phoneNumbers"], "type", "work"), "primary") != true, "one primary value", got["phoneNumbers"])
}

func patchReplace(s *step) {
	name := s.plain()
	got := s.patch(s.user(with(name, "before")), op("replace", name, "after"))
	s.equal(name, "after", got[name])
}

func patchReplacePathless(s *step) {
	name := s.plain()
	u := s.user(with(name, "before"))
	got := s.patch(u, op("replace", "", object{name: "after"}))
	s.equal(name, "after", got[name])
	s.equal("emails[0].value", dig(u.sent, "emails", 0, "value"), dig(got, "emails", 0, "value"))
}

func patchReplaceNew(s *step) {
	name := s.plain()
	got := s.patch(s.user(func(o object) { delete(o, name) }), op("replace", name, "new"))
	s.equal(name, "new", got[name])
}

func patchReplaceSub(s *step) {
	s.wants(userURN, "name")
	u := s.user()
	got := s.patch(u, op("replace", "name.familyName", "Patched"))
	s.equal("name.familyName", "Patched", dig(got, "name", "familyName"))
	s.equal("name.givenName", dig(u.sent, "name", "givenName"), dig(got, "name", "givenName"))
}

func patchReplaceComplex(s *step) {
	s.wants(userURN, "name")
	u := s.user()
	got := s.patch(u, op("replace", "name", object{"familyName": "Patched"}))
	s.equal("name.familyName", "Patched", dig(got, "name", "familyName"))
	s.equal("name.givenName", dig(u.sent, "name", "givenName"), dig(got, "name", "givenName"))
}

func patchReplaceList(s *step) {
	got := s.patch(s.phones(), op("replace", "phoneNumbers", []any{object{"value": "+1-555-0103", "type": "fax"}}))
	s.expect(length(got["phoneNumbers"]) == 1, "one phone number", got["phoneNumbers"])
	s.equal("phoneNumbers[0].value", "+1-555-0103", dig(got, "phoneNumbers", 0, "value"))
}

func patchReplaceValuePath(s *step) {
	got := s.patch(s.phones(), op("replace", `phoneNumbers[type eq "home"].value`, "+1-555-0104"))
	s.equal("the one at home", "+1-555-0104", dig(element(got["phoneNumbers"], "type", "home"), "value"))
	s.equal("the one at work", "+1-555-0100", dig(element(got["phoneNumbers"], "type", "work"), "value"))
}

func patchReplaceElement(s *step) {
	got := s.patch(s.phones(), op("replace", `phoneNumbers[type eq "home"]`, object{"value": "+1-555-0105", "type": "other"}))
	s.equal("the replaced one", "+1-555-0105", dig(element(got["phoneNumbers"], "type", "other"), "value"))
	s.equal("the one at work", "+1-555-0100", dig(element(got["phoneNumbers"], "type", "work"), "value"))
	s.expect(length(got["phoneNumbers"]) == 2, "two phoneNumbers", got["phoneNumbers"])
}

func patchReplaceExtension(s *step) {
	s.wants(enterpriseURN, "department")
	u := s.user(with("schemas", []any{userURN, enterpriseURN}), with(enterpriseURN, object{"department": "Tours", "division": "North"}))
	got := s.patch(u, op("replace", enterpriseURN+":department", "Sales"))
	s.equal("department", "Sales", dig(got, enterpriseURN, "department"))
	s.equal("division", "North", dig(got, enterpriseURN, "division"))
}

func patchReplaceActive(s *step) {
	s.wants(userURN, "active")
	u := s.user()
	s.equal("active", false, s.patch(u, op("replace", "active", false))["active"])
	s.equal("active", true, s.patch(u, op("replace", "active", true))["active"])
}

func patchReplaceNoTarget(s *step) {
	s.patchRefused(s.phones(), []string{"noTarget"}, op("replace", `phoneNumbers[value eq "+1-555-0199" or type eq "pager"].display`, "x"))
}

func patchRemove(s *step) {
	name := s.plain()
	got := s.patch(s.user(with(name, "before")), op("remove", name, nil))
	s.expect(got[name] == nil, "no "+name, got[name])
}

func patchRemoveSub(s *step) {
	s.wants(userURN, "name")
	u := s.user(func(o object) {
		o["name"] = object{"givenName": "Given", "familyName": "Family", "middleName": "Jane"}
	})
	got := s.patch(u, op("remove", "name.middleName", nil))
	s.expect(dig(got, "name", "middleName") == nil, "no name.middleName", got["name"])
	s.equal("name.familyName", "Family", dig(got, "name", "familyName"))
}

func patchRemoveList(s *step) {
	got := s.patch(s.phones(), op("remove", "phoneNumbers", nil))
	s.expect(length(got["phoneNumbers"]) == 0, "no phoneNumbers", got["phoneNumbers"])
}

func patchRemoveValuePath(s *step) {
	got := s.patch(s.phones(), op("remove", `phoneNumbers[type eq "home"]`, nil))
	s.expect(length(got["phoneNumbers"]) == 1, "one phone number", got["phoneNumbers"])
	s.equal("the one that stays", "work", dig(got, "phoneNumbers", 0, "type"))
}

func patchRemoveValuePathSub(s *step) {
	got := s.patch(s.phones(), op("remove", `phoneNumbers[value eq "+1-555-0101"].type`, nil))
	e := element(got["phoneNumbers"], "value", "+1-555-0101")
	s.expect(e != nil && e["type"] == nil, "the number without a type", got["phoneNumbers"])
}

func patchRemovePathless(s *step) {
	s.patchRefused(s.user(), []string{"noTarget"}, op("remove", "", nil))
}

func patchRemoveRequired(s *step) {
	s.patchRefused(s.user(), []string{"mutability", "invalidValue"}, op("remove", "userName", nil))
}

func patchRemoveReadOnly(s *step) {
	s.patchRefused(s.user(), []string{"mutability"}, op("remove", "id", nil))
}

func patchBadOp(s *step) {
	name := s.plain()
	s.patchRefused(s.user(), nil, op("increase", name, "x"))
}

func patchBadPath(s *step) {
	s.patchRefused(s.user(), []string{"invalidPath"}, op("replace", "emails[type eq", "x"))
}

func patchBadValue(s *step) {
	s.wants(userURN, "active")
	s.patchRefused(s.user(), []string{"invalidValue"}, op("replace", "active", "perhaps"))
}
