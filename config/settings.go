package config

import "strings"

// Setting is a key of the configuration as it stands in the file. Where the file says from where a secret is fetched, that is
// the value.
type Setting struct {
	Key   string // from the source on: directory.bind.user
	Value string // in one line
	Line  int
}

// SourceSettings are the keys of a source as they stand in the file, in its order; none where the file has no such source.
func (f *File) SourceSettings(org, source string) []Setting {
	var out []Setting
	prefix := "organizations[" + org + "].sources[" + source + "]."
	for _, s := range f.statements() {
		key, ok := strings.CutPrefix(s.path, prefix)
		if ok && !s.block && !s.order {
			out = append(out, Setting{key, s.value, s.line})
		}
	}
	return out
}
