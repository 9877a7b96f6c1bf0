package ldapsync

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"usherd/connector"
)

// dirSync is the feed of a domain ([MS-ADTS] section 3.1.1.3.4.1.3). Its cookies hold on any of the domain's
// controllers. It needs the right "Replicating Directory Changes"; without it, it can tell what the account
// may read, which deletions usually are not part of.
type dirSync struct {
	secure bool // without the right
	blind  bool // to deletions
}

func offersDirSync(x *session) bool { return isDC(x) && x.root.controls[ldap.ControlTypeDirSync] }

func (d *dirSync) by() ChangesBy { return ByDirSync }

// prepare reads the identity of the domain: any of its controllers will do.
func (d *dirSync) prepare(ctx context.Context, x *session) error {
	x.dc.domains = nil
	for _, root := range x.watched() {
		var guid connector.Anchor
		fault := errors.New("it may not be seen")
		_, err := one(ctx, x.c, searchRequest{Base: root, Filter: anyObject, Attributes: []string{guidForm.attribute}}, func(e *entry) error {
			guid, fault = guidForm.decode(valuesOf(e, 0))
			return nil
		})
		if err != nil {
			return err
		}
		if fault != nil {
			return &connector.Error{
				Kind: connector.Refused, Op: fmt.Sprintf("ldapsync: read %q", root), Err: fault,
				Hint: "let the service account read objectGUID of the domain",
			}
		}
		x.dc.domains = append(x.dc.domains, guid.Raw...)
	}
	// Without it nothing is lost but a shortcut.
	if err := x.readInvocation(ctx); err != nil && (ctx.Err() != nil || x.c.broken.Load()) {
		return err
	}
	return nil
}

func (d *dirSync) identity(x *session) []byte { return x.dc.domains }

// dirSyncPlace is a place in the feed: a cookie for each naming context, and where the domain controller
// that gave them stood.
type dirSyncPlace struct {
	secure     bool
	invocation [16]byte // zero = not known
	usn        uint64
	server     string
	cookies    [][]byte
}

func (p *dirSyncPlace) encode() []byte {
	b := []byte{0}
	if p.secure {
		b[0] = 1
	}
	b = append(b, p.invocation[:]...)
	b = binary.AppendUvarint(b, p.usn)
	b = append(b, lengthText(p.server)...)
	for _, c := range p.cookies {
		b = append(b, lengthText(string(c))...)
	}
	return b
}

func parseDirSyncPlace(b []byte) (p dirSyncPlace, ok bool) {
	if len(b) < 17 || b[0] > 1 {
		return p, false
	}
	p.secure = b[0] == 1
	b = b[1+copy(p.invocation[:], b[1:]):]
	if p.usn, b, ok = cutNumber(b); !ok {
		return p, false
	}
	if p.server, b, ok = cutText(b); !ok {
		return p, false
	}
	for len(b) > 0 {
		var c string
		if c, b, ok = cutText(b); !ok {
			return p, false
		}
		p.cookies = append(p.cookies, []byte(c))
	}
	return p, true
}

// here is where the domain controller of the session stands, without cookies.
func (d *dirSync) here(ctx context.Context, x *session) (dirSyncPlace, error) {
	p := dirSyncPlace{secure: d.secure, invocation: x.dc.invocation, server: "the domain controller " + serviceName(x.root.service)}
	if p.invocation == [16]byte{} {
		return p, nil
	}
	var err error
	p.usn, err = x.readUSN(ctx)
	return p, err
}

// nobody is a filter that finds nothing: the cookie moves on even past what the filter leaves out.
var nobody = guidForm.filterFor(connector.Anchor{Kind: connector.ObjectGUID, Raw: strings.Repeat("\x00", 16)})

func (d *dirSync) mark(ctx context.Context, x *session) ([]byte, error) {
	place, err := d.markAs(ctx, x, false)
	if code, _ := resultCode(err); code == ldap.LDAPResultInsufficientAccessRights {
		place, err = d.markAs(ctx, x, true)
	}
	if err != nil {
		return nil, err
	}
	if d.secure {
		d.blind, err = x.blindToDeletions(ctx)
	}
	return place, err
}

