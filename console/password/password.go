// Package password hashes passwords of local administrators by argon2id, and compares them.
package password

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// What argon2id is asked for (OWASP's second choice): about 60 ms and 19 MiB.
const (
	argonTime    = 2
	argonMemory  = 19 << 10 // KiB
	argonThreads = 1
	argonKey     = 32
	argonSalt    = 16

	minLength = 12
	maxLength = 256
)

// ErrLength is what is wrong with a password that is too short or too long to be hashed.
var ErrLength = fmt.Errorf("a password has %d to %d characters", minLength, maxLength)

// Hash makes the hash of a password for the configuration: argon2id, in the form that PHC has given it.
func Hash(password string) (string, error) {
	if n := len([]rune(password)); n < minLength || n > maxLength {
		return "", ErrLength
	}
	salt := make([]byte, argonSalt)
	_, _ = rand.Read(salt) // crypto/rand.Read never returns an error (Go 1.24)
	return phc(salt, argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonThreads, argonKey)), nil
}

func phc(salt, key []byte) string {
	e := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonThreads, e.EncodeToString(salt), e.EncodeToString(key))
}

var errHash = errors.New("this is no hash that usherd console password has made")

// parsed is a hash in its parts.
type parsed struct {
	time, memory uint32
	threads      uint8
	salt, key    []byte
}

// Check says what is wrong with a hash in the configuration, nil = nothing.
func Check(hash string) error {
	_, err := parse(hash)
	return err
}

func parse(hash string) (p parsed, err error) {
	var version int
	var rest string
	if _, err := fmt.Sscanf(hash, "$argon2id$v=%d$m=%d,t=%d,p=%d$%s", &version, &p.memory, &p.time, &p.threads, &rest); err != nil || version != argon2.Version {
		return p, errHash
	}
	salt, key, ok := strings.Cut(rest, "$")
	if p.salt, err = base64.RawStdEncoding.DecodeString(salt); err != nil || !ok {
		return p, errHash
	}
	if p.key, err = base64.RawStdEncoding.DecodeString(key); err != nil {
		return p, errHash
	}
	// What asks for less is no protection, and what asks for much more ends the process.
	if p.memory < 8<<10 || p.memory > 256<<10 || p.time < 1 || p.time > 10 || p.threads < 1 || p.threads > 8 || len(p.salt) < 8 || len(p.key) < 16 || len(p.key) > 64 {
		return p, errHash
	}
	return p, nil
}

// Nobody is a hash of no password: what is typed for somebody who does not exist is compared with it, so that it takes as long.
func Nobody() string { return phc(make([]byte, argonSalt), make([]byte, argonKey)) }

// Right reports whether a password is the one of a hash. It takes the memory and the time that the hash asks for: bound how many
// are at work at once.
func Right(password, hash string) bool {
	p, err := parse(hash)
	if err != nil || len(password) > 4*maxLength {
		return false
	}
	key := argon2.IDKey([]byte(password), p.salt, p.time, p.memory, p.threads, uint32(len(p.key))) //nolint:gosec // at most 64
	return subtle.ConstantTimeCompare(key, p.key) == 1
}
