package check

import "net/http"

// RFC is the profile that adds nothing to what the RFCs say.
const RFC = "rfc"

const (
	allProfiles = "all"
	dialectArea = "dialect"
)

// Profiles returns what Options.Profile may be.
func Profiles() []string {
	out := []string{RFC}
	for _, a := range dialectAreas() {
		out = append(out, a.rfc)
	}
	return append(out, allProfiles)
}

// dialectAreas are what identity providers send though no RFC says so. To serve one of them a service has to
// understand it: the form of each request is the provider's own.
func dialectAreas() []area {
	return []area{
		{name: dialectArea, rfc: "entra", needs: users, cases: []testCase{
			{id: "entra-active", section: "users", name: "op in capitals and active as text", needs: patching, run: entraActive},
			{id: "entra-add", section: "users", name: "add and replace of several attributes by path", needs: patching, run: entraAdd},
			{id: "entra-email", section: "users", name: "replace of emails[type eq \"work\"].value where there is none", needs: patching, run: entraEmail},
			{id: "entra-dotted", section: "users", name: "names with dots and URNs as keys without a path", needs: patching, run: entraDotted},
			{id: "entra-manager", section: "users", name: "the manager as a text", needs: enterprise, run: entraManager},
			{id: "entra-find-email", section: "users", name: "a filter emails[type eq \"work\"].value eq", needs: filtering, run: entraFindEmail},
			{id: "entra-find-external", section: "users", name: "a filter externalId eq", needs: filtering, run: entraFindExternal},
			{id: "entra-inactive", section: "users", name: "who is inactive is still found", needs: filtering, run: entraInactive},
			{id: "entra-group", section: "groups", name: "a group with Microsoft's own schema beside the RFC's", needs: groups, run: entraGroup},
			{id: "entra-members", section: "groups", name: "members added, and removed by a list as value", needs: groups, run: entraMembers},
			{id: "entra-parameter", section: "users", name: "an unknown parameter in the address is ignored", run: entraParameter},
		}},
		{name: dialectArea, rfc: "okta", needs: users, cases: []testCase{
			{id: "okta-create", section: "users", name: "POST with groups [], locale and a password", run: oktaCreate},
			{id: "okta-deactivate", section: "users", name: "active false without a path", needs: patching, run: oktaDeactivate},
			{id: "okta-put", section: "users", name: "PUT of the whole profile deactivates", run: oktaPut},
			{id: "okta-rename", section: "groups", name: "a group renamed with its id in the value", needs: groups, run: oktaRename},
			{id: "okta-members", section: "groups", name: "members removed and added in one PATCH", needs: groups, run: oktaMembers},
			{id: "okta-empty", section: "groups", name: "members replaced by []", needs: groups, run: oktaEmpty},
		}},
		{name: dialectArea, rfc: "authentik", needs: groups, cases: []testCase{
			{id: "authentik-members", section: "groups", name: "a group without members shows members []", run: authentikMembers},
			{id: "authentik-group", section: "groups", name: "a group replaced without members keeps them", needs: patching, run: authentikGroup},
			{id: "authentik-one-by-one", section: "groups", name: "members added and removed in one PATCH, removal by a list", needs: patching, run: authentikOneByOne},
			{id: "authentik-put-gone", section: "users", name: "PUT of a user who is gone is 404", needs: users, run: authentikPutGone},
		}},
		{name: dialectArea, rfc: "keycloak", needs: groups, cases: []testCase{
			{id: "keycloak-members", section: "groups", name: "members, name and externalId replaced in one PATCH", needs: patching, run: keycloakMembers},
			{id: "keycloak-relative", section: "groups", name: "members with a relative $ref", run: keycloakRelative},
		}},
	}
}

func entraActive(s *step) {
	s.wants(userURN, "active")
	got := s.patch(s.user(), op("Replace", "active", "False"))
	s.equal("active", false, got["active"])
}

func entraAdd(s *step) {
	name := s.plain()
	u := s.user()
	got := s.patch(u, op("Add", name, "Babs"), op("Replace", "name.givenName", "G"), op("Replace", "externalId", u.id+"-E"))
	s.equal(name, "Babs", got[name])
	s.equal("name.givenName", "G", dig(got, "name", "givenName"))
	s.equal("externalId", u.id+"-E", got["externalId"])
}

func entraEmail(s *step) {
	s.wants(userURN, "emails")
	u := s.user(func(o object) {
		o["emails"] = []any{object{"value": s.sv.mail(s.sv.name()), "type": "home"}}
	})
	mail := s.sv.mail(s.sv.name())
	got := s.patch(u, op("Replace", `emails[type eq "work"].value`, mail))
	s.equal("the e-mail address at work", mail, dig(element(got["emails"], "type", "work"), "value"))
	s.expect(length(got["emails"]) == 2, "the other address too", got["emails"])
}

