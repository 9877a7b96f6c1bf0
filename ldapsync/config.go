package ldapsync

import "usherd/connector"

// Type says what kind of directory a source is; it chooses defaults and how state is read.
type Type string

// The kinds of directories.
const (
	ActiveDirectory Type = "active_directory" // also Samba AD
	OpenLDAP        Type = "openldap"
	DS389           Type = "389ds" // also FreeIPA, Red Hat Directory Server
	LDAP            Type = "ldap"  // any other; says nothing by itself of anchors and disabled accounts
)

// Config is the `directory:` block of a source.
type Config struct {
	// Type is the kind of directory; it chooses defaults and how state is read.
	Type Type `yaml:"type"`

	// Servers are the addresses, tried in order: ldaps://host[:636], ldap://host[:389], ldapi://%2Frun%2Fldapi.
	Servers []string `yaml:"servers,omitempty"`
	// Domain finds the domain controllers of an Active Directory by DNS SRV, instead of Servers.
	Domain string `yaml:"domain,omitempty"`
	// Site prefers the domain controllers of that Active Directory site.
	Site string `yaml:"site,omitempty"`

	// TLS says how to trust the server.
	TLS TLS `yaml:"tls,omitempty"`
	// Bind is the service account.
	Bind Bind `yaml:"bind"`

	// Bases are the DNs below which people stand.
	Bases []string `yaml:"bases"`
	// Filter picks the entries of people (RFC 4515); keep it wider than the scope. Default by Type:
	// (sAMAccountType=805306368), else (objectClass=inetOrgPerson).
	Filter string `yaml:"filter,omitempty"`
	// IncludeOUs are DNs below the bases. An entry is in scope when the nearest of IncludeOUs and
	// ExcludeOUs above it is an included one, or there are only excluded ones and none is above it.
	IncludeOUs []string `yaml:"include_ous,omitempty"`
	// ExcludeOUs are DNs below the bases whose people are left out; see IncludeOUs.
	ExcludeOUs []string `yaml:"exclude_ous,omitempty"`
	// Groups limits the scope to the members of any of these groups (DNs), nested ones included.
	Groups []string `yaml:"groups,omitempty"`

	// GroupBases are the DNs below which groups are synced, with their members; default none.
	GroupBases []string `yaml:"group_bases,omitempty"`
	// GroupFilter picks the entries of groups (RFC 4515). Default by Type: (objectCategory=group), else those of
	// groupOfNames, groupOfUniqueNames, groupOfMembers, groupOfEntries and group.
	GroupFilter string `yaml:"group_filter,omitempty"`

	// Anchor is the attribute with the unchanging key; default by Type: objectGUID, entryUUID,
	// nsUniqueId.
	Anchor string `yaml:"anchor,omitempty"`
	// Disabled says how an LDAP directory marks a disabled account; Active Directory and 389-ds need
	// none.
	Disabled *Disabled `yaml:"disabled,omitempty"`
	// Canaries are DNs that every read must find, else it counts as incomplete.
	Canaries []string `yaml:"canaries,omitempty"`

	// Changes names how the directory tells what has changed between full reads; default auto, the best that
	// the server announces.
	Changes ChangesBy `yaml:"changes,omitempty"`

	// PageSize is how many entries are asked for at a time; default 1000.
	PageSize int `yaml:"page_size,omitempty"`
	// ConnectTimeout is for resolving, TCP, TLS and bind of one server; default 10s.
	ConnectTimeout connector.Duration `yaml:"connect_timeout,omitempty"`
	// ReadTimeout is how long the server may be silent in the middle of an answer; default 60s.
	ReadTimeout connector.Duration `yaml:"read_timeout,omitempty"`
}

// TLS says how to trust the server and how to show who we are.
type TLS struct {
	// StartTLS encrypts connections to ldap:// servers; default false.
	StartTLS bool `yaml:"start_tls,omitempty"`
	// CAFile holds the certificates (PEM) that are trusted; default the machine's store.
	CAFile string `yaml:"ca_file,omitempty"`
	// ServerName is the name that the server's certificate must have; default the host of the server.
	ServerName string `yaml:"server_name,omitempty"`
	// CertFile is the client certificate (PEM), for bind method external.
	CertFile string `yaml:"cert_file,omitempty"`
	// KeyFile is the key of CertFile (PEM).
	KeyFile string `yaml:"key_file,omitempty"`
	// InsecureCleartextForTests allows ldap:// without StartTLS to a loopback address; default false.
	InsecureCleartextForTests bool `yaml:"insecure_cleartext_for_tests,omitempty"`
}

// BindMethod is how the service account proves who it is.
type BindMethod string

// The methods. Simple needs TLS; External takes the client certificate or, over ldapi, the Unix user.
const (
	BindSimple   BindMethod = "simple"
	BindExternal BindMethod = "external"
	BindKerberos BindMethod = "kerberos"
)

// Bind is the service account.
type Bind struct {
	// Method is how the service account proves who it is; default simple.
	Method BindMethod `yaml:"method,omitempty"`
	// User is the account: its UPN, DOMAIN\user or DN; the principal for kerberos.
	User string `yaml:"user,omitempty"`
	// Password is that of the account.
	Password connector.Secret `yaml:"password,omitempty"`
	// Keytab is a file with the account's keys, for kerberos instead of Password.
	Keytab string `yaml:"keytab,omitempty"`
	// Realm is that of the principal; default what follows the @ of User, in capitals.
	Realm string `yaml:"realm,omitempty"`
	// Krb5Conf is the Kerberos configuration; default /etc/krb5.conf.
	Krb5Conf string `yaml:"krb5_conf,omitempty"`
}

// Disabled recognises a disabled account by one attribute.
type Disabled struct {
	// Attribute is the one that marks a disabled account.
	Attribute string `yaml:"attribute"`
	// Values are those that mean disabled, compared without case. None given: any value does.
	Values []string `yaml:"values,omitempty"`
}
