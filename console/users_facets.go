package console

import (
	"slices"

	"usherd/connector"
)

// facet is one way to narrow the list of people down, with its choices.
type facet struct {
	Name    string
	Choices []facetChoice
}

// facetChoice is one choice: with its address it is taken, or given up where it is taken already.
type facetChoice struct {
	Text, Count, Address string
	Chosen               bool
}

const (
	mostFaceted      = 1000 // of a choice that is counted row by row
	mostFacetDomains = 12
)

// facets are all of them, each with how many people of the organization it chooses, whatever else is asked for. States have counters; what an index has is
// counted up to a limit; domains, which only a walk over people could count, are offered without a number.
func (v *visit) facets() ([]facet, error) {
	list := []facet{{Name: v.t("users.statehead", nil)}, {Name: v.t("users.packagehead", nil)}, {Name: v.t("users.source", nil)}, {Name: v.t("facets.domain", nil)}, {Name: v.t("facets.more", nil)}}
	for i, fill := range []func(*facet) error{v.facetStates, v.facetPackages, v.facetSources, v.facetDomains, v.facetMore} {
		if err := fill(&list[i]); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(list, func(f facet) bool { return len(f.Choices) == 0 }), nil
}

// add offers a choice, unless it is known to choose nobody; n < 0 = it was not counted.
func (f *facet) add(v *visit, param, value, text string, n int, more bool) {
	c := facetChoice{Text: text, Chosen: v.query(param) == value, Address: v.with(param, value)}
	if n == 0 && !c.Chosen {
		return
	}
	if c.Chosen {
		c.Address = v.with(param, "")
	}
	if n >= 0 {
		c.Count = v.number(n)
	}
	if more {
		c.Count += "+"
	}
	f.Choices = append(f.Choices, c)
}

// count offers a choice with how many it chooses.
func (f *facet) count(v *visit, param, value, text string, q connector.UserQuery) error {
	q.Org = v.id()
	n, more, err := v.s.o.Store.CountUsersOf(v.r.Context(), q, mostFaceted)
	f.add(v, param, value, text, n, more)
	return err
}

func (v *visit) facetStates(f *facet) error {
	counts, err := v.s.o.Store.CountUsers(v.r.Context(), v.id())
	for _, s := range listStates {
		f.add(v, "state", string(s), v.t("words.state."+string(s), nil), counts[s], false)
	}
	return err
}

func (v *visit) facetPackages(f *facet) error {
	for _, p := range v.org.Settings.Packages {
		if err := f.count(v, "package", p.ID, v.packageName(p.ID), connector.UserQuery{Package: p.ID}); err != nil {
			return err
		}
	}
	return nil
}

func (v *visit) facetSources(f *facet) error {
	for _, s := range v.org.Settings.Sources {
		if err := f.count(v, "source", s.ID, s.ID, connector.UserQuery{Source: s.ID}); err != nil {
			return err
		}
	}
	return nil
}

// facetDomains offers the domains of the organization, and the one that the address asks for.
func (v *visit) facetDomains(f *facet) error {
	list, err := v.org.Domains.List(v.r.Context())
	asked := v.query("domain")
	there := asked == ""
	for _, d := range list[:min(len(list), mostFacetDomains)] {
		there = there || d.Name == asked
		f.add(v, "domain", d.Name, nameOf(d.Name).Unicode, -1, false)
	}
	if !there {
		f.add(v, "domain", asked, asked, -1, false)
	}
	return err
}

// facetMore are open failures, with the reason that the address asks for, and leavers in their grace period.
func (v *visit) facetMore(f *facet) error {
	if err := f.count(v, "failing", "1", v.t("facets.failing", nil), connector.UserQuery{Failing: true}); err != nil {
		return err
	}
	if reason := v.query("reason"); reason != "" {
		f.add(v, "reason", reason, reason, -1, false)
	}
	return f.count(v, "leaving", "1", v.t("facets.leaving", nil), connector.UserQuery{Leaving: true})
}

// facetParams are what the form of the search takes along.
func (v *visit) facetParams() (list []option) {
	for _, name := range []string{"source", "domain", "failing", "reason", "leaving"} {
		if value := v.query(name); value != "" {
			list = append(list, option{Value: value, Text: name})
		}
	}
	return list
}