func entraDotted(s *step) {
	value := object{"name.givenName": "Kkom"}
	if s.sv.has(enterprise) && s.sv.knows(enterpriseURN, "employeeNumber") {
		value[enterpriseURN+":employeeNumber"] = s.sv.name()
	}
	got := s.patch(s.user(), op("replace", "", value))
	s.equal("name.givenName", "Kkom", dig(got, "name", "givenName"))
	if n := value[enterpriseURN+":employeeNumber"]; n != nil {
		s.equal("employeeNumber", n, dig(got, enterpriseURN, "employeeNumber"))
	}
}

func entraManager(s *step) {
	s.wants(enterpriseURN, "manager")
	boss := s.user()
	u := s.user()
	got := s.patch(u, op("Add", enterpriseURN+":manager", boss.id))
	s.equal("manager.value", boss.id, dig(got, enterpriseURN, "manager", "value"))
}

func entraFindEmail(s *step) {
	s.wants(userURN, "emails")
	u := s.user()
	s.equal("who is found", []string{u.id}, ids(s.find(s.sv.endpoint(users), `emails[type eq "work"].value eq "`+text(u.sent, "emails", 0, "value")+`"`)))
}

func entraFindExternal(s *step) {
	id := s.sv.name()
	u := s.user(with("externalId", id))
	s.equal("who is found", []string{u.id}, ids(s.find(s.sv.endpoint(users), `externalId eq "`+id+`"`)))
}

func entraInactive(s *step) {
	s.wants(userURN, "active")
	u := s.user(with("active", false))
	s.equal("who is found", []string{u.id}, ids(s.find(s.sv.endpoint(users), `userName eq "`+text(u.sent, "userName")+`"`)))
}

func entraGroup(s *step) {
	g := s.sv.team()
	g["schemas"] = []string{groupURN, "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"}
	g["externalId"] = s.sv.name()
	g["meta"] = object{"resourceType": "Group"}
	s.make(groups, g)
}

func entraMembers(s *step) {
	a, b := s.user(), s.user()
	g := s.group()
	for _, m := range []*resource{a, b} {
		s.patch(g, op("Add", "members", []any{object{"$ref": nil, "value": m.id}}))
	}
	s.members(g, a, b)
	s.patch(g, op("Remove", "members", []any{object{"value": a.id}}))
	s.members(g, b)
}

func entraParameter(s *step) {
	u := s.user()
	s.get(query(u.path, "aadOptscim062020", ""), http.StatusOK)
}

func oktaCreate(s *step) {
	u := s.user(with("groups", []any{}), with("locale", "en-US"), with("password", s.sv.secret()))
	s.expect(u.body["password"] == nil, "no password", u.body["password"])
}

func oktaDeactivate(s *step) {
	s.wants(userURN, "active")
	got := s.patch(s.user(), op("replace", "", object{"active": false}))
	s.equal("active", false, got["active"])
}

func oktaPut(s *step) {
	s.wants(userURN, "active")
	u := s.user()
	a := s.put(u.path, u.again(with("active", false), with("groups", []any{}), with("meta", object{"resourceType": "User"})), http.StatusOK)
	s.equal("active", false, a.body["active"])
}

func oktaRename(s *step) {
	a := s.user()
	g := s.group(a)
	name := s.sv.name()
	s.patch(g, op("replace", "", object{"id": g.id, "displayName": name}))
	s.equal("displayName", name, s.members(g, a)["displayName"])
}

func oktaMembers(s *step) {
	a, b := s.user(), s.user()
	g := s.group(a)
	s.patch(g, op("remove", `members[value eq "`+a.id+`"]`, nil), op("add", "members", []any{object{"value": b.id, "display": b.sent["userName"]}}))
	s.members(g, b)
}

func oktaEmpty(s *step) {
	g := s.group(s.user())
	s.patch(g, object{"op": "replace", "path": "members", "value": []any{}})
	s.members(g)
}

func authentikMembers(s *step) {
	got := s.get(s.group().path, http.StatusOK).body
	_, ok := got["members"].([]any)
	s.expect(ok, "members as a list", got["members"])
}

func authentikGroup(s *step) {
	a := s.user()
	g := s.group(a)
	name := s.sv.name()
	s.patch(g, op("replace", "", object{"schemas": []string{groupURN}, "id": g.id, "displayName": name, "externalId": name}))
	s.members(g, a)
}

func authentikOneByOne(s *step) {
	a, b, c := s.user(), s.user(), s.user()
	g := s.group(a, b)
	s.patch(g, op("add", "members", references([]*resource{c})), op("remove", "members", references([]*resource{a})))
	s.members(g, b, c)
}

func authentikPutGone(s *step) {
	u := s.user()
	s.del(u.path, http.StatusNoContent)
	s.refused(s.put(u.path, u.again()), http.StatusNotFound)
}

func keycloakMembers(s *step) {
	a, b := s.user(), s.user()
	g := s.group(a)
	name := s.sv.name()
	s.patch(g, op("replace", "members", references([]*resource{b})), op("replace", "displayName", name), op("replace", "externalId", name))
	s.equal("externalId", name, s.members(g, b)["externalId"])
}

func keycloakRelative(s *step) {
	a := s.user()
	g := s.sv.team()
	g["members"] = []any{object{"value": a.id, "$ref": "Users/" + a.id}}
	s.members(s.make(groups, g), a)
}
