package saml2_test

import (
	"errors"
	"flag"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/crewjam/saml"
	"github.com/google/go-cmp/cmp"
	dsig "github.com/russellhaering/goxmldsig"

	"usherd/sso/saml2"
)

var seed = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of what is chosen at random")

// Whichever byte of a good response is another one: it is refused, or says what it said.
func TestAnotherByte(t *testing.T) {
	t.Parallel()
	k := allKeys()
	for name, response := range map[string]string{
		"assertion": signed(good),
		"response":  signedWith(good, k.first, dsig.RSASHA256SignatureMethod, "Response"),
		"sealed":    sealed(signed(good), how{}, k.ours.cert),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Logf("-seed %d", *seed)
			r := rand.New(rand.NewPCG(*seed, 1))
			accepted := 0
			for i := r.IntN(8); i < len(response); i += 1 + r.IntN(8) {
				changed := []byte(response)
				changed[i] ^= byte(1 + r.IntN(255))
				a, err := verify(t, verifier(), string(changed))
				var f *saml2.Error
				switch {
				case err == nil:
					accepted++
					if d := cmp.Diff(ann, a); d != "" {
						t.Fatalf("byte %d, %q for %q: %s", i, changed[i], response[i], d)
					}
				case !errors.As(err, &f):
					t.Fatal(err)
				}
			}
			t.Logf("%d accepted", accepted)
		})
	}
}

// FuzzVerify looks for a response that nobody has signed and that is accepted, or a panic: in one that is good, or
// nearly, two pieces are replaced. (A whole response as the argument would be made smaller for a minute each time that it
// is interesting.)
func FuzzVerify(f *testing.F) {
	k := allKeys()
	seeds := []string{
		signed(good), signedWith(good, k.first, dsig.RSASHA256SignatureMethod, "Assertion", "Response"), sealed(signed(good), how{}, k.ours.cert), good,
	}
	attacks := wrapping()
	for _, name := range slices.Sorted(maps.Keys(attacks)) {
		seeds = append(seeds, attacks[name])
	}
	for i := range seeds {
		f.Add(uint8(i), uint32(0), uint32(0), "", uint32(0), uint32(0), "")
	}
	f.Add(uint8(0), uint32(200), uint32(10), "<!-- -->", uint32(900), uint32(0), `<saml:Assertion ID="_a2">`)
	f.Fuzz(func(t *testing.T, which uint8, at1, n1 uint32, with1 string, at2, n2 uint32, with2 string) {
		response := spliced(spliced(seeds[int(which)%len(seeds)], at1, n1, with1), at2, n2, with2)
		a, err := verify(t, verifier(), response)
		if err == nil {
			if d := cmp.Diff(ann, a); d != "" {
				t.Errorf("%s\n%s", response, d)
			}
		}
	})
}

// spliced replaces n bytes of a text, wherever at leads to.
func spliced(text string, at, n uint32, with string) string {
	if len(text) == 0 {
		return with
	}
	from := int(at) % len(text)
	to := min(from+int(n)%len(text), len(text))
	return text[:from] + with + text[to:]
}

// FuzzRead looks for a panic in what is no response at all.
func FuzzRead(f *testing.F) {
	for _, doc := range []string{
		"", "<a/>", `<Response xmlns="urn:oasis:names:tc:SAML:2.0:protocol" Version="2.0"><Status><StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></Status></Response>`,
		"<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", "<a xmlns:b='c'><b:d b:e='f'/></a>", "<a><![CDATA[b]]>&#x9;</a>",
	} {
		f.Add(doc)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		if a, err := verify(t, verifier(), doc); err == nil {
			t.Errorf("%q says %+v", doc, a)
		}
	})
}

// FuzzReadMetadata looks for a panic, and for an identity provider that nobody could sign in with.
func FuzzReadMetadata(f *testing.F) {
	whole := idpMetadata(allKeys().first, allKeys().second)
	f.Add(uint32(0), uint32(0), "", "")
	f.Add(uint32(40), uint32(9), "<EntitiesDescriptor/>", idpID)
	f.Fuzz(func(t *testing.T, at, n uint32, with, entity string) {
		idp, err := saml2.ReadMetadata([]byte(spliced(whole, at, n, with)), entity)
		if err == nil && (idp.EntityID == "" || idp.SSOURL == "" || len(idp.Certificates) == 0) {
			t.Errorf("%+v", idp)
		}
	})
}

// library sets the clock of the library, which is a variable of the package.
var library = sync.OnceFunc(func() { saml.TimeNow = func() time.Time { return at } })

// opinion is what the library by itself says to a response.
func opinion(response string) (verdict string) {
	library()
	defer func() {
		if recover() != nil {
			verdict = "panic"
		}
	}()
	v := verifier()
	k := v.SP.Keys[0]
	address, _ := url.Parse(acs)
	one := saml.IDPSSODescriptor{}
	for _, c := range []pair{allKeys().first, allKeys().second, allKeys().old, allKeys().curve} {
		one.KeyDescriptors = append(one.KeyDescriptors, saml.KeyDescriptor{Use: "signing", KeyInfo: saml.KeyInfo{
			X509Data: saml.X509Data{X509Certificates: []saml.X509Certificate{{Data: encoded(c)}}},
		}})
	}
	sp := saml.ServiceProvider{
		EntityID: spID, Key: k.Private, Certificate: k.Certificate, AcsURL: *address,
		IDPMetadata: &saml.EntityDescriptor{EntityID: idpID, IDPSSODescriptors: []saml.IDPSSODescriptor{one}},
	}
	if _, err := sp.ParseXMLResponse([]byte(response), []string{request}, *address); err != nil {
		return "refused"
	}
	return "accepted"
}

// A second opinion: what the library accepts of the hostile responses, or panics at, is why there is this package.
func TestSecondOpinion(t *testing.T) {
	t.Parallel()
	for _, response := range []string{
		signed(good), signedWith(good, allKeys().first, dsig.RSASHA256SignatureMethod, "Response"), signedWith(good, allKeys().curve, dsig.ECDSASHA256SignatureMethod, "Assertion"),
	} {
		if v := opinion(response); v != "accepted" {
			t.Errorf("a good response is %s by the library", v)
		}
	}
	let := map[string][]string{}
	for name, c := range hostile() {
		if v := opinion(c.response); v != "refused" {
			let[v] = append(let[v], name)
		}
	}
	for _, names := range let {
		slices.Sort(names)
	}
	for name := range wrapping() {
		if slices.Contains(let["accepted"], name) && strings.HasPrefix(name, "XSW") {
			t.Logf("the library accepts %s", name)
		}
	}
	for _, name := range []string{"no audience", "no confirmation", "holder of key", "SHA-1", "transient NameID", "unknown condition", "no authentication"} {
		if !slices.Contains(let["accepted"], name) {
			t.Errorf("the library refuses %q: is what is said of it still true?", name)
		}
	}
	for _, name := range []string{"no subject", "no conditions", "no confirmation data"} {
		if !slices.Contains(let["panic"], name) {
			t.Errorf("the library does not panic at %q: is what is said of it still true?", name)
		}
	}
	t.Logf("accepted: %q; panic: %q", let["accepted"], let["panic"])
}
