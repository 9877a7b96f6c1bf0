package ldapsync

import (
	"slices"
	"strings"

	"usherd/connector"
)

// structure takes in a container or a group. In a refresh, rule groups were compared as a whole before. A
// container that is deleted was empty: whoever had stood there was moved or deleted, and is told of.
func (f *syncing) structure(s *syncSearch, e *entry, st *syncState) {
	container := isContainer(e)
	groups := f.mode == refreshAndPersist && len(f.x.s.ruleGroups()) > 0
	if f.named[st.id] = struct{}{}; st.state != statePresent && f.groups {
		f.group(e, st, container)
	}
	switch {
	case st.state == statePresent, f.t.structure != "":
	case st.state == stateDelete:
		if s.done && groups { // it came without a class
			f.t.structure = label(e) + " was deleted or moved away, and may be a group"
		}
	case container && !isEmpty(e) && !isNew(s, e):
		f.t.structure = label(e) + " was added, changed, renamed or moved, and people may stand below it"
	case !container && groups:
		f.t.structure = "the group " + label(e) + " has changed"
	}
}

// group takes in what may be a synced group.
func (f *syncing) group(e *entry, st *syncState, container bool) {
	if st.state == stateDelete || f.groupIDs && !container {
		f.groupID(st.id)
		return
	}
	form := f.x.s.config.groupAnchorForm()
	if a, err := form.decode(valuesOf(e, 2)); err == nil && !container { // else a full read says so
		f.t.groups[a] = struct{}{}
	}
}

// groupID takes in what may be a synced group by the server's UUID, which is all that is told when it is gone.
func (f *syncing) groupID(id syncID) {
	form := f.x.s.config.groupAnchorForm()
	switch {
	case !f.groups:
	case !f.groupIDs:
		f.full = "an entry was deleted that may be a group, and the server does not name it by its " + form.attribute
	default:
		f.t.groups[connector.Anchor{Kind: form.kind, Raw: string(id[:])}] = struct{}{}
	}
}

func label(e *entry) string { return strings.ToValidUTF8(clip(e.DN), "\ufffd") }

// isContainer counts an entry whose class does not show as one, to be safe.
func isContainer(e *entry) bool {
	classes := valuesOf(e, 0)
	return len(classes) == 0 || anyOf(classes, func(v []byte) bool {
		return slices.ContainsFunc(syncContainers, func(class string) bool { return foldEqual(v, class) })
	})
}

// isNew reports whether a refresh brings a container that was made after the place that it goes on from: whoever
// stands below it by now has come there since, and is told of.
func isNew(s *syncSearch, e *entry) bool {
	born := valuesOf(e, 3)
	return !s.done && len(born) == 1 && len(born[0]) >= csnSecond && string(born[0][:csnSecond]) > parseCookie(s.mark.cookie).second()
}

// isEmpty reports whether the server says that nothing stands below a container.
func isEmpty(e *entry) bool {
	v := valuesOf(e, 1)
	return len(v) == 1 && foldEqual(v[0], "FALSE")
}

// absentGroups touches the synced groups that were neither sent nor named by searches that name everything that
// is still there. Some may only not have been named.
func (f *syncing) absentGroups() error {
	missing := slices.ContainsFunc(f.searches, func(s *syncSearch) bool { return !s.people && s.missing })
	switch {
	case !f.groups || !missing:
		return nil
	case !f.groupIDs:
		f.full = "the server names which groups are still there, but not by " + f.x.s.config.groupAnchorForm().attribute
		return nil
	case f.x.knownGroups == nil:
		f.full = "it is not known which groups there were"
		return nil
	}
	for a, err := range f.x.knownGroups(f.ctx) {
		if err != nil {
			return err
		}
		if len(a.Raw) == len(syncID{}) {
			if _, there := f.named[syncID([]byte(a.Raw))]; there {
				continue
			}
		}
		if f.t.groups[a] = struct{}{}; len(f.t.groups) > maxTouchedGroups {
			f.full = errTooManyGroups.Error()
			return nil
		}
	}
	return nil
}
