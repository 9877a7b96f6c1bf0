package ldaptest

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

const (
	batchBytes = 32 << 10 // sent at once, and written under one read lock
	batchScan  = 8192     // entries looked at under one read lock
)

// query is one search while it is answered.
type query struct {
	c    *conn
	m    message
	req  *search
	sel  selection
	mat  matcher
	base *entry
	only *entry // the one candidate, when the request names it
	hide func(dn string) bool

	showDeleted bool
	domainScope bool
	paging      *ldap.ControlPaging
	feed        feed // a change feed instead of a plain search

	pos   int // the next slot to look at
	total int // entries sent on earlier pages
	sent  int // entries sent for this request
}

// page is what a paging cookie stands for. Cookies hold on one connection, for one request.
type page struct {
	request [32]byte
	pos     int
	total   int
}

// digest tells requests apart.
func digest(body []byte) [32]byte { return sha256.Sum256(body) }

// maxPages is MaxResultSetsPerConn of Active Directory.
const maxPages = 10

func (c *conn) search(m message) error {
	req, err := parseSearch(m.body)
	if err != nil {
		return c.result(m, opDone, result{code: ldap.LDAPResultProtocolError, text: "malformed search"})
	}
	c.s.count(func(n *Counts) { n.Searches++ })
	o := c.answer(m, AtSearch, req.scope == scopeBase)
	q := &query{c: c, m: m, req: req}
	if bad := q.readControls(); bad.code != 0 {
		return o.done(opDone, bad)
	}
	if req.base == "" && req.scope == scopeBase {
		return c.rootDSE(o, q)
	}
	if c.account == nil && !c.s.o.AllowAnonymous {
		return o.done(opDone, c.s.notBound())
	}
	if bad := q.start(); bad.code != 0 {
		return o.done(opDone, bad)
	}
	if q.feed != nil {
		return q.feed.run(q, o)
	}
	return q.run(o)
}

// readControls takes the controls that the server knows; a critical one that it does not know ends the
// request (RFC 4511 section 4.1.11).
func (q *query) readControls() result {
	for _, k := range q.m.controls {
		switch k.oid {
		case ldap.ControlTypePaging:
			r := reader{b: k.value}
			in := reader{b: r.want(tagSequence)}
			q.paging = &ldap.ControlPaging{PagingSize: uint32(min(in.int(tagInt), 1<<31-1)), Cookie: in.want(tagOctets)} //nolint:gosec // in range
			if r.bad || in.bad {
				return result{code: ldap.LDAPResultProtocolError, text: "malformed paging control"}
			}
		case ldap.ControlTypeMicrosoftShowDeleted, ldap.ControlTypeMicrosoftShowRecycled:
			q.showDeleted = true
		case ldap.ControlTypeMicrosoftDomainScope:
			q.domainScope = true
		case ldap.ControlTypeManageDsaIT, ldap.ControlTypeMicrosoftSDFlags:
		default:
			known, bad := q.feedControl(k)
			if bad.code != 0 {
				return bad
			}
			if !known && k.critical {
				return result{code: ldap.LDAPResultUnavailableCriticalExtension, text: "unknown critical control " + k.oid}
			}
		}
	}
	return result{}
}

// start finds the base and makes filter and selection ready.
func (q *query) start() result {
	s, t := q.c.s, q.c.s.tree
	rights := s.rightsOf(q.c.account)
	q.hide = rights.HideEntries
	t.mu.RLock()
	defer t.mu.RUnlock()
	base, nearest, err := t.findBase(q.req.base)
	if err != nil {
		return result{code: ldap.LDAPResultInvalidDNSyntax, text: err.Error()}
	}
	if base == nil || base.deleted && !q.showDeleted || q.hidden(base) && q.req.scope == scopeBase && t.kind != ActiveDirectory {
		return s.noBase(q.req.base, nearest)
	}
	q.base = base
	hidden := map[uint16]bool{}
	for _, name := range rights.Hide {
		if id, ok := t.schema.id(name); ok {
			hidden[id] = true
		}
	}
	q.mat = matcher{t: t, hidden: hidden}
	q.mat.prepare(q.req.filter)
	q.sel = t.selectAttrs(q.req, hidden, s.o.MaxValRange)
	if q.req.scope == scopeBase {
		q.only = base
	} else if g, ok := q.mat.anchorIn(q.req.filter); ok {
		if q.only = t.anchors[g]; q.only == nil {
			q.pos = len(t.slots)
		}
	}
	return result{}
}

