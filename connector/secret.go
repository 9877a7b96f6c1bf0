package connector

// Secret is a password or token that hides itself wherever it is printed, logged or encoded.
// Only the configuration fills one; Reveal is called where the secret is used, nowhere else.
// The zero value is an empty secret.
//
// It holds a pointer because fmt cannot call methods on unexported fields: a Secret made of a plain
// string would be printed in clear inside a struct with %+v.
type Secret struct{ s *string }

const hidden = "[hidden]"

// NewSecret wraps s.
func NewSecret(s string) Secret { return Secret{&s} }

// Reveal returns the secret in clear.
func (s Secret) Reveal() string {
	if s.s == nil {
		return ""
	}
	return *s.s
}

// IsZero reports whether there is no secret at all, or an empty one.
func (s Secret) IsZero() bool { return s.s == nil || *s.s == "" }

// String never gives the secret.
func (s Secret) String() string { return hidden }

// GoString never gives the secret.
func (s Secret) GoString() string { return hidden }

// MarshalText never gives the secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// UnmarshalText takes the secret in clear; config calls it with what a file, the environment or a
// credential holds and refuses one written inline.
func (s *Secret) UnmarshalText(b []byte) error {
	*s = NewSecret(string(b))
	return nil
}
