package dialect

import (
	"maps"

	"usherd/scim/patch"
)

// Quirk is a leniency that a request needed.
type Quirk = patch.Quirk

// The quirks of this package, in the order in which they are looked for.
const (
	opCase             = "op-case"
	nameCase           = "name-case"
	messagePart        = "message-part-unknown"
	emptyPath          = "empty-path"
	schemasMissing     = "schemas-missing"
	schemasLegacy      = "schemas-legacy"
	schemasUnknown     = "schemas-unknown"
	extensionLegacy    = "extension-legacy"
	booleanText        = "boolean-text"
	oneElementList     = "one-element-list"
	numberText         = "number-for-text"
	singleObject       = "single-object"
	singleScalar       = "single-scalar"
	flatKey            = "flat-key"
	extensionAttribute = "extension-attribute"
	valueEmpty         = "value-empty"
	serverKeys         = "server-keys"
	memberReference    = "member-reference"
	elementJSON        = "element-json"
	memberByPath       = "member-by-path"
	emptyText          = "empty-text"
	filterEmail        = "filter-email"
)

var meaning = map[string]string{
	opCase:             "op was not in lower case",
	nameCase:           "the name of an attribute, or of a part of the message, was in another case",
	messagePart:        "a part of the message that is not known was left out",
	emptyPath:          "an empty path was taken for none",
	schemasMissing:     "schemas was missing and was taken from the address",
	schemasLegacy:      "schemas named one of SCIM 1.x or of a draft",
	schemasUnknown:     "schemas named one that is not of this resource",
	extensionLegacy:    "attributes stood under the schema of SCIM 1.x or of a draft",
	booleanText:        "true or false was sent as text",
	oneElementList:     "one value was sent as a list",
	numberText:         "text was sent as a number",
	singleObject:       "a list was sent as the object in it",
	singleScalar:       "an object was sent as its value alone",
	flatKey:            "an attribute of an object was sent as a key with a dot or colon",
	extensionAttribute: "an attribute of an extension was named without its schema",
	valueEmpty:         "a value without content was taken for none",
	serverKeys:         "attributes that the service provider sets were left out of an operation without path",
	memberReference:    "$ref of a member was null or relative: its value counts",
	elementJSON:        "a value was an object as JSON within text",
	memberByPath:       "a member to add stood in the path",
	emptyText:          "empty text was taken for no value",
	filterEmail:        `"email" in a filter was taken for emails.value`,
}

// Texts returns the ids of all quirks, those of scim/patch too, with what they mean.
func Texts() map[string]string {
	all := patch.Texts()
	maps.Copy(all, meaning)
	return all
}
