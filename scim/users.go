package scim

import (
	"context"
	"net/http"
	"time"

	"go.uber.org/zap"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/scim/patch"
	"usherd/scim/resource"
	"usherd/scim/schema"
)

var userHandlers = handlers{
	get: (*exchange).getUser, put: (*exchange).putUser, patch: (*exchange).patchUser, remove: (*exchange).deleteUser,
}

// retryWindow is how long a POST that comes again, the same word for word, is taken for the repetition of one whose
// answer was lost.
const retryWindow = 10 * time.Minute

func (x *exchange) getUser(id connector.ID) (*answer, error) {
	u, err := x.user(id)
	if err != nil {
		return nil, err
	}
	return x.userAnswer(http.StatusOK, u, nil)
}

// user reads a user as the client sees it.
func (x *exchange) user(id connector.ID) (*connector.ClientUser, error) {
	u, err := x.s.o.Store.ClientUser(x.r.Context(), x.org.Settings.ID, x.source, id)
	if absent(err) {
		err = nobody(schema.User(), id.String())
	}
	return u, err
}

// userAnswer renders a user as the request asks for it, with what did not come out as s has it.
func (x *exchange) userAnswer(status int, u *connector.ClientUser, s *said) (*answer, error) {
	p, err := x.projection(schema.User(), x.r.URL.Query())
	if err != nil {
		return nil, err
	}
	ctx := x.r.Context()
	x.notes.person = u.User.UserName()
	shown := &shownUser{ClientUser: u, warnings: s.differs(u.User)}
	if shown.groups, err = x.groupsOf(ctx, u); err != nil {
		return nil, err
	}
	if shown.failed, err = x.lastFailure(ctx, u); err != nil {
		return nil, err
	}
	return x.resourceAnswer(status, item{user: shown, projection: p}), nil
}

func (x *exchange) groupsOf(ctx context.Context, u *connector.ClientUser) ([]connector.GroupName, error) {
	if !u.Grouped {
		return nil, nil
	}
	names, err := x.s.o.Store.GroupNames(ctx, x.org.Settings.ID, x.source, []connector.ID{u.User.ID})
	return names[u.User.ID], err
}

func (x *exchange) create(t *schema.Type) (*answer, error) {
	m, err := x.normalised(t)
	if err != nil {
		return nil, err
	}
	res, err := patch.Put(t, nil, m, x.profile.Rules)
	if err != nil {
		return nil, err
	}
	if t == schema.Group() {
		x.count(res.Notes)
		return x.createGroup(res)
	}
	return x.createUser(res)
}

// createUser is POST: somebody new, or a leaver who returns under the same id.
func (x *exchange) createUser(res *patch.Result) (*answer, error) {
	s, err := sayings(res)
	if err != nil {
		return nil, err
	}
	if s.active == nil {
		yes := true
		s.active = &yes
	}
	x.notes.person = s.profile.Subject()
	id := connector.NewID(x.s.o.Now())
	rec := s.record(id, connector.Anchor{})
	rec.Protected = x.protected(s.profile)
	var before *connector.User
	ch, err := x.push(&s, provision.Push{
		Record: func(context.Context, connector.Reader) (*connector.Record, error) { return rec, nil },
		Accept: func(u *connector.User, link *connector.Link, ch *connector.Change) error {
			if before = u; u != nil {
				return x.mayComeBack(u, link, ch)
			}
			return nil
		},
	})
	switch {
	case err != nil:
		return nil, err
	case before == nil:
		return x.pushed(http.StatusCreated, written(&connector.ClientUser{}, ch), &s)
	}
	u, err := x.user(before.ID) // it may be in groups
	if err != nil {
		return nil, err
	}
	return x.pushed(http.StatusCreated, u, &s)
}

