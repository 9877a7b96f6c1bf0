package provision

import (
	"time"

	"usherd/connector"
)

// Explanation is everything about one user at one instant, with where it comes from. Its JSON is stable:
//
//	org, user_id, subject, state, version, created_at   the user, as it is or was at the instant "at"
//	past            the instant is not now; "ways", seats and places on lists are known of now only
//	why             sentences: why this state
//	sign_in         whether the person may sign in, and why
//	deactivated     by whom, why, who may bring it back, when it is deleted
//	domain          of the e-mail address: whether it is verified, and by which entry
//	package         the licence, who gives it, its seats, the place on the waiting list
//	local           what administrators decided about this user
//	attributes      each with values <- source <- mapping rule, and what other sources have and why it does not count
//	records         the entries of the sources behind the user; with "fresh", what the source says at the moment
//	transitions     each step of the state with its cause, oldest first; older_transitions are left out
//	failures        what is wrong at the moment, with remedy
//	ways            what would have to happen, for what people ask for
//
// What is not known is left out. Times are RFC 3339 in UTC. Names never change; new ones may come.
type Explanation struct {
	Org       string          `json:"org"`
	At        time.Time       `json:"at"`
	Past      bool            `json:"past,omitempty"`
	User      connector.ID    `json:"user_id"`
	Subject   string          `json:"subject"`
	State     connector.State `json:"state"`
	Version   int64           `json:"version"`
	CreatedAt time.Time       `json:"created_at"`

	Why             []string              `json:"why"`
	SignIn          Verdict               `json:"sign_in"`
	Deactivated     *ExplainedEnd         `json:"deactivated,omitempty"`
	PendingApproval bool                  `json:"pending_approval,omitempty"`
	Domain          *ExplainedDomain      `json:"domain,omitempty"`
	Package         ExplainedPackage      `json:"package"`
	Local           []LocalDecision       `json:"local,omitempty"`
	Attributes      []ExplainedAttribute  `json:"attributes"`
	Records         []ExplainedRecord     `json:"records"`
	Transitions     []ExplainedTransition `json:"transitions"`
	Older           int                   `json:"older_transitions,omitempty"`
	Failures        []ExplainedFailure    `json:"failures,omitempty"`
	Ways            []Way                 `json:"ways,omitempty"`
}

// Verdict is a yes or no with its reason.
type Verdict struct {
	OK  bool   `json:"ok"`
	Why string `json:"why"`
}

// ExplainedEnd is a deactivation.
type ExplainedEnd struct {
	By       connector.Authority `json:"by"`
	Source   string              `json:"source,omitempty"`
	Reason   string              `json:"reason,omitempty"`
	At       time.Time           `json:"at"`
	Before   connector.State     `json:"state_before"`
	Back     string              `json:"who_brings_it_back"`
	DeleteAt time.Time           `json:"will_be_deleted_at,omitzero"`
	KeptBy   string              `json:"kept_by,omitempty"` // the source that has the person enabled, so that nobody is deleted
}

// ExplainedDomain is the standing of the domain of the primary e-mail address.
type ExplainedDomain struct {
	Name      string    `json:"name"` // ASCII form
	Verified  bool      `json:"verified"`
	Entry     string    `json:"entry,omitempty"` // that verifies it or waits for its proof: the domain or one above it
	Since     time.Time `json:"since,omitzero"`
	LastError string    `json:"last_error,omitempty"`
	Elsewhere bool      `json:"claimed_elsewhere,omitempty"`
}

// ExplainedPackage is why the user has this package, or none.
type ExplainedPackage struct {
	ID     string `json:"id,omitempty"`
	Name   string `json:"name,omitempty"`
	By     Giver  `json:"by"`
	Source string `json:"source,omitempty"` // whose mapping or settings give it
	Actor  string `json:"actor,omitempty"`  // the administrator
	Rule   *Rule  `json:"rule,omitempty"`
	Holds  bool   `json:"holds_seat"`

	Seats   *connector.SeatCount `json:"seats,omitempty"`   // of that package, or of the one that is waited for
	Waiting *WaitingPlace        `json:"waiting,omitempty"` // of this person
}

// Giver says who gives a package.
type Giver string

// The givers.
const (
	GivenByAdministrator Giver = "administrator" // sources leave it alone
	GivenByMapping       Giver = "mapping"       // by a rule over the record
	GivenBySource        Giver = "source"        // by the settings of the source
	GivenByOrganization  Giver = "organization"  // the default
	GivenByNobody        Giver = "nobody"        // there is none
	GivenBefore          Giver = "before"        // kept: what would be given now has not been decided yet
)

// WaitingPlace is a place on the waiting list of a package, from 1; 0 = behind the first thousand.
type WaitingPlace struct {
	Package string    `json:"package"`
	Place   int       `json:"place,omitempty"`
	Since   time.Time `json:"since,omitzero"`
}

