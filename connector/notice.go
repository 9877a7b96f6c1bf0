package connector

import (
	"net/url"
	"time"
)

// NoticeKind is what a notice tells of, in the words of the configuration (reports.recipients.events) and of webhooks (type).
type NoticeKind string

// The kinds of notices, that is, what administrators are told of without asking.
const (
	NoticeRunChanged  NoticeKind = "run.changed"        // a run has changed people
	NoticePeople      NoticeKind = "run.people_failed"  // a run has refused people, other ones or for other reasons than before
	NoticeRunFailed   NoticeKind = "run.failed"         // a run failed as a whole, or had no complete answer
	NoticeRunHeld     NoticeKind = "run.held"           // something waits for an approval
	NoticeQuarantined NoticeKind = "source.quarantined" // a source fails again and again, or refuses the account
	NoticeRecovered   NoticeKind = "source.recovered"   // it does not any more
	NoticeSeats       NoticeKind = "seats.low"          // few seats of a package are free, or none
	NoticeEnds        NoticeKind = "expiry.soon"        // a certificate, metadata of an identity provider or a token ends
	NoticeOutbox      NoticeKind = "outbox.failing"     // mails are given up, or wait for a server that does not take them
	NoticeDomain      NoticeKind = "domain.failing"     // the proof of a domain is not found any more
)

// NoticeKinds are all of them, in the order in which they are listed.
func NoticeKinds() []NoticeKind {
	return []NoticeKind{
		NoticeRunChanged, NoticePeople, NoticeRunFailed, NoticeRunHeld, NoticeQuarantined, NoticeRecovered, NoticeSeats, NoticeEnds, NoticeOutbox, NoticeDomain,
	}
}

// Urgent reports whether a mail about it goes at once. What is not waits for others, so that nobody gets a mail for each run.
func (k NoticeKind) Urgent() bool { return k != NoticeRunChanged && k != NoticePeople }

// Notice is something that administrators are told of. It holds numbers, codes and configured names, and no data of people.
type Notice struct {
	ID   ID // made when it was written; every delivery of it has the same
	Org  string
	Kind NoticeKind
	At   time.Time
	Data NoticeData
}

// NoticeData is what is told. Which fields a kind has is said at each; the others are left out. But for Error, Hint and Why it is what
// webhooks get as data.
type NoticeData struct {
	// Test says that somebody wants to see one: nothing of it has happened.
	Test   bool   `json:"test,omitempty"`
	Source string `json:"source,omitempty"`
	// Run, of run.*, is which one and how it went.
	Run *NoticeRun `json:"run,omitempty"`
	// Failures, of run.people_failed: how many people for which reason, the most frequent first, at most MaxNoticeFailures.
	Failures []NoticeFailure `json:"failures,omitempty"`
	Hold     *NoticeHold     `json:"hold,omitempty"`    // of run.held
	Trouble  *NoticeTrouble  `json:"trouble,omitempty"` // of source.quarantined
	Seats    *NoticeSeatsLow `json:"seats,omitempty"`   // of seats.low
	End      *NoticeEnd      `json:"end,omitempty"`     // of expiry.soon
	Mails    *NoticeMails    `json:"mails,omitempty"`   // of outbox.failing
	Domain   *NoticeProof    `json:"domain,omitempty"`  // of domain.failing
	// Suppressed is how often the same was not told again before this; of run.changed, how often it was not told that the same people
	// failed as before.
	Suppressed int `json:"suppressed,omitempty"`
	// Error and Hint, of run.failed and source.quarantined, and Why, of run.held, are words of usherd and of servers. They may name hosts
	// and accounts of services, and go to mails only.
	Error string `json:"error,omitempty"`
	Hint  string `json:"hint,omitempty"`
	Why   string `json:"why,omitempty"`
}

// MaxNoticeFailures bounds the reasons that a notice tells.
const MaxNoticeFailures = 20

