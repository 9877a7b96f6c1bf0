package saml2_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	_ "embed"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"usherd/sso/saml2"
)

const (
	idpID   = "https://idp.example.org/metadata"
	spID    = "https://sso.example.com/saml/acme/corp/metadata"
	acs     = "https://sso.example.com/saml/acme/corp/acs"
	request = "_4fee3b046395c4e751011e97f8900b5273d56685"
)

var at = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// pair is a key with its certificate.
type pair struct {
	key  crypto.Signer
	cert *x509.Certificate
}

// newPair makes a certificate that is valid around at.
func newPair(key crypto.Signer, name string, from, until time.Time) pair {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: until}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		panic(err)
	}
	return pair{key, cert}
}

//go:embed testdata/keys.pem
var keysPEM []byte

// readKeys are keys of nobody, five of RSA and one of ECDSA: the same in each process, so that what a fuzzer keeps is
// signed for the next one too.
func readKeys() (list []crypto.Signer) {
	for rest := keysPEM; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return list
		}
		k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			panic(err)
		}
		list = append(list, k.(crypto.Signer))
	}
}

type keys struct{ first, second, stranger, old, curve, ours pair }

var allKeys = sync.OnceValue(func() keys {
	k := readKeys()
	from, until := at.AddDate(-1, 0, 0), at.AddDate(1, 0, 0)
	return keys{
		first: newPair(k[0], "first", from, until), second: newPair(k[1], "second", from, until),
		stranger: newPair(k[2], "stranger", from, until), old: newPair(k[3], "old", from, at.AddDate(0, 0, -1)),
		curve: newPair(k[5], "curve", from, until), ours: newPair(k[4], "ours", from, until),
	}
})

// used is a Cache that forgets nothing.
type used struct {
	mu   sync.Mutex
	ids  map[string]time.Time
	fail bool
}

func (u *used) Use(_ context.Context, id string, until time.Time) (bool, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.fail {
		return false, errors.New("the store is away")
	}
	if _, ok := u.ids[id]; ok {
		return false, nil
	}
	if u.ids == nil {
		u.ids = map[string]time.Time{}
	}
	u.ids[id] = until
	return true, nil
}

func verifier() *saml2.Verifier {
	k := allKeys()
	return &saml2.Verifier{
		IDP:  saml2.IDP{EntityID: idpID, SSOURL: "https://idp.example.org/sso", Certificates: []*x509.Certificate{k.first.cert, k.second.cert, k.old.cert, k.curve.cert}},
		SP:   saml2.SP{EntityID: spID, ACS: acs, Keys: []saml2.Key{{Private: k.ours.key.(*rsa.PrivateKey), Certificate: k.ours.cert}}},
		Skew: 2 * time.Minute, Cache: &used{},
	}
}

// good is a response as identity providers write it, before it is signed.
const good = `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_r1" Version="2.0" ` +
	`IssueInstant="2026-11-27T12:00:00Z" Destination="` + acs + `" InResponseTo="` + request + `"><saml:Issuer>` + idpID + `</saml:Issuer>` +
	`<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>` + goodAssertion + `</samlp:Response>`

const goodAssertion = `<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ` +
	`xmlns:xs="http://www.w3.org/2001/XMLSchema" ID="_a1" Version="2.0" IssueInstant="2026-11-27T12:00:00Z"><saml:Issuer>` + idpID + `</saml:Issuer>` +
	`<saml:Subject><saml:NameID SPNameQualifier="` + spID + `" Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">ann@example.com</saml:NameID>` +
	`<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData NotOnOrAfter="2026-11-27T12:05:00Z" ` +
	`Recipient="` + acs + `" InResponseTo="` + request + `"/></saml:SubjectConfirmation></saml:Subject>` +
	`<saml:Conditions NotBefore="2026-11-27T11:59:30Z" NotOnOrAfter="2026-11-27T12:05:00Z"><saml:AudienceRestriction><saml:Audience>` + spID +
	`</saml:Audience></saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement AuthnInstant="2026-11-27T11:59:00Z" ` +
	`SessionNotOnOrAfter="2026-11-27T20:00:00Z" SessionIndex="_s1"><saml:AuthnContext><saml:AuthnContextClassRef>` +
	`urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>` +
	`<saml:AttributeStatement><saml:Attribute Name="mail" NameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:basic">` +
	`<saml:AttributeValue xsi:type="xs:string">ann@example.com</saml:AttributeValue></saml:Attribute><saml:Attribute Name="groups">` +
	`<saml:AttributeValue>staff</saml:AttributeValue><saml:AttributeValue>all &amp; sundry</saml:AttributeValue></saml:Attribute></saml:AttributeStatement></saml:Assertion>`

// parse reads XML that the test has written.
func parse(text string) *etree.Element {
	doc := etree.NewDocument()
	if err := doc.ReadFromString(text); err != nil {
		panic(err)
	}
	return doc.Root()
}

func write(e *etree.Element) string {
	doc := etree.NewDocument()
	doc.SetRoot(e.Copy())
	text, err := doc.WriteToString()
	if err != nil {
		panic(err)
	}
	return text
}

