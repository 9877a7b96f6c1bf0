package scim

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"usherd/connector"
	"usherd/connector/failure"
)

const (
	errorURN   = "urn:ietf:params:scim:api:messages:2.0:Error"
	failureURN = "urn:usherd:params:scim:api:messages:2.0:Failure"
)

// The scimTypes of RFC 7644 table 9 and RFC 9865 section 2.
const (
	invalidFilter = "invalidFilter"
	tooMany       = "tooMany"
	uniqueness    = "uniqueness"
	mutability    = "mutability"
	invalidSyntax = "invalidSyntax"
	invalidPath   = "invalidPath"
	noTarget      = "noTarget"
	invalidValue  = "invalidValue"
	invalidVers   = "invalidVers"
	sensitive     = "sensitive"
	invalidCursor = "invalidCursor"
	expiredCursor = "expiredCursor"
	invalidCount  = "invalidCount"
)

// Error is a refusal as a client sees it (RFC 7644 section 3.12). Detail is in our own words: never those of another
// error, and never with a value that could be a secret.
type Error struct {
	Status  int
	Type    string // scimType, "" = none
	Detail  string
	Failure *failure.Document // where a person was refused
	Header  map[string]string
}

// Error gives the detail.
func (e *Error) Error() string { return strconv.Itoa(e.Status) + " " + e.Type + ": " + e.Detail }

func refuse(status int, scimType, detail string) *Error {
	return &Error{Status: status, Type: scimType, Detail: detail}
}

func badValue(detail string) *Error { return refuse(http.StatusBadRequest, invalidValue, detail) }

func notFound(detail string) *Error { return refuse(http.StatusNotFound, "", detail) }

// document is the body of an error.
func (e *Error) document() map[string]any {
	d := map[string]any{"schemas": []string{errorURN}, "status": strconv.Itoa(e.Status), "detail": e.Detail}
	if e.Type != "" {
		d["scimType"] = e.Type
	}
	if e.Failure != nil {
		d["schemas"] = []string{errorURN, failureURN}
		d[failureURN] = e.Failure
	}
	return d
}

// absent reports whether the store does not have what was asked for.
func absent(err error) bool { return err != nil && connector.KindOf(err) == connector.NotFound }

// statusOf says with which status and scimType a reason is told (scim.md 2.12): 4xx only for what trying again does
// not change.
func statusOf(r connector.Reason) (status int, scimType string) {
	switch r { //nolint:exhaustive // those of other doors
	case connector.UserNameTaken, connector.EmailTaken, connector.AmbiguousMatch:
		return http.StatusConflict, uniqueness
	case connector.NoSeat, connector.DomainNotAllowed, connector.DomainClaimedElsewhere, connector.PartnerIDMissing:
		return http.StatusForbidden, ""
	}
	return http.StatusBadRequest, invalidValue
}

// refusal is the error for somebody whom the rules refuse. The first failure decides the status; the others are
// told with it.
func refusal(cat *failure.Catalogue, failures []connector.Failure) *Error {
	status, scimType := statusOf(failures[0].Reason)
	e := refuse(status, scimType, "")
	lines := make([]string, len(failures))
	for i, f := range failures {
		lines[i] = cat.Line(f, "en")
	}
	d := cat.Document(failures[0], "en")
	e.Detail, e.Failure = strings.Join(lines, " "), &d
	return e
}

// accident hides an error of ours behind a reference that stands in the log. Where the change was stored before it, only
// the answer is missing.
func accident(err error, ref string, stored bool) *Error {
	switch kind := connector.KindOf(err); {
	case kind == connector.Conflict, kind == connector.Unavailable, errors.Is(err, connector.ErrMoved):
		return &Error{Status: http.StatusServiceUnavailable, Detail: "usherd cannot answer now; try again. Reference " + ref, Header: map[string]string{"Retry-After": "5"}}
	}
	what := "nothing was changed"
	if stored {
		what = "the change is stored all the same"
	}
	return refuse(http.StatusInternalServerError, "", "something went wrong in usherd, and "+what+"; its log says what, under the reference "+ref)
}
