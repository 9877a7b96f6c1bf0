package scim_test

import (
	"regexp"
	"slices"
	"strings"

	"usherd/scim/schema"
)

// difference is one in which we are right, or do as this product wants it: of whole answers, or of lines.
type difference struct {
	name, reason string
	whole        func(a *asked) bool
	line         *regexp.Regexp // what lines that differ look like
	method       string         // of the requests that lines are about; "" = any
}

func statuses(ours, theirs int) func(a *asked) bool {
	return func(a *asked) bool { return a.status == [2]int{ours, theirs} }
}

// kept are requests that we refuse and that theirs carries out, or would if the name were free.
func kept(pattern string) func(a *asked) bool {
	p := regexp.MustCompile(pattern)
	return func(a *asked) bool {
		return a.status[0] == 400 && (a.status[1] < 300 || a.status[1] == 409) && p.MatchString(a.body)
	}
}

// of are requests for addresses like this that have these statuses.
func of(ours, theirs int, pattern string) func(a *asked) bool {
	p := regexp.MustCompile(pattern)
	return func(a *asked) bool { return a.status == [2]int{ours, theirs} && p.MatchString(unescaped(a.path)) }
}

const ofUser = `(Resources\[\d+\]\.)?`

var differences = []difference{
	{name: "405", reason: "a method that is not for a path is 405 with Allow (RFC 9110 section 15.5.6); theirs is 404", whole: statuses(405, 404)},
	{name: "discovery is read", reason: "POST and the like of the configuration are 405; theirs are 200", whole: of(405, 200, "^/ServiceProviderConfig")},
	{name: "discovery is not filtered", reason: "a filter on discovery is 403 (RFC 7644 section 4); theirs filters", whole: of(403, 200, "^/Schemas")},
	{name: "search", reason: "POST .search is there (RFC 7644 section 3.4.3)", whole: of(200, 404, `\.search$`)},
	{name: "required", reason: "the organization requires a name and an e-mail address (domain.md); their schema does not", whole: kept(`^{"userName":"x-lacks"`)},
	{name: "objects for lists", reason: "an object where a list belongs is 400; theirs keeps the object", whole: kept(`"(phoneNumbers|emails)":{`)},
	{name: "one primary value", reason: "two primary values are 400 (RFC 7643 section 2.4); theirs keeps both", whole: kept(`"phoneNumbers":.*"primary":true.*"primary":true`)},
	{name: "keys twice", reason: "a key that is there twice is 400; theirs takes the last", whole: kept(`"title":"1","title":"2"`)},
	{name: "after the body", reason: "what follows the body is 400; theirs passes it over", whole: kept("more$")},
	{name: "unknown attributes", reason: "what is not in the schema is 400 to whom is taken at its word (RFC 7644 table 9, invalidSyntax); theirs drops it", whole: kept(`"shoe|"name":{"value"`)},
	{name: "leavers return", reason: "POST of somebody inactive brings that user back (scim.md 2.2); theirs is 409", whole: func(a *asked) bool {
		return a.method == "POST" && a.status == [2]int{201, 409} && a.made[0] == ""
	}},
	{name: "access ends", reason: "who is deactivated is so although a new name is taken or missing, which is told as a warning; theirs is 409 or 400 and keeps the access", whole: func(a *asked) bool {
		return a.method == "PUT" && a.status[0] == 200 && a.status[1] >= 400 && strings.Contains(a.body, `"active":false`)
	}},
	{name: "two faults", reason: "a body that is wrong, for a user who is not there or with an address that is taken, is the one or the other: the RFC has no order", whole: func(a *asked) bool {
		return slices.Contains([][2]int{{404, 400}, {400, 404}, {409, 400}}, a.status)
	}},
	{name: "null for a body", reason: "it is no object, which is invalidSyntax; theirs misses attributes", whole: func(a *asked) bool {
		return a.status == [2]int{400, 400} && a.body == "null"
	}},
	{name: "schemas of another type", reason: "schemas that name another type are 400 to whom is taken at its word; theirs takes any", whole: kept("core:2.0:Shoe")},
	{name: "common attributes in filters", reason: "id, externalId and meta can be asked for; their parser refuses them", whole: of(200, 400, `filter=(id|externalId|meta)`)},
	{
		name: "forms of filters", reason: "a sub-attribute after brackets, two schemas in one filter, and three terms in brackets are filters; their parser refuses them",
		whole: of(200, 400, `\]\.value|employeeNumber.*userName|\[.* and .* and `),
	},
	{name: "passwords in addresses", reason: "a filter by password is 403 sensitive (RFC 7644 section 7.5.2); theirs hands it on, to our evaluator, which refuses it", whole: of(403, 400, "password")},
	{name: "projection", reason: "attributes and excludedAttributes are obeyed; theirs ignores them", whole: of(200, 200, `ttributes=`)},
	{name: "order", reason: "sortBy is obeyed; theirs ignores it", whole: of(200, 200, "sortBy=")},
	{name: "nonsense in parameters", reason: "an order by what is no attribute, and a cursor that is none, are 400; theirs ignores them", whole: of(400, 200, "sortBy=shoe|cursor=")},
	{name: "numbers", reason: "a count that is none is invalidValue; theirs has no scimType", line: regexp.MustCompile(`^ours   scimType = "invalidValue"$`), method: "GET"},
	{
		name: "lists of another type", reason: "what is no list is a value of the wrong type, and invalidValue (RFC 7644 table 9); theirs is invalidSyntax, as ours is for what is not in the schema",
		line: regexp.MustCompile(`^(ours|theirs) +scimType = "invalid(Value|Syntax)"$`),
	},
	{name: "URNs in any case", reason: "the URN of an extension is compared without case (scim.md 2.13); theirs drops what stands under another one", line: regexp.MustCompile(`^ours   ` + ofUser + schema.EnterpriseURN)},
	{name: "empty is nothing", reason: "an empty list or text is unassigned (RFC 7643 section 2.5); theirs shows them, lists as null", line: regexp.MustCompile(`^theirs .* = (null|\[\]|\{\}|"")$`)},
	{name: "passwords", reason: "a password is never returned (RFC 7643 section 4.1.1); theirs sends it back", line: regexp.MustCompile(`^theirs ` + ofUser + `password = `)},
	{name: "omitted in a PUT", reason: "active and externalId stay where a PUT does not name them (scim.md section 4); the shelf forgets", line: regexp.MustCompile(`^(ours|theirs) +` + ofUser + `(active|externalId) = `)},
	{name: "itemsPerPage", reason: "it is how many resources there are (RFC 7644 section 3.4.2.4), theirs how many were asked for", line: regexp.MustCompile(`^(ours|theirs) +itemsPerPage = `), method: "GET"},
	{name: "managers", reason: "of a manager only the value is kept: name and address follow from who that is", line: regexp.MustCompile(`^theirs ` + ofUser + schema.EnterpriseURN + `\.manager\.(\$ref|displayName) = `)},
}

