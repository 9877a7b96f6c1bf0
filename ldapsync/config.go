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
	Type Type `yaml:"type"`

	// Servers are tried in order: ldaps://host[:636], ldap://host[:389], ldapi://%2Frun%2Fldapi.
	Servers []string `yaml:"servers,omitempty"`
	// Domain finds the domain controllers of an Active Directory by DNS SRV instead of Servers; Site
	// prefers those of an AD site.
	Domain string `yaml:"domain,omitempty"`
	Site   string `yaml:"site,omitempty"`

	TLS  TLS  `yaml:"tls,omitempty"`
	Bind Bind `yaml:"bind"`

	Bases  []string `yaml:"bases"`
	Filter string   `yaml:"filter,omitempty"` // default by Type; keep it wider than the scope
	// IncludeOUs and ExcludeOUs are DNs below the bases; an entry is in scope when the nearest of them
	// above it is an included one, or there are only excluded ones and none is above it.
	IncludeOUs []string `yaml:"include_ous,omitempty"`
	ExcludeOUs []string `yaml:"exclude_ous,omitempty"`
	// Groups limits the scope to the members of any of these groups (DNs), nested ones included.
	Groups []string `yaml:"groups,omitempty"`

	// Anchor is the attribute with the unchanging key; default by Type: objectGUID, entryUUID,
	// nsUniqueId.
	Anchor string `yaml:"anchor,omitempty"`
	// Disabled says how an LDAP directory marks a disabled account; Active Directory and 389-ds need
	// none.
	Disabled *Disabled `yaml:"disabled,omitempty"`
	// Canaries are DNs that every read must find, else it counts as incomplete.
	Canaries []string `yaml:"canaries,omitempty"`

	PageSize       int                `yaml:"page_size,omitempty"`       // default 1000
	ConnectTimeout connector.Duration `yaml:"connect_timeout,omitempty"` // resolve, TCP, TLS and bind of one server; default 10s
	ReadTimeout    connector.Duration `yaml:"read_timeout,omitempty"`    // silence of the server in the middle of an answer; default 60s
}

// TLS says how to trust the server and how to show who we are.
type TLS struct {
	StartTLS   bool   `yaml:"start_tls,omitempty"` // on ldap:// servers
	CAFile     string `yaml:"ca_file,omitempty"`   // PEM; default is the machine's store
	ServerName string `yaml:"server_name,omitempty"`
	CertFile   string `yaml:"cert_file,omitempty"` // client certificate, for bind method external
	KeyFile    string `yaml:"key_file,omitempty"`
	// InsecureCleartextForTests allows ldap:// without StartTLS to a loopback address.
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
	Method   BindMethod       `yaml:"method,omitempty"` // default simple
	User     string           `yaml:"user,omitempty"`   // DN, UPN or DOMAIN\user; principal for kerberos
	Password connector.Secret `yaml:"password,omitempty"`
	Keytab   string           `yaml:"keytab,omitempty"`    // file, instead of the password
	Realm    string           `yaml:"realm,omitempty"`     // default: what follows the @ of User, in capitals
	Krb5Conf string           `yaml:"krb5_conf,omitempty"` // default /etc/krb5.conf
}

// Disabled recognises a disabled account by one attribute.
type Disabled struct {
	Attribute string `yaml:"attribute"`
	// Values that mean disabled, compared without case. None given: any value does.
	Values []string `yaml:"values,omitempty"`
}
