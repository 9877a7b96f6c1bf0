package connector

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// LastingKinds are the kinds of tokens of sources that people make.
func LastingKinds() []TokenKind { return []TokenKind{BearerToken, ClientSecret} }

// How long a token lives where nobody says, and what says that it does so for ever.
const (
	TokenLife   = "180d"
	TokenNoEnd  = "never"
	minLife     = time.Minute
	maxLife     = 3650 * 24 * time.Hour
	maxNameRune = 100
)

// TokenRequest is a token that somebody wants, in words.
type TokenRequest struct {
	Kind     TokenKind // one of LastingKinds, or APIToken
	Name     string    // a note for people
	Expires  string    // how long it lives, such as TokenLife, or TokenNoEnd
	Scopes   []string  // none = the first of its kind
	Networks []string  // networks or addresses that it may come from; none = all
}

// TokenRequestError is what is wrong with one field of a TokenRequest.
type TokenRequestError struct {
	Field string // kind, name, expires, scope, network; overlap
	Value string // "" where it is not repeated
	Text  string
}

func (f *TokenRequestError) Error() string { return f.Field + " " + f.Value + ": " + f.Text }

// Token makes what was asked for, without organization, source, maker and secret. An error is a *TokenRequestError.
func (r *TokenRequest) Token(now time.Time) (Token, error) {
	k := Token{ID: NewID(now), Kind: r.Kind, Name: strings.TrimSpace(r.Name), CreatedAt: now.UTC()}
	known := Scopes()
	if r.Kind == APIToken {
		known = APIScopes()
	} else if !slices.Contains(LastingKinds(), r.Kind) {
		return k, &TokenRequestError{"kind", string(r.Kind), "the kinds are: " + string(BearerToken) + ", " + string(ClientSecret)}
	}
	if utf8.RuneCountInString(k.Name) > maxNameRune || strings.ContainsFunc(k.Name, unicode.IsControl) {
		return k, &TokenRequestError{"name", "", fmt.Sprintf("at most %d characters, in one line", maxNameRune)}
	}
	scopes := r.Scopes
	if len(scopes) == 0 {
		scopes = known[:1]
	}
	for _, s := range scopes {
		if !slices.Contains(known, s) {
			return k, &TokenRequestError{"scope", s, "the scopes are: " + strings.Join(known, ", ")}
		}
		if !slices.Contains(k.Scopes, s) {
			k.Scopes = append(k.Scopes, s)
		}
	}
	for _, s := range r.Networks {
		p, err := ParseNetwork(s)
		if err != nil {
			return k, &TokenRequestError{"network", s, err.Error()}
		}
		k.Networks = append(k.Networks, p)
	}
	return k, r.end(&k)
}

// end sets when the token ends.
func (r *TokenRequest) end(k *Token) error {
	if r.Expires == TokenNoEnd {
		return nil
	}
	var life Duration
	if err := life.UnmarshalText([]byte(r.Expires)); err != nil {
		return &TokenRequestError{"expires", r.Expires, err.Error() + ", or " + TokenNoEnd}
	}
	if d := time.Duration(life); d < minLife || d > maxLife {
		return &TokenRequestError{"expires", r.Expires, fmt.Sprintf("from %s to %s, or %s", Duration(minLife), Duration(maxLife), TokenNoEnd)}
	}
	k.EndsAt = k.CreatedAt.Add(time.Duration(life))
	return nil
}

// Draw makes the secret of the token, which is in what it returns and nowhere else, and gives the token its hash.
func (t *Token) Draw() (secret Secret) {
	draw := NewToken
	if t.Kind == APIToken {
		draw = NewAPIToken
	}
	secret, t.Hash = draw()
	return secret
}

// Overlap is how long a token that is replaced goes on beside the new one, where nobody says.
const Overlap = "7d"

// TokenOverlap reads how long a token that is replaced goes on: from none to 90 days. An error is a *TokenRequestError.
func TokenOverlap(text string) (time.Duration, error) {
	var d Duration
	if err := d.UnmarshalText([]byte(text)); err != nil {
		return 0, &TokenRequestError{"overlap", text, err.Error()}
	}
	if d := time.Duration(d); d < 0 || d > maxOverlap {
		return 0, &TokenRequestError{"overlap", text, fmt.Sprintf("from 0s to %s", Duration(maxOverlap))}
	}
	return time.Duration(d), nil
}

const maxOverlap = 90 * 24 * time.Hour

// Next is a token to take the place of this one: for the same, with the same rights, and of a life as long.
// It has no maker and no secret yet.
func (t *Token) Next(now time.Time) Token {
	k := Token{ID: NewID(now), Org: t.Org, Source: t.Source, Kind: t.Kind, Name: t.Name, Scopes: slices.Clone(t.Scopes), Networks: slices.Clone(t.Networks), CreatedAt: now.UTC()}
	if !t.EndsAt.IsZero() {
		k.EndsAt = k.CreatedAt.Add(t.EndsAt.Sub(t.CreatedAt))
	}
	return k
}

// NetworkTexts are networks as they are written.
func NetworkTexts(list []netip.Prefix) []string {
	out := []string{}
	for _, p := range list {
		out = append(out, p.String())
	}
	return out
}
