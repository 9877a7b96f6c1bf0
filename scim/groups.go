package scim

import (
	"cmp"
	"context"
	"net/http"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/scim/patch"
	"usherd/scim/schema"
)

var groupHandlers = handlers{
	get: (*exchange).getGroup, put: (*exchange).putGroup, patch: (*exchange).patchGroup, remove: (*exchange).deleteGroup,
}

func (x *exchange) getGroup(id connector.ID) (*answer, error) {
	return x.groupAnswer(http.StatusOK, id)
}

// groupAnswer reads a group and renders it as the request asks for it.
func (x *exchange) groupAnswer(status int, id connector.ID) (*answer, error) {
	p, err := x.projection(schema.Group(), x.r.URL.Query())
	if err != nil {
		return nil, err
	}
	g, err := x.s.o.Store.ClientGroup(x.r.Context(), x.org.Settings.ID, x.source, id)
	if absent(err) {
		return nil, nobody(schema.Group(), id.String())
	} else if err != nil {
		return nil, err
	}
	x.notes.person = g.Name
	return x.resourceAnswer(status, item{group: g, projection: p, warnings: x.unknownMembers()}), nil
}

// wish is a group as a request has it: its attributes and what becomes of its members, in order.
type wish struct {
	name       string
	externalID string
	edits      []patch.MemberEdit
}

// pushGroup writes what made finds out in the transaction.
func (x *exchange) pushGroup(made func(ctx context.Context, r connector.Reader) (*connector.GroupChange, error)) error {
	_, err := x.org.Writer.PushGroup(x.r.Context(), provision.GroupPush{Source: x.source, Cause: x.cause(), Change: made})
	x.notes.user, x.notes.stored = connector.ID{}, err == nil // it is a group
	return err
}

func (x *exchange) createGroup(res *patch.Result) (*answer, error) {
	own := connector.NewID(x.s.o.Now())
	var id connector.ID // what the last try came to
	w, err := wishOf(res)
	if err != nil {
		return nil, err
	}
	x.notes.person = w.name
	err = x.pushGroup(func(ctx context.Context, r connector.Reader) (*connector.GroupChange, error) {
		made, err := x.madeBefore(ctx, r, w)
		if id = cmp.Or(made, own); err != nil || id == made {
			return nil, err
		}
		if err := x.groupNames(ctx, r, id, w); err != nil {
			return nil, err
		}
		e := editor{x: x, r: r, group: id}
		if err := e.apply(ctx, w.edits); err != nil {
			return nil, err
		}
		g := &connector.Group{ID: id, Org: x.org.Settings.ID, Source: x.source, Key: connector.Hash(id), DN: id.String()}
		w.write(g)
		return &connector.GroupChange{Action: connector.Created, After: g, Added: e.added()}, nil
	})
	if err != nil {
		return nil, err
	}
	return x.groupAnswer(http.StatusCreated, id)
}

// madeBefore is the group that the same request has made some minutes ago, where nobody has changed it since: the
// request is made again because its answer was lost.
func (x *exchange) madeBefore(ctx context.Context, r connector.Reader, w *wish) (id connector.ID, err error) {
	page, err := r.ClientGroups(ctx, connector.ResourceQuery{Org: x.org.Settings.ID, Client: x.source, Limit: 1, Where: &connector.Condition{
		Op: connector.OpEq, Field: connector.OnDisplayName, Value: connector.Fold(w.name),
	}})
	if err != nil || len(page.Items) == 0 {
		return id, err
	}
	g := &page.Items[0]
	if g.Name != w.name || g.ExternalID() != w.externalID || !g.UpdatedAt.Equal(g.CreatedAt) || x.s.o.Now().Sub(g.CreatedAt) > retryWindow {
		return id, nil
	}
	e := editor{x: x, r: r, group: g.ID, count: g.MemberCount}
	if err := e.apply(ctx, w.edits); err != nil || len(e.added()) > 0 || len(e.wanted) != g.MemberCount {
		return id, err
	}
	return g.ID, nil
}

// write puts what the client calls the group into g.
func (w *wish) write(g *connector.Group) {
	g.Name, g.Anchor = w.name, connector.AnchorOf(g.ID)
	if w.externalID != "" {
		g.Anchor = connector.Anchor{Kind: connector.TextAnchor, Raw: w.externalID}
	}
}

// wishOf reads the Group that a request comes to.
func wishOf(res *patch.Result) (*wish, error) {
	w := &wish{edits: res.Members}
	w.name, _ = res.Resource["displayName"].(string)
	w.externalID, _ = res.Resource["externalId"].(string)
	if w.name == "" {
		return nil, badValue("displayName is missing: a group needs a name")
	}
	return w, cmp.Or(fits("displayName", w.name), fits("externalId", w.externalID))
}

