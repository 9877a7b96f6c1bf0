package ldapsync

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
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
