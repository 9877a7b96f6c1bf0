package console

import (
	"context"
	"time"
)

// Program is what the console asks the daemon that it belongs to. Its answers come from what the daemon knows: no other server is asked.
type Program interface {
	// Standing is how the daemon is, and what of an organization it looks after.
	Standing(ctx context.Context, org string) (Standing, error)
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
	Faults   []Fault
	Error    string // why it cannot be read; "" = it can be
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
