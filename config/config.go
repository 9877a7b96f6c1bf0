package config

import (
	"usherd/connector"
	"usherd/connector/mapping"
	"usherd/connector/schedule"
	"usherd/ldapsync"
)

// Config is the whole file.
type Config struct {
	// Listen is where health, readiness and metrics are served; default 127.0.0.1:9470.
	Listen string `yaml:"listen,omitempty"`
	// Store is the URL of the database: sqlite:PATH.
	Store         string         `yaml:"store"`
	Log           Log            `yaml:"log,omitempty"`
	DNS           DNS            `yaml:"dns,omitempty"`
	Organizations []Organization `yaml:"organizations"`
}

// Log says how much is told and in which form.
type Log struct {
	Level  string `yaml:"level,omitempty"`  // debug, info, warn, error; default info
	Format string `yaml:"format,omitempty"` // json, text, auto (text on a terminal); default auto
}

// DNS is the resolver that proves domains and finds servers.
type DNS struct {
	Resolver string `yaml:"resolver,omitempty"` // host:port; default is the machine's
}

// Organization is one customer.
type Organization struct {
	ID        string            `yaml:"id"`
	Name      string            `yaml:"name,omitempty"`
	PartnerID string            `yaml:"partner_id,omitempty"`
	Contact   connector.Contact `yaml:"contact,omitempty"`
	Languages []string          `yaml:"languages,omitempty"`

	Required []string `yaml:"required,omitempty"`
	Matching []string `yaml:"matching,omitempty"`

	Approval                   bool               `yaml:"approval,omitempty"`
	InactiveHoldsSeat          bool               `yaml:"inactive_holds_seat,omitempty"`
	ReevaluateOnDomainVerified *bool              `yaml:"reevaluate_on_domain_verified,omitempty"` // default true
	DeleteAfter                connector.Duration `yaml:"delete_after,omitempty"`                  // default 30d
	GoneDeleteAfter            connector.Duration `yaml:"gone_delete_after,omitempty"`             // default 7d

	Packages []Package `yaml:"packages,omitempty"`
	Package  string    `yaml:"package,omitempty"` // of users whose source gives none

	Owners  map[string][]string `yaml:"owners,omitempty"`
	Sources []Source            `yaml:"sources,omitempty"`
}

// Package is a kind of licence.
type Package struct {
	ID    string `yaml:"id"`
	Name  string `yaml:"name,omitempty"`
	Seats Seats  `yaml:"seats"`
}

// Seats is a number, or the word "unlimited" (connector.Unlimited).
type Seats int

// Source is a directory with its mapping, schedule and safety rules.
type Source struct {
	ID        string              `yaml:"id"`
	Package   string              `yaml:"package,omitempty"`
	Directory ldapsync.Config     `yaml:"directory"`
	Mapping   mapping.Config      `yaml:"mapping,omitempty"`
	Schedule  schedule.Config     `yaml:"schedule,omitempty"`
	FirstRun  connector.FirstRun  `yaml:"first_run,omitempty"` // default preview
	Guard     *connector.Guard    `yaml:"guard,omitempty"`
	Protected connector.Protected `yaml:"protected,omitempty"`
}
