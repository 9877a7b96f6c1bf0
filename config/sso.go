package config

import (
	"crypto/sha256"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"usherd/connector"
	"usherd/connector/mapping"
	"usherd/connector/policy"
)

// SSO is the door where people sign in by SAML 2.0.
type SSO struct {
	// Listen is host:port where sign-ins are served, under /saml/ORGANIZATION/SOURCE/; default 127.0.0.1:9472.
	Listen string `yaml:"listen,omitempty"`
	// URL is the address of the door as browsers know it, without /saml. Identity providers know this service by
	// addresses that begin with it; what a request says of the host is never believed.
	URL string `yaml:"url"`
	// TLS is the certificate of the door. Without one it speaks plain HTTP: on a loopback address, or with
	// behind_proxy.
	TLS ServerTLS `yaml:"tls,omitempty"`
	// BehindProxy says that a proxy before the door ends TLS, and that nobody else can reach it; default false.
	BehindProxy bool `yaml:"behind_proxy,omitempty"`
	// TrustedProxies are networks or addresses of proxies whose X-Forwarded-For is believed.
	TrustedProxies []string `yaml:"trusted_proxies,omitempty"`
	// Keys are RSA keys with their certificates, for all identity providers: the first signs the requests, each opens
	// assertions that were encrypted for it. To change one, add the new one second, let the identity providers read the
	// metadata again, and then remove the first. Left out: requests are not signed, and assertions cannot be encrypted.
	Keys []ServerTLS `yaml:"keys,omitempty"`
}

// SAML says how the people of an identity provider sign in. It is known by metadata_file, or by metadata_url, or by
// entity_id, sso_url and certificate_files.
type SAML struct {
	// MetadataFile is the metadata of the identity provider (XML). It is read again when the configuration is.
	MetadataFile string `yaml:"metadata_file,omitempty"`
	// MetadataURL is where the identity provider publishes its metadata, https. It is read at start and each hour; what
	// was read last stays in force while it does not answer.
	MetadataURL string `yaml:"metadata_url,omitempty"`
	// EntityID is how the identity provider calls itself. With metadata it chooses one of several.
	EntityID string `yaml:"entity_id,omitempty"`
	// SSOURL is where sign-ins begin at the identity provider, by HTTP-Redirect.
	SSOURL string `yaml:"sso_url,omitempty"`
	// CertificateFiles hold the certificates that it signs with (PEM): two while one is changed for the other.
	CertificateFiles []string `yaml:"certificate_files,omitempty"`
	// Application is where the browser goes after a sign-in, with a code for which the application asks once who it is:
	// POST /api/v1/orgs/ORGANIZATION/sign-in/exchange.
	Application string `yaml:"application"`
	// NameIDFormat is the form of the name by which the identity provider knows people: persistent, email or
	// unspecified; default any but transient, by which nobody is known again.
	NameIDFormat string `yaml:"name_id_format,omitempty"`
	// IDPInitiated allows sign-ins that begin at the identity provider. Whoever has an account there can then sign
	// somebody else's browser in as himself; default false.
	IDPInitiated bool `yaml:"idp_initiated,omitempty"`
	// ClockSkew is by how much the clocks may differ; default 2m.
	ClockSkew connector.Duration `yaml:"clock_skew,omitempty"`
	// Create lets a sign-in create the account of somebody who has none; default true.
	Create *bool `yaml:"create,omitempty"`
	// Keep is how long attempts to sign in are kept with their steps. 0 keeps none; default 30d.
	Keep connector.Duration `yaml:"keep,omitempty"`
}

// SignOn is one identity provider by which people sign in, everything filled in.
type SignOn struct {
	SAML
	NameIDFormat string // as an identifier of SAML; "" = any but transient
	ClockSkew    time.Duration
	Keep         time.Duration // 0 = attempts are not kept
}

// TrustedNetworks are the networks of TrustedProxies.
func (s *SSO) TrustedNetworks() []netip.Prefix { return networks(s.TrustedProxies) }

// nameIDFormats are the words for forms of names.
var nameIDFormats = map[string]string{
	"persistent":  "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
	"email":       "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
	"unspecified": "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
}

// samlKeys checks the keys of the door.
func (v *validator) samlKeys(s *SSO) {
	for i := range s.Keys {
		k, at := &s.Keys[i], index("sso.keys", i)
		k.CertFile, k.KeyFile = v.absolute(k.CertFile), v.absolute(k.KeyFile)
		if v.pair(at, *k); k.CertFile == "" && k.KeyFile == "" {
			v.reject(at, "the key has no files: write cert_file and key_file")
		}
	}
	if len(s.Keys) > 2 {
		v.reject("sso.keys", "there are %d keys: two are enough to change one for the other", len(s.Keys))
	}
}

// pair asks for both files, or none.
func (v *validator) pair(path string, p ServerTLS) {
	switch {
	case p.CertFile == "" && p.KeyFile != "":
		v.reject(join(path, "cert_file"), "there is a key_file without a cert_file: write both")
	case p.CertFile != "" && p.KeyFile == "":
		v.reject(join(path, "key_file"), "there is a cert_file without a key_file: write both")
	}
}

// webAddress checks an address that browsers or we go to. It is not quoted: a password may stand in it.
func (v *validator) webAddress(path, address, example string) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.Fragment != "":
		v.reject(path, "this is no address for it: write it as in %s", example)
	case u.Scheme == "http" && !loopback(net.JoinHostPort(u.Hostname(), "0")):
		v.reject(path, "what people sign in with would cross the network in the clear: write https://%s", clip(u.Host))
	}
}

