package connector

import "time"

// BrowseRequest asks for the entries right below one of a directory.
type BrowseRequest struct {
	At     string // DN
	Begins string // how the names of the entries begin; "" = any
	After  string // the name after which the page begins; "" = the first
	Limit  int    // entries of a page
}

// BrowsePage are entries of a directory in order of their names.
type BrowsePage struct {
	At      string
	Up      string           // DN above; "" = the entry is a base
	Self    []EntryAttribute // of the entry itself
	Entries []BrowseEntry
	Next    string // After of the next page; "" = this is the last one
	Cut     bool   // the directory has more entries there than were looked at
}

// BrowseEntry is one entry of a directory.
type BrowseEntry struct {
	DN      string
	Name    string // the first part of the DN, as the directory writes it
	Classes []string
	Found   bool   // the filter of the source finds it: it is a person
	Outside string // why its place is out of scope; "" = it is not
	Leaf    bool   // the directory says that nothing stands below
}

// EntryAttribute is an attribute of an entry. More is how many values there are beside those here.
type EntryAttribute struct {
	Name   string
	Values []EntryValue
	More   int
}

// EntryValue is a value with what it means.
type EntryValue struct {
	Text  string    // as the directory has it, or, of a GUID or SID, as people write it; "" = it is no text
	At    time.Time // that the value means; zero = it means none
	Never bool      // it stands for no point in time
	Flags []string  // bits that are set, by their names in the documents of Active Directory
	Bytes int       // length of a value that is no text
}

// Criterion is a part of a filter, for people who read it.
type Criterion struct {
	Kind      CriterionKind
	Attribute string
	Value     string // as written, * for any text; of CriterionOther the whole part as a filter
	Parts     []Criterion
}

// CriterionKind says what a part of a filter asks for.
type CriterionKind string

// The kinds. All, Any and Not have parts, the others an attribute.
const (
	CriterionAll     CriterionKind = "all"
	CriterionAny     CriterionKind = "any"
	CriterionNot     CriterionKind = "not"
	CriterionEqual   CriterionKind = "equal"
	CriterionPresent CriterionKind = "present"
	CriterionLike    CriterionKind = "like"
	CriterionAtLeast CriterionKind = "at_least"
	CriterionAtMost  CriterionKind = "at_most"
	CriterionBits    CriterionKind = "bits" // all of them are set
	CriterionOther   CriterionKind = "else"
)
