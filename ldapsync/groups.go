package ldapsync

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"

	"github.com/go-ldap/ldap/v3"

	"usherd/connector"
)

// memberSet is everybody in some groups, nested ones included.
type memberSet struct {
	dns  map[dnKey]struct{}
	rids map[uint32]struct{} // of the groups themselves: whose primary group it is, belongs to it
	// groups are the groups themselves, by folded DN.
	groups map[string]bool
	sum    digest // of the groups and what is in them, the same in every process
}

// digest tells two sets apart, whatever their order.
type digest [16]byte

func (d *digest) add(b []byte) {
	sum := sha256.Sum256(b)
	subtle.XORBytes(d[:], d[:], sum[:])
}

func (m *memberSet) has(key dnKey, primaryGroup uint32) bool {
	if _, ok := m.dns[key]; ok {
		return true
	}
	_, ok := m.rids[primaryGroup]
	return ok && primaryGroup != 0
}

// group is one group as it was read.
type group struct {
	members []dnKey
	nested  []string // DNs of the members that are groups
	rid     uint32   // Active Directory; 0 = it can be nobody's primary group
	sum     digest   // of the members
}

// closeOver follows nested groups from roots. Circles, which all directories allow, end by themselves
// since no group is entered twice.
func closeOver(roots []string, read func(dn string) (*group, error)) (*memberSet, error) {
	entered := map[string]bool{}
	set := &memberSet{dns: map[dnKey]struct{}{}, rids: map[uint32]struct{}{}, groups: entered}
	todo := append([]string(nil), roots...)
	for len(todo) > 0 {
		dn := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		folded, err := foldDN(dn)
		if err != nil {
			return nil, fmt.Errorf("group %q: %w", dn, err)
		}
		if entered[folded] {
			continue
		}
		entered[folded] = true
		g, err := read(dn)
		if err != nil {
			return nil, err
		}
		for _, m := range g.members {
			set.dns[m] = struct{}{}
		}
		if g.rid != 0 {
			set.rids[g.rid] = struct{}{}
		}
		set.sum.add(append([]byte(folded), g.sum[:]...))
		todo = append(todo, g.nested...)
	}
	return set, nil
}

// groupReader reads groups over one connection.
type groupReader struct {
	c      searcher
	hash   dnHasher
	groups map[dnKey]struct{} // all groups of the directory, to know which members are groups
	read   map[string]*group  // what has been read, by DN: a group may serve scope and protection
	buf    []byte
}

// list learns the DNs of all groups below roots: far fewer than people, and nothing but names.
func (g *groupReader) list(ctx context.Context, roots []string, filter string, page int) error {
	g.groups = map[dnKey]struct{}{}
	for _, root := range roots {
		r := searchRequest{Base: root, Scope: ldap.ScopeWholeSubtree, Filter: filter, Attributes: []string{noAttributes}, PageSize: page}
		end, err := g.c.search(ctx, r, func(e *entry) error {
			if key, err := g.key(e.DN); err == nil { // a group whose DN is broken cannot be anybody's member
				g.groups[key] = struct{}{}
			}
			return nil
		})
		if err == nil && !end.Complete {
			err = errors.New(end.Why)
		}
		if err != nil {
			return &connector.Error{
				Kind: connector.Incomplete, Op: "ldapsync: list the groups", Err: err,
				Hint: "nested groups are found by reading the names of all groups: the service account must be allowed to",
			}
		}
	}
	return nil
}

func (g *groupReader) key(dn []byte) (dnKey, error) {
	var err error
	if g.buf, err = appendDN(g.buf[:0], dn); err != nil {
		return dnKey{}, err
	}
	return g.hash.key(g.buf), nil
}

const maxGroupTries = 4 // a group that changes while its ranges are read is read again

var groupAttributes = []string{"member", "uniqueMember", "objectSid", "uSNChanged"}

// group reads one group whole, or fails.
func (g *groupReader) group(ctx context.Context, dn string) (*group, error) {
	if known := g.read[dn]; known != nil {
		return known, nil
	}
	var got *group
	w := wholeGroup{c: g.c, names: groupAttributes, take: func(values [][]byte) error { return g.add(got, values) }}
	w.head = func(e *entry) error {
		got = &group{rid: ridOf(valuesOf(e, slices.Index(groupAttributes, "objectSid")))}
		return nil
	}
	if err := w.read(ctx, dn); err != nil {
		return nil, err
	}
	g.read[dn] = got
	return got, nil
}

