package check

import (
	"net/http"
	"slices"
	"strings"
)

func discoveryArea() area {
	return area{name: "discovery", rfc: "7644", cases: []testCase{
		{id: "config-served", section: "4", name: "ServiceProviderConfig is one resource, not a list", run: configServed},
		{id: "config-flags", rfc: "7643", section: "5", name: "it says what is supported: patch, bulk, filter, changePassword, sort, etag", run: configFlags},
		{id: "config-limits", rfc: "7643", section: "5", name: "limits of bulk and filter are numbers", run: configLimits},
		{id: "config-authentication", rfc: "7643", section: "5", name: "authenticationSchemes have type, name and description", run: configAuthentication},
		{id: "config-pagination", rfc: "9865", section: "4", name: "pagination, where it is told, says cursor and index", run: configPagination},
		{id: "types-listed", rfc: "7644", section: "4", name: "ResourceTypes is a list, each with name, endpoint and schema", run: typesListed},
		{id: "types-single", section: "4", name: "a resource type is found by its id", run: typesSingle},
		{id: "types-meta", rfc: "7643", section: "3.1", name: "meta.location of a resource type leads to it", run: typesMeta},
		{id: "schemas-listed", section: "4", name: "Schemas is a list, each with id and attributes", run: schemasListed},
		{id: "schemas-single", section: "4", name: "a schema is found by its URN", run: schemasSingle},
		{id: "schemas-of-types", rfc: "7643", section: "6", name: "schema and extensions of each resource type are served", run: schemasOfTypes},
		{id: "schemas-words", rfc: "7643", section: "7", name: "attributes have a type, mutability and returned of the RFC's words", run: schemasWords},
		{id: "schemas-username", rfc: "7643", section: "4.1.1", name: "userName is required and unique", needs: users, run: schemasUserName},
		{id: "discovery-unknown", section: "4", name: "an unknown resource type or schema is 404", run: discoveryUnknown},
		{id: "discovery-read-only", section: "4", name: "discovery is read only: other methods are 405", should: true, run: discoveryReadOnly},
		{id: "discovery-filter", section: "4", name: "a filter on discovery is 403", should: true, run: discoveryFilter},
	}}
}

func configServed(s *step) {
	a := s.get("/ServiceProviderConfig", http.StatusOK)
	s.expect(listed(a.body["schemas"], configURN), "the schema "+configURN, a.body["schemas"])
	s.expect(a.body["Resources"] == nil, "one resource", "a list")
}

func configFlags(s *step) {
	a := s.get("/ServiceProviderConfig", http.StatusOK)
	for _, name := range []string{"patch", "bulk", "filter", "changePassword", "sort", "etag"} {
		v := dig(a.body, name, "supported")
		_, ok := v.(bool)
		s.expect(ok, name+".supported true or false", v)
	}
}

func configLimits(s *step) {
	a := s.get("/ServiceProviderConfig", http.StatusOK)
	for _, path := range [][2]string{{"bulk", "maxOperations"}, {"bulk", "maxPayloadSize"}, {"filter", "maxResults"}} {
		v := dig(a.body, path[0], path[1])
		s.expect(number(v) >= 0, path[0]+"."+path[1]+" a whole number", v)
		if dig(a.body, path[0], "supported") == true {
			s.expect(number(v) > 0, path[0]+"."+path[1]+" above 0, since it is supported", v)
		}
	}
}

func configAuthentication(s *step) {
	a := s.get("/ServiceProviderConfig", http.StatusOK)
	list, ok := a.body["authenticationSchemes"].([]any)
	s.expect(ok, "authenticationSchemes as a list", a.body["authenticationSchemes"])
	for _, v := range list {
		for _, name := range []string{"type", "name", "description"} {
			s.expect(text(v, name) != "", name+" of an authentication scheme", v)
		}
	}
}

func configPagination(s *step) {
	a := s.get("/ServiceProviderConfig", http.StatusOK)
	p := a.body["pagination"]
	s.need(p != nil, "it tells nothing of pagination")
	for _, name := range []string{"cursor", "index"} {
		v := dig(p, name)
		_, ok := v.(bool)
		s.expect(ok, "pagination."+name+" true or false", v)
	}
	method := dig(p, "defaultPaginationMethod")
	s.expect(method == nil || method == "cursor" || method == "index", "defaultPaginationMethod cursor or index", method)
}

