package ldapsync

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"usherd/connector"
)

var _ connector.GroupSource = (*Source)(nil)

// maxCutGroups bounds the groups whose members come in ranges, which are read after the others.
const maxCutGroups = 100_000

// Groups yields a record for every group that the filter finds below group_bases, paged, with all its members:
// one group at a time is in memory, beside 16 bytes for each that was seen. The error of yield is returned
// as it is.
//
// It is Complete only when every base was read to its positive end, every group with all its ranges, all of
// them had an anchor, and the canaries are found. That there are no groups at all is complete, too: whether
// that can be is not known here.
func (s *Source) Groups(ctx context.Context, yield func(*connector.GroupRecord) error) (connector.ReadResult, error) {
	start := s.options.Now()
	x, err := s.openAny(ctx, (*session).preflight)
	if err != nil {
		return connector.ReadResult{}, err
	}
	defer x.c.Close() //nolint:errcheck // the answer is in; saying goodbye may fail
	r := newGroupReading(x)
	r.yield = yield
	err = r.run(ctx)
	r.result.Took = s.options.Now().Sub(start)
	r.result.Complete = err == nil && len(r.whys) == 0
	r.result.Why = strings.Join(r.whys, "; ")
	return r.result, err
}

// RereadGroups asks for these groups by anchor and returns a record for each: one that is Gone where there is
// certainly no such group any more, or it is none that is synced. Which it cannot speak for is left out.
// It takes turns with Lookup on their connection.
func (s *Source) RereadGroups(ctx context.Context, anchors []connector.Anchor) ([]*connector.GroupRecord, error) {
	var recs []*connector.GroupRecord
	err := s.ask(ctx, func(x *session) error {
		var err error
		recs, _, err = x.rereadGroups(ctx, anchors)
		return err
	})
	return recs, err
}

// syncsGroups reports whether the source has groups of its own.
func (s *Source) syncsGroups() bool { return len(s.config.GroupBases) > 0 }

// rereadGroups is RereadGroups on one connection. Why says of which it cannot speak.
func (x *session) rereadGroups(ctx context.Context, anchors []connector.Anchor) (recs []*connector.GroupRecord, why string, err error) {
	if err := x.checkCanaries(ctx); err != nil {
		return nil, "", err
	}
	r, members := newGroupReading(x), 0
	r.yield = func(rec *connector.GroupRecord) error {
		own := *rec
		own.Members = slices.Clone(rec.Members)
		recs = append(recs, &own)
		if members += len(own.Members); members > maxTouchedMembers {
			return errTooManyMembers
		}
		return nil
	}
	for _, a := range anchors {
		if err := r.again(ctx, a); err != nil {
			return nil, "", err
		}
	}
	return recs, strings.Join(r.whys, "; "), nil
}

// resolveGroups reads the groups that a feed named. Full says why only a full read helps.
func (x *session) resolveGroups(ctx context.Context, anchors []connector.Anchor) (recs []*connector.GroupRecord, full string, err error) {
	recs, why, err := x.rereadGroups(ctx, anchors)
	switch {
	case isTooMany(err):
		return nil, err.Error(), nil
	case err != nil:
		return nil, "", err
	case len(recs) < len(anchors):
		if why == "" {
			why = "none is found by its anchor"
		}
		return nil, fmt.Sprintf("for %d groups that changed the directory could not speak: %s", len(anchors)-len(recs), why), nil
	}
	return recs, "", nil
}

// groupReading reads the groups of one source over one connection.
type groupReading struct {
	x      *session
	form   anchorForm
	names  []string
	yield  func(*connector.GroupRecord) error
	result connector.ReadResult
	whys   []string

	rec     connector.GroupRecord // of the group at hand
	fault   error                 // why it cannot be told which group it is
	buf     []byte
	seen    map[connector.Anchor]struct{}
	cut     []string // DNs of groups whose members came in ranges
	unnamed int
	probed  bool
}

func newGroupReading(x *session) *groupReading {
	r := &groupReading{x: x, form: x.s.config.groupAnchorForm(), seen: map[connector.Anchor]struct{}{}}
	r.names = []string{r.form.attribute, "cn", "description", "member"}
	if x.s.config.Type == ActiveDirectory {
		r.names = append(r.names, "objectSid", "uSNChanged")
	} else {
		r.names = append(r.names, "uniqueMember")
	}
	r.result.Server = x.c.server
	r.whys = append(r.whys, x.missing...)
	return r
}

func (r *groupReading) run(ctx context.Context) error {
	c, referrals := &r.x.s.config, 0
	for _, base := range c.GroupBases {
		end, err := r.x.c.search(ctx, searchRequest{
			Base: base, Scope: ldap.ScopeWholeSubtree, Filter: c.groupFilter(), Attributes: r.names, PageSize: r.x.pageSize(),
		}, r.entry)
		r.result.Entries += end.Entries
		referrals += end.Referrals
		if err != nil {
			return r.explain(base, err)
		}
		if !end.Complete {
			r.whys = append(r.whys, fmt.Sprintf("group base %s: %s", base, end.Why))
		}
	}
	for _, dn := range r.cut {
		if err := r.whole(ctx, dn); err != nil {
			return err
		}
	}
	if referrals > 0 {
		r.result.Warnings = append(r.result.Warnings, fmt.Sprintf("%d search references ignored among the groups", referrals))
	}
	if r.unnamed > 0 {
		r.whys = append(r.whys, fmt.Sprintf("%d of %d groups have no %s: it cannot be told which they are", r.unnamed, r.result.Entries, r.form.attribute))
	}
	return nil
}

