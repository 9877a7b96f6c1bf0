package provision

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"usherd/connector"
	"usherd/connector/policy"
)

// What one explanation shows of a raw record at most.
const (
	maxRawValues = 100
	maxRawBytes  = 4096
)

// timeText is an instant in a sentence.
func timeText(t time.Time) string { return t.UTC().Format("2006-01-02 15:04Z") }

// attributes names for each value the record that owns it, by the same fold that decided it.
func (x *explainer) attributes() []ExplainedAttribute {
	out := make([]ExplainedAttribute, 0, len(x.user.Profile))
	profile, owners, _ := policy.Fold(x.org, x.counting)
	for _, name := range x.user.Profile.Names() {
		m := x.marks[name]
		a := ExplainedAttribute{Name: name, Values: x.user.Profile[name], Source: m.source, Since: m.at.UTC(), Run: m.cause.Run}
		if !x.past && len(x.counting) > 0 {
			owner, owned := owners[name]
			if len(x.counting) == 1 {
				owner, owned = x.counting[0].Source, len(profile[name]) > 0
			}
			a.Kept = !owned || !slices.Equal(profile[name], a.Values)
			if !a.Kept {
				a.Source = owner
			}
			a.Others = x.others(name, a)
		}
		a.Rule = x.rule(a.Source, name)
		out = append(out, a)
	}
	return out
}

// others is what the sources beside the owner have for an attribute.
func (x *explainer) others(name string, a ExplainedAttribute) []Offer {
	var out []Offer
	for _, c := range x.offers {
		if len(c.Profile[name]) == 0 || c.Source == a.Source && !a.Kept {
			continue
		}
		out = append(out, Offer{Source: c.Source, Values: c.Profile[name], Why: x.whyNot(name, a, c)})
	}
	return out
}

// whyNot says why a contribution does not own the attribute.
func (x *explainer) whyNot(name string, a ExplainedAttribute, c policy.Contribution) string {
	counts := slices.ContainsFunc(x.counting, func(k policy.Contribution) bool { return k.Source == c.Source })
	named := x.org.Owners[name]
	switch {
	case a.Kept:
		return x.say("not.kept", nil)
	case !counts:
		return x.say("not.lost", nil)
	case x.org.Source(c.Source) == nil:
		return x.say("not.configured", nil)
	case slices.Contains(named, a.Source):
		return x.say("not.owner", values{"Owners": strings.Join(named, ", ")})
	}
	return x.say("not.first", values{"Source": a.Source})
}

// rule is the mapping rule of a source for a target; nil when there is none, or no such source any more.
func (x *explainer) rule(source, target string) *Rule {
	m := x.p.o.Mappings[source]
	if m == nil {
		return nil
	}
	o, ok := m.Origin(target)
	if !ok {
		return nil
	}
	r := &Rule{Expression: o.Expression, Attributes: o.Attributes}
	if x.req.Place != nil {
		if file, line := x.req.Place(source, target); line > 0 {
			r.File, r.Line = file, line
		}
	}
	return r
}

// pkg says who gives the package.
func (x *explainer) pkg() ExplainedPackage {
	u := x.user
	p := ExplainedPackage{ID: u.Package, By: GivenByNobody, Holds: u.HoldsSeat(x.org.InactiveHoldsSeat), Waiting: x.waiting}
	if own, ok := x.org.Package(u.Package); ok {
		p.Name = own.Name
	}
	p.Seats = x.seatsOf(u.Package)
	if x.waiting != nil {
		p.Seats = x.seatsOf(x.waiting.Package)
	}
	given, source := policy.PackageOf(x.org, x.counting)
	switch {
	case !u.State.Live():
	case u.PackageFixed:
		p.By, p.Actor = GivenByAdministrator, x.marks[connector.FieldPackageFixed].cause.Actor
	case x.past || given != u.Package || len(x.counting) == 0:
		if m := x.marks[connector.FieldPackage]; u.Package != "" {
			p.By, p.Source = GivenBefore, m.source
		}
	case source == "" && given != "":
		p.By = GivenByOrganization
	case source != "":
		p.By, p.Source = GivenBySource, source
		i := slices.IndexFunc(x.counting, func(c policy.Contribution) bool { return c.Source == source })
		if x.counting[i].Package != "" {
			p.By, p.Rule = GivenByMapping, x.rule(source, "package")
		}
	}
	return p
}

