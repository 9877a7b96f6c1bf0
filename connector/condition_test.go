package connector_test

import (
	"testing"

	"usherd/connector"
)

func TestConditionsThatMakeNoSenseAreNamed(t *testing.T) {
	t.Parallel()
	name := &connector.Condition{Op: connector.OpEq, Field: connector.OnUserName, Value: "ann"}
	for _, c := range []struct {
		kind connector.ResourceKind
		cond *connector.Condition
		ok   bool
	}{
		{connector.UserResource, nil, true},
		{connector.UserResource, name, true},
		{connector.GroupResource, name, false},
		{connector.GroupResource, &connector.Condition{Op: connector.OpEq, Field: connector.OnMember}, true},
		{connector.UserResource, &connector.Condition{Op: connector.OpEq, Field: connector.OnMember}, false},
		{connector.UserResource, &connector.Condition{Op: connector.OpGt, Field: connector.OnActive, Value: "true"}, false},
		{connector.UserResource, &connector.Condition{Op: connector.OpEq, Field: connector.OnActive, Value: "True"}, false},
		{connector.UserResource, &connector.Condition{Op: connector.OpPr, Field: connector.OnActive}, true},
		{connector.UserResource, &connector.Condition{Op: connector.OpLt, Field: connector.OnCreated, Value: "2026-03-01T08:00:00.1234567+01:00"}, true},
		{connector.GroupResource, &connector.Condition{Op: connector.OpLt, Field: connector.OnCreated, Value: "yesterday"}, false},
		{connector.UserResource, &connector.Condition{Op: connector.OpCo, Field: connector.OnCreated}, false},
		{connector.UserResource, &connector.Condition{Op: connector.OpEq, Field: "nickName"}, false},
		{connector.UserResource, &connector.Condition{Op: "is", Field: connector.OnUserName}, false},
		{connector.UserResource, &connector.Condition{Op: connector.OpAnd}, false},
		{connector.UserResource, &connector.Condition{Op: connector.OpOr, Of: []*connector.Condition{name}}, true},
		{connector.UserResource, &connector.Condition{Op: connector.OpOr, Of: []*connector.Condition{name, nil}}, false},
		{connector.UserResource, &connector.Condition{Op: connector.OpNot, Of: []*connector.Condition{name}}, true},
		{connector.UserResource, &connector.Condition{Op: connector.OpNot, Of: []*connector.Condition{name, name}}, false},
		{connector.GroupResource, &connector.Condition{Op: connector.OpNot, Of: []*connector.Condition{name}}, false},
	} {
		if err := c.cond.Check(c.kind); (err == nil) != c.ok {
			t.Errorf("%v of kind %d: %v", c.cond, c.kind, err)
		}
	}
}

func TestFoldPartKeepsBlanks(t *testing.T) {
	t.Parallel()
	if got := connector.FoldPart(" Ann  Kelvin\u212a "); got != " ann  kelvink " {
		t.Errorf("got %q", got)
	}
}
