package report

import "usherd/connector"

// groupsOf lists the counts of groups in the order in which they are shown.
func groupsOf(c connector.GroupCounts) []countOf {
	return []countOf{
		{"group.created", c.Created},
		{"group.updated", c.Updated},
		{"group.deleted", c.Deleted},
		{"group.members_added", c.MembersAdded},
		{"group.members_removed", c.MembersRemoved},
	}
}

// groupHold is why the groups were left as they were, as JSON.
type groupHold struct {
	Reason string `json:"reason"`
	Digest string `json:"digest"`
}

// groups writes what became of groups; nothing where nothing did.
func (t *textReport) groups() {
	run := t.r.Run
	if run.Groups == (connector.GroupCounts{}) && run.GroupHold == nil {
		return
	}
	t.section("groups")
	if h := run.GroupHold; h != nil {
		t.para("  ", t.with("group.held", t.told(h.Reason)))
	}
	tab := t.table(Column{}, Column{Right: true})
	for _, c := range groupsOf(run.Groups) {
		if c.n != 0 {
			tab.Row(t.say(c.action), t.number(c.n))
		}
	}
	t.flush(tab)
}

// GroupRows are the counts of groups that are not zero.
func (p *page) GroupRows() []pair {
	var list []pair
	for _, c := range groupsOf(p.r.Run.Groups) {
		if c.n != 0 {
			list = append(list, pair{p.Say(c.action), p.w.number(c.n)})
		}
	}
	return list
}

// GroupHeld says why the groups were left as they were.
func (p *page) GroupHeld() string {
	if p.r.Run.GroupHold == nil {
		return ""
	}
	return p.w.with("group.held", p.w.told(p.r.Run.GroupHold.Reason))
}
