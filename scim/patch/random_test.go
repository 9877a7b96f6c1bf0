package patch_test

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"usherd/scim/patch"
	"usherd/scim/schema"
)

// random makes operations of what paths and values are made of, right and wrong.
type random struct{ *rand.Rand }

func pick[T any](r random, from ...T) T { return from[r.IntN(len(from))] }

func (r random) path() string {
	attr := pick(r, "userName", "displayName", "active", "name", "emails", "addresses", "phoneNumbers", "roles", "title", "externalId", "id", "groups", "members",
		"shoe", schema.EnterpriseURN, schema.EnterpriseURN+":manager", schema.EnterpriseURN+":department", schema.UsherdURN+":state", schema.UserURN, schema.GroupURN+":displayName")
	where := pick(r, "", "", "", `[type eq "work"]`, `[value eq "a"]`, `[value eq "a" or value eq "b"]`, `[primary eq true]`, `[type eq "home" and value sw "a"]`,
		`[not (type pr)]`, `[type eq "fax" and display eq "F"]`, `[shoe eq 1]`)
	sub := pick(r, "", "", "", ".value", ".type", ".primary", ".display", ".givenName", ".formatted", ".displayName", ".$ref")
	return attr + where + sub
}

func (r random) value(depth int) any {
	if depth > 3 {
		return "deep"
	}
	switch r.IntN(10) {
	case 0:
		return nil
	case 1:
		return r.IntN(2) == 0
	case 2, 3, 4:
		return pick(r, "", " ", "a", "b", "A", "work", "ann@example.com", "ann@home.example", "m1")
	case 5, 6:
		list := []any{}
		for range r.IntN(4) {
			list = append(list, r.value(depth+1))
		}
		return list
	}
	object := map[string]any{}
	for range r.IntN(4) {
		key := pick(r, "value", "type", "primary", "display", "Value", "givenName", "familyName", "formatted", "department", "manager", "shoe", "$ref")
		if depth == 0 && r.IntN(2) == 0 {
			key = r.path()
		}
		object[key] = r.value(depth + 1)
	}
	return object
}

func (r random) op() patch.Op {
	op := patch.Op{Op: pick(r, patch.Add, patch.Remove, patch.Replace), HasPath: r.IntN(5) > 0, HasValue: r.IntN(6) > 0}
	if op.HasPath {
		op.Path = r.path()
	}
	if op.HasValue {
		op.Value = r.value(r.IntN(2))
	}
	return op
}

// Whatever is asked for, what comes of it is sound, and a refusal changes nothing.
func TestRandomOperations(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := random{rand.New(rand.NewPCG(seed, 1))}
	succeeded := 0
	for range 5000 {
		ty, resource, rules := schema.User(), decode(t, user), pick(r, lenient, lenient, strict, patch.Rules{})
		if r.IntN(4) == 0 {
			ty, resource = schema.Group(), decode(t, group)
		}
		kept := copyOf(resource)
		var ops []patch.Op
		for range 1 + r.IntN(4) {
			op := r.op()
			if _, err := patch.Apply(ty, resource, []patch.Op{op}, rules); err == nil {
				ops = append(ops, op)
			}
		}
		if len(ops) == 0 {
			continue
		}
		result, err := patch.Apply(ty, resource, ops, rules)
		if !reflect.DeepEqual(kept, resource) {
			t.Fatalf("%+v changed what went in", ops)
		}
		if err == nil {
			sound(t, ty, ops, result)
			succeeded++
		}
	}
	if succeeded < 1000 {
		t.Errorf("only %d of the random requests succeeded", succeeded)
	}
}
