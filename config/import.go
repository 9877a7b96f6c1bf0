package config

import (
	"crypto/sha256"

	"usherd/connector"
	"usherd/connector/mapping"
)

// Import says how files of people are read.
type Import struct {
	// IDColumn is the column by which the file's own system knows a person for ever; default the column id or, in a file that has
	// none, the user name: then nobody may be renamed between two files.
	IDColumn string `yaml:"id_column,omitempty"`
}

// Importer is a source that reads files, everything filled in.
type Importer struct {
	Import
	Attributes []string // columns that its mapping reads
}

// ofOthers are the keys of a source that say nothing to one that reads files.
var ofOthers = []struct{ key, why string }{
	{"directory", "a source is either a directory or reads files: remove one of the two blocks, or make two sources of it"},
	{"scim", "a source either pushes by SCIM or reads files: make two sources of it"},
	{"saml", "a source is either one where people sign in or reads files: make two sources of it"},
	{"schedule", "a file is read when an administrator brings it: remove it"},
	{"changes_every", "a file is read when an administrator brings it: remove it"},
	{"live", "a file is read when an administrator brings it: remove it"},
	{"group_packages", "a file has no groups: give packages by the column package, by mapping.attributes.package, or by package"},
	{"protected", "a file deactivates only whom it names as not active: remove it"},
}

// bring compiles a source that reads files.
func (v *validator) bring(r *Runtime, s *Source, path string) {
	for _, k := range ofOthers {
		if at := join(path, k.key); v.given(at) {
			v.reject(at, "%s", k.why)
		}
	}
	i, kind := s.Import, connector.Import
	if s.SiteLink != nil {
		if i, kind = s.SiteLink, connector.SiteLink; s.Import != nil {
			v.reject(join(path, "site_link"), "new users are verified by their domain with import, and at once with site_link: keep one of the two, or make two sources of it")
		}
	}
	v.word(join(path, "first_run"), string(s.FirstRun), "first_run")
	guard := v.guard(s.Guard, join(path, "guard"))
	preset := join(path, "mapping.preset")
	switch s.Mapping.Preset {
	case "":
		s.Mapping.Preset = mapping.CSV
	case mapping.CSV, "none":
	default:
		v.reject(preset, "%q is for directories: leave it out, or write none", clip(s.Mapping.Preset))
	}
	m, faults := mapping.Compile(s.Mapping)
	v.take(join(path, "mapping"), faults)
	if len(v.faults) > 0 {
		return
	}
	f := m.Fingerprint()
	sum := sha256.Sum256([]byte(string(kind) + "\x00" + string(f[:]) + "\x00" + s.Package + "\x00" + i.IDColumn))
	first := s.FirstRun
	if first == "" {
		first = connector.FirstRunApply
	}
	r.Org.Sources = append(r.Org.Sources, connector.SourceSettings{
		ID: s.ID, Kind: kind, Package: s.Package, FirstRun: first, Guard: guard, Fingerprint: connector.Hash(sum[:16]),
	})
	r.Mappings[s.ID], r.Importers[s.ID] = m, &Importer{*i, m.Attributes()}
}
