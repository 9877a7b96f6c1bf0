package connector

import "time"

// Organization is one customer: its rules, packages and sources. Everything below belongs to
// exactly one. It comes from the configuration and does not change while a run goes on.
type Organization struct {
	ID        string // short name, [a-z0-9-], unique in the daemon
	Name      string
	PartnerID string // without one nobody can be created (31 partner_id_missing)
	Contact   Contact
	Languages []string // of its people, first is the default; tags of the catalogue (en, pt-BR, sv, pl)

	Required []string // attributes beyond userName, givenName, familyName and email
	Matching []string // attributes that find a user for an unlinked record, in order

	Approval                   bool // new users wait for an administrator
	SecondApprover             bool // what a run holds is carried out when two administrators have approved it
	InactiveHoldsSeat          bool
	ReevaluateOnDomainVerified bool
	DeleteAfter                time.Duration // an inactive user is deleted after this
	GoneDeleteAfter            time.Duration // one that is gone from its directory after this

	Application           string // address where people go on when their account is in order; "" = not known
	InviteNew             bool   // whoever becomes not_verified is sent an invitation at once
	DiscloseAccountStatus bool   // strangers are told whether an address has an account, and how it is

	// KeepRecords is how long what sources say is kept for replays; 0 = not at all.
	KeepRecords time.Duration

	Packages       []Package
	DefaultPackage string // for users whose source gives none; "" = no package, no seat

	Sources []SourceSettings // in priority order: the first source that has a value owns it
	// Templates are settings of those of the sources where people activate themselves.
	Templates []TemplateSettings
	// Owners names another order of sources for single attributes; a source not named follows after
	// those named, in the order of Sources.
	Owners map[string][]string
}

// Contact is whom people of the organization ask.
type Contact struct {
	// Name is a person or a desk.
	Name string `yaml:"name,omitempty" json:"name,omitempty"`
	// Email is an address for questions.
	Email string `yaml:"email,omitempty" json:"email,omitempty"`
	// Phone is a number, written as people dial it.
	Phone string `yaml:"phone,omitempty" json:"phone,omitempty"`
	// URL is a page with help, http or https.
	URL string `yaml:"url,omitempty" json:"url,omitempty"`
}

// IsZero reports whether the organization has given no contact.
func (c Contact) IsZero() bool { return c == Contact{} }

// Unlimited is the number of seats of a package that never runs out.
const Unlimited = -1

// Package is a kind of licence with a number of seats.
type Package struct {
	ID    string
	Name  string
	Seats int // or Unlimited
}

// SeatCount is the standing of one package at one moment.
type SeatCount struct {
	Package string `json:"package"`
	Name    string `json:"name"`
	Seats   int    `json:"seats"` // or Unlimited
	Used    int    `json:"used"`
	Waiting int    `json:"waiting"` // people on the waiting list
	// Needed is, of a run that reads a file, how many seats it asks for, those included that it does not get.
	Needed int `json:"needed,omitempty"`
}

// Free says how many seats can still be given; a large number for an unlimited package, 0 for an
// over-used one.
func (s SeatCount) Free() int {
	if s.Seats == Unlimited {
		return 1 << 30
	}
	return max(s.Seats-s.Used, 0)
}

// Package returns the package with that id.
func (o *Organization) Package(id string) (Package, bool) {
	for _, p := range o.Packages {
		if p.ID == id {
			return p, true
		}
	}
	return Package{}, false
}

// Bears reports whether tokens of a source open anything: of one that pushes or signs people in, and of the API, which is "".
func (o *Organization) Bears(source string) bool {
	s := o.Source(source)
	return source == "" || s != nil && (s.Kind == SCIM || s.Kind == SignIn)
}

// Source returns the settings of the source with that id, or nil.
func (o *Organization) Source(id string) *SourceSettings {
	for i := range o.Sources {
		if o.Sources[i].ID == id {
			return &o.Sources[i]
		}
	}
	return nil
}
