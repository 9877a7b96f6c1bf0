package provision_test

import (
	"slices"
	"strings"
	"testing"

	"usherd/connector"
)

// A feed can ask who names those who are gone: by the DN where they stood at last, or by any other name.
func TestWhoNamesSomebodyIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	f := newFeed(crowd(5))
	chief := f.list[0]
	names := map[int]string{1: strings.ToUpper(chief.DN), 2: "Somebody Unknown"}
	for i, name := range names {
		f.list[i].Attributes = append(f.list[i].Attributes, connector.Attribute{Name: "title", Values: [][]byte{[]byte(name)}})
	}
	w.readInFull(f, connector.ResultOK)
	var found []connector.Anchor
	f.naming = func(req connector.ChangesRequest) []connector.Anchor {
		var err error
		if found, err = req.Naming(t.Context(), []connector.Anchor{chief.Anchor, person(99).Anchor}, []string{"somebody unknown"}); err != nil {
			t.Fatal(err)
		}
		return found
	}
	f.list[1].Attributes = slices.DeleteFunc(f.list[1].Attributes, func(a connector.Attribute) bool { return a.Name == "title" })
	f.fire(chief.Anchor)
	p := w.changes(f, connector.ResultOK)
	if len(found) != 2 {
		t.Errorf("%d were found, want 2", len(found))
	}
	counts(t, p, connector.Counts{Deactivated: 1, Updated: 1, Unchanged: 1})
	f.naming = func(req connector.ChangesRequest) []connector.Anchor {
		if found, err := req.Naming(t.Context(), nil, nil); err != nil || found != nil {
			t.Errorf("%v, %v", found, err)
		}
		return nil
	}
	w.changes(f, connector.ResultOK)
}
