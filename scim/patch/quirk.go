package patch

import "maps"

// Quirk is one thing that a request asked for in a way that a strict service provider would refuse, or that was
// not done although the request succeeds.
type Quirk struct {
	ID    string // never changes: it is counted by it
	Text  string // what was seen and what was made of it
	Where string // the attribute in canonical spelling, or as it was sent where there is none of that name; "" = the message
	Count int    // how often, in this request
}

// The quirks of this package.
const (
	UnknownAttribute = "unknown-attribute"
	ReadOnlyIgnored  = "read-only-ignored"
	ActiveNull       = "active-null"
	MembersNull      = "members-null"
	MembersEmptied   = "members-emptied"
	MembersNone      = "members-none"
	MemberNoValue    = "member-without-value"
	NothingMatched   = "nothing-matched"
	ElementBuilt     = "element-built"
	ListedRemoved    = "listed-values-removed"
	NoOperations     = "no-operations"
	EmptyElement     = "empty-element"
)

// texts are the quirks of this package with what they mean.
var texts = map[string]string{
	UnknownAttribute: "an attribute that is not in the schema was left out",
	ReadOnlyIgnored:  "a read-only attribute was left as it is",
	ActiveNull:       "active without a value changed nothing: send true or false",
	MembersNull:      "members null changed nothing: send [] to empty a group",
	MembersEmptied:   "members were removed without being named: all of them",
	MembersNone:      "members to remove were an empty list: nothing changed",
	MemberNoValue:    "a member without value was left out",
	NothingMatched:   "no value matched the filter of a path: nothing changed",
	ElementBuilt:     "no value matched the filter of a path: one was made from the filter",
	ListedRemoved:    "values were removed that the operation listed beside a path to all of them",
	EmptyElement:     "a value without anything but labels was left out",
	NoOperations:     "a PATCH without operations changed nothing",
}

// Texts returns the ids of this package's quirks with what they mean.
func Texts() map[string]string {
	return maps.Clone(texts)
}

// Text returns what a quirk of this package means.
func Text(id string) string { return texts[id] }

// maxQuirks bounds how many different places are kept of one request: names come from the client.
const maxQuirks = 64

// Quirks gathers the quirks of one request: each id and place once, with how often. Where there are too many
// places, further ones count for another place of the same id.
type Quirks []Quirk

// Add counts one more.
func (q *Quirks) Add(id, text, where string) {
	where = Shown(where)
	for i := range *q {
		if (*q)[i].ID == id && ((*q)[i].Where == where || len(*q) >= maxQuirks) {
			(*q)[i].Count++
			return
		}
	}
	*q = append(*q, Quirk{ID: id, Text: text, Where: where, Count: 1})
}
