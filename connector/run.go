package connector

import "time"

// Mode says what a run reads.
type Mode string

// The modes of domain.md section 6.
const (
	ModeFull    Mode = "full"
	ModeChanges Mode = "changes"
	ModePreview Mode = "preview"
	ModePerson  Mode = "person"
)

// Result is how a run ended.
type Result string

// ResultRunning is a run that has not finished: one found so at start was cut off.
const (
	ResultRunning   Result = "running"
	ResultOK        Result = "ok"
	ResultPartial   Result = "partial"   // the answer was not complete: nobody was removed
	ResultHeld      Result = "held"      // something waits for approval
	ResultFailed    Result = "failed"    // nothing, or not everything, was applied
	ResultCancelled Result = "cancelled" // stopped by a person or a shutdown
)

// HoldStatus is what became of a hold.
type HoldStatus string

// A hold is open until somebody decides or it expires.
const (
	HoldOpen     HoldStatus = "open"
	HoldApproved HoldStatus = "approved"
	HoldRejected HoldStatus = "rejected"
	HoldExpired  HoldStatus = "expired"
)

// Counts are numbers of people.
type Counts struct {
	Created     int `json:"created"`
	Updated     int `json:"updated"`
	Reactivated int `json:"reactivated"`
	Deactivated int `json:"deactivated"`
	Deleted     int `json:"deleted"`
	Unchanged   int `json:"unchanged"`
	Skipped     int `json:"skipped"`
	Failed      int `json:"failed"`
	Held        int `json:"held"`
}

// Add counts one change.
func (c *Counts) Add(ch *Change) { c.add(ch, 1) }

// Sub takes one change out again.
func (c *Counts) Sub(ch *Change) { c.add(ch, -1) }

func (c *Counts) add(ch *Change, n int) {
	if ch.Held {
		c.Held += n
		return
	}
	switch ch.Action {
	case Created:
		c.Created += n
	case Updated:
		c.Updated += n
	case Reactivated:
		c.Reactivated += n
	case Deactivated:
		c.Deactivated += n
	case Removed:
		c.Deleted += n
	case Unchanged:
		c.Unchanged += n
	case Skipped:
		c.Skipped += n
	case Failed:
		c.Failed += n
	}
}

// Hold says what waits for approval and why.
type Hold struct {
	Reason  string // for people: "82 removals are more than 10 and more than 5 % of 1,000 users"
	Whole   bool   // everything waits (first run, changed settings), not only the removals
	Digest  string // of exactly what waits: approval is refused when it has moved
	Expires time.Time
	Status  HoldStatus
	By      string // who approved or rejected
	At      time.Time
}

// Run is one synchronisation with its report's head; the people stand in events and outcomes.
type Run struct {
	ID          ID
	Org         string
	Source      string
	Mode        Mode
	Actor       string // "schedule", "cli:root"
	Result      Result
	Error       string // why it failed or is partial, for people
	Hint        string
	Counts      Counts
	Groups      GroupCounts
	GroupHold   *GroupHold // nil = what was found of the groups was written
	Skips       map[SkipReason]int
	Seats       []SeatCount
	Warnings    []string
	Server      string
	Entries     int // read
	Hold        *Hold
	Approves    ID // the held run that this one carries out
	Fingerprint Hash
	Revision    string // of the configuration
	Started     time.Time
	Finished    time.Time
	Phases      []Phase
}

// Phase is a named part of a run with the time it took.
type Phase struct {
	Name string
	Took time.Duration
}

// SourceState is what is remembered of a source between runs.
type SourceState struct {
	Org         string
	Source      string
	Fingerprint Hash           // of the settings under which it was last applied; zero = never
	Entries     int            // of the last complete read
	Present     map[string]int // attribute -> entries with a value, of the last complete read
	LastRun     ID
	LastOK      time.Time
	Cursor      Cursor // of the change feed; zero = the next run is a full one
	// Removed are the removals by runs of changes, latest last, so that the guard counts together what
	// comes one by one.
	Removed []RemovalCount
}

// RemovalCount is how many people lost access at about one time.
type RemovalCount struct {
	At time.Time `json:"at"`
	N  int       `json:"n"`
}
