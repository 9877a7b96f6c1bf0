package connector

import (
	"strings"
	"time"
)

// UserQuery chooses users of a list; empty fields choose all live ones.
type UserQuery struct {
	Org     string
	State   State
	Search  string // beginning of a user name, e-mail, display name or employee number, in any case
	Package string
	Pending bool   // only those who wait for approval
	Source  string // only those of whom it has a record
	Domain  string // only those whose primary address is on it, or on a domain below it
	Failing bool   // only those of whom a failure is open
	Reason  Reason // only those of whom one with this reason is open
	Leaving bool   // only those whom the end of a grace period deletes, the next one first

	// Sort is ByUserName, ByDisplayName, where who has none stands last, or ByLastModified: it goes before the order that a filter
	// has. ByID, which is the zero value, is the order that the list has otherwise; a search and a list of tombstones have no other.
	Sort       ResourceSort
	Descending bool

	After string // what the page before gave as next
	Limit int    // at most 1,000, which is also what 0 means
}

// UserSort is the order of a list of users that a text names, such as name or -changed; ByID, which is the order that the list has
// otherwise, for any other text.
func UserSort(text string) (sort ResourceSort, descending bool) {
	name, descending := strings.CutPrefix(text, "-")
	switch name {
	case "name":
		return ByDisplayName, descending
	case "username":
		return ByUserName, descending
	case "changed":
		return ByLastModified, descending
	}
	return ByID, false
}

// DueQuery chooses users whose grace period has ended by a time, and whom no source would bring back: those
// whom one of Keep has as enabled are left out, since its next run would create them anew.
type DueQuery struct {
	Org    string
	Source string    // linked to it; "" = to any or none
	Keep   []string  // the sources of the organization
	Until  time.Time // the end of the period, included
	After  string    // what the page before gave as next
	Limit  int       // at most 1,000, which is also what 0 means; not of a count
}

// PeopleQuery chooses the users whom records of a source can be about.
type PeopleQuery struct {
	Org     string
	Source  string    // whose the anchors are
	Anchors []Anchor  // of the records
	IDs     []ID      // that records name
	Keys    []UserKey // that records would have; kinds as UsersByKey takes them
}

// GroupQuery chooses groups of a list, in order of their names; empty fields choose all.
type GroupQuery struct {
	Org    string
	Source string
	Search string // beginning of a name, in any case
	After  string // what the page before gave as next
	Limit  int    // at most 1,000, which is also what 0 means
}

// ItemQuery chooses open items of a list; empty fields choose all.
type ItemQuery struct {
	Org     string
	Source  string
	Code    Code // 0 = any
	Reason  Reason
	Subject string // part of the user name or e-mail, in any case
	About   *User  // only of this user, or of an entry that goes by its user name
	After   string // what the page before gave as next
	Limit   int    // at most 1,000, which is also what 0 means
}

// RunFilter chooses runs of a list, latest first unless Oldest says otherwise; empty fields choose all. Source, From, Until and Oldest need Org.
type RunFilter struct {
	Org    string
	Source string
	// From and Until choose runs that have ended at that time or later, and before that one. The latest is then the one that ended last.
	From, Until time.Time
	Oldest      bool // first
	Before      ID   // the last run of the page before; zero = from the latest on
	Limit       int  // at most 1,000, which is also what 0 means
}

// ItemCount is how many failures of a code and reason are open, and when one of them was last seen.
type ItemCount struct {
	Code   Code
	Reason Reason
	Count  int
	Latest time.Time
}

// RunDay is how many runs have ended like that on a day, in UTC.
type RunDay struct {
	Day    time.Time // its beginning
	Result Result
	Runs   int
}

// Revision is a configuration that was loaded, without its secrets.
type Revision struct {
	ID   string // digest of Text
	At   time.Time
	Text string
}
