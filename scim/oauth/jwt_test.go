package oauth

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

func check(t *testing.T, token string, keys []Key) (assertion, error) {
	t.Helper()
	return verify(token, keys, testClient, []string{testEndpoint, testIssuer}, start)
}

func TestEveryAlgorithm(t *testing.T) {
	t.Parallel()
	keys := allKeys(t)
	for alg, pair := range map[string]string{"RS256": "rsa", "PS256": "rsa", "ES256": "ec", "EdDSA": "ed"} {
		for _, header := range []string{
			`{"alg":"` + alg + `","kid":"` + pair + `"}`,
			`{"typ":"JWT","alg":"` + alg + `"}`,
			`{"typ":"client-authentication+jwt","alg":"` + alg + `","kid":"` + pair + `","x5t":"ignored","jku":"https://evil.example"}`,
		} {
			token := sign(alg, pair, header, goodClaims(nil))
			a, err := check(t, token, keys)
			if err != nil {
				t.Errorf("%s with %s: %v", alg, header, err)
			}
			if a.client != testClient || a.id != "1" || !a.end.Equal(start.Add(5*time.Minute)) {
				t.Errorf("%s: %+v", alg, a)
			}
			for _, i := range []int{3, len(token) / 2, len(token) - 10} {
				wrong := []byte(token)
				wrong[i] = map[bool]byte{true: 'B', false: 'A'}[wrong[i] == 'A']
				if _, err := check(t, string(wrong), keys); err == nil {
					t.Errorf("%s: byte %d changed, and it passes", alg, i)
				}
			}
		}
	}
}

// No header makes a key verify by another algorithm than its own.
func TestAlgorithmConfusion(t *testing.T) {
	t.Parallel()
	claims := goodClaims(nil)
	only := map[string]string{"rsa": publicJWK("rsa", `"kid":"k"`, `"alg":"PS256"`), "ec": publicJWK("ec", `"kid":"k"`), "ed": publicJWK("ed", `"kid":"k"`)}
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"k"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + "."
	for name, c := range map[string]struct{ token, key string }{
		"none":                         {none, "rsa"},
		"None":                         {strings.Replace(none, "bm9uZ", "Tm9uZ", 1), "rsa"},
		"a shared secret":              {sign("HS256", "rsa", `{"alg":"HS256","kid":"k"}`, claims), "rsa"},
		"HS256 called RS256":           {sign("HS256", "rsa", `{"alg":"RS256","kid":"k"}`, claims), "rsa"},
		"RS256 with a key for PS256":   {sign("RS256", "rsa", `{"alg":"RS256","kid":"k"}`, claims), "rsa"},
		"RS256 called PS256":           {sign("RS256", "rsa", `{"alg":"PS256","kid":"k"}`, claims), "rsa"},
		"RS256 with an EC key":         {sign("RS256", "rsa", `{"alg":"RS256","kid":"k"}`, claims), "ec"},
		"ES256 with an Ed25519 key":    {sign("ES256", "ec", `{"alg":"ES256","kid":"k"}`, claims), "ed"},
		"EdDSA called ES256":           {sign("EdDSA", "ed", `{"alg":"ES256","kid":"k"}`, claims), "ed"},
		"a key that is in the header":  {sign("ES256", "ec", `{"alg":"ES256","kid":"k","jwk":`+publicJWK("ec")+`}`, claims), "ed"},
		"another kid":                  {sign("ES256", "ec", `{"alg":"ES256","kid":"other"}`, claims), "ec"},
		"crit":                         {sign("ES256", "ec", `{"alg":"ES256","crit":["b64"],"b64":false}`, claims), "ec"},
		"a token for something else":   {sign("ES256", "ec", `{"alg":"ES256","typ":"at+jwt"}`, claims), "ec"},
		"no algorithm":                 {sign("ES256", "ec", `{"kid":"k"}`, claims), "ec"},
		"an algorithm that is a list":  {sign("ES256", "ec", `{"alg":["ES256"]}`, claims), "ec"},
		"two algorithms":               {sign("ES256", "ec", `{"alg":"none","alg":"ES256"}`, claims), "ec"},
		"kid is a number":              {sign("ES256", "ec", `{"alg":"ES256","kid":1}`, claims), "ec"},
		"a signature as ASN.1 (short)": {sign("ES256", "ec", `{"alg":"ES256"}`, claims)[:len(sign("ES256", "ec", `{"alg":"ES256"}`, claims))-4], "ec"},
	} {
		if _, err := check(t, c.token, keySet(t, only[c.key])); err == nil {
			t.Errorf("%s passes", name)
		}
	}
}