func (d *dirSync) markAs(ctx context.Context, x *session, secure bool) ([]byte, error) {
	d.secure = secure
	p, err := d.here(ctx, x)
	if err != nil {
		return nil, err
	}
	for _, root := range x.watched() {
		cookie, err := d.rounds(ctx, x, dirSyncRound{root: root, filter: nobody, names: []string{guidForm.attribute}}, discard)
		if err != nil {
			return nil, err
		}
		p.cookies = append(p.cookies, cookie)
	}
	return p.encode(), nil
}

func (d *dirSync) describe() (text string, blind bool) {
	if !d.secure {
		return `with the right "Replicating Directory Changes"`, false
	}
	text = `without the right "Replicating Directory Changes", which is better granted to the account on the domain`
	if d.blind {
		text += "; deletions are found by full reads only, since the account may not read CN=Deleted Objects either"
	}
	return text, d.blind
}

// idle: the cookie is another one each time, the place is not while the domain controller does nothing of
// note.
func (d *dirSync) idle(since, next []byte) bool {
	s, _ := parseDirSyncPlace(since)
	n, ok := parseDirSyncPlace(next)
	return ok && n.invocation != [16]byte{} && n.invocation == s.invocation && n.usn-s.usn < maxIdleUSN
}

func (d *dirSync) older(now, last []byte) string {
	n, ok := parseDirSyncPlace(now)
	l, was := parseDirSyncPlace(last)
	if !ok || !was {
		return ""
	}
	return n.behind(&l)
}

// behind says why the domain controller at p was put back since it stood at last. Another one may be anywhere.
func (p *dirSyncPlace) behind(last *dirSyncPlace) string {
	if p.invocation == last.invocation && p.invocation != [16]byte{} {
		return olderUSN(p.server, p.usn, last.usn)
	}
	return otherDatabase(p.server, last.server, p.invocation, last.invocation)
}

func (d *dirSync) changes(ctx context.Context, x *session, since []byte, t *touched) (next []byte, full string, err error) {
	last, ok := parseDirSyncPlace(since)
	roots := x.watched()
	if !ok || len(last.cookies) != len(roots) {
		return nil, "the cursor cannot be read", nil
	}
	d.secure = last.secure
	now, err := d.here(ctx, x)
	if err != nil {
		return nil, "", err
	}
	full = now.behind(&last)
	if full != "" || now.invocation == last.invocation && now.invocation != [16]byte{} && now.usn == last.usn {
		return since, full, nil
	}
	t.form = guidForm
	for i, root := range roots {
		g := newDirSyncGatherer(x, t, root)
		cookie, err := d.rounds(ctx, x, dirSyncRound{root, x.s.wideFilter(), g.names, last.cookies[i]}, g.entry)
		if err == nil {
			err = g.settle(ctx)
		}
		if code, answered := resultCode(err); answered && refusesCookie(code) {
			return nil, fmt.Sprintf("the server does not take the cursor any more: %v", err), nil
		}
		if err != nil {
			return nil, "", err
		}
		now.cookies = append(now.cookies, cookie)
	}
	return now.encode(), "", nil
}

// refusesCookie reports whether a domain controller that answers so does not refuse the moment but the
// cookie, or the right: too old, unreadable, of another domain.
func refusesCookie(code uint16) bool {
	switch code {
	case ldap.LDAPResultBusy, ldap.LDAPResultUnavailable, ldap.LDAPResultOther:
		return false
	}
	return true
}

// dirSyncRound is what is asked of one naming context.
type dirSyncRound struct {
	root   string
	filter string
	names  []string
	cookie []byte
}

// rounds asks until nothing is left and returns the cookie of the end, which alone is good for later.
func (d *dirSync) rounds(ctx context.Context, x *session, r dirSyncRound, yield func(*entry) error) ([]byte, error) {
	flags := ldap.DirSyncIncrementalValues
	if d.secure {
		flags |= ldap.DirSyncObjectSecurity
	}
	cookie := r.cookie
	for empty := 0; ; {
		end, err := x.c.search(ctx, searchRequest{
			Base: r.root, Scope: ldap.ScopeWholeSubtree, Filter: r.filter, Attributes: r.names,
			Controls: []ldap.Control{ldap.NewRequestControlDirSync(flags, 0, cookie)},
		}, yield)
		if err != nil {
			return nil, err
		}
		if !end.Complete {
			return nil, notWhole(end)
		}
		answer, err := decodeDirSync(end.Controls)
		if err != nil {
			return nil, &connector.Error{Kind: connector.Incomplete, Op: "ldapsync: DirSync of " + r.root, Err: err}
		}
		if !answer.more {
			return answer.cookie, nil
		}
		if empty++; end.Entries > 0 {
			empty = 0
		}
		if empty == maxEmptyPages || bytes.Equal(cookie, answer.cookie) {
			return nil, &connector.Error{Kind: connector.Incomplete, Op: "ldapsync: DirSync of " + r.root, Err: errors.New("the server goes on for ever")}
		}
		cookie = answer.cookie
	}
}

