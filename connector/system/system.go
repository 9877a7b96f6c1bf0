// Package system has what a daemon says of itself, in the form in which its doors show it: how it is, the configuration in
// force against the file on disk, and the bundle of diagnostics; and the rule of who sees what of it, since one daemon has
// several customers. It never holds a secret, and asks nobody but the Program that it is given.
package system

import (
	"context"
	"io"
	"time"

	"usherd/connector"
)

// Program is what doors ask the daemon that they belong to. Its answers come from what the daemon knows: no other server is asked.
type Program interface {
	// Standing is how the daemon is, and what of an organization it looks after.
	Standing(ctx context.Context, org string) (Standing, error)
	// Health is how the daemon and its jobs are, as far as it is of all or of that organization.
	Health(ctx context.Context, org string) Health
	// Metrics writes all metrics of the daemon, in the form of Prometheus. They name no person.
	Metrics(w io.Writer) error
	// Configuration is the one in force.
	Configuration() Configuration
	// Differences are those between two revisions, without secrets; an error of Kind Invalid where a text has faults for this version.
	Differences(older, newer connector.Revision) ([]Difference, error)
}

// Health is how a daemon is.
type Health struct {
	Checks         []Check
	Replica        string
	Replicas       int    // that serve, as far as this one knows
	LeaderRevision string // of the leader's configuration, where it is another one
	Since          time.Time
	Jobs           []Job  // of one who leads
	Store          string // sqlite or postgres
	Go             string // the version
	LogLevel       string
}

// Check is one thing that has to be in order.
type Check struct {
	Name   string // store, configuration, lead, or a source
	Source bool
	OK     bool
	Took   time.Duration // 0 = nothing was asked
	Detail string        // why it is not
	Hint   string        // what helps
}

// Job is something that is done by itself.
type Job struct {
	Name, Source     string // one of both
	Last, Next       time.Time
	Running, Waiting bool
}

// Configuration is what is in force.
type Configuration struct {
	Path     string // of the file
	Revision string
	Loaded   time.Time
	Values   []Value // in the order of the file
}

// Value is one key of the configuration, or what it has where the file does not say. It never holds a secret.
type Value struct {
	Path string // organizations[acme].sources[office].guard.percent
	Text string
	Line int // 0 = it is the default
}

// Difference is one thing that another revision says otherwise.
type Difference struct {
	Kind          string // added, removed, changed
	Path          string // as of a Value
	Line          int    // in the newer text; in the older one when removed
	Before, After string
}

// Standing is how a daemon is.
type Standing struct {
	Leads       bool   // sources are read and mails sent by this one
	Leader      string // that does instead, "" = none is known
	Quarantined []string
	Next        map[string]time.Time // when a source is read next by itself; only of one who leads
	Disk        Disk
	Ends        []Ending // of certificates, soonest first
}

// Disk is the configuration file as it is now, against what is in force.
type Disk struct {
	Path     string
	Revision string // of the file; "" = it has faults, or cannot be read
	// Differences are those from what is in force.
	Differences []Difference
	Faults      []Fault
	Error       string // why it cannot be read; "" = it can be
}

// DiskState is how the file on disk is against what is in force.
type DiskState string

// The states of a file on disk.
const (
	DiskSame    DiskState = "same"
	DiskDiffers DiskState = "differs"
	DiskFaulty  DiskState = "faulty" // a reload would be refused
)

// Against compares the file with the revision in force.
func (d *Disk) Against(revision string) DiskState {
	switch {
	case d.Bad():
		return DiskFaulty
	case d.Revision == revision:
		return DiskSame
	}
	return DiskDiffers
}

// Bad reports whether a reload would be refused.
func (d *Disk) Bad() bool { return len(d.Faults) > 0 || d.Error != "" }

// Fault is one thing wrong with the file.
type Fault struct {
	File         string
	Line, Column int
	Path         string // the key
	Message      string
}

// Ending is a certificate that ends.
type Ending struct {
	Source string // whose it is; "" = ours
	Name   string
	Ends   time.Time
}
