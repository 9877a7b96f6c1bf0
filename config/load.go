package config

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"reflect"

	"go.yaml.in/yaml/v3"

	"usherd/connector"
)

// LoadOptions are where secrets may come from.
type LoadOptions struct {
	Env            func(string) (string, bool) // os.LookupEnv; nil = no variables
	CredentialsDir string                      // systemd's CREDENTIALS_DIRECTORY; "" = none
	// NoSecrets fetches none but the store's, for commands that only look into the store: they work without the rights
	// to read the secrets, and whoever would use one is refused by its server.
	NoSecrets bool
}

// File is a configuration without a fault, with everything compiled that can be.
type File struct {
	Path          string
	Config        Config
	Text          []byte
	Revision      string // short hash of the text
	Organizations []*Runtime
	// Warnings are what is allowed and most likely not meant.
	Warnings []Fault

	root    *yaml.Node
	nodes   map[string]*yaml.Node
	keys    map[string]*yaml.Node
	secrets map[string]connector.Secret
}

// Load reads and checks the file. What is wrong with its contents is told all at once, as Faults;
// other errors are about the file itself.
func Load(path string, o LoadOptions) (*File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, Faults{{path, 1, 1, "", tooLarge}}
	}
	text, err := os.ReadFile(path) //nolint:gosec // the administrator names it
	if err != nil {
		return nil, err
	}
	return Parse(path, text, o)
}

// Parse is Load for a text that has been read; path names it in faults, and its folder is where
// relative paths start.
func Parse(path string, text []byte, o LoadOptions) (*File, error) {
	if o.Env == nil {
		o.Env = func(string) (string, bool) { return "", false }
	}
	base, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	root, fault := parseYAML(path, text)
	if fault != nil {
		return nil, Faults{*fault}
	}
	sum := sha256.Sum256(text)
	f := &File{Path: path, Text: text, Revision: hex.EncodeToString(sum[:6])}
	d := newDecoder(path, lines(text), secretGetter{env: o.Env, credentials: o.CredentialsDir, base: base, none: o.NoSecrets})
	if d.plain(root, 0); !d.broken {
		d.decode(root, reflect.ValueOf(&f.Config).Elem(), "")
		v := &validator{decoder: d, config: &f.Config, base: base, read: map[string]string{}}
		f.Organizations = v.all()
	}
	if len(d.faults) > 0 {
		return nil, d.faults.sorted()
	}
	f.Warnings, f.root = d.warnings.sorted(), root
	f.nodes, f.keys, f.secrets = d.nodes, d.keys, d.secrets
	return f, nil
}

// Position returns line and column of a path such as organizations[0].sources[1].mapping.attributes.email, or
// of the nearest thing above it.
func (f *File) Position(path string) (line, column int) {
	n := nearest(f.nodes, f.keys, path)
	return n.Line, n.Column
}

// nearest finds the value of a path, its key where there is no value, or what is above it.
func nearest(nodes, keys map[string]*yaml.Node, path string) *yaml.Node {
	for p, ok := path, true; ok; p, ok = parent(p) {
		switch n, key := nodes[p], keys[p]; {
		case n != nil && !isNull(n):
			return n
		case n != nil && key != nil:
			return key
		}
	}
	return &yaml.Node{Line: 1, Column: 1}
}
