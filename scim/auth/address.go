package auth

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// clientAddress returns where a request comes from: who is connected, or, through proxies that are trusted, whom they
// name in X-Forwarded-For. That is read from the right, since each proxy adds at the end whom it has heard: what stands
// further left than the last trusted one may be invented. An address that cannot be read is none, which is in no
// network.
func clientAddress(r *http.Request, trusted []netip.Prefix) netip.Addr {
	at := parseAddress(r.RemoteAddr)
	for _, line := range slices.Backward(r.Header["X-Forwarded-For"]) {
		for more := true; more; {
			if !within(at, trusted) {
				return at
			}
			comma := strings.LastIndexByte(line, ',')
			at = parseAddress(line[comma+1:])
			line, more = line[:max(comma, 0)], comma >= 0
		}
	}
	return at
}

// parseAddress reads an address with or without a port; some gateways add one.
func parseAddress(s string) netip.Addr {
	s = strings.TrimSpace(s)
	if a, err := netip.ParseAddrPort(s); err == nil {
		return a.Addr().Unmap().WithZone("")
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

// within reports whether the address is in one of the networks; none is in none.
func within(a netip.Addr, networks []netip.Prefix) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(a) })
}
