package main

import (
	"path/filepath"

	"usherd/config"
	"usherd/connector/sources"
	"usherd/ldapsync"
)

// sourcesOf are what the configuration says of the sources of an organization.
func sourcesOf(file *config.File, o *org) map[string]*sources.Source {
	all := map[string]*sources.Source{}
	for i := range o.Org.Sources {
		id := o.Org.Sources[i].ID
		x := &sources.Source{Schedule: o.Schedules[id], Mapping: o.Mappings[id], Server: reachable(o.Runtime, id), File: filepath.Base(file.Path)}
		if d := o.Directories[id]; d != nil {
			c := &d.Config
			x.Scope = &sources.Scope{
				Bases: c.Bases, Include: c.IncludeOUs, Exclude: c.ExcludeOUs, Groups: c.Groups, GroupBases: c.GroupBases, Canaries: c.Canaries,
				Filter: c.PeopleFilter(), Criteria: ldapsync.Criteria(c.PeopleFilter()),
			}
		}
		for _, s := range file.SourceSettings(o.Org.ID, id) {
			x.Settings = append(x.Settings, sources.Setting(s))
		}
		all[id] = x
	}
	return all
}