// findBase is find, and takes <GUID=...> too.
func (t *tree) findBase(dn string) (found, nearest *entry, err error) {
	if len(dn) < 7 || !strings.EqualFold(dn[:6], "<guid=") || t.kind != ActiveDirectory {
		return t.find(dn)
	}
	g, ok := parseAnchor(t.kind, strings.TrimSuffix(dn[6:], ">"))
	if !ok {
		return nil, nil, fmt.Errorf("base %q: not a GUID", dn)
	}
	return t.anchors[g], t.bases[0], nil
}

func (q *query) hidden(e *entry) bool { return q.hide != nil && q.hide(e.dn()) }

// visible says whether e belongs to the answer.
func (q *query) visible(e *entry) bool {
	if e == nil || e.deleted && !q.showDeleted {
		return false
	}
	return q.reaches(e) && q.mat.match(q.req.filter, e) == yes && !q.hidden(e)
}

// reaches says whether e stands where the search looks.
func (q *query) reaches(e *entry) bool {
	switch q.req.scope {
	case scopeOne:
		return e.parent == q.base
	case scopeSub:
		return e.below(q.base)
	}
	return true
}

// next finds the next entry of the answer from pos on and leaves pos on it. It gives up after batchScan
// entries, so that writers get their turn: ok is false then, and e nil. At the end e is nil and ok true.
func (q *query) next() (e *entry, ok bool) {
	slots := q.c.s.tree.slots
	if q.only != nil {
		if q.pos == 0 && q.visible(q.only) {
			return q.only, true
		}
		q.pos = len(slots)
		return nil, true
	}
	for i := range batchScan {
		if q.pos >= len(slots) {
			return nil, true
		}
		if q.visible(slots[q.pos]) {
			return slots[q.pos], true
		}
		if i < batchScan-1 {
			q.pos++
		}
	}
	return nil, false
}