// ridOf reads the RID of a domain's group from its objectSid; 0 = it has none.
func ridOf(values [][]byte) uint32 {
	if len(values) != 1 {
		return 0
	}
	if s, err := parseSID(values[0]); err == nil && s.domain {
		return s.rid
	}
	return 0
}

// wholeGroup reads one group with all its members, over one connection. A try begins with head, which is
// given the entry and drops what came before; then take gets the members, part by part.
type wholeGroup struct {
	c     searcher
	names []string // to ask for, with member, uniqueMember and uSNChanged among them
	head  func(e *entry) error
	take  func(values [][]byte) error
}

// read tries until the group has not changed while its ranges were read.
func (w *wholeGroup) read(ctx context.Context, dn string) error {
	for range maxGroupTries {
		usn, err := w.once(ctx, dn)
		if err != nil {
			return groupError(dn, err)
		}
		if usn == "" {
			return nil
		}
		after, err := w.usn(ctx, dn)
		if err != nil {
			return groupError(dn, err)
		}
		if after == usn {
			return nil
		}
	}
	return groupError(dn, &connector.Error{
		Kind: connector.Incomplete, Err: fmt.Errorf("its members changed while they were read, %d times in a row", maxGroupTries),
		Hint: "try again when the group has come to rest",
	})
}

func groupError(dn string, err error) error {
	hint := connector.HintOf(err)
	if missing(err) {
		hint = "check the DN of the group; the same answer comes when the service account may not read it"
	}
	return &connector.Error{Kind: connector.KindOf(err), Op: fmt.Sprintf("ldapsync: group %q", dn), Err: err, Hint: hint}
}

// memberPart is the first part of a list that came in ranges.
type memberPart struct {
	name  string
	first attribute
}

// membersIn hands on the members of an entry that came whole and returns the parts of those that did not,
// and the update number.
func membersIn(e *entry, names []string, take func([][]byte) error) (parts []memberPart, usn string, err error) {
	for i := range e.Attributes {
		a := &e.Attributes[i]
		if a.Index < 0 || len(a.Values) == 0 {
			continue
		}
		switch name := names[a.Index]; {
		case name == "uSNChanged":
			usn = string(a.Values[0])
		case name != "member" && name != "uniqueMember":
		case a.Option != "":
			parts = append(parts, memberPart{name, cloneAttribute(a)})
		default:
			if err := take(a.Values); err != nil {
				return nil, "", err
			}
		}
	}
	return parts, usn, nil
}

// once reads a group. The update number is given only when its members came in several parts, between
// which they may have changed.
func (w *wholeGroup) once(ctx context.Context, dn string) (usn string, err error) {
	var parts []memberPart
	found, err := one(ctx, w.c, searchRequest{Base: dn, Filter: anyObject, Attributes: w.names}, func(e *entry) error {
		err := w.head(e)
		if err == nil {
			parts, usn, err = membersIn(e, w.names, w.take)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	if !found {
		return "", &connector.Error{Kind: connector.Refused, Err: errors.New("the account may not see it")}
	}
	several := false
	for _, p := range parts {
		if r, ok := parseRange(p.first.Option); !ok || !r.last {
			several = true
		}
		if err := readRanges(ctx, w.c, dn, p.name, &p.first, w.take); err != nil {
			return "", err
		}
	}
	if !several {
		usn = ""
	}
	return usn, nil
}

// add takes members. uniqueMember may carry a #'bits'B behind the DN (RFC 4517 section 3.3.21), which
// nobody uses and which is refused rather than misread.
func (g *groupReader) add(to *group, values [][]byte) error {
	for _, v := range values {
		key, err := g.key(v)
		if err != nil {
			return fmt.Errorf("the member %.200q is no DN: %w", v, err)
		}
		to.members = append(to.members, key)
		to.sum.add(g.buf)
		if _, is := g.groups[key]; is {
			to.nested = append(to.nested, string(v))
		}
	}
	return nil
}

// usn reads the update number of the group over the same connection, so of the same server.
func (w *wholeGroup) usn(ctx context.Context, dn string) (string, error) {
	usn := ""
	_, err := one(ctx, w.c, searchRequest{Base: dn, Filter: anyObject, Attributes: []string{"uSNChanged"}}, func(e *entry) error {
		for i := range e.Attributes {
			if a := &e.Attributes[i]; a.Index == 0 && len(a.Values) > 0 {
				usn = string(a.Values[0])
			}
		}
		return nil
	})
	return usn, err
}
