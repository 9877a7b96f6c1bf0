package schema_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/scim/schema"
)

var update = flag.Bool("update", false, "write the golden files anew")

// describe writes one attribute a line with all characteristics.
func describe(b *strings.Builder, as []*schema.Attribute) {
	for _, a := range as {
		fmt.Fprintf(b, "%s %s multi=%t required=%t caseExact=%t %s %s %s", a.Path(), a.Kind, a.Multi, a.Required, a.CaseExact, a.Mutability, a.Returned, a.Uniqueness)
		if len(a.Canonical) > 0 {
			fmt.Fprintf(b, " canonical=%s", strings.Join(a.Canonical, ","))
		}
		if len(a.References) > 0 {
			fmt.Fprintf(b, " references=%s", strings.Join(a.References, ","))
		}
		b.WriteByte('\n')
		describe(b, a.Sub)
	}
}

func TestIndexIsAsReviewed(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, ty := range schema.Types() {
		fmt.Fprintf(&b, "# %s %s: %s\n", ty.Name, ty.Endpoint, ty.Description)
		describe(&b, ty.Common)
		for _, s := range ty.Schemas() {
			fmt.Fprintf(&b, "## %s %q %q\n", s.ID, s.Name, s.Description)
			describe(&b, s.Attributes)
		}
	}
	golden := filepath.Join("testdata", "index.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Errorf("the index differs from %s (-want +got):\n%s", golden, d)
	}
}

// walk calls f with every attribute of a type.
func walk(ty *schema.Type, f func(*schema.Attribute)) {
	var each func(as []*schema.Attribute)
	each = func(as []*schema.Attribute) {
		for _, a := range as {
			f(a)
			each(a.Sub)
		}
	}
	each(ty.Common)
	for _, s := range ty.Schemas() {
		each(s.Attributes)
	}
}

func TestEveryAttributeIsFoundAndWhole(t *testing.T) {
	t.Parallel()
	words := map[string]bool{
		schema.ReadOnly: true, schema.ReadWrite: true, schema.Immutable: true, schema.WriteOnly: true,
		schema.ReturnedAlways: true, schema.ReturnedDefault: true, schema.ReturnedOnRequest: true, schema.ReturnedNever: true,
		schema.UniqueNone: true, schema.UniqueServer: true,
	}
	for _, ty := range schema.Types() {
		walk(ty, func(a *schema.Attribute) {
			name := a.Name
			if a.Parent != nil {
				name = a.Parent.Name + "." + name
				if a.Parent.Child(strings.ToUpper(a.Name)) != a {
					t.Errorf("%s: not the child %s of its parent", ty.Name, a.Path())
				}
			}
			for _, n := range []string{name, strings.ToUpper(name), strings.ToLower(name)} {
				if got, ok := ty.Find(strings.ToUpper(a.Schema), n); !ok || got != a {
					t.Errorf("%s: Find(%q, %q) = %v, %t", ty.Name, a.Schema, n, got, ok)
				}
			}
			if !words[a.Mutability] || !words[a.Returned] || !words[a.Uniqueness] || a.Kind == "" || a.Description == "" {
				t.Errorf("%s %s lacks a characteristic: %+v", ty.Name, a.Path(), a)
			}
			if (a.Kind == schema.Complex) != (len(a.Sub) > 0) || (a.Kind == schema.Reference) != (len(a.References) > 0) {
				t.Errorf("%s %s: the kind %s does not go with its sub-attributes or references", ty.Name, a.Path(), a.Kind)
			}
			if a.Required && a.Mutability == schema.ReadOnly {
				t.Errorf("%s %s is required and read-only: no client could create one", ty.Name, a.Path())
			}
		})
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ty        *schema.Type
		urn, name string
		want      string
	}{
		{schema.User(), "", "USERNAME", "userName"},
		{schema.User(), "", "name.givenname", "name.givenName"},
		{schema.User(), schema.UserURN, "emails.Value", "emails.value"},
		{schema.User(), schema.UserURN, "id", "id"},
		{schema.User(), "", "meta.LASTMODIFIED", "meta.lastModified"},
		{schema.User(), "", "schemas", "schemas"},
		{schema.User(), "", "externalid", "externalId"},
		{schema.User(), strings.ToUpper(schema.EnterpriseURN), "manager.$REF", schema.EnterpriseURN + ":manager.$ref"},
		{schema.User(), schema.UsherdURN, "lastFailure.code", schema.UsherdURN + ":lastFailure.code"},
		{schema.User(), "", "employeeNumber", ""},
		{schema.User(), schema.EnterpriseURN, "id", ""},
		{schema.User(), schema.EnterpriseURN, "userName", ""},
		{schema.User(), schema.GroupURN, "members", ""},
		{schema.User(), "", "members", ""},
		{schema.User(), "", "nic\u212aName", ""}, // the Kelvin sign is no k
		{schema.User(), "", "", ""},
		{schema.User(), "", "name.", ""},
		{schema.User(), "", "name.givenName.x", ""},
		{schema.Group(), "", "members.value", "members.value"},
		{schema.Group(), schema.EnterpriseURN, "manager", ""},
	} {
		got := ""
		if a, ok := c.ty.Find(c.urn, c.name); ok {
			got = a.Path()
		}
		if got != c.want {
			t.Errorf("%s: Find(%q, %q) found %q, want %q", c.ty.Name, c.urn, c.name, got, c.want)
		}
	}
}

func TestSplitPath(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in, urn, rest string
		ok            bool
	}{
		{"name.givenName", "", "name.givenName", true},
		{"", "", "", true},
		{schema.UserURN, schema.UserURN, "", true},
		{strings.ToUpper(schema.EnterpriseURN), schema.EnterpriseURN, "", true},
		{strings.ToLower(schema.EnterpriseURN) + ":Manager.Value", schema.EnterpriseURN, "Manager.Value", true},
		{schema.UserURN + `:emails[type eq "a:b"].value`, schema.UserURN, `emails[type eq "a:b"].value`, true},
		{schema.UserURN + ":", schema.UserURN, "", true},
		{schema.UserURN + "name", "", "", false},
		{schema.GroupURN + ":members", "", "", false},
		{"urn:ietf:params:scim:schemas:core:2.0", "", "", false},
		{"URN:other:a", "", "", false},
	} {
		urn, rest, ok := schema.User().SplitPath(c.in)
		if urn != c.urn || rest != c.rest || ok != c.ok {
			t.Errorf("SplitPath(%q) = %q, %q, %t", c.in, urn, rest, ok)
		}
	}
	if urn, ok := schema.User().URN(strings.ToUpper(schema.UsherdURN)); !ok || urn != schema.UsherdURN {
		t.Errorf("URN = %q, %t", urn, ok)
	}
	if urn, ok := schema.Group().URN(schema.UsherdURN); ok {
		t.Errorf("groups have %q", urn)
	}
}

func TestFindAllocatesNothingForUsualSpellings(t *testing.T) {
	ty := schema.User()
	for _, name := range []string{"userName", "username", "name.givenName"} {
		if n := testing.AllocsPerRun(100, func() { ty.Find(schema.UserURN, name) }); n != 0 {
			t.Errorf("Find(%q) allocates %v times", name, n)
		}
	}
}
