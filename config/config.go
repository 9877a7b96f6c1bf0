package config

import (
	"usherd/connector"
	"usherd/connector/mapping"
	"usherd/connector/notify"
	"usherd/connector/schedule"
	"usherd/ldapsync"
)

// The comments of the fields below, and of the types that they hold, are the reference that
// administrators read: REFERENCE.md and the descriptions in schema.json are made of them.

// Config is the whole file. Values left out are filled in with their defaults when it is loaded.
type Config struct {
	// Listen is host:port where health, readiness and metrics are served; default 127.0.0.1:9470.
	Listen string `yaml:"listen,omitempty"`
	// Store is the URL of the database: sqlite:PATH, or postgres://USER@HOST:5432/DATABASE?sslmode=verify-full with
	// several hosts where there are standbys. It changes with a restart only.
	Store string `yaml:"store"`
	// StorePassword is the password for PostgreSQL; default what the file says that PGPASSFILE names.
	StorePassword connector.Secret `yaml:"store_password,omitempty"`
	// Log says how much is told and in which form.
	Log Log `yaml:"log,omitempty"`
	// DNS is the resolver that proves domains and finds servers.
	DNS DNS `yaml:"dns,omitempty"`
	// SCIM is the door where identity providers push users and groups. Left out, there is none. It changes with a
	// restart only.
	SCIM *SCIM `yaml:"scim,omitempty"`
	// SSO is the door where people sign in by SAML 2.0. Left out, there is none. It changes with a restart only.
	SSO *SSO `yaml:"sso,omitempty"`
	// API is the door of programs: users, sign-ins, approvals, failures and runs, by tokens. Left out, there is none. It
	// changes with a restart only.
	API *Door `yaml:"api,omitempty"`
	// Portal is the door of people who have a link from a mail: pages without sign-in. Left out, there is none. It
	// changes with a restart only.
	Portal *Door `yaml:"portal,omitempty"`
	// Console is the door of administrators: pages on which they see what happened, decide and act. Left out, there is none. It
	// changes with a restart only, but for admins and oidc.
	Console *Console `yaml:"console,omitempty"`
	// Mail is the server that takes mails: invitations, and answers to people who ask how their account is. Left out,
	// mails wait in the outbox.
	Mail *notify.Config `yaml:"mail,omitempty"`
	// Reports says which administrators are told of what happens without their asking, by mail or webhook. Left out, nobody is.
	Reports *Reports `yaml:"reports,omitempty"`
	// Organizations are the customers; each has its own rules, packages, sources and users.
	Organizations []Organization `yaml:"organizations"`
}

// Log says how much is told and in which form.
type Log struct {
	// Level is the least important thing that is told; default info.
	Level string `yaml:"level,omitempty"`
	// Format is json, text, or auto (text on a terminal); default auto.
	Format string `yaml:"format,omitempty"`
}

// DNS is the resolver that proves domains and finds servers.
type DNS struct {
	// Resolver is host:port of the name server to ask; default the machine's.
	Resolver string `yaml:"resolver,omitempty"`
}

// Organization is one customer.
type Organization struct {
	// ID is a short name, unique in the file, that commands, reports and metrics use. Never change it: the
	// users are stored under it.
	ID string `yaml:"id"`
	// Name is how people know it; default the id.
	Name string `yaml:"name,omitempty"`
	// PartnerID is the number of the contract. Without one nobody can be created (failure 31
	// partner_id_missing).
	PartnerID string `yaml:"partner_id,omitempty"`
	// Contact is whom people ask when their account was refused or deactivated.
	Contact connector.Contact `yaml:"contact,omitempty"`
	// Languages are those of its people; the first is used where nothing is known of the person. Default en.
	Languages []string `yaml:"languages,omitempty"`

	// Application is the address where people go on when their account is in order: pages and mails lead there.
	Application string `yaml:"application,omitempty"`
	// Invite says whether whoever becomes not_verified is sent an invitation at once (auto), or only when somebody says so
	// (manual): usherd invite. A first run can create thousands, so the default is manual.
	Invite string `yaml:"invite,omitempty"`
	// DiscloseAccountStatus tells strangers at once whether an address has an account, and how it is. Without it they get the
	// same answer for every address, and its owner a mail; default false.
	DiscloseAccountStatus bool `yaml:"disclose_account_status,omitempty"`

	// Required are attributes that everybody must have, beyond userName, givenName, familyName and email.
	Required []string `yaml:"required,omitempty"`
	// Matching are attributes that find the user of somebody whom the source has not brought before, in
	// this order; default email, userName.
	Matching []string `yaml:"matching,omitempty"`

	// Approval makes new users wait until an administrator approves; default false.
	Approval bool `yaml:"approval,omitempty"`
	// SecondApprover asks for two administrators to approve what a run holds: the first is noted, another one
	// carries it out; default false.
	SecondApprover bool `yaml:"second_approver,omitempty"`
	// InactiveHoldsSeat keeps the seat of a user who is deactivated; default false.
	InactiveHoldsSeat bool `yaml:"inactive_holds_seat,omitempty"`
	// ReevaluateOnDomainVerified makes users verified when the domain of their address becomes so;
	// default true.
	ReevaluateOnDomainVerified *bool `yaml:"reevaluate_on_domain_verified,omitempty"`
	// DeleteAfter is how long a user stays deactivated before it is deleted; default 30d.
	DeleteAfter connector.Duration `yaml:"delete_after,omitempty"`
	// GoneDeleteAfter is the same for a user who is gone from the directory; default 7d.
	GoneDeleteAfter connector.Duration `yaml:"gone_delete_after,omitempty"`

	// Records says how long what the sources have said is kept, so that another configuration can be tried on
	// it: usherd plan --replay.
	Records Records `yaml:"records,omitempty"`

	// Packages are the kinds of licences with their seats.
	Packages []Package `yaml:"packages,omitempty"`
	// Package is the id of the package for users whose mapping and source give none; default none, which
	// takes no seat.
	Package string `yaml:"package,omitempty"`

	// Owners names another order of sources for single attributes: the first source with a value owns it.
	// The others follow in the order of sources.
	Owners map[string][]string `yaml:"owners,omitempty"`
	// Sources are where people come from, the most trusted first.
	Sources []Source `yaml:"sources,omitempty"`
	// Templates are how people activate themselves whom an upstream system announces: usherd subscribers. Each is a source
	// too, behind all others.
	Templates []Template `yaml:"templates,omitempty"`
}

