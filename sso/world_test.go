package sso_test

import (
	"cmp"
	"compress/flate"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"usherd/connector"
	"usherd/connector/mapping"
	"usherd/connector/provision"
	"usherd/connector/store"
	"usherd/connector/store/newstore"
	"usherd/sso"
	"usherd/sso/saml2"
)

const (
	address = "https://sso.acme.test"
	door    = address + "/saml/acme/corp"
	idpID   = "https://idp.acme.test/metadata"
	app     = "https://app.acme.test/sign-in?from=usherd"
)

// signer is the key of the identity provider; stranger is another one, and the certificate of old is over.
var (
	signer   = newKey(time.Unix(1<<33, 0))
	stranger = newKey(time.Unix(1<<33, 0))
	old      = newKey(time.Unix(1<<30, 0))
)

// newKey is a key with a certificate until then, made once when it is asked for.
func newKey(end time.Time) func() (*rsa.PrivateKey, *x509.Certificate) {
	return sync.OnceValues(func() (*rsa.PrivateKey, *x509.Certificate) {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		t := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "idp"}, NotBefore: time.Unix(0, 0), NotAfter: end}
		raw, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
		if err != nil {
			panic(err)
		}
		cert, err := x509.ParseCertificate(raw)
		if err != nil {
			panic(err)
		}
		return key, cert
	})
}

// gate lets applications in by the word "Bearer" and the name of their source.
type gate struct{}

func (gate) Application(r *http.Request, org string) (string, *sso.Denied) {
	source, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || org != "acme" {
		return "", &sso.Denied{Status: http.StatusUnauthorized, Detail: "a token is missing", Header: http.Header{"Www-Authenticate": {"Bearer"}}}
	}
	return source, nil
}

func (gate) Address(r *http.Request) string { return cmp.Or(r.Header.Get("X-From"), "192.0.2.7") }

// world is one organization with an identity provider, on a real store.
type world struct {
	t        *testing.T
	url      string // of its store
	db       *store.DB
	org      *connector.Organization
	prov     *provision.Provisioner
	provider *sso.Provider
	server   *sso.Server
	now      time.Time
	code     connector.Code // why the identity provider is not known
	idp      saml2.IDP
	rules    mapping.Config
}

