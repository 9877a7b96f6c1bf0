package check

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The URNs that the protocol has.
const (
	userURN       = "urn:ietf:params:scim:schemas:core:2.0:User"
	groupURN      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	enterpriseURN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	configURN     = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
	listURN       = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
	errorURN      = "urn:ietf:params:scim:api:messages:2.0:Error"
	patchURN      = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
	searchURN     = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
	bulkURN       = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
	bulkAnswerURN = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
)

// feature is what a service may have or not, and announces.
type feature string

const (
	users      feature = "User"
	groups     feature = "Group"
	enterprise feature = "enterprise extension"
	patching   feature = "patch"
	filtering  feature = "filter"
	sorting    feature = "sort"
	bulk       feature = "bulk"
	etags      feature = "etag"
	cursors    feature = "cursor"
)

// service is what a service has told of itself, and what was made in it.
type service struct {
	c       *client
	o       Options
	config  object
	types   map[feature]object // ResourceTypes of users and groups
	schemas map[string]object  // by URN in lower case
	made    []string           // paths of what was made, in order
	people  *people            // for filters
	count   int                // of names given
}

// learn reads discovery. What is wrong with it, its cases say; without any of it users and groups are taken to be at
// their usual places. The error says why nothing can be checked.
func learn(ctx context.Context, c *client, o Options) (*service, error) {
	sv := &service{c: c, o: o, types: map[feature]object{}, schemas: map[string]object{}}
	a := c.send(ctx, request{method: http.MethodGet, path: "/ServiceProviderConfig"})
	switch {
	case a.err != nil:
		return nil, fmt.Errorf("the service cannot be reached: %w", a.err)
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		return nil, fmt.Errorf("the service does not accept the token: %s", a.text())
	}
	sv.config = a.body
	types := c.send(ctx, request{method: http.MethodGet, path: "/ResourceTypes"})
	list, _ := types.body["Resources"].([]any)
	for _, v := range list {
		if t, ok := v.(map[string]any); ok {
			for f, urn := range map[feature]string{users: userURN, groups: groupURN} {
				if strings.EqualFold(text(t, "schema"), urn) && strings.HasPrefix(text(t, "endpoint"), "/") {
					sv.types[f] = t
				}
			}
		}
	}
	if len(list) == 0 {
		sv.types = map[feature]object{users: {"endpoint": "/Users"}, groups: {"endpoint": "/Groups"}}
	}
	schemas := c.send(ctx, request{method: http.MethodGet, path: "/Schemas"})
	list, _ = schemas.body["Resources"].([]any)
	for _, v := range list {
		if s, ok := v.(map[string]any); ok {
			sv.schemas[strings.ToLower(text(s, "id"))] = s
		}
	}
	return sv, ctx.Err()
}

// has reports whether the service claims to have a feature. PATCH and filters are taken for granted where it says
// nothing at all.
func (sv *service) has(f feature) bool {
	switch f {
	case users, groups:
		return sv.types[f] != nil
	case enterprise:
		_, served := sv.schemas[strings.ToLower(enterpriseURN)]
		return served && sv.has(users)
	case cursors:
		return dig(sv.config, "pagination", "cursor") == true
	case patching, filtering, sorting, bulk, etags:
	}
	if sv.config == nil {
		return f == patching || f == filtering
	}
	return dig(sv.config, string(f), "supported") == true
}

// endpoint is where resources of a type are.
func (sv *service) endpoint(f feature) string { return text(sv.types[f], "endpoint") }

// attribute is a top attribute of a served schema; nil where there is none.
func (sv *service) attribute(urn, name string) object {
	list, _ := sv.schemas[strings.ToLower(urn)]["attributes"].([]any)
	return named(list, name)
}

func named(list []any, name string) object {
	for _, v := range list {
		if a, ok := v.(map[string]any); ok && strings.EqualFold(text(a, "name"), name) {
			return a
		}
	}
	return nil
}

