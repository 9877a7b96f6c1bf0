package policy

import (
	"cmp"
	"slices"

	"usherd/connector"
)

// Contribution is what one source says of a person; there is one for each source.
type Contribution struct {
	Source  string // "" = of unknown origin, which comes last of all
	Profile connector.Profile
	Package string // that the mapping or a rule of groups gave; "" = the source's
}

// Owners returns the sources in the order in which they may own the attribute: those that
// Organization.Owners names, then Organization.Sources, then sources that the organization does not
// have, by name. The argument is not changed.
func Owners(org *connector.Organization, attribute string, sources []string) []string {
	out := slices.Clone(sources)
	slices.SortFunc(out, func(a, b string) int { return compareSources(org, attribute, a, b) })
	return out
}

// Fold makes one profile of what several sources say. Of each attribute the first source in the order
// of Owners that has a value owns it, with all its values. The package is that of the first source, in
// the order of Organization.Sources, whose mapping, groups or settings give one, else the organization's.
//
// The order of the contributions does not matter. Owners maps each attribute to its source; it is nil
// when there is one contribution only, which then owns everything and whose Profile is returned as it is.
func Fold(org *connector.Organization, contributions []Contribution) (profile connector.Profile, owners map[string]string, pkg string) {
	if len(contributions) == 1 {
		pkg, _ = PackageOf(org, contributions)
		return contributions[0].Profile, nil, pkg
	}
	profile, owners = connector.Profile{}, map[string]string{}
	best := map[string]*Contribution{}
	for i := range contributions {
		c := &contributions[i]
		for name, values := range c.Profile {
			if len(values) == 0 {
				continue
			}
			if b := best[name]; b == nil || compare(org, name, c, b) < 0 {
				best[name] = c
			}
		}
	}
	for name, c := range best {
		profile[name], owners[name] = c.Profile[name], c.Source
	}
	pkg, _ = PackageOf(org, contributions)
	return profile, owners, pkg
}

// compare puts the owner of the attribute first. Values break the tie between two contributions of
// one source, which should not be, so that the result is still the same in any order.
func compare(org *connector.Organization, attribute string, a, b *Contribution) int {
	return cmp.Or(
		compareSources(org, attribute, a.Source, b.Source),
		slices.Compare(a.Profile[attribute], b.Profile[attribute]),
	)
}

func compareSources(org *connector.Organization, attribute, a, b string) int {
	return cmp.Or(
		cmp.Compare(rank(org, attribute, a), rank(org, attribute, b)),
		cmp.Compare(a, b),
	)
}

// rank is the place of a source in the order for the attribute; all unknown sources share one, after the
// known ones.
func rank(org *connector.Organization, attribute, source string) int {
	named := org.Owners[attribute]
	if i := slices.Index(named, source); i >= 0 {
		return i
	}
	for i := range org.Sources {
		if org.Sources[i].ID == source {
			return len(named) + i
		}
	}
	if source == "" {
		return len(named) + len(org.Sources) + 1
	}
	return len(named) + len(org.Sources)
}

// PackageOf returns the package that Fold gives and the source that it comes from: of the first, in the
// order of Organization.Sources, whose mapping or settings give one. Source is "" where none does, and the
// package is the organization's.
func PackageOf(org *connector.Organization, contributions []Contribution) (pkg, source string) {
	var owner *Contribution
	for i := range contributions {
		c := &contributions[i]
		given := c.Package
		if s := org.Source(c.Source); given == "" && s != nil {
			given = s.Package
		}
		if given == "" {
			continue
		}
		if owner == nil || cmp.Or(compareSources(org, "", c.Source, owner.Source), cmp.Compare(given, pkg)) < 0 {
			owner, pkg = c, given
		}
	}
	if owner == nil {
		return org.DefaultPackage, ""
	}
	return pkg, owner.Source
}
