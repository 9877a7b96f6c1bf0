package sso

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"

	"usherd/connector"
)

// secretLength is that of what newSecret makes.
const secretLength = 43

// newSecret makes 256 random bits as letters, digits, - and _.
func newSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never returns an error (Go 1.24)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// isSecret reports whether text could have been made by newSecret.
func isSecret(text string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && len(raw) == 32 && len(text) == secretLength
}

func hashOf(text string) connector.TokenHash { return sha256.Sum256([]byte(text)) }
