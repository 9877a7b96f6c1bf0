package patch

// Emptying is what a client means by removing members without naming any.
type Emptying int

// What it may mean. The zero value is the one that loses nothing.
const (
	RefuseEmptying Emptying = iota // 400: nobody is sure what is meant
	Nothing                        // success without change, counted
	Empty                          // all members go, on purpose
	EmptyAndNote                   // all members go, and it is counted
)

// Rules answer the questions that two clients answer differently. The zero value refuses all that is in
// doubt.
type Rules struct {
	// RemoveAbsent, RemoveNull and RemoveNone are what "remove" with the path members means without value, with
	// null and with []. A list of members removes exactly those, whatever is said here.
	RemoveAbsent, RemoveNull, RemoveNone Emptying
	// RemoveAbsentBy and RemoveNullBy name the profiles that would allow what is refused, for the text of the
	// refusal: "strict, generic or okta".
	RemoveAbsentBy, RemoveNullBy string

	// PutClears is whether a PUT of a group without members empties it.
	PutClears bool
	// BuildElement is whether add and replace make a value from the filter of a path that no value matches, if
	// it is made of and-ed comparisons with eq; else they are refused.
	BuildElement bool
	// MissingIsGone is whether the removal of what a filter does not find succeeds.
	MissingIsGone bool
	// IgnoreUnknown is whether an attribute that is not in the schema is left out; else it is refused.
	IgnoreUnknown bool
	// SkipMembers is whether a member that is not known, or has no value, is left out; else it is refused. Which ids are
	// known only the store can say.
	SkipMembers bool
	// NoOperations is whether a PATCH without operations succeeds.
	NoOperations bool
	// IgnoreActiveNull is whether null for active changes nothing; else it is refused.
	IgnoreActiveNull bool
	// FilterSingle is whether a path may have a filter after an attribute that has one value only.
	FilterSingle bool
}
