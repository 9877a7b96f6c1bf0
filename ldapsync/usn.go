package ldapsync

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// usnFeed asks a domain controller for the objects with a higher update number. It needs no right, but
// holds on that one database only, and sees deletions only where the account may read Deleted Objects.
type usnFeed struct {
	server string
	blind  bool // to deletions
}

func offersUSN(x *session) bool { return isDC(x) && x.root.usn > 0 }

func (u *usnFeed) by() ChangesBy { return ByUSN }

func (u *usnFeed) prepare(ctx context.Context, x *session) error {
	u.server = "the domain controller " + serviceName(x.root.service)
	return x.readInvocation(ctx)
}

func (u *usnFeed) identity(x *session) []byte {
	return lengthText(strings.ToLower(x.root.service))
}

// serviceName is the name of the domain controller in its dsServiceName, CN=NTDS Settings,CN=DC1,...
func serviceName(service string) string {
	dn, err := ldap.ParseDN(service)
	if err != nil || len(dn.RDNs) < 2 || len(dn.RDNs[1].Attributes) == 0 {
		return service
	}
	return dn.RDNs[1].Attributes[0].Value
}

// usnPlace is the update number up to which everything was seen, of which database, and whose that is, for
// people.
type usnPlace struct {
	usn        uint64
	invocation [16]byte
	server     string
}

func (p usnPlace) encode() []byte {
	b := append(binary.AppendUvarint(nil, p.usn), p.invocation[:]...)
	return append(b, p.server...)
}

func parseUSNPlace(b []byte) (p usnPlace, ok bool) {
	if p.usn, b, ok = cutNumber(b); !ok || len(b) < len(p.invocation) {
		return p, false
	}
	p.server = string(b[copy(p.invocation[:], b):])
	return p, true
}

// behind says why the domain controller at p was put back since it stood at last.
func (p usnPlace) behind(last usnPlace) string {
	if p.invocation != last.invocation {
		return otherDatabase(p.server, p.server, p.invocation, last.invocation)
	}
	return olderUSN(p.server, p.usn, last.usn)
}

func (u *usnFeed) mark(ctx context.Context, x *session) ([]byte, error) {
	usn, err := x.readUSN(ctx)
	if err != nil {
		return nil, err
	}
	if u.blind, err = x.blindToDeletions(ctx); err != nil {
		return nil, err
	}
	return usnPlace{usn, x.dc.invocation, u.server}.encode(), nil
}

// blindToDeletions reports whether the account may not look among the deleted objects: the container of
// them is then not there for it, without an error.
func (x *session) blindToDeletions(ctx context.Context) (bool, error) {
	for _, root := range x.watched() {
		found, err := one(ctx, x.c, searchRequest{
			Base: "CN=Deleted Objects," + root, Filter: anyObject, Attributes: []string{noAttributes}, Controls: x.showDeleted(),
		}, discard)
		if _, answered := resultCode(err); err != nil && !answered {
			return false, err
		}
		if !found {
			return true, nil
		}
	}
	return false, nil
}

func (u *usnFeed) describe() (text string, blind bool) {
	if u.blind {
		return "deletions are found by full reads only: the account may not read CN=Deleted Objects, which dsacls can let it (list and read)", true
	}
	return "", false
}

func (u *usnFeed) idle(since, next []byte) bool {
	s, _ := parseUSNPlace(since)
	n, ok := parseUSNPlace(next)
	return ok && n.usn-s.usn < maxIdleUSN
}

func (u *usnFeed) older(now, last []byte) string {
	n, ok := parseUSNPlace(now)
	l, was := parseUSNPlace(last)
	if !ok || !was {
		return ""
	}
	return n.behind(l)
}

var usnAttributes = []string{"objectGUID", "objectClass", "uSNCreated", "isDeleted"}

func (u *usnFeed) changes(ctx context.Context, x *session, since []byte, t *touched) (next []byte, full string, err error) {
	last, ok := parseUSNPlace(since)
	if !ok {
		return nil, "the cursor cannot be read", nil
	}
	now := usnPlace{invocation: x.dc.invocation, server: u.server}
	if now.usn, err = x.readUSN(ctx); err != nil { // before the search: what happens meanwhile comes twice
		return nil, "", err
	}
	if full := now.behind(last); full != "" || now.usn == last.usn {
		return since, full, nil
	}
	t.form = guidForm
	g := &usnGatherer{x: x, t: t, last: last.usn, rule: x.s.groupRule()}
	for _, root := range x.watched() {
		if err := g.below(ctx, root); err != nil {
			return nil, "", err
		}
	}
	return now.encode(), "", g.groups(ctx)
}

// usnGatherer collects what came of one question.
type usnGatherer struct {
	x       *session
	t       *touched
	last    uint64
	rule    groupRule
	changed []string // DNs of groups
}

func (g *usnGatherer) below(ctx context.Context, root string) error {
	end, err := g.x.c.search(ctx, searchRequest{
		Base: root, Scope: ldap.ScopeWholeSubtree, Filter: fmt.Sprintf("(&(uSNChanged>=%d)%s)", g.last+1, g.x.s.wideFilter()),
		Attributes: usnAttributes, PageSize: g.x.pageSize(), Controls: g.x.showDeleted(),
	}, func(e *entry) error { return g.entry(e, root) })
	g.t.entries += end.Entries
	if err == nil && !end.Complete {
		err = notWhole(end)
	}
	return err
}

func (g *usnGatherer) entry(e *entry, root string) error {
	class := classOf(valuesOf(e, 1))
	fresh := number(valuesOf(e, 2)) > g.last
	deleted := len(valuesOf(e, 3)) > 0
	switch {
	case class.person, !class.group && !class.container:
		a, err := guidForm.decode(valuesOf(e, 0))
		if err != nil {
			return nil //nolint:nilerr // the account may not read it, and a full read says so
		}
		return g.t.touch(a)
	case class.group:
		return g.group(e, deleted)
	case deleted, fresh, staysPut(string(e.DN), root):
	default:
		g.t.change("%s changed, and by update numbers it cannot be told whether it was moved or renamed: everybody below it stands elsewhere then", dnText(e))
	}
	return nil
}

func (g *usnGatherer) group(e *entry, deleted bool) error {
	switch {
	case !g.rule.matter():
	case deleted:
		g.t.change("a group was deleted: who was in it is found by a full read")
	case len(g.changed) < maxTouched:
		g.changed = append(g.changed, dnText(e))
	}
	if a, err := guidForm.decode(valuesOf(e, 0)); err == nil && g.x.s.syncsGroups() { // else a full read says so
		return g.t.touchGroup(a)
	}
	return nil
}

// groups looks whether the groups that changed are some on which people depend. Who came or went cannot be
// told.
func (g *usnGatherer) groups(ctx context.Context) error {
	for _, dn := range g.changed {
		depends, err := g.x.dependsOn(ctx, g.rule, dn)
		if err != nil {
			return err
		}
		if depends {
			g.t.change("the group %s changed, and by update numbers it cannot be told who came and who went", dn)
		}
	}
	return nil
}
