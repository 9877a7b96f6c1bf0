package connector

import "time"

// MailKind says what a mail is about, and so which text it has.
type MailKind string

// The kinds of mails. AccountMail is what somebody who gave an address to the page of deactivated accounts is owed, AskedMail
// what somebody is who gave one to the page of a template: what it says, and whether there is one at all, is decided after the
// person was answered.
const (
	InvitationMail  MailKind = "invitation"          // prove your address; carries a link
	ActivationMail  MailKind = "activation"          // prove your address, and activate; carries a link
	AccountMail     MailKind = "account"             // not decided yet: becomes one of the others, or nothing
	AskedMail       MailKind = "activation_asked"    // the same of who wants to activate: becomes an ActivationMail, or nothing
	DeactivatedMail MailKind = "account_deactivated" // 18: your account has been deactivated
	ReadyMail       MailKind = "account_ready"       // your account is in order: sign in
	PendingMail     MailKind = "account_pending"     // an administrator has to approve the account first
	RejectedMail    MailKind = "account_rejected"    // an administrator has refused the account; Values has the reason

	// Mails about claims; About is the claim. Values are "old", the name of the organization that had the account, "until",
	// the last day in the form 2006-01-02, and "days", how many are left.
	ClaimMail         MailKind = "claim"          // another organization has claimed the account; carries a link
	ClaimReminderMail MailKind = "claim_reminder" // the same, again; carries that link
	ClaimDoneMail     MailKind = "claim_done"     // what became of the old account: Values has "choice" too, and "kept", the other address
	ClaimKeepMail     MailKind = "claim_keep"     // to the other address: prove it; carries a link. Values has "email", the claimed address
	// ClaimCancelledMail is of the organization that had the account, and has it again: "old" is the one that had claimed it.
	ClaimCancelledMail MailKind = "claim_cancelled"

	// ReportMail tells an administrator of notices, which stand as JSON in the value "notices"; "more" is how many more there are.
	ReportMail MailKind = "report"
)

// MailState is how far a mail in the outbox has come.
type MailState string

// The states of a mail. MailFailed is one that is not tried again by itself.
const (
	MailAsked   MailState = "asked" // somebody has asked: what it says, if anything, is not decided yet
	MailWaiting MailState = "waiting"
	MailSent    MailState = "sent"
	MailFailed  MailState = "failed"
)

// MailStates are all of them, in the order in which they are shown.
func MailStates() []MailState { return []MailState{MailAsked, MailWaiting, MailFailed, MailSent} }

// Mail is a mail in the outbox. It is written in the transaction of the decision that causes it, and holds what the text is
// made of when it is sent, not the text. No secret stands in it: the link is named by its id.
type Mail struct {
	ID       ID // made when it was written, so that ids grow with time; the Message-ID is made of it
	Org      string
	Kind     MailKind
	To       string // the bare address
	Language string // of the text, "" = the organization's first
	// About is whom or what it is about: a user, a subscriber, a claim. Zero = nobody who is known.
	About  ID
	Values map[string]string // what the text of its kind has places for
	Link   ID                // of a MailLink that the text holds; zero = none

	State    MailState
	At       time.Time // when it was written
	Next     time.Time // when it is tried; of one that is waiting
	Attempts int
	Code     int       // what the mail server answered last, 250 or 550; 0 = it did not answer
	Answer   string    // the words of the server, or of the fault on the way to it; "" before the first attempt
	DoneAt   time.Time // when it was sent, or given up
}

// Undecided reports whether it is decided later what a mail of this kind says: it is written as MailAsked.
func (k MailKind) Undecided() bool { return k == AccountMail || k == AskedMail }

// MailQuery chooses mails of an organization's outbox, latest first; the other fields, where they are empty, choose all.
type MailQuery struct {
	Org    string
	State  MailState
	To     string // the address, compared by Fold
	Before ID     // only older ones than this; zero = from the latest on
	Limit  int    // at most 1,000, which is also what 0 means
}
