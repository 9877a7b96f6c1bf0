package connector

// SourceKind says which door a record came through; it decides the first state of a new user.
type SourceKind string

// The doors of domain.md.
const (
	Directory     SourceKind = "directory"     // AD or LDAP, read on schedule
	SCIM          SourceKind = "scim"          // an identity provider pushing
	SignIn        SourceKind = "sso"           // SAML sign-in that may create the account
	Template      SourceKind = "template"      // self-activation
	SiteLink      SourceKind = "site_link"     // bulk take-over of an existing site's users
	Import        SourceKind = "import"        // users brought by an administrator from a file
	Administrator SourceKind = "administrator" // a person at the console, CLI or API
)

// Hasher returns a new Hasher for the records of the source.
func (s *SourceSettings) Hasher() Hasher {
	return Hasher{Seed: s.Fingerprint, Placeless: s.Kind.Brought()}
}

// Brought reports whether the source is a file that an administrator hands in: it is read by a run, and says nothing of
// people who do not stand in it.
func (k SourceKind) Brought() bool { return k == Import || k == SiteLink }

// SourceSettings is what the rules need to know of a source. How to reach it is the door's own
// configuration.
type SourceSettings struct {
	ID        string // unique in its organization, [a-z0-9-]
	Kind      SourceKind
	Package   string // given to users of this source when the mapping gives none; "" = the organization's
	Guard     Guard
	Protected Protected
	FirstRun  FirstRun
	Groups    bool // its groups are synced
	// RenamesFollow says that the server itself writes another DN into the lists of all groups when one of
	// their members is renamed, without a change of the groups: Active Directory does. Elsewhere lists keep
	// what was written into them.
	RenamesFollow bool
	// OnlyKnown says that signing in creates nobody (Kind SignIn): whoever is unknown is refused.
	OnlyKnown bool
	// Approval makes those wait for an administrator whom this source creates, beside the organization's own.
	Approval bool
	// Domains are those that the addresses of its people may have, subdomains included (ASCII form); none = any.
	Domains     []string
	Fingerprint Hash // of everything that decides who is in scope and how a record is mapped
}

// FirstRun says whether a first run, or the first after scope, filter or mapping changed, is held for
// a look before it is applied.
type FirstRun string

// The two ways.
const (
	FirstRunPreview FirstRun = "preview"
	FirstRunApply   FirstRun = "apply"
)

// Guard bounds what one run may take away without a person's approval.
type Guard struct {
	// Min is the number of removals that are always allowed; default 10.
	Min int `yaml:"min"`
	// Percent is the share of the source's users whose removals are allowed; default 5.
	Percent float64 `yaml:"percent"`
	// AttributePercent is the share of users in whom one attribute may vanish or change at once; default 50.
	AttributePercent float64 `yaml:"attribute_percent"`
	// ExpiresAfter is how long a held run waits for approval; default 1d.
	ExpiresAfter Duration `yaml:"expires_after"`
}

// Protected names people whom no source may deactivate: by user name, e-mail, DN or anchor, or by
// membership of a group (a DN that the record's memberOf holds).
type Protected struct {
	// Users are user names, e-mail addresses, DNs or anchors.
	Users []string `yaml:"users,omitempty"`
	// Groups are DNs of groups whose members are protected.
	Groups []string `yaml:"groups,omitempty"`
}