// ofReading are the keys of a source that say nothing to one where people sign in.
var ofReading = []struct{ key, why string }{
	{"directory", "a source is either a directory or one where people sign in: remove one of the two blocks, or make two sources of it"},
	{"scim", "a source either pushes by SCIM or is one where people sign in: make two sources of it, the one that pushes first"},
	{"schedule", "people sign in when they like: remove it"},
	{"changes_every", "people sign in when they like: remove it"},
	{"live", "people sign in when they like: remove it"},
	{"first_run", "there are no runs of a source where people sign in: remove it"},
	{"guard", "there are no runs of a source where people sign in, which a guard could hold: remove it"},
	{"group_packages", "an assertion names no groups by DN: give packages by mapping.attributes.package, or by package"},
	{"protected", "signing in deactivates nobody: remove it"},
}

// signIn compiles a source where people sign in.
func (v *validator) signIn(r *Runtime, s *Source, path string) {
	for _, k := range ofReading {
		if at := join(path, k.key); v.given(at) {
			v.reject(at, "%s", k.why)
		}
	}
	preset := join(path, "mapping.preset")
	switch s.Mapping.Preset {
	case "":
		s.Mapping.Preset = mapping.SAML
	case mapping.SAML, "none":
	default:
		v.reject(preset, "%q is for directories: leave it out, or write none", clip(s.Mapping.Preset))
	}
	c := v.signOn(s.SAML, join(path, "saml"))
	m, faults := mapping.Compile(s.Mapping)
	v.take(join(path, "mapping"), faults)
	if v.config.SSO == nil {
		v.doubt(join(path, "saml"), "nobody can sign in: there is no sso block at the top of the file, which opens the door")
	}
	if len(v.faults) > 0 {
		return
	}
	f := m.Fingerprint()
	sum := sha256.Sum256([]byte("sso\x00" + string(f[:]) + "\x00" + s.Package))
	r.Org.Sources = append(r.Org.Sources, connector.SourceSettings{
		ID: s.ID, Kind: connector.SignIn, Package: s.Package, OnlyKnown: s.SAML.Create != nil && !*s.SAML.Create,
		Fingerprint: connector.Hash(sum[:16]), FirstRun: connector.FirstRunApply, Guard: policy.Unguarded(),
	})
	r.Mappings[s.ID], r.SignOns[s.ID] = m, c
}

// signOn checks how the identity provider is known, and fills in defaults.
func (v *validator) signOn(s *SAML, path string) *SignOn {
	v.word(join(path, "name_id_format"), s.NameIDFormat, "saml.name_id_format")
	if s.Application == "" {
		v.reject(join(path, "application"), "it is not said where people go after they have signed in: write the address of the application, as in https://app.example.com/sign-in")
	} else {
		v.webAddress(join(path, "application"), s.Application, "https://app.example.com/sign-in")
	}
	v.known(s, path)
	s.MetadataFile = v.absolute(s.MetadataFile)
	for i := range s.CertificateFiles {
		s.CertificateFiles[i] = v.absolute(s.CertificateFiles[i])
	}
	skew := join(path, "clock_skew")
	switch d := time.Duration(s.ClockSkew); {
	case !v.given(skew):
		s.ClockSkew = connector.Duration(2 * time.Minute)
	case d < 0 || d > 10*time.Minute:
		v.reject(skew, "%s is out of range: write 0s to 10m, such as 2m; clocks that differ more have to be set", s.ClockSkew)
	}
	v.kept(join(path, "keep"), &s.Keep)
	return &SignOn{SAML: *s, NameIDFormat: nameIDFormats[s.NameIDFormat], ClockSkew: time.Duration(s.ClockSkew), Keep: time.Duration(s.Keep)}
}

// known checks that the identity provider is described once.
func (v *validator) known(s *SAML, path string) {
	byHand := s.SSOURL != "" || len(s.CertificateFiles) > 0
	ways := 0
	for _, given := range []bool{s.MetadataFile != "", s.MetadataURL != "", byHand} {
		if given {
			ways++
		}
	}
	switch {
	case ways == 0:
		v.reject(path, "it is not said which identity provider it is: write metadata_file, or metadata_url, or entity_id with sso_url and certificate_files")
	case ways > 1:
		v.reject(path, "the identity provider is described in several ways: keep one of metadata_file, metadata_url, and sso_url with certificate_files")
	case s.MetadataURL != "":
		v.webAddress(join(path, "metadata_url"), s.MetadataURL, "https://idp.example.com/metadata")
	case byHand:
		if s.EntityID == "" {
			v.reject(join(path, "entity_id"), "it is not said how the identity provider calls itself: write its entity ID, letter by letter")
		}
		if s.SSOURL == "" {
			v.reject(join(path, "sso_url"), "it is not said where people sign in: write the address of the identity provider, as in https://idp.example.com/sso")
		} else {
			v.webAddress(join(path, "sso_url"), s.SSOURL, "https://idp.example.com/sso")
		}
		if len(s.CertificateFiles) == 0 {
			v.reject(join(path, "certificate_files"), "without the certificate of the identity provider nobody can be believed: write the file that holds it (failure 4)")
		}
		v.once(join(path, "certificate_files"), slices.Clone(s.CertificateFiles))
	}
}
