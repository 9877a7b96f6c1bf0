package provision

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"usherd/connector"
	"usherd/connector/mapping"
	"usherd/connector/policy"
)

// decision is one person on the way through the house.
type decision struct {
	org *connector.Organization
	src *connector.SourceSettings

	rec    *connector.Record
	hash   connector.Hash
	mapped connector.Mapped
	unsaid []string // targets about which a file says nothing

	user     *connector.User  // that the record is about; nil = there is none
	link     *connector.Link  // ours; nil = not linked yet
	others   []connector.Link // of the user, from other sources
	sibling  *connector.Link  // the one of them whose profile must be written out now
	former   *connector.Link  // ours under that anchor
	replaces connector.Anchor // the anchor that the person had before it was created anew
	rival    connector.Anchor // the anchor of this source that holds the matched user
	ordinal  int32            // among the decisions of a plan

	profile connector.Profile // folded from all sources
	pkg     string
	says    connector.Standing // what the sources say together
	saysSrc string             // the one that decides it

	displaced bool    // names of the deleted were given up for it
	clashes   []int32 // changes of the same plan that want the same names
	failures  []connector.Failure
	warnings  []string
	change    *connector.Change
}

// decide takes a batch of records through the five steps. It reads in bulk between them and writes
// nothing; every door and every mode comes through here. A decision's change never checks that a
// seat is free: that is settled where seats are given (Tx.Save, and Plan's own count).
func (p *Provisioner) decide(ctx context.Context, r connector.Reader, f *facts, source string, records []*connector.Record) ([]*decision, error) {
	src, m, err := p.source(source)
	if err != nil {
		return nil, err
	}
	return p.decideMapped(ctx, r, f, src, m, records)
}

// decideMapped is decide with a mapping that need not be the source's own.
func (p *Provisioner) decideMapped(
	ctx context.Context, r connector.Reader, f *facts, src *connector.SourceSettings, m *mapping.Mapping, records []*connector.Record,
) ([]*decision, error) {
	hasher := src.Hasher()
	ds := make([]*decision, len(records))
	for i, rec := range records {
		rec = keyed(rec, src)
		ds[i] = &decision{org: p.o.Org, src: src, rec: rec, hash: hasher.Hash(rec)}
		ds[i].mapRecord(m)
	}
	if err := f.loadPeople(ctx, r, p.o.Org, src.ID, ds); err != nil {
		return nil, err
	}
	for _, d := range ds {
		came := d.rec
		if d.match(f); d.rec != came { // under another anchor
			d.hash = hasher.Hash(d.rec)
		}
		d.fold()
	}
	if err := f.loadRules(ctx, r, p.o.Org.ID, ds); err != nil {
		return nil, err
	}
	for _, d := range ds {
		d.check(f)
		d.transition(f)
		d.record(f)
		f.planned.add(d)
	}
	return ds, nil
}

// mapRecord is step 1: the record as a profile. A package that the mapping gives goes before that of a group.
func (d *decision) mapRecord(m *mapping.Mapping) {
	if d.rec.Fault == "" && !d.rec.Gone {
		d.mapped = m.Map(d.rec)
		d.mapped.Package = cmp.Or(d.mapped.Package, d.rec.Package)
		if d.src.Kind.Brought() {
			d.unsaid = m.Omitted(d.rec)
		}
	}
}

// match is step 2: the user that the record is about. Its id decides where the source says it, then the link;
// without one, the first matching attribute that anybody holds.
func (d *decision) match(f *facts) {
	if d.named(f) {
		return
	}
	if l, ok := f.links[d.rec.Anchor]; ok {
		if u := f.users[l.User]; u != nil && u.State.Live() {
			d.link, d.user = &l, u
			d.others = without(f.linksOf[u.ID], d.src.ID)
			return
		}
	}
	if d.rec.Gone || d.rec.OutOfScope != "" || d.rec.Fault != "" {
		return
	}
	for _, k := range matchKeys(d.org, d.src, d.mapped.Profile) {
		hits := f.byKey[k]
		switch {
		case len(hits) == 0:
			continue
		case f.planned.free(k) && f.inSource(hits[0], d.src.ID):
			continue // who is in this source too and gives the value up is another person
		case len(hits) > 1:
			d.fail(connector.AmbiguousMatch, k.Kind, "several users have this value")
			return
		}
		d.take(f, f.users[hits[0]], k)
		return
	}
}

