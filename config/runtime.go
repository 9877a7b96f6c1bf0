package config

import (
	"crypto/sha256"
	"strings"
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
	Clients     map[string]*Client            // only sources that push
	SignOns     map[string]*SignOn            // only sources where people sign in
	Importers   map[string]*Importer          // only sources that read files
	Schedules   map[string]*schedule.Schedule // only sources that have one
	Changes     map[string]Changes            // only sources whose changes are asked for

	path string
}

// Changes says how the changes between full reads are asked for.
type Changes struct {
	Live  bool
	Every time.Duration // where not live
}

// Directory is how to reach and read a source.
type Directory struct {
	Config     ldapsync.Config
	Attributes []string // that its mapping reads
	Protected  connector.Protected
	Packages   []connector.GroupPackage
}

func (v *validator) runtime(o *Organization, path string) *Runtime {
	r := &Runtime{
		Org: organization(o), Mappings: map[string]*mapping.Mapping{}, Directories: map[string]*Directory{},
		Clients: map[string]*Client{}, SignOns: map[string]*SignOn{}, Importers: map[string]*Importer{}, Schedules: map[string]*schedule.Schedule{}, Changes: map[string]Changes{}, path: path,
	}
	for i := range o.Sources {
		v.source(r, &o.Sources[i], index(join(path, "sources"), i))
	}
	v.activation(r, o, path)
	if len(v.faults) == 0 {
		v.unfilled(r)
	}
	return r
}

