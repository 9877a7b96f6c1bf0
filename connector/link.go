package connector

import "time"

// Link is user <-> (source, anchor).
type Link struct {
	Org    string
	Source string
	Anchor Anchor
	User   ID
	DN     string // where the entry stood when it was last applied
	Key    Hash   // of the DN, by which groups name it; zero where groups are not synced
	Hash   Hash   // of the last record applied; zero makes the next run decide again

	// Profile is what this source says of the person. It is nil where the link is the user's only
	// one: then the user's own profile is it, and storing it twice would double the store.
	Profile   Profile
	Package   string // that the mapping or a rule of groups gave
	Standing  Standing
	Protected bool
	RecheckAt time.Time // Record.RecheckAt; zero = never
	Run       ID        // that last applied a record
	UpdatedAt time.Time

	PrimaryGroup uint32 // Record.PrimaryGroup
	// MembershipsFollow says, of a link that is written, that its source names the entry by another DN in
	// all groups by itself when it is renamed (SourceSettings.RenamesFollow). It is not stored.
	MembershipsFollow bool
}

// Standing is what a source last said of whether a person may use the account.
type Standing string

// The standings. StandingGone and StandingOutOfScope are no opinion: the next source decides, and
// where there is none the user is deactivated.
const (
	StandingUnknown    Standing = "" // the source could not say
	StandingEnabled    Standing = "enabled"
	StandingDisabled   Standing = "disabled"
	StandingGone       Standing = "gone"
	StandingOutOfScope Standing = "out_of_scope"
)

// LinkState is the little of a link that a full run keeps in memory for everybody.
type LinkState struct {
	Anchor Anchor
	User   ID
	Hash   Hash
	// Absent: its Standing is gone or out of scope already, so that its absence is no news.
	Absent bool
}