func notWhole(end searchEnd) error {
	return &connector.Error{Kind: connector.Incomplete, Op: "ldapsync: search for changes", Err: errors.New(end.Why)}
}

// dirSyncAnswer is the control beside the end of a round.
type dirSyncAnswer struct {
	more   bool
	cookie []byte
}

var errNoDirSync = errors.New("the server answered without the DirSync control, so that it cannot be told whether that was all")

// decodeDirSync reads the response control: a sequence of MoreResults, a number without use, and the cookie.
func decodeDirSync(controls []byte) (a dirSyncAnswer, err error) {
	value, err := findControl(controls, ldap.ControlTypeDirSync)
	switch {
	case err != nil:
		return a, err
	case value == nil:
		return a, errNoDirSync
	}
	value, rest, ok := expect(value, tagSequence)
	if !ok || len(rest) > 0 {
		return a, errMalformed
	}
	more, value, ok := expect(value, tagInteger)
	if !ok {
		return a, errMalformed
	}
	n, ok := berInt(more)
	if !ok {
		return a, errMalformed
	}
	if _, value, ok = expect(value, tagInteger); !ok {
		return a, errMalformed
	}
	cookie, rest, ok := expect(value, tagOctetString)
	if !ok || len(rest) > 0 || len(cookie) == 0 {
		return a, errMalformed
	}
	return dirSyncAnswer{more: n != 0, cookie: bytes.Clone(cookie)}, nil
}

// dirSyncGatherer sorts what came of one naming context.
type dirSyncGatherer struct {
	x     *session
	t     *touched
	root  string
	rule  groupRule
	syncs bool     // groups are synced
	names []string // asked for
	// described are the places of what may change of a synced group without saying that it is one.
	described map[int]bool
	// places of names; name comes with a move or a rename only, objectClass with a new object only.
	name, class, member, deleted int

	open   map[connector.Anchor]dirSyncObject // what they are has to be asked
	groups []dirSyncGroup
	count  int // members in groups
}

type dirSyncObject struct {
	dn      string
	deleted bool
	moved   bool // or renamed, or deleted
}

// dirSyncGroup is a group with the DNs of those who came or went.
type dirSyncGroup struct {
	dn      string
	members []string
	fresh   bool
}

func newDirSyncGatherer(x *session, t *touched, root string) *dirSyncGatherer {
	g := &dirSyncGatherer{
		x: x, t: t, root: root, rule: x.s.groupRule(), syncs: x.s.syncsGroups(), member: -1,
		described: map[int]bool{}, open: map[connector.Anchor]dirSyncObject{},
	}
	l := layout{names: []string{guidForm.attribute}}
	g.name, g.class, g.deleted = l.ask("name"), l.ask("objectClass"), l.ask("isDeleted")
	for _, n := range x.s.layout.names {
		l.ask(n)
	}
	names, all := filterAttributes(x.s.config.filter())
	for _, n := range names {
		l.ask(n)
	}
	if g.rule.matter() || g.syncs {
		g.member = l.ask("member")
	}
	if g.syncs {
		names, whole := filterAttributes(x.s.config.groupFilter())
		for _, n := range append(names, "description", "cn", "objectSid") {
			g.described[l.ask(n)] = true
		}
		delete(g.described, g.class)
		all = all || whole
	}
	if all {
		l.names = append(l.names, "*")
	}
	g.names = l.names
	return g
}

