package scim

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strconv"

	"usherd/connector"
	"usherd/scim/dialect"
	"usherd/scim/patch"
)

// editor works out, inside a transaction, what edits come to for the members of one group: which rows are new and
// which go. Only those that are named are looked up, unless an edit is about all of them.
type editor struct {
	x     *exchange
	r     connector.Reader
	group connector.ID
	count int // members that are stored

	stored map[connector.ID]bool // whether those that were asked for are stored
	wanted map[connector.ID]bool // whether they are members afterwards
	whole  bool                  // stored has all of them
}

func (e *editor) apply(ctx context.Context, edits []patch.MemberEdit) error {
	e.stored, e.wanted = map[connector.ID]bool{}, map[connector.ID]bool{}
	notes := e.x.notes // of a try before they have the same members
	notes.quirks = slices.DeleteFunc(notes.quirks, func(id string) bool { return id == unknownMember })
	notes.unknown = nil
	for _, edit := range edits {
		if err := e.edit(ctx, edit); err != nil {
			return err
		}
	}
	return nil
}

func (e *editor) edit(ctx context.Context, edit patch.MemberEdit) error {
	switch edit.Kind {
	case patch.AddMembers:
		ids, err := e.known(ctx, edit)
		if err != nil {
			return err
		}
		if err := e.look(ctx, ids); err != nil {
			return err
		}
		for _, id := range ids {
			e.wanted[id] = true
		}
		return nil
	case patch.RemoveMembers:
		ids := parsed(edit.IDs)
		if err := e.look(ctx, ids); err != nil {
			return err
		}
		found := false
		for _, id := range ids {
			found = found || e.wanted[id]
			e.wanted[id] = false
		}
		return missing(edit, found)
	case patch.ReplaceMembers:
		ids, err := e.known(ctx, edit)
		if err != nil {
			return err
		}
		return e.replace(ctx, ids)
	case patch.ClearMembers:
		return e.replace(ctx, nil)
	case patch.RemoveWhere:
		return e.removeWhere(ctx, edit)
	}
	return nil
}

// replace makes these the members, and nobody else.
func (e *editor) replace(ctx context.Context, ids []connector.ID) error {
	if err := e.all(ctx); err != nil {
		return err
	}
	for id := range e.wanted {
		e.wanted[id] = false
	}
	for _, id := range ids {
		e.wanted[id] = true
	}
	return nil
}

// removeWhere removes the members that a filter finds. All of them are looked at, once.
func (e *editor) removeWhere(ctx context.Context, edit patch.MemberEdit) error {
	found := false
	remove := func(m *connector.ClientMember) {
		if edit.Where.Match(map[string]any{"members": []any{e.x.org.memberObject(m)}}) {
			found = found || e.wanted[m.ID]
			e.wanted[m.ID] = false
		}
	}
	added := e.added() // by an operation before this one
	if err := e.each(ctx, remove); err != nil {
		return err
	}
	for _, m := range added {
		fresh, err := e.fresh(ctx, connector.ID(m.Key))
		if err != nil {
			return err
		}
		remove(&fresh)
	}
	return missing(edit, found)
}

// fresh is a member that is not stored yet, as it will be shown.
func (e *editor) fresh(ctx context.Context, id connector.ID) (connector.ClientMember, error) {
	org, client := e.x.org.Settings.ID, e.x.source
	g, err := e.r.ClientGroup(ctx, org, client, id)
	if err == nil {
		return connector.ClientMember{ID: id, Kind: connector.GroupResource, Display: g.Name}, nil
	}
	u, err := e.r.ClientUser(ctx, org, client, id)
	if err != nil {
		return connector.ClientMember{}, err
	}
	return connector.ClientMember{ID: id, Display: cmp.Or(u.User.Profile.Get(connector.DisplayName), u.User.UserName())}, nil
}

// missing refuses an edit that must find somebody and does not.
func missing(edit patch.MemberEdit, found bool) error {
	if edit.MustMatch && !found {
		return edit.NoTargetError()
	}
	return nil
}

// all loads every member that is stored.
func (e *editor) all(ctx context.Context) error {
	if e.whole {
		return nil
	}
	return e.each(ctx, func(*connector.ClientMember) {})
}

