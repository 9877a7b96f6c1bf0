package ldapsync

import (
	"strings"
	"testing"
	"time"

	"usherd/connector"
)

func TestConfigurationFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edit func(*Config)
		want []string // path: part of the message
	}{
		"fine":               {func(*Config) {}, nil},
		"no type":            {func(c *Config) { c.Type = "" }, []string{"type: say which directory"}},
		"unknown type":       {func(c *Config) { c.Type = "novell" }, []string{`type: "novell" is not known: write active_directory, openldap, 389ds or ldap`}},
		"no servers":         {func(c *Config) { c.Servers = nil }, []string{"servers: name at least one server"}},
		"no servers, no AD":  {func(c *Config) { c.Servers, c.Type = nil, OpenLDAP }, []string{"servers: name at least one server"}},
		"domain":             {func(c *Config) { c.Servers, c.Domain, c.Site = nil, "lab.test", "Berlin" }, nil},
		"domain and servers": {func(c *Config) { c.Domain = "lab.test" }, []string{"domain: either servers or domain"}},
		"domain elsewhere":   {func(c *Config) { c.Type, c.Servers, c.Domain = DS389, nil, "lab.test" }, []string{"domain: only an Active Directory"}},
		"domain with scheme": {func(c *Config) { c.Servers, c.Domain = nil, "ldap://lab.test" }, []string{"domain: \"ldap://lab.test\" is not the DNS name"}},
		"domain, NetBIOS":    {func(c *Config) { c.Servers, c.Domain = nil, "LAB" }, []string{"domain: \"LAB\" is not the DNS name"}},
		"site":               {func(c *Config) { c.Site = "Berlin" }, []string{"site: an Active Directory site"}},
		"scheme":             {func(c *Config) { c.Servers = []string{"dc1.lab.test", "https://dc1"} }, []string{`servers[0]: "dc1.lab.test" is no server: write ldaps://`, "servers[1]: "}},
		"clear text":         {func(c *Config) { c.Servers = []string{"ldap://dc1"} }, []string{"servers[0]: the password and everybody's data would go over the network in clear"}},
		"StartTLS":           {func(c *Config) { c.Servers, c.TLS.StartTLS = []string{"ldap://dc1"}, true }, nil},
		"StartTLS and ldaps": {func(c *Config) { c.TLS.StartTLS = true }, []string{"servers[0]: StartTLS is for ldap://"}},
		"clear for tests": {func(c *Config) {
			c.Servers, c.TLS.InsecureCleartextForTests = []string{"ldap://127.0.0.1:3890", "ldap://localhost"}, true
		}, nil},
		"clear in production": {func(c *Config) { c.Servers, c.TLS.InsecureCleartextForTests = []string{"ldap://10.0.0.1"}, true }, []string{"servers[0]: tls.insecure_cleartext_for_tests"}},
		"half a pair":         {func(c *Config) { c.TLS.CertFile = "x.pem" }, []string{"tls.key_file: tls.cert_file needs its key"}},
		"other half":          {func(c *Config) { c.TLS.KeyFile = "x.pem" }, []string{"tls.cert_file: tls.key_file needs"}},
		"server name":         {func(c *Config) { c.TLS.ServerName = "ldaps://x" }, []string{"tls.server_name:"}},
		"no user":             {func(c *Config) { c.Bind.User = "" }, []string{"bind.user: name the service account"}},
		"empty password":      {func(c *Config) { c.Bind.Password = connector.NewSecret("") }, []string{"bind.password: give the service account's password"}},
		"unknown method":      {func(c *Config) { c.Bind.Method = "ntlm" }, []string{"bind.method: \"ntlm\" is not known: write simple, external or kerberos"}},
		"external":            {func(c *Config) { c.Bind = Bind{Method: BindExternal} }, []string{"tls.cert_file: bind.method: external over the network needs a client certificate"}},
		"external, pair":      {func(c *Config) { c.Bind, c.TLS.CertFile, c.TLS.KeyFile = Bind{Method: BindExternal}, "c", "k" }, nil},
		"external, password":  {func(c *Config) { c.Bind.Method, c.TLS.CertFile, c.TLS.KeyFile = BindExternal, "c", "k" }, []string{"bind.password: bind.method: external takes no password"}},
		"external, socket": {func(c *Config) {
			c.Bind, c.Servers, c.Type = Bind{Method: BindExternal}, []string{"ldapi://%2Frun%2Fldapi"}, OpenLDAP
		}, nil},
		"kerberos":           {func(c *Config) { c.Bind = Bind{Method: BindKerberos, User: "u@LAB.TEST", Keytab: "k"} }, nil},
		"kerberos, nothing":  {func(c *Config) { c.Bind = Bind{Method: BindKerberos} }, []string{"bind.user:", "bind.keytab: give a keytab"}},
		"kerberos, both":     {func(c *Config) { c.Bind.Method, c.Bind.Keytab = BindKerberos, "k" }, []string{"bind.keytab: either"}},
		"kerberos, address":  {func(c *Config) { c.Bind.Method, c.Servers = BindKerberos, []string{"ldaps://10.0.0.1"} }, []string{"servers[0]: Kerberos knows servers by name"}},
		"realm":              {func(c *Config) { c.Bind.Realm = "LAB.TEST" }, []string{"bind.realm: this is for bind.method: kerberos only"}},
		"no bases":           {func(c *Config) { c.Bases = nil }, []string{"bases: name where people stand"}},
		"empty base":         {func(c *Config) { c.Bases = []string{""} }, []string{"bases[0]: an empty DN"}},
		"bad base":           {func(c *Config) { c.Bases = []string{"lab.test"} }, []string{`bases[0]: "lab.test" is not a DN`}},
		"base below another": {func(c *Config) { c.Bases = []string{"OU=a,dc=LAB,DC=test", "DC=lab,DC=test"} }, []string{"bases[0]: it stands below DC=lab,DC=test"}},
		"base twice":         {func(c *Config) { c.Bases = []string{"DC=lab,DC=test", "dc=lab,dc=test"} }, []string{"bases[1]: it stands below DC=lab,DC=test"}},
		"OU elsewhere":       {func(c *Config) { c.IncludeOUs = []string{"OU=a,DC=other"} }, []string{"include_ous[0]: it stands below none of the bases"}},
		"OU in both": {func(c *Config) {
			c.IncludeOUs, c.ExcludeOUs = []string{"OU=a,DC=lab,DC=test"}, []string{"ou=A,DC=lab,DC=test"}
		}, []string{"exclude_ous[0]: it is in include_ous too"}},
		"bad OU":           {func(c *Config) { c.ExcludeOUs = []string{"a,b"} }, []string{`exclude_ous[0]: "a,b" is not a DN`}},
		"bad group":        {func(c *Config) { c.Groups = []string{"Sales"} }, []string{`groups[0]: "Sales" is not a DN`}},
		"bad canary":       {func(c *Config) { c.Canaries = []string{"Ann"} }, []string{`canaries[0]: "Ann" is not a DN`}},
		"canary elsewhere": {func(c *Config) { c.Canaries = []string{"CN=Ann,DC=other"} }, []string{"canaries[0]: it stands below none of the bases"}},
		"canary excluded": {func(c *Config) {
			c.Canaries, c.ExcludeOUs = []string{"CN=Ann,OU=a,DC=lab,DC=test"}, []string{"OU=a,DC=lab,DC=test"}
		}, []string{"canaries[0]: it stands in OU=a,DC=lab,DC=test, which exclude_ous leaves out"}},
		"bad filter":         {func(c *Config) { c.Filter = "(&(objectClass=person)" }, []string{"filter: not an LDAP filter"}},
		"filter, no bracket": {func(c *Config) { c.Filter = "objectClass=person" }, []string{"filter: not an LDAP filter"}},
		"no anchor":          {func(c *Config) { c.Type = LDAP }, []string{"anchor: name the attribute that identifies"}},
		"anchor":             {func(c *Config) { c.Anchor = "employee number" }, []string{"anchor: \"employee number\" is not the name of an attribute"}},
		"DN as anchor":       {func(c *Config) { c.Anchor = "distinguishedName" }, []string{"anchor: a DN changes"}},
		"disabled":           {func(c *Config) { c.Disabled = &Disabled{} }, []string{"disabled.attribute: name the attribute"}},
		"page size":          {func(c *Config) { c.PageSize = 20_001 }, []string{"page_size: 20001 is out of range: write 1 to 20000"}},
		"negative page size": {func(c *Config) { c.PageSize = -1 }, []string{"page_size: -1 is out of range"}},
		"timeouts": {func(c *Config) {
			c.ConnectTimeout, c.ReadTimeout = connector.Duration(2*time.Hour), connector.Duration(-1)
		}, []string{"connect_timeout: 2h is out of range", "read_timeout: -1ns is out of range"}},
		"all at once": {func(c *Config) { *c = Config{} }, []string{"type:", "servers:", "bind.user:", "bind.password:", "bases:"}},
	} {
		config := adConfig()
		c.edit(config)
		got := config.Validate()
		if len(got) != len(c.want) {
			t.Errorf("%s: %v, want %d faults", name, got, len(c.want))
			continue
		}
		for i, f := range got {
			if !strings.HasPrefix(f.Error(), c.want[i]) {
				t.Errorf("%s: %v, want %s", name, f, c.want[i])
			}
		}
	}
}

func TestNewTellsAllFaults(t *testing.T) {
	t.Parallel()
	_, err := New(Options{Now: clock})
	if connector.KindOf(err) != connector.Invalid || !strings.Contains(err.Error(), "bind.user") || !strings.Contains(err.Error(), "bases") {
		t.Errorf("error %v", err)
	}
	_, err = New(Options{Config: *adConfig(), Now: clock, Protected: connector.Protected{Groups: []string{"Admins"}}})
	if connector.KindOf(err) != connector.Invalid || connector.HintOf(err) == "" {
		t.Errorf("error %v", err)
	}
	if _, err := New(Options{Config: *adConfig()}); err == nil {
		t.Error("a source without a clock")
	}
}
