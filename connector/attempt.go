package connector

import "time"

// TicketKind says what a ticket is for.
type TicketKind string

// The kinds of tickets.
const (
	RequestTicket TicketKind = "request" // a browser has gone to the identity provider and may come back
	CodeTicket    TicketKind = "code"    // an application may ask once who has come back
	TestTicket    TicketKind = "test"    // an administrator may try once what a sign-in would do
)

// Ticket is something that is good for one use, for a while. Whoever has the secret has it; only its hash is kept.
type Ticket struct {
	Org    string
	Source string
	Kind   TicketKind
	Hash   TokenHash // of the secret
	Until  time.Time // when it is good for nothing any more
	Data   []byte    // what the one who gave it out wants to know then
}

// Attempt is one attempt to sign in.
type Attempt struct {
	ID     ID // made when it came, so that ids grow with time
	Org    string
	Source string // the identity provider
	At     time.Time
	Code   Code   // of the failure; 0 = signed in
	Reason Reason // of the failure
	// Person is the user name or e-mail, or what the identity provider calls the person; "" where that is not known.
	Person string
	User   ID     // zero = none
	Ref    string // of the failure
	Remote string // address of the browser
	Took   time.Duration
	Steps  []AttemptStep
	Test   *AttemptTest // nil = somebody signed in, or tried to
}

// AttemptTest is what an administrator is shown who tries what a sign-in would do: then nobody is signed in, and nothing changes. What
// is kept of it are the values of a person, in clear.
type AttemptTest struct {
	By         string          `json:"by"`                   // the administrator
	Subject    string          `json:"subject,omitempty"`    // what the identity provider calls the person; "" = it did not get so far
	Attributes []SaidAttribute `json:"attributes,omitempty"` // in the order of the assertion
	Left       int             `json:"left,omitempty"`       // attributes that there was no room for
	Fields     []FieldChange   `json:"fields,omitempty"`     // what would change of the account
}

// SaidAttribute is an attribute as an identity provider has sent it.
type SaidAttribute struct {
	Name   string   `json:"name"`
	Values []string `json:"values,omitempty"`
}

// AttemptStep is one step on the way of a sign-in.
type AttemptStep struct {
	Name   string `json:"step"`
	Result string `json:"result"`           // ok, refused, or skipped
	Detail string `json:"detail,omitempty"` // one sentence in English; values are masked
	// Skew is by how many milliseconds our clock was past the time at which the identity provider says that it issued the response, when it
	// came; below 0, that time was still to come. It stands at the conditions, of what was signed, and nowhere else.
	Skew *int64 `json:"skew_ms,omitempty" doc:"Of the conditions: our clock, less the time at which the response says that it was issued, in milliseconds. A little above 0 is the way that it took; below 0 the clock of the identity provider is ahead."`
}

// Skew is how far our clock was past the time at which the response was issued; ok is false where that is not known.
func (x *Attempt) Skew() (skew time.Duration, ok bool) {
	for _, s := range x.Steps {
		if s.Skew != nil {
			return time.Duration(*s.Skew) * time.Millisecond, true
		}
	}
	return 0, false
}

// AttemptQuery chooses attempts to sign in, latest first; empty fields choose all of the organization.
type AttemptQuery struct {
	Org    string
	Source string
	Person string    // user name or e-mail, compared by Fold
	Ref    string    // that a person was shown, in any case; Person is not asked for beside it
	Failed bool      // only those that were refused
	Since  time.Time // zero = from the first on
	Before ID        // only older ones than this; zero = from the latest on
	Limit  int       // at most 1,000, which is also what 0 means
}

// AttemptCounts are how many attempts to sign in are kept since a time, without tests.
type AttemptCounts struct {
	Attempts int
	Refused  int
	Reasons  []AttemptReason // of those that were refused, the most frequent first
}

// AttemptReason is how many attempts were refused for one reason.
type AttemptReason struct {
	Code   Code
	Reason Reason
	Count  int
}
