package scim

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"usherd/connector"
	"usherd/scim/patch"
	"usherd/scim/resource"
)

// said is what a request says of a user: what it names, and only that.
type said struct {
	profile    connector.Profile
	active     *bool
	externalID *string
	shown      connector.Profile // that the client saw before, where the request changes single attributes
	notes      []patch.Quirk     // what of the request was done otherwise, or left out
	notTaken   []string          // why nothing but the state was changed
}

// maxKey is how many characters an externalId and the name of a group may have: both are looked up. What else a
// person has, the rules for people bound.
const maxKey = 1024

// fits refuses what is longer than maxKey, or than any store takes.
func fits(attribute, value string) error {
	if utf8.RuneCountInString(value) <= maxKey && len(value) <= connector.MaxAnchor {
		return nil
	}
	return badValue(fmt.Sprintf("%s is longer than %d characters or %d bytes", attribute, maxKey, connector.MaxAnchor))
}

// sayings reads the User that a request comes to.
func sayings(res *patch.Result) (said, error) {
	r := res.Resource
	s := said{profile: resource.ToProfile(r), notes: res.Notes}
	if v, ok := r["active"].(bool); ok && res.Named["active"] { // what is not named stays
		s.active = &v
	}
	v, ok := r["externalId"].(string)
	if ok {
		s.externalID = &v
	}
	return s, fits("externalId", v)
}

// record is what the client says of the person, id being the user's. The anchor is that of before where the request
// says nothing of it.
func (s *said) record(id connector.ID, before connector.Anchor) *connector.Record {
	rec := &connector.Record{Anchor: before, User: id, Attributes: resource.Attributes(s.profile)}
	if before.IsZero() {
		rec.Anchor = connector.AnchorOf(id)
	}
	switch {
	case s.externalID == nil:
	case *s.externalID == "":
		rec.Anchor = connector.AnchorOf(id)
	default:
		rec.Anchor = connector.Anchor{Kind: connector.TextAnchor, Raw: *s.externalID}
	}
	if s.active != nil {
		rec.Enabled = connector.EnabledNo
		if *s.active {
			rec.Enabled = connector.EnabledYes
		}
	}
	return rec
}

// protected reports whether the configuration names the person as one whom no source may deactivate.
func (x *exchange) protected(p connector.Profile) bool {
	src := x.org.Settings.Source(x.source)
	return src != nil && slices.ContainsFunc(src.Protected.Users, func(name string) bool {
		name = connector.Fold(name)
		return name == connector.Fold(p.Get(connector.UserName)) || slices.ContainsFunc(p.Emails(), func(e string) bool { return connector.Fold(e) == name })
	})
}

// differs tells what of a request the user does not show, because another source owns it or has decided otherwise. It
// is stored all the same, and counts as soon as that source has no word on it. A nil s asked for nothing.
func (s *said) differs(u *connector.User) []string {
	if s == nil {
		return nil
	}
	out := left(s.notes)
	if len(s.notTaken) > 0 {
		return append(out, s.notTaken...)
	}
	for _, f := range connector.Diff(&connector.User{Profile: u.Profile}, &connector.User{Profile: s.profile}) {
		if s.shown != nil && slices.Equal(s.shown[f.Field], f.After) || s.shown == nil && f.After == nil || same(f.Before, f.After) {
			continue // the request did not touch it
		}
		out = append(out, f.Field+" is owned by another source of this organization: what was sent is kept behind it")
	}
	switch {
	case s.active == nil || *s.active == active(u):
	case u.DeactivatedBy == connector.ByAdministrator:
		out = append(out, "the user stays inactive: an administrator deactivated it, and only an administrator can reactivate it")
	case *s.active:
		out = append(out, "the user stays inactive: source "+u.DeactivatedSource+" has deactivated it")
	default:
		out = append(out, "the user stays active: another source of higher priority has it so")
	}
	return out
}

// same reports whether two lists have the same values in any order. Blanks around a value are none of it: a mapping may
// leave them out.
func same(a, b []string) bool {
	return slices.Equal(bare(a), bare(b))
}

// bare are the values without blanks around them, sorted.
func bare(values []string) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = strings.TrimSpace(v)
	}
	slices.Sort(out)
	return out
}

// left are the quirks by which something of a request was left out.
func left(quirks []patch.Quirk) (out []string) {
	for _, q := range quirks {
		if q.ID == patch.UnknownAttribute || q.ID == patch.ReadOnlyIgnored {
			out = append(out, q.Where+": "+q.Text)
		}
	}
	return out
}
