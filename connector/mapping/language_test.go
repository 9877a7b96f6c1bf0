package mapping_test

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"usherd/connector"
	"usherd/connector/mapping"
)

var update = flag.Bool("update", false, "write golden files and the presets in MAPPING.md")

func document(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("MAPPING.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// sample is the record that MAPPING.md shows.
func sample(t *testing.T) *connector.Record {
	t.Helper()
	_, block, _ := strings.Cut(document(t), "```json\n")
	block, _, _ = strings.Cut(block, "```")
	var doc struct {
		DN, Anchor string
		Attributes map[string][]string
	}
	if err := json.Unmarshal([]byte(block), &doc); err != nil {
		t.Fatal(err)
	}
	anchor, err := connector.ParseAnchor(connector.ObjectGUID, doc.Anchor)
	if err != nil {
		t.Fatal(err)
	}
	r := &connector.Record{Anchor: anchor, DN: doc.DN}
	for name, values := range doc.Attributes {
		a := connector.Attribute{Name: name}
		for _, v := range values {
			raw := []byte(v)
			if enc, ok := strings.CutPrefix(v, "base64:"); ok {
				if raw, err = base64.StdEncoding.DecodeString(enc); err != nil {
					t.Fatal(err)
				}
			}
			a.Values = append(a.Values, raw)
		}
		r.Attributes = append(r.Attributes, a)
	}
	slices.SortFunc(r.Attributes, func(a, b connector.Attribute) int { return strings.Compare(a.Name, b.Name) })
	return r
}

var exampleBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

func TestEveryExampleOfTheDocumentHolds(t *testing.T) {
	t.Parallel()
	r := sample(t)
	examples := 0
	for _, block := range exampleBlock.FindAllStringSubmatch(document(t), -1) {
		for line := range strings.Lines(block[1]) {
			line = strings.TrimSpace(line)
			if want, ok := cutLast(line, "# => "); ok {
				examples++
				checkValue(t, r, line, want)
			} else if want, ok := cutLast(line, "# fault: "); ok {
				examples++
				checkFault(t, r, line, want)
			} else {
				t.Errorf("no result in %q", line)
			}
		}
	}
	if examples < 60 {
		t.Errorf("only %d examples found", examples)
	}
}

func cutLast(s, sep string) (string, bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return "", false
	}
	return s[i+len(sep):], true
}

// mapLine maps r by the one rule of a line; fault is what was wrong with it, "" if nothing.
func mapLine(t *testing.T, r *connector.Record, line string) (values []string, fault string) {
	t.Helper()
	var rules map[string]mapping.Rule
	if err := yaml.Unmarshal([]byte(line), &rules); err != nil {
		return nil, err.Error()
	}
	m, faults := mapping.Compile(mapping.Config{Attributes: rules})
	if len(faults) > 0 {
		return nil, faults[0].Message
	}
	got := m.Map(r)
	if len(got.Faults) > 0 {
		return nil, string(got.Faults[0].Reason)
	}
	for target := range rules {
		values = got.Profile[target]
		if target == "package" && got.Package != "" {
			values = []string{got.Package}
		}
	}
	return values, ""
}

func checkValue(t *testing.T, r *connector.Record, line, want string) {
	t.Helper()
	values, fault := mapLine(t, r, line)
	if fault != "" {
		t.Errorf("%s\n\tfault %s", line, fault)
		return
	}
	var expected []string
	switch {
	case want == "null":
	case strings.HasPrefix(want, "["):
		if err := json.Unmarshal([]byte(want), &expected); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	default:
		expected = make([]string, 1)
		if err := json.Unmarshal([]byte(want), &expected[0]); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	if diff := cmp.Diff(expected, values); diff != "" {
		t.Errorf("%s\n%s", line, diff)
	}
}

func checkFault(t *testing.T, r *connector.Record, line, want string) {
	t.Helper()
	if values, fault := mapLine(t, r, line); !strings.Contains(fault, want) || fault == "" {
		t.Errorf("%s\n\tvalues %q, fault %q", line, values, fault)
	}
}

func TestTheDocumentShowsThePresets(t *testing.T) {
	t.Parallel()
	const begin, end = "<!-- presets: printed by go test -update -->\n", "<!-- end -->"
	doc := document(t)
	head, rest, ok := strings.Cut(doc, begin)
	_, tail, also := strings.Cut(rest, end)
	if !ok || !also {
		t.Fatal("the marks of the presets are gone from MAPPING.md")
	}
	want := head + begin + presetTable(t) + end + tail
	if *update {
		if err := os.WriteFile("MAPPING.md", []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, doc); diff != "" {
		t.Errorf("run go test -update:\n%s", diff)
	}
}

func presetTable(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, name := range mapping.Presets() {
		m, faults := mapping.Compile(mapping.Config{Preset: name})
		if len(faults) > 0 {
			t.Fatalf("preset %s: %v", name, faults)
		}
		if len(m.Rules()) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n### %s\n\n| attribute | expression |\n| --- | --- |\n", name)
		for _, o := range m.Rules() {
			fmt.Fprintf(&b, "| %s | `%s` |\n", o.Target, strings.ReplaceAll(o.Expression, "|", "\\|"))
		}
	}
	return b.String() + "\n"
}
