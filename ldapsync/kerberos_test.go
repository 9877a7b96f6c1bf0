package ldapsync

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"usherd/connector"
	"usherd/ldapsync/testserver"
)

// kerberosConfig binds to s with a ticket. The server is dialled by its address, as no DNS knows it.
func kerberosConfig(t *testing.T, s *testserver.Server) *Config {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "krb5.conf")
	text := fmt.Sprintf("[libdefaults]\n default_realm = %[1]s\n udp_preference_limit = 1\n[realms]\n %[1]s = {\n  kdc = %[2]s\n }\n", s.Realm, s.KDC)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return &Config{
		Type: ActiveDirectory, Servers: []string{s.LDAPSURL}, TLS: TLS{CAFile: s.CAFile, ServerName: s.Host},
		Bind:  Bind{Method: BindKerberos, User: s.SyncDN, Password: connector.NewSecret(s.SyncPassword), Krb5Conf: conf},
		Bases: []string{s.Base},
	}
}

// TestSamba needs two seconds, and ten the first time on a machine.
func TestSamba(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a domain controller")
	}
	s := testserver.Samba(t, testserver.SambaOptions{})
	keytab := filepath.Join(t.TempDir(), "svc.keytab")
	out, err := exec.CommandContext(t.Context(), "samba-tool", "domain", "exportkeytab", keytab, "--principal=Administrator",
		"-s", filepath.Join(s.Dir, "smb.conf")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Run("binds", func(t *testing.T) {
		for name, edit := range map[string]func(*Config){
			"kerberos password":      func(*Config) {},
			"kerberos keytab":        func(c *Config) { c.Bind.Password, c.Bind.Keytab = connector.Secret{}, keytab },
			"kerberos over StartTLS": func(c *Config) { c.Servers, c.TLS.StartTLS = []string{s.URL}, true },
			"simple":                 func(c *Config) { c.Bind.Method = BindSimple },
		} {
			t.Run(name, func(t *testing.T) {
				c := kerberosConfig(t, s)
				edit(c)
				nc := dialT(t, c)
				r := everything(s.Base)
				r.PageSize = 50
				dns, end := readAll(t, nc, r)
				i := slices.IndexFunc(dns, func(dn string) bool { return strings.HasPrefix(dn, "CN=Administrator,") })
				if !end.Complete || end.Entries < 150 || end.Referrals == 0 || i < 0 {
					t.Errorf("%+v", end)
				}
			})
		}
	})
	t.Run("refusals", func(t *testing.T) {
		for name, tc := range map[string]struct {
			edit func(*Config)
			want string
			hint string
		}{
			"wrong password": {func(c *Config) { c.Bind.Password = connector.NewSecret("hunter2!") }, "KDC_ERR_PREAUTH_FAILED", "bind.password"},
			"unknown user":   {func(c *Config) { c.Bind.User = "nobody@LAB.TEST" }, "KDC_ERR_C_PRINCIPAL_UNKNOWN", "bind.user"},
			"by address":     {func(c *Config) { c.TLS.ServerName = "" }, "tls", ""},
			"simple, wrong":  {func(c *Config) { c.Bind.Method, c.Bind.Password = BindSimple, connector.NewSecret("hunter2!") }, "wrong password, or no such user", "bind.password"},
			"simple, in clear": {func(c *Config) {
				c.Bind.Method, c.Servers, c.TLS.InsecureCleartextForTests = BindSimple, []string{s.URL}, true
			}, "code 8", "start_tls"},
		} {
			c := kerberosConfig(t, s)
			tc.edit(c)
			c.Servers = append(c.Servers, c.Servers[0])
			var steps []Step
			nc, err := dial(t.Context(), options(c, &steps))
			if err == nil {
				nc.Close()
			}
			if name == "by address" { // the certificate is for the address too, the principal is not
				tc.want, tc.hint = "by name only", "host name"
			}
			if err == nil || connector.KindOf(err) == connector.Unavailable || !strings.Contains(err.Error(), tc.want) || !strings.Contains(connector.HintOf(err), tc.hint) {
				t.Errorf("%s: %v\nhint: %s", name, err, connector.HintOf(err))
			}
			if strings.Contains(fmt.Sprintf("%v %+v", err, steps), "hunter2!") {
				t.Errorf("%s: the password shows: %v", name, err)
			}
			tries := 0
			for _, st := range steps {
				if st.Err != nil {
					tries++
				}
			}
			if account := concernsAccount(err); account && tries != 1 {
				t.Errorf("%s: %d tries", name, tries)
			}
		}
	})
	t.Run("codes", func(t *testing.T) {
		nc := dialT(t, kerberosConfig(t, s))
		_, err := nc.search(t.Context(), searchRequest{Base: "OU=none," + s.Base, Scope: ldap.ScopeBaseObject, Filter: "(cn=*)"}, nil)
		if connector.KindOf(err) != connector.NotFound {
			t.Errorf("%v", err)
		}
	})
}

