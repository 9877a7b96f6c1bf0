package oauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// Bounds of a key set. A signature costs one verification for each key that it could be made with.
const (
	keysMax    = 32
	keysBytes  = 256 << 10
	rsaMinBits = 2048
	rsaMaxBits = 8192
)

// Key is a public key that a client signs with.
type Key struct {
	ID     string // kid; "" = none
	alg    string // the only one it is for; "" = any that fits
	public crypto.PublicKey
}

// jwk is a JSON Web Key (RFC 7517, RFC 7518 section 6, RFC 8037).
type jwk struct {
	Kty, Kid, Use, Alg, Crv string
	KeyOps                  []string `json:"key_ops"`
	N, E, X, Y              string
	D, K                    string // private and symmetric keys
}

// ParseKeys reads a JSON Web Key Set. Keys for encryption and of unknown kinds are left out; a set without a key
// to verify signatures with, one with a private or shared key, a weak key, or one id twice is an error.
func ParseKeys(set []byte) ([]Key, error) {
	if len(set) > keysBytes {
		return nil, fmt.Errorf("a key set of more than %d bytes", keysBytes)
	}
	var doc struct{ Keys []jwk }
	if err := json.Unmarshal(set, &doc); err != nil {
		return nil, errors.New(`no JSON Web Key Set: it has the form {"keys":[{"kty":"RSA","kid":"1","n":"…","e":"AQAB"}]}`)
	}
	if len(doc.Keys) > keysMax {
		return nil, fmt.Errorf("%d keys: leave those that are in use, %d at most", len(doc.Keys), keysMax)
	}
	var keys []Key
	for i := range doc.Keys {
		k, err := doc.Keys[i].key()
		switch {
		case err != nil:
			return nil, fmt.Errorf("key %d (kid %.40q): %w", i+1, doc.Keys[i].Kid, err)
		case k == nil:
		case k.ID != "" && slices.ContainsFunc(keys, func(o Key) bool { return o.ID == k.ID }):
			return nil, fmt.Errorf("two keys have the kid %.40q", k.ID)
		default:
			keys = append(keys, *k)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("no key to verify signatures with: write a public key of kty RSA, EC with crv P-256, or OKP with crv Ed25519")
	}
	return keys, nil
}

// key returns nil for a key that is for something else.
func (j *jwk) key() (*Key, error) {
	if j.D != "" || j.K != "" {
		return nil, errors.New("this is a private or shared key: write the public key only, and make a new pair, since this one has been given away")
	}
	if j.Use != "" && j.Use != "sig" || j.KeyOps != nil && !slices.Contains(j.KeyOps, "verify") {
		return nil, nil
	}
	public, err := j.public()
	if err != nil || public == nil {
		return nil, err
	}
	k := &Key{ID: j.Kid, alg: j.Alg, public: public}
	for name, a := range algorithms {
		if (j.Alg == "" || j.Alg == name) && a.fits(public) {
			return k, nil
		}
	}
	return nil, fmt.Errorf("alg %.20q is none that such a key can sign with here", j.Alg)
}

func (j *jwk) public() (crypto.PublicKey, error) {
	switch {
	case j.Kty == "RSA":
		return j.rsa()
	case j.Kty == "EC" && j.Crv == "P-256":
		x, errX := base64.RawURLEncoding.DecodeString(j.X)
		y, errY := base64.RawURLEncoding.DecodeString(j.Y)
		if errors.Join(errX, errY) != nil || len(x) != 32 || len(y) != 32 {
			return nil, errors.New("x and y of P-256 are 32 bytes each, in base64url")
		}
		k, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
		if err != nil {
			return nil, errors.New("x and y are no point of P-256")
		}
		return k, nil
	case j.Kty == "OKP" && j.Crv == "Ed25519":
		x, err := base64.RawURLEncoding.DecodeString(j.X)
		if err != nil || len(x) != ed25519.PublicKeySize {
			return nil, errors.New("x of Ed25519 is 32 bytes, in base64url")
		}
		return ed25519.PublicKey(x), nil
	}
	return nil, nil
}

func (j *jwk) rsa() (crypto.PublicKey, error) {
	n, errN := base64.RawURLEncoding.DecodeString(j.N)
	e, errE := base64.RawURLEncoding.DecodeString(j.E)
	if errors.Join(errN, errE) != nil || len(e) == 0 || len(e) > 4 {
		return nil, errors.New("n and e of RSA are numbers in base64url")
	}
	k := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	if bits := k.N.BitLen(); bits < rsaMinBits || bits > rsaMaxBits || k.N.Bit(0) == 0 {
		return nil, fmt.Errorf("an RSA key of %d bits: make one of %d to %d", bits, rsaMinBits, rsaMaxBits)
	}
	if k.E < 3 || k.E&1 == 0 || k.E > 1<<31-1 {
		return nil, errors.New("e of RSA must be an odd number, such as AQAB")
	}
	return k, nil
}
