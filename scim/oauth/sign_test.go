package oauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// start is when the tests take place.
var start = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// pairs are made once: an RSA key takes a while.
var pairs = sync.OnceValue(func() map[string]crypto.Signer {
	r, errR := rsa.GenerateKey(rand.Reader, 2048)
	e, errE := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, d, errD := ed25519.GenerateKey(rand.Reader)
	if errR != nil || errE != nil || errD != nil {
		panic("no keys")
	}
	return map[string]crypto.Signer{"rsa": r, "ec": e, "ed": d}
})

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// publicJWK is the public half as an entry of a key set.
func publicJWK(name string, more ...string) string {
	var s string
	switch k := pairs()[name].Public().(type) {
	case *rsa.PublicKey:
		s = fmt.Sprintf(`"kty":"RSA","n":%q,"e":%q`, b64(k.N.Bytes()), b64(big.NewInt(int64(k.E)).Bytes()))
	case *ecdsa.PublicKey:
		raw, err := k.Bytes()
		if err != nil {
			panic(err)
		}
		s = fmt.Sprintf(`"kty":"EC","crv":"P-256","x":%q,"y":%q`, b64(raw[1:33]), b64(raw[33:]))
	case ed25519.PublicKey:
		s = fmt.Sprintf(`"kty":"OKP","crv":"Ed25519","x":%q`, b64(k))
	}
	return "{" + strings.Join(append([]string{s}, more...), ",") + "}"
}

func keySet(tb testing.TB, entries ...string) []Key {
	tb.Helper()
	keys, err := ParseKeys([]byte(`{"keys":[` + strings.Join(entries, ",") + `]}`))
	if err != nil {
		tb.Fatal(err)
	}
	return keys
}

// allKeys is a set with one key of each kind, named after it.
func allKeys(tb testing.TB) []Key {
	tb.Helper()
	return keySet(tb, publicJWK("rsa", `"kid":"rsa"`), publicJWK("ec", `"kid":"ec"`), publicJWK("ed", `"kid":"ed"`))
}

// signWith makes the signature of alg; HS256 takes the key set's modulus as the secret, which is what a client
// that confuses algorithms would.
func signWith(alg, pair, signed string) []byte {
	sum := sha256.Sum256([]byte(signed))
	var sig []byte
	var err error
	switch alg {
	case "RS256":
		sig, err = pairs()[pair].Sign(rand.Reader, sum[:], crypto.SHA256)
	case "PS256":
		sig, err = pairs()[pair].Sign(rand.Reader, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256})
	case "ES256":
		r, s, e := ecdsa.Sign(rand.Reader, pairs()[pair].(*ecdsa.PrivateKey), sum[:])
		sig, err = slices.Concat(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))), e
	case "EdDSA":
		sig, err = pairs()[pair].Sign(rand.Reader, []byte(signed), crypto.Hash(0))
	case "HS256":
		h := hmac.New(sha256.New, pairs()[pair].Public().(*rsa.PublicKey).N.Bytes())
		h.Write([]byte(signed))
		sig = h.Sum(nil)
	}
	if err != nil {
		panic(err)
	}
	return sig
}

func sign(alg, pair, header, claims string) string {
	signed := b64([]byte(header)) + "." + b64([]byte(claims))
	return signed + "." + b64(signWith(alg, pair, signed))
}

const (
	testClient   = "acme/entra"
	testIssuer   = "https://scim.example.com/scim/acme"
	testEndpoint = testIssuer + "/oauth/token"
)

// goodClaims are those of a client that does everything right, with some of them replaced; nil leaves one out.
func goodClaims(replace map[string]any) string {
	c := map[string]any{
		"iss": testClient, "sub": testClient, "aud": testEndpoint, "jti": "1", "exp": start.Add(5 * time.Minute).Unix(), "iat": start.Unix(),
	}
	for k, v := range replace {
		if c[k] = v; v == nil {
			delete(c, k)
		}
	}
	doc, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	return string(doc)
}
