package filter_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/scim/filter"
	"usherd/scim/schema"
)

// show writes a condition as one line.
func show(c *connector.Condition) string {
	if c == nil {
		return "everybody"
	}
	parts := make([]string, len(c.Of))
	for i, below := range c.Of {
		parts[i] = show(below)
	}
	switch c.Op { //nolint:exhaustive // all others are tests
	case connector.OpAnd, connector.OpOr:
		return "(" + strings.Join(parts, " "+string(c.Op)+" ") + ")"
	case connector.OpNot:
		return "not " + parts[0]
	case connector.OpPr:
		return c.Field + " pr"
	}
	return fmt.Sprintf("%s %s %q", c.Field, c.Op, c.Value)
}

func TestCondition(t *testing.T) {
	t.Parallel()
	const nobody = "not id pr"
	for _, c := range []struct {
		text, want string
		exact      bool
	}{
		{`userName eq " ANN "`, `userName eq "ann"`, true},
		{`userName sw " Ann"`, `userName sw " ann"`, true},
		{`externalId eq "AbC"`, `externalId eq "AbC"`, true},
		{`id eq "2819C223-7f76-453a-919d-413861904646"`, `id eq "2819C223-7f76-453a-919d-413861904646"`, true},
		{`id co "28"`, `everybody`, false}, // ids have no index for parts
		{`displayName pr and active eq true`, `(displayName pr and active eq "true")`, true},
		{`active ne false`, `active ne "false"`, true},
		{`emails eq "A@b.c"`, `email eq "a@b.c"`, true},
		{`emails.value ew "@B.c" or phoneNumbers eq "1"`, `(email ew "@b.c" or phone eq "1")`, true},
		{`emails ne "x"`, `email ne "x"`, true},
		{`emails.value eq null`, `not email pr`, true},
		{`emails.value ne null`, `email pr`, true},
		{`emails pr`, `everybody`, false}, // an element without value is one
		{`⟪E⟫:employeeNumber eq "7" and ⟪E⟫:manager eq "m"`, `(employeeNumber eq "7" and manager eq "m")`, true},
		{`⟪E⟫:manager.displayName eq "m"`, `everybody`, false},
		{`groups eq "6C5BB468-14B2-4183-BAF2-06D523E03BD3"`, `groupNested eq "6c5bb468-14b2-4183-baf2-06d523e03bd3"`, true},
		{`groups pr and not (groups.value eq "x")`, `(groupNested pr and not groupNested eq "x")`, true},
		{`groups.value sw "6"`, `everybody`, false},
		{`meta.created gt "2026-01-01T01:00:00.5+01:00"`, `created gt "2026-01-01T00:00:00.5Z"`, true},
		{`meta.lastModified le "2026-01-01T00:00:00Z"`, `lastModified le "2026-01-01T00:00:00Z"`, true},
		{`meta.created sw "2026"`, `everybody`, false},
		{`⟪U⟫:state eq "active" and ⟪U⟫:package pr`, `(state eq "active" and package pr)`, true},

		// Of and, what can be found; of or, all or nothing; of not, what is exact.
		{`title pr and userName eq "a"`, `userName eq "a"`, false},
		{`userName eq "a" and title pr and externalId eq "b" and locale pr`, `(userName eq "a" and externalId eq "b")`, false},
		{`title pr or userName eq "a"`, `everybody`, false},
		{`userName eq "a" or externalId eq "b" or id eq "c"`, `(userName eq "a" or externalId eq "b" or id eq "c")`, true},
		{`(userName eq "a" and title pr) or externalId eq "b"`, `(userName eq "a" or externalId eq "b")`, false},
		{`not (userName eq "a" and externalId eq "b")`, `not (userName eq "a" and externalId eq "b")`, true},
		{`not (userName eq "a" and title pr)`, `everybody`, false},
		{`not (title pr) and userName eq "a"`, `userName eq "a"`, false},

		// In brackets, all comparisons are about one value, of which the index does not know.
		{`emails[type eq "work"].value eq "x"`, `email eq "x"`, false},
		{`emails[type eq "work" and value eq "x"]`, `email eq "x"`, false},
		{`emails[value eq "x"]`, `email eq "x"`, true},
		{`emails[value eq "x" or value sw "y"]`, `(email eq "x" or email sw "y")`, true},
		{`emails[value sw "x" and value ew "y"]`, `(email sw "x" and email ew "y")`, false},
		{`emails[value eq "x" or type eq "work"]`, `everybody`, false},
		{`emails[value ne "x"]`, `everybody`, false},
		{`emails[not (value eq "x")]`, `everybody`, false},
		{`not (emails[value eq "x"])`, `not email eq "x"`, true},
		{`emails[value pr]`, `email pr`, true},
		{`emails[value eq null]`, `everybody`, false},
		{`⟪E⟫:manager[value eq "m"]`, `manager eq "m"`, true},
		{`groups[type eq "direct" and value eq "g"]`, `groupNested eq "g"`, false},
		{`meta[created gt "2026-01-01T00:00:00Z" and resourceType eq "User"]`, `created gt "2026-01-01T00:00:00Z"`, false},

		// What is the same for all.
		{`meta.resourceType eq "User"`, `everybody`, true},
		{`meta.resourceType eq "Group"`, nobody, true},
		{`meta.resourceType pr and userName eq "a"`, `userName eq "a"`, true},
		{`meta.resourceType eq "user" and title pr`, nobody, true},
		{`meta.resourceType eq "Group" or userName eq "a"`, `userName eq "a"`, true},
		{`not (meta.resourceType eq "Group")`, `everybody`, true},
		{`meta[resourceType eq "Group"]`, nobody, true},
		{`meta[resourceType eq "User"]`, `everybody`, false},
		{`schemas eq "URN:ietf:params:scim:schemas:core:2.0:User"`, `everybody`, true},
		{`schemas eq "⟪E⟫"`, `everybody`, false},
		{`schemas ne "⟪core⟫"`, `everybody`, false},
	} {
		got, exact := compile(t, schema.User(), c.text).Condition()
		if show(got) != c.want || exact != c.exact {
			t.Errorf("%s: %s, exact %t, want %s, %t", c.text, show(got), exact, c.want, c.exact)
		}
		if err := got.Check(connector.UserResource); err != nil {
			t.Errorf("%s: %v", c.text, err)
		}
	}
	for text, want := range map[string]string{
		`displayName eq "Guides" and members.value eq "U1"`:         `(displayName eq "guides" and member eq "u1")`,
		`members[value eq "u1"] or externalId eq "x"`:               `(member eq "u1" or externalId eq "x")`,
		`not (members pr) and meta.resourceType eq "Group"`:         `not member pr`,
		`meta.lastModified gt "2026-01-01T00:00:00Z" and id ne "x"`: `(lastModified gt "2026-01-01T00:00:00Z" and id ne "x")`,
	} {
		got, exact := compile(t, schema.Group(), text).Condition()
		if show(got) != want || !exact || got.Check(connector.GroupResource) != nil {
			t.Errorf("%s: %s, exact %t, %v, want %s", text, show(got), exact, got.Check(connector.GroupResource), want)
		}
	}
}

