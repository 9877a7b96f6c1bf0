package system

import (
	"slices"
	"strings"
)

// Sight is what somebody sees of a daemon: that which is of one organization, and with All what is of the whole file too.
// All is for those only to whom every organization of the configuration belongs.
type Sight struct {
	Org string
	All bool
}

// Sees reports whether the path of a Value or Difference is for these eyes. What is of another organization never is: it is
// seen by looking at that one.
func (s Sight) Sees(path string) bool {
	rest, of := strings.CutPrefix(path, "organizations[")
	if !of {
		return s.All
	}
	id, _, _ := strings.Cut(rest, "]")
	return id == s.Org || id == "" && s.All
}

// Values are those of a list that are seen.
func (s Sight) Values(list []Value) []Value {
	return slices.DeleteFunc(slices.Clone(list), func(v Value) bool { return !s.Sees(v.Path) })
}

// Differences are those of a list that are seen.
func (s Sight) Differences(list []Difference) []Difference {
	return slices.DeleteFunc(slices.Clone(list), func(d Difference) bool { return !s.Sees(d.Path) })
}

// Disk is a file on disk as it is seen: the text of a fault may quote what another organization has, and is for All only.
func (s Sight) Disk(d Disk) Disk {
	d.Differences = s.Differences(d.Differences)
	if !s.All {
		d.Faults, d.Error = nil, ""
	}
	return d
}
