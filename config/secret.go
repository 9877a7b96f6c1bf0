package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"strings"

	"go.yaml.in/yaml/v3"

	"usherd/connector"
)

const maxSecret = 64 << 10

// storePassword is the secret that is fetched for every command: none can do without the store.
const storePassword = "store_password"

// secretGetter fetches what a secret's block names.
type secretGetter struct {
	env         func(string) (string, bool)
	credentials string // folder, as systemd's CREDENTIALS_DIRECTORY
	base        string // folder of the configuration file, for relative paths
	none        bool   // do not fetch any
}

const secretForms = `write one of {file: PATH}, {env: NAME} or {credential: NAME} instead of the secret itself` //nolint:gosec // no secret: words about them

// secret decodes {file: PATH}, {env: NAME} or {credential: NAME}. What it fetches, and what may be a
// secret written in the wrong place, appears in no message.
func (d *decoder) secret(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode || len(n.Content) != 2 {
		d.bad(n, path, "a secret does not stand in this file: %s", secretForms)
		return
	}
	kind, value := n.Content[0].Value, n.Content[1]
	if kind != "file" && kind != "env" && kind != "credential" {
		d.bad(n.Content[0], path, "this is no place for a secret: %s", secretForms)
		return
	}
	at := join(path, kind)
	d.nodes[at] = value
	if value.Kind != yaml.ScalarNode || value.Value == "" || isNull(value) {
		d.bad(value, at, "a name or path belongs here, as text")
		return
	}
	if d.get.none && path != storePassword {
		v.Set(reflect.ValueOf(connector.NewSecret("not fetched")))
		return
	}
	text, warning, err := d.get.fetch(kind, value.Value)
	if err != nil {
		d.bad(value, at, "%s", err)
		return
	}
	if warning != "" {
		d.warn(value, at, "%s", warning)
	}
	d.secrets[path] = connector.NewSecret(text)
	v.Set(reflect.ValueOf(d.secrets[path]))
}

func (d *decoder) warn(n *yaml.Node, path, format string, args ...any) {
	if len(d.warnings) < maxFaults {
		d.warnings = append(d.warnings, Fault{d.file, max(n.Line, 1), max(n.Column, 1), path, fmt.Sprintf(format, args...)})
	}
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (g secretGetter) fetch(kind, name string) (text, warning string, err error) {
	switch kind {
	case "file":
		if !filepath.IsAbs(name) {
			name = filepath.Join(g.base, name)
		}
		return readSecret(name)
	case "env":
		if !envName.MatchString(name) { // it may be the secret itself
			return "", "", errors.New("this is no name of an environment variable: letters, digits and _")
		}
		text, ok := g.env(name)
		if !ok || text == "" {
			return "", "", fmt.Errorf("the environment variable %s is not set: set it where usherd is started", name)
		}
		return text, "", nil
	}
	if strings.ContainsAny(name, `/\`) || name == "." || name == ".." {
		return "", "", errors.New("a credential has a plain name, without a folder")
	}
	if g.credentials == "" {
		return "", "", fmt.Errorf("there are no systemd credentials here (CREDENTIALS_DIRECTORY is not set): the unit needs LoadCredential=%s:PATH", name)
	}
	text, _, err = readSecret(filepath.Join(g.credentials, name))
	return text, "", err
}

// readSecret returns the first line of a file, and a warning when everybody on the machine may read it.
func readSecret(path string) (text, warning string, err error) {
	info, err := os.Stat(path) //nolint:gosec // the administrator names it
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", "", fmt.Errorf("there is no file %s", path)
	case err != nil:
		return "", "", unreadable(path, err)
	case !info.Mode().IsRegular():
		return "", "", fmt.Errorf("%s is no plain file", path)
	case info.Size() > maxSecret:
		return "", "", fmt.Errorf("%s is too large for a secret", path)
	}
	b, err := os.ReadFile(path) //nolint:gosec // the administrator names it
	if err != nil {
		return "", "", unreadable(path, err)
	}
	line, _, _ := strings.Cut(strings.TrimPrefix(string(b), "\ufeff"), "\n") // Notepad begins files with the mark
	if line = strings.TrimSuffix(line, "\r"); line == "" {
		return "", "", fmt.Errorf("%s is empty: the secret stands in its first line", path)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o004 != 0 {
		warning = fmt.Sprintf("everybody on this machine can read %s: chmod 0600 it, owned by the account of usherd", path)
	}
	return line, warning, nil
}

func unreadable(path string, err error) error {
	if cause, ok := errors.AsType[*fs.PathError](err); ok {
		err = cause.Err
	}
	return fmt.Errorf("%s cannot be read (%w): the account of usherd needs to", path, err)
}
