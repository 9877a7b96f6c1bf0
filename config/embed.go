package config

import _ "embed" // for the two files below

//go:embed schema.json
var schema []byte

//go:embed example.yaml
var example []byte

// Schema returns the JSON Schema (draft 2020-12) of the file, for editors. It finds misspelt keys, wrong
// kinds and unknown words; Load finds more.
func Schema() []byte { return append([]byte(nil), schema...) }

// Example returns a whole configuration that explains each key.
func Example() []byte { return append([]byte(nil), example...) }
