package schema

import "sync"

// Discovery returns the schemas of the documents by which a service describes itself (RFC 7643 section 8.7.2). They
// are shared and never changed.
func Discovery() []*Schema { return discovery() }

var discovery = sync.OnceValue(func() []*Schema {
	return []*Schema{
		described("urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig", "Service Provider Configuration", "What the service can do",
			may("documentationUri", Reference, "Where its manual for people is"),
			must("patch", Complex, "About PATCH", must("supported", Boolean, "Whether there is PATCH")),
			must("bulk", Complex, "About bulk requests",
				must("supported", Boolean, "Whether there are bulk requests"),
				must("maxOperations", Integer, "How many operations one may have"),
				must("maxPayloadSize", Integer, "How many bytes one may have")),
			must("filter", Complex, "About filters",
				must("supported", Boolean, "Whether there are filters"),
				must("maxResults", Integer, "How many resources an answer has at the most")),
			must("changePassword", Complex, "About passwords", must("supported", Boolean, "Whether passwords can be changed")),
			must("sort", Complex, "About sorting", must("supported", Boolean, "Whether lists can be sorted")),
			must("etag", Complex, "About versions", must("supported", Boolean, "Whether resources have ETags")),
			may("pagination", Complex, "About pages (RFC 9865)",
				must("cursor", Boolean, "Whether pages go by cursor"),
				must("index", Boolean, "Whether pages go by index"),
				may("defaultPaginationMethod", String, "Which of them goes where a client asks for none"),
				may("defaultPageSize", Integer, "How many resources a page has where a client does not say"),
				may("maxPageSize", Integer, "How many it has at the most"),
				may("cursorTimeout", Integer, "How many seconds a cursor lives")),
			several(must("authenticationSchemes", Complex, "How clients prove themselves",
				must("type", String, "The kind of it"),
				must("name", String, "How people know it"),
				must("description", String, "What it is"),
				may("specUri", Reference, "Where it is specified"),
				may("documentationUri", Reference, "Where its manual is"))),
		),
		described("urn:ietf:params:scim:schemas:core:2.0:ResourceType", "Resource Type", "A kind of resource that the service has",
			may("id", String, "Its id"),
			must("name", String, "What it is called"),
			may("description", String, "What it is"),
			must("endpoint", Reference, "Where it is, below the address of the service"),
			must("schema", Reference, "The URN of its core schema"),
			several(must("schemaExtensions", Complex, "Its extensions",
				must("schema", Reference, "The URN of one"),
				must("required", Boolean, "Whether every resource must have it"))),
		),
		described("urn:ietf:params:scim:schemas:core:2.0:Schema", "Schema", "The attributes that a schema has",
			must("id", String, "Its URN"),
			may("name", String, "What it is called"),
			may("description", String, "What it is"),
			several(must("attributes", Complex, "Its attributes", append(characteristics(), several(may("subAttributes", Complex, "The attributes below it", characteristics()...)))...)),
		),
	}
})

// characteristics are those of RFC 7643 section 7.
func characteristics() []*Attribute {
	return []*Attribute{
		must("name", String, "What it is called"),
		must("type", String, "The data type of its values"),
		must("multiValued", Boolean, "Whether it has several values"),
		may("description", String, "What it is"),
		must("required", Boolean, "Whether it must have a value"),
		several(may("canonicalValues", String, "Values that it usually has")),
		may("caseExact", Boolean, "Whether case counts"),
		must("mutability", String, "Who may change it, and when"),
		must("returned", String, "When it is returned"),
		may("uniqueness", String, "Among whom its values are unique"),
		several(may("referenceTypes", String, "What it may refer to")),
	}
}

func described(id, name, description string, attributes ...*Attribute) *Schema {
	return &Schema{ID: id, Name: name, Description: description, Attributes: attributes}
}

func must(name string, k Kind, description string, sub ...*Attribute) *Attribute {
	a := may(name, k, description, sub...)
	a.Required = true
	return a
}

func may(name string, k Kind, description string, sub ...*Attribute) *Attribute {
	return &Attribute{
		Name: name, Kind: k, Description: description, Mutability: ReadOnly, Returned: ReturnedDefault, Uniqueness: UniqueNone, CaseExact: true, Sub: sub,
	}
}

func several(a *Attribute) *Attribute {
	a.Multi = true
	return a
}