// NoticeRun is a run as notices tell of it.
type NoticeRun struct {
	ID       ID        `json:"id"`
	Mode     Mode      `json:"mode"`
	Result   Result    `json:"result"`
	Counts   Counts    `json:"counts"`
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`
}

// NoticeFailure is how many people failed for a reason. Package and Domain are told where they are the same for all.
type NoticeFailure struct {
	Code    Code   `json:"code"`
	Reason  Reason `json:"reason"`
	People  int    `json:"people"`
	Package string `json:"package,omitempty"`
	Domain  string `json:"domain,omitempty"`
}

// NoticeHold is how many people wait for a decision, and until when there can be one; or what would become of the groups of a source,
// which are left as they are until somebody accepts it by the digest Accept ("" = nobody can).
type NoticeHold struct {
	People  int          `json:"people"`
	Expires time.Time    `json:"expires,omitzero"`
	Groups  *GroupCounts `json:"groups,omitempty"`
	Accept  string       `json:"accept,omitempty"`
}

// NoticeTrouble is how many runs have failed in a row, and since when. Refused is that the server refuses the account.
type NoticeTrouble struct {
	Runs    int       `json:"runs"`
	Since   time.Time `json:"since,omitzero"`
	Refused bool      `json:"refused"`
}

// NoticeSeatsLow are the seats of a package.
type NoticeSeatsLow struct {
	Package string `json:"package"`
	Total   int    `json:"total"`
	Used    int    `json:"used"`
	Free    int    `json:"free"`
	Waiting int    `json:"waiting"` // people for whom there is none
}

// NoticeEnd is something that ends: what kind of thing (EndOfToken and so on), which one, and in how many days; 0 on the last day and
// afterwards.
type NoticeEnd struct {
	What string    `json:"what"`
	Name string    `json:"name"`
	Ends time.Time `json:"ends"`
	Days int       `json:"days"`
}

// NoticeMails is how many mails were given up of late, and whether the mail server takes none.
type NoticeMails struct {
	GivenUp int  `json:"given_up"`
	Stuck   bool `json:"stuck"`
}

// NoticeProof is a domain whose proof is not found, and until when it counts as verified all the same; zero = it does not.
type NoticeProof struct {
	Name      string    `json:"name"`
	KeptUntil time.Time `json:"kept_until,omitzero"`
}

// NoticeMark is what is remembered of what was told, so that the same is not told again.
type NoticeMark struct {
	Org        string
	Topic      string // "failures/ad/full", "seats/standard"
	Value      string // what was told, or how bad it was
	At         time.Time
	Suppressed int // how often the same has not been told since
}

// Channel is a way on which a notice reaches somebody.
type Channel string

// The channels.
const (
	ByMail    Channel = "mail"
	ByWebhook Channel = "webhook"
)

// DeliveryState is how far a delivery has come.
type DeliveryState string

// The states of a delivery. A mail that is written counts as sent: what became of it says the outbox.
const (
	DeliveryWaiting DeliveryState = "waiting"
	DeliverySent    DeliveryState = "sent"
	DeliveryFailed  DeliveryState = "failed" // it is not tried again by itself
)

// DeliveryStates are all of them, in the order in which they are shown.
func DeliveryStates() []DeliveryState {
	return []DeliveryState{DeliveryWaiting, DeliveryFailed, DeliverySent}
}

// Delivery is a notice on its way to one recipient.
type Delivery struct {
	ID      ID
	Notice  Notice
	Channel Channel
	Target  string // the name of the recipient or webhook in the configuration

	State    DeliveryState
	Next     time.Time // when it is tried; of one that is waiting
	Attempts int
	Code     int    // what the receiver answered last; 0 = it did not
	Answer   string // a word about that, or of the fault on the way to it
	DoneAt   time.Time
	Mail     ID // in the outbox; zero = none, or not yet
}

// DeliveryQuery chooses deliveries, latest first; fields that are empty choose all.
type DeliveryQuery struct {
	Org    string
	State  DeliveryState
	Target string
	Before ID  // only older ones than this; zero = from the latest on
	Limit  int // at most 1,000, which is also what 0 means
}

// UntoldRun is a run of which it was not yet decided whom to tell.
type UntoldRun struct {
	Run    *Run
	Untold int // grows with each end of the run
}

// Command is how the thing is looked at on the command line.
func (n *Notice) Command() string {
	org := " --org " + n.Org
	switch {
	case n.Data.Run != nil:
		return "usherd report " + n.Data.Run.ID.Short()
	case n.Kind == NoticeQuarantined, n.Kind == NoticeRecovered:
		return "usherd sources" + org
	case n.Kind == NoticeSeats:
		return "usherd seats" + org
	case n.Kind == NoticeOutbox:
		return "usherd mail" + org + " --state failed"
	case n.Kind == NoticeDomain:
		return "usherd domain list" + org
	case n.Kind == NoticeEnds && n.Data.End != nil && n.Data.End.What == EndOfToken:
		return "usherd token list" + org
	}
	return "usherd check --connect" + org
}

// What ends, of NoticeEnds.
const (
	EndOfCertificate    = "certificate"     // by which an identity provider signs
	EndOfOwnCertificate = "own_certificate" // by which usherd signs
	// EndOfDoorCertificate is that of the TLS of a door, which the notice has as its source: api, console and so on.
	EndOfDoorCertificate = "door_certificate"
	EndOfMetadata        = "metadata" // of an identity provider
	EndOfToken           = "token"
)

// Path is where the console shows the thing, with the organization.
func (n *Notice) Path() string {
	path := "/"
	switch {
	case n.Data.Run != nil && !n.Data.Test:
		path = "/runs/" + n.Data.Run.ID.String()
	case n.Kind == NoticeDomain:
		path = "/domains"
	case n.Data.Test: // there may be no such source or package
	case n.Kind == NoticeQuarantined, n.Kind == NoticeRecovered:
		path = "/sources/" + url.PathEscape(n.Data.Source)
	case n.Data.Seats != nil:
		path = "/seats/" + url.PathEscape(n.Data.Seats.Package)
	case n.Data.End != nil && n.Data.End.What == EndOfToken:
		path = "/tokens"
	}
	return path + "?org=" + url.QueryEscape(n.Org)
}
