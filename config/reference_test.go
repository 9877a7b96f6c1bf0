package config

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
)

// updating is the -update flag, which the tests from outside the package declare.
func updating() bool {
	f := flag.Lookup("update")
	return f != nil && f.Value.String() == "true"
}

func generated(t *testing.T, path string, got []byte) {
	t.Helper()
	if updating() {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is not as the types and their comments say (-want +got); go test -update writes it anew:\n%s", path, diff)
	}
}

const referenceHead = `# The configuration file

One YAML file holds everything. ` + "`usherd check`" + ` reads it strictly: a key it does not know, a value of the wrong kind or out of range is a
fault, told with line and column, and all are told at once. ` + "`usherd check --example`" + ` prints a whole file that says why for each key,
` + "`usherd check --schema`" + ` the JSON Schema for editors: put ` + "`# yaml-language-server: $schema=usherd.schema.json`" + ` into the first line.

- Texts stay as they are written: ` + "`0123`, `+46 8 1234`, `1.10` and `yes`" + ` lose nothing. A key without a value is as if it were left out.
- A **duration** is a number with a unit: ` + "`30s`, `15m`, `12h`, `7d`, `1d12h`" + `.
- A **secret** never stands in the file. Write ` + "`{file: PATH}`" + ` (its first line), ` + "`{env: NAME}`" + ` or ` + "`{credential: NAME}`" + ` (systemd's LoadCredential).
- Paths that are not absolute start at the folder of the file.
- Anchors, aliases, merge keys and tags of YAML are refused, and so is a second document.

This page is made of the comments in the Go sources. **Bold** keys must be there.
`

func TestReferenceIsFresh(t *testing.T) {
	t.Parallel()
	docs := comments(t)
	var b bytes.Buffer
	b.WriteString(referenceHead)
	var section func(typ reflect.Type, path string)
	section = func(typ reflect.Type, path string) {
		title := path
		if path == "" {
			title = "The file"
		}
		fmt.Fprintf(&b, "\n## %s\n\n| key | value | default | meaning |\n| --- | --- | --- | --- |\n", strings.ReplaceAll(title, "[]", "[ ]"))
		keys := keysIn(t, docs, typ, path)
		for _, k := range keys {
			name := "`" + k.name + "`"
			if k.required {
				name = "**" + name + "**"
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", name, cell(kindWords(k)), cell(k.standard), cell(k.meaning))
		}
		for _, k := range keys {
			if inner, suffix, ok := block(k.typ); ok {
				section(inner, k.path+suffix)
			}
		}
	}
	section(reflect.TypeFor[Config](), "")
	b.WriteString("\n## Attributes of a profile\n\nKeys of `mapping.attributes` and `owners`, items of `required`. Beside them there are `custom.NAME`, texts of your own, and in a\n" +
		"mapping `package`. How to write rules: [connector/mapping/MAPPING.md](../connector/mapping/MAPPING.md).\n\n" +
		"| attribute | people know it as | values | longest |\n| --- | --- | --- | --- |\n")
	kinds := map[connector.AttributeType]string{
		connector.TextType: "text", connector.EmailType: "address", connector.BoolType: "true, false",
		connector.IntegerType: "whole number", connector.TimeType: "time", connector.BinaryType: "bytes",
		connector.ElementsType: "JSON array",
	}
	for _, a := range connector.Attributes() {
		if a.Name == connector.MemberStatus {
			continue
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %d |\n", a.Name, a.Label, kinds[a.Type]+map[bool]string{true: ", several"}[a.Multi], a.MaxLen)
	}
	generated(t, "REFERENCE.md", b.Bytes())
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
