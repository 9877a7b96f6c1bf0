package config_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/config"
)

var update = flag.Bool("update", false, "write golden files anew")

// hunter is the secret of all test files; nothing may print it.
const hunter = "hunter2-Swordfish"

func options() config.LoadOptions {
	return config.LoadOptions{
		Env: func(name string) (string, bool) {
			s, ok := map[string]string{"BIND": hunter, "EMPTY": ""}[name]
			return s, ok
		},
		CredentialsDir: filepath.Join("testdata", "credentials"),
	}
}

// TestBadFiles holds, for each file, every fault as it is shown.
func TestBadFiles(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) < 45 {
		t.Fatal(len(files), "files", err)
	}
	base, err := filepath.Abs("testdata/bad")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		f, err := config.Load(path, options())
		var faults config.Faults
		if !errors.As(err, &faults) || len(faults) == 0 || f != nil {
			t.Errorf("%s: no faults (%v)", path, err)
			continue
		}
		got := strings.ReplaceAll(faults.Error(), base, "FOLDER")
		got = strings.ReplaceAll(filepath.ToSlash(got), "testdata/bad/", "") + "\n"
		if strings.Contains(got, "hunter2") {
			t.Errorf("%s: the secret is in a message:\n%s", path, got)
		}
		golden(t, strings.TrimSuffix(path, ".yaml")+".want", []byte(got))
	}
}

// golden compares with a file, or writes it with -update.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
		return
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got); go test -update writes it anew:\n%s", path, diff)
	}
}