// groupNames holds name and externalId to be no other group's of this client.
func (x *exchange) groupNames(ctx context.Context, r connector.Reader, id connector.ID, w *wish) error {
	org, client := x.org.Settings.ID, x.source
	page, err := r.ClientGroups(ctx, connector.ResourceQuery{Org: org, Client: client, Limit: 2, Where: &connector.Condition{
		Op: connector.OpEq, Field: connector.OnDisplayName, Value: connector.Fold(w.name),
	}})
	if err != nil {
		return err
	}
	for _, g := range page.Items {
		if g.ID != id {
			return refuse(http.StatusConflict, uniqueness, "displayName: there is a group "+printable(w.name)+" already, with the id "+g.ID.String())
		}
	}
	if w.externalID == "" {
		return nil
	}
	g, err := r.ClientGroupByExternalID(ctx, org, client, w.externalID)
	switch {
	case absent(err):
		return nil
	case err != nil:
		return err
	case g.ID != id:
		return refuse(http.StatusConflict, uniqueness, "externalId: another group has it, with the id "+g.ID.String())
	}
	return nil
}

// changeGroup applies a wish, made of the group as it stands, in the transaction that writes it.
func (x *exchange) changeGroup(id connector.ID, change func(g *connector.ClientGroup, before map[string]any) (*patch.Result, error)) error {
	var notes []patch.Quirk
	defer func() { x.count(notes) }()
	return x.pushGroup(func(ctx context.Context, r connector.Reader) (*connector.GroupChange, error) {
		g, err := x.findGroup(ctx, r, id)
		if err != nil {
			return nil, err
		}
		res, err := change(g, x.org.groupObject(g, nil))
		if err != nil {
			return nil, err
		}
		notes = res.Notes
		w, err := wishOf(res)
		if err != nil {
			return nil, err
		}
		if err := x.groupNames(ctx, r, id, w); err != nil {
			return nil, err
		}
		e := editor{x: x, r: r, group: id, count: g.MemberCount}
		if err := e.apply(ctx, w.edits); err != nil {
			return nil, err
		}
		before, after := g.Group, g.Group
		w.write(&after)
		ch := &connector.GroupChange{Action: connector.Updated, Before: &before, After: &after, Added: e.added(), Removed: e.removed()}
		if before.Name == after.Name && before.Anchor == after.Anchor && len(ch.Added)+len(ch.Removed) == 0 {
			return nil, nil //nolint:nilnil // nothing differs
		}
		return ch, nil
	})
}

func (x *exchange) findGroup(ctx context.Context, r connector.Reader, id connector.ID) (*connector.ClientGroup, error) {
	g, err := r.ClientGroup(ctx, x.org.Settings.ID, x.source, id)
	if absent(err) {
		return nil, nobody(schema.Group(), id.String())
	} else if err != nil {
		return nil, err
	}
	x.notes.person = g.Name
	return g, precondition(x.r.Header, groupTag(&g.Group))
}

// putGroup replaces the group. What a list of members that is not there means, the profile says.
func (x *exchange) putGroup(id connector.ID) (*answer, error) {
	m, err := x.normalised(schema.Group())
	if err != nil {
		return nil, err
	}
	err = x.changeGroup(id, func(_ *connector.ClientGroup, before map[string]any) (*patch.Result, error) {
		return patch.Put(schema.Group(), before, m, x.profile.Rules)
	})
	if err != nil {
		return nil, err
	}
	return x.groupAnswer(http.StatusOK, id)
}

// patchGroup changes what the operations name. Members are rows: a list of them is never read, changed and written
// back, so that two requests at once both hold.
func (x *exchange) patchGroup(id connector.ID) (*answer, error) {
	ops, err := x.operations(schema.Group())
	if err != nil {
		return nil, err
	}
	size := 0
	err = x.changeGroup(id, func(g *connector.ClientGroup, before map[string]any) (*patch.Result, error) {
		size = g.MemberCount
		return patch.Apply(schema.Group(), before, ops, x.profile.Rules)
	})
	if err != nil {
		return nil, err
	}
	if x.patchStatus(schema.Group(), size) == http.StatusNoContent {
		return &answer{status: http.StatusNoContent}, nil
	}
	return x.groupAnswer(http.StatusOK, id)
}

// patchStatus is how a PATCH is answered: with the resource, or without.
func (x *exchange) patchStatus(t *schema.Type, members int) int {
	q := x.r.URL.Query()
	return x.profile.PatchStatus(t, members, q.Has("attributes") || q.Has("excludedAttributes"))
}

func (x *exchange) deleteGroup(id connector.ID) (*answer, error) {
	err := x.pushGroup(func(ctx context.Context, r connector.Reader) (*connector.GroupChange, error) {
		g, err := x.findGroup(ctx, r, id)
		if err != nil {
			return nil, err
		}
		return &connector.GroupChange{Action: connector.Removed, Before: &g.Group}, nil
	})
	return &answer{status: http.StatusNoContent}, err
}
