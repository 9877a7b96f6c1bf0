package main

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The image is built from what .dockerignore lets in: each folder that the program is made of.
func TestImageIsBuiltFromEveryFolder(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	letIn := strings.Fields(string(text))
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{.ImportPath}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for path := range strings.FieldsSeq(string(out)) {
		inside, ours := strings.CutPrefix(path, "usherd/")
		if !ours {
			continue
		}
		found++
		folder, _, _ := strings.Cut(inside, "/")
		if !slices.Contains(letIn, "!"+folder) {
			t.Errorf(".dockerignore leaves out %s, which %s is in", folder, path)
		}
	}
	if found < 20 {
		t.Errorf("only %d packages are found", found)
	}
}
