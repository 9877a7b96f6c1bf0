package dialect_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"usherd/scim/body"
	"usherd/scim/dialect"
	"usherd/scim/filter"
	"usherd/scim/patch"
	"usherd/scim/schema"
)

var update = flag.Bool("update", false, "write the golden files anew")

// goldenCase is one file of testdata: see testdata/README.md.
type goldenCase struct {
	profile, method string
	ty              *schema.Type
	before          map[string]any // nil for a POST
	request         string
}

// The golden files are what we understand of each dialect: the catalogue of what identity providers send, the table
// of the normaliser and that of the profiles. Each is played twice, the second time in the profile strict.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files: ", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(strings.TrimPrefix(file, "testdata/"), ".txt"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c := readCase(t, archive)
			playInto(t, archive, "want", c.play(t, c.profile))
			playInto(t, archive, "strict", c.play(t, "strict"))
			if *update {
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// playInto compares what came out with a section of the file, or with -update writes it.
func playInto(t *testing.T, archive *txtar.Archive, section, got string) {
	t.Helper()
	i := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == section })
	switch {
	case *update && i < 0:
		archive.Files = append(archive.Files, txtar.File{Name: section, Data: []byte(got)})
	case *update:
		archive.Files[i].Data = []byte(got)
	case i < 0:
		t.Errorf("no section %s", section)
	default:
		if diff := cmp.Diff(string(archive.Files[i].Data), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", section, diff)
		}
	}
}

func readCase(tb testing.TB, archive *txtar.Archive) goldenCase {
	tb.Helper()
	c := goldenCase{ty: schema.User(), profile: "generic"}
	for line := range strings.Lines(string(archive.Comment)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch key {
		case "profile":
			c.profile = value
		case "type":
			if value == "Group" {
				c.ty = schema.Group()
			}
		}
	}
	var before map[string]any
	for _, f := range archive.Files {
		switch f.Name {
		case "before":
			before = parse(tb, string(f.Data))
		case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch:
			c.method, c.request = f.Name, message(string(f.Data))
		}
	}
	if c.method == "" {
		tb.Fatal("no request")
	}
	if c.before = before; before == nil && c.method != http.MethodPost {
		c.before = fixture(tb, c.ty)
	}
	return c
}

// fixture is the resource that is there before, where a file does not say.
func fixture(tb testing.TB, ty *schema.Type) map[string]any {
	tb.Helper()
	data, err := os.ReadFile("testdata/" + strings.ToLower(ty.Name) + ".json")
	if err != nil {
		tb.Fatal(err)
	}
	return parse(tb, string(data))
}

// message puts operations, written W[…] as in the catalogue, into their message.
func message(text string) string {
	text = strings.TrimSpace(text)
	if ops, ok := strings.CutPrefix(text, "W["); ok {
		return `{"schemas":["` + patch.MessageURN + `"],"Operations":[` + ops + `}`
	}
	return text
}

func parse(tb testing.TB, text string) map[string]any {
	tb.Helper()
	m, err := body.Parse([]byte(text))
	if err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return m
}

func profileOf(tb testing.TB, name string) dialect.Profile {
	tb.Helper()
	p, ok := dialect.ByName(name)
	if !ok {
		tb.Fatalf("no profile %q", name)
	}
	return p
}

// play does what a handler does with the request, and tells what came of it.
func (c goldenCase) play(t *testing.T, profile string) string {
	t.Helper()
	p := profileOf(t, profile)
	if c.method == http.MethodGet {
		return playFilter(p, c.ty, c.request)
	}
	sent, err := body.Parse([]byte(c.request))
	if err != nil {
		return refused(err)
	}
	normal, quirks, err := dialect.Normalise(p, c.ty, c.method, sent)
	if !reflect.DeepEqual(sent, parse(t, c.request)) {
		t.Error("the normaliser changed the body")
	}
	if err != nil {
		return refused(err)
	}
	again, more, err := dialect.Normalise(p, c.ty, c.method, normal)
	if err != nil || !reflect.DeepEqual(normal, again) || len(more) > 0 {
		t.Errorf("normalised once it is %v, twice %v (%v, %v)", normal, again, err, more)
	}
	result, err := apply(c, p, normal)
	if err != nil {
		return refused(err)
	}
	return c.tell(p, result, append(quirks, result.Notes...))
}