// Records says how long what the sources have said is kept.
type Records struct {
	// Keep is how long everything is kept; of what is older, only the last record of each person with an
	// account. Records hold the attributes that the mapping reads, and nothing else. 0 keeps none; default 30d.
	Keep connector.Duration `yaml:"keep,omitempty"`
}

// Package is a kind of licence.
type Package struct {
	// ID is a short name, unique in the organization. Never change it: users hold seats under it.
	ID string `yaml:"id"`
	// Name is how people know it; default the id.
	Name string `yaml:"name,omitempty"`
	// Seats is how many users may hold it; never exceeded.
	Seats Seats `yaml:"seats"`
}

// Seats is a number, or the word "unlimited" (connector.Unlimited).
type Seats int

// Source is a directory with its mapping, schedule and safety rules, an identity provider that pushes by SCIM, one where
// people sign in by SAML, or files by which the users of an existing site are taken over.
type Source struct {
	// ID is a short name, unique in the organization. Never change it: users are linked under it, and tokens are
	// given out for it.
	ID string `yaml:"id"`
	// Package is the id of the package for users of this source whose mapping gives none; default the
	// organization's.
	Package string `yaml:"package,omitempty"`
	// GroupPackages give packages to the members of groups, nested ones included, whose mapping gives none: the
	// first of these groups that a person is in counts.
	GroupPackages []connector.GroupPackage `yaml:"group_packages,omitempty"`
	// Directory says how the directory is reached and who in it is meant. A source has this, scim, saml, import or site_link.
	Directory ldapsync.Config `yaml:"directory,omitempty"`
	// SCIM says how the identity provider may push. Write scim: {} when all its defaults are right.
	SCIM *Push `yaml:"scim,omitempty"`
	// SAML says how people sign in at the identity provider.
	SAML *SAML `yaml:"saml,omitempty"`
	// Import says how CSV files are read by which an administrator brings people: usherd import. Their place in the list
	// decides, as that of any source, which attributes they own. Write import: {} when all its defaults are right.
	Import *Import `yaml:"import,omitempty"`
	// SiteLink is the same for the users of an existing site whom that site has proven: new ones are verified at once,
	// whatever the domain of their address.
	SiteLink *Import `yaml:"site_link,omitempty"`
	// Mapping makes profiles of what the directory says; default the preset of the directory's type. With scim it
	// has a rule for package at most: the identity provider has a mapping of its own. With saml the preset knows the
	// usual names of attributes, and with import and site_link the columns of a file are called as attributes are.
	Mapping mapping.Config `yaml:"mapping,omitempty"`
	// Schedule says when the source is read; default never by itself.
	Schedule schedule.Config `yaml:"schedule,omitempty"`
	// ChangesEvery is how often the directory is asked only for what has changed, between the full reads of the
	// schedule; default never.
	ChangesEvery connector.Duration `yaml:"changes_every,omitempty"`
	// Live follows the directory: changes are applied as they happen, and full reads by the schedule find what
	// it may have missed; default false.
	Live bool `yaml:"live,omitempty"`
	// FirstRun says whether the first run, and the first after scope, filter or mapping changed, waits for a
	// look; default preview.
	FirstRun connector.FirstRun `yaml:"first_run,omitempty"`
	// Guard bounds what one run may take away without approval.
	Guard *connector.Guard `yaml:"guard,omitempty"`
	// Protected are people whom no source deactivates.
	Protected connector.Protected `yaml:"protected,omitempty"`
}
