package ldapsync

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"usherd/connector"
)

// reading is one Read on one server.
type reading struct {
	s       *Source
	yield   func(*connector.Record) error
	yielded bool // from now on another server would repeat records
	result  connector.ReadResult

	x         *session
	rec       *recordReader
	seen      connector.Hashes // anchors
	shared    map[dnKey]string // anchors known beforehand to be on several entries -> what is wrong
	again     []again
	whys      []string
	referrals int
	unnamed   int // entries without an anchor
	canaries  []bool
}

// again is an entry to read once more when the bases are done.
type again struct {
	anchor connector.Anchor // came twice
	dn     string           // of an entry whose values came in part
}

const maxAgain = 1000

var errEmpty = errors.New("the server answered with no entry at all")

func (r *reading) run(ctx context.Context, tried []string) error {
	x, err := r.s.open(ctx, tried, (*session).glance)
	if x != nil {
		r.result.Server = x.c.server
	}
	if err != nil {
		return err
	}
	defer x.c.Close() //nolint:errcheck // the answer is in; saying goodbye may fail
	r.x, r.seen = x, connector.Hashes{}
	if err := r.mark(ctx); err != nil { // before the groups: what happens to them from here on, the feed tells
		return err
	}
	if err := x.trust(ctx); err != nil {
		return err
	}
	if r.rec, err = x.reader(ctx); err != nil {
		return err
	}
	r.rec.present = make([]int, len(r.s.layout.names))
	r.canaries = make([]bool, len(r.s.canaries))
	r.whys = append(r.whys, x.missing...)
	if !x.root.pages() {
		r.warn("the server does not announce paged results: everything is read in one answer, which its size limit must allow")
	}
	if err := r.compareAnchors(ctx); err != nil {
		return err
	}
	for _, base := range r.s.config.Bases {
		if err := r.base(ctx, base); err != nil {
			return err
		}
	}
	if err := r.readAgain(ctx); err != nil {
		return err
	}
	return r.finish()
}

// mark takes the place from which on the feed tells what this read has not seen. Without one there is no
// feed after this read, which is no fault of the read.
func (r *reading) mark(ctx context.Context) error {
	m, at, refused, err := r.x.mark(ctx)
	if err != nil {
		return err
	}
	if d, ok := m.(describer); ok {
		if text, blind := d.describe(); blind {
			r.warn("changes by %s: %s", m.by(), text)
		}
	}
	if refused != nil {
		r.warn("changes are only found by full reads: %v: %s", refused, connector.HintOf(refused))
	}
	r.result.Cursor = at
	return nil
}

func (r *reading) warn(format string, args ...any) {
	r.result.Warnings = append(r.result.Warnings, fmt.Sprintf(format, args...))
}

func (r *reading) base(ctx context.Context, base string) error {
	end, err := r.x.c.search(ctx, searchRequest{
		Base: base, Scope: ldap.ScopeWholeSubtree, Filter: r.s.config.filter(), Attributes: r.s.layout.names, PageSize: r.x.pageSize(),
	}, r.entry)
	r.result.Entries += end.Entries
	r.referrals += end.Referrals
	if err != nil {
		return err
	}
	if !end.Complete {
		r.whys = append(r.whys, fmt.Sprintf("base %s: %s", base, end.Why))
	}
	return nil
}

// entry handles one entry of a base.
func (r *reading) entry(e *entry) error {
	rec, cut := r.rec.read(e)
	if cut && len(r.again) < maxAgain {
		r.again = append(r.again, again{dn: string(e.DN)})
		return nil
	}
	r.rec.count()
	r.canary(rec)
	if rec.Anchor.IsZero() {
		r.unnamed++
		return r.pass(rec)
	}
	key := r.anchorKey(rec.Anchor)
	if fault := r.shared[key]; fault != "" {
		rec.Fault = fault
		return r.pass(rec)
	}
	if r.seen.Has(key.hash()) {
		if len(r.again) < maxAgain {
			r.again = append(r.again, again{anchor: rec.Anchor})
			return nil
		}
		rec.Fault = "another entry has the same " + r.s.layout.anchor.attribute
	}
	r.seen.Put(key.hash(), 0)
	return r.pass(rec)
}

func (r *reading) anchorKey(a connector.Anchor) dnKey { return r.rec.hash.key([]byte(a.Raw)) }

func (r *reading) pass(rec *connector.Record) error {
	r.yielded = true
	return r.yield(rec)
}

// canary remembers that the entry at hand is one, and in scope.
func (r *reading) canary(rec *connector.Record) {
	for i := range r.s.canaries {
		if string(r.rec.folded) == r.s.canaries[i].folded {
			r.canaries[i] = rec.OutOfScope == ""
		}
	}
}