func newWorld(t *testing.T, edit func(*world)) *world {
	t.Helper()
	w := &world{t: t, url: newstore.URL(t), now: time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)}
	now := func() time.Time { return w.now }
	db, err := store.Open(t.Context(), w.url, store.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		faults, err := db.Verify(context.Background())
		if err != nil || len(faults) > 0 {
			t.Errorf("the store breaks an invariant: %v %v", faults, err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	_, cert := signer()
	w.db = db
	w.org = &connector.Organization{
		ID: "acme", Name: "Acme Ltd", PartnerID: "P-1", Contact: connector.Contact{Name: "IT help desk", Email: "help@acme.test"},
		Packages: []connector.Package{{ID: "standard", Seats: 2}}, DefaultPackage: "standard", Matching: []string{connector.Email, connector.UserName}, DeleteAfter: time.Hour, GoneDeleteAfter: time.Hour,
		Sources: []connector.SourceSettings{{ID: "corp", Kind: connector.SignIn, Fingerprint: connector.Hash{1}}},
	}
	w.idp = saml2.IDP{EntityID: idpID, SSOURL: "https://idp.acme.test/sso", Certificates: []*x509.Certificate{cert}}
	w.provider = &sso.Provider{Application: app, Skew: time.Minute, Keep: true, Known: func() (saml2.IDP, connector.Code) { return w.idp, w.code }}
	w.rules = mapping.Config{Preset: mapping.SAML}
	if edit != nil {
		edit(w)
	}
	m, faults := mapping.Compile(w.rules)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if err := db.SetPackages(t.Context(), "acme", w.org.Packages); err != nil {
		t.Fatal(err)
	}
	domain := connector.Domain{Org: "acme", Name: "acme.test", Token: "t", AddedAt: w.now, VerifiedAt: w.now}
	if err := db.AddDomain(t.Context(), domain); err != nil {
		t.Fatal(err)
	}
	w.prov = provision.New(provision.Options{Store: db, Org: w.org, Mappings: map[string]*mapping.Mapping{"corp": m}, Now: now, SpoolDir: t.TempDir()})
	w.serve(sso.Options{Store: db, URL: address})
	return w
}

// browser is somebody's: it keeps one cookie.
type browser struct {
	w      *world
	cookie string
	header http.Header
	from   string // its address; "" = one of its own
}

// answer is what a browser gets.
type answer struct {
	StatusCode int
	Header     http.Header
	text       string
}

func (w *world) browser() *browser {
	return &browser{w: w, header: http.Header{"Accept": {"text/html"}}}
}

func (b *browser) do(r *http.Request) *answer {
	maps.Copy(r.Header, b.header)
	if b.from != "" {
		r.Header.Set("X-From", b.from)
	}
	if b.cookie != "" {
		r.AddCookie(&http.Cookie{Name: "usherd-sign-in", Value: b.cookie})
	}
	rec := httptest.NewRecorder()
	b.w.server.ServeHTTP(rec, r)
	for _, line := range rec.Header()["Set-Cookie"] {
		c, err := http.ParseSetCookie(line)
		if err != nil || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteNoneMode || c.Path != "/saml/acme/corp/" {
			b.w.t.Errorf("%s %v", line, err)
			continue
		}
		b.cookie = c.Value
	}
	return &answer{rec.Code, rec.Header(), rec.Body.String()}
}

func (b *browser) get(target string) *answer {
	return b.do(httptest.NewRequest(http.MethodGet, target, nil))
}

// login begins a sign-in, and returns the id of the request and the RelayState.
func (b *browser) login(query string) (request, relay string) {
	b.w.t.Helper()
	a := b.get("/saml/acme/corp/login" + query)
	to, err := url.Parse(a.Header.Get("Location"))
	if err != nil || a.StatusCode != http.StatusSeeOther || to.Host != "idp.acme.test" {
		b.w.t.Fatal(a.StatusCode, to, err)
	}
	raw, err := base64.StdEncoding.DecodeString(to.Query().Get("SAMLRequest"))
	if err != nil {
		b.w.t.Fatal(err)
	}
	text, err := io.ReadAll(flate.NewReader(strings.NewReader(string(raw))))
	if err != nil {
		b.w.t.Fatal(err)
	}
	var q struct {
		ID string `xml:"ID,attr"`
	}
	if err := xml.Unmarshal(text, &q); err != nil || q.ID == "" {
		b.w.t.Fatal(err, string(text))
	}
	return q.ID, to.Query().Get("RelayState")
}

// post brings a response.
func (b *browser) post(response, relay string) *answer {
	form := url.Values{"SAMLResponse": {base64.StdEncoding.EncodeToString([]byte(response))}}
	if relay != "" {
		form.Set("RelayState", relay)
	}
	r := httptest.NewRequest(http.MethodPost, "/saml/acme/corp/acs", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(r)
}

// signIn goes the whole way as a person.
func (w *world) signIn(p person) *answer {
	w.t.Helper()
	b := w.browser()
	request, relay := b.login("")
	return b.post(w.response(p, request), relay)
}

// person is what the identity provider says of somebody.
type person map[string]string

var ann = person{"nameid": "e-0001", "uid": "ann", "givenName": "Ann", "sn": "Lee", "mail": "ann@acme.test", "updatetimestamp": "20261127"}

// with is the person with another value, or without it.
func (p person) with(name, value string) person {
	c := maps.Clone(p)
	if c[name] = value; value == "" {
		delete(c, name)
	}
	return c
}

var serial struct {
	sync.Mutex
	n int
}

// response is a signed one for a person.
func (w *world) response(p person, request string) string {
	key, cert := signer()
	return w.signed(w.draft(p, request), key, cert)
}

// draft is a response for a person that nobody has signed.
func (w *world) draft(p person, request string) string {
	serial.Lock()
	serial.n++
	id := fmt.Sprintf("_a%d", serial.n)
	serial.Unlock()
	var attributes strings.Builder
	for name, value := range p {
		if name != "nameid" {
			fmt.Fprintf(&attributes, `<saml:Attribute Name="%s"><saml:AttributeValue>%s</saml:AttributeValue></saml:Attribute>`, name, value)
		}
	}
	answers := ""
	if request != "" {
		answers = ` InResponseTo="` + request + `"`
	}
	stamp := func(d time.Duration) string { return w.now.Add(d).Format(time.RFC3339) }
	return `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="` + id + `r" Version="2.0" ` +
		`IssueInstant="` + stamp(0) + `" Destination="` + door + `/acs"` + answers + `><saml:Issuer>` + idpID + `</saml:Issuer>` +
		`<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>` +
		`<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="` + id + `" Version="2.0" IssueInstant="` + stamp(0) + `"><saml:Issuer>` + idpID + `</saml:Issuer><saml:Subject>` +
		`<saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">` + p["nameid"] + `</saml:NameID>` +
		`<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData NotOnOrAfter="` + stamp(5*time.Minute) + `" ` +
		`Recipient="` + door + `/acs"` + answers + `/></saml:SubjectConfirmation></saml:Subject>` +
		`<saml:Conditions NotOnOrAfter="` + stamp(5*time.Minute) + `"><saml:AudienceRestriction><saml:Audience>` + door + `/metadata</saml:Audience>` +
		`</saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement AuthnInstant="` + stamp(0) + `" SessionIndex="_s"/>` +
		`<saml:AttributeStatement>` + attributes.String() + `</saml:AttributeStatement></saml:Assertion></samlp:Response>`
}

// signed signs the assertion of a response.
func (w *world) signed(text string, key *rsa.PrivateKey, cert *x509.Certificate) string {
	w.t.Helper()
	doc := etree.NewDocument()
	if err := doc.ReadFromString(text); err != nil {
		w.t.Fatal(err)
	}
	x, err := dsig.NewSigningContext(key, [][]byte{cert.Raw})
	if err != nil {
		w.t.Fatal(err)
	}
	x.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	if err := x.SetSignatureMethod(dsig.RSASHA256SignatureMethod); err != nil {
		w.t.Fatal(err)
	}
	assertion := doc.Root().SelectElement("saml:Assertion")
	signature, err := x.ConstructSignature(assertion, true)
	if err != nil {
		w.t.Fatal(err)
	}
	assertion.InsertChildAt(1, signature)
	out, err := doc.WriteToString()
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// exchange asks as the application who has signed in.
func (w *world) exchange(code, token string) (status int, body map[string]any) {
	w.t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/api/v1/orgs/acme/sign-in/exchange", strings.NewReader(`{"code":"`+code+`"}`))
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	rec := httptest.NewRecorder()
	w.server.ServeHTTP(rec, r)
	if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil {
		w.t.Fatal(err, rec.Body)
	}
	return rec.Code, body
}

// codeOf is the code that the browser is sent to the application with.
func (w *world) codeOf(a *answer) string {
	w.t.Helper()
	to, err := url.Parse(a.Header.Get("Location"))
	if err != nil || a.StatusCode != http.StatusSeeOther || to.Host != "app.acme.test" || to.Query().Get("from") != "usherd" || to.Query().Get("code") == "" {
		w.t.Fatalf("%d %s\n%s", a.StatusCode, to, a.text)
	}
	return to.Query().Get("code")
}

func (w *world) attempts() []connector.Attempt {
	w.t.Helper()
	list, err := w.db.Attempts(w.t.Context(), connector.AttemptQuery{Org: "acme"})
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

func (w *world) user(name string) *connector.User {
	w.t.Helper()
	u, err := w.db.FindUser(w.t.Context(), "acme", name)
	if err != nil {
		w.t.Fatal(err)
	}
	return u
}
