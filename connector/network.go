package connector

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// ParseNetwork reads a network as 192.0.2.0/24 or 2001:db8::/32, or one address.
func ParseNetwork(s string) (netip.Prefix, error) {
	s = strings.TrimSpace(s)
	p, err := netip.ParsePrefix(s)
	if err != nil {
		address, wrong := netip.ParseAddr(s)
		if wrong != nil || address.Zone() != "" {
			return netip.Prefix{}, errors.New("this is no network: write it as in 192.0.2.0/24 or 2001:db8::/32, or one address")
		}
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	if p.Addr().Is4In6() {
		return netip.Prefix{}, errors.New("this is an IPv4 network in IPv6 form: write it as in 192.0.2.0/24")
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("the network begins with %s: write %s, or /%d for one address", p.Masked().Addr(), p.Masked(), p.Addr().BitLen())
	}
	return p, nil
}
