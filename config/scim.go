package config

import (
	"crypto/sha256"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"usherd/connector"
	"usherd/connector/mapping"
	"usherd/connector/policy"
)

// SCIM is the door where identity providers push users and groups.
type SCIM struct {
	// Listen is host:port where SCIM is served, under /scim/ORGANIZATION/v2/; default 127.0.0.1:9471.
	Listen string `yaml:"listen,omitempty"`
	// URL is the address of the door as identity providers know it, without /scim. It is written into the
	// locations of users and groups; what a request says of the host is never believed.
	URL string `yaml:"url"`
	// TLS is the certificate of the door. Without one it speaks plain HTTP: on a loopback address, or with
	// behind_proxy.
	TLS ServerTLS `yaml:"tls,omitempty"`
	// BehindProxy says that a proxy before the door ends TLS, and that nobody else can reach it; default false.
	BehindProxy bool `yaml:"behind_proxy,omitempty"`
	// TrustedProxies are networks or addresses of proxies whose X-Forwarded-For is believed.
	TrustedProxies []string `yaml:"trusted_proxies,omitempty"`
}

// ServerTLS is the certificate of a door.
type ServerTLS struct {
	// CertFile is the certificate with its chain (PEM). It is read again when it has changed.
	CertFile string `yaml:"cert_file,omitempty"`
	// KeyFile is the key of cert_file (PEM).
	KeyFile string `yaml:"key_file,omitempty"`
}

// Push says how an identity provider may push a source.
type Push struct {
	// Profile is the dialect of the identity provider; default auto, which recognises it by what it sends.
	Profile string `yaml:"profile,omitempty"`
	// Networks are networks or addresses that it may come from. Left out: everywhere.
	Networks []string `yaml:"networks,omitempty"`
	// Rate is how many requests a second it may send for long; four times as many at once. Default 50.
	Rate int `yaml:"rate,omitempty"`
	// Concurrency is how many of its requests are worked on at a time; default 16.
	Concurrency int `yaml:"concurrency,omitempty"`
	// Log says what is kept of its requests.
	Log RequestLog `yaml:"log,omitempty"`
	// OAuth is about access tokens by client credentials (RFC 6749 section 4.4).
	OAuth OAuth `yaml:"oauth,omitempty"`
}

// RequestLog says what is kept of the requests of an identity provider.
type RequestLog struct {
	// Keep is how long time, path, answer and person of each request are kept. 0 keeps none; default 30d.
	Keep connector.Duration `yaml:"keep,omitempty"`
	// Bodies keeps what was sent and answered too, secrets masked. It is for the days in which an identity provider
	// is set up; default false.
	Bodies bool `yaml:"bodies,omitempty"`
}

// OAuth is about access tokens by client credentials.
type OAuth struct {
	// KeysFile holds the public keys (a JSON Web Key Set, RFC 7517) with which the identity provider signs as whom
	// it asks (RFC 7523). Without one it proves itself by a secret: usherd token create --kind secret.
	KeysFile string `yaml:"keys_file,omitempty"`
	// TokenLifetime is how long an access token lives; default 10m.
	TokenLifetime connector.Duration `yaml:"token_lifetime,omitempty"`
}

// profiles are the dialects that a source may name; what each decides stands in the door.
var profiles = []string{
	"auto", "strict", "generic", "entra", "okta", "authentik", "keycloak", "google", "onelogin", "jumpcloud", "ping", "rippling",
}

// Client is one identity provider that pushes a source, everything filled in.
type Client struct {
	Profile       string         // auto, strict, generic …
	Networks      []netip.Prefix // that it may come from; none = everywhere
	Rate, Burst   int            // requests a second for long, and at once
	Concurrency   int            // requests at a time
	KeepLog       time.Duration  // 0 = no request log
	LogBodies     bool
	KeysFile      string // JSON Web Key Set, absolute; "" = none
	TokenLifetime time.Duration
}

// TrustedNetworks are the networks of TrustedProxies.
func (s *SCIM) TrustedNetworks() []netip.Prefix { return networks(s.TrustedProxies) }

// networks skips what Load has refused.
func networks(list []string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		if p, err := connector.ParseNetwork(s); err == nil {
			out = append(out, p)
		}
	}
	return out
}