// knows reports whether users have an attribute that clients may write. Where no schema is served, everything of
// RFC 7643 is taken to be there.
func (sv *service) knows(urn, name string) bool {
	if sv.schemas[strings.ToLower(urn)] == nil {
		return len(sv.schemas) == 0
	}
	a := sv.attribute(urn, name)
	return a != nil && text(a, "mutability") != "readOnly"
}

// plain are simple texts of users, one of which most services keep.
var plain = []string{"nickName", "title", "displayName", "userType"}

// plain is a simple text that users have; "" where there is none.
func (sv *service) plain() string {
	for _, name := range plain {
		if sv.knows(userURN, name) {
			return name
		}
	}
	return ""
}

// name is one that nobody has had yet.
func (sv *service) name() string {
	sv.count++
	return sv.o.Prefix + "-" + strconv.Itoa(sv.count)
}

func (sv *service) mail(name string) string { return name + "@" + sv.o.Domain }

// person is a new user with what is usual and what the served schemas require.
func (sv *service) person() object {
	name := sv.name()
	p := object{
		"schemas": []any{userURN}, "userName": sv.mail(name), "active": true,
		"name":   object{"givenName": "Given " + name, "familyName": "Family " + name},
		"emails": []any{object{"value": sv.mail(name), "type": "work", "primary": true}},
	}
	maps.DeleteFunc(p, func(key string, _ any) bool {
		return key != "schemas" && key != "userName" && !sv.knows(userURN, key)
	})
	if sv.knows(userURN, "displayName") {
		p["displayName"] = name
	}
	sv.require(p, userURN, name)
	extensions, _ := sv.types[users]["schemaExtensions"].([]any)
	for _, e := range extensions {
		if urn := text(e, "schema"); dig(e, "required") == true {
			x := object{}
			sv.require(x, urn, name)
			p[urn] = x
			p["schemas"] = []any{userURN, urn}
		}
	}
	return p
}

// team is a new group.
func (sv *service) team(members ...*resource) object {
	name := sv.name()
	g := object{"schemas": []any{groupURN}, "displayName": name}
	sv.require(g, groupURN, name)
	if list := references(members); len(list) > 0 {
		g["members"] = list
	}
	return g
}

func references(members []*resource) []any {
	list := []any{}
	for _, m := range members {
		list = append(list, object{"value": m.id})
	}
	return list
}

// require gives values to the attributes that a served schema requires.
func (sv *service) require(o object, urn, name string) {
	list, _ := sv.schemas[strings.ToLower(urn)]["attributes"].([]any)
	sv.fill(o, list, name)
}

func (sv *service) fill(o object, attributes []any, name string) {
	for _, v := range attributes {
		a, ok := v.(map[string]any)
		if !ok || a["required"] != true || text(a, "mutability") == "readOnly" || o[text(a, "name")] != nil {
			continue
		}
		value := sv.value(a, name)
		if a["multiValued"] == true {
			value = []any{value}
		}
		o[text(a, "name")] = value
	}
}

// value is one of the type that an attribute has.
func (sv *service) value(a object, name string) any {
	if v := text(a, "canonicalValues", 0); v != "" {
		return v
	}
	switch text(a, "type") {
	case "boolean":
		return true
	case "integer", "decimal":
		return 1
	case "dateTime":
		return sv.o.Now().UTC().Format(time.RFC3339)
	case "binary":
		return "dXNoZXJk"
	case "reference":
		return "https://" + sv.o.Domain + "/" + name
	case "complex":
		o := object{}
		subs, _ := a["subAttributes"].([]any)
		sv.fill(o, subs, name)
		return o
	}
	return name
}

// resource is one that was made.
type resource struct {
	id, path string
	sent     object
	body     object // as the answer had it
	made     *answer
}