// readAgain settles what one pass could not: lists that came in ranges, and anchors that came twice.
func (r *reading) readAgain(ctx context.Context) error {
	settled := map[connector.Anchor]bool{}
	for len(r.again) > 0 {
		a := r.again[0]
		r.again = r.again[1:]
		var err error
		switch {
		case a.dn != "":
			err = r.whole(ctx, a.dn)
		case !settled[a.anchor]:
			settled[a.anchor] = true
			err = r.twice(ctx, a.anchor)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// whole reads one entry with all ranges of its lists.
func (r *reading) whole(ctx context.Context, dn string) error {
	req := searchRequest{Base: dn, Filter: r.s.config.filter(), Scope: ldap.ScopeBaseObject, Attributes: r.s.layout.names}
	entries, end, err := fetch(ctx, r.x.c, req, 2)
	switch {
	case missing(err), err == nil && end.Complete && len(entries) == 0:
		r.whys = append(r.whys, "the entry "+dn+" went away while it was read")
		return nil
	case err != nil:
		return err
	case len(entries) != 1:
		return &connector.Error{Kind: connector.Incomplete, Op: fmt.Sprintf("ldapsync: read %q", dn), Err: errors.New(orText(end.Why, "more than one entry"))}
	}
	return r.entry(entries[0])
}

// twice asks who has an anchor that came more than once: one entry that moved while it was read, or
// several, and then it names none of them.
func (r *reading) twice(ctx context.Context, a connector.Anchor) error {
	entries, err := r.x.byAnchor(ctx, a, r.s.config.Bases, r.s.config.filter(), nil)
	if err != nil {
		return err
	}
	fault := r.sharedBy(entries)
	if fault == "" {
		r.warn("the entry with the %s %s moved while it was read", r.s.layout.anchor.attribute, a)
	}
	for _, e := range entries {
		rec, _ := r.rec.read(e) // not counted: it was when it first came
		if fault != "" {
			rec.Fault = fault
		}
		if err := r.pass(rec); err != nil {
			return err
		}
	}
	return nil
}

// sharedBy is what is wrong with entries that have one anchor; "" when it is only one entry.
func (r *reading) sharedBy(entries []*entry) string {
	if len(entries) < 2 {
		return ""
	}
	return fmt.Sprintf("%d entries have the same %s: %s", len(entries), r.s.layout.anchor.attribute, strings.Join(dnsOf(entries), "; "))
}

// compareAnchors reads all anchors before the people where the directory does not keep them unique
// itself, so that the first of two entries with one anchor is not taken for a person either.
func (r *reading) compareAnchors(ctx context.Context) error {
	form := r.s.layout.anchor
	if form.everybody() {
		return nil
	}
	once, twice := map[dnKey]struct{}{}, map[dnKey]connector.Anchor{}
	for _, base := range r.s.config.Bases {
		_, err := r.x.c.search(ctx, searchRequest{
			Base: base, Scope: ldap.ScopeWholeSubtree, Filter: r.s.config.filter(), Attributes: []string{form.attribute}, PageSize: r.x.pageSize(),
		}, func(e *entry) error {
			anchor, err := form.decode(valuesOf(e, 0))
			if err != nil {
				return nil //nolint:nilerr // the read itself tells of it
			}
			key := r.anchorKey(anchor)
			if _, known := once[key]; known {
				twice[key] = anchor
			}
			once[key] = struct{}{}
			return nil
		})
		if err != nil {
			return err
		}
	}
	r.shared = make(map[dnKey]string, len(twice))
	for key, anchor := range twice {
		if len(r.shared) >= maxAgain { // enough to name them one by one
			r.shared[key] = "another entry has the same " + form.attribute
			continue
		}
		entries, err := r.x.byAnchor(ctx, anchor, r.s.config.Bases, r.s.config.filter(), nil)
		if err != nil {
			return err
		}
		if fault := r.sharedBy(entries); fault != "" {
			r.shared[key] = fault
		}
	}
	return nil
}

func dnsOf(entries []*entry) []string {
	dns := make([]string, len(entries))
	for i, e := range entries {
		dns[i] = strings.ToValidUTF8(string(e.DN), "\ufffd")
	}
	return dns
}

// finish judges the whole read.
func (r *reading) finish() error {
	r.result.Present = r.rec.counts()
	if r.referrals > 0 {
		r.warn("%d search references ignored: one source reads one domain", r.referrals)
	}
	anchor := r.s.layout.anchor
	if r.result.Entries == 0 {
		return r.empty()
	}
	if r.unnamed == r.result.Entries {
		return &connector.Error{
			Kind: connector.Incomplete, Op: "ldapsync: read", Err: fmt.Errorf("none of %d entries has %s", r.unnamed, anchor.attribute),
			Hint: r.x.orType("give the service account the right to read it, or set anchor to an attribute that all people have and that never changes"),
		}
	}
	if r.unnamed > 0 && anchor.everybody() {
		r.whys = append(r.whys, fmt.Sprintf("%d of %d entries have no %s: it cannot be told who they are", r.unnamed, r.result.Entries, anchor.attribute))
	}
	for i, seen := range r.canaries {
		if !seen && len(r.x.missing) == 0 {
			r.whys = append(r.whys, "the canary "+r.s.canaries[i].text+" was not among the people in scope")
		}
	}
	r.result.Complete = len(r.whys) == 0
	r.result.Why = strings.Join(r.whys, "; ")
	return nil
}

// empty explains an answer without entries, which is never taken for an empty directory.
func (r *reading) empty() error {
	err := errEmpty
	hint := "check bases and filter; the same answer comes when the service account has lost its right to read"
	switch {
	case len(r.whys) > 0:
		err = fmt.Errorf("%w: %s", errEmpty, strings.Join(r.whys, "; "))
	case r.referrals > 0:
		err = fmt.Errorf("%w, only with %d search references to other servers", errEmpty, r.referrals)
		hint = "this server does not hold the people: correct bases, or name a server that holds them; references are never followed"
	}
	return &connector.Error{
		Kind: connector.Incomplete, Op: fmt.Sprintf("ldapsync: search %s on %s", r.s.config.filter(), r.result.Server), Err: err, Hint: r.x.orType(hint),
	}
}