func TestConditionOfAnotherType(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`userName eq "a"`:                           "not id pr",
		`userName eq null`:                          "everybody",
		`userName eq "a" or displayName eq "b"`:     `displayName eq "b"`,
		`not (emails[value eq "x"]) and members pr`: "member pr",
	} {
		x, err := filter.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		f, err := filter.CompileAmong(schema.Group(), schema.Types(), x)
		if err != nil {
			t.Fatal(err)
		}
		if got, exact := f.Condition(); show(got) != want || !exact {
			t.Errorf("%s: %s, exact %t, want %s", text, show(got), exact, want)
		}
	}
}

// stored gives the values of a field as the store has them of a resource.
func stored(r map[string]any, field string) []string {
	path := map[string]string{
		connector.OnID: "id", connector.OnUserName: "userName", connector.OnEmail: "emails.value", connector.OnDisplayName: "displayName",
		connector.OnExternalID: "externalId", connector.OnEmployeeNumber: schema.EnterpriseURN + "/employeeNumber", connector.OnManager: schema.EnterpriseURN + "/manager.value",
		connector.OnPhone: "phoneNumbers.value", connector.OnActive: "active", connector.OnCreated: "meta.created", connector.OnLastModified: "meta.lastModified",
		connector.OnGroupNested: "groups.value", connector.OnMember: "members.value", connector.OnState: schema.UsherdURN + "/state", connector.OnPackage: schema.UsherdURN + "/package",
	}[field]
	section, path, nested := strings.Cut(path, "/")
	if nested {
		r, _ = r[section].(map[string]any)
	} else {
		path = section
	}
	name, sub, dotted := strings.Cut(path, ".")
	var out []string
	add := func(v any) {
		s, ok := v.(string)
		if b, isBool := v.(bool); isBool {
			s, ok = strconv.FormatBool(b), true
		}
		if !ok || strings.TrimSpace(s) == "" {
			return
		}
		switch field {
		case connector.OnID, connector.OnExternalID, connector.OnState, connector.OnPackage, connector.OnCreated, connector.OnLastModified:
		default:
			s = connector.Fold(s)
		}
		out = append(out, s)
	}
	list, ok := r[name].([]any)
	if !ok {
		list = []any{r[name]}
	}
	for _, v := range list {
		if dotted {
			object, _ := v.(map[string]any)
			v = object[sub]
		}
		add(v)
	}
	return out
}