// take links the record to a user found by matching, unless another anchor of the same source holds
// it. One that has left the source holds nobody: the person was created anew there.
func (d *decision) take(f *facts, u *connector.User, k connector.UserKey) {
	for _, l := range f.linksOf[u.ID] {
		if l.Source != d.src.ID {
			continue
		}
		if l.Standing != connector.StandingGone && !f.gone[l.Anchor] && !d.returns(u) {
			d.rival = l.Anchor
			switch d.src.Kind { //nolint:exhaustive // the others are read
			case connector.SCIM:
				d.fail(taken(k), k.Kind, "a user with this value is there, whom the client calls something else")
				return
			case connector.Template:
				d.fail(taken(k), k.Kind, "another subscriber has activated with it")
				return
			}
			d.fail(connector.AmbiguousMatch, k.Kind, "the user with this value is linked to another entry of this source: "+l.DN)
			return
		}
		d.replaces, d.former = l.Anchor, &l
	}
	if i, ok := f.planned.linker(u.ID); ok {
		d.clashes = append(d.clashes, i)
		d.fail(connector.AmbiguousMatch, k.Kind, "two entries of this source match the same user")
		return
	}
	d.user = u
	d.others = without(f.linksOf[u.ID], d.src.ID)
	d.anchorByID()
}

// fold makes of what all sources say one profile, one package and one standing. Sources that have lost
// the person count only when all have: then what they said last stays.
func (d *decision) fold() {
	d.keepUnsaid()
	own := policy.Contribution{Source: d.src.ID, Profile: d.mapped.Profile, Package: d.mapped.Package}
	standing := d.standing()
	if !present(standing) {
		own.Profile, own.Package = d.lastKnown()
	}
	says := map[string]connector.Standing{d.src.ID: standing}
	all := []policy.Contribution{own}
	for _, l := range d.others {
		profile := l.Profile
		if profile == nil { // it was the only link, so the user's profile is its
			profile = d.user.Profile
			written := l
			written.Profile = profile
			d.sibling = &written
		}
		says[l.Source] = l.Standing
		all = append(all, policy.Contribution{Source: l.Source, Profile: profile, Package: l.Package})
	}
	if d.user != nil && d.link == nil && len(d.others) == 0 && d.former == nil {
		all = append(all, policy.Contribution{Profile: d.user.Profile}) // nobody's: comes last
	}
	d.says, d.saysSrc = verdict(d.org, says)
	d.profile, _, d.pkg = policy.Fold(d.org, counting(d.org, all, says))
	if d.user != nil && (d.user.PackageFixed || d.leaving() && d.org.InactiveHoldsSeat) {
		d.pkg = d.user.Package // who leaves with its seat is in nobody's queue for another one
	}
}

// keepUnsaid takes from the last file of the source what this one has no column for.
func (d *decision) keepUnsaid() {
	if d.link == nil {
		return
	}
	profile, pkg := d.lastKnown()
	for _, name := range d.unsaid {
		if v := profile[name]; len(v) > 0 {
			d.mapped.Profile.Set(name, v...)
		}
		if name == "package" {
			d.mapped.Package = cmp.Or(d.mapped.Package, pkg)
		}
	}
}