// sign puts a signature behind the issuer of e.
func sign(e *etree.Element, p pair, method string) {
	x, err := dsig.NewSigningContext(p.key, [][]byte{p.cert.Raw})
	if err != nil {
		panic(err)
	}
	x.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	if err := x.SetSignatureMethod(method); err != nil {
		panic(err)
	}
	signature, err := x.ConstructSignature(e, true)
	if err != nil {
		panic(err)
	}
	e.InsertChildAt(1, signature)
}

// find returns the first element with that tag in e.
func find(e *etree.Element, tag string) *etree.Element {
	if e.Tag == tag {
		return e
	}
	for _, c := range e.ChildElements() {
		if f := find(c, tag); f != nil {
			return f
		}
	}
	return nil
}

// signedWith signs the assertion, the response, or both, of a document, and writes it.
func signedWith(text string, p pair, method string, what ...string) string {
	root := parse(text)
	for _, tag := range what { // the assertion has to come first
		sign(find(root, tag), p, method)
	}
	return write(root)
}

// signed signs the assertion as usual.
func signed(text string) string {
	return signedWith(text, allKeys().first, dsig.RSASHA256SignatureMethod, "Assertion")
}

// edited is replaced, signed.
func edited(old, text string) string { return signed(replaced(old, text)) }

// replaced is good with one piece of text replaced.
func replaced(old, with string) string {
	if !strings.Contains(good, old) {
		panic("the response has no " + old)
	}
	return strings.Replace(good, old, with, 1)
}

// how an assertion is sealed; the zero value is AES-256-GCM with a key wrapped by OAEP.
type how struct {
	block, wrap, digest, mask string
	hash, mgf                 crypto.Hash
}

const (
	xmlenc   = "http://www.w3.org/2001/04/xmlenc#"
	xmlenc11 = "http://www.w3.org/2009/xmlenc11#"
)

// sealed encrypts the assertion of a document for a certificate.
func sealed(text string, h how, cert *x509.Certificate) string {
	h.block, h.wrap = cmp.Or(h.block, xmlenc11+"aes256-gcm"), cmp.Or(h.wrap, xmlenc+"rsa-oaep-mgf1p")
	h.hash, h.mgf = cmp.Or(h.hash, crypto.SHA1), cmp.Or(h.mgf, crypto.SHA1)
	root := parse(text)
	assertion := find(root, "Assertion")
	root.RemoveChild(assertion)
	bits, _ := strconv.Atoi(regexp.MustCompile("[0-9]{3}").FindString(h.block[len(xmlenc11)-1:]))
	key := make([]byte, max(bits/8, 16))
	_, _ = rand.Read(key)
	var value string
	if strings.HasSuffix(h.wrap, "rsa-1_5") {
		wrapped, err := rsa.EncryptPKCS1v15(rand.Reader, cert.PublicKey.(*rsa.PublicKey), key) //nolint:staticcheck // it has to be refused
		if err != nil {
			panic(err)
		}
		value = base64.StdEncoding.EncodeToString(wrapped)
	} else {
		wrapped, err := rsa.EncryptOAEPWithOptions(rand.Reader, cert.PublicKey.(*rsa.PublicKey), key, &rsa.OAEPOptions{Hash: h.hash, MGFHash: h.mgf})
		if err != nil {
			panic(err)
		}
		value = base64.StdEncoding.EncodeToString(wrapped)
	}
	parts := `<saml:EncryptedAssertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" xmlns:xenc="` + xmlenc + `" xmlns:ds="http://www.w3.org/2000/09/xmldsig#">` +
		`<xenc:EncryptedData Type="` + xmlenc + `Element"><xenc:EncryptionMethod Algorithm="` + h.block + `"/><ds:KeyInfo><xenc:EncryptedKey>` +
		`<xenc:EncryptionMethod Algorithm="` + h.wrap + `">` + h.digest + h.mask + `</xenc:EncryptionMethod><xenc:CipherData><xenc:CipherValue>` + value +
		`</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>` +
		base64.StdEncoding.EncodeToString(encrypt(key, []byte(write(assertion)), strings.HasSuffix(h.block, "cbc"))) +
		`</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData></saml:EncryptedAssertion>`
	root.AddChild(parse(parts))
	return write(root)
}

func encrypt(key, plain []byte, chained bool) []byte {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	if chained {
		n := aes.BlockSize - len(plain)%aes.BlockSize
		plain = append(plain, bytes.Repeat([]byte{byte(n)}, n)...)
		out := make([]byte, aes.BlockSize+len(plain))
		_, _ = rand.Read(out[:aes.BlockSize])
		cipher.NewCBCEncrypter(block, out[:aes.BlockSize]).CryptBlocks(out[aes.BlockSize:], plain)
		return out
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return gcm.Seal(nil, nil, plain, nil)
}

func verify(t *testing.T, v *saml2.Verifier, response string) (*saml2.Assertion, error) {
	t.Helper()
	return v.Verify(t.Context(), []byte(response), request, at)
}