func (g *dirSyncGatherer) entry(e *entry) error {
	g.t.entries++
	a, err := guidForm.decode(valuesOf(e, 0))
	if err != nil {
		return &connector.Error{Kind: connector.Incomplete, Op: "ldapsync: DirSync", Err: fmt.Errorf("%s: %w", dnText(e), err)}
	}
	deleted := anyOf(valuesOf(e, g.deleted), func(v []byte) bool { return strings.EqualFold(string(v), "TRUE") })
	class := classOf(valuesOf(e, g.class))
	unknown := class == entryClass{}
	switch {
	case deleted, unknown && len(valuesOf(e, g.name)) > 0:
		return g.ask(a, dirSyncObject{dn: dnText(e), deleted: deleted, moved: true})
	case class.group || g.has(e, func(i int) bool { return i == g.member }):
		return g.group(a, e, class.group)
	case unknown && g.has(e, func(i int) bool { return g.described[i] }):
		return g.ask(a, dirSyncObject{dn: dnText(e)})
	case class.container: // new, and so nobody stood below it who does not come by himself
		return nil
	}
	return g.t.touch(a)
}

// ask takes note of an entry that does not say what it is.
func (g *dirSyncGatherer) ask(a connector.Anchor, o dirSyncObject) error {
	if g.open[a] = o; len(g.open) > maxTouched {
		return errTooMany
	}
	return nil
}

// has reports whether one of the attributes of which is says so came with an entry, be it without a value.
func (g *dirSyncGatherer) has(e *entry, is func(place int) bool) bool {
	return slices.ContainsFunc(e.Attributes, func(a attribute) bool { return a.Index >= 0 && is(a.Index) })
}

// group takes note of those who came into a group or went.
func (g *dirSyncGatherer) group(a connector.Anchor, e *entry, fresh bool) error {
	if g.syncs {
		if err := g.t.touchGroup(a); err != nil {
			return err
		}
	}
	if !g.rule.matter() {
		return nil
	}
	c := dirSyncGroup{dn: dnText(e), fresh: fresh}
	for i := range e.Attributes {
		if a := &e.Attributes[i]; a.Index == g.member {
			for _, v := range a.Values {
				c.members = append(c.members, string(v))
			}
		}
	}
	g.groups = append(g.groups, c)
	if g.count += 1 + len(c.members); g.count > maxTouched {
		return errTooMany
	}
	return nil
}

// settle finds out what those are that were moved, renamed or deleted, and whom groups concern.
func (g *dirSyncGatherer) settle(ctx context.Context) error {
	known, err := g.x.classes(ctx, g.root, slices.Collect(maps.Keys(g.open)))
	if err != nil {
		return err
	}
	for a, o := range g.open {
		class, seen := known[a]
		if g.syncs && (class.group || !seen) {
			if err := g.t.touchGroup(a); err != nil {
				return err
			}
		}
		switch {
		case class.group && g.rule.matter() && o.moved:
			g.t.change("the group %s was renamed, moved or deleted", o.dn)
		case class.group, class.container && o.deleted, class.container && staysPut(o.dn, g.root):
		case class.container:
			g.t.change("%s was moved or renamed: everybody below it stands elsewhere now", o.dn)
		default:
			if err := g.t.touch(a); err != nil {
				return err
			}
		}
	}
	var members []string
	for _, c := range g.groups {
		depends, err := g.x.dependsOn(ctx, g.rule, c.dn)
		if err != nil {
			return err
		}
		if depends && c.fresh && g.rule.rules {
			g.t.change("the group %s is new", c.dn)
		}
		if depends {
			members = append(members, c.members...)
		}
	}
	return g.members(ctx, members)
}

// members names those who came into a group or went; with a group, its members came or went.
func (g *dirSyncGatherer) members(ctx context.Context, dns []string) error {
	for part := range slices.Chunk(dns, resolveBatch) {
		var b strings.Builder
		for _, dn := range part {
			b.WriteString(equals("distinguishedName", dn))
		}
		err := g.x.few(ctx, g.root, "(|"+b.String()+")", []string{guidForm.attribute, "objectClass"}, nil, func(e *entry) error {
			if classOf(valuesOf(e, 1)).group {
				g.t.change("the group %s came into another one or left it", dnText(e))
				return nil
			}
			a, err := guidForm.decode(valuesOf(e, 0))
			if err != nil {
				return nil //nolint:nilerr // the account may not read it, and a full read says so
			}
			return g.t.touch(a)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
