package oauth

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"slices"
	"strings"
	"time"
)

// Bounds of an assertion.
const (
	assertionBytes = 8 << 10
	assertionLife  = 10 * time.Minute // from now to exp, at most
	clockSkew      = time.Minute      // between the client's clock and ours
	jtiBytes       = 256
)

// algorithm is one way to sign. The key decides which may be used, never the header alone.
type algorithm struct {
	fits   func(crypto.PublicKey) bool
	verify func(key crypto.PublicKey, signed, signature []byte) bool
}

// algorithms are all there are: neither none nor a shared secret.
var algorithms = map[string]algorithm{
	"RS256": {is[*rsa.PublicKey], func(key crypto.PublicKey, signed, sig []byte) bool {
		sum := sha256.Sum256(signed)
		return rsa.VerifyPKCS1v15(key.(*rsa.PublicKey), crypto.SHA256, sum[:], sig) == nil
	}},
	"PS256": {is[*rsa.PublicKey], func(key crypto.PublicKey, signed, sig []byte) bool {
		sum := sha256.Sum256(signed) // RFC 7518 section 3.5: the salt is as long as the hash
		return rsa.VerifyPSS(key.(*rsa.PublicKey), crypto.SHA256, sum[:], sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
	}},
	"ES256": {func(key crypto.PublicKey) bool {
		k, ok := key.(*ecdsa.PublicKey)
		return ok && k.Curve == elliptic.P256()
	}, func(key crypto.PublicKey, signed, sig []byte) bool {
		sum := sha256.Sum256(signed) // RFC 7518 section 3.4: two numbers of 32 bytes, not ASN.1
		return len(sig) == 64 && ecdsa.Verify(key.(*ecdsa.PublicKey), sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
	}},
	"EdDSA":   {is[ed25519.PublicKey], verifyEd25519},
	"Ed25519": {is[ed25519.PublicKey], verifyEd25519}, // RFC 9864: the same by its full name
}

func is[K any](key crypto.PublicKey) bool { _, ok := key.(K); return ok }

func verifyEd25519(key crypto.PublicKey, signed, sig []byte) bool {
	return ed25519.Verify(key.(ed25519.PublicKey), signed, sig)
}

// types are the media types of the header that a client assertion may have: a token that was made for something
// else is none (RFC 8725 section 3.11).
var types = []string{"", "jwt", "client-authentication+jwt"}

// assertion is what a client has said of itself and signed.
type assertion struct {
	client string // iss and sub
	id     string // jti
	end    time.Time
}

// verify checks a client assertion by RFC 7523 section 3: signed with one of the keys, by and about the client,
// for one of the audiences and nobody else, not over and not too long. Whether it has been used before is for the
// caller to find out. The error says what is wrong and repeats nothing of the token.
func verify(token string, keys []Key, client string, audiences []string, now time.Time) (assertion, error) {
	var a assertion
	signed, header, claims, sig, err := split(token)
	if err != nil {
		return a, err
	}
	if err := verifySignature(header, keys, signed, sig); err != nil {
		return a, err
	}
	var iss, sub, jti string
	if !text(claims["iss"], &iss) || !text(claims["sub"], &sub) || iss != client || sub != client {
		return a, errors.New("iss and sub must both be the client_id")
	}
	if !meant(claims["aud"], audiences) {
		return a, errors.New("aud must be the token endpoint or the issuer, and nothing else")
	}
	if !text(claims["jti"], &jti) || jti == "" || len(jti) > jtiBytes {
		return a, errors.New("jti is missing or longer than 256 bytes: each assertion needs one of its own")
	}
	end, ok := instant(claims["exp"])
	switch {
	case !ok:
		return a, errors.New("exp is missing or no number")
	case !now.Before(end.Add(clockSkew)):
		return a, errors.New("the assertion is over: compare the clocks")
	case end.After(now.Add(assertionLife + clockSkew)):
		return a, errors.New("exp is more than 10 minutes ahead: sign one for each request")
	}
	for _, name := range []string{"nbf", "iat"} {
		if claims[name] == nil {
			continue
		}
		if at, ok := instant(claims[name]); !ok || at.After(now.Add(clockSkew)) {
			return a, errors.New(name + " is in the future: compare the clocks")
		}
	}
	return assertion{client, jti, end}, nil
}

func verifySignature(header map[string]json.RawMessage, keys []Key, signed, sig []byte) error {
	var alg, kid, typ string
	known := text(header["alg"], &alg)
	a, ok := algorithms[alg]
	if !known || !ok {
		return errors.New("alg must be RS256, PS256, ES256 or EdDSA")
	}
	if header["crit"] != nil || header["kid"] != nil && !text(header["kid"], &kid) || header["typ"] != nil && !text(header["typ"], &typ) {
		return errors.New("the header has crit, or kid or typ that is no text")
	}
	if !slices.Contains(types, strings.TrimPrefix(strings.ToLower(typ), "application/")) {
		return errors.New("typ says that the token is for something else")
	}
	for _, k := range keys {
		if (kid == "" || k.ID == kid) && (k.alg == "" || k.alg == alg) && a.fits(k.public) && a.verify(k.public, signed, sig) {
			return nil
		}
	}
	return errors.New("no key of the client with this kid and alg has made the signature")
}

// split takes a token in compact form apart.
func split(token string) (signed []byte, header, claims map[string]json.RawMessage, sig []byte, err error) {
	broken := errors.New("the assertion is no JWT")
	if len(token) > assertionBytes || strings.Count(token, ".") != 2 || strings.ContainsAny(token, "\r\n") { // which base64 would skip
		return nil, nil, nil, nil, broken
	}
	end := strings.LastIndexByte(token, '.')
	parts := strings.Split(token, ".")
	var raw [3][]byte
	for i := range raw {
		if raw[i], err = base64.RawURLEncoding.Strict().DecodeString(parts[i]); err != nil {
			return nil, nil, nil, nil, broken
		}
	}
	header, errH := members(raw[0])
	claims, errC := members(raw[1])
	if errors.Join(errH, errC) != nil {
		return nil, nil, nil, nil, errors.Join(errH, errC)
	}
	return []byte(token[:end]), header, claims, raw[2], nil
}

// members reads one JSON object; RFC 7519 section 4: a name that is there twice makes it invalid.
func members(doc []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(doc))
	broken := errors.New("the assertion is no JWT: a part of it is no JSON object, or has a name twice")
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, broken
	}
	out := map[string]json.RawMessage{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		var value json.RawMessage
		if err != nil || !ok || out[name] != nil || d.Decode(&value) != nil {
			return nil, broken
		}
		out[name] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, broken
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, broken
	}
	return out, nil
}

// text reads a JSON string; null is none.
func text(raw json.RawMessage, s *string) bool {
	return len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, s) == nil
}

// meant reports whether aud names one of the audiences, and nobody who could use the assertion elsewhere.
func meant(raw json.RawMessage, audiences []string) bool {
	var one string
	var list []string
	if text(raw, &one) {
		list = []string{one}
	} else if raw == nil || json.Unmarshal(raw, &list) != nil {
		return false
	}
	return len(list) > 0 && !slices.ContainsFunc(list, func(s string) bool { return !slices.Contains(audiences, s) })
}

// instant reads a NumericDate of RFC 7519: seconds, with or without a fraction.
func instant(raw json.RawMessage) (time.Time, bool) {
	var n float64
	if len(raw) == 0 || raw[0] == 'n' || json.Unmarshal(raw, &n) != nil || n < 0 || n > 1<<45 {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(n * 1000)), true
}
