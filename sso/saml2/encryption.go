package saml2

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	_ "crypto/sha1" //nolint:gosec // of the key wrapping that is called rsa-oaep-mgf1p, where collisions do not matter
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/beevik/etree"
)

const encryptionNS = "http://www.w3.org/2001/04/xmlenc#"

// blockMethods are what an assertion may be encrypted with, and the length of their keys. Cipher block chaining tells
// who changes it, byte by byte, whether what comes out can be read: it is accepted only where a signature around it
// says that nobody has.
var blockMethods = map[string]struct {
	key     int
	chained bool
}{
	"http://www.w3.org/2009/xmlenc11#aes128-gcm":  {16, false},
	"http://www.w3.org/2009/xmlenc11#aes192-gcm":  {24, false},
	"http://www.w3.org/2009/xmlenc11#aes256-gcm":  {32, false},
	"http://www.w3.org/2001/04/xmlenc#aes128-cbc": {16, true},
	"http://www.w3.org/2001/04/xmlenc#aes192-cbc": {24, true},
	"http://www.w3.org/2001/04/xmlenc#aes256-cbc": {32, true},
}

// The ways of wrapping a key. The old one (PKCS #1 v1.5) gives keys away to who may ask often, and is not among them.
const (
	oaepSHA1 = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p" // its mask is made with SHA-1 always
	oaep     = "http://www.w3.org/2009/xmlenc11#rsa-oaep"
)

var (
	digests = map[string]crypto.Hash{
		"": crypto.SHA1, "http://www.w3.org/2000/09/xmldsig#sha1": crypto.SHA1, "http://www.w3.org/2001/04/xmlenc#sha256": crypto.SHA256,
		"http://www.w3.org/2001/04/xmldsig-more#sha384": crypto.SHA384, "http://www.w3.org/2001/04/xmlenc#sha512": crypto.SHA512,
	}
	masks = map[string]crypto.Hash{
		"": crypto.SHA1, "http://www.w3.org/2009/xmlenc11#mgf1sha1": crypto.SHA1, "http://www.w3.org/2009/xmlenc11#mgf1sha256": crypto.SHA256,
		"http://www.w3.org/2009/xmlenc11#mgf1sha384": crypto.SHA384, "http://www.w3.org/2009/xmlenc11#mgf1sha512": crypto.SHA512,
	}
	errSealed = errors.New("it cannot be opened")
)

// maxWrapped bounds the keys that are tried: one for each of ours would do.
const maxWrapped = 4

// open decrypts an assertion with the first of our keys that can. Why none can is not told: whoever tries could learn
// from it. sealed says whether a signature covers it.
func (v *Verifier) open(e *etree.Element, sealed bool) (*etree.Element, *Error) {
	unreadable := fault(Signature, AssertionInvalid, "the encrypted assertion cannot be opened with our keys")
	data, err := only(e, encryptionNS, "EncryptedData")
	if err != nil || data == nil {
		return nil, unreadable
	}
	name := algorithm(data, "EncryptionMethod")
	m, known := blockMethods[name]
	switch {
	case !known:
		return nil, fault(Signature, AssertionInvalid, "the assertion is encrypted with %q, which is not accepted: use AES-GCM", clip(name))
	case m.chained && !sealed:
		return nil, fault(Signature, AssertionInvalid, "the assertion is encrypted with %s in a response that is not signed: sign the response too, or use AES-GCM", name)
	}
	var wrapped []*etree.Element
	everywhere(e, func(k *etree.Element) {
		if is(k, encryptionNS, "EncryptedKey") && len(wrapped) < maxWrapped {
			wrapped = append(wrapped, k)
		}
	})
	for _, w := range wrapped {
		for _, ours := range v.SP.Keys {
			key, err := unwrap(ours.Private, w)
			if err != nil || len(key) != m.key {
				continue
			}
			plain, err := decrypt(key, m.chained, data)
			if err != nil {
				continue
			}
			if root, err := parse(plain); err == nil && is(root, assertionNS, "Assertion") && !nested(root) {
				return root, nil
			}
		}
	}
	return nil, unreadable
}

// algorithm is the one that an element names, "" where it names none.
func algorithm(e *etree.Element, tag string) string {
	for _, c := range e.ChildElements() {
		if c.Tag == tag {
			return attr(c, "Algorithm")
		}
	}
	return ""
}

// cipherValue is what stands in CipherData.
func cipherValue(e *etree.Element) ([]byte, error) {
	data, err := only(e, encryptionNS, "CipherData")
	if err != nil || data == nil {
		return nil, errSealed
	}
	value, err := only(data, encryptionNS, "CipherValue")
	if err != nil || value == nil {
		return nil, errSealed
	}
	s, err := text(value)
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), ""))
}

// unwrap opens the key of an assertion with one of ours (XML Encryption 1.1 section 5.5.2).
func unwrap(ours *rsa.PrivateKey, wrapped *etree.Element) ([]byte, error) {
	methods := children(wrapped, encryptionNS, "EncryptionMethod")
	if len(methods) != 1 {
		return nil, errSealed
	}
	how := rsa.OAEPOptions{MGFHash: crypto.SHA1}
	var ok, masked bool
	how.Hash, ok = digests[algorithm(methods[0], "DigestMethod")]
	switch attr(methods[0], "Algorithm") {
	case oaepSHA1:
		masked = true
	case oaep:
		how.MGFHash, masked = masks[algorithm(methods[0], "MGF")]
	}
	if !ok || !masked {
		return nil, errSealed
	}
	value, err := cipherValue(wrapped)
	if err != nil {
		return nil, err
	}
	return ours.Decrypt(nil, value, &how)
}

// decrypt opens data with its key: the first bytes are the nonce, or the block before the first.
func decrypt(key []byte, chained bool, data *etree.Element) ([]byte, error) {
	value, err := cipherValue(data)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	if !chained {
		gcm, err := cipher.NewGCM(block)
		if err != nil || len(value) < gcm.NonceSize() {
			return nil, errSealed
		}
		return gcm.Open(nil, value[:gcm.NonceSize()], value[gcm.NonceSize():], nil)
	}
	if len(value) < 2*aes.BlockSize || len(value)%aes.BlockSize != 0 {
		return nil, errSealed
	}
	plain := make([]byte, len(value)-aes.BlockSize)
	cipher.NewCBCDecrypter(block, value[:aes.BlockSize]).CryptBlocks(plain, value[aes.BlockSize:])
	padding := int(plain[len(plain)-1]) // the last byte says how many there are; what the others are is free
	if padding < 1 || padding > aes.BlockSize {
		return nil, errSealed
	}
	return plain[:len(plain)-padding], nil
}

// nested reports whether an assertion has another one in it, or signatures where none belongs.
func nested(root *etree.Element) bool {
	found := false
	everywhere(root, func(e *etree.Element) {
		switch e.Tag {
		case "Assertion", "EncryptedAssertion", "Response":
			found = found || e != root
		case "Signature":
			found = found || e.Parent() != root
		}
	})
	return found
}
