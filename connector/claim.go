package connector

import "time"

// Claim is a user whom one organization has taken over from another, from that moment to the decision about
// what belonged to the old account.
type Claim struct {
	ID       ID
	Org      string // that has taken the user over
	User     ID     // there
	From     string // the organization that had it
	FromUser ID     // its user, a tombstone since
	Email    string // the address that the claim was about, as it came
	Was      State  // that the user had in From
	Actor    string // who claimed, in words that the history keeps
	At       time.Time
	Until    time.Time // when the default action is done

	// NextAt is when something is due: a reminder, or the default action; zero once the claim is not open.
	NextAt time.Time
	// Data is the profile of the old account, and Package its package. Org is shown nothing of it before the decision
	// but what an account needs (ClaimedAttributes); nil afterwards.
	Data    Profile
	Package string

	Status    ClaimStatus
	Choice    ClaimChoice // "" while it is open
	DecidedAt time.Time
	DecidedBy string // who, in words that the history keeps
	Kept      ID     // with ClaimKeep and ClaimCancelled, the user of From as which the old account goes on
	KeptEmail string // its address
}

// Claimed is the source that a claim counts as: it gives way to all sources of the organization. No configuration
// can name one like it.
const Claimed = "~claim"

// ClaimedAttributes are what of a claimed user is in the new organization at once: what an account needs.
func ClaimedAttributes() []string {
	return []string{UserName, GivenName, FamilyName, DisplayName, Email, "preferredLanguage"}
}

// ClaimTime is how long the person may decide.
const ClaimTime = 14 * 24 * time.Hour

// ClaimStatus says how far a claim has come.
type ClaimStatus string

// The standings of a claim.
const (
	ClaimOpen    ClaimStatus = "open"    // the person may decide
	ClaimDecided ClaimStatus = "decided" // the person did
	ClaimExpired ClaimStatus = "expired" // the time was over: the data went along
	ClaimEnded   ClaimStatus = "ended"   // the user was deleted, or claimed by a third organization, before a decision
	// ClaimCancelled is one of an organization that is not in the configuration any more: the person has the old account back.
	ClaimCancelled ClaimStatus = "cancelled"
)

// ClaimStatuses are all of them in the order in which they come.
func ClaimStatuses() []ClaimStatus {
	return []ClaimStatus{ClaimOpen, ClaimDecided, ClaimExpired, ClaimEnded, ClaimCancelled}
}

// ClaimChoice is what becomes of the old account's data.
type ClaimChoice string

// The choices.
const (
	ClaimMove   ClaimChoice = "move"   // it goes along into the new organization
	ClaimDelete ClaimChoice = "delete" // it is deleted
	ClaimKeep   ClaimChoice = "keep"   // the old account goes on under another address
)

// ClaimChoices are all of them, the default one first.
func ClaimChoices() []ClaimChoice { return []ClaimChoice{ClaimMove, ClaimDelete, ClaimKeep} }

// Anchor is what links of the user and histories on both sides know the claim by.
func (c *Claim) Anchor() Anchor { return Anchor{Kind: TextAnchor, Raw: c.ID.String()} }

// DaysLeft is how many days of the time are left, one that has begun included; 0 when it is over.
func (c *Claim) DaysLeft(now time.Time) int {
	left := c.Until.Sub(now)
	if left <= 0 {
		return 0
	}
	return int((left + 24*time.Hour - 1) / (24 * time.Hour))
}

// ClaimQuery chooses claims of an organization, latest first.
type ClaimQuery struct {
	Org    string
	Lost   bool        // those that others have made of its users; else its own
	Status ClaimStatus // "" = any
	Before ID          // only older ones; zero = from the latest on
	Limit  int         // at most 1,000, which is also what 0 means
}

// DomainQuery chooses users of several organizations by the domain of their primary e-mail.
type DomainQuery struct {
	Orgs    []string // in order
	Domains []string // ASCII form; each with all below it, none below another one
	After   string   // what the page before gave as next
	Limit   int      // at most 1,000, which is also what 0 means
}
