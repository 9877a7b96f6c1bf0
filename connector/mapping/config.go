package mapping

import "errors"

// Config is the `mapping:` block of a source.
type Config struct {
	// Preset is the set of rules to start from; default that of the directory's type.
	Preset string `yaml:"preset,omitempty"`
	// Attributes adds rules to the preset's or replaces them; an empty rule removes one. Keys are
	// attributes of a profile (connector.Attributes), "custom.NAME" or "package".
	Attributes map[string]Rule `yaml:"attributes,omitempty"`
}

// Rule is one expression, or several of which the first that gives a value wins.
type Rule []string

// UnmarshalYAML accepts a text or a list of texts; null is an empty rule.
func (r *Rule) UnmarshalYAML(unmarshal func(any) error) error {
	var one string
	if err := unmarshal(&one); err == nil {
		*r = nil
		if one != "" {
			*r = Rule{one}
		}
		return nil
	}
	var many []string
	if err := unmarshal(&many); err != nil {
		return errors.New("a rule is an expression, or a list of expressions of which the first that gives a value wins")
	}
	*r = many
	return nil
}
