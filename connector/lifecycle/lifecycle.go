package lifecycle

import (
	"slices"

	"usherd/connector"
)

// Signal is something that happened to a user. Its text is the slug that histories and reports show.
type Signal string

// The signals.
const (
	Created          Signal = "created"           // by any door, or taken over from another organization
	EmailProven      Signal = "email_proven"      // an invitation or portal link was used
	DirectorySeen    Signal = "directory_seen"    // read from a directory, enabled and in scope
	DomainVerified   Signal = "domain_verified"   // the domain of its e-mail has just been proven
	SignIn           Signal = "sign_in"           // the person signs in
	Deactivate       Signal = "deactivated"       // by an administrator, a directory or SCIM
	Reactivate       Signal = "reactivated"       // by an administrator, or by the source that deactivated
	ClaimedElsewhere Signal = "claimed_elsewhere" // another organization took the person over
	ClaimDecided     Signal = "claim_decided"     // the person said what becomes of the old data
	ClaimExpired     Signal = "claim_expired"     // 14 days passed without a word: the data goes along
	GraceOver        Signal = "grace_over"        // delete_after has passed since the deactivation
	Delete           Signal = "deleted"           // an administrator does not wait for that
	RolledBack       Signal = "rolled_back"       // the run that led here is undone
)

// Signals are all of them in the order of the table.
func Signals() []Signal {
	return []Signal{
		Created, EmailProven, DirectorySeen, DomainVerified, SignIn, Deactivate, Reactivate,
		ClaimedElsewhere, ClaimDecided, ClaimExpired, GraceOver, Delete, RolledBack,
	}
}

// Facts are what the rows ask about beside state and signal. Zero values are the cautious answer.
type Facts struct {
	// Kind of the source that the user comes from: Directory as soon as one of its links is a
	// directory's.
	Kind connector.SourceKind
	// DomainVerified: the organization has proven the domain of the primary e-mail address, or one
	// above it.
	DomainVerified bool
	// PendingApproval is the user's flag.
	PendingApproval bool
	// Resume is the state that an inactive user had, or that a user had before what is undone.
	Resume connector.State
	// From is the state that a user taken over had in the other organization before the claim; "" =
	// it was not taken over.
	From connector.State
	// ClaimOpen: a user taken over has not yet said what becomes of the old data.
	ClaimOpen bool
}

// First returns the state of a new user: never Inactive, never a tombstone.
func First(f Facts) connector.State {
	s, _ := Next("", Created, f)
	return s
}

// Next returns where the signal leads from the state; "" is a user who does not exist yet. It answers
// false, and the state unchanged, when the signal is refused or means nothing there. True with the same
// state is a signal accepted that changes nothing, such as the second sign-in.
func Next(from connector.State, s Signal, f Facts) (connector.State, bool) {
	for i := range table {
		r := &table[i]
		if slices.Contains(r.signals, s) && slices.Contains(r.from, from) && r.when.holds(&f) {
			if r.to == "" {
				return from, false
			}
			if r.to == stays {
				return from, true
			}
			return r.to, true
		}
	}
	return from, false
}

// Row is one line of the table as it is shown. Of the rows that fit, the first one counts.
type Row struct {
	From    []connector.State // "" = does not exist yet
	Signals []Signal
	When    string          // "" = always
	To      connector.State // "" = see Refused; where Stays, none either
	Stays   bool            // accepted, nothing changes
	Refused bool            // not accepted, nothing changes
}

// Rows returns the table in the order in which it is read. What has no row is refused.
func Rows() []Row {
	rows := make([]Row, len(table))
	for i, r := range table {
		rows[i] = Row{
			From: slices.Clone(r.from), Signals: slices.Clone(r.signals), When: r.when.text,
			To: r.to, Stays: r.to == stays, Refused: r.to == "",
		}
		if r.to == stays {
			rows[i].To = ""
		}
	}
	return rows
}
