package check

import (
	"mime"
	"net/http"
	"strings"
)

func etagArea() area {
	return area{name: "etag", rfc: "7644", needs: etags, cases: []testCase{
		{id: "etag-version", section: "3.14", name: "GET has an ETag, which is meta.version", run: etagShown},
		{id: "etag-list", rfc: "7643", section: "3.1", name: "a list shows the same meta.version", needs: filtering, run: etagList},
		{id: "etag-moves", section: "3.14", name: "it is another one after a change", needs: patching, run: etagMoves},
		{id: "etag-none-match", section: "3.14", name: "GET with If-None-Match of the version is 304", run: etagNoneMatch},
		{id: "etag-match", section: "3.14", name: "a change with If-Match of the version is done", needs: patching, run: etagMatch},
		{id: "etag-stale", section: "3.14", name: "PUT, PATCH and DELETE with If-Match of another version are 412", run: etagStale},
	}}
}

func etagShown(s *step) {
	u := s.user()
	a := s.get(u.path, http.StatusOK)
	s.expect(a.header.Get("ETag") != "", "an ETag", "none")
	s.equal("meta.version", a.header.Get("ETag"), dig(a.body, "meta", "version"))
}

func etagList(s *step) {
	u := s.user()
	if s.sv.has(groups) { // whose membership may be part of the version
		s.group(u)
	}
	tag := s.get(u.path, http.StatusOK).header.Get("ETag")
	filter := `userName eq "` + text(u.sent, "userName") + `"`
	for _, attributes := range []string{"", "meta"} {
		list := s.list(query(s.sv.endpoint(users), "filter", filter, "attributes", attributes))
		s.equal("meta.version", tag, dig(list, 0, "meta", "version"))
	}
}

func etagMoves(s *step) {
	name := s.plain()
	u := s.user()
	before := s.get(u.path, http.StatusOK).header.Get("ETag")
	s.patch(u, op("replace", name, s.sv.name()))
	after := s.get(u.path, http.StatusOK).header.Get("ETag")
	s.expect(before != after, "an ETag other than "+before, after)
}

func etagNoneMatch(s *step) {
	u := s.user()
	tag := s.get(u.path, http.StatusOK).header.Get("ETag")
	a := s.send(request{method: http.MethodGet, path: u.path, header: map[string]string{"If-None-Match": tag}}, http.StatusNotModified)
	s.expect(len(a.raw) == 0, "no body", string(a.raw))
}

func etagMatch(s *step) {
	name := s.plain()
	u := s.user()
	tag := s.get(u.path, http.StatusOK).header.Get("ETag")
	s.send(request{method: http.MethodPatch, path: u.path, body: ops(op("replace", name, "x")), header: map[string]string{"If-Match": tag}}, http.StatusOK, http.StatusNoContent)
}

func etagStale(s *step) {
	name := s.plain()
	u := s.user()
	stale := map[string]string{"If-Match": `W/"usherd-no-such-version"`}
	s.refused(s.send(request{method: http.MethodPut, path: u.path, body: u.again(with(name, "x")), header: stale}), http.StatusPreconditionFailed)
	if s.sv.has(patching) {
		s.refused(s.send(request{method: http.MethodPatch, path: u.path, body: ops(op("replace", name, "x")), header: stale}), http.StatusPreconditionFailed)
	}
	s.refused(s.send(request{method: http.MethodDelete, path: u.path, header: stale}), http.StatusPreconditionFailed)
	got := s.get(u.path, http.StatusOK).body
	s.expect(got[name] != "x", "that nothing was changed", got[name])
}

