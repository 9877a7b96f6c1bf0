package provision

import (
	"time"

	"usherd/connector"
)

const externalID = "externalId"

// named is match for a record that says by id who it is; false where it does not, or the id is nobody's. What
// the source knows the person by may be another anchor than before.
func (d *decision) named(f *facts) bool {
	u := f.users[d.rec.User]
	if u == nil || !u.State.Live() {
		return false
	}
	for _, l := range f.linksOf[u.ID] {
		if l.Source == d.src.ID {
			d.link = &l
		}
	}
	d.user, d.others = u, without(f.linksOf[u.ID], d.src.ID)
	if l, ok := f.links[d.rec.Anchor]; ok && l.User != u.ID && f.users[l.User] != nil && f.users[l.User].State.Live() {
		d.fail(connector.AmbiguousMatch, externalID, "another user has this externalId")
	}
	if d.link != nil && d.link.Anchor != d.rec.Anchor {
		d.replaces = d.link.Anchor
	}
	return true
}

// returns reports whether a client may push a user anew that it knew by another anchor: one that is inactive.
func (d *decision) returns(u *connector.User) bool {
	return d.src.Kind == connector.SCIM && u.State == connector.Inactive
}

// anchorByID gives a record without a key of its own the anchor that its source has for the matched user
// already, or the user's id: the one that it came with was made for a new user.
func (d *decision) anchorByID() {
	if d.rec.Anchor.Kind != connector.ResourceID {
		return
	}
	rec := *d.rec
	rec.Anchor, d.replaces = d.replaces, connector.Anchor{}
	if rec.Anchor.IsZero() {
		rec.Anchor = connector.AnchorOf(d.user.ID)
	}
	d.rec = &rec
}

// nameless is the change without the anchor that was made for a user who is not created: the next try makes another
// one, and is about the same person.
func nameless(ch *connector.Change, id connector.ID) {
	if ch.BaseVersion != 0 || ch.Anchor != connector.AnchorOf(id) {
		return
	}
	ch.Anchor = connector.Anchor{}
	if ch.Waiting != nil {
		rec := *ch.Waiting
		rec.Anchor = connector.Anchor{}
		ch.Waiting = &rec
	}
}

// keyed gives the record of somebody who has waited without an anchor the one that goes with the id made for it.
func keyed(rec *connector.Record, src *connector.SourceSettings) *connector.Record {
	if src.Kind != connector.SCIM || !rec.Anchor.IsZero() || rec.User.IsZero() {
		return rec
	}
	again := *rec
	again.Anchor = connector.AnchorOf(rec.User)
	return &again
}

// deleted reports whether a client deletes a user, as it sees it.
func (d *decision) deleted() bool {
	return d.src.Kind == connector.SCIM && d.rec.Gone && d.user != nil && len(d.change.Failures) == 0 && d.change.Skip == ""
}

// newID is the id of a user that is created.
func (d *decision) newID(now time.Time) connector.ID {
	if d.rec.User.IsZero() {
		return connector.NewID(now)
	}
	return d.rec.User
}

// taken is the reason why nobody else can have a name.
func taken(k connector.UserKey) connector.Reason {
	if k.Kind == connector.Email {
		return connector.EmailTaken
	}
	return connector.UserNameTaken
}
