package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"usherd/config"
)

// FuzzParse: whatever the text, there is a file or faults, each inside the text.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/bad/*.yaml", "testdata/good/*.yaml", "example.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range files {
			text, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 64<<10 {
			return
		}
		file, err := config.Parse("usherd.yaml", text, options())
		var faults config.Faults
		switch {
		case err == nil:
			if file == nil || len(file.Organizations) == 0 {
				t.Fatal("no fault and no organization")
			}
			config.Diff(nil, file)
			faults = file.Warnings
		case !errors.As(err, &faults) || len(faults) == 0 || file != nil:
			t.Fatalf("%T %v", err, err)
		}
		lines := splitLines(string(text))
		for i, fault := range faults {
			if fault.Line < 1 || fault.Line > len(lines) {
				t.Fatalf("line %d of %d: %v", fault.Line, len(lines), fault)
			}
			if most := utf8.RuneCountInString(lines[fault.Line-1]) + 1; fault.Column < 1 || fault.Column > most {
				t.Fatalf("column %d of %d: %v", fault.Column, most, fault)
			}
			if i > 0 && fault.Line < faults[i-1].Line {
				t.Fatalf("not sorted: %v", faults)
			}
			if fault.Message == "" {
				t.Fatal("a fault without words")
			}
		}
	})
}

// splitLines knows the ends of lines of YAML 1.1.
func splitLines(text string) []string {
	text = strings.TrimPrefix(text, "\ufeff")
	return strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n").Replace(text), "\n")
}