func loopback(address string) bool {
	host, _, _ := net.SplitHostPort(address)
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func (v *validator) networks(path string, list []string) {
	v.list(path, list, func(at, s string) {
		if _, err := connector.ParseNetwork(s); err != nil {
			v.reject(at, "%q: %s", clip(s), err)
		}
	})
	if list != nil && len(list) == 0 {
		v.reject(path, "an empty list could mean nobody or everybody: name a network, or leave it out")
	}
}

// ofDirectories are the keys of a source that say nothing to one that pushes.
var ofDirectories = []struct{ key, why string }{
	{"directory", "a source is either a directory or pushes by SCIM: remove one of the two blocks, or make two sources of it"},
	{"schedule", "the identity provider pushes when it likes: remove it"},
	{"changes_every", "the identity provider pushes when it likes: remove it"},
	{"live", "the identity provider pushes when it likes: remove it"},
	{"first_run", "there are no runs of a source that pushes: remove it"},
	{"guard", "there are no runs of a source that pushes, which a guard could hold: remove it"},
	{"group_packages", "the groups of an identity provider have no DN: give packages by mapping.attributes.package, or by package"},
	{"protected.groups", "the groups of an identity provider have no DN: name users"},
	{"mapping.preset", "a source that pushes has one set of rules only: leave it out"},
}

// push compiles a source that an identity provider pushes.
func (v *validator) push(r *Runtime, s *Source, path string) {
	for _, k := range ofDirectories {
		if at := join(path, k.key); v.given(at) {
			v.reject(at, "%s", k.why)
		}
	}
	for name := range s.Mapping.Attributes {
		if name != "package" {
			v.reject(join(path, "mapping.attributes."+name), "the identity provider has a mapping of its own: change it there; here only package may have a rule")
		}
	}
	c := v.client(s.SCIM, join(path, "scim"))
	m, faults := mapping.Compile(mapping.Config{Preset: mapping.SCIM, Attributes: s.Mapping.Attributes})
	v.take(join(path, "mapping"), faults)
	if m != nil {
		v.pushedOnly(m, join(path, "mapping.attributes.package"))
	}
	if door := v.config.SCIM; door != nil && door.BehindProxy && len(door.TrustedProxies) == 0 && len(s.SCIM.Networks) > 0 {
		v.doubt(join(path, "scim.networks"), "the door stands behind a proxy and scim.trusted_proxies names none, so every request seems to come from the proxy: name its address there")
	}
	if v.config.SCIM == nil {
		v.doubt(join(path, "scim"), "nobody can push: there is no scim block at the top of the file, which opens the door")
	}
	if len(v.faults) > 0 {
		return
	}
	r.Org.Sources = append(r.Org.Sources, connector.SourceSettings{
		ID: s.ID, Kind: connector.SCIM, Package: s.Package, Protected: s.Protected, Groups: true, Fingerprint: pushed(s, m),
		// There are no runs to look at; what ends by housekeeping ends.
		FirstRun: connector.FirstRunApply, Guard: policy.Unguarded(),
	})
	r.Mappings[s.ID], r.Clients[s.ID] = m, c
}

// pushedOnly finds what the rule for the package reads and no identity provider can send.
func (v *validator) pushedOnly(m *mapping.Mapping, path string) {
	names := attributeNames()
	for _, name := range m.Attributes() {
		if slices.ContainsFunc(append(names, connector.MemberStatus), func(known string) bool { return strings.EqualFold(known, name) }) {
			continue
		}
		if s := similar(name, names); s != "" {
			v.reject(path, "%q is no attribute of a profile: did you mean %q?", clip(name), s)
			continue
		}
		v.reject(path, "%q is no attribute of a profile, and others are not pushed: write one of %s", clip(name), strings.Join(names, ", "))
	}
}

// client fills in the defaults of a push and checks it.
func (v *validator) client(p *Push, path string) *Client {
	v.word(join(path, "profile"), p.Profile, "scim.profile")
	v.networks(join(path, "networks"), p.Networks)
	if p.Profile == "" {
		p.Profile = profiles[0]
	}
	v.number(join(path, "rate"), &p.Rate, 50, 10_000)
	v.number(join(path, "concurrency"), &p.Concurrency, 16, 1_000)
	v.kept(join(path, "log.keep"), &p.Log.Keep)
	lifetime := join(path, "oauth.token_lifetime")
	v.period(lifetime, &p.OAuth.TokenLifetime, 10*connector.Duration(time.Minute))
	if d := time.Duration(p.OAuth.TokenLifetime); d < time.Minute || d > time.Hour {
		v.reject(lifetime, "%s is out of range: write 1m to 1h, such as 10m", p.OAuth.TokenLifetime)
	}
	p.OAuth.KeysFile = v.absolute(p.OAuth.KeysFile)
	return &Client{
		Profile: p.Profile, Networks: networks(p.Networks), Rate: p.Rate, Burst: 4 * p.Rate, Concurrency: p.Concurrency,
		KeepLog: time.Duration(p.Log.Keep), LogBodies: p.Log.Bodies,
		KeysFile: p.OAuth.KeysFile, TokenLifetime: time.Duration(p.OAuth.TokenLifetime),
	}
}

// number fills in a default and keeps a number within bounds.
func (v *validator) number(path string, n *int, usual, most int) {
	if !v.given(path) {
		*n = usual
		return
	}
	if *n < 1 || *n > most {
		v.reject(path, "%d is out of range: write 1 to %d, such as %d", *n, most, usual)
	}
}

// pushed is the fingerprint of a source that pushes: another one means that what it has sent is decided anew.
func pushed(s *Source, m *mapping.Mapping) connector.Hash {
	f := m.Fingerprint()
	sum := sha256.Sum256([]byte("scim\x00" + string(f[:]) + "\x00" + s.Package))
	return connector.Hash(sum[:16])
}
