package ldapsync

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"usherd/connector"
)

// session is a connection on which the preflight was done: the bases can be read, and it is known which
// canaries are missing and who is in the groups.
type session struct {
	s        *Source
	c        *conn
	root     rootDSE
	missing  []string // what canaries say against the answers of this connection
	groups   *memberSet
	guarded  *memberSet
	packages []packageRule
	hash     dnHasher
	opened   time.Time
	probed   bool // people can be found by anchor on this connection
}

// open connects and does the preflight. The session is not nil when a server was reached, also with an
// error; it is closed then.
func (s *Source) open(ctx context.Context, tried []string, observe func(Step)) (*session, error) {
	config, err := s.without(ctx, tried)
	if err != nil {
		return nil, err
	}
	c, err := dial(ctx, s.dialOptions(config, observe))
	if err != nil {
		return nil, err
	}
	x := &session{s: s, c: c, hash: newDNHasher(), opened: s.options.Now()}
	if err := x.preflight(ctx); err != nil {
		_ = c.Close()
		return x, err
	}
	return x, nil
}

// preflight looks, on the connection that will be used, whether its answers can be trusted.
func (x *session) preflight(ctx context.Context) error {
	var err error
	if x.root, err = readRoot(ctx, x.c); err != nil {
		return err
	}
	if err := checkRoot(&x.root, x.c.server); err != nil {
		return err
	}
	for _, base := range x.s.config.Bases {
		if err := checkBase(ctx, x.c, base); err != nil {
			return err
		}
	}
	if err := x.readGroups(ctx); err != nil {
		return err
	}
	return x.checkCanaries(ctx)
}

func (x *session) checkCanaries(ctx context.Context) error {
	for _, canary := range x.s.canaries {
		why, err := checkCanary(ctx, x.c, canary.text, x.s.config.filter())
		if err != nil {
			return err
		}
		if why == "" {
			why = x.canaryOutside(canary)
		}
		if why != "" {
			x.missing = append(x.missing, why)
		}
	}
	return nil
}

// canaryOutside says why a canary that exists is not in scope by its DN.
func (x *session) canaryOutside(canary place) string {
	if why := x.s.scope.outside([]byte(canary.folded)); why != "" {
		return fmt.Sprintf("the canary %s is out of scope: %s", canary.text, why)
	}
	return ""
}

// readGroups closes over the groups of the scope, the protected ones and those that give packages.
func (x *session) readGroups(ctx context.Context) error {
	c := &x.s.config
	rules := x.s.options.Packages
	if len(c.Groups)+len(x.s.guarded)+len(rules) == 0 {
		return nil
	}
	g := &groupReader{c: x.c, hash: x.hash, read: map[string]*group{}}
	all := append(append([]string(nil), c.Groups...), x.s.guarded...)
	for _, r := range rules {
		all = append(all, r.Group)
	}
	if err := g.list(ctx, x.root.above(all), c.groupFilter(), x.pageSize()); err != nil {
		return err
	}
	read := func(dn string) (*group, error) { return g.group(ctx, dn) }
	var err error
	if len(c.Groups) > 0 {
		if x.groups, err = closeOver(c.Groups, read); err != nil {
			return err
		}
		if err := x.someMember(ctx); err != nil {
			return err
		}
	}
	if len(x.s.guarded) > 0 {
		if x.guarded, err = closeOver(x.s.guarded, read); err != nil {
			return err
		}
	}
	for _, r := range rules {
		members, err := closeOver([]string{r.Group}, read)
		if err != nil {
			return err
		}
		x.packages = append(x.packages, packageRule{members, r.Package})
	}
	return nil
}

// packageRule gives a package to everybody in a group.
type packageRule struct {
	members *memberSet
	pkg     string
}

// someMember makes sure that groups without a single member are not members that the account may not
// read: Domain Users has none of its own, but then it is somebody's primary group.
func (x *session) someMember(ctx context.Context) error {
	if len(x.groups.dns) > 0 {
		return nil
	}
	var primary []string
	for rid := range x.groups.rids {
		if primary = append(primary, fmt.Sprintf("(primaryGroupID=%d)", rid)); len(primary) == 100 { // enough for one filter
			break
		}
	}
	for _, base := range x.s.config.Bases {
		if len(primary) == 0 {
			break
		}
		found, _, err := fetch(ctx, x.c, searchRequest{
			Base: base, Scope: ldap.ScopeWholeSubtree, Attributes: []string{noAttributes},
			Filter: "(&" + x.s.config.filter() + "(|" + strings.Join(primary, "") + "))",
		}, 1)
		if err != nil || len(found) > 0 {
			return err
		}
	}
	return &connector.Error{
		Kind: connector.Incomplete, Op: "ldapsync: groups of the scope",
		Err:  fmt.Errorf("none of %d has a member that can be read", len(x.s.config.Groups)),
		Hint: "correct groups, or give the service account the right to read their members",
	}
}

// pageSize is 0 where the server says that it cannot page.
func (x *session) pageSize() int {
	if !x.root.pages() {
		return 0
	}
	return x.s.config.pageSize()
}

func (x *session) reader() *recordReader {
	l := x.s.layout
	return &recordReader{
		layout: l, scope: x.s.scope, groups: x.groups, guarded: x.guarded, protected: x.s.protected,
		packages: x.packages, named: len(x.s.config.GroupBases) > 0,
		hash: x.hash, now: x.s.options.Now(), slots: make([][][]byte, len(l.names)),
	}
}
