package ldapsync

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"usherd/connector"
)

const sampleSize = 500 // entries that Check reads

// Check goes the whole way to the directory and tells observe of each step as it ends: resolve, connect,
// tls and bind of each server tried, then root DSE, base, groups, canary, sample, group base and changes. It goes on where a
// step does not need the one before, changes nothing, and returns all errors joined; a remedy stands in
// each one's Hint.
func (s *Source) Check(ctx context.Context, observe func(Step)) error {
	if observe == nil {
		observe = func(Step) {}
	}
	config := s.config
	c, err := dial(ctx, s.dialOptions(&config, observe))
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // nothing was written
	k := &checking{x: &session{s: s, c: c, hash: newDNHasher(), opened: s.options.Now()}, observe: observe}
	k.all(ctx)
	return errors.Join(k.faults...)
}

// checking is one Check.
type checking struct {
	x       *session
	observe func(Step)
	faults  []error
}

// step runs f, tells of it and keeps its error.
func (k *checking) step(name string, f func() (string, error)) {
	if k.x.c.broken.Load() { // told already
		return
	}
	now := k.x.s.options.Now
	start := now()
	detail, err := f()
	k.observe(Step{Name: name, Server: k.x.c.server, Detail: detail, Took: now().Sub(start), Err: err})
	if err != nil {
		k.faults = append(k.faults, err)
	}
}

func (k *checking) all(ctx context.Context) {
	x := k.x
	k.step("root DSE", func() (string, error) {
		var err error
		if x.root, err = readRoot(ctx, x.c); err != nil {
			return "", err
		}
		detail := x.root.describe()
		if misfit := x.root.misfit(x.s.config.Type); misfit != "" {
			detail = misfit + "; " + detail
		}
		return detail, checkRoot(&x.root, x.c.server)
	})
	for _, base := range x.s.config.Bases {
		k.step("base", func() (string, error) { return base, checkBase(ctx, x.c, base) })
	}
	if len(x.s.config.Groups)+len(x.s.guarded)+len(x.s.options.Packages) > 0 {
		k.step("groups", func() (string, error) {
			err := x.readGroups(ctx)
			return x.describeGroups(), err
		})
	}
	for _, canary := range x.s.canaries {
		k.step("canary", func() (string, error) { return canary.text, k.canary(ctx, canary) })
	}
	for _, base := range x.s.config.Bases {
		k.step("sample", func() (string, error) { return k.sample(ctx, base) })
	}
	for _, base := range x.s.config.GroupBases {
		k.step("group base", func() (string, error) { return k.groupBase(ctx, base) })
	}
	k.step("changes", func() (string, error) { return k.changes(ctx) })
}

// changes tells how changes between full reads will be found, and what is missing for it. It is only an error
// where the configuration insists on one way.
func (k *checking) changes(ctx context.Context) (string, error) {
	const full = "changes are found by full reads only"
	by := k.x.s.config.Changes
	if by == NoChanges {
		return "off: " + full, nil
	}
	m, _, refused, err := k.x.mark(ctx)
	switch {
	case err != nil:
		return "", err
	case m == nil && refused == nil:
		return full + ": " + k.x.root.lacks(), nil
	case m == nil && by != "" && by != Auto:
		return "", refused
	case m == nil:
		return fmt.Sprintf("%s: %v: %s", full, refused, connector.HintOf(refused)), nil
	}
	detail := string(m.by())
	if d, ok := m.(describer); ok {
		if text, _ := d.describe(); text != "" {
			detail += "; " + text
		}
	}
	return detail, nil
}

// lacks says what a server needs to tell of changes.
func (d *rootDSE) lacks() string {
	switch d.kind() {
	case OpenLDAP:
		return "the server announces no content synchronization: load the overlay syncprov on its database"
	case DS389:
		return "the server announces no content synchronization: enable its plugins Retro Changelog and Content Synchronization"
	case ActiveDirectory, LDAP:
	}
	return "the server announces no way to tell of them that is known here"
}

func (x *session) describeGroups() string {
	var parts []string
	if x.groups != nil {
		parts = append(parts, fmt.Sprintf("%d members of the scope's groups", len(x.groups.dns)))
	}
	if x.guarded != nil {
		parts = append(parts, fmt.Sprintf("%d members of protected groups", len(x.guarded.dns)))
	}
	for _, r := range x.packages {
		parts = append(parts, fmt.Sprintf("%d members of a group that gives %s", len(r.members.dns), r.pkg))
	}
	return strings.Join(parts, "; ")
}

