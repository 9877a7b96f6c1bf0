package ldapsync

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"usherd/connector"
)

// rootDSE is what a server says of itself (RFC 4512 section 5.1). The zero value says nothing.
type rootDSE struct {
	read     bool
	contexts []string        // naming contexts
	controls map[string]bool // supported
	vendor   string
	service  string // dsServiceName of a domain controller
	slapd    bool   // OpenLDAP, which tells no vendor
	syncing  bool   // a domain controller that has not finished its first replication
	usn      uint64 // highestCommittedUSN of a domain controller; 0 = it does not tell
	clock    string // currentTime of a domain controller
}

var rootAttributes = []string{
	"namingContexts", "supportedControl", "vendorName", "vendorVersion", "dsServiceName", "isSynchronized", "structuralObjectClass",
	"highestCommittedUSN", "currentTime",
}

// readRoot reads the root DSE. Some servers hide it, which is no fault.
func readRoot(ctx context.Context, c searcher) (rootDSE, error) {
	d := rootDSE{controls: map[string]bool{}}
	found, err := one(ctx, c, searchRequest{Filter: anyObject, Attributes: rootAttributes}, func(e *entry) error {
		for i := range e.Attributes {
			if a := &e.Attributes[i]; a.Index >= 0 {
				d.take(rootAttributes[a.Index], a.Values)
			}
		}
		return nil
	})
	if _, answered := resultCode(err); answered {
		return rootDSE{}, nil // it only does not show its root DSE
	}
	d.read = found
	return d, err
}

func (d *rootDSE) take(name string, values [][]byte) {
	for _, v := range values {
		switch s := string(v); name {
		case "namingContexts":
			d.contexts = append(d.contexts, s)
		case "supportedControl":
			d.controls[s] = true
		case "vendorName", "vendorVersion":
			d.vendor = strings.TrimSpace(d.vendor + " " + s)
		case "dsServiceName":
			d.service = s
		case "structuralObjectClass":
			d.slapd = strings.EqualFold(s, "OpenLDAProotDSE")
		case "isSynchronized":
			d.syncing = strings.EqualFold(s, "FALSE")
		case "highestCommittedUSN":
			d.usn, _ = strconv.ParseUint(s, 10, 64)
		case "currentTime":
			d.clock = s
		}
	}
}

func (d *rootDSE) describe() string {
	var parts []string
	if d.vendor != "" {
		parts = append(parts, d.vendor)
	}
	if d.service != "" {
		parts = append(parts, d.service)
	}
	if len(d.contexts) > 0 {
		parts = append(parts, "holds "+strings.Join(d.contexts, "; "))
	}
	switch {
	case !d.read:
		parts = append(parts, "not readable")
	case !d.pages():
		parts = append(parts, "does not announce paged results")
	}
	return strings.Join(parts, "; ")
}

// kind is what the server says it is, "" = it does not tell.
func (d *rootDSE) kind() Type {
	switch {
	case d.service != "":
		return ActiveDirectory
	case d.slapd:
		return OpenLDAP
	case strings.Contains(d.vendor, "389"):
		return DS389
	}
	return ""
}

// misfit says that the type of the configuration is not what the server says it is; "" = nothing is against
// it. It is no error by itself: an OpenLDAP may stand before an Active Directory as a proxy.
func (d *rootDSE) misfit(configured Type) string {
	kind := d.kind()
	if kind == "" || configured == LDAP || kind == configured {
		return ""
	}
	return fmt.Sprintf("type: %s does not fit: the server says that it is %s, for which one writes type: %s", configured, kindNames[kind], kind)
}

var kindNames = map[Type]string{ActiveDirectory: "an Active Directory", OpenLDAP: "an OpenLDAP", DS389: "a 389 Directory Server"}

// pages reports whether the server can page; one that hides its root DSE gets the benefit of the doubt,
// since an answer without the control is found out anyway.
func (d *rootDSE) pages() bool { return len(d.controls) == 0 || d.controls[ldap.ControlTypePaging] }

// above returns the naming contexts in which the DNs stand, each once; a DN that is in none of them
// stands for itself.
func (d *rootDSE) above(dns []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, dn := range dns {
		root, folded, best := dn, "", -1
		at, err := foldDN(dn)
		if err != nil {
			continue
		}
		for _, c := range d.contexts {
			if f, err := foldDN(c); err == nil && f != "" && isBelow(at, f) && len(f) > best {
				root, folded, best = c, f, len(f)
			}
		}
		if best < 0 {
			folded = at
		}
		if !seen[folded] {
			seen[folded] = true
			out = append(out, root)
		}
	}
	return out
}

// checkRoot refuses a server that says itself that it does not have everything yet.
func checkRoot(d *rootDSE, server string) error {
	if !d.syncing {
		return nil
	}
	return &connector.Error{
		Kind: connector.Unavailable, Op: "ldapsync: root DSE of " + server,
		Err:  errors.New("this domain controller has not finished replicating (isSynchronized is FALSE)"),
		Hint: "wait until it has, or name another one",
	}
}

// checkBase makes sure that a base exists and can be read. A server that hides it from the account must
// not look like an empty directory.
func checkBase(ctx context.Context, c searcher, base string) error {
	op := fmt.Sprintf("ldapsync: base %q", base)
	found, err := one(ctx, c, searchRequest{Base: base, Filter: anyObject, Attributes: []string{noAttributes}}, discard)
	switch {
	case missing(err), err == nil && !found:
		return &connector.Error{
			Kind: connector.Refused, Op: op,
			Err:  errors.New("it does not exist, or the service account may not see it"),
			Hint: "correct bases, or give the service account the right to read there",
		}
	case err != nil:
		return &connector.Error{Kind: connector.KindOf(err), Op: op, Err: err, Hint: connector.HintOf(err)}
	}
	return nil
}

// checkCanary says why a canary was not found by the filter in use; "" = it was.
func checkCanary(ctx context.Context, c searcher, dn, filter string) (string, error) {
	found, err := one(ctx, c, searchRequest{Base: dn, Filter: filter, Attributes: []string{noAttributes}}, discard)
	switch {
	case missing(err):
		return fmt.Sprintf("the canary %s does not exist, or the service account may not see it", dn), nil
	case err != nil:
		return "", &connector.Error{
			Kind: connector.KindOf(err), Op: fmt.Sprintf("ldapsync: canary %q", dn), Err: err, Hint: connector.HintOf(err),
		}
	case !found:
		return fmt.Sprintf("the canary %s is not found by the filter %s", dn, filter), nil
	}
	return "", nil
}

func discard(*entry) error { return nil }
