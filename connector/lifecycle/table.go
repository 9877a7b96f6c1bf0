package lifecycle

import "usherd/connector"

// row is a line of the table. An empty to means refused.
type row struct {
	from    []connector.State
	signals []Signal
	when    condition
	to      connector.State
}

// stays in place of a state means that the signal is accepted and changes nothing.
const stays connector.State = "="

type condition struct {
	text  string
	holds func(*Facts) bool
}

func (f *Facts) seenInProvenDomain() bool { return f.Kind == connector.Directory && f.DomainVerified }

var (
	always = condition{"", func(*Facts) bool { return true }}

	domainVerified = condition{"domain verified", func(f *Facts) bool { return f.DomainVerified }}
	directoryOfOne = condition{"from a directory, domain verified", (*Facts).seenInProvenDomain}
	notDirectory   = condition{"not from a directory", func(f *Facts) bool { return f.Kind != connector.Directory }}
	addressProven  = condition{"from a template or a site link", func(f *Facts) bool {
		return f.Kind == connector.Template || f.Kind == connector.SiteLink
	}}

	approvalPending = condition{"approval pending", func(f *Facts) bool { return f.PendingApproval }}
	claimOpen       = condition{"taken over, not yet decided", func(f *Facts) bool { return f.From != "" && f.ClaimOpen }}
	wasActive       = condition{"taken over, was active", func(f *Facts) bool { return f.From == connector.Active }}
	wasVerified     = condition{"taken over, was verified", func(f *Facts) bool { return f.From == connector.Verified }}
	wasSomething    = condition{"taken over, domain verified", func(f *Facts) bool { return f.From != "" && f.DomainVerified }}
	wasUnproven     = condition{"taken over, domain not verified", func(f *Facts) bool { return f.From != "" }}

	hadClaim    = condition{"was claim_pending", func(f *Facts) bool { return f.Resume == connector.ClaimPending }}
	hadActive   = condition{"was active", func(f *Facts) bool { return f.Resume == connector.Active }}
	hadVerified = condition{"was verified", func(f *Facts) bool { return f.Resume == connector.Verified }}
	hadNoProof  = condition{"was not_verified", func(f *Facts) bool { return f.Resume == connector.NotVerified }}
)

// Sets of states that rows begin from.
var (
	nobody      = []connector.State{""}
	notVerified = []connector.State{connector.NotVerified}
	verified    = []connector.State{connector.Verified}
	inactive    = []connector.State{connector.Inactive}
	pending     = []connector.State{connector.ClaimPending}
	unused      = []connector.State{connector.NotVerified, connector.Verified}
	proven      = []connector.State{connector.Verified, connector.Active}
	firstOrLast = []connector.State{connector.NotVerified, connector.Active}
	deleted     = []connector.State{connector.Deleted}
	inUse       = []connector.State{connector.Active, connector.ClaimPending}
	switchedOn  = []connector.State{connector.NotVerified, connector.Verified, connector.Active, connector.ClaimPending}
)

func on(s ...Signal) []Signal { return s }

// table is domain.md section 2, read from the top: the first row that fits counts.
var table = []row{
	{nobody, on(Created), claimOpen, connector.ClaimPending},
	{nobody, on(Created), wasActive, connector.Active},
	{nobody, on(Created), wasVerified, connector.Verified},
	{nobody, on(Created), wasSomething, connector.Verified},
	{nobody, on(Created), wasUnproven, connector.NotVerified},
	{nobody, on(Created), directoryOfOne, connector.Active},
	{nobody, on(Created), addressProven, connector.Verified},
	{nobody, on(Created), domainVerified, connector.Verified},
	{nobody, on(Created), always, connector.NotVerified},

	{notVerified, on(EmailProven), always, connector.Verified},
	{unused, on(DirectorySeen), domainVerified, connector.Active},
	{notVerified, on(DomainVerified), notDirectory, connector.Verified},

	{switchedOn, on(SignIn), approvalPending, ""},
	{verified, on(SignIn), always, connector.Active},
	{inUse, on(SignIn), always, stays},
	{notVerified, on(SignIn), always, ""},
	{inactive, on(SignIn), always, ""},

	{switchedOn, on(Deactivate), always, connector.Inactive},
	{inactive, on(Reactivate), hadClaim, connector.ClaimPending},
	{inactive, on(Reactivate), hadActive, connector.Active},
	{inactive, on(Reactivate), directoryOfOne, connector.Active},
	{inactive, on(Reactivate), hadVerified, connector.Verified},
	{inactive, on(Reactivate), domainVerified, connector.Verified},
	{inactive, on(Reactivate), always, connector.NotVerified},

	{switchedOn, on(ClaimedElsewhere), always, connector.ConvertedAway},
	{pending, on(ClaimDecided, ClaimExpired), wasActive, connector.Active},
	{pending, on(ClaimDecided, ClaimExpired), wasVerified, connector.Verified},
	{pending, on(ClaimDecided, ClaimExpired), domainVerified, connector.Verified},
	{pending, on(ClaimDecided, ClaimExpired), always, connector.NotVerified},

	{inactive, on(GraceOver, Delete), always, connector.Deleted},

	{unused, on(RolledBack), hadActive, connector.Active},
	{firstOrLast, on(RolledBack), hadVerified, connector.Verified},
	{proven, on(RolledBack), hadNoProof, connector.NotVerified},
	{deleted, on(RolledBack), always, connector.Inactive},
}