// meets is what the store does with a condition, in a few lines.
func meets(tb testing.TB, r map[string]any, c *connector.Condition) bool {
	tb.Helper()
	if c == nil {
		return true
	}
	is := func(below *connector.Condition) bool { return meets(tb, r, below) }
	switch c.Op { //nolint:exhaustive // all others are tests
	case connector.OpAnd:
		return !slices.ContainsFunc(c.Of, func(below *connector.Condition) bool { return !is(below) })
	case connector.OpOr:
		return slices.ContainsFunc(c.Of, is)
	case connector.OpNot:
		return !is(c.Of[0])
	}
	values := stored(r, c.Field)
	if len(values) == 0 {
		return c.Op == connector.OpNe
	}
	return slices.ContainsFunc(values, func(v string) bool {
		order := strings.Compare(v, c.Value)
		if c.Field == connector.OnCreated || c.Field == connector.OnLastModified {
			have, err := time.Parse(time.RFC3339Nano, v)
			if c.Op != connector.OpPr {
				asked, err2 := time.Parse(time.RFC3339Nano, c.Value)
				if err != nil || err2 != nil {
					tb.Fatalf("%q or %q is no time: %v, %v", v, c.Value, err, err2)
				}
				order = have.Compare(asked)
			}
		}
		switch c.Op { //nolint:exhaustive // and, or and not are above
		case connector.OpEq:
			return order == 0
		case connector.OpNe:
			return order != 0
		case connector.OpCo:
			return strings.Contains(v, c.Value)
		case connector.OpSw:
			return strings.HasPrefix(v, c.Value)
		case connector.OpEw:
			return strings.HasSuffix(v, c.Value)
		case connector.OpGt:
			return order > 0
		case connector.OpGe:
			return order >= 0
		case connector.OpLt:
			return order < 0
		case connector.OpLe:
			return order <= 0
		}
		return true // pr
	})
}

// chance makes random filters and resources of few values, so that they often meet.
type chance struct{ *rand.Rand }

func pick[T any](c chance, list ...T) T { return list[c.IntN(len(list))] }