// groupBase reads the first groups of a base and tells how many there are.
func (k *checking) groupBase(ctx context.Context, base string) (string, error) {
	x := k.x
	r := newGroupReading(x)
	count, empty, unnamed := 0, 0, 0
	end, err := x.c.search(ctx, searchRequest{
		Base: base, Scope: ldap.ScopeWholeSubtree, Filter: x.s.config.groupFilter(), Attributes: r.names, SizeLimit: sampleSize,
	}, func(e *entry) error {
		count++
		if err := r.head(e); err != nil {
			return err
		}
		parts, _, err := membersIn(e, r.names, r.take)
		if len(r.rec.Members)+len(parts) == 0 {
			empty++
		}
		if r.fault != nil {
			unnamed++
		}
		return err
	})
	if err != nil {
		return "", r.explain(base, err)
	}
	detail := fmt.Sprintf("%d groups sampled below %s, %d without members of their own", count, base, empty)
	if !end.Complete && count < sampleSize {
		detail += "; " + end.Why
	}
	switch {
	case count == 0:
		err = &connector.Error{
			Kind: connector.Incomplete, Op: "ldapsync: group base", Err: fmt.Errorf("no group matches the filter %s", x.s.config.groupFilter()),
			Hint: "correct group_filter or group_bases, or give the service account the right to read there",
		}
	case unnamed > 0:
		err = &connector.Error{
			Kind: connector.Incomplete, Op: "ldapsync: group base", Err: fmt.Errorf("%d of %d groups have no %s", unnamed, count, r.form.attribute),
			Hint: "give the service account the right to read it: until then no group is removed",
		}
	}
	return detail, err
}

func (k *checking) canary(ctx context.Context, canary place) error {
	why, err := checkCanary(ctx, k.x.c, canary.text, k.x.s.config.filter())
	if err == nil && why == "" {
		why = k.x.canaryOutside(canary)
	}
	if err != nil || why == "" {
		return err
	}
	return &connector.Error{
		Kind: connector.Refused, Op: "ldapsync: canary", Err: errors.New(why),
		Hint: "every read would count as incomplete: correct canaries, filter or the account's rights",
	}
}

// sample reads the first entries of a base and tells how many have what.
func (k *checking) sample(ctx context.Context, base string) (string, error) {
	x := k.x
	r, err := x.reader(ctx)
	if err != nil {
		return "", err
	}
	r.present = make([]int, len(x.s.layout.names))
	count, outside, faulty, unnamed := 0, 0, 0, 0
	end, err := x.c.search(ctx, searchRequest{
		Base: base, Scope: ldap.ScopeWholeSubtree, Filter: x.s.config.filter(), Attributes: x.s.layout.names, SizeLimit: sampleSize,
	}, func(e *entry) error {
		rec, _ := r.read(e)
		r.count()
		count++
		if rec.OutOfScope != "" {
			outside++
		}
		if rec.Fault != "" {
			faulty++
		}
		if rec.Anchor.IsZero() {
			unnamed++
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	detail := fmt.Sprintf("%d people sampled below %s, %d out of scope, %d unreadable%s", count, base, outside, faulty, r.shares(count))
	if !end.Complete && count < sampleSize {
		detail += "; " + end.Why
	}
	return detail, k.judgeSample(base, count, unnamed, end)
}

func (k *checking) judgeSample(base string, count, unnamed int, end searchEnd) error {
	op := fmt.Sprintf("ldapsync: sample of %q", base)
	switch {
	case count == 0 && end.Referrals > 0:
		return &connector.Error{
			Kind: connector.Incomplete, Op: op, Err: fmt.Errorf("no entry, only %d search references to other servers", end.Referrals),
			Hint: "this server does not hold the people: correct bases, or name a server that holds them",
		}
	case count == 0:
		return &connector.Error{
			Kind: connector.Incomplete, Op: op, Err: fmt.Errorf("no entry matches the filter %s", k.x.s.config.filter()),
			Hint: k.x.orType("correct filter or bases, or give the service account the right to read there"),
		}
	case unnamed == count:
		return &connector.Error{
			Kind: connector.Incomplete, Op: op, Err: fmt.Errorf("no entry has %s", k.x.s.layout.anchor.attribute),
			Hint: k.x.orType("give the service account the right to read it, or set anchor to an attribute that all people have and that never changes"),
		}
	}
	return nil
}

// orType puts before a hint that the type does not fit, where it does not: then little else can.
func (x *session) orType(hint string) string {
	if misfit := x.root.misfit(x.s.config.Type); misfit != "" {
		return misfit + "; else " + hint
	}
	return hint
}

// shares tells which attributes all of the entries had, which only some, and which none.
func (r *recordReader) shares(of int) string {
	var all, some, none []string
	for i, n := range r.present {
		switch name := r.layout.names[i]; {
		case !r.layout.counted(i):
		case n == of:
			all = append(all, name)
		case n == 0:
			none = append(none, name)
		default:
			some = append(some, fmt.Sprintf("%s %d of %d", name, n, of))
		}
	}
	var text strings.Builder
	for _, part := range []struct {
		title string
		names []string
	}{{"all have", all}, {"some have", some}, {"nobody has", none}} {
		if len(part.names) > 0 {
			text.WriteString("; " + part.title + ": " + strings.Join(part.names, ", "))
		}
	}
	return text.String()
}
