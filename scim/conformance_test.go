package scim_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What CONFORMANCE.md names as a proof is there.
func TestConformanceNamesItsProofs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("CONFORMANCE.md")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, dir := range []string{".", "../cmd/usherd", "../connector/provision"} {
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path)
			tests.Write(source)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	seen := 0
	for _, name := range regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(string(text), -1) {
		if seen++; !strings.Contains(tests.String(), "func "+name+"(") {
			t.Errorf("there is no test %s", name)
		}
	}
	for _, name := range regexp.MustCompile(`exchange/[a-z][a-z0-9-]+`).FindAllString(string(text), -1) {
		seen++
		if _, err := os.Stat(filepath.Join("testdata", name+".http")); err != nil {
			t.Errorf("there is no exchange %s", name)
		}
	}
	for row := range strings.Lines(string(text)) {
		if cells := strings.Split(row, "|"); strings.HasPrefix(row, "|") && len(cells) != 4 && len(cells) != 6 {
			t.Errorf("a row has %d cells: %s", len(cells)-2, row)
		}
	}
	if seen < 40 {
		t.Errorf("only %d proofs are named", seen)
	}
}
