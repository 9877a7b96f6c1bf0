package failure

import (
	"slices"

	"usherd/connector"
)

// The reasons of failures at the level of the assertion; each belongs to one code.
const (
	ProtocolError             connector.Reason = "protocol_error"
	UserNameMissing           connector.Reason = "user_name_missing"
	CertificateNotConfigured  connector.Reason = "certificate_not_configured"
	OnlyPostSupported         connector.Reason = "only_post_supported"
	PostDataIncorrect         connector.Reason = "post_data_incorrect"
	CertificateMismatch       connector.Reason = "certificate_mismatch"
	ConfigurationUnavailable  connector.Reason = "configuration_unavailable"
	NameQualifierMismatch     connector.Reason = "name_qualifier_mismatch"
	IDPUnreachable            connector.Reason = "idp_unreachable"
	ArtifactNotResolved       connector.Reason = "artifact_not_resolved"
	AssertionInvalid          connector.Reason = "assertion_invalid"
	WrongRecipient            connector.Reason = "wrong_recipient"
	CertificateExpired        connector.Reason = "certificate_expired"
	AccountLocked             connector.Reason = "account_locked"
	AccountExpired            connector.Reason = "account_expired"
	AssertionExpired          connector.Reason = "assertion_expired"
	AssertionUnsigned         connector.Reason = "assertion_unsigned"
	RoleNotAllowed            connector.Reason = "role_not_allowed"
	SecurityTokenInvalid      connector.Reason = "security_token_invalid"
	SignatureInvalid          connector.Reason = "signature_invalid"
	IssuerUntrusted           connector.Reason = "issuer_untrusted"
	NameIDFormatWrong         connector.Reason = "name_id_format_wrong"
	AuthnRequestNotGenerated  connector.Reason = "authn_request_not_generated"
	LogoutRequestNotGenerated connector.Reason = "logout_request_not_generated"
	InResponseToMismatch      connector.Reason = "in_response_to_mismatch"
	ResponseInvalid           connector.Reason = "response_invalid"
	RequestInvalid            connector.Reason = "request_invalid"
)

// own says that a reason has a message of its own; the others share one, because for the person
// they come to the same.
const (
	own   = ""
	setup = "message.setup"
	again = "message.again"
)

type reasonOf struct {
	code    connector.Code
	reason  connector.Reason
	message string
}

// assertionReasons are codes 1 to 30: each has one reason.
var assertionReasons = []reasonOf{
	{1, ProtocolError, setup},
	{2, UserNameMissing, setup},
	{connector.CodeNoAccount, connector.NoAccount, own},
	{4, CertificateNotConfigured, setup},
	{5, OnlyPostSupported, setup},
	{6, PostDataIncorrect, setup},
	{connector.CodeSSONot, connector.SSONotAllowed, own},
	{8, CertificateMismatch, setup},
	{9, ConfigurationUnavailable, setup},
	{10, NameQualifierMismatch, setup},
	{11, IDPUnreachable, own},
	{12, ArtifactNotResolved, again},
	{13, AssertionInvalid, again},
	{14, WrongRecipient, setup},
	{15, CertificateExpired, setup},
	{16, AccountLocked, own},
	{17, AccountExpired, own},
	{connector.CodeDeactivated, connector.AccountDeactivated, own},
	{19, AssertionExpired, again},
	{20, AssertionUnsigned, setup},
	{21, RoleNotAllowed, own},
	{22, SecurityTokenInvalid, setup},
	{23, SignatureInvalid, setup},
	{24, IssuerUntrusted, setup},
	{25, NameIDFormatWrong, setup},
	{26, AuthnRequestNotGenerated, setup},
	{27, LogoutRequestNotGenerated, own},
	{28, InResponseToMismatch, again},
	{29, ResponseInvalid, setup},
	{30, RequestInvalid, setup},
}

// signInOnly are reasons of 31 that an update cannot have.
var signInOnly = []connector.Reason{connector.AccountInactive, connector.AccountPendingApproval, connector.AccountNotVerified}

// claimOnly are reasons of 31 why a user of another organization cannot be claimed.
var claimOnly = []connector.Reason{
	connector.NobodyToClaim, connector.DomainNotVerified, connector.SyncedElsewhere, connector.SSOElsewhere, connector.ProtectedUser,
}

// bothReasons are those of 31 and of 32.
var bothReasons = []connector.Reason{
	connector.PartnerIDMissing, connector.RequiredMissing, connector.NoSeat, connector.MemberStatusPresent,
	connector.EmailInvalid, connector.UserNameTaken, connector.EmailTaken, connector.AmbiguousMatch,
	connector.DomainClaimedElsewhere, connector.DomainNotAllowed, connector.PackageUnknown,
	connector.AttributeInvalid, connector.AttributeTooLong,
}

// Reasons returns the reasons of a code, the most usual first; none for a code that does not exist.
func Reasons(code connector.Code) []connector.Reason {
	if code == connector.CodeCreation {
		return slices.Concat(signInOnly, bothReasons, claimOnly)
	}
	if code == connector.CodeUpdate {
		return append([]connector.Reason(nil), bothReasons...)
	}
	for _, r := range assertionReasons {
		if r.code == code {
			return []connector.Reason{r.reason}
		}
	}
	return nil
}

// SignInFailure returns the failure of an assertion-level code with its one reason; who, where and when
// are for the caller to fill in. The reason is empty for 31, 32 and codes that do not exist.
func SignInFailure(code connector.Code) connector.Failure {
	f := connector.Failure{Code: code}
	for _, r := range assertionReasons {
		if r.code == code {
			f.Reason = r.reason
		}
	}
	return f
}

// sharedMessage returns the key of a message that the reason shares with others, or "".
func sharedMessage(reason connector.Reason) string {
	for _, r := range assertionReasons {
		if r.reason == reason {
			return r.message
		}
	}
	return own
}

// lastCode is the highest code there is.
const lastCode = connector.CodeUpdate

// The steps of the two checklists of code 31, in order; Text.Never and Text.Before follow them, so that a
// page can put its link beside each.
var (
	neverSteps  = []string{"seats", "approvals", "required", "member_status", "partner_id"}
	beforeSteps = []string{"inactive", "search", "activate"}
)

// ChecklistSteps returns the names of the steps of the two checklists, in the order of Text.Never and
// Text.Before.
func ChecklistSteps() (never, before []string) {
	return append([]string(nil), neverSteps...), append([]string(nil), beforeSteps...)
}