func errorsArea() area {
	return area{name: "errors", rfc: "7644", cases: []testCase{
		{id: "error-unknown", section: "3.12", name: "an unknown path is 404 with an Error", run: func(s *step) { s.refused(s.get("/"+s.sv.name()), http.StatusNotFound) }},
		{id: "error-media-type", section: "3.12", name: "an Error is " + mediaType, run: errorMediaType},
		{id: "error-method", rfc: "9110", section: "15.5.6", name: "a method that is not for a path is 405 with Allow", needs: users, run: errorMethod},
		{id: "error-json", section: "3.12", name: "a body that is no JSON is 400 invalidSyntax", needs: users, run: errorJSON},
		{id: "error-array", section: "3.12", name: "a body that is no object is 400 invalidSyntax", needs: users, run: errorArray},
		{id: "error-type", section: "3.12", name: "a value of the wrong type is 400 invalidValue or invalidSyntax", needs: users, run: errorType},
		{id: "error-anonymous", section: "2", name: "without a token it is 401 with WWW-Authenticate", run: errorAnonymous},
		{id: "error-token", section: "2", name: "with a wrong token it is 401", run: errorToken},
	}}
}

func errorMediaType(s *step) {
	a := s.get("/"+s.sv.name(), http.StatusNotFound)
	s.expect(isSCIM(a), "Content-Type "+mediaType, a.header.Get("Content-Type"))
}

func isSCIM(a *answer) bool {
	t, params, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	charset := params["charset"]
	return err == nil && t == mediaType && (charset == "" || strings.EqualFold(charset, "utf-8"))
}

func errorMethod(s *step) {
	a := s.put(s.sv.endpoint(users), object{}, http.StatusMethodNotAllowed)
	s.expect(strings.Contains(a.header.Get("Allow"), http.MethodGet), "Allow with GET", a.header.Get("Allow"))
}

func errorJSON(s *step) {
	s.refused(s.post(s.sv.endpoint(users), `{"userName": `), http.StatusBadRequest, "invalidSyntax")
}

func errorArray(s *step) {
	s.refused(s.post(s.sv.endpoint(users), `["userName"]`), http.StatusBadRequest, "invalidSyntax")
}

func errorType(s *step) {
	p := s.sv.person()
	p["userName"] = object{"value": "x"}
	s.refused(s.post(s.sv.endpoint(users), p), http.StatusBadRequest, "invalidValue", "invalidSyntax")
}

func errorAnonymous(s *step) {
	s.need(s.c.token != "", "the check has no token")
	a := s.send(request{method: http.MethodGet, path: s.endpointOfAny(), anonymous: true}, http.StatusUnauthorized)
	s.expect(a.header.Get("WWW-Authenticate") != "", "a WWW-Authenticate header", "none")
}

func errorToken(s *step) {
	s.need(s.c.token != "", "the check has no token")
	s.send(request{method: http.MethodGet, path: s.endpointOfAny(), anonymous: true, header: map[string]string{"Authorization": "Bearer usherd-no-such-token"}}, http.StatusUnauthorized)
}

// endpointOfAny is where something is that needs a token: discovery may be open to everybody.
func (s *step) endpointOfAny() string {
	for _, f := range []feature{users, groups} {
		if s.sv.has(f) {
			return s.sv.endpoint(f)
		}
	}
	s.need(false, "the service has neither users nor groups")
	return ""
}

func mediaArea() area {
	return area{name: "media", rfc: "7644", needs: users, cases: []testCase{
		{id: "media-answer", section: "3.1", name: "answers are " + mediaType, run: mediaAnswer},
		{id: "media-json", section: "3.8", name: "application/json is taken", should: true, run: func(s *step) { mediaTaken(s, "application/json") }},
		{id: "media-charset", section: "3.8", name: "charset=utf-8 is taken", run: func(s *step) { mediaTaken(s, mediaType+"; charset=utf-8") }},
		{id: "media-other", rfc: "9110", section: "15.5.16", name: "another media type is 415", should: true, run: mediaOther},
		{id: "media-accept", section: "3.8", name: "who accepts application/json or anything gets an answer", run: mediaAccept},
		{id: "media-unicode", section: "3.8", name: "names of all languages are kept", run: mediaUnicode},
	}}
}