func (x *explainer) seatsOf(pkg string) *connector.SeatCount {
	for _, s := range x.seats {
		if s.Package == pkg && pkg != "" {
			return &s
		}
	}
	return nil
}

// records are the entries behind the user, by priority.
func (x *explainer) records() []ExplainedRecord {
	out := make([]ExplainedRecord, 0, len(x.links))
	for _, l := range x.links {
		r := ExplainedRecord{
			Source: l.Source, Anchor: l.Anchor.String(), DN: l.DN, Standing: l.Standing, Protected: l.Protected,
			AppliedAt: l.UpdatedAt.UTC(), Run: l.Run, Fresh: x.fresh[l.Anchor], Later: x.past && l.UpdatedAt.After(x.at),
			Place: 1 + slices.IndexFunc(x.org.Sources, func(s connector.SourceSettings) bool { return s.ID == l.Source }),
		}
		if r.Later {
			r.Standing, r.Protected = connector.StandingUnknown, false
		}
		out = append(out, r)
	}
	return out
}

// failures are the open items in the catalogue's words.
func (x *explainer) failures() []ExplainedFailure {
	var out []ExplainedFailure
	for _, i := range x.items {
		f := ExplainedFailure{
			Code: i.Code, Reason: i.Reason, Fields: i.Fields, Detail: i.Detail, Source: i.Source, DN: i.DN, Ref: i.Ref,
			FirstSeen: i.FirstSeen.UTC(), LastSeen: i.LastSeen.UTC(), Count: i.Count,
		}
		if x.req.Words != nil {
			f.Title, f.Remedy = x.req.Words(i.Failure)
		}
		out = append(out, f)
	}
	return out
}

// askFresh asks the sources for the records as they are at this moment.
func (x *explainer) askFresh(ctx context.Context) error {
	x.fresh = map[connector.Anchor]*FreshRecord{}
	for _, l := range x.links {
		from := x.req.Fresh[l.Source]
		if from == nil {
			continue
		}
		rec, presence, err := from.Lookup(ctx, l.Anchor)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			x.fresh[l.Anchor] = &FreshRecord{Error: err.Error()}
			continue
		}
		x.fresh[l.Anchor] = x.freshRecord(l, rec, presence)
	}
	return nil
}

func (x *explainer) freshRecord(l connector.Link, rec *connector.Record, presence connector.Presence) *FreshRecord {
	out := &FreshRecord{Presence: map[connector.Presence]string{
		connector.PresentInScope: "present", connector.PresentOutOfScope: "out_of_scope", connector.PresenceGone: "gone",
		connector.PresenceUnreadable: "unreadable",
	}[presence]}
	if out.Presence == "" {
		out.Presence = "unknown"
	}
	if rec == nil {
		out.Applied = presence == connector.PresenceGone && l.Standing == connector.StandingGone
		return out
	}
	out.Enabled = map[connector.Enabled]string{connector.EnabledYes: "yes", connector.EnabledNo: "no"}[rec.Enabled]
	if out.Enabled == "" {
		out.Enabled = "unknown"
	}
	for _, why := range []string{rec.Fault, rec.OutOfScope, rec.EnabledReason} {
		if out.Reason == "" {
			out.Reason = why
		}
	}
	if src := x.org.Source(l.Source); src != nil {
		h := src.Hasher()
		out.Applied = h.Hash(rec) == l.Hash
	}
	out.Attributes = make(map[string][]string, len(rec.Attributes))
	for _, a := range rec.Attributes {
		out.Attributes[a.Name] = rawTexts(a.Values)
	}
	return out
}

// rawTexts are raw values as text: what is none, in base64. Long ones and long lists are cut.
func rawTexts(values [][]byte) []string {
	var out []string
	for i, v := range values {
		if i == maxRawValues {
			return append(out, fmt.Sprintf("... and %d more", len(values)-i))
		}
		cut := ""
		if len(v) > maxRawBytes {
			v, cut = v[:maxRawBytes], fmt.Sprintf("... of %d bytes", len(v))
			for len(v) > maxRawBytes-utf8.UTFMax && !utf8.Valid(v) {
				v = v[:len(v)-1]
			}
		}
		if s := string(v); utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0 {
			out = append(out, s+cut)
			continue
		}
		out = append(out, "base64:"+base64.StdEncoding.EncodeToString(v)+cut)
	}
	return out
}
