package main

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"usherd/config"
	"usherd/internal/testproc"
)

const deploy = "../../deploy/"

// tree is YAML read without knowing what it is.
type tree = map[string]any

// documents reads a file of YAML documents; a duplicate key is an error.
func documents(t *testing.T, file string) (all []tree) {
	t.Helper()
	for d := yaml.NewDecoder(strings.NewReader(read(t, file))); ; {
		var doc tree
		if err := d.Decode(&doc); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, doc)
	}
}

// at walks down maps and lists, by name and by index; nil where there is nothing.
func at(v any, path ...any) any {
	for _, p := range path {
		switch key := p.(type) {
		case string:
			m, _ := v.(tree)
			v = m[key]
		case int:
			l, _ := v.([]any)
			if key >= len(l) {
				return nil
			}
			v = l[key]
		}
	}
	return v
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

func words(v any) (out []string) {
	for _, w := range list(v) {
		s, _ := w.(string)
		out = append(out, s)
	}
	return out
}

// deployed loads a configuration as it is deployed: what lies in /run/secrets is put into a folder of the test.
func deployed(t *testing.T, file string) *config.Config {
	t.Helper()
	secrets := t.TempDir()
	if err := testproc.WriteCertificate(secrets, "db", "127.0.0.1", false); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"bind-password": "secret\n", "store-password": "secret\n", "db-ca.crt": read(t, filepath.Join(secrets, "ca.crt"))} {
		if err := os.WriteFile(filepath.Join(secrets, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := strings.ReplaceAll(read(t, file), "/run/secrets", secrets)
	f, err := config.Parse(file, []byte(text), config.LoadOptions{})
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for _, w := range f.Warnings {
		t.Errorf("%s: %s", file, w)
	}
	return &f.Config
}

func portOf(t *testing.T, address string) string {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil || host != "0.0.0.0" {
		t.Errorf("%s: in a container it has to be reached from outside (%v)", address, err)
	}
	return port
}

// isCommand checks that usherd knows a command line.
func isCommand(t *testing.T, where string, args []string) {
	t.Helper()
	root := (&app{env: func(string) (string, bool) { return "", false }}).root()
	cmd, rest, err := root.Find(args)
	if err != nil || cmd == root || len(rest) > 0 {
		t.Errorf("%s: there is no command %q", where, args)
	}
}

// dockerfile returns the last value of each instruction.
func dockerfile(t *testing.T) map[string]string {
	t.Helper()
	last := map[string]string{}
	for line := range strings.Lines(read(t, "../../Dockerfile")) {
		if name, rest, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			last[name] = rest
		}
	}
	return last
}

func TestImageRunsWhatThereIs(t *testing.T) {
	t.Parallel()
	d := dockerfile(t)
	if d["USER"] != "65532:65532" || d["FROM"] != "scratch" || d["ENTRYPOINT"] != `["/usherd"]` {
		t.Errorf("the image is from %s, runs %s as %s", d["FROM"], d["ENTRYPOINT"], d["USER"])
	}
	for name, text := range map[string]string{"CMD": d["CMD"], "HEALTHCHECK": d["HEALTHCHECK"]} {
		var args []string
		if err := yaml.Unmarshal([]byte(text[max(0, strings.IndexByte(text, '[')):]), &args); err != nil {
			t.Fatal(err)
		}
		if name == "HEALTHCHECK" {
			if len(args) == 0 || args[0] != "/usherd" {
				t.Fatalf("HEALTHCHECK runs %q", args)
			}
			args = args[1:]
		}
		isCommand(t, name, args)
	}
}