func TestKerberosConfigurationFaults(t *testing.T) {
	t.Parallel()
	conf := filepath.Join(t.TempDir(), "krb5.conf")
	if err := os.WriteFile(conf, []byte("[libdefaults]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	secret := connector.NewSecret("hunter2!")
	for name, tc := range map[string]struct {
		bind Bind
		want string
	}{
		"no user":      {Bind{Password: secret, Krb5Conf: conf}, "no user"},
		"no realm":     {Bind{User: "svc", Password: secret, Krb5Conf: conf}, "no Kerberos realm"},
		"no secret":    {Bind{User: "svc@LAB.TEST", Krb5Conf: conf}, "neither password nor keytab"},
		"no keytab":    {Bind{User: "svc@LAB.TEST", Keytab: "/nowhere", Krb5Conf: conf}, "bind.keytab /nowhere"},
		"not a keytab": {Bind{User: "svc@LAB.TEST", Keytab: conf, Krb5Conf: conf}, "bind.keytab"},
		"no krb5.conf": {Bind{User: "svc@LAB.TEST", Password: secret, Krb5Conf: "/nowhere"}, "bind.krb5_conf"},
	} {
		tc.bind.Method = BindKerberos
		_, err := dial(t.Context(), options(&Config{Servers: []string{"ldaps://dc1"}, Bind: tc.bind}, nil))
		if connector.KindOf(err) != connector.Invalid || !strings.Contains(err.Error(), tc.want) || connector.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if runtime.GOOS != "linux" {
		return
	}
	if _, err := os.Stat(defaultKrb5Conf); err != nil { // DNS then
		if s, err := newTicketSource(Bind{User: "svc@lab.test", Password: secret}); err != nil || s.client.Credentials.Domain() != "LAB.TEST" || !s.client.Config.LibDefaults.DNSLookupKDC {
			t.Errorf("%v", err)
		}
	}
}

func TestSilentKDCEndsTheDialInTime(t *testing.T) {
	t.Parallel()
	kdc, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kdc.Close() })
	ca := newAuthority(t)
	url := tlsServer(t, &tls.Config{Certificates: []tls.Certificate{ca.issue("dc1.lab.test", time.Unix(1<<32, 0))}}, bindMsg(0, ""))
	c := kerberosConfig(t, &testserver.Server{
		LDAPSURL: url, Realm: "LAB.TEST", KDC: kdc.Addr().String(), CAFile: ca.file, Host: "localhost", SyncDN: "svc@LAB.TEST", SyncPassword: "secret",
	})
	c.TLS.ServerName = ""
	c.Servers = []string{strings.Replace(url, "127.0.0.1", "localhost", 1), url}
	c.ConnectTimeout = connector.Duration(300 * time.Millisecond)
	var steps []Step
	_, err = dial(t.Context(), options(c, &steps))
	if connector.KindOf(err) != connector.Unavailable || !strings.Contains(err.Error(), "ldapsync: kerberos") || !strings.Contains(err.Error(), "no answer within 300ms") {
		t.Errorf("%v", err)
	}
	if last := steps[len(steps)-1]; last.Name != "kerberos" || last.Server != c.Servers[0] {
		t.Errorf("another server was tried: %+v", last)
	}
}
