package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What a remedy or the README tells somebody to type has to exist.
func TestCommandsThatTextsNameExist(t *testing.T) {
	t.Parallel()
	root := (&app{env: func(string) (string, bool) { return "", false }}).root()
	root.InitDefaultCompletionCmd()
	named := regexp.MustCompile(`\busherd((?: -c \S+)?(?: +(?:--?)?[A-Za-z][\w-]*)+)`)
	texts := map[string]string{}
	for _, pattern := range []string{"../../connector/failure/texts/*.json", "../../connector/report/texts/*.json"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %v", pattern, files, err)
		}
		for _, file := range files {
			texts[file] = read(t, file)
		}
	}
	code := regexp.MustCompile("(?m)`[^`\n]+`|^    .*$")
	texts["README.md"] = strings.Join(code.FindAllString(read(t, "../../README.md"), -1), "\n")
	found := 0
	for file, text := range texts {
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			words := strings.Fields(m[1])
			cmd, rest, err := root.Find(words)
			if err != nil || cmd == root {
				t.Errorf("%s: there is no command %q", file, m[0])
				continue
			}
			found++
			for _, w := range rest {
				name, long := strings.CutPrefix(w, "--")
				if long && cmd.Flag(name) == nil {
					t.Errorf("%s: %s has no flag %s", file, cmd.CommandPath(), w)
				}
			}
		}
	}
	if found < 50 {
		t.Errorf("only %d commands found", found)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
