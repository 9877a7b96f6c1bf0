package report

import (
	"cmp"
	"slices"

	"usherd/connector"
)

// group is the failures of one code and reason.
type group struct {
	code   connector.Code
	reason connector.Reason
	count  int
	sample []failed // the first ones
	shared connector.Failure
}

type failed struct {
	change  *connector.Change
	failure connector.Failure
}

// add counts a failure. What all failures of the group have in common (source, package, domain) stays
// in shared, so that the remedy can name it.
func (g *group) add(c *connector.Change, f connector.Failure, keep int) {
	if g.count == 0 {
		g.shared = connector.Failure{Code: f.Code, Reason: f.Reason, Package: f.Package, Domain: f.Domain, Org: f.Org, Source: f.Source}
	}
	if f.Package != g.shared.Package {
		g.shared.Package = ""
	}
	if f.Domain != g.shared.Domain {
		g.shared.Domain = ""
	}
	g.count++
	if len(g.sample) < keep {
		g.sample = append(g.sample, failed{c, f})
	}
}

// summary is what one pass over the people gathers. Its size does not depend on their number: there
// are some sixty codes with reasons, and of each group only the first people are kept.
type summary struct {
	groups  []*group
	held    []*connector.Change // the first ones
	nHeld   int
	people  int // those to whom something happened
	removal int // of those held, how many lose access
}

func (r Report) summarize(keep int) (*summary, error) {
	s := &summary{}
	type key struct {
		code   connector.Code
		reason connector.Reason
	}
	groups := map[key]*group{}
	for c, err := range r.changes() {
		if err != nil {
			return nil, err
		}
		if c.Action != connector.Unchanged || c.Linked {
			s.people++
		}
		if c.Held {
			s.addHeld(c, keep)
		}
		for _, f := range c.Failures {
			k := key{f.Code, f.Reason}
			if groups[k] == nil {
				groups[k] = &group{code: f.Code, reason: f.Reason}
				s.groups = append(s.groups, groups[k])
			}
			groups[k].add(c, f, keep)
		}
	}
	slices.SortStableFunc(s.groups, func(a, b *group) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.code, b.code), cmp.Compare(a.reason, b.reason))
	})
	return s, nil
}

func (s *summary) addHeld(c *connector.Change, keep int) {
	s.nHeld++
	if c.Removal {
		s.removal++
	}
	if len(s.held) < keep {
		s.held = append(s.held, c)
	}
}

// countOf lists the counts in the order in which they are shown.
func countsOf(c connector.Counts) []countOf {
	list := []countOf{
		{"created", c.Created},
		{"updated", c.Updated},
		{"reactivated", c.Reactivated},
		{"deactivated", c.Deactivated},
		{"deleted", c.Deleted},
		{"failed", c.Failed},
		{"held", c.Held},
		{"skipped", c.Skipped},
		{"unchanged", c.Unchanged},
	}
	if c.Linked > 0 {
		list = append(list, countOf{"linked", c.Linked})
	}
	return list
}

type countOf struct {
	action string
	n      int
}