// counting leaves out what sources said that have lost the person, as long as another one has it whose word
// weighs as much: then only. Whether a source has it that is not configured any more nobody knows: its last word stays, behind
// all others, and keeps nobody else's away.
func counting(org *connector.Organization, all []policy.Contribution, says map[string]connector.Standing) []policy.Contribution {
	lost := func(c policy.Contribution) bool { return !present(says[c.Source]) }
	best := best(org, says)
	known := func(c policy.Contribution) bool {
		s := org.Source(c.Source)
		return !lost(c) && (c.Source == "" || s != nil && weight(s.Kind) == best)
	}
	if !slices.ContainsFunc(all, known) {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), lost)
}

// lastKnown is what our source said of the person when it last had it.
func (d *decision) lastKnown() (connector.Profile, string) {
	switch {
	case d.link == nil:
		return d.mapped.Profile, d.mapped.Package
	case d.link.Profile == nil:
		return d.user.Profile, d.link.Package
	}
	return d.link.Profile, d.link.Package
}

// standing is what our record says, in the words that the link keeps.
func (d *decision) standing() connector.Standing {
	switch {
	case d.rec.Fault != "": // what cannot be read changes nothing
	case d.rec.Gone:
		return connector.StandingGone
	case d.rec.OutOfScope != "":
		return connector.StandingOutOfScope
	case d.rec.Enabled == connector.EnabledNo:
		return connector.StandingDisabled
	case d.rec.Enabled == connector.EnabledYes:
		return connector.StandingEnabled
	}
	if d.link != nil {
		return d.link.Standing
	}
	return connector.StandingUnknown
}

// present reports whether there is a record behind a standing whose values count.
func present(s connector.Standing) bool {
	return s != connector.StandingGone && s != connector.StandingOutOfScope
}

// verdict is what the sources say together: the first in priority that has an opinion; where all
// that know the person have lost it, what the first of those says.
// That somebody signed in years ago, was announced once and has activated, or stood in a file is no word on whether the person is
// still there: it counts for those only whom no source with a better one has ever had.
func verdict(org *connector.Organization, says map[string]connector.Standing) (connector.Standing, string) {
	best := best(org, says)
	for i := range org.Sources {
		id := org.Sources[i].ID
		if s := says[id]; weight(org.Sources[i].Kind) == best && (s == connector.StandingEnabled || s == connector.StandingDisabled) {
			return s, id
		}
	}
	lost, first := connector.StandingUnknown, ""
	for i := range org.Sources {
		id := org.Sources[i].ID
		switch s, ok := says[id]; {
		case weight(org.Sources[i].Kind) < best:
		case ok && present(s):
			return s, id
		case ok && first == "":
			lost, first = s, id
		}
	}
	return lost, first
}

// best is the greatest weight among the sources that say something.
func best(org *connector.Organization, says map[string]connector.Standing) (most int) {
	for i := range org.Sources {
		if _, ok := says[org.Sources[i].ID]; ok {
			most = max(most, weight(org.Sources[i].Kind))
		}
	}
	return most
}

// weight says how much the word of a kind of source counts on whether a person is still there.
func weight(kind connector.SourceKind) int {
	switch kind { //nolint:exhaustive // all others follow the person
	case connector.SignIn:
		return 0
	case connector.Template, connector.Import, connector.SiteLink:
		return 1
	}
	return 2
}

// check is step 3: everything that the organization's rules hold against the profile.
func (d *decision) check(f *facts) {
	switch {
	case d.stranger() || f.signIn && d.turnedAway() || d.stayedOut():
		return
	case d.unborn() && d.says == connector.StandingDisabled:
		d.failures = nil // nobody is created, so nobody is in the way; but the rival may turn out to be gone, see keep
	case len(d.failures) > 0 && (!d.leaving() || d.src.Kind == connector.SCIM):
		return
	case d.rec.Fault != "":
		d.failures = nil
		d.fail(connector.AttributeInvalid, "", d.rec.Fault)
	case d.unborn():
		d.failures = nil
		if d.says == connector.StandingUnknown {
			d.fail(connector.AttributeInvalid, "", "whether the account is enabled cannot be read: give the service account the right to read it (Active Directory: userAccountControl)")
		}
	default:
		d.failures = policy.Check(policy.Input{
			Org: d.org, Source: d.src, Record: d.rec, Profile: d.profile, Said: d.mapped.Profile, Package: d.pkg,
			Faults: d.mapped.Faults, Domains: f.domains, TakenOver: f.takenOver, Code: d.code(),
			Holder: func(k connector.UserKey) (string, bool) { return d.holder(f, k) },
		})
		d.giveWay()
	}
	if d.leaving() && len(d.failures) > 0 && d.rec.Fault == "" && (d.user.State != connector.Inactive || !d.edits()) {
		// Access must end whatever is wrong with the entry: keep the profile as it was.
		d.tellNotTaken()
		d.failures, d.profile, d.pkg = nil, d.user.Profile, d.user.Package
	}
}

