package connector

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"hash/crc32"
	"math/big"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// TokenKind says what a token is good for.
type TokenKind string

// The kinds of tokens.
const (
	BearerToken  TokenKind = "token"  // it is sent with each request
	ClientSecret TokenKind = "secret" // access tokens are given out for it (RFC 6749 section 4.4)
	AccessToken  TokenKind = "access" // given out by the daemon, for minutes
	APIToken     TokenKind = "api"    // it is sent with each request to the API, and belongs to an organization, not to a source
)

// The scopes of tokens of sources.
const (
	ScopeAll  = "scim"      // everything
	ScopeRead = "scim:read" // no writing
)

// Scopes are all of them, in the order in which they are shown.
func Scopes() []string { return []string{ScopeAll, ScopeRead} }

// The scopes of tokens for the API. None contains another one.
const (
	APIRead        = "read"        // look at everything
	APIUsers       = "users"       // change users: approve, deactivate, packages; close failures and try again
	APISignIn      = "sign-in"     // ask whether somebody may sign in
	APISubscribers = "subscribers" // announce and change subscribers
	APIClaims      = "claims"      // claim users of other organizations
	APIDomains     = "domains"     // add, prove, claim and remove domains
	APIImport      = "import"      // take over users from a file
	APIRuns        = "runs"        // start, approve, reject and undo runs
	APITokens      = "tokens"      // make and end tokens
	APIDiagnostics = "diagnostics" // take along the bundle of diagnostics
)

// APIScopes are all of them, in the order in which they are shown.
func APIScopes() []string {
	return []string{APIRead, APIUsers, APISignIn, APISubscribers, APIClaims, APIDomains, APIImport, APIRuns, APITokens, APIDiagnostics}
}

// TokenHash is the SHA-256 of a token. Tokens have 256 random bits, so a slow hash would add nothing.
type TokenHash [sha256.Size]byte

// Token is what is kept of a token, by which a client of one source, or of the API, proves who it is. The token itself
// is not.
type Token struct {
	ID     ID
	Org    string
	Source string // "" for an APIToken
	Kind   TokenKind
	Hash   TokenHash
	Name   string   // for people
	Scopes []string // at least one
	// Networks are those that it may come from, beside what the source allows; none = all of those.
	Networks []netip.Prefix
	// Parent is the client secret that an access token was given out for, and with which it is revoked; zero for
	// one that was asked for with a signature.
	Parent ID

	CreatedAt time.Time
	CreatedBy string
	EndsAt    time.Time // zero = never
	LastUsed  time.Time // to about a minute; zero = never
	RevokedAt time.Time // zero = it is not
	RevokedBy string
}

// TokenStanding is how a token is at one moment.
type TokenStanding string

// The standings of a token. TokenEnds is one that is live and ends within TokenEndsSoon.
const (
	TokenLive    TokenStanding = "live"
	TokenEnds    TokenStanding = "ends_soon"
	TokenEnded   TokenStanding = "ended"
	TokenRevoked TokenStanding = "revoked"
)

// TokenEndsSoon is how long before its end people are told of a token.
const TokenEndsSoon = 30 * 24 * time.Hour

// StandingAt says how the token is at that time.
func (t *Token) StandingAt(now time.Time) TokenStanding {
	switch {
	case !t.RevokedAt.IsZero():
		return TokenRevoked
	case t.EndsAt.IsZero():
		return TokenLive
	case !now.Before(t.EndsAt):
		return TokenEnded
	case t.Kind != AccessToken && t.EndsAt.Sub(now) <= TokenEndsSoon:
		return TokenEnds
	}
	return TokenLive
}

// LiveAt reports whether the token opens anything at that time.
func (t *Token) LiveAt(now time.Time) bool {
	s := t.StandingAt(now)
	return s == TokenLive || s == TokenEnds
}

// MayWrite reports whether its scopes allow more than reading.
func (t *Token) MayWrite() bool { return slices.Contains(t.Scopes, ScopeAll) }

// TokenFilter chooses tokens for a list.
type TokenFilter struct {
	Org, Source string // "" = all
	Kinds       []TokenKind
}

// A token is its prefix, 43 digits of 256 random bits, and 6 digits of their CRC-32 (IEEE), prefix included; digits are
// 0-9, A-Z, a-z. So a scanner for leaked secrets knows one by \busherd_(scim|api)_[0-9A-Za-z]{49}\b and is sure by the
// checksum, and a token that was cut short when it was copied needs no look into the store.
const (
	tokenPrefix    = "usherd_scim_" //nolint:gosec // no secret: what each token of a source begins with
	apiTokenPrefix = "usherd_api_"  //nolint:gosec // no secret: what each token for the API begins with
	tokenDigits    = 43
	tokenChecksum  = 6
	base62         = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// NewToken makes a token of a source, whose clear text exists in what it returns and nowhere else, with its hash.
func NewToken() (Secret, TokenHash) { return newToken(tokenPrefix) }

// NewAPIToken is NewToken for the API.
func NewAPIToken() (Secret, TokenHash) { return newToken(apiTokenPrefix) }

func newToken(prefix string) (Secret, TokenHash) {
	var b [32]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never returns an error (Go 1.24)
	text := []byte(prefix + digits(new(big.Int).SetBytes(b[:]), tokenDigits))
	sum := checksum(text)
	text = append(text, sum[:]...)
	return NewSecret(string(text)), sha256.Sum256(text)
}

// HashToken returns the hash of a token in clear; ok is false for what was never one.
func HashToken(text string) (hash TokenHash, ok bool) {
	rest, ok := strings.CutPrefix(text, tokenPrefix)
	if !ok {
		rest, ok = strings.CutPrefix(text, apiTokenPrefix)
	}
	if !ok || len(rest) != tokenDigits+tokenChecksum {
		return hash, false
	}
	all, end := []byte(text), len(text)-tokenChecksum
	if sum := checksum(all[:end]); !bytes.Equal(all[end:], sum[:]) {
		return hash, false
	}
	return sha256.Sum256(all), true
}

func checksum(text []byte) (b [tokenChecksum]byte) {
	n := crc32.ChecksumIEEE(text)
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = base62[n%62]
		n /= 62
	}
	return b
}

func digits(n *big.Int, width int) string {
	b := make([]byte, width)
	rest, base := new(big.Int), big.NewInt(int64(len(base62)))
	for i := width - 1; i >= 0; i-- {
		n.DivMod(n, base, rest)
		b[i] = base62[rest.Int64()]
	}
	return string(b)
}
