package connector_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"usherd/connector"
)

func TestNewTokenHasItsForm(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^usherd_(scim|api)_[0-9A-Za-z]{49}$`)
	seen := map[string]bool{}
	for n := range 200 {
		secret, hash := connector.NewToken()
		if n%2 == 1 {
			secret, hash = connector.NewAPIToken()
		}
		text := secret.Reveal()
		if got, ok := connector.HashToken(text); !form.MatchString(text) || !ok || got != hash || seen[text] {
			t.Fatalf("%q: %v %v", text, ok, got == hash)
		}
		seen[text] = true
		for _, shown := range []string{fmt.Sprint(secret), fmt.Sprintf("%+v %#v %x", struct{ s connector.Secret }{secret}, secret, secret)} {
			if strings.Contains(shown, text) {
				t.Fatal("the token is shown")
			}
		}
		if b, err := json.Marshal(secret); err != nil || strings.Contains(string(b), text) {
			t.Fatal("the token is in JSON", err)
		}
		for _, wrong := range []string{text[1:], text[:len(text)-1], text + "0", strings.ToUpper(text), strings.NewReplacer("_scim_", "_slim_", "_api_", "_ape_").Replace(text), strings.NewReplacer("_scim_", "_api_", "_api_", "_scim_").Replace(text), flip(text, 12), flip(text, len(text)-1), ""} {
			if _, ok := connector.HashToken(wrong); ok {
				t.Fatalf("%q is taken for a token", wrong)
			}
		}
	}
}

// flip changes one digit.
func flip(text string, i int) string {
	b := []byte(text)
	if b[i]++; b[i] > 'z' {
		b[i] = '0'
	}
	return string(b)
}

func TestTokenOfAScanner(t *testing.T) {
	t.Parallel()
	// The example of the documents: all digits 0, with its checksum. It opens nothing.
	if _, ok := connector.HashToken("usherd_scim_" + strings.Repeat("0", 43) + "0ZdFc4"); !ok {
		t.Error("the checksum of the documents is another one")
	}
}

func TestTokenStanding(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	for name, c := range map[string]struct {
		token connector.Token
		want  connector.TokenStanding
	}{
		"for ever":       {connector.Token{}, connector.TokenLive},
		"for long":       {connector.Token{EndsAt: now.Add(31 * day)}, connector.TokenLive},
		"not for long":   {connector.Token{EndsAt: now.Add(30 * day)}, connector.TokenEnds},
		"access":         {connector.Token{EndsAt: now.Add(time.Minute), Kind: connector.AccessToken}, connector.TokenLive},
		"at its end":     {connector.Token{EndsAt: now}, connector.TokenEnded},
		"revoked":        {connector.Token{EndsAt: now.Add(day), RevokedAt: now}, connector.TokenRevoked},
		"ended, revoked": {connector.Token{EndsAt: now.Add(-day), RevokedAt: now}, connector.TokenRevoked},
	} {
		live := c.want == connector.TokenLive || c.want == connector.TokenEnds
		if got := c.token.StandingAt(now); got != c.want || c.token.LiveAt(now) != live {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	if !(&connector.Token{Scopes: []string{"scim"}}).MayWrite() || (&connector.Token{Scopes: []string{"scim:read"}}).MayWrite() {
		t.Error("scopes")
	}
}