// explain adds what to do about a base that does not exist.
func (r *groupReading) explain(base string, err error) error {
	if !missing(err) {
		return err
	}
	return &connector.Error{
		Kind: connector.KindOf(err), Op: fmt.Sprintf("ldapsync: group base %q", base), Err: err,
		Hint: "check group_bases; the same answer comes when the service account may not read there",
	}
}

// entry handles one group of a base. Ranges are read later: the answer is still on its way.
func (r *groupReading) entry(e *entry) error {
	if err := r.head(e); err != nil {
		return err
	}
	parts, _, err := membersIn(e, r.names, r.take)
	switch {
	case err != nil:
		return err
	case len(parts) == 0:
		return r.pass()
	case len(r.cut) == maxCutGroups:
		r.whys = append(r.whys, fmt.Sprintf("more than %d groups have their members in ranges", maxCutGroups))
		return nil
	}
	r.cut = append(r.cut, string(e.DN))
	return nil
}

// head begins the record of a group.
func (r *groupReading) head(e *entry) error {
	members := r.rec.Members[:0]
	r.rec = connector.GroupRecord{DN: strings.ToValidUTF8(string(e.DN), "\ufffd"), Key: r.key(e.DN), Members: members}
	r.rec.Anchor, r.fault = r.form.decode(valuesOf(e, 0))
	r.rec.Name, r.rec.Description = firstText(valuesOf(e, 1)), firstText(valuesOf(e, 2))
	if sid := slices.Index(r.names, "objectSid"); sid >= 0 {
		r.rec.RID = ridOf(valuesOf(e, sid))
	}
	return nil
}

func firstText(values [][]byte) string {
	if len(values) == 0 {
		return ""
	}
	return strings.ToValidUTF8(string(values[0]), "\ufffd")
}

// key is that of the comparable form of a DN. What is none, as a uniqueMember with bits behind it (RFC 4517
// section 3.3.21), is a member all the same, and nobody's entry.
func (r *groupReading) key(dn []byte) connector.Hash {
	folded, err := appendDN(r.buf[:0], dn)
	if err != nil {
		folded = append(append(folded[:0], "\x00"...), dn...)
	}
	r.buf = folded
	return connector.KeyOf(folded)
}

func (r *groupReading) take(values [][]byte) error {
	for _, v := range values {
		r.rec.Members = append(r.rec.Members, connector.Member{Key: r.key(v), DN: strings.ToValidUTF8(string(v), "\ufffd")})
	}
	return nil
}

// pass hands the group at hand on, each member once. One that moved while the pages were read comes twice.
func (r *groupReading) pass() error {
	if r.fault != nil {
		r.unnamed++
		return nil //nolint:nilerr // the answer says that it is not complete
	}
	if _, twice := r.seen[r.rec.Anchor]; twice {
		return nil
	}
	r.seen[r.rec.Anchor] = struct{}{}
	slices.SortFunc(r.rec.Members, func(a, b connector.Member) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	r.rec.Members = slices.CompactFunc(r.rec.Members, func(a, b connector.Member) bool { return a.Key == b.Key })
	return r.yield(&r.rec)
}

// whole reads one group with all ranges. One that went away, or does not come to rest, makes the answer
// incomplete and stops nothing else.
func (r *groupReading) whole(ctx context.Context, dn string) error {
	w := wholeGroup{c: r.x.c, names: r.names, head: r.head, take: r.take}
	switch err := w.read(ctx, dn); {
	case err == nil:
		return r.pass()
	case !missing(err) && (connector.KindOf(err) != connector.Incomplete || r.x.c.broken.Load()):
		return err
	default:
		r.whys = append(r.whys, err.Error())
		return nil
	}
}

// again reads one group by its anchor.
func (r *groupReading) again(ctx context.Context, a connector.Anchor) error {
	dn, err := r.find(ctx, a)
	if err != nil {
		return err
	}
	if dn != "" {
		return r.whole(ctx, dn)
	}
	if !r.probed && len(r.x.missing) == 0 {
		if r.probed, err = r.probe(ctx); err != nil {
			return err
		}
	}
	if !r.probed {
		return nil
	}
	return r.yield(&connector.GroupRecord{Anchor: a, Gone: true})
}

// find returns the DN of the synced group with that anchor; "" = there is none, or it cannot be seen.
func (r *groupReading) find(ctx context.Context, a connector.Anchor) (string, error) {
	return r.first(ctx, "(&"+r.form.filterFor(a)+r.x.s.config.groupFilter()+")", nil)
}

// first returns the DN of the first entry below the group bases that fits, and gives it to see.
func (r *groupReading) first(ctx context.Context, filter string, see func(*entry)) (string, error) {
	for _, base := range r.x.s.config.GroupBases {
		found, end, err := fetch(ctx, r.x.c, searchRequest{
			Base: base, Scope: ldap.ScopeWholeSubtree, Filter: filter, Attributes: []string{r.form.attribute},
		}, 1)
		switch {
		case err != nil:
			return "", r.explain(base, err)
		case len(found) > 0:
			if see != nil {
				see(found[0])
			}
			return string(found[0].DN), nil
		case !end.Complete:
			return "", &connector.Error{Kind: connector.Incomplete, Op: "ldapsync: search " + filter, Err: errors.New(end.Why)}
		}
	}
	return "", nil
}

// probe reports whether groups can be found by anchor at all: without the right to search by it, every one
// would seem to be gone.
func (r *groupReading) probe(ctx context.Context) (bool, error) {
	var anchor connector.Anchor
	var fault error
	dn, err := r.first(ctx, r.x.s.config.groupFilter(), func(e *entry) { anchor, fault = r.form.decode(valuesOf(e, 0)) })
	if err != nil || dn == "" || fault != nil {
		return false, err
	}
	dn, err = r.find(ctx, anchor)
	return dn != "", err
}
