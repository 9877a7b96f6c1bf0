package patch

import (
	"fmt"
	"net/http"
	"strings"
)

// MessageURN is the schema of a PATCH request.
const MessageURN = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

// MaxOperations is how many operations one PATCH may have.
const MaxOperations = 1000

// The names of operations.
const (
	Add     = "add"
	Remove  = "remove"
	Replace = "replace"
)

// Op is one operation as it was sent. A value of null has HasValue; a path of null is none (it is told to be
// optional, and some libraries write null for that).
type Op struct {
	Op       string // Add, Remove or Replace
	Path     string
	HasPath  bool
	Value    any
	HasValue bool
}

// Decode reads the message of RFC 7644 section 3.5.2, whose members are in canonical spelling. An empty list of
// operations is for Apply to judge. The error is an *Error, with the index of the operation at fault.
func Decode(body map[string]any) ([]Op, error) {
	if !lists(body["schemas"], MessageURN) {
		return nil, refusef(InvalidSyntax, `schemas has to be ["%s"]`, MessageURN)
	}
	list, ok := body["Operations"].([]any)
	if !ok {
		return nil, refuse(InvalidSyntax, "Operations has to be a list of operations")
	}
	if len(list) > MaxOperations {
		return nil, &Error{
			Status: http.StatusRequestEntityTooLarge, Op: -1,
			Detail: fmt.Sprintf("%d operations are more than the %d that one PATCH may have: send several", len(list), MaxOperations),
		}
	}
	ops := make([]Op, len(list))
	for i, v := range list {
		var err *Error
		if ops[i], err = decodeOp(v); err != nil {
			err.Op, err.Path = i, Shown(ops[i].Path)
			return nil, err
		}
	}
	return ops, nil
}

func decodeOp(v any) (op Op, err *Error) {
	object, ok := v.(map[string]any)
	if !ok {
		return op, refuse(InvalidSyntax, "an operation has to be an object with op, path and value")
	}
	if path, ok := object["path"]; ok && path != nil {
		if op.Path, op.HasPath = path.(string); !op.HasPath {
			return op, refuse(InvalidSyntax, "path has to be text")
		}
	}
	name, _ := object["op"].(string)
	switch op.Op = strings.ToLower(name); op.Op {
	case Add, Remove, Replace:
	default:
		return op, refuse(InvalidSyntax, "op has to be add, remove or replace")
	}
	op.Value, op.HasValue = object["value"]
	return op, nil
}

// lists reports whether a list of texts has one of that name; the case of a URN does not count.
func lists(list any, urn string) bool {
	all, _ := list.([]any)
	for _, v := range all {
		if s, ok := v.(string); ok && strings.EqualFold(s, urn) {
			return true
		}
	}
	return false
}
