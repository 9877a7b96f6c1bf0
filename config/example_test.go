package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"usherd/connector"
)

// placed is the example with its secrets in a folder that tests have.
func placed(t *testing.T) ([]byte, LoadOptions) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"office-password", "unix-password"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := strings.ReplaceAll(string(Example()), "/etc/usherd/office-password", filepath.ToSlash(dir)+"/office-password")
	return []byte(text), LoadOptions{CredentialsDir: dir}
}

var commentedOut = regexp.MustCompile(`(?m)^( *)# ( *(?:- )?[a-z_0-9]+:(?: .*)?)$`)

// TestExampleOfSCIM takes the comment signs away from what opens the door, which then has no fault either.
func TestExampleOfSCIM(t *testing.T) {
	t.Parallel()
	text, options := placed(t)
	top := regexp.MustCompile(`(?ms)^# scim:.*?\n\n`)
	text = top.ReplaceAllFunc(text, func(b []byte) []byte { return commentedOut.ReplaceAll(b, []byte("$1$2")) })
	push := regexp.MustCompile(`(?ms)^      # - id: entra.*?\n\n`)
	text = push.ReplaceAllFunc(text, func(b []byte) []byte { return commentedOut.ReplaceAll(b, []byte("$1$2")) })
	f, err := Parse("example.yaml", text, options)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Warnings) > 0 || f.Config.SCIM == nil || f.Organizations[0].Clients["entra"] == nil {
		t.Errorf("%v %+v", f.Warnings, f.Organizations[0])
	}
}

// TestExampleOfFiles does the same for files.
func TestExampleOfFiles(t *testing.T) {
	t.Parallel()
	text, options := placed(t)
	block := regexp.MustCompile(`(?ms)^      # - id: moved.*?\n\n`)
	text = block.ReplaceAllFunc(text, func(b []byte) []byte { return commentedOut.ReplaceAll(b, []byte("$1$2")) })
	f, err := Parse("example.yaml", text, options)
	if err != nil {
		t.Fatal(err)
	}
	r := f.Organizations[0]
	if s, c := r.Org.Source("moved"), r.Importers["moved"]; len(f.Warnings) > 0 || s == nil || s.Kind != connector.Import || c.IDColumn != "staff_number" ||
		!slices.Contains(c.Attributes, "cost_unit") || slices.Contains(c.Attributes, "department") || s.FirstRun != connector.FirstRunPreview {
		t.Errorf("%v %+v %+v", f.Warnings, s, c)
	}
}

// TestExampleOfSAML does the same for sign-ins, for each way to know the identity provider.
func TestExampleOfSAML(t *testing.T) {
	t.Parallel()
	block := regexp.MustCompile(`(?ms)^# sso:.*?\n\n|^      # - id: login.*\z`)
	for way, others := range map[string]string{
		"metadata_url":  `(?m)^.*(metadata_file|entity_id|sso_url|certificate_files):.*\n`,
		"metadata_file": `(?m)^.*(metadata_url|entity_id|sso_url|certificate_files):.*\n`,
		"by hand":       `(?m)^.*(metadata_url|metadata_file):.*\n`,
	} {
		text, options := placed(t)
		text = block.ReplaceAllFunc(text, func(b []byte) []byte { return commentedOut.ReplaceAll(b, []byte("$1$2")) })
		text = regexp.MustCompile(others).ReplaceAll(text, nil)
		f, err := Parse("example.yaml", text, options)
		if err != nil {
			t.Fatal(way, err)
		}
		if len(f.Warnings) > 0 || f.Config.SSO == nil || f.Organizations[0].SignOns["login"] == nil {
			t.Errorf("%s: %v %+v", way, f.Warnings, f.Organizations[0])
		}
	}
}

// TestExampleOfTemplates does the same for people who activate themselves.
func TestExampleOfTemplates(t *testing.T) {
	t.Parallel()
	text, options := placed(t)
	block := regexp.MustCompile(`(?ms)^    # templates:.*?\n\n`)
	text = block.ReplaceAllFunc(text, func(b []byte) []byte { return commentedOut.ReplaceAll(b, []byte("$1$2")) })
	f, err := Parse("example.yaml", text, options)
	if err != nil {
		t.Fatal(err)
	}
	org := f.Organizations[0].Org
	if len(f.Warnings) > 0 || org.Template("phones") == nil || org.Sources[len(org.Sources)-1].Kind != connector.Template {
		t.Errorf("%v %+v", f.Warnings, org)
	}
}

func TestExampleHasNoFault(t *testing.T) {
	t.Parallel()
	text, options := placed(t)
	f, err := Parse("example.yaml", text, options)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Warnings) > 0 {
		t.Error(f.Warnings)
	}
	if len(f.Organizations) != 1 || len(f.Organizations[0].Directories) != 2 || len(f.Organizations[0].Schedules) != 2 {
		t.Errorf("%+v", f.Organizations)
	}
}

// TestExampleHasEachKey takes the comment signs away from keys: then each key of the types is there, none
// that is not one, and those with a default show it.
func TestExampleHasEachKey(t *testing.T) {
	t.Parallel()
	text, options := placed(t)
	text = commentedOut.ReplaceAll(text, []byte("$1$2"))
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	_, err := Parse("example.yaml", text, options)
	var faults Faults
	if !errors.As(err, &faults) {
		t.Fatalf("servers and domain, password and keytab, yet no fault (%v)", err)
	}
	for _, f := range faults {
		if strings.Contains(f.Message, "unknown key") || strings.Contains(f.Message, "belongs here") || strings.Contains(f.Message, "twice") {
			t.Error(f)
		}
	}
	found := map[string][]string{}
	collect(doc.Content[0], "", found)
	hidden := map[string]bool{}
	active := map[string][]string{}
	var plain yaml.Node
	if err := yaml.Unmarshal(Example(), &plain); err != nil {
		t.Fatal(err)
	}
	collect(plain.Content[0], "", active)
	for path := range found {
		hidden[path] = active[path] == nil
	}
	docs := comments(t)
	walk(t, docs, reflect.TypeFor[Config](), "", func(k key) {
		values, ok := found[k.path]
		if !ok {
			t.Errorf("the example does not have %s", k.path)
		}
		if word := strings.Fields(k.standard); hidden[k.path] && len(word) == 1 && len(values) == 1 && values[0] != word[0] {
			t.Errorf("%s: %s is shown as the default, which is %s", k.path, values[0], k.standard)
		}
	})
}

// collect gathers the values at each path, [] standing for any item.
func collect(n *yaml.Node, path string, into map[string][]string) {
	if path != "" {
		into[path] = append(into[path], n.Value)
	}
	for i, c := range n.Content {
		switch {
		case n.Kind == yaml.MappingNode && i%2 == 1:
			collect(c, join(path, n.Content[i-1].Value), into)
		case n.Kind == yaml.SequenceNode && c.Kind == yaml.MappingNode:
			collect(c, path+"[]", into)
		}
	}
}

// TestEveryKeyCanBeDecoded finds kinds of fields that decode does not know.
func TestEveryKeyCanBeDecoded(t *testing.T) {
	t.Parallel()
	walk(t, comments(t), reflect.TypeFor[Config](), "", func(k key) {
		d := newDecoder("x.yaml", nil, secretGetter{})
		d.decode(&yaml.Node{Kind: yaml.ScalarNode, Value: "1", Tag: "!!int"}, reflect.New(k.typ).Elem(), k.path)
		if list := d.faults; len(list) > 1 {
			t.Error(list)
		}
	})
}
