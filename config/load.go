package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

const maxFile = 4 << 20

// LoadOptions are where secrets may come from.
type LoadOptions struct {
	Env            func(string) (string, bool) // os.LookupEnv; nil = no variables
	CredentialsDir string                      // systemd's CREDENTIALS_DIRECTORY; "" = none
}

// File is a configuration without a fault, with everything compiled that can be.
type File struct {
	Path          string
	Config        Config
	Text          []byte
	Revision      string // short hash of the text
	Organizations []*Runtime

	nodes map[string]*yaml.Node
}

// Load reads and checks the file. What is wrong with its contents is told all at once, as Faults;
// other errors are about the file itself.
func Load(path string, o LoadOptions) (*File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, Faults{{path, 1, 1, "", "the file is larger than 4 MiB: that is no configuration"}}
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
	d := &decoder{
		file: path, nodes: map[string]*yaml.Node{},
		get: secretGetter{env: o.Env, credentials: o.CredentialsDir, base: base},
	}
	d.decode(root, reflect.ValueOf(&f.Config).Elem(), "")
	f.nodes = d.nodes
	v := &validator{file: f, decoder: d, base: base}
	v.config()
	if len(d.faults) > 0 {
		return nil, d.faults.sorted()
	}
	return f, nil
}

// parseYAML returns the one document of the text.
func parseYAML(path string, text []byte) (*yaml.Node, *Fault) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, more yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0:
		return nil, &Fault{path, 1, 1, "", "the file is empty: start from an example with: usherd check --example"}
	case err != nil:
		return nil, syntaxFault(path, err)
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		line := max(more.Line, 1)
		return nil, &Fault{path, line, 1, "", "a second document (---) begins here: a configuration is one document"}
	}
	return doc.Content[0], nil
}

var yamlLine = regexp.MustCompile(`line (\d+): `)

func syntaxFault(path string, err error) *Fault {
	text, line := strings.TrimPrefix(err.Error(), "yaml: "), 1
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = strings.Replace(text, m[0], "", 1)
	}
	return &Fault{path, line, 1, "", "this is not YAML: " + text + "; mind the indentation, and quote values with : or #"}
}

// Position returns line and column of a path such as organizations[0].sources[1].mapping.attributes.email, or
// of the nearest thing above it.
func (f *File) Position(path string) (line, column int) {
	n := nearest(f.nodes, path)
	return max(n.Line, 1), max(n.Column, 1)
}

// nearest finds the node of a path or of what is above it.
func nearest(nodes map[string]*yaml.Node, path string) *yaml.Node {
	for {
		if n := nodes[path]; n != nil {
			return n
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			if n := nodes[""]; n != nil {
				return n
			}
			return &yaml.Node{}
		}
		path = path[:cut]
	}
}

func index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
