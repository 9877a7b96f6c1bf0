// Package systemtest is what the tests of doors need of a daemon: what it says of a configuration, without a daemon.
package systemtest

import (
	"usherd/config"
	"usherd/connector"
	"usherd/connector/system"
)

// Configuration is what is told of a file that is in force; nil = none is.
func Configuration(file *config.File) system.Configuration {
	is := system.Configuration{}
	if file != nil {
		is.Path, is.Revision = file.Path, file.Revision
		for _, v := range file.Tree() {
			is.Values = append(is.Values, system.Value(v))
		}
	}
	return is
}

// Differences are those between two revisions; an error of Kind Invalid where one has faults.
func Differences(older, newer connector.Revision) (list []system.Difference, err error) {
	var files [2]*config.File
	for i, r := range []connector.Revision{older, newer} {
		if files[i], err = config.Parse(r.ID, []byte(r.Text), config.LoadOptions{NoSecrets: true}); err != nil {
			return nil, &connector.Error{Kind: connector.Invalid, Op: "config", Err: err}
		}
	}
	for _, d := range config.Diff(files[0], files[1]) {
		list = append(list, system.Difference(d))
	}
	return list, nil
}