// make creates a resource and ends the case if that does not work.
func (s *step) make(f feature, body object) *resource {
	s.need(s.sv.has(f), "the service has no "+string(f)+"s")
	a := s.post(s.sv.endpoint(f), body, http.StatusCreated)
	id := text(a.body, "id")
	s.expect(id != "", "an id in the answer to POST", a.body)
	return &resource{id: id, path: s.sv.endpoint(f) + "/" + id, sent: body, body: a.body, made: a}
}

// user makes a new user, changed by edits.
func (s *step) user(edits ...func(o object)) *resource {
	p := s.sv.person()
	for _, f := range edits {
		f(p)
	}
	return s.make(users, p)
}

// group makes a new group.
func (s *step) group(members ...*resource) *resource {
	return s.make(groups, s.sv.team(members...))
}

// with sets an attribute of what is made.
func with(name string, value any) func(o object) {
	return func(o object) { o[name] = value }
}

// plain is a simple text attribute of users; the case is skipped where there is none.
func (s *step) plain() string {
	name := s.sv.plain()
	s.need(name != "", "users have none of "+strings.Join(plain, ", "))
	return name
}

// wants skips the case unless users have an attribute.
func (s *step) wants(urn, name string) {
	s.need(s.sv.knows(urn, name), "the served schema has no "+name+" that clients write")
}

// note keeps the address of whatever a request has made, so that it is deleted in the end: also in cases that fail.
func (sv *service) note(r request, a *answer) {
	if r.method != http.MethodPost {
		return
	}
	if id := text(a.body, "id"); a.status == http.StatusCreated && id != "" {
		path, _, _ := strings.Cut(r.path, "?")
		sv.keep(path + "/" + id)
	}
	list, _ := a.body["Operations"].([]any)
	for _, v := range list {
		if strings.EqualFold(text(v, "method"), http.MethodPost) {
			sv.keep(text(v, "location"))
		}
	}
}

// keep notes a resource by its address, absolute or not.
func (sv *service) keep(location string) {
	for f := range sv.types {
		e := sv.endpoint(f) + "/"
		i := strings.LastIndex(location, e)
		if i < 0 || strings.ContainsAny(location[i+len(e):], "/?") || i+len(e) == len(location) {
			continue
		}
		if path := location[i:]; !slices.Contains(sv.made, path) {
			sv.made = append(sv.made, path)
		}
	}
}

const cleanUpTime = time.Minute

// cleanUp deletes everything that was made, last first, and returns what could not be deleted. It goes on when the
// check was interrupted.
func (sv *service) cleanUp(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
	defer cancel()
	left := []string{}
	sv.made = append(sv.made, sv.stray(ctx)...)
	for _, path := range slices.Backward(sv.made) {
		a := sv.c.send(ctx, request{method: http.MethodDelete, path: path})
		if a.err != nil || a.status != http.StatusNotFound && a.status/100 != 2 {
			left = append(left, path)
		}
	}
	return left
}

// stray are resources with our prefix that we do not know: a POST may have worked though its answer was lost.
func (sv *service) stray(ctx context.Context) (paths []string) {
	if !sv.has(filtering) {
		return nil
	}
	for f, attribute := range map[feature]string{users: "userName", groups: "displayName"} {
		if !sv.has(f) {
			continue
		}
		quoted, _ := json.Marshal(sv.o.Prefix) //nolint:errchkjson // a text
		a := sv.c.send(ctx, request{method: http.MethodGet, path: query(sv.endpoint(f), "filter", attribute+" sw "+string(quoted), "count", "200")})
		list, _ := a.body["Resources"].([]any)
		for _, v := range list {
			// Only what has the prefix itself: a service that ignores filters lists everybody.
			path := sv.endpoint(f) + "/" + text(v, "id")
			if strings.HasPrefix(text(v, attribute), sv.o.Prefix) && !slices.Contains(sv.made, path) {
				paths = append(paths, path)
			}
		}
	}
	return paths
}
