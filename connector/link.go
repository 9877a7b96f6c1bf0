package connector

import "time"

// Link is user <-> (source, anchor).
type Link struct {
	Org    string
	Source string
	Anchor Anchor
	User   ID
	DN     string // where the entry stood when it was last applied
	Hash   Hash   // of the last record applied; zero makes the next run decide again

	// Profile is what this source says of the person. It is nil where the link is the user's only
	// one: then the user's own profile is it, and storing it twice would double the store.
	Profile   Profile
	Package   string // that the mapping gave
	Protected bool
	Run       ID // that last applied a record
	UpdatedAt time.Time
}

// LinkState is the little of a link that a full run keeps in memory for everybody.
type LinkState struct {
	Anchor Anchor
	User   ID
	Hash   Hash
	// Inactive: the user is deactivated by this source already, so that its absence is no news.
	Inactive bool
}
