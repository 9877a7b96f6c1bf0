package auth

import (
	"math"
	"net/http"
	"strconv"
	"time"

	"usherd/connector"
)

// Reason says in a word why a request was refused, for metrics and the request log.
type Reason string

// The reasons.
const (
	ReasonMissing      Reason = "no_token"
	ReasonUnknown      Reason = "unknown_token"
	ReasonEnded        Reason = "token_ended"
	ReasonRevoked      Reason = "token_revoked"
	ReasonKind         Reason = "wrong_kind_of_token"
	ReasonGone         Reason = "source_gone"
	ReasonOrganization Reason = "other_organization"
	ReasonNetwork      Reason = "network"
	ReasonScope        Reason = "scope"
	ReasonGuessing     Reason = "too_many_unknown_tokens"
	ReasonRate         Reason = "rate"
	ReasonBusy         Reason = "too_many_at_a_time"
	ReasonFull         Reason = "door_full"
	ReasonStore        Reason = "store"
)

// Error is a refusal, ready to be rendered: its Detail is for whoever sent the request and holds no secret.
type Error struct {
	Status     int // 401, 403, 404, 429 or 503
	Reason     Reason
	Detail     string
	Challenge  string        // WWW-Authenticate; "" = none
	RetryAfter time.Duration // 0 = none
	// Source and Token are whose request it was, where the token is known.
	Source Source
	Token  connector.ID
	// Err is what went wrong with us; it is for the log, not for the client.
	Err error
}

// Error gives the detail.
func (e *Error) Error() string { return e.Detail }

// Unwrap gives the accident behind a 503.
func (e *Error) Unwrap() error { return e.Err }

// Header sets WWW-Authenticate (RFC 6750 section 3) and Retry-After, in whole seconds, where they belong.
func (e *Error) Header(h http.Header) {
	if e.Challenge != "" {
		h.Set("WWW-Authenticate", e.Challenge)
	}
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
}

const challenge = `Bearer realm="usherd"`

func unauthorized(reason Reason, detail string) *Error {
	e := &Error{Status: http.StatusUnauthorized, Reason: reason, Detail: detail, Challenge: challenge}
	if reason != ReasonMissing {
		e.Challenge += `, error="invalid_token"`
	}
	return e
}

func later(status int, reason Reason, wait time.Duration, detail string) *Error {
	return &Error{Status: status, Reason: reason, Detail: detail, RetryAfter: max(wait, time.Second)}
}
