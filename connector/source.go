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

// SourceSettings is what the rules need to know of a source. How to reach it is the door's own
// configuration.
type SourceSettings struct {
	ID          string // unique in its organization, [a-z0-9-]
	Kind        SourceKind
	Package     string // given to users of this source when the mapping gives none; "" = the organization's
	Guard       Guard
	Protected   Protected
	FirstRun    FirstRun
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
	Min              int      `yaml:"min"`               // removals that are always allowed
	Percent          float64  `yaml:"percent"`           // of the source's users
	AttributePercent float64  `yaml:"attribute_percent"` // of the users, for one attribute that vanishes at once
	ExpiresAfter     Duration `yaml:"expires_after"`     // a hold nobody approved
}

// Protected names people whom no source may deactivate: by user name, e-mail, DN or anchor, or by
// membership of a group (a DN that the record's memberOf holds).
type Protected struct {
	Users  []string `yaml:"users,omitempty"`
	Groups []string `yaml:"groups,omitempty"`
}
