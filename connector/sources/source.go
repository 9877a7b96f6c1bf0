package sources

import (
	"slices"

	"usherd/connector"
	"usherd/connector/mapping"
	"usherd/connector/schedule"
)

// Source is what the configuration in force says of a source, beside its settings.
type Source struct {
	Schedule *schedule.Schedule // nil = nothing starts by itself
	Mapping  *mapping.Mapping   // nil = it has none
	Scope    *Scope             // nil = it is no directory
	Server   bool               // there is one that can be asked
	File     string             // of the configuration, without its folder
	Settings []Setting
}

// Setting is a key of the configuration as it stands in the file.
type Setting struct {
	Key   string // from the source on: directory.bind.user
	Value string
	Line  int
}

// Scope says which entries of a directory are people of a source.
type Scope struct {
	Bases, Include, Exclude, Groups, GroupBases, Canaries []string
	Filter                                                string // in use, also where the file has none
	Criteria                                              connector.Criterion
}

// Roots are where one begins who looks at the directory: the bases of people and groups, each once.
func (s *Scope) Roots() []string {
	var list []string
	for _, dn := range slices.Concat(s.Bases, s.GroupBases) {
		if !slices.Contains(list, dn) {
			list = append(list, dn)
		}
	}
	return list
}
