package provision

import (
	"encoding/binary"

	"usherd/connector"
)

// The form of a change of a group in a spool, see codec.go.

func appendGroupChange(b []byte, c *connector.GroupChange) []byte {
	b = appendText(b, string(c.Action))
	b = appendGroup(b, c.Before)
	b = appendGroup(b, c.After)
	b = appendMembers(b, c.Added)
	b = appendMembers(b, c.Removed)
	return appendFlag(b, c.Rest)
}

func readGroupChange(b []byte) (*connector.GroupChange, error) {
	r := &changeReader{b: b, s: string(b)}
	c := &connector.GroupChange{
		Action: connector.Action(r.text()), Before: r.group(), After: r.group(), Added: r.members(), Removed: r.members(), Rest: r.flag(),
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	if c.Group() == nil {
		return nil, errDamaged
	}
	return c, nil
}

func appendGroup(b []byte, g *connector.Group) []byte {
	if b = appendFlag(b, g != nil); g == nil {
		return b
	}
	b = append(b, g.ID[:]...)
	b = appendText(b, g.Org)
	b = appendText(b, g.Source)
	b = appendAnchor(b, g.Anchor)
	b = append(b, g.Key[:]...)
	b = appendText(b, g.DN)
	b = appendText(b, g.Name)
	b = appendText(b, g.Description)
	b = binary.AppendUvarint(b, uint64(g.RID))
	b = binary.AppendVarint(b, int64(g.MemberCount))
	b = binary.AppendVarint(b, g.Version)
	b = appendInstant(b, g.CreatedAt)
	return appendInstant(b, g.UpdatedAt)
}

func (r *changeReader) group() *connector.Group {
	if !r.flag() {
		return nil
	}
	return &connector.Group{
		ID: r.id(), Org: r.text(), Source: r.text(), Anchor: r.anchor(), Key: connector.Hash(r.id()), DN: r.text(), Name: r.text(),
		Description: r.text(), RID: r.uint32(), MemberCount: int(r.int()), Version: r.int(), CreatedAt: r.instant(), UpdatedAt: r.instant(),
	}
}

func appendMembers(b []byte, list []connector.Member) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, m := range list {
		b = append(b, m.Key[:]...)
		b = appendText(b, m.DN)
	}
	return b
}

func (r *changeReader) members() []connector.Member {
	n := r.count()
	if n == 0 {
		return nil
	}
	list := make([]connector.Member, n)
	for i := range list {
		list[i] = connector.Member{Key: connector.Hash(r.id()), DN: r.text()}
	}
	return list
}
