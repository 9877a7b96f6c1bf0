package connector

import (
	"context"
	"time"
)

// Request is one request of a SCIM client as the log keeps it: what came, what was answered, and about whom.
// Secrets are masked before it is made (package requestlog).
type Request struct {
	ID     ID // made when it came, so that ids grow with time
	Org    string
	Source string // the client
	At     time.Time

	Method string
	Path   string
	Query  string // as it came, without the question mark; of one operation of several bulk= and its number
	Status int
	// ScimType is the detail error keyword of the answer (RFC 7644 section 3.12), "" where it has none.
	ScimType string
	// Person is the user name or e-mail that the request is about, "" where it is about nobody or many.
	Person   string
	User     ID // zero = none, or not known
	Duration time.Duration
	Profile  string   // the dialect in force
	Quirks   []string // ids of the leniencies that it needed
	Ref      string   // of the failure or fault in the answer
	BytesIn  int64
	BytesOut int64
	Remote   string // address of the client

	// Asked and Answered are the bodies; nil unless the client's are logged.
	Asked    []byte
	Answered []byte
}

// RequestQuery chooses logged requests, latest first; empty fields choose all of the organization.
type RequestQuery struct {
	Org    string
	Source string
	// Person is a user name or e-mail, compared by Fold; User is the same person by id. Requests about either
	// are chosen.
	Person string
	User   ID
	// Status bounds the codes, both ends included; {0, 0} is any.
	Status [2]int
	Since  time.Time // zero = from the first on
	Before ID        // only older ones than this; zero = from the latest on
	After  ID        // only newer ones than this; zero = from the first on
	Bodies bool      // with their bodies
	Limit  int       // at most 1,000, which is also what 0 means
}

// UserFinder finds users by what people call them. The store is one.
type UserFinder interface {
	FindUser(ctx context.Context, org, key string) (*User, error)
}

// About has the query choose requests about a person, by user name, e-mail or id; "" = about anybody. What the log says of
// names is what requests said: whoever has the name today is found by id, too.
func (q *RequestQuery) About(ctx context.Context, users UserFinder, person string) error {
	if person == "" {
		return nil
	}
	if id, err := ParseID(person); err == nil {
		q.User = id
		return nil
	}
	q.Person = person
	u, err := users.FindUser(ctx, q.Org, person)
	switch kind := KindOf(err); {
	case err == nil:
		q.User = u.ID
	case kind != NotFound && kind != Conflict:
		return err
	}
	return nil
}

// QuirkCount says how often a client needed one leniency.
type QuirkCount struct {
	Org    string    `json:"-"`
	Source string    `json:"-"`
	Quirk  string    `json:"quirk"`
	Count  int64     `json:"count"`
	First  time.Time `json:"first"`
	Last   time.Time `json:"last"`
}

// RequestCounts are how many requests of a client are logged since a time.
type RequestCounts struct {
	Requests int
	Errors   int // status 400 and above
	// Throttled are those of the errors that were one too many at a time (status 429).
	Throttled int
}

// ClientProfile is the dialect that a SCIM client was recognised to speak, and by what.
type ClientProfile struct {
	Org     string
	Source  string
	Profile string
	Why     string // one sentence: "User-Agent Okta SCIM Client 1.0.0"
	At      time.Time
}

// FirstID is below every ID made at t or later, and above all made a millisecond before.
func FirstID(t time.Time) ID {
	var id ID
	milli := max(t.UnixMilli(), 0)
	for i := range 6 {
		id[i] = byte(milli >> (40 - 8*i)) //nolint:gosec // one byte of six
	}
	return id
}
