package config

import (
	"crypto/sha256"
	"fmt"
	"time"

	"usherd/connector"
	"usherd/connector/mapping"
	"usherd/connector/policy"
	"usherd/connector/schedule"
	"usherd/ldapsync"
)

// Runtime is one organization with everything compiled.
type Runtime struct {
	Org         *connector.Organization
	Mappings    map[string]*mapping.Mapping // by source
	Directories map[string]*Directory
	Schedules   map[string]*schedule.Schedule // only sources that have one

	path string
}

// Directory is how to reach and read a source.
type Directory struct {
	Config     ldapsync.Config
	Attributes []string // that its mapping reads
	Protected  connector.Protected
}

func (v *validator) runtime(o *Organization, path string) *Runtime {
	r := &Runtime{
		Org: organization(o), Mappings: map[string]*mapping.Mapping{}, Directories: map[string]*Directory{},
		Schedules: map[string]*schedule.Schedule{}, path: path,
	}
	for i := range o.Sources {
		v.source(r, &o.Sources[i], index(join(path, "sources"), i))
	}
	return r
}

func organization(o *Organization) *connector.Organization {
	org := &connector.Organization{
		ID: o.ID, Name: o.Name, PartnerID: o.PartnerID, Contact: o.Contact, Languages: o.Languages,
		Required: o.Required, Matching: o.Matching, Approval: o.Approval, InactiveHoldsSeat: o.InactiveHoldsSeat,
		ReevaluateOnDomainVerified: o.ReevaluateOnDomainVerified == nil || *o.ReevaluateOnDomainVerified,
		DeleteAfter:                time.Duration(o.DeleteAfter), GoneDeleteAfter: time.Duration(o.GoneDeleteAfter),
		DefaultPackage: o.Package, Owners: o.Owners,
	}
	if org.Name == "" {
		org.Name = o.ID
	}
	for _, p := range o.Packages {
		org.Packages = append(org.Packages, connector.Package{ID: p.ID, Name: p.Name, Seats: int(p.Seats)})
	}
	return org
}

func (v *validator) source(r *Runtime, s *Source, path string) {
	v.oneOf(join(path, "first_run"), string(s.FirstRun), string(connector.FirstRunPreview), string(connector.FirstRunApply))
	guard := policy.DefaultGuard()
	if s.Guard != nil {
		guard = v.mergeGuard(s.Guard, guard, join(path, "guard"))
	}
	v.files(&s.Directory)
	v.take(join(path, "directory"), s.Directory.Validate())
	if s.Mapping.Preset == "" {
		s.Mapping.Preset = preset(s.Directory.Type)
	}
	m, faults := mapping.Compile(s.Mapping)
	v.take(join(path, "mapping"), faults)
	times, faults := schedule.Parse(s.Schedule)
	v.take(join(path, "schedule"), faults)
	if len(v.faults) > 0 {
		return
	}
	settings := connector.SourceSettings{
		ID: s.ID, Kind: connector.Directory, Package: s.Package, Guard: guard, Protected: s.Protected,
		FirstRun: s.FirstRun, Fingerprint: fingerprint(s, m),
	}
	if settings.FirstRun == "" {
		settings.FirstRun = connector.FirstRunPreview
	}
	r.Org.Sources = append(r.Org.Sources, settings)
	r.Mappings[s.ID] = m
	r.Directories[s.ID] = &Directory{s.Directory, m.Attributes(), s.Protected}
	if s.Schedule.Cron != "" {
		r.Schedules[s.ID] = times
	}
}

// mergeGuard takes from the file what stands there, and the rest from the defaults.
func (v *validator) mergeGuard(given *connector.Guard, guard connector.Guard, path string) connector.Guard {
	v.guard(given, path)
	has := func(key string) bool { return v.nodes[join(path, key)] != nil }
	if has("min") {
		guard.Min = given.Min
	}
	if has("percent") {
		guard.Percent = given.Percent
	}
	if has("attribute_percent") {
		guard.AttributePercent = given.AttributePercent
	}
	if given.ExpiresAfter > 0 {
		guard.ExpiresAfter = given.ExpiresAfter
	}
	return guard
}

// preset is the mapping that fits a kind of directory.
func preset(t ldapsync.Type) string {
	switch t {
	case ldapsync.ActiveDirectory:
		return "active_directory"
	case ldapsync.DS389:
		return "389ds"
	case ldapsync.OpenLDAP, ldapsync.LDAP:
	}
	return "openldap"
}

// fingerprint covers what decides who is in scope and how a record is mapped. Another one means that
// the next run is looked at first.
func fingerprint(s *Source, m *mapping.Mapping) connector.Hash {
	h := sha256.New()
	h.Write(s.Directory.Fingerprint())
	f := m.Fingerprint()
	h.Write(f[:])
	fmt.Fprintf(h, "\x00%s", s.Package)
	return connector.Hash(h.Sum(nil)[:16])
}

// MappingLine returns the line of the file with the rule for an attribute; 0 when it comes from a
// preset.
func (f *File) MappingLine(org, source, attribute string) int {
	for i, o := range f.Config.Organizations {
		for j, s := range o.Sources {
			if o.ID == org && s.ID == source {
				at := join(index(join(index("organizations", i), "sources"), j), "mapping.attributes."+attribute)
				if n := f.nodes[at]; n != nil {
					return n.Line
				}
			}
		}
	}
	return 0
}
