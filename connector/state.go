package connector

// State is where a user stands; the table of domain.md section 2 says what each may do.
type State string

// The states. ConvertedAway and Deleted are tombstones: the user is not live any more.
const (
	NotVerified   State = "not_verified"
	Verified      State = "verified"
	Active        State = "active"
	Inactive      State = "inactive"
	ClaimPending  State = "claim_pending"
	ConvertedAway State = "converted_away"
	Deleted       State = "deleted"
)

// States are all of them in the order in which they are shown.
func States() []State {
	return []State{Active, Verified, NotVerified, ClaimPending, Inactive, ConvertedAway, Deleted}
}

// Live reports whether a user in this state exists for people: it holds its name and addresses.
func (s State) Live() bool { return s != "" && s != ConvertedAway && s != Deleted }

// MayUse reports whether a user in this state may use services. A pending approval, which is a flag
// beside the state, forbids it all the same.
func (s State) MayUse() bool { return s == Verified || s == Active || s == ClaimPending }

// Authority is who deactivated a user, and so who may bring it back.
type Authority string

// An administrator's deactivation stays whatever sources say.
const (
	ByAdministrator Authority = "administrator"
	BySource        Authority = "source"
)