// unborn reports whether there is nobody, and nobody is created either. Who is pushed as disabled is created
// all the same, and deactivated with it: the client asks for the account that it has made.
// Whoever signs in is there, and so is who stands in a file that does not say anything else.
func (d *decision) unborn() bool {
	if d.src.Kind == connector.SignIn || d.src.Kind.Brought() && d.says == connector.StandingUnknown {
		return false
	}
	pushed := d.src.Kind == connector.SCIM && d.says == connector.StandingDisabled
	return d.user == nil && d.says != connector.StandingEnabled && !pushed
}

// leaving reports whether the user loses, or has lost, its account by what the sources say.
func (d *decision) leaving() bool {
	return d.user != nil && (d.says == connector.StandingDisabled || !present(d.says))
}

// edits reports whether a client wants another profile for somebody who loses, or has lost, its account. Where there
// is no access left to end, it is told what is wrong with that as of anybody else.
func (d *decision) edits() bool {
	return d.src.Kind == connector.SCIM && !d.rec.Gone &&
		len(connector.Diff(&connector.User{Profile: d.user.Profile}, &connector.User{Profile: d.profile})) > 0
}

// tellNotTaken tells a client that of its request only the end of the access was done, and why.
func (d *decision) tellNotTaken() {
	if !d.edits() {
		return
	}
	for _, f := range d.failures {
		d.warnings = append(d.warnings, "the access has ended, and nothing else was taken: "+strings.TrimSuffix(string(f.Reason)+", "+strings.Join(f.Fields, ", "), ", "))
	}
}

// giveWay drops the quarrel about a name with another entry of this run when the person would be refused
// without it: then it stands in nobody's way, as it would not have had it come first.
func (d *decision) giveWay() {
	taken := func(f connector.Failure) bool {
		return f.Reason == connector.UserNameTaken || f.Reason == connector.EmailTaken
	}
	own := slices.DeleteFunc(slices.Clone(d.failures), taken)
	if len(d.clashes) > 0 && len(own) > 0 {
		d.failures, d.clashes = own, nil
	}
}

// holder says who else holds a key: somebody stored, unless this plan takes it from him, or another
// change of this plan.
func (d *decision) holder(f *facts, k connector.UserKey) (string, bool) {
	for _, id := range f.byKey[k] {
		if d.user != nil && id == d.user.ID {
			return "", false
		}
		if !f.planned.free(k) {
			return "user " + f.users[id].Profile.Subject(), true
		}
	}
	if i, ok := f.planned.taker(k); ok && !d.leaving() {
		d.clashes = append(d.clashes, i)
		return "another entry of this source", true
	}
	return "", false
}

func (d *decision) code() connector.Code {
	if d.user == nil {
		return connector.CodeCreation
	}
	return connector.CodeUpdate
}

func (d *decision) fail(reason connector.Reason, field, detail string) {
	var fields []string
	if field != "" {
		fields = []string{field}
	}
	d.failures = append(d.failures, connector.Failure{Code: d.code(), Reason: reason, Fields: fields, Detail: detail})
}

func without(links []connector.Link, source string) []connector.Link {
	var out []connector.Link
	for _, l := range links {
		if l.Source != source {
			out = append(out, l)
		}
	}
	return out
}