func organization(o *Organization) *connector.Organization {
	org := &connector.Organization{
		ID: o.ID, Name: o.Name, PartnerID: o.PartnerID, Contact: o.Contact, Languages: o.Languages,
		Required: o.Required, Matching: o.Matching, Approval: o.Approval, SecondApprover: o.SecondApprover, InactiveHoldsSeat: o.InactiveHoldsSeat,
		ReevaluateOnDomainVerified: o.ReevaluateOnDomainVerified == nil || *o.ReevaluateOnDomainVerified,
		DeleteAfter:                time.Duration(o.DeleteAfter), GoneDeleteAfter: time.Duration(o.GoneDeleteAfter),
		DefaultPackage: o.Package, Owners: o.Owners, KeepRecords: time.Duration(o.Records.Keep),
		Application: o.Application, InviteNew: o.Invite == inviteAuto, DiscloseAccountStatus: o.DiscloseAccountStatus,
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
	switch {
	case s.Import != nil || s.SiteLink != nil:
		v.bring(r, s, path)
		return
	case s.SAML != nil:
		v.signIn(r, s, path)
		return
	case s.SCIM != nil:
		v.push(r, s, path)
		return
	}
	v.word(join(path, "first_run"), string(s.FirstRun), "first_run")
	guard := v.guard(s.Guard, join(path, "guard"))
	v.changes(s, path)
	v.directory(s, path)
	switch s.Mapping.Preset {
	case "":
		s.Mapping.Preset = preset(s.Directory.Type)
	case mapping.SAML:
		v.reject(join(path, "mapping.preset"), "%s is for sources with a saml block: leave it out, or write one of %s", mapping.SAML, strings.Join(mapping.Presets(), ", "))
	case mapping.Template:
		v.reject(join(path, "mapping.preset"), "%s is for templates, which have it by themselves: leave it out, or write one of %s", mapping.Template, strings.Join(mapping.Presets(), ", "))
	case mapping.CSV:
		v.reject(join(path, "mapping.preset"), "%s is for sources with an import or site_link block: leave it out, or write one of %s", mapping.CSV, strings.Join(mapping.Presets(), ", "))
	case mapping.SCIM:
		v.reject(join(path, "mapping.preset"), "%s is for sources with a scim block: leave it out, or write one of %s", mapping.SCIM, strings.Join(mapping.Presets(), ", "))
	}
	m, faults := mapping.Compile(s.Mapping)
	v.take(join(path, "mapping"), faults)
	times, faults := schedule.Parse(s.Schedule)
	v.take(join(path, "schedule"), faults)
	if len(v.faults) > 0 {
		return
	}
	if at := join(path, "mapping.attributes."+connector.MemberStatus); len(s.Mapping.Attributes[connector.MemberStatus]) > 0 {
		v.doubt(at, "whoever has a value of it is refused (failure 31 member_status_present): remove the rule")
	}
	v.twice(s, path)
	settings := connector.SourceSettings{
		ID: s.ID, Kind: connector.Directory, Package: s.Package, Guard: guard, Protected: s.Protected,
		FirstRun: s.FirstRun, Fingerprint: fingerprint(s, m),
		Groups: len(s.Directory.GroupBases) > 0, RenamesFollow: s.Directory.Type == ldapsync.ActiveDirectory,
	}
	if settings.FirstRun == "" {
		settings.FirstRun = connector.FirstRunPreview
	}
	r.Org.Sources = append(r.Org.Sources, settings)
	r.Mappings[s.ID] = m
	r.Directories[s.ID] = &Directory{s.Directory, m.Attributes(), s.Protected, s.GroupPackages}
	if s.Schedule.Cron != "" {
		r.Schedules[s.ID] = times
	}
	if s.Live || s.ChangesEvery > 0 {
		r.Changes[s.ID] = Changes{s.Live, time.Duration(s.ChangesEvery)}
	}
}

// changes checks how changes are asked for.
func (v *validator) changes(s *Source, path string) {
	at := join(path, "changes_every")
	switch every := time.Duration(s.ChangesEvery); {
	case every < 0 || every > 0 && every < time.Second || every > 24*time.Hour:
		v.reject(at, "%s is out of range: write 1s to 1d, such as 1m", s.ChangesEvery)
	case s.Live && every > 0:
		v.reject(at, "live follows the changes already: remove one of the two")
	}
	if (s.Live || s.ChangesEvery > 0) && s.Directory.Changes == ldapsync.NoChanges {
		v.reject(join(path, "directory.changes"), "it is off, but live or changes_every asks for changes: write auto, or remove them")
	}
}

// directory checks the directory block and the groups that are protected, which are DNs in it.
func (v *validator) directory(s *Source, path string) {
	at := join(path, "directory")
	if !v.given(at) {
		v.reject(at, "the source has no directory: write a block with type, servers, bind and bases, scim: {} for an identity provider that pushes, saml for one where people sign in, or import: {} for files")
		return
	}
	d := &s.Directory
	for _, p := range []*string{&d.TLS.CAFile, &d.TLS.CertFile, &d.TLS.KeyFile, &d.Bind.Keytab, &d.Bind.Krb5Conf} {
		*p = v.absolute(*p)
	}
	for i, server := range d.Servers {
		if strings.Contains(server, "@") { // not quoted: a password may stand before it
			key := index(join(at, "servers"), i)
			v.reject(key, "a server's address has no user and no password in it: write ldaps://host here, and the account under bind")
			v.mark(key)
		}
	}
	faults := d.Validate()
	for i, f := range faults {
		if f.Path == "bind.password" && d.Bind.Password.IsZero() {
			faults[i].Message += "; " + secretForms
		}
	}
	v.take(at, faults)
	v.take(join(path, "protected"), groupFaults(s.Protected.Groups...))
	for i, r := range s.GroupPackages {
		rule := index(join(path, "group_packages"), i)
		if r.Package == "" {
			v.reject(join(rule, "package"), "the group gives no package: write the id of one")
		}
		for _, f := range groupFaults(r.Group) {
			v.reject(join(rule, "group"), "%s", f.Message)
		}
	}
}

// groupFaults checks DNs of groups.
func groupFaults(dns ...string) (faults []connector.Fault) {
	groups := ldapsync.Config{Groups: dns}
	for _, f := range groups.Validate() {
		if strings.HasPrefix(f.Path, "groups[") {
			faults = append(faults, f)
		}
	}
	return faults
}

// guard takes from the file what stands there, and the rest from the defaults.
func (v *validator) guard(given *connector.Guard, path string) connector.Guard {
	guard := policy.DefaultGuard()
	if given == nil {
		return guard
	}
	if at := join(path, "min"); v.given(at) {
		if guard.Min = given.Min; guard.Min < 0 {
			v.reject(at, "%d is no number of removals: write one from 0", guard.Min)
		}
	}
	if at := join(path, "percent"); v.given(at) {
		guard.Percent = v.percentage(at, given.Percent)
	}
	if at := join(path, "attribute_percent"); v.given(at) {
		guard.AttributePercent = v.percentage(at, given.AttributePercent)
	}
	v.period(join(path, "expires_after"), &given.ExpiresAfter, guard.ExpiresAfter)
	guard.ExpiresAfter = given.ExpiresAfter
	return guard
}

func (v *validator) percentage(path string, p float64) float64 {
	switch {
	case p < 0 || p > 100:
		v.reject(path, "%v is no percentage: write a number from 0 to 100", p)
	case p > 0 && p < 0.5:
		v.doubt(path, "this is %.3g percent: write %.3g for %.3g percent", p, 100*p, 100*p)
	}
	return p
}

// twice warns of a source that reads the same people as one before, from a server of it.
func (v *validator) twice(s *Source, path string) {
	for _, server := range append([]string{s.Directory.Domain}, s.Directory.Servers...) {
		if server == "" {
			continue
		}
		key := strings.ToLower(strings.TrimSuffix(server, "/")) + "\x00" + string(s.Directory.Fingerprint())
		if other, ok := v.read[key]; ok && other != path {
			line := nearest(v.nodes, v.keys, join(other, "id")).Line
			v.doubt(join(path, "directory"), "the source in line %d reads the same people of the same server: remove one, or give each its own bases or filter", line)
			return
		}
		v.read[key] = path
	}
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
	h.Write([]byte("\x00" + s.Package))
	for _, r := range s.GroupPackages { // nothing without rules: stores know the hash from before there were any
		h.Write([]byte("\x00" + connector.Fold(r.Group) + "\x00" + r.Package))
	}
	return connector.Hash(h.Sum(nil)[:16])
}

// MappingLine returns the line of the file with the rule for an attribute; 0 when it comes from a
// preset.
func (f *File) MappingLine(org, source, attribute string) int {
	for i, o := range f.Config.Organizations {
		for j, s := range o.Sources {
			if o.ID == org && s.ID == source {
				at := join(index(join(index("organizations", i), "sources"), j), "mapping.attributes."+attribute)
				if key := f.keys[at]; key != nil {
					return key.Line
				}
			}
		}
	}
	return 0
}
