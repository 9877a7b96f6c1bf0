package ldapsync

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"runtime"
	"strconv"
	"strings"

	"usherd/connector"
)

// target is one server to try.
type target struct {
	url     string // as in the configuration, or made from a DNS answer
	tls     bool   // TLS from the first byte
	network string // "tcp" or "unix"
	address string // host:port or the path of the socket
	host    string // for the certificate and the Kerberos principal
}

// maxTargets bounds how many servers one dial tries; a domain may have hundreds of controllers.
const maxTargets = 16

// targets lists the servers to try, in order.
func (o *dialOptions) targets(ctx context.Context) ([]target, error) {
	if len(o.Config.Servers) == 0 && o.Config.Domain != "" {
		return o.discover(ctx)
	}
	if len(o.Config.Servers) == 0 {
		return nil, invalid("ldapsync: connect", "no servers", "set servers, or domain for an Active Directory")
	}
	list := make([]target, 0, len(o.Config.Servers))
	for _, s := range o.Config.Servers {
		t, err := parseServer(s)
		if err != nil {
			return nil, err
		}
		list = append(list, t)
	}
	return list, nil
}

// parseServer reads ldaps://host[:636], ldap://host[:389] and ldapi://%2Fpath.
func parseServer(s string) (target, error) {
	const hint = "write ldaps://host[:636], ldap://host[:389] or ldapi://%2Frun%2Fldapi"
	scheme, rest, ok := strings.Cut(s, "://")
	bad := func(why string) (target, error) {
		return target{}, invalid("ldapsync: server "+strconv.Quote(s), why, hint)
	}
	if !ok {
		return bad("no scheme")
	}
	if strings.EqualFold(scheme, "ldapi") {
		path, err := url.PathUnescape(strings.TrimSuffix(rest, "/"))
		if err != nil || path == "" {
			return bad("no path of a Unix socket")
		}
		if runtime.GOOS == "windows" {
			return target{}, invalid("ldapsync: server "+strconv.Quote(s), "ldapi:// does not exist on Windows", "use ldaps://")
		}
		return target{url: s, network: "unix", address: path}, nil
	}
	u, err := url.Parse(s)
	if err != nil {
		return bad("not an address")
	}
	t := target{url: s, network: "tcp", host: u.Hostname()}
	port := u.Port()
	switch u.Scheme {
	case "ldaps":
		t.tls = true
		port = orText(port, "636")
	case "ldap":
		port = orText(port, "389")
	default:
		return bad("an unknown scheme")
	}
	switch {
	case t.host == "":
		return bad("no host")
	case u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return bad("more than a host and a port")
	}
	t.address = net.JoinHostPort(t.host, port)
	return t, nil
}

// discover asks DNS for the domain controllers: those of the site first, then all (RFC 2782 order
// within each). Active Directory announces port 389; over TLS that means 636 unless StartTLS is on.
func (o *dialOptions) discover(ctx context.Context) ([]target, error) {
	domain := strings.Trim(o.Config.Domain, ".")
	names := []string{"_ldap._tcp.dc._msdcs." + domain}
	if o.Config.Site != "" {
		names = append([]string{"_ldap._tcp." + o.Config.Site + "._sites.dc._msdcs." + domain}, names...)
	}
	var list []target
	err := o.step("resolve", domain, func() (string, error) {
		ctx, cancel := context.WithTimeout(ctx, o.connectTimeout())
		defer cancel()
		var faults []error
		for _, name := range names {
			_, records, err := o.Resolver.LookupSRV(ctx, "", "", name)
			if err != nil {
				faults = append(faults, err)
			}
			list = o.add(list, records)
		}
		if len(list) > 0 {
			return "domain controllers: " + joinURLs(list), nil
		}
		return "", &connector.Error{
			Kind: connector.Unavailable, Op: "ldapsync: find the domain controllers of " + domain,
			Err: errors.Join(append(faults, errors.New("no domain controller in DNS"))...),
			Hint: "check domain, and that this machine's DNS knows the Active Directory: SRV " +
				names[len(names)-1] + "; or set servers",
		}
	})
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return list, err
}

// add appends the servers of a DNS answer that are not in list yet.
func (o *dialOptions) add(list []target, records []*net.SRV) []target {
	for _, r := range records {
		host := strings.TrimSuffix(r.Target, ".")
		if host == "" { // "." says that there is no such service
			continue
		}
		t := target{network: "tcp", host: host}
		scheme, port := "ldap", int(r.Port)
		if !o.Config.TLS.StartTLS {
			t.tls, scheme = true, "ldaps"
			if port == 389 {
				port = 636
			}
		}
		t.address = net.JoinHostPort(host, strconv.Itoa(port))
		t.url = scheme + "://" + t.address
		known := false
		for _, l := range list {
			known = known || strings.EqualFold(l.url, t.url)
		}
		if !known && len(list) < maxTargets {
			list = append(list, t)
		}
	}
	return list
}

func joinURLs(list []target) string {
	urls := make([]string, len(list))
	for i, t := range list {
		urls[i] = t.url
	}
	return strings.Join(urls, ", ")
}

func orText(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func invalid(op, why, hint string) error {
	return &connector.Error{Kind: connector.Invalid, Op: op, Err: errors.New(why), Hint: hint}
}

// resolve looks the host up, so that a name that DNS does not know is told apart from a server that is
// down.
func (o *dialOptions) resolve(ctx context.Context, t target) error {
	if t.network != "tcp" || o.Dial != nil {
		return nil
	}
	return o.step("resolve", t.url, func() (string, error) {
		ips, err := o.Resolver.LookupNetIP(ctx, "ip", t.host)
		if err != nil {
			return "", &connector.Error{
				Kind: connector.Unavailable, Op: "ldapsync: resolve " + t.url, Err: err,
				Hint: fmt.Sprintf("check that %s is the server's name and that this machine's DNS knows it", t.host),
			}
		}
		text := make([]string, len(ips))
		for i, ip := range ips {
			text[i] = ip.Unmap().String()
		}
		return strings.Join(text, ", "), nil
	})
}