// each loads every member that is stored and hands it to f.
func (e *editor) each(ctx context.Context, f func(m *connector.ClientMember)) error {
	e.whole = true
	if e.count == 0 {
		return nil
	}
	for m, err := range e.r.ClientMembers(ctx, e.x.org.Settings.ID, e.x.source, e.group, connector.ID{}, 0) {
		if err != nil {
			return err
		}
		e.keep(m.ID, true)
		f(&m)
	}
	return nil
}

// look asks which of these are stored.
func (e *editor) look(ctx context.Context, ids []connector.ID) error {
	if e.whole || e.count == 0 {
		return nil
	}
	keys := make([]connector.Hash, 0, len(ids))
	for _, id := range ids {
		if _, asked := e.stored[id]; !asked {
			keys = append(keys, connector.Hash(id))
		}
	}
	if len(keys) == 0 {
		return nil
	}
	members, err := e.r.MembersOf(ctx, e.group, keys)
	if err != nil {
		return err
	}
	there := make(map[connector.Hash]bool, len(members))
	for _, m := range members {
		there[m.Key] = true
	}
	for _, k := range keys {
		e.keep(connector.ID(k), there[k])
	}
	return nil
}

func (e *editor) keep(id connector.ID, stored bool) {
	e.stored[id] = stored
	if _, ok := e.wanted[id]; !ok {
		e.wanted[id] = stored
	}
}

// known keeps the ids of users and groups that the client sees. Of others a strict profile makes an error, and the
// rest a word in the log: one bad member does not lose the push.
func (e *editor) known(ctx context.Context, edit patch.MemberEdit) ([]connector.ID, error) {
	ids := parsed(edit.IDs)
	there, err := e.r.KnownResources(ctx, e.x.org.Settings.ID, e.x.source, ids)
	if err != nil {
		return nil, err
	}
	kept := slices.DeleteFunc(ids, func(id connector.ID) bool { return !there[id] || id == e.group })
	for _, text := range edit.IDs {
		if id, err := connector.ParseID(text); err == nil && there[id] && id != e.group {
			continue
		}
		if !e.x.profile.Rules.SkipMembers {
			return nil, edit.UnknownMemberError()
		}
		e.x.notes.quirks = append(e.x.notes.quirks, unknownMember)
		e.x.notes.unknown = append(e.x.notes.unknown, text)
	}
	return kept, nil
}

// unknownMembers tells of the members that were left out, of many the first ones.
func (x *exchange) unknownMembers() []string {
	const most = 20
	var out []string
	for i, id := range x.notes.unknown {
		if i == most {
			return append(out, "members: "+strconv.Itoa(len(x.notes.unknown)-most)+" more were left out")
		}
		if _, err := connector.ParseID(id); err != nil { // it may be anything, also what nobody should read
			id = "what is no id of usherd"
		}
		out = append(out, "members: "+id+" is neither a user nor a group here, and was left out")
	}
	return out
}

// unknownMember is the quirk of a member that is nobody here.
const unknownMember = "unknown-member"

// Quirk says what a quirk is that the log has of a request.
func Quirk(id string) string {
	if id == unknownMember {
		return "a member that is neither a user nor a group here was left out"
	}
	return dialect.Text(id)
}

// parsed are the ids among texts, each once; what is no id of ours is nobody's.
func parsed(texts []string) []connector.ID {
	ids := make([]connector.ID, 0, len(texts))
	seen := make(map[connector.ID]bool, len(texts))
	for _, t := range texts {
		if id, err := connector.ParseID(t); err == nil && !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return ids
}

func (e *editor) added() []connector.Member {
	return e.pick(func(is, was bool) bool { return is && !was })
}

func (e *editor) removed() []connector.Member {
	return e.pick(func(is, was bool) bool { return was && !is })
}

func (e *editor) pick(wants func(is, was bool) bool) []connector.Member {
	var out []connector.Member
	for id, is := range e.wanted {
		if wants(is, e.stored[id]) {
			out = append(out, connector.Member{Key: connector.Hash(id), DN: id.String()})
		}
	}
	slices.SortFunc(out, func(a, b connector.Member) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	return out
}
