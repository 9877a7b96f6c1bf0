package scim

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"usherd/scim/schema"
)

const (
	configURN = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
	typeURN   = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
	schemaURN = "urn:ietf:params:scim:schemas:core:2.0:Schema"
	listURN   = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
)

// What a client may ask for at once. Discovery says so, and requests are held to it.
const (
	defaultPage       = 100
	maxPage           = 1000
	maxBulkOperations = 1000
	maxBulkBytes      = 16 << 20
	maxUserBytes      = 1 << 20
	maxGroupBytes     = 16 << 20
	cursorLifetime    = time.Hour
)

// discovery holds the documents of one organization, rendered once (RFC 7643 sections 5 to 7, RFC 7644 section 4).
type discovery struct {
	documents map[string]*document // by path below v2/
}

// document is a rendered resource.
type document struct {
	body []byte
	etag string
}

type object = map[string]any

func newDiscovery(base string) (*discovery, error) {
	d := &discovery{documents: map[string]*document{}}
	if err := d.put("ServiceProviderConfig", serviceProviderConfig(base)); err != nil {
		return nil, err
	}
	var types []any
	for _, t := range schema.Types() {
		o := resourceType(t, base)
		types = append(types, o)
		if err := d.put("ResourceTypes/"+t.Name, o); err != nil {
			return nil, err
		}
	}
	var schemas []any
	for _, s := range allSchemas() {
		o := schemaObject(s, base)
		schemas = append(schemas, o)
		if err := d.put("Schemas/"+s.ID, o); err != nil {
			return nil, err
		}
	}
	if err := d.put("ResourceTypes", listOf(types)); err != nil {
		return nil, err
	}
	return d, d.put("Schemas", listOf(schemas))
}

// allSchemas are those of all types and of discovery itself, each once.
func allSchemas() []*schema.Schema {
	var out []*schema.Schema
	for _, t := range schema.Types() {
		out = append(out, t.Schemas()...)
	}
	return append(out, schema.Discovery()...)
}

func (d *discovery) put(path string, o object) error {
	b, err := json.Marshal(o)
	d.documents[path] = &document{b, digestTag(b)}
	return err
}

// find looks a document up; the URN of a schema is compared without case.
func (d *discovery) find(path string) *document {
	if doc := d.documents[path]; doc != nil {
		return doc
	}
	for p, doc := range d.documents {
		if strings.HasPrefix(p, "Schemas/") && strings.EqualFold(p, path) {
			return doc
		}
	}
	return nil
}

func listOf(resources []any) object {
	return object{
		"schemas": []string{listURN}, "totalResults": len(resources), "startIndex": 1, "itemsPerPage": len(resources), "Resources": resources,
	}
}

func serviceProviderConfig(base string) object {
	return object{
		"schemas":        []string{configURN},
		"patch":          object{"supported": true},
		"bulk":           object{"supported": true, "maxOperations": maxBulkOperations, "maxPayloadSize": maxBulkBytes},
		"filter":         object{"supported": true, "maxResults": maxPage},
		"changePassword": object{"supported": false},
		"sort":           object{"supported": true},
		"etag":           object{"supported": true},
		"pagination": object{
			"cursor": true, "index": true, "defaultPaginationMethod": "index", "defaultPageSize": defaultPage, "maxPageSize": maxPage,
			"cursorTimeout": int(cursorLifetime.Seconds()),
		},
		"authenticationSchemes": []any{
			object{
				"type": "oauthbearertoken", "name": "OAuth Bearer Token", "primary": true, "specUri": "https://www.rfc-editor.org/rfc/rfc6750",
				"description": "A token of `usherd token create`, or an access token by client credentials.",
			},
			object{
				"type": "oauth2", "name": "OAuth 2.0 client credentials", "specUri": "https://www.rfc-editor.org/rfc/rfc6749#section-4.4",
				"description": "A client secret, or a signed JWT (RFC 7523), for access tokens of short life; RFC 8414 metadata says where.",
			},
			object{
				"type": "httpbasic", "name": "HTTP Basic", "specUri": "https://www.rfc-editor.org/rfc/rfc7617",
				"description": "Any user name, and the token as password: for clients that can do nothing else.",
			},
		},
		"meta": object{"resourceType": "ServiceProviderConfig", "location": base + "ServiceProviderConfig"},
	}
}

func resourceType(t *schema.Type, base string) object {
	extensions := []any{}
	for _, s := range t.Extensions {
		extensions = append(extensions, object{"schema": s.ID, "required": false})
	}
	return object{
		"schemas": []string{typeURN}, "id": t.Name, "name": t.Name, "description": t.Description, "endpoint": t.Endpoint,
		"schema": t.Core.ID, "schemaExtensions": extensions,
		"meta": object{"resourceType": "ResourceType", "location": base + "ResourceTypes/" + t.Name},
	}
}

func schemaObject(s *schema.Schema, base string) object {
	return object{
		"schemas": []string{schemaURN}, "id": s.ID, "name": s.Name, "description": s.Description, "attributes": attributeObjects(s.Attributes),
		"meta": object{"resourceType": "Schema", "location": base + "Schemas/" + s.ID},
	}
}

func attributeObjects(list []*schema.Attribute) []any {
	out := make([]any, len(list))
	for i, a := range list {
		o := object{
			"name": a.Name, "type": string(a.Kind), "multiValued": a.Multi, "description": a.Description, "required": a.Required,
			"mutability": a.Mutability, "returned": a.Returned,
		}
		switch a.Kind {
		case schema.Complex:
			o["subAttributes"] = attributeObjects(a.Sub)
		case schema.String, schema.Reference, schema.Binary:
			o["caseExact"] = a.CaseExact
		case schema.Boolean, schema.Decimal, schema.Integer, schema.DateTime:
		}
		if a.Kind != schema.Complex {
			o["uniqueness"] = a.Uniqueness
		}
		if len(a.Canonical) > 0 {
			o["canonicalValues"] = a.Canonical
		}
		if len(a.References) > 0 {
			o["referenceTypes"] = a.References
		}
		out[i] = o
	}
	return out
}

// discover answers for a document of discovery.
func (x *exchange) discover(path string) (*answer, error) {
	if x.r.URL.Query().Has("filter") {
		return nil, refuse(http.StatusForbidden, "", "discovery is not filtered (RFC 7644 section 4): leave the filter out")
	}
	doc := x.org.discovery.find(path)
	if doc == nil {
		return nil, notFound("there is no " + printable(path))
	}
	return &answer{status: http.StatusOK, body: doc.body, etag: doc.etag}, nil
}
