package config

import (
	"os"

	"go.yaml.in/yaml/v3"
)

const defaultListen = "127.0.0.1:9470"

// Listen returns the address of health and metrics that a file names, or the default, without looking at the
// rest: a daemon goes on with the configuration that it has when the file is faulty by now.
func Listen(path string) (string, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the administrator names it
	if err != nil {
		return "", err
	}
	root, fault := parseYAML(path, text)
	if fault != nil {
		return "", Faults{*fault}
	}
	if root.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(root.Content); i += 2 {
			if v := root.Content[i+1]; root.Content[i].Value == "listen" && !isNull(v) {
				if v.Kind != yaml.ScalarNode {
					return "", Faults{{path, v.Line, v.Column, "listen", "this is no address: write host:port, as in " + defaultListen}}
				}
				return v.Value, nil
			}
		}
	}
	return defaultListen, nil
}
