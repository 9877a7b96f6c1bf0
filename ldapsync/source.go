package ldapsync

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"usherd/connector"
)

// Options is what a Source is made of. Config, Attributes and Now must be given.
type Options struct {
	Config     Config
	Attributes []string // what the mapping reads, by the directory's names; records keep this order
	Protected  connector.Protected
	Packages   []connector.GroupPackage // which group gives which package; the first that fits counts
	Resolver   *net.Resolver            // nil = the machine's
	Now        func() time.Time
	// Dial opens connections to servers; nil = a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	poll time.Duration // between two questions of Follow; 0 = followPoll
}

// Source reads people from one directory. Its methods may be called concurrently: each Read and Groups has a
// connection of its own, Lookup, Find and RereadGroups take turns on one.
type Source struct {
	config    Config
	layout    *layout
	scope     *scope
	canaries  []place
	protected protectedNames
	guarded   []string // DNs of protected groups
	options   Options

	mu   turns
	kept *session    // of Lookup and Find
	idle *time.Timer // closes it
}

var _ connector.Source = (*Source)(nil)

// New makes a Source, without connecting. It fails with all faults of the configuration at once, joined,
// as a connector.Error of kind Invalid.
func New(o Options) (*Source, error) {
	var faults []error
	for _, f := range o.Config.Validate() {
		faults = append(faults, f)
	}
	if len(faults) > 0 {
		return nil, &connector.Error{Kind: connector.Invalid, Op: "ldapsync", Err: errors.Join(faults...)}
	}
	if o.Now == nil {
		return nil, &connector.Error{Kind: connector.Internal, Op: "ldapsync", Err: errors.New("no clock")}
	}
	s := &Source{mu: newTurns(), config: o.Config, options: o, layout: newLayout(&o)}
	s.protected = newProtectedNames(o.Protected.Users, s.layout.anchor.kind)
	var err error
	if s.scope, err = newScope(&s.config); err != nil {
		return nil, &connector.Error{Kind: connector.Invalid, Op: "ldapsync", Err: err}
	}
	for _, dn := range o.Protected.Groups {
		if _, err := foldDN(dn); err != nil {
			return nil, &connector.Error{
				Kind: connector.Invalid, Op: "ldapsync", Err: fmt.Errorf("the protected group %q is not a DN: %w", dn, err),
				Hint: "write the DN of the group, such as CN=Admins,OU=Groups,DC=example,DC=com",
			}
		}
		s.guarded = append(s.guarded, dn)
	}
	for _, r := range o.Packages {
		if _, err := foldDN(r.Group); err != nil {
			return nil, &connector.Error{Kind: connector.Invalid, Op: "ldapsync", Err: fmt.Errorf("the group %q is not a DN: %w", r.Group, err)}
		}
	}
	for _, dn := range s.config.Canaries {
		folded, err := foldDN(dn)
		if err != nil {
			return nil, &connector.Error{Kind: connector.Invalid, Op: "ldapsync", Err: err}
		}
		s.canaries = append(s.canaries, place{folded, dn})
	}
	return s, nil
}

// Read yields a record for every entry that the filter finds below the bases, paged and in constant
// memory but for 16 to 40 bytes an anchor. The error of yield is returned as it is.
//
// It fails when a server cannot be reached or read, and when nothing at all was found; another server
// is tried only as long as no record has been yielded. It is Complete only when every base was read to
// its positive end, all canaries were seen, and every entry had the anchor that all entries of such a
// directory have.
//
// A record whose Fault is set still says that somebody is there; each of several entries with one anchor
// has a Fault. An anchor comes a second time only when its entry moved, or got a double, while it was
// read: the last record of an anchor counts.
func (s *Source) Read(ctx context.Context, yield func(*connector.Record) error) (connector.ReadResult, error) {
	start := s.options.Now()
	var tried []string
	for {
		r := &reading{s: s, yield: yield}
		err := r.run(ctx, tried)
		r.result.Took = s.options.Now().Sub(start)
		if err == nil || r.yielded || !worthAnother(ctx, err) || r.result.Server == "" {
			r.result.Complete = r.result.Complete && err == nil
			return r.result, err
		}
		if tried = append(tried, r.result.Server); !s.others(ctx, tried) {
			return r.result, err
		}
	}
}

// worthAnother reports whether another server may do better.
func worthAnother(ctx context.Context, err error) bool {
	kind := connector.KindOf(err)
	return ctx.Err() == nil && !errors.Is(err, errEmpty) && (kind == connector.Unavailable || kind == connector.Incomplete)
}

// others reports whether there is a server that was not tried.
func (s *Source) others(ctx context.Context, tried []string) bool {
	c, err := s.without(ctx, tried)
	return err == nil && len(c.Servers) > 0
}

// without returns the configuration with the servers that were not tried yet.
func (s *Source) without(ctx context.Context, tried []string) (*Config, error) {
	c := s.config
	if len(tried) == 0 {
		return &c, nil
	}
	o := s.dialOptions(&c, nil)
	list, err := o.targets(ctx)
	if err != nil {
		return nil, err
	}
	c.Servers, c.Domain = nil, ""
	for _, t := range list {
		if !contains(tried, t.url) {
			c.Servers = append(c.Servers, t.url)
		}
	}
	return &c, nil
}

func contains(list []string, s string) bool {
	return slices.ContainsFunc(list, func(l string) bool { return strings.EqualFold(l, s) })
}

func (s *Source) dialOptions(c *Config, observe func(Step)) dialOptions {
	resolver := s.options.Resolver
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	return dialOptions{Config: c, Resolver: resolver, Observe: observe, Now: s.options.Now, Dial: s.options.Dial}
}

// Close closes the connection that Lookup and Find keep. The Source may be used again.
func (s *Source) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop()
	return nil
}
