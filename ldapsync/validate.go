package ldapsync

import (
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"usherd/connector"
)

// Validate returns every fault of the block, in the order of its keys. It reads no files and asks no
// server: Source.Check does that.
func (c *Config) Validate() []connector.Fault {
	v := &validator{c: c}
	v.servers()
	v.tls()
	v.bind()
	v.places()
	v.people()
	v.limits()
	return v.faults
}

type validator struct {
	c      *Config
	faults []connector.Fault
}

func (v *validator) fault(path, format string, args ...any) {
	v.faults = append(v.faults, connector.Fault{Path: path, Message: fmt.Sprintf(format, args...)})
}

func at(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

func (v *validator) servers() {
	c := v.c
	switch c.Type {
	case ActiveDirectory, OpenLDAP, DS389, LDAP:
	case "":
		v.fault("type", "say which directory this is: active_directory, openldap, 389ds or ldap")
	default:
		v.fault("type", "%q is not known: write active_directory, openldap, 389ds or ldap", c.Type)
	}
	switch {
	case len(c.Servers) == 0 && c.Domain == "" && c.Type == ActiveDirectory:
		v.fault("servers", "name at least one server, such as ldaps://dc1.example.com, or set domain to find them by DNS")
	case len(c.Servers) == 0 && c.Domain == "":
		v.fault("servers", "name at least one server, such as ldaps://ldap.example.com")
	case len(c.Servers) > 0 && c.Domain != "":
		v.fault("domain", "either servers or domain, not both: remove one")
	case c.Domain != "" && c.Type != ActiveDirectory:
		v.fault("domain", "only an Active Directory is found by DNS: name servers instead")
	}
	if d := c.Domain; d != "" && (strings.ContainsAny(d, "/:@ _*") || !strings.Contains(strings.Trim(d, "."), ".")) {
		v.fault("domain", "%q is not the DNS name of a domain: write it as in corp.example.com", d)
	}
	if c.Site != "" && c.Domain == "" {
		v.fault("site", "an Active Directory site only orders the servers of a domain: set domain, or remove it")
	}
	for i, s := range c.Servers {
		v.server(at("servers", i), s)
	}
}

func (v *validator) server(path, s string) {
	t, err := parseServer(s)
	if err != nil {
		v.fault(path, "%q is no server: write ldaps://host[:636], ldap://host[:389] or ldapi://%%2Frun%%2Fldapi", s)
		return
	}
	ip := net.ParseIP(t.host)
	loopback := t.host == "localhost" || ip != nil && ip.IsLoopback()
	switch {
	case t.network == "unix":
	case t.tls && v.c.TLS.StartTLS:
		v.fault(path, "StartTLS is for ldap://; ldaps:// has TLS already: write ldap://, or remove tls.start_tls")
	case !t.tls && !v.c.TLS.StartTLS && v.c.TLS.InsecureCleartextForTests && !loopback:
		v.fault(path, "tls.insecure_cleartext_for_tests is for addresses such as 127.0.0.1 only: write ldaps://, or set tls.start_tls: true")
	case !t.tls && !v.c.TLS.StartTLS && !v.c.TLS.InsecureCleartextForTests:
		v.fault(path, "the password and everybody's data would go over the network in clear: write ldaps://, or set tls.start_tls: true")
	}
	if v.c.Bind.Method == BindKerberos && (ip != nil || t.network == "unix") {
		v.fault(path, "Kerberos knows servers by name: write the name of the server, as in ldaps://dc1.example.com")
	}
}

func (v *validator) tls() {
	t := v.c.TLS
	switch {
	case t.CertFile != "" && t.KeyFile == "":
		v.fault("tls.key_file", "tls.cert_file needs its key: name the file (PEM)")
	case t.KeyFile != "" && t.CertFile == "":
		v.fault("tls.cert_file", "tls.key_file needs its certificate: name the file (PEM)")
	}
	if strings.ContainsAny(t.ServerName, "/: ") {
		v.fault("tls.server_name", "%q is not a host name: write the name in the server's certificate, as in dc1.example.com", t.ServerName)
	}
}

func (v *validator) bind() {
	b := v.c.Bind
	switch b.Method {
	case "", BindSimple:
		if b.User == "" {
			v.fault("bind.user", "name the service account: its UPN (usherd@example.com), DOMAIN\\user or DN")
		}
		if b.Password.IsZero() {
			v.fault("bind.password", "give the service account's password: with an empty one the server lets anybody in and shows nothing")
		}
	case BindExternal:
		v.external()
	case BindKerberos:
		if b.User == "" {
			v.fault("bind.user", "name the service account's principal, as in usherd@EXAMPLE.COM")
		}
		switch {
		case b.Password.IsZero() && b.Keytab == "":
			v.fault("bind.keytab", "give a keytab, or bind.password")
		case !b.Password.IsZero() && b.Keytab != "":
			v.fault("bind.keytab", "either a keytab or bind.password, not both: remove one")
		}
	default:
		v.fault("bind.method", "%q is not known: write simple, external or kerberos", b.Method)
	}
	if b.Method != BindKerberos {
		for _, key := range []struct{ path, value string }{
			{"bind.keytab", b.Keytab}, {"bind.realm", b.Realm}, {"bind.krb5_conf", b.Krb5Conf},
		} {
			if key.value != "" {
				v.fault(key.path, "this is for bind.method: kerberos only: remove it, or set the method")
			}
		}
	}
}

// external needs something to be known by: a certificate, or the Unix user on a Unix socket.
func (v *validator) external() {
	if !v.c.Bind.Password.IsZero() {
		v.fault("bind.password", "bind.method: external takes no password: remove it")
	}
	if v.c.TLS.CertFile != "" {
		return
	}
	for _, s := range v.c.Servers {
		if t, err := parseServer(s); err == nil && t.network == "unix" {
			continue
		}
		v.fault("tls.cert_file", "bind.method: external over the network needs a client certificate: name its file, and tls.key_file")
		return
	}
}

// places checks the DNs.
func (v *validator) places() {
	c := v.c
	if len(c.Bases) == 0 {
		v.fault("bases", "name where people stand, as in OU=People,DC=example,DC=com")
	}
	bases := v.dns("bases", c.Bases)
	v.apart("bases", c.Bases, bases)
	include := v.dns("include_ous", c.IncludeOUs)
	exclude := v.dns("exclude_ous", c.ExcludeOUs)
	v.belowBases("include_ous", include, bases)
	v.belowBases("exclude_ous", exclude, bases)
	for i, dn := range exclude {
		if dn != "" && contains(include, dn) {
			v.fault(at("exclude_ous", i), "it is in include_ous too: remove it from one of them")
		}
	}
	v.dns("groups", c.Groups)
	v.groupBases()
	v.canaries(v.dns("canaries", c.Canaries))
}

// apart checks that no base stands below another one; the second list is the first in comparable form.
func (v *validator) apart(path string, list, bases []string) {
	for i, b := range bases {
		for j, other := range bases {
			if b != "" && other != "" && i != j && isBelow(b, other) && (b != other || i > j) {
				v.fault(at(path, i), "it stands below %s, which is read whole: remove one of them", list[j])
				break
			}
		}
	}
}

// dns checks each and returns their comparable forms, "" for a bad one.
func (v *validator) dns(path string, list []string) []string {
	out := make([]string, len(list))
	for i, dn := range list {
		folded, err := foldDN(dn)
		switch {
		case err != nil:
			v.fault(at(path, i), "%q is not a DN (%v): write it as in OU=People,DC=example,DC=com, a comma within a name as \\,", dn, err)
		case folded == "":
			v.fault(at(path, i), "an empty DN: write it as in OU=People,DC=example,DC=com")
		default:
			out[i] = folded
		}
	}
	return out
}

func (v *validator) belowBases(path string, list, bases []string) {
	for i, dn := range list {
		found := dn == "" || len(bases) == 0
		for _, b := range bases {
			found = found || b != "" && isBelow(dn, b) || b == ""
		}
		if !found {
			v.fault(at(path, i), "it stands below none of the bases: correct it, or add a base")
		}
	}
}

// groupBases checks where groups are synced from. The groups themselves stand anywhere, also where people do.
func (v *validator) groupBases() {
	c := v.c
	bases := v.dns("group_bases", c.GroupBases)
	v.apart("group_bases", c.GroupBases, bases)
	if len(bases) > 0 && c.Type == LDAP && c.Anchor != "" && !c.groupAnchorForm().everybody() {
		v.fault("group_bases", "groups are known by the anchor too, and %s is one of people only: set anchor to what every entry has, such as entryUUID", c.Anchor)
	}
	if c.GroupFilter == "" {
		return
	}
	if _, err := ldap.CompileFilter(c.GroupFilter); err != nil {
		v.fault("group_filter", "not an LDAP filter (%v): write it with brackets, as in (objectClass=groupOfNames)", plainError(err))
	}
}

// canaries must be in scope by their DN, or no read could ever count.
func (v *validator) canaries(folded []string) {
	s, err := newScope(v.c)
	if err != nil { // told already
		return
	}
	for i, dn := range folded {
		if dn == "" {
			continue
		}
		if why := s.outside([]byte(dn)); why != "" {
			v.fault(at("canaries", i), "%s: a canary is somebody whom every read finds", why)
		}
	}
}

// people checks what picks and recognises entries.
func (v *validator) people() {
	c := v.c
	if c.Filter != "" {
		if _, err := ldap.CompileFilter(c.Filter); err != nil {
			v.fault("filter", "not an LDAP filter (%v): write it with brackets, as in (&(objectClass=person)(mail=*))", plainError(err))
		}
	}
	switch {
	case c.Anchor == "" && c.Type == LDAP:
		v.fault("anchor", "name the attribute that identifies a person for ever, such as entryUUID; this type of directory has no default")
	case c.Anchor != "" && !attributeName(c.Anchor):
		v.fault("anchor", "%q is not the name of an attribute: write one such as objectGUID or entryUUID", c.Anchor)
	case strings.EqualFold(c.Anchor, "dn") || strings.EqualFold(c.Anchor, "distinguishedName"):
		v.fault("anchor", "a DN changes when somebody marries or moves: write an attribute that never changes, such as objectGUID or entryUUID")
	}
	if c.Disabled != nil && !attributeName(c.Disabled.Attribute) {
		v.fault("disabled.attribute", "name the attribute that marks a disabled account, such as employeeType")
	}
}

// plainError leaves out go-ldap's prefix with its own result codes.
func plainError(err error) string {
	text := err.Error()
	if _, rest, ok := strings.Cut(text, `": `); ok {
		text = rest
	}
	return strings.TrimPrefix(text, "ldap: ")
}

func attributeName(s string) bool {
	for i := range len(s) {
		if !typeByte(s[i]) {
			return false
		}
	}
	return s != ""
}

func (v *validator) limits() {
	c := v.c
	if c.PageSize < 0 || c.PageSize > maxPageSize {
		v.fault("page_size", "%d is out of range: write 1 to %d, or leave it out for %d", c.PageSize, maxPageSize, defaultPageSize)
	}
	v.changes()
	v.duration("connect_timeout", c.ConnectTimeout, "10s")
	v.duration("read_timeout", c.ReadTimeout, "60s")
}

// changes checks that the type of directory can have the mechanism.
func (v *validator) changes() {
	ad := v.c.Type == ActiveDirectory
	switch by := v.c.Changes; by {
	case "", Auto, ByTimestamp, NoChanges:
	case ByDirSync, ByUSN:
		if !ad {
			v.fault("changes", "only an Active Directory has %s: write auto", by)
		}
	case BySyncrepl:
		if ad {
			v.fault("changes", "an Active Directory has no syncrepl: write auto")
		}
	default:
		v.fault("changes", "%q is not known: write auto, dirsync, usn, syncrepl, timestamp or off", by)
	}
}

func (v *validator) duration(path string, d connector.Duration, usual string) {
	if d < 0 || time.Duration(d) > time.Hour {
		v.fault(path, "%s is out of range: write up to 1h, such as %s", d, usual)
	}
}
