// Package policy holds the organization's rules: what a profile must have, which domains count,
// which values collide, and how much one run may take away. It is pure: facts come in, failures go
// out, and it never changes anything.
package policy
