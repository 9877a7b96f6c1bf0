package dialect_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"usherd/scim/body"
	"usherd/scim/dialect"
	"usherd/scim/filter"
	"usherd/scim/patch"
	"usherd/scim/schema"
)

// cases reads the golden files, which are the seeds of all that is fuzzed here.
func cases(tb testing.TB) []goldenCase {
	tb.Helper()
	files, err := filepath.Glob("testdata/*/*.txt")
	if err != nil {
		tb.Fatal(err)
	}
	var all []goldenCase
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, readCase(tb, txtar.Parse(data)))
	}
	return all
}

// FuzzNormalise: whatever is sent, by whomever, to normalise twice is to normalise once, what was sent stays as it was,
// and what the resource becomes is valid, unless all is refused.
func FuzzNormalise(f *testing.F) {
	methods := []string{http.MethodPatch, http.MethodPost, http.MethodPut}
	profiles := dialect.Profiles()
	for _, c := range cases(f) {
		for i, m := range methods {
			if m == c.method {
				f.Add([]byte(c.request), uint8(i), uint8(1), c.ty.Name == "Group")
				f.Add([]byte(c.request), uint8(i), uint8(0), c.ty.Name == "Group")
			}
		}
	}
	f.Add([]byte(`{"emails":[["{\"value\":\"{\\\"value\\\":\\\"x\\\"}\"}"]],"userName":[["x"]],"URN:ietf:params:scim:schemas:core:2.0:User":{"NAME.givenName":""}}`), uint8(1), uint8(1), false)
	f.Fuzz(func(t *testing.T, text []byte, method, profile uint8, isGroup bool) {
		sent, err := body.Parse(text)
		if err != nil {
			return
		}
		c := goldenCase{ty: schema.User(), method: methods[int(method)%len(methods)]}
		if isGroup {
			c.ty = schema.Group()
		}
		p := profiles[int(profile)%len(profiles)]
		normal := normalised(t, p, c, sent, text)
		if normal == nil {
			return
		}
		if c.method != http.MethodPost {
			c.before = fixture(t, c.ty)
		}
		result, err := apply(c, p, normal)
		if err != nil {
			if _, ok := errors.AsType[*patch.Error](err); !ok {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		if _, err := c.ty.Validate(result.Resource); err != nil {
			t.Fatalf("what came of it is not valid: %v", err)
		}
	})
}

// normalised checks what the normaliser makes of a body, and returns it; nil where it is refused.
func normalised(t *testing.T, p dialect.Profile, c goldenCase, sent map[string]any, text []byte) map[string]any {
	t.Helper()
	normal, quirks, err := dialect.Normalise(p, c.ty, c.method, sent)
	if again, _ := body.Parse(text); !reflect.DeepEqual(sent, again) {
		t.Fatal("what was sent was changed")
	}
	if err != nil {
		if e, ok := errors.AsType[*patch.Error](err); !ok || e.Detail == "" || normal != nil {
			t.Fatalf("%T %v", err, err)
		}
		return nil
	}
	for _, q := range quirks {
		if dialect.Text(q.ID) == "" || p.Strict {
			t.Fatalf("%+v", q)
		}
	}
	again, more, err := dialect.Normalise(p, c.ty, c.method, normal)
	if err != nil || !reflect.DeepEqual(normal, again) {
		t.Fatalf("normalised twice it is %v, once %v; %v", again, normal, err)
	}
	for _, q := range more {
		t.Fatalf("the second time there is still %+v", q)
	}
	return normal
}

// FuzzFilter: a filter is brought into form once, and then has nothing left to be changed.
func FuzzFilter(f *testing.F) {
	for _, c := range cases(f) {
		if c.method == http.MethodGet {
			f.Add(c.request, false)
			f.Add(c.request, true)
		}
	}
	f.Add(`not (email eq 5) or roles[primary eq "TRUE" and (value eq 1)].value eq "x" and urn:scim:schemas:extension:enterprise:1.0:manager.value eq 7`, false)
	f.Fuzz(func(t *testing.T, text string, isGroup bool) {
		x, err := filter.Parse(text)
		if err != nil {
			return
		}
		ty := schema.User()
		if isGroup {
			ty = schema.Group()
		}
		before := filter.Print(x)
		once, _ := dialect.Filter(profileOf(t, "ping"), ty, x)
		twice, quirks := dialect.Filter(profileOf(t, "ping"), ty, once)
		if filter.Print(x) != before || !reflect.DeepEqual(once, twice) || len(quirks) > 0 {
			t.Fatalf("%s is %s, then %s %v", before, filter.Print(once), filter.Print(twice), quirks)
		}
	})
}