func typesListed(s *step) {
	list := s.list("/ResourceTypes")
	s.expect(len(list) > 0, "resource types", "none")
	for _, v := range list {
		for _, name := range []string{"name", "endpoint", "schema"} {
			s.expect(text(v, name) != "", name+" of a resource type", v)
		}
	}
}

func typesSingle(s *step) {
	for _, v := range s.list("/ResourceTypes") {
		id := text(v, "id")
		if id == "" {
			id = text(v, "name")
		}
		a := s.get("/ResourceTypes/"+id, http.StatusOK)
		s.equal("the endpoint", dig(v, "endpoint"), a.body["endpoint"])
	}
}

func typesMeta(s *step) {
	for _, v := range s.list("/ResourceTypes") {
		location := text(v, "meta", "location")
		s.need(location != "", "resource types have no meta.location")
		a := s.get(absolute(s, location), http.StatusOK)
		s.equal("the endpoint", dig(v, "endpoint"), a.body["endpoint"])
	}
}

// absolute is an address to ask for: meta.location may be relative to the service.
func absolute(s *step, location string) string {
	if strings.Contains(location, "://") {
		return location
	}
	return s.c.base + "/" + strings.TrimPrefix(location, "/")
}

func schemasListed(s *step) {
	list := s.list("/Schemas")
	s.expect(len(list) > 0, "schemas", "none")
	for _, v := range list {
		s.expect(strings.HasPrefix(strings.ToLower(text(v, "id")), "urn:"), "a URN as id of a schema", dig(v, "id"))
		s.expect(length(dig(v, "attributes")) > 0, "attributes of "+text(v, "id"), dig(v, "attributes"))
	}
}

func schemasSingle(s *step) {
	for _, v := range s.list("/Schemas") {
		a := s.get("/Schemas/"+text(v, "id"), http.StatusOK)
		s.equal("the id", dig(v, "id"), a.body["id"])
	}
}

func schemasOfTypes(s *step) {
	for _, v := range s.list("/ResourceTypes") {
		s.get("/Schemas/"+text(v, "schema"), http.StatusOK)
		extensions, _ := dig(v, "schemaExtensions").([]any)
		for _, e := range extensions {
			s.get("/Schemas/"+text(e, "schema"), http.StatusOK)
		}
	}
}

var words = map[string][]string{
	"type":       {"string", "boolean", "decimal", "integer", "dateTime", "binary", "reference", "complex"},
	"mutability": {"readOnly", "readWrite", "immutable", "writeOnly"},
	"returned":   {"always", "never", "default", "request"},
}

func schemasWords(s *step) {
	var look func(at string, list any)
	look = func(at string, list any) {
		all, _ := list.([]any)
		for _, v := range all {
			name := at + text(v, "name")
			s.expect(text(v, "name") != "", "a name of each attribute", v)
			for key, allowed := range words {
				got := text(v, key)
				missing := got == "" && key != "type" // mutability and returned have defaults
				s.expect(missing || slices.Contains(allowed, got), key+" of "+name+" one of "+strings.Join(allowed, ", "), dig(v, key))
			}
			if text(v, "type") == "complex" {
				look(name+".", dig(v, "subAttributes"))
			}
		}
	}
	for _, v := range s.list("/Schemas") {
		look("", dig(v, "attributes"))
	}
}

func schemasUserName(s *step) {
	list, _ := s.get("/Schemas/"+userURN, http.StatusOK).body["attributes"].([]any)
	a := named(list, "userName")
	s.expect(a != nil, "userName in the schema of users", nil)
	s.equal("required", true, a["required"])
	u := text(a, "uniqueness")
	s.expect(u == "server" || u == "global", "uniqueness server or global", u)
}

func discoveryUnknown(s *step) {
	s.refused(s.get("/ResourceTypes/"+s.sv.name()), http.StatusNotFound)
	s.refused(s.get("/Schemas/urn:example:"+s.sv.name()), http.StatusNotFound)
}

func discoveryReadOnly(s *step) {
	for _, path := range []string{"/ServiceProviderConfig", "/ResourceTypes", "/Schemas"} {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			r := request{method: method, path: path}
			if method != http.MethodDelete {
				r.body = object{}
			}
			s.send(r, http.StatusMethodNotAllowed)
		}
	}
}

func discoveryFilter(s *step) {
	for _, path := range []string{"/ResourceTypes", "/Schemas"} {
		s.get(query(path, "filter", `id eq "User"`), http.StatusForbidden)
	}
}