// fixedRequests are one for each difference, and those of every day.
func fixedRequests() [][3]string {
	const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	out := [][3]string{
		{"POST", "/Users", person("ann", `,"title":"Guide","externalId":"e-1","password":"t1meMa$heen"`)},
		{"GET", "/Users/{1}", ""},
		{"POST", "/Users", person("ann", "")},
		{"POST", "/Users", person("bob", `,"`+enterprise+`":{"employeeNumber":"7","manager":{"value":"{1}","displayName":"Ann","$ref":"../Users/1"}}`)},
		{"PUT", "/Users/{1}", person("ann", `,"nickName":"A"`)},
		{"PUT", "/Users/{1}", person("ann", `,"active":false,"externalId":"e-2"`)},
		{"PUT", "/Users/nobody", person("carl", "")},
		{"PUT", "/Users/nobody", `{"userName":{}}`},
		{"POST", "/Users", `{"userName":"x-lacks","title":"x-lacks"}`},
		{"POST", "/Users", person("c1", `,"phoneNumbers":{"value":"1"}`)},
		{"POST", "/Users", person("c2", `,"phoneNumbers":[{"value":"1","primary":true},{"value":"2","primary":true}]`)},
		{"POST", "/Users", person("c3", `,"title":"1","title":"2"`)},
		{"POST", "/Users", person("c4", "") + "more"},
		{"POST", "/Users", strings.Replace(person("c5", ""), "core:2.0:User", "core:2.0:Shoe", 1)},
		{"POST", "/Users", person("d1", `,"`+strings.ToUpper(enterprise)+`":{"department":"D"}`)},
		{"POST", "/Users", person("d2", `,"phoneNumbers":[],"roles":null,"title":""`)},
		{"POST", "/Users", person("d3", `,"shoeSize":43,"groups":[{"value":"7"}],"id":"x","meta":{"version":"y"}`)},
		{"POST", "/Users", "[]"},
		{"POST", "/Users", "{"},
		{"POST", "/Users", "null"},
		{"POST", "/Users", ""},
		{"POST", "/Users", person("eve", `,"active":false`)},
		{"POST", "/Users", person("eve", `,"title":"Back"`)},
		{"POST", "/Users", person("fay", "")},
		{"PUT", "/Users/{6}", person("ann", `,"active":false`)},
		{"DELETE", "/Users/{2}", ""},
		{"GET", "/Users/{2}", ""},
		{"DELETE", "/Users/{2}", ""},
		{"PUT", "/Users/{2}", person("bob", "")},
		{"PUT", "/Users", "{}"},
		{"DELETE", "/Users", ""},
		{"POST", "/ServiceProviderConfig", "{}"},
		{"DELETE", "/Schemas", ""},
		{"GET", "/Nothing", ""},
		{"GET", "/Me", ""},
		{"POST", "/Users/.search", "{}"},
		{"GET", "/Schemas?" + encoded("filter=id pr"), ""},
	}
	for _, q := range []string{
		"", "count=0", "count=1", "startIndex=2", "startIndex=2&count=1", "startIndex=99", "count=-1", "startIndex=-1", "count=abc", "startIndex=abc", "attributes=userName",
		"excludedAttributes=emails", "sortBy=userName&sortOrder=descending", "sortBy=shoe", "cursor=x",
		`filter=userName eq "ann"`, `filter=userName eq "ANN"`, `filter=userName ne "ann"`, `filter=title pr`, `filter=not (title pr)`, `filter=userName sw "d" and title pr`,
		`filter=name.familyName eq "Lee"`, `filter=emails.value co "example"`, `filter=emails[type eq "work" and value co "ann"]`, `filter=active eq false`,
		`filter=` + schema.UserURN + `:userName eq "ann"`, `filter=id pr`, `filter=externalId eq "e-2"`, `filter=meta.created gt "2001-01-01T00:00:00Z"`,
		`filter=emails[type eq "work"].value eq "ann@example.com"`, `filter=` + enterprise + `:employeeNumber pr and userName pr`, `filter=password eq "x"`,
		`filter=userName eq 5`, `filter=active eq "true"`, `filter=userName`, `filter=userName xx "a"`, `filter=(userName pr`, `filter=shoe eq "a"`,
		`filter=userName eq 'ann'`, `filter=userName eq ann`, `filter=userName pr or title pr and nickName pr`,
	} {
		out = append(out, [3]string{"GET", "/Users?" + encoded(q), ""})
	}
	return out
}