func TestClaims(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) any { return start.Add(d).Unix() }
	for name, c := range map[string]struct {
		replace map[string]any
		want    string // "" = passes
	}{
		"the issuer as audience":      {map[string]any{"aud": testIssuer}, ""},
		"audiences that are all ours": {map[string]any{"aud": []string{testIssuer, testEndpoint}}, ""},
		"no iat":                      {map[string]any{"iat": nil}, ""},
		"a clock a bit ahead":         {map[string]any{"iat": at(59 * time.Second), "nbf": at(59 * time.Second), "exp": at(10*time.Minute + 59*time.Second)}, ""},
		"a clock a bit behind":        {map[string]any{"exp": at(-59 * time.Second), "iat": at(-2 * time.Minute)}, ""},
		"a fraction":                  {map[string]any{"exp": float64(start.Unix()) + 30.5}, ""},
		"claims of one's own":         {map[string]any{"tenant": map[string]any{"a": []int{1}}}, ""},

		"another client":          {map[string]any{"iss": "acme/okta", "sub": "acme/okta"}, "client_id"},
		"iss of another":          {map[string]any{"iss": "acme/okta"}, "client_id"},
		"no sub":                  {map[string]any{"sub": nil}, "client_id"},
		"sub that is a list":      {map[string]any{"sub": []string{testClient}}, "client_id"},
		"no aud":                  {map[string]any{"aud": nil}, "aud"},
		"aud of another":          {map[string]any{"aud": "https://other.example.com/token"}, "aud"},
		"aud of another too":      {map[string]any{"aud": []string{testEndpoint, "https://other.example.com"}}, "aud"},
		"aud of another tenant":   {map[string]any{"aud": "https://scim.example.com/scim/other/oauth/token"}, "aud"},
		"aud with a slash more":   {map[string]any{"aud": testEndpoint + "/"}, "aud"},
		"an empty list":           {map[string]any{"aud": []string{}}, "aud"},
		"a list with null":        {map[string]any{"aud": []any{testEndpoint, nil}}, "aud"},
		"aud that is a number":    {map[string]any{"aud": 7}, "aud"},
		"no jti":                  {map[string]any{"jti": nil}, "jti"},
		"an empty jti":            {map[string]any{"jti": ""}, "jti"},
		"a jti that is a number":  {map[string]any{"jti": 7}, "jti"},
		"a long jti":              {map[string]any{"jti": strings.Repeat("x", 257)}, "jti"},
		"no exp":                  {map[string]any{"exp": nil}, "exp"},
		"exp that is a text":      {map[string]any{"exp": "1764158700"}, "exp"},
		"exp at the end of time":  {map[string]any{"exp": 1e300}, "exp"},
		"exp before 1970":         {map[string]any{"exp": -1}, "exp"},
		"expired":                 {map[string]any{"exp": at(-time.Minute)}, "over"},
		"for too long":            {map[string]any{"exp": at(12 * time.Minute)}, "10 minutes"},
		"not yet":                 {map[string]any{"nbf": at(2 * time.Minute)}, "nbf"},
		"made in the future":      {map[string]any{"iat": at(2 * time.Minute)}, "iat"},
		"nbf that is a text":      {map[string]any{"nbf": "now"}, "nbf"},
		"iat that is null":        {map[string]any{"iat": []any{}}, "iat"},
		"milliseconds in exp":     {map[string]any{"exp": start.Add(time.Minute).UnixMilli()}, "10 minutes"},
		"milliseconds in iat":     {map[string]any{"iat": start.UnixMilli()}, "iat"},
		"a client in other cases": {map[string]any{"iss": "ACME/entra", "sub": "ACME/entra"}, "client_id"},
	} {
		_, err := check(t, sign("ES256", "ec", `{"alg":"ES256"}`, goodClaims(c.replace)), allKeys(t))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestGarbage(t *testing.T) {
	t.Parallel()
	keys := allKeys(t)
	good := sign("ES256", "ec", `{"alg":"ES256"}`, goodClaims(nil))
	signed := func(header, claims string) string { return sign("ES256", "ec", header, claims) }
	twice := `{"aud":"https://evil.example",` + goodClaims(nil)[1:]
	for name, token := range map[string]string{
		"nothing": "", "dots": "..", "two parts": good[:strings.LastIndexByte(good, '.')], "four parts": good + ".", "a line end": good[:20] + "\n" + good[20:],
		"padding": good + "=", "loose bits": good[:len(good)-1] + "-", "too long": good + strings.Repeat("A", assertionBytes),
		"a claim twice": signed(`{"alg":"ES256"}`, twice), "a header that is a list": signed(`["alg"]`, goodClaims(nil)),
		"claims that are null": signed(`{"alg":"ES256"}`, `null`), "text behind": signed(`{"alg":"ES256"}`, goodClaims(nil)+"{}"),
		"half a document": signed(`{"alg":"ES256"}`, `{"iss":`), "no object": signed(`{"alg":"ES256"}`, `"iss"`), "not UTF-8": signed("{\"alg\":\"\xff\"}", `{}`),
	} {
		if _, err := check(t, token, keys); err == nil {
			t.Errorf("%s passes", name)
		}
	}
	if _, err := check(t, good, nil); err == nil {
		t.Error("it passes without any key")
	}
}

// FuzzVerify: nothing that was not signed passes, and nothing panics.
func FuzzVerify(f *testing.F) {
	good := sign("EdDSA", "ed", `{"alg":"EdDSA","kid":"ed"}`, goodClaims(nil))
	f.Add(good)
	f.Add(sign("RS256", "rsa", `{"alg":"RS256"}`, `{"aud":["a"],"exp":1e9}`))
	f.Add("e30.e30.")
	f.Add(strings.Repeat("eyJhIjoxfQ.", 3))
	keys := allKeys(f)
	f.Fuzz(func(t *testing.T, token string) {
		a, err := verify(token, keys, testClient, []string{testEndpoint}, start)
		if (err == nil) != (token == good) {
			t.Fatalf("%q: %v", token, err)
		}
		if err == nil && a.client != testClient {
			t.Fatalf("%+v", a)
		}
	})
}

// FuzzKeys: a set gives keys or an error, and never panics.
func FuzzKeys(f *testing.F) {
	f.Add([]byte(`{"keys":[` + publicJWK("rsa") + `,` + publicJWK("ec", `"use":"sig"`) + `]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQ","e":"AQ"}]}`))
	f.Add([]byte(`{"keys":null}`))
	f.Fuzz(func(t *testing.T, set []byte) {
		keys, err := ParseKeys(set)
		if (err == nil) != (len(keys) > 0) {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
	})
}
