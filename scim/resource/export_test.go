package resource

import "usherd/scim/body"

// FromProfile gives what Write writes as a map, which belongs to the caller.
func FromProfile(p Profile) map[string]any {
	var b body.Builder
	b.Object("")
	Write(&b, p)
	b.End()
	r, _ := b.Made().(map[string]any)
	return r
}
