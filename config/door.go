package config

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// Door is where a door of HTTP is, and how it is reached.
type Door struct {
	// Listen is host:port where the door is served. Left out, it is 127.0.0.1:9473 for api and 127.0.0.1:9474 for portal.
	Listen string `yaml:"listen,omitempty"`
	// URL is the address of the door as those know it who use it. What is written into answers and mails begins with
	// it; what a request says of the host is never believed.
	URL string `yaml:"url"`
	// TLS is the certificate of the door. Without one it speaks plain HTTP: on a loopback address, or with
	// behind_proxy.
	TLS ServerTLS `yaml:"tls,omitempty"`
	// BehindProxy says that a proxy before the door ends TLS, and that nobody else can reach it; default false.
	BehindProxy bool `yaml:"behind_proxy,omitempty"`
	// TrustedProxies are networks or addresses of proxies whose X-Forwarded-For is believed.
	TrustedProxies []string `yaml:"trusted_proxies,omitempty"`
}

// TrustedNetworks are the networks of TrustedProxies.
func (d *Door) TrustedNetworks() []netip.Prefix { return networks(d.TrustedProxies) }

// doorCheck is what is asked of every door: where its keys are, and the words for what is wrong with them.
type doorCheck struct {
	key         string // of the block
	listen, url *string
	tls         *ServerTLS
	proxies     []string
	behindProxy bool

	usual   string // listen where it is left out
	served  string // of the address, when another door wants it: "SCIM is"
	users   string // who reaches the door
	example string // of url
	read    string // by everybody between, without TLS: "reads the tokens"
	clear   string // crosses the network in the clear
	path    string // that we add to url: "/scim/"
	added   string // the same as it is told
}

// doors checks all doors that there are; no two may have one address.
func (v *validator) doors() {
	c := v.config
	taken := map[string]string{c.Listen: "health and metrics are"}
	if s := c.SCIM; s != nil {
		v.door(taken, &doorCheck{
			key: "scim", listen: &s.Listen, url: &s.URL, tls: &s.TLS, proxies: s.TrustedProxies, behindProxy: s.BehindProxy,
			usual: "127.0.0.1:9471", served: "SCIM is", users: "identity providers", example: "https://scim.example.com",
			read: "reads the tokens", clear: "tokens", path: "/scim/", added: "/scim/ORGANIZATION/v2",
		})
	}
	if s := c.SSO; s != nil {
		v.door(taken, &doorCheck{
			key: "sso", listen: &s.Listen, url: &s.URL, tls: &s.TLS, proxies: s.TrustedProxies, behindProxy: s.BehindProxy,
			usual: "127.0.0.1:9472", served: "SSO is", users: "browsers", example: "https://sso.example.com",
			read: "reads the sign-ins", clear: "what people sign in with", path: "/saml/", added: "/saml/ORGANIZATION/SOURCE",
		})
		v.samlKeys(s)
	}
	if d := c.API; d != nil {
		v.door(taken, d.check(doorCheck{
			key: "api", usual: "127.0.0.1:9473", served: "the API is", users: "programs", example: "https://api.example.com",
			read: "reads the tokens", clear: "tokens", path: "/api/", added: "/api/v1",
		}))
	}
	if d := c.Portal; d != nil {
		v.door(taken, d.check(doorCheck{
			key: "portal", usual: "127.0.0.1:9474", served: "the portal is", users: "browsers", example: "https://account.example.com",
			read: "reads the links by which people prove who they are", clear: "links by which people prove who they are",
		}))
	}
	if c := c.Console; c != nil {
		v.door(taken, &doorCheck{
			key: "console", listen: &c.Listen, url: &c.URL, tls: &c.TLS, proxies: c.TrustedProxies, behindProxy: c.BehindProxy,
			usual: "127.0.0.1:9475", served: "the console is", users: "browsers", example: "https://usherd.example.com",
			read: "reads the passwords of administrators", clear: "passwords of administrators",
		})
	}
}

// check fills in where the keys of a door are.
func (d *Door) check(c doorCheck) *doorCheck {
	c.listen, c.url, c.tls, c.proxies, c.behindProxy = &d.Listen, &d.URL, &d.TLS, d.TrustedProxies, d.BehindProxy
	return &c
}

// door checks one door; taken are the addresses of others, with what is served there.
func (v *validator) door(taken map[string]string, c *doorCheck) {
	if *c.listen == "" {
		*c.listen = c.usual
	}
	at := join(c.key, "listen")
	v.address(at, *c.listen, c.usual)
	if _, port, _ := net.SplitHostPort(*c.listen); port != "0" {
		if who := taken[*c.listen]; who != "" {
			v.reject(at, "%s served at %s already: choose another port", who, *c.listen)
		}
		taken[*c.listen] = c.served
	}
	v.doorURL(c)
	c.tls.CertFile, c.tls.KeyFile = v.absolute(c.tls.CertFile), v.absolute(c.tls.KeyFile)
	v.pair(join(c.key, "tls"), *c.tls)
	if c.tls.CertFile == "" && c.tls.KeyFile == "" && !c.behindProxy && !loopback(*c.listen) {
		v.reject(at, "%s can be reached from other machines, and without tls everybody between %s: add tls, listen on 127.0.0.1, or write behind_proxy: true where a proxy ends TLS", clip(*c.listen), c.read)
	}
	v.networks(join(c.key, "trusted_proxies"), c.proxies)
}

// doorURL checks the address that is written into answers, and takes the slash from its end. It is not quoted where it
// may hold a password.
func (v *validator) doorURL(c *doorCheck) {
	at := join(c.key, "url")
	u, err := url.Parse(*c.url)
	switch {
	case *c.url == "":
		v.reject(at, "the public address is missing: write the one under which %s reach usherd, as in %s", c.users, c.example)
		return
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		v.reject(at, "this is no address of a door: write it as in %s", c.example)
	case u.Scheme == "http" && !loopback(net.JoinHostPort(u.Hostname(), "0")):
		v.reject(at, "%s would cross the network in the clear: write https://%s", c.clear, clip(u.Host))
	case c.path != "" && strings.Contains(u.Path+"/", c.path):
		v.reject(at, "usherd adds %s by itself: write the address without it", c.added)
	}
	*c.url = strings.TrimRight(*c.url, "/")
}
