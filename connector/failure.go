package connector

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"strings"
	"time"
)

// Code is the number of a failure, the same at every door.
type Code int

// The codes that rules about people use; the rest of the list stands in package failure.
const (
	CodeNoAccount   Code = 3
	CodeSSONot      Code = 7
	CodeDeactivated Code = 18
	CodeCreation    Code = 31
	CodeUpdate      Code = 32
)

// Reason is the slug beside the code; it never changes.
type Reason string

// The reasons of domain.md section 5.
const (
	PartnerIDMissing       Reason = "partner_id_missing"
	AccountInactive        Reason = "account_inactive"
	AccountPendingApproval Reason = "account_pending_approval"
	AccountNotVerified     Reason = "account_not_verified"
	RequiredMissing        Reason = "required_missing"
	NoSeat                 Reason = "no_seat"
	MemberStatusPresent    Reason = "member_status_present"
	EmailInvalid           Reason = "email_invalid"
	UserNameTaken          Reason = "user_name_taken"
	EmailTaken             Reason = "email_taken"
	AmbiguousMatch         Reason = "ambiguous_match"
	DomainClaimedElsewhere Reason = "domain_claimed_elsewhere"
	DomainNotAllowed       Reason = "domain_not_allowed"
	PackageUnknown         Reason = "package_unknown"
	AttributeInvalid       Reason = "attribute_invalid"
	AttributeTooLong       Reason = "attribute_too_long"
	NoAccount              Reason = "no_account"
	SSONotAllowed          Reason = "sso_not_allowed"
	AccountDeactivated     Reason = "account_deactivated"

	// Why a user of another organization cannot be claimed, beside those above.
	NobodyToClaim     Reason = "nobody_to_claim"
	DomainNotVerified Reason = "domain_not_verified"
	SyncedElsewhere   Reason = "synced_elsewhere"
	SSOElsewhere      Reason = "sso_elsewhere"
	ProtectedUser     Reason = "protected_user"
)

// Failure is the refusal of one person, in the form that every door shows. Texts come from the
// catalogue in package failure; this is what they are made of.
type Failure struct {
	Code    Code
	Reason  Reason
	Fields  []string // attribute names (userName, email ...); labels are for texts
	Package string   // for no_seat and package_unknown
	Domain  string   // for the reasons about domains
	Detail  string   // one sentence of fact in English: "also carried by CN=Ann,OU=..."; never a secret

	Org     string
	Source  string
	Subject string // user name or e-mail
	UserID  ID     // zero = there is none
	Ref     string // short id to quote: NewRef
	At      time.Time
}

// OpenItem is a failure that lasts: kept from the first time until the same person succeeds or an
// administrator dismisses it. There is one for each source, anchor and reason.
type OpenItem struct {
	Failure
	ID        ID // of the entry: another one when it is opened again
	Anchor    Anchor
	DN        string
	FirstSeen time.Time
	LastSeen  time.Time
	Count     int
	LastRun   ID
}

// Key is what a source is asked by for the person: the anchor where one is known, else the DN, else the name.
func (i *OpenItem) Key() string {
	if !i.Anchor.IsZero() {
		return i.Anchor.String()
	}
	return cmp.Or(i.DN, i.Subject)
}

const refAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ" // Crockford: no I, L, O, U

// NewRef makes the eight characters that a person can quote from what the failure is about: the same
// trouble of the same person has the same reference in each run, report and list.
func NewRef(about ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(about, "\x00")))
	var b [8]byte
	for i := range b {
		b[i] = refAlphabet[sum[i]&31]
	}
	return string(b[:4]) + "-" + string(b[4:])
}

// Waiter is a place on the waiting list of a package with the record to try again.
type Waiter struct {
	ID      ID // of the place; the list is in order of them
	Org     string
	Package string
	Source  string
	Record  *Record
	Since   time.Time
	Asked   time.Time // when the source has asked for the seat last
}

// Queued is a place on a waiting list with the open item about the person.
type Queued struct {
	Waiter
	Ref     string // of the item; "" = it was dismissed
	Subject string // how people know the person; "" as well then
	User    ID     // zero = there is no account
}

// ErrMoved is what Save answers for a change whose user, link or names are not any more what was
// decided on: decide again.
var ErrMoved = errors.New("the user has changed in the meantime")

// ErrNoSeat is what Save answers when the package has no free seat.
var ErrNoSeat = errors.New("no free seat")
