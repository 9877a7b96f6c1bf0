package schema

import (
	"cmp"

	"github.com/elimity-com/scim/optional"
	es "github.com/elimity-com/scim/schema"
)

// commonAttributes are those of RFC 7643 section 3.1 and "schemas", which all resources have and no schema
// lists. What schemas holds follows from the resource, so clients do not set it.
func commonAttributes() []*Attribute {
	meta := &Attribute{Name: "meta", Description: "What the service provider says of the resource.", Kind: Complex}
	created := &Attribute{Name: "created", Description: "When the resource was created.", Kind: DateTime}
	modified := &Attribute{Name: "lastModified", Description: "When the resource was changed last.", Kind: DateTime}
	kind := &Attribute{Name: "resourceType", Description: "The type of the resource.", Kind: String, CaseExact: true}
	location := &Attribute{Name: "location", Description: "The URI of the resource.", Kind: Reference, CaseExact: true, References: []string{"uri"}}
	version := &Attribute{Name: "version", Description: "The version of the resource, its ETag.", Kind: String, CaseExact: true}
	meta.Sub = []*Attribute{kind, created, modified, location, version}
	for _, s := range meta.Sub {
		s.Parent = meta
	}
	schemas := &Attribute{
		Name: "schemas", Description: "The URNs of the schemas of which the resource has attributes.",
		Kind: Reference, Multi: true, References: []string{"uri"}, Returned: ReturnedAlways,
	}
	id := &Attribute{
		Name: "id", Description: "The identifier that the service provider gave to the resource.",
		Kind: String, CaseExact: true, Returned: ReturnedAlways, Uniqueness: UniqueServer,
	}
	external := &Attribute{
		Name: "externalId", Description: "The identifier that the client gave to the resource. Each client has its own.",
		Kind: String, CaseExact: true, Mutability: ReadWrite, Uniqueness: UniqueServer,
	}
	all := []*Attribute{schemas, id, external, meta}
	for _, a := range append(all, meta.Sub...) {
		a.Mutability = cmp.Or(a.Mutability, ReadOnly)
		a.Returned = cmp.Or(a.Returned, ReturnedDefault)
		a.Uniqueness = cmp.Or(a.Uniqueness, UniqueNone)
	}
	return all
}

// usherdSchema is what usherd says of a user beyond RFC 7643. All of it is read-only.
func usherdSchema() es.Schema {
	readOnly := es.AttributeMutabilityReadOnly()
	text := func(name, description string, exact bool) es.SimpleParams {
		return es.SimpleStringParams(es.StringParams{
			Name: name, Description: optional.NewString(description), Mutability: readOnly, CaseExact: exact,
		})
	}
	return es.Schema{
		ID:          UsherdURN,
		Name:        optional.NewString("usherd User"),
		Description: optional.NewString("Where a user stands: state, package, and what became of the last attempt"),
		Attributes: es.Attributes{
			es.SimpleCoreAttribute(es.SimpleStringParams(es.StringParams{
				Name: "state", Mutability: readOnly, CaseExact: true,
				Description:     optional.NewString("The state of the user, which says whether it may use services."),
				CanonicalValues: []string{"not_verified", "verified", "active", "inactive", "claim_pending"},
			})),
			es.SimpleCoreAttribute(text("package", "The id of the package of which the user has a licence.", true)),
			es.SimpleCoreAttribute(es.SimpleBooleanParams(es.BooleanParams{
				Name: "pendingApproval", Mutability: readOnly,
				Description: optional.NewString("Whether the user waits for the approval of an administrator and cannot sign in until then."),
			})),
			es.ComplexCoreAttribute(es.ComplexParams{
				Name: "lastFailure", Mutability: readOnly,
				Description: optional.NewString("Why the last attempt to create or change the user was refused. Absent after a success."),
				SubAttributes: []es.SimpleParams{
					es.SimpleNumberParams(es.NumberParams{
						Name: "code", Mutability: readOnly, Type: es.AttributeTypeInteger(),
						Description: optional.NewString("The number of the failure."),
					}),
					text("reason", "The word for the reason, which never changes.", true),
					text("title", "The title that is shown to people.", false),
					text("message", "What it means, for the person.", false),
					es.SimpleStringParams(es.StringParams{
						Name: "fields", MultiValued: true, Mutability: readOnly, CaseExact: true,
						Description: optional.NewString("The attributes at fault."),
					}),
					text("ref", "A short id to quote to the administrator.", true),
					es.SimpleDateTimeParams(es.DateTimeParams{
						Name: "at", Mutability: readOnly, Description: optional.NewString("When it happened."),
					}),
				},
			}),
			warnings(),
		},
	}
}

// usherdGroupSchema is what usherd says of a group beyond RFC 7643.
func usherdGroupSchema() es.Schema {
	return es.Schema{
		ID: UsherdGroup, Name: optional.NewString("usherd Group"), Description: optional.NewString("What became of the request"),
		Attributes: es.Attributes{warnings()},
	}
}

func warnings() es.CoreAttribute {
	return es.SimpleCoreAttribute(es.SimpleStringParams(es.StringParams{
		Name: "warnings", MultiValued: true, Mutability: es.AttributeMutabilityReadOnly(),
		Description: optional.NewString("What of the request was not done, and why."),
	}))
}