func apply(c goldenCase, p dialect.Profile, normal map[string]any) (*patch.Result, error) {
	if c.method != http.MethodPatch {
		return patch.Put(c.ty, c.before, normal, p.Rules)
	}
	ops, err := patch.Decode(normal)
	if err != nil {
		return nil, err
	}
	return patch.Apply(c.ty, c.before, ops, p.Rules)
}

func playFilter(p dialect.Profile, ty *schema.Type, text string) string {
	x, err := filter.Parse(text)
	if err != nil {
		return fmt.Sprintf("400 invalidFilter\n%v\n", err)
	}
	x, quirks := dialect.Filter(p, ty, x)
	again, more := dialect.Filter(p, ty, x)
	if !reflect.DeepEqual(x, again) || len(more) > 0 {
		return "read twice it is " + filter.Print(again)
	}
	if _, err := filter.Compile(ty, x); err != nil {
		return fmt.Sprintf("400 invalidFilter\n%v\n", err)
	}
	return "200\n" + tellQuirks(quirks) + "filter " + filter.Print(x) + "\n"
}

func refused(err error) string {
	if e, ok := errors.AsType[*patch.Error](err); ok {
		return strings.TrimSpace(fmt.Sprintf("%d %s", e.Status, e.ScimType)) + "\n" + e.Error() + "\n"
	}
	return "400 invalidSyntax\n" + err.Error() + "\n"
}

func (c goldenCase) tell(p dialect.Profile, r *patch.Result, quirks []dialect.Quirk) string {
	status := http.StatusOK
	switch c.method {
	case http.MethodPost:
		status = http.StatusCreated
	case http.MethodPatch:
		status = p.PatchStatus(c.ty, 3, false)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d\n%s", status, tellQuirks(quirks))
	for _, m := range r.Members {
		fmt.Fprintf(&b, "members %s", m.Kind)
		for _, id := range m.IDs {
			fmt.Fprintf(&b, " %s", id)
		}
		if m.Where != nil {
			fmt.Fprintf(&b, " by %s", m.Path)
		}
		if m.MustMatch {
			b.WriteString(", or 400 noTarget")
		}
		b.WriteByte('\n')
	}
	before, after := flat("", c.before), flat("", r.Resource)
	for _, line := range slices.Sorted(maps.Keys(before)) {
		if !after[line] {
			fmt.Fprintf(&b, "- %s\n", line)
		}
	}
	for _, line := range slices.Sorted(maps.Keys(after)) {
		if !before[line] {
			fmt.Fprintf(&b, "+ %s\n", line)
		}
	}
	return b.String()
}

func tellQuirks(quirks []dialect.Quirk) string {
	var b strings.Builder
	for _, q := range quirks {
		fmt.Fprintf(&b, "quirk %s", q.ID)
		if q.Where != "" {
			fmt.Fprintf(&b, " at %s", q.Where)
		}
		if q.Count > 1 {
			fmt.Fprintf(&b, " (%d times)", q.Count)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// flat writes a resource as lines of path and value.
func flat(path string, v any) map[string]bool {
	all := map[string]bool{}
	switch v := v.(type) {
	case map[string]any:
		if path != "" {
			path += "."
		}
		for key, e := range v {
			maps.Copy(all, flat(path+key, e))
		}
		if len(v) == 0 && path != "" {
			all[path+" = {}"] = true
		}
	case []any:
		for i, e := range v {
			maps.Copy(all, flat(fmt.Sprintf("%s[%d]", path, i), e))
		}
		if len(v) == 0 {
			all[path+" = []"] = true
		}
	default:
		text, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		all[path+" = "+string(text)] = true
	}
	return all
}
