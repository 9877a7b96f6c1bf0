package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"

	"usherd/connector"
)

const maxSecret = 64 << 10

// secretGetter fetches what a secret's block names.
type secretGetter struct {
	env         func(string) (string, bool)
	credentials string // folder, as systemd's CREDENTIALS_DIRECTORY
	base        string // folder of the configuration file, for relative paths
}

const secretForms = `write one of {file: PATH}, {env: NAME} or {credential: NAME} instead of the secret itself`

// secret decodes {file: PATH}, {env: NAME} or {credential: NAME}. What it fetches appears in no
// message.
func (d *decoder) secret(n *yaml.Node, v reflect.Value, path string) {
	d.nodes[path] = n
	if n.Kind != yaml.MappingNode || len(n.Content) != 2 {
		d.fault(n, path, "a secret does not stand in this file: %s", secretForms)
		return
	}
	key, value := n.Content[0], n.Content[1]
	if value.Kind != yaml.ScalarNode || value.Value == "" {
		d.fault(value, join(path, key.Value), "a name or path belongs here")
		return
	}
	text, err := d.get.fetch(key.Value, value.Value)
	if err != nil {
		d.fault(value, join(path, key.Value), "%s", err)
		return
	}
	v.Set(reflect.ValueOf(connector.NewSecret(text)))
}

func (g secretGetter) fetch(kind, name string) (string, error) {
	switch kind {
	case "file":
		if !filepath.IsAbs(name) {
			name = filepath.Join(g.base, name)
		}
		return readSecret(name)
	case "env":
		text, ok := g.env(name)
		if !ok || text == "" {
			return "", fmt.Errorf("the environment variable %s is not set", name)
		}
		return text, nil
	case "credential":
		if g.credentials == "" {
			return "", fmt.Errorf("there are no systemd credentials here (CREDENTIALS_DIRECTORY is not set): the unit needs LoadCredential=%s:PATH", name)
		}
		if name != filepath.Base(name) {
			return "", errors.New("a credential has a plain name, without a folder")
		}
		return readSecret(filepath.Join(g.credentials, name))
	}
	return "", fmt.Errorf("%q is no place for a secret: %s", kind, secretForms)
}

// readSecret returns the first line of a file.
func readSecret(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", fmt.Errorf("there is no file %s", path)
	case err != nil:
		return "", err
	case info.Size() > maxSecret:
		return "", fmt.Errorf("%s is too large for a secret", path)
	}
	b, err := os.ReadFile(path) //nolint:gosec // the administrator names it
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	if line = strings.TrimSuffix(line, "\r"); line == "" {
		return "", fmt.Errorf("%s is empty: the secret stands in its first line", path)
	}
	return line, nil
}
