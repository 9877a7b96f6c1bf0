package ldapsync

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"usherd/connector"
)

// session is a connection whose server can be read: it has all bases. Groups and canaries are asked when
// they are needed, or beforehand by preflight.
type session struct {
	s      *Source
	c      *conn
	root   rootDSE
	hash   dnHasher
	opened time.Time
	dc     domainController
	// known, knownGroups and naming are those of the ChangesRequest that the session serves.
	known       func(ctx context.Context) iter.Seq2[connector.Anchor, error]
	knownGroups func(ctx context.Context) iter.Seq2[connector.Anchor, error]
	naming      func(ctx context.Context, gone []connector.Anchor, names []string) ([]connector.Anchor, error)

	asked    bool     // canaries
	missing  []string // what they say against the answers of this connection
	probed   bool     // people can be found by anchor on this connection
	grouped  bool     // groups were read
	groups   *memberSet
	guarded  *memberSet
	packages []packageRule
}

// opening is how much is looked at before a connection is used.
type opening func(x *session, ctx context.Context) error

// open connects to a server that was not tried and looks at it. The session is not nil when a server was
// reached, also with an error; it is closed then.
func (s *Source) open(ctx context.Context, tried []string, look opening) (*session, error) {
	config, err := s.without(ctx, tried)
	if err != nil {
		return nil, err
	}
	return s.openOn(ctx, config, look)
}

func (s *Source) openOn(ctx context.Context, config *Config, look opening) (*session, error) {
	c, err := dial(ctx, s.dialOptions(config, nil))
	if err != nil {
		return nil, err
	}
	x := &session{s: s, c: c, hash: newDNHasher(), opened: s.options.Now()}
	if err := look(x, ctx); err != nil {
		_ = c.Close()
		return x, err
	}
	return x, nil
}

// preflight looks, on the connection that will be used, whether its answers can be trusted.
func (x *session) preflight(ctx context.Context) error {
	if err := x.glance(ctx); err != nil {
		return err
	}
	return x.trust(ctx)
}

// trust is the part of the preflight that says who belongs to the scope and whether the account sees enough.
func (x *session) trust(ctx context.Context) error {
	if err := x.readGroups(ctx); err != nil {
		return err
	}
	return x.checkCanaries(ctx)
}

// glance is the part of the preflight that questions about a few people need at once.
func (x *session) glance(ctx context.Context) error {
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
	return nil
}

// forget makes the session ask for groups and canaries anew: what was found gets old while changes come in.
func (x *session) forget() {
	x.asked, x.missing, x.probed = false, nil, false
	x.grouped, x.groups, x.guarded, x.packages = false, nil, nil, nil
}

// checkCanaries looks for the canaries, once.
func (x *session) checkCanaries(ctx context.Context) error {
	if x.asked {
		return nil
	}
	x.missing = nil
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
	x.asked = true
	return nil
}

// canaryOutside says why a canary that exists is not in scope by its DN.
func (x *session) canaryOutside(canary place) string {
	if why := x.s.scope.outside([]byte(canary.folded)); why != "" {
		return fmt.Sprintf("the canary %s is out of scope: %s", canary.text, why)
	}
	return ""
}

// readGroups closes over the groups of the scope, the protected ones and those that give packages, once.
func (x *session) readGroups(ctx context.Context) error {
	c := &x.s.config
	all := x.s.ruleGroups()
	if x.grouped || len(all) == 0 {
		return nil
	}
	g := &groupReader{c: x.c, hash: x.hash, read: map[string]*group{}}
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
	x.packages = nil
	for _, r := range x.s.options.Packages {
		members, err := closeOver([]string{r.Group}, read)
		if err != nil {
			return err
		}
		x.packages = append(x.packages, packageRule{members, r.Package})
	}
	x.grouped = true
	return nil
}

// ruleGroups are the groups that say something of their members: those of the scope, the protected ones and
// those that give packages.
func (s *Source) ruleGroups() []string {
	all := slices.Concat(s.config.Groups, s.guarded)
	for _, r := range s.options.Packages {
		all = append(all, r.Group)
	}
	return all
}

// memberSets are who is in each of the rule groups, as far as they were read; nil where there are none.
func (x *session) memberSets() []*memberSet {
	sets := []*memberSet{x.groups, x.guarded}
	for _, r := range x.packages {
		sets = append(sets, r.members)
	}
	return sets
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

// reader makes records; it reads the groups if nobody has.
func (x *session) reader(ctx context.Context) (*recordReader, error) {
	if err := x.readGroups(ctx); err != nil {
		return nil, err
	}
	l := x.s.layout
	return &recordReader{
		layout: l, scope: x.s.scope, groups: x.groups, guarded: x.guarded, protected: x.s.protected,
		packages: x.packages, named: len(x.s.config.GroupBases) > 0,
		hash: x.hash, now: x.s.options.Now(), slots: make([][][]byte, len(l.names)),
	}, nil
}
