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
	ModeGrace   Mode = "grace" // deletes whose grace period is over, without asking the source
	// ModeRollback puts back what another run did, and reads no source.
	ModeRollback Mode = "rollback"
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

// The actors of runs that nobody has asked for.
const (
	ActorSchedule = "schedule"
	ActorLive     = "live"
)

// Unattended reports whether the daemon did the run by itself.
func (r *Run) Unattended() bool { return r.Actor == ActorSchedule || r.Actor == ActorLive }

// CutOff is the Error of a run whose process ended before it.
const CutOff = "cut off"

// HoldStatus is what became of a hold.
type HoldStatus string

// A hold is open until somebody decides, a later full run takes its place or it expires.
const (
	HoldOpen       HoldStatus = "open"
	HoldApproved   HoldStatus = "approved"
	HoldRejected   HoldStatus = "rejected"
	HoldExpired    HoldStatus = "expired"
	HoldSuperseded HoldStatus = "superseded"
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
	// Linked is how many people of a file had a user already that the run linked to them. They count as updated or
	// unchanged, too.
	Linked int `json:"linked,omitempty"`
}

// Add counts one change.
func (c *Counts) Add(ch *Change) { c.add(ch, 1) }

// Sub takes one change out again.
func (c *Counts) Sub(ch *Change) { c.add(ch, -1) }

// Join adds the counts of another run.
func (c *Counts) Join(o Counts) { c.join(o, 1) }

// Less takes the counts of another run out again.
func (c *Counts) Less(o Counts) { c.join(o, -1) }

func (c *Counts) join(o Counts, n int) {
	c.Created += n * o.Created
	c.Updated += n * o.Updated
	c.Reactivated += n * o.Reactivated
	c.Deactivated += n * o.Deactivated
	c.Deleted += n * o.Deleted
	c.Unchanged += n * o.Unchanged
	c.Skipped += n * o.Skipped
	c.Failed += n * o.Failed
	c.Held += n * o.Held
	c.Linked += n * o.Linked
}

// Changed is how many people were changed.
func (c *Counts) Changed() int {
	return c.Created + c.Updated + c.Reactivated + c.Deactivated + c.Deleted
}

func (c *Counts) add(ch *Change, n int) {
	if ch.Linked && !ch.Held && ch.Action != Failed {
		c.Linked += n
	}
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

	Removals bool      // what waits are removals; both are false where the whole run waits
	Updates  bool      // what waits are changes of attributes
	First    *Approval // by the first of two administrators; nil = nobody yet, or one is enough
	Part     *Part     // what was approved; nil = all of it, or nothing yet
	Rest     ID        // the run whose approval in part has left this
	Next     ID        // the run that holds what an approval in part has left, or that superseded this one
}

// Approval is the word of an administrator who must be joined by another one.
type Approval struct {
	By   string
	At   time.Time
	Part *Part // nil = all of it
}

// Part is what an administrator chose of a hold: by the keys that were typed, or by action.
type Part struct {
	Only   []string
	Except []string
	Action Action
	People int    // chosen
	Of     int    // held
	Digest string // of exactly the people chosen
}

// StatusAt is the status at a time: an open hold has expired from Expires on, whether that has been
// written or not. The zero time asks for what is written.
func (h *Hold) StatusAt(now time.Time) HoldStatus {
	if h.Status == HoldOpen && !now.IsZero() && !h.Expires.IsZero() && !now.Before(h.Expires) {
		return HoldExpired
	}
	return h.Status
}

// Open reports whether somebody can still decide at a time; nil holds nothing.
func (h *Hold) Open(now time.Time) bool { return h != nil && h.StatusAt(now) == HoldOpen }

// Run is one synchronisation with its report's head; the people stand in events and outcomes.
type Run struct {
	ID        ID
	Org       string
	Source    string
	Mode      Mode
	Actor     string // "schedule", "cli:root"
	Result    Result
	Error     string // why it failed or is partial, for people
	Hint      string
	Refused   bool // it failed because the source refuses the account: to ask again soon could lock it
	Counts    Counts
	Groups    GroupCounts
	GroupHold *GroupHold // nil = what was found of the groups was written
	Skips     map[SkipReason]int
	Seats     []SeatCount
	Warnings  []string
	Server    string
	Entries   int    // read
	Mechanism string // by which the source told the changes: "syncrepl", "dirsync"; "" = it was read in full
	// Missed is, of a full run, how many people had changed without the feed of changes telling of it; nil
	// when there was no feed to compare with. It should be 0.
	Missed      *int
	Hold        *Hold
	Due         int  // users of the organization whose grace period ends within DueSoon
	Approves    ID   // the held run that this one carries out
	Undoes      ID   // the run whose changes this one puts back
	People      []ID // the users to whom a rollback is limited; none = all whom the undone run changed
	Fingerprint Hash
	Revision    string // of the configuration
	Started     time.Time
	Finished    time.Time
	Phases      []Phase
}

// DueSoon is how far ahead reports, logs and metrics tell of deletions.
const DueSoon = 7 * 24 * time.Hour

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
	// Removed are the removals that passed the guard unseen, latest last, so that it counts together what
	// comes one by one.
	Removed []RemovalCount
}

// RemovalCount is how many people lost access at about one time.
type RemovalCount struct {
	At time.Time `json:"at"`
	N  int       `json:"n"`
}
