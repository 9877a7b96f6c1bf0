package provision

import (
	"sync"
	"time"

	"usherd/connector"
	"usherd/connector/mapping"
)

// Options are what a Provisioner works with.
type Options struct {
	Store    connector.Store
	Org      *connector.Organization
	Mappings map[string]*mapping.Mapping // by source; each source that hands in records has one
	Now      func() time.Time
	// SpoolDir is where plans wait between computing and applying; "" is the system's temp folder.
	SpoolDir string
	// Process names this process in leases, such as "host:4711"; Dead says of such a name that its
	// process has certainly ended, so that a run that was killed does not block its source until
	// its lease expires. Both may be left out.
	Process string
	Dead    func(process string) bool
}

// Provisioner decides and writes the people of one organization. Its settings never change: a new
// configuration makes a new Provisioner. All methods are safe for concurrent use.
type Provisioner struct {
	o       Options
	claims  *Claims   // between this organization and the others; nil = there are no others. Set by NewClaims
	packers sync.Pool // of *connector.RecordPacker
}

// New returns a Provisioner.
func New(o Options) *Provisioner { return &Provisioner{o: o} }

// source returns the settings of a source that the organization has.
func (p *Provisioner) source(id string) (*connector.SourceSettings, *mapping.Mapping, error) {
	src, m := p.o.Org.Source(id), p.o.Mappings[id]
	if src == nil || m == nil {
		return nil, nil, noSource(id)
	}
	return src, m, nil
}