func (c chance) text() string {
	return pick(c, "a", "A", "b", "ab", "BA", "", " ", " a", "b ", "k", "\u212a", "é", "É", `"\`, "true", "\x00")
}

func (c chance) time() string {
	return pick(c, "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00.000001Z", "2025-12-31T23:59:59.999Z", "2026-01-02T00:00:00")
}

// value is a random literal for a kind, as text.
func (c chance) value(k schema.Kind) string {
	if c.IntN(8) == 0 {
		return "null"
	}
	switch k {
	case schema.Boolean:
		return pick(c, "true", "false")
	case schema.Integer, schema.Decimal:
		return pick(c, "0", "1", "31", "1.5", "-1e3")
	case schema.DateTime:
		return strconv.Quote(c.time())
	case schema.String, schema.Binary, schema.Reference, schema.Complex:
	}
	return filter.Print(is("x", "eq", c.text()))[len("x eq "):]
}

// comparison is a random one that may be refused: of a type, or of an attribute within brackets.
func (c chance) comparison(a *schema.Attribute, name string) string {
	op := pick(c, "eq", "eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr")
	if op == "pr" {
		return name + " pr"
	}
	kind := a.Kind
	if kind == schema.Complex && a.Child("value") != nil {
		kind = a.Child("value").Kind
	}
	return name + " " + op + " " + c.value(kind)
}

func (c chance) filter(ty *schema.Type, within *schema.Attribute, depth int) string {
	if depth > 0 && c.IntN(2) == 0 {
		l, r := c.filter(ty, within, depth-1), c.filter(ty, within, depth-1)
		return pick(c, "("+l+") and ("+r+")", "("+l+") or ("+r+")", "not ("+l+")")
	}
	if within != nil {
		s := pick(c, within.Sub...)
		return c.comparison(s, s.Name)
	}
	all := slices.Clone(ty.Common)
	for _, s := range ty.Schemas() {
		all = append(all, s.Attributes...)
	}
	indexed := []string{"id", "externalId", "userName", "displayName", "active", "emails", "phoneNumbers", "groups", "members", "meta", "manager", "employeeNumber", "state", "package"}
	a := pick(c, all...)
	for a.Returned == schema.ReturnedNever || !slices.Contains(indexed, a.Name) && c.IntN(4) > 0 {
		a = pick(c, all...)
	}
	if a.Kind != schema.Complex {
		return c.comparison(a, a.Path())
	}
	switch c.IntN(4) {
	case 0:
		return c.comparison(a, a.Path())
	case 1:
		return a.Path() + "[" + c.filter(ty, a, min(depth, 2)) + "]"
	}
	s := pick(c, a.Sub...)
	return c.comparison(s, s.Path())
}

// resource is a random one, normalised or not.
func (c chance) resource(ty *schema.Type) map[string]any {
	r := map[string]any{}
	c.fill(r, ty.Core.Attributes)
	for _, e := range ty.Extensions {
		object := map[string]any{}
		c.fill(object, e.Attributes)
		r[e.ID] = object
	}
	meta := map[string]any{"resourceType": ty.Name, "created": c.moment(), "lastModified": c.moment()}
	r["id"], r["meta"], r["externalId"], r["schemas"] = pick(c, "a", "A", "b"), meta, c.text(), []any{ty.Core.ID}
	return r
}

func (c chance) moment() string {
	return pick(c, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000001Z", "2025-12-31T23:59:59.999Z")
}

func (c chance) fill(to map[string]any, as []*schema.Attribute) {
	for _, a := range as {
		n := 1
		if a.Multi {
			n = c.IntN(4)
		}
		list := make([]any, 0, n)
		for range n {
			list = append(list, c.one(a))
		}
		if a.Parent == nil && (a.Name == "groups" || a.Name == "members") { // usherd makes these: all have a value
			for i := range list {
				list[i] = map[string]any{"value": pick(c, "a", "A", "b"), "type": c.text()}
			}
		}
		switch {
		case c.IntN(3) == 0:
		case a.Multi:
			to[a.Name] = list
		default:
			to[a.Name] = list[0]
		}
	}
}

func (c chance) one(a *schema.Attribute) any {
	if c.IntN(8) == 0 {
		return nil
	}
	switch a.Kind {
	case schema.Complex:
		object := map[string]any{}
		c.fill(object, a.Sub)
		return object
	case schema.Boolean:
		return c.IntN(2) == 0
	case schema.DateTime:
		return c.time()
	case schema.Integer, schema.Decimal:
		return pick(c, 0, 1, 31)
	case schema.String, schema.Binary, schema.Reference:
	}
	return c.text()
}

// TestConditionFindsWhateverMatches: who matches meets the condition, and if it is exact nobody else does.
func TestConditionFindsWhateverMatches(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	c := chance{rand.New(rand.NewPCG(seed, 0))}
	matched, exacts, narrow := 0, 0, 0
	for range 4000 {
		ty := pick(c, schema.Types()...)
		kind := connector.UserResource
		if ty == schema.Group() {
			kind = connector.GroupResource
		}
		text := c.filter(ty, nil, 4)
		x, err := filter.Parse(text)
		if err != nil {
			t.Fatalf("seed %d: %s: %v", seed, text, err)
		}
		f, err := filter.Compile(ty, x)
		if err != nil { // "active gt null"
			continue
		}
		condition, exact := f.Condition()
		if err := condition.Check(kind); err != nil {
			t.Fatalf("seed %d: %s: %s: %v", seed, text, show(condition), err)
		}
		if exact {
			exacts++
		}
		if condition != nil {
			narrow++
		}
		for range 20 {
			r := c.resource(ty)
			match, met := f.Match(r), meets(t, r, condition)
			if match && !met || exact && match != met {
				t.Fatalf("seed %d: %s: match %t, %s (exact %t) met %t by\n%v", seed, text, match, show(condition), exact, met, r)
			}
			if match {
				matched++
			}
		}
	}
	if matched < 1000 || exacts < 100 || narrow < 200 {
		t.Errorf("seed %d: it says little: %d matches, %d exact conditions, %d that narrow down", seed, matched, exacts, narrow)
	}
}
