package oauth

import (
	"fmt"
	"strings"
	"testing"
)

func TestKeySets(t *testing.T) {
	t.Parallel()
	ec := publicJWK("ec", `"kid":"a"`)
	short := `{"kty":"RSA","n":"` + b64([]byte(strings.Repeat("\xff", 128))) + `","e":"AQAB"}`
	many := strings.Repeat(publicJWK("ed")+",", keysMax) + publicJWK("ed")
	for name, c := range map[string]struct {
		set  string
		keys int
		want string // in the error
	}{
		"one of each":                 {publicJWK("rsa", `"kid":"1"`) + "," + publicJWK("ec", `"kid":"2"`) + "," + publicJWK("ed"), 3, ""},
		"an encryption key beside":    {publicJWK("rsa", `"use":"enc"`) + "," + ec, 1, ""},
		"key_ops":                     {publicJWK("rsa", `"key_ops":["encrypt"]`) + "," + publicJWK("rsa", `"key_ops":["verify"]`), 1, ""},
		"kinds of tomorrow":           {`{"kty":"AKP","alg":"ML-DSA-44","pub":"AAAA"},{"kty":"EC","crv":"P-521","x":"","y":""},` + ec, 1, ""},
		"nothing of use":              {publicJWK("rsa", `"use":"enc"`), 0, "no key to verify"},
		"empty":                       {"", 0, "no key to verify"},
		"a private key":               {publicJWK("ec", `"d":"c2VjcmV0"`), 0, "private"},
		"a shared key":                {`{"kty":"oct","k":"c2VjcmV0"},` + ec, 0, "private or shared"},
		"a kid twice":                 {ec + "," + ec, 0, `two keys have the kid "a"`},
		"a short RSA key":             {short, 0, "1024 bits"},
		"an even exponent":            {strings.Replace(publicJWK("rsa"), `"AQAB"`, `"AQAC"`, 1), 0, "odd"},
		"an exponent of one":          {strings.Replace(publicJWK("rsa"), `"AQAB"`, `"AQ"`, 1), 0, "odd"},
		"a point beside the curve":    {`{"kty":"EC","crv":"P-256","x":"` + b64(make([]byte, 32)) + `","y":"` + b64(make([]byte, 32)) + `"}`, 0, "no point"},
		"a point that is too short":   {`{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}`, 0, "32 bytes"},
		"an Ed25519 key of one byte":  {`{"kty":"OKP","crv":"Ed25519","x":"AA"}`, 0, "32 bytes"},
		"n that is no base64url":      {`{"kty":"RSA","n":"+/","e":"AQAB"}`, 0, "base64url"},
		"an algorithm that none fits": {publicJWK("ec", `"alg":"RS256"`), 0, "alg"},
		"too many":                    {many, 0, "33 keys"},
		"no set":                      {`}`, 0, "JSON Web Key Set"},
	} {
		keys, err := ParseKeys([]byte(`{"keys":[` + c.set + `]}`))
		if len(keys) != c.keys || c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %d keys, %v, want %d and %q", name, len(keys), err, c.keys, c.want)
		}
	}
	if _, err := ParseKeys([]byte(fmt.Sprintf(`{"keys":[%s],"x":%q}`, ec, strings.Repeat("x", keysBytes)))); err == nil {
		t.Error("a huge set passes")
	}
}