// mayComeBack decides about a POST of somebody who is known: who is inactive, or was deleted by this client, returns.
// Who is there is a conflict, unless the same request is only made again.
func (x *exchange) mayComeBack(u *connector.User, link *connector.Link, ch *connector.Change) error {
	switch {
	case u.State == connector.Inactive, link != nil && link.Standing == connector.StandingGone:
		return nil
	case link != nil && ch.Action == connector.Unchanged && x.s.o.Now().Sub(link.UpdatedAt) < retryWindow:
		return nil
	}
	which := "userName or an e-mail address"
	if link != nil && link.Anchor == ch.Anchor && link.Anchor.Kind == connector.TextAnchor {
		which = "externalId"
	}
	f := connector.Failure{
		Code: connector.CodeCreation, Reason: connector.UserNameTaken, Fields: []string{connector.UserName}, Org: u.Org, Source: x.source,
		Subject: u.Profile.Subject(), UserID: u.ID, At: x.s.o.Now(), Detail: "a user with this " + which + " is there: change that one by PUT or PATCH",
	}
	f.Ref = connector.NewRef(f.Org, f.Source, u.ID.String(), string(f.Reason))
	return refusal(x.s.catalogue, []connector.Failure{f})
}

// known is a user that a request is about, as it stands in the transaction.
type known struct {
	*connector.ClientUser
	own connector.Profile // what the client has said of it so far
}

// find looks up the user of a request and holds that to If-Match.
func (x *exchange) find(ctx context.Context, r connector.Reader, id connector.ID) (*known, error) {
	u, links, err := r.ClientUserLinks(ctx, x.org.Settings.ID, x.source, id)
	if absent(err) {
		return nil, nobody(schema.User(), id.String())
	} else if err != nil {
		return nil, err
	}
	if err := precondition(x.r.Header, userTag(&shownUser{ClientUser: u})); err != nil {
		return nil, err
	}
	k := &known{ClientUser: u}
	for _, l := range links {
		if l.Source == x.source {
			if k.own = l.Profile; k.own == nil { // its link is the only one
				k.own = u.User.Profile
			}
		}
	}
	return k, nil
}

// putUser replaces what the client says of the person: what it leaves out it says no more, but for active,
// externalId and the password (scim.md section 4, 10).
func (x *exchange) putUser(id connector.ID) (*answer, error) {
	m, err := x.normalised(schema.User())
	if err != nil {
		return nil, err
	}
	return x.edit(http.StatusOK, id, func(k *known, before map[string]any) (*said, *connector.Record, error) {
		res, err := patch.Put(schema.User(), before, m, x.profile.Rules)
		if err != nil {
			return nil, nil, err
		}
		s, err := sayings(res)
		return &s, s.record(id, k.Anchor), err
	})
}

// patchUser changes what the operations name, on the user as the client sees it. The difference is what the client
// says from now on.
func (x *exchange) patchUser(id connector.ID) (*answer, error) {
	ops, err := x.operations(schema.User())
	if err != nil {
		return nil, err
	}
	return x.edit(x.patchStatus(schema.User(), 0), id, func(k *known, before map[string]any) (*said, *connector.Record, error) {
		res, err := patch.Apply(schema.User(), before, ops, x.profile.Rules)
		if err != nil {
			return nil, nil, err
		}
		s, err := sayings(res)
		s.shown = resource.ToProfile(before)
		rec := s.record(id, k.Anchor)
		rec.Attributes = resource.Attributes(resource.Change(k.own, s.shown, s.profile))
		return &s, rec, err
	})
}

// operations reads a PATCH.
func (x *exchange) operations(t *schema.Type) ([]patch.Op, error) {
	m, err := x.normalised(t)
	if err != nil {
		return nil, err
	}
	return patch.Decode(m)
}