func mediaAnswer(s *step) {
	u := s.user()
	for _, a := range []*answer{u.made, s.get(u.path, http.StatusOK), s.get("/ServiceProviderConfig", http.StatusOK)} {
		s.expect(isSCIM(a), "Content-Type "+mediaType, a.header.Get("Content-Type"))
	}
}

func mediaTaken(s *step, contentType string) {
	s.send(request{method: http.MethodPost, path: s.sv.endpoint(users), body: s.sv.person(), header: map[string]string{"Content-Type": contentType}}, http.StatusCreated)
}

func mediaOther(s *step) {
	s.send(request{method: http.MethodPost, path: s.sv.endpoint(users), body: s.sv.person(), header: map[string]string{"Content-Type": "text/plain"}}, http.StatusUnsupportedMediaType)
}

func mediaAccept(s *step) {
	u := s.user()
	for _, accept := range []string{"application/json", "*/*", "application/json, text/plain, */*"} {
		a := s.send(request{method: http.MethodGet, path: u.path, header: map[string]string{"Accept": accept}}, http.StatusOK)
		s.equal("id", u.id, a.body["id"])
	}
}

func mediaUnicode(s *step) {
	name := s.plain()
	const value = "Åsa Łukasz 山田 \U0001F600"
	u := s.user(with(name, value))
	s.equal(name, value, s.get(u.path, http.StatusOK).body[name])
}

func meArea() area {
	return area{name: "me", rfc: "7644", cases: []testCase{
		{id: "me-answer", section: "3.11", name: "/Me is the user, a redirect to it, 404 or 501", run: meAnswer},
	}}
}

func meAnswer(s *step) {
	a := s.get("/Me", http.StatusOK, http.StatusPermanentRedirect, http.StatusTemporaryRedirect, http.StatusNotFound, http.StatusNotImplemented)
	switch {
	case s.over():
	case a.status == http.StatusOK:
		s.equal("meta.resourceType", "User", dig(a.body, "meta", "resourceType"))
	case a.status >= http.StatusBadRequest:
		s.refused(a, a.status)
	}
}

func caseArea() area {
	return area{name: "case", rfc: "7643", needs: users, cases: []testCase{
		{id: "case-attributes", section: "2.1", name: "names of attributes in a body may be in any case", run: caseAttributes},
		{id: "case-sub-attributes", section: "2.1", name: "names of sub-attributes too", run: caseSubAttributes},
		{id: "case-path", section: "2.1", name: "names in the path of a PATCH too", needs: patching, run: casePath},
		{id: "case-urn", section: "2.1", name: "the URN of an extension too", needs: enterprise, should: true, run: caseURN},
	}}
}

func caseAttributes(s *step) {
	name := s.plain()
	p := s.sv.person()
	p["USERNAME"] = p["userName"]
	delete(p, "userName")
	delete(p, name)
	p[strings.ToUpper(name)] = "x"
	u := s.make(users, p)
	s.equal("userName", p["USERNAME"], u.body["userName"])
	s.equal(name, "x", u.body[name])
}

func caseSubAttributes(s *step) {
	s.wants(userURN, "name")
	u := s.user(with("name", object{"GIVENNAME": "Given", "familyname": "Family"}))
	s.equal("name.givenName", "Given", dig(u.body, "name", "givenName"))
	s.equal("name.familyName", "Family", dig(u.body, "name", "familyName"))
}

func casePath(s *step) {
	name := s.plain()
	got := s.patch(s.user(), op("replace", strings.ToUpper(name), "x"))
	s.equal(name, "x", got[name])
}

func caseURN(s *step) {
	s.wants(enterpriseURN, "department")
	urn := strings.ToUpper(enterpriseURN)
	u := s.user(with("schemas", []any{userURN, urn}), with(urn, object{"department": "Tours"}))
	s.equal("department", "Tours", dig(s.get(u.path, http.StatusOK).body, enterpriseURN, "department"))
}