// run answers a plain search.
func (q *query) run(o *answer) error {
	limit, over, bad := q.limits()
	if bad.code == 0 {
		bad = q.resume()
	}
	if bad.code != 0 {
		return o.done(opDone, bad)
	}
	for {
		more, err := q.batch(o, limit)
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	left, end := q.left()
	switch {
	case end:
		if err := q.references(o); err != nil {
			return err
		}
		return o.done(opDone, q.pageDone(result{}, nil))
	case over != 0:
		return o.done(opDone, q.pageDone(result{code: over, text: "size limit"}, nil))
	}
	return o.done(opDone, q.pageDone(result{}, left))
}

// limits says how many entries this request gets, and the code when there are more: 0 means another page.
func (q *query) limits() (limit int, over uint16, bad result) {
	o := q.c.s.o
	limit, over = -1, ldap.LDAPResultSizeLimitExceeded
	lower := func(n int, code uint16) {
		if n >= 0 && (limit < 0 || n < limit) {
			limit, over = n, code
		}
	}
	if q.req.sizeLimit > 0 {
		lower(int(q.req.sizeLimit), over)
	}
	switch {
	case q.paging == nil && o.Kind == ActiveDirectory && o.MaxPageSize > 0:
		lower(o.MaxPageSize, over)
	case q.paging != nil:
		size := int(q.paging.PagingSize)
		if o.MaxPageSize > 0 && size > o.MaxPageSize {
			switch o.Kind {
			case OpenLDAP:
				return 0, 0, result{code: ldap.LDAPResultAdminLimitExceeded}
			case DS389:
				lower(o.MaxPageSize, over)
			case ActiveDirectory:
				size = o.MaxPageSize
			}
		}
		if size > 0 {
			lower(size, 0)
		}
	}
	return limit, over, result{}
}

// resume goes on where the cookie says.
func (q *query) resume() result {
	if q.paging == nil {
		return result{}
	}
	if len(q.paging.Cookie) > 0 {
		p := q.c.pages[string(q.paging.Cookie)]
		if p == nil || p.request != digest(q.m.body) {
			if q.c.s.o.Kind == ActiveDirectory {
				return result{
					code: ldap.LDAPResultUnavailableCriticalExtension,
					text: "00002040: SvcErr: DSID-031401E7, problem 5010 (UNAVAIL_EXTENSION), data 0\n\x00",
				}
			}
			return result{code: ldap.LDAPResultUnwillingToPerform, text: "paged results cookie is invalid or old"}
		}
		delete(q.c.pages, string(q.paging.Cookie))
		q.pos, q.total = p.pos, p.total
	}
	if q.paging.PagingSize == 0 { // gives the search up (RFC 2696 section 3)
		q.pos, q.only = math.MaxInt, nil
	}
	return result{}
}

// batch writes some entries. more is false when the limit or the end is reached.
func (q *query) batch(o *answer, limit int) (more bool, err error) {
	t := q.c.s.tree
	t.mu.RLock()
	total := q.c.s.o.SizeLimit
	more = true
	for more {
		if limit >= 0 && q.sent >= limit || q.overTotal(total) {
			more = false
			break
		}
		e, ok := q.next()
		if e == nil {
			more = !ok
			break
		}
		q.entry(&o.w, e, nil)
		q.pos++
		q.sent++
		if o.faults != nil || len(o.w.b) >= batchBytes {
			break
		}
	}
	t.mu.RUnlock()
	return more, o.flush(true)
}

// overTotal is the size limit of slapd and 389-ds, which counts over all pages.
func (q *query) overTotal(total int) bool {
	return total > 0 && q.c.s.o.Kind != ActiveDirectory && q.total+q.sent >= total
}

// left makes the cookie for what is left. end is true when nothing is.
func (q *query) left() (cookie []byte, end bool) {
	t := q.c.s.tree
	for {
		t.mu.RLock()
		e, ok := q.next()
		t.mu.RUnlock()
		if e == nil && ok {
			return nil, true
		}
		if e != nil {
			break
		}
	}
	if q.paging == nil {
		return nil, false
	}
	return q.c.savePage(page{request: digest(q.m.body), pos: q.pos, total: q.total + q.sent}), false
}

func (c *conn) savePage(p page) []byte {
	c.cookies++
	cookie := binary.BigEndian.AppendUint64([]byte("page"), c.id<<32|c.cookies)
	if len(c.pages) >= maxPages {
		oldest := ""
		for k := range c.pages {
			if oldest == "" || k < oldest {
				oldest = k
			}
		}
		delete(c.pages, oldest)
	}
	c.pages[string(cookie)] = &p
	return cookie
}

// pageDone adds the paging control.
func (q *query) pageDone(r result, cookie []byte) result {
	if q.overTotal(q.c.s.o.SizeLimit) && cookie != nil {
		r, cookie = result{code: ldap.LDAPResultSizeLimitExceeded}, nil
	}
	if q.paging != nil {
		r.controls = append(r.controls, (&ldap.ControlPaging{Cookie: cookie}).Encode().Bytes())
		r.paging = true
	}
	return r
}

// references sends the search references that a subtree search from the top of a domain brings.
func (q *query) references(o *answer) error {
	if q.domainScope || q.pos == math.MaxInt || q.req.scope != scopeSub || q.base.parent != nil {
		return nil
	}
	for _, u := range q.c.s.o.References {
		m := o.w.open(tagSequence)
		o.w.int(tagInt, q.m.id)
		ref := o.w.open(opReference)
		o.w.str(tagOctets, u)
		o.w.shut(ref)
		o.w.shut(m)
		if err := o.flush(false); err != nil {
			return err
		}
	}
	return nil
}