// edit changes a user that is there, by what wish makes of it in the transaction.
func (x *exchange) edit(status int, id connector.ID, wish func(k *known, before map[string]any) (*said, *connector.Record, error)) (*answer, error) {
	var s said
	var k *known
	ch, err := x.push(&s, provision.Push{
		Record: func(ctx context.Context, r connector.Reader) (rec *connector.Record, err error) {
			if k, err = x.find(ctx, r, id); err != nil {
				return nil, err
			}
			x.notes.person = k.User.UserName()
			wanted, rec, err := wish(k, x.org.userObject(&shownUser{ClientUser: k.ClientUser}))
			if err != nil {
				return nil, err
			}
			if s = *wanted; s.externalID == nil && k.ExternalID() != "" { // it is unassigned
				rec.Anchor = connector.AnchorOf(id)
			}
			rec.Protected = x.protected(wanted.profile)
			return rec, nil
		},
	})
	if err != nil {
		return nil, err
	}
	return x.pushed(status, written(k.ClientUser, ch), &s)
}

// deleteUser is soft: the user is inactive, and deleted when its grace period is over, unless the person comes back.
// Where another source has the person, only what the client says of it goes.
func (x *exchange) deleteUser(id connector.ID) (*answer, error) {
	ch, err := x.handIn(provision.Push{
		Source: x.source, Cause: x.cause(),
		Record: func(ctx context.Context, r connector.Reader) (*connector.Record, error) {
			k, err := x.find(ctx, r, id)
			if err != nil {
				return nil, err
			}
			x.notes.person = k.User.UserName()
			rec := (&said{profile: k.own}).record(id, k.Anchor)
			rec.Gone, rec.Protected = true, x.protected(k.User.Profile)
			return rec, nil
		},
	})
	if err == nil {
		err = x.done(ch)
	}
	return &answer{status: http.StatusNoContent}, err
}

// done is the error for a change that was refused or left out.
func (x *exchange) done(ch *connector.Change) error {
	if len(ch.Failures) > 0 {
		return refusal(x.s.catalogue, ch.Failures)
	}
	return spared(ch)
}

// spared is the error for a change that did not happen because its user is protected.
func spared(ch *connector.Change) error {
	if ch.Skip != connector.SkipProtected {
		return nil
	}
	return refuse(http.StatusForbidden, "", "the configuration of usherd protects this user: no source may deactivate or delete it, and nothing was changed")
}

// handIn hands a record in. That seats which it freed could not be offered is no failure of it: it is stored, and
// they are offered each hour.
func (x *exchange) handIn(p provision.Push) (*connector.Change, error) {
	ch, err := x.org.Writer.Push(x.r.Context(), p)
	x.notes.stored = ch != nil
	if ch != nil && err != nil {
		x.s.o.Log.Error("free seats cannot be offered", zap.String("org", x.org.Settings.ID), zap.Error(err))
		err = nil
	}
	return ch, err
}

// push hands in a record that a request comes to, and completes what is known of it.
func (x *exchange) push(s *said, p provision.Push) (*connector.Change, error) {
	p.Source, p.Cause = x.source, x.cause()
	ch, err := x.handIn(p)
	if err != nil {
		return nil, err
	}
	if err := x.done(ch); err != nil {
		return nil, err
	}
	if ch.Action == connector.Deactivated {
		s.notTaken = ch.Warnings
	}
	return ch, nil
}

// written is the user after a change that was written, u being what the client saw of it in the same transaction:
// what has become of it need not be read. The groups that it is in are the same, and nothing is refused any more.
func written(u *connector.ClientUser, ch *connector.Change) *connector.ClientUser {
	after := *u
	after.Refused = false
	if ch.After != nil {
		after.User = ch.After
	}
	if ch.Link != nil {
		after.Anchor, after.Standing = ch.Link.Anchor, ch.Link.Standing
	}
	return &after
}

// pushed answers with what has become of the person.
func (x *exchange) pushed(status int, u *connector.ClientUser, s *said) (*answer, error) {
	x.notes.user = u.User.ID
	x.count(s.notes)
	a, err := x.userAnswer(status, u, s)
	if err == nil && status == http.StatusNoContent {
		a.render, a.location = nil, ""
	}
	return a, err
}