func characteristicsArea() area {
	return area{name: "characteristics", rfc: "7643", needs: users, cases: []testCase{
		{id: "password-hidden", section: "4.1.1", name: "the password is never returned", run: passwordHidden},
		{id: "password-filter", section: "7", name: "the password cannot be found by a filter", needs: filtering, should: true, run: passwordFilter},
		{id: "read-only-patch", rfc: "7644", section: "3.5.2", name: "PATCH of what is read-only is 400 mutability", needs: patching, run: readOnlyPatch},
		{id: "read-only-groups", section: "4.1.2", name: "groups of a user cannot be set", run: readOnlyGroups},
		{id: "primary-once", section: "2.4", name: "two primary values are refused, or one of them is primary", should: true, run: primaryOnce},
		{id: "required-empty", section: "4.1.1", name: "an empty userName is 400", run: requiredEmpty},
		{id: "schemas-served", section: "3", name: "what a user shows is in the served schemas", run: schemasServed},
	}}
}

// secret is a password that meets most rules for them.
func (sv *service) secret() string { return "Aa1!" + sv.name() }

func passwordHidden(s *step) {
	s.wants(userURN, "password")
	secret := s.sv.secret()
	u := s.user(with("password", secret))
	for _, a := range []*answer{u.made, s.get(u.path, http.StatusOK), s.get(query(u.path, "attributes", "password"), http.StatusOK)} {
		s.expect(!strings.Contains(string(a.raw), secret) && a.body["password"] == nil, "no password in the answer", a)
	}
}

func passwordFilter(s *step) {
	s.wants(userURN, "password")
	secret := s.sv.secret()
	u := s.user(with("password", secret))
	a := s.get(query(s.sv.endpoint(users), "filter", `password eq "`+secret+`" and userName eq "`+text(u.sent, "userName")+`"`))
	if a.status == http.StatusOK {
		s.expect(length(a.body["Resources"]) == 0, "nobody, or an error", a.body["Resources"])
		return
	}
	s.expect(a.status == http.StatusBadRequest || a.status == http.StatusForbidden, "400 or 403", a)
}

func readOnlyPatch(s *step) {
	s.patchRefused(s.user(), []string{"mutability"}, op("replace", "meta.created", "2001-02-03T04:05:06Z"))
}

func readOnlyGroups(s *step) {
	u := s.user(with("groups", []any{object{"value": unknownID, "display": "x"}}))
	s.expect(length(s.get(u.path, http.StatusOK).body["groups"]) == 0, "no groups", u.body["groups"])
}

func primaryOnce(s *step) {
	s.wants(userURN, "emails")
	p := s.sv.person()
	p["emails"] = []any{
		object{"value": s.sv.mail(s.sv.name()), "type": "work", "primary": true}, object{"value": s.sv.mail(s.sv.name()), "type": "home", "primary": true},
	}
	a := s.post(s.sv.endpoint(users), p, http.StatusCreated, http.StatusBadRequest)
	if a.status == http.StatusBadRequest {
		s.refused(a, http.StatusBadRequest, "invalidValue")
		return
	}
	primary := 0
	list, _ := a.body["emails"].([]any)
	for _, e := range list {
		if dig(e, "primary") == true {
			primary++
		}
	}
	s.expect(primary <= 1, "one primary value", a.body["emails"])
}

func requiredEmpty(s *step) {
	p := s.sv.person()
	p["userName"] = ""
	s.refused(s.post(s.sv.endpoint(users), p), http.StatusBadRequest)
}

func schemasServed(s *step) {
	s.need(len(s.sv.schemas) > 0, "no schema is served")
	u := s.user()
	for key, v := range s.get(u.path, http.StatusOK).body {
		switch key {
		case "schemas", "id", "externalId", "meta":
			continue
		}
		if !strings.HasPrefix(strings.ToLower(key), "urn:") {
			s.expect(s.sv.attribute(userURN, key) != nil, key+" in the schema of users", "it is not there")
			continue
		}
		o, _ := v.(map[string]any)
		for name := range o {
			s.expect(s.sv.attribute(key, name) != nil, name+" in the schema "+key, "it is not there")
		}
	}
}
