package body

import "strings"

// Member returns what an object has under a name in any case, the canonical spelling first; nil where there is none.
func Member(object map[string]any, name string) any {
	if v, ok := object[name]; ok {
		return v
	}
	for key, v := range object {
		if strings.EqualFold(key, name) {
			return v
		}
	}
	return nil
}