// LocalDecision is what an administrator decided and no source changes.
type LocalDecision struct {
	Field string    `json:"field"`
	What  string    `json:"what"`
	Actor string    `json:"actor"`
	At    time.Time `json:"at"`
}

// Rule is the part of a mapping that makes a value.
type Rule struct {
	Expression string   `json:"expression"`
	Attributes []string `json:"source_attributes"`
	File       string   `json:"file,omitempty"` // "" = of a preset
	Line       int      `json:"line,omitempty"`
}

// ExplainedAttribute is one attribute with the record that owns it.
type ExplainedAttribute struct {
	Name   string       `json:"name"`
	Values []string     `json:"values"`
	Source string       `json:"source"`         // whose record owns it
	Rule   *Rule        `json:"rule,omitempty"` // of that source's mapping, as it is now
	Since  time.Time    `json:"since"`
	Run    connector.ID `json:"run,omitzero"` // that set it
	// Kept: it is what the user had, and not what the records would give. So it is when access ends by an
	// entry that breaks a rule, and until the next run after a change of settings.
	Kept   bool    `json:"kept,omitempty"`
	Others []Offer `json:"others,omitempty"`
}

// Offer is what another source has for an attribute.
type Offer struct {
	Source string   `json:"source"`
	Values []string `json:"values"`
	Why    string   `json:"why_not"` // it does not count
}

// ExplainedRecord is one entry of a source behind the user.
type ExplainedRecord struct {
	Source    string             `json:"source"`
	Place     int                `json:"priority,omitempty"` // in the order of sources, from 1; 0 = it is not configured any more
	Anchor    string             `json:"anchor"`
	DN        string             `json:"dn,omitempty"`
	Standing  connector.Standing `json:"standing"`
	Protected bool               `json:"protected,omitempty"`
	AppliedAt time.Time          `json:"applied_at"`
	Run       connector.ID       `json:"run,omitzero"`
	// Later: the record was applied after the instant that is asked about; what it said then is not kept.
	Later bool         `json:"later,omitempty"`
	Fresh *FreshRecord `json:"fresh,omitempty"`
}

// FreshRecord is what a source says at this moment.
type FreshRecord struct {
	Error      string              `json:"error,omitempty"` // it could not be asked
	Presence   string              `json:"presence,omitempty"`
	Enabled    string              `json:"enabled,omitempty"` // yes, no, unknown
	Reason     string              `json:"reason,omitempty"`  // why it is not enabled, not in scope, or no person
	Applied    bool                `json:"applied"`           // it is what was applied last
	Attributes map[string][]string `json:"attributes,omitempty"`
}

// ExplainedTransition is one step of the state with its cause.
type ExplainedTransition struct {
	connector.Transition
	At     time.Time           `json:"at"`
	Why    string              `json:"why"`
	Kind   connector.CauseKind `json:"cause"`
	Actor  string              `json:"actor,omitempty"`
	Source string              `json:"source,omitempty"`
	Run    connector.ID        `json:"run,omitzero"`
	Mode   connector.Mode      `json:"mode,omitempty"`
}

// ExplainedFailure is an open item in words.
type ExplainedFailure struct {
	Code      connector.Code   `json:"code"`
	Reason    connector.Reason `json:"reason"`
	Title     string           `json:"title,omitempty"`
	Fields    []string         `json:"fields,omitempty"`
	Detail    string           `json:"detail,omitempty"`
	Remedy    []string         `json:"remedy,omitempty"`
	Source    string           `json:"source"`
	DN        string           `json:"dn,omitempty"`
	Ref       string           `json:"ref"`
	FirstSeen time.Time        `json:"first_seen"`
	LastSeen  time.Time        `json:"last_seen"`
	Count     int              `json:"count"`
}

// Goal is what people want of a user.
type Goal string

// The goals.
const (
	ToComeBack  Goal = "come_back"
	ToSignIn    Goal = "sign_in"
	ToBeActive  Goal = "active"
	ToGetAPlace Goal = "package"
)

// Way is what would have to happen, step by step.
type Way struct {
	Goals []Goal    `json:"goals"` // that it leads to
	Steps []WayStep `json:"steps"` // none = there is no way
}

// WayStep is one step: any one of Either does it.
type WayStep struct {
	To     connector.State `json:"to,omitempty"` // the state after it, where it is another one
	Either []Act           `json:"either"`
}

// Act is what somebody can do.
type Act struct {
	What       string   `json:"what"`
	Command    string   `json:"command,omitempty"`
	Source     string   `json:"source,omitempty"`            // where something is to be changed
	DN         string   `json:"dn,omitempty"`                // the entry to change
	Attributes []string `json:"source_attributes,omitempty"` // of it
}
