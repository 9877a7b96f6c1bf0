package ldapsync

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"usherd/connector"
	"usherd/ldapsync/testserver"
)

// slapdConfig is how the service account reads everything from s over LDAPS.
func slapdConfig(s *testserver.Server) *Config {
	return &Config{
		Type: OpenLDAP, Servers: []string{s.LDAPSURL}, TLS: TLS{CAFile: s.CAFile},
		Bind:  Bind{User: s.SyncDN, Password: connector.NewSecret(s.SyncPassword)},
		Bases: []string{s.Base},
	}
}

func options(c *Config, steps *[]Step) dialOptions {
	return dialOptions{Config: c, Now: time.Now, Observe: func(s Step) {
		if steps != nil {
			*steps = append(*steps, s)
		}
	}}
}

func dialT(t *testing.T, c *Config) *conn {
	t.Helper()
	nc, err := dial(t.Context(), options(c, nil))
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { nc.Close() })
	return nc
}

// everything asks for all entries below base.
func everything(base string) searchRequest {
	return searchRequest{
		Base: base, Scope: ldap.ScopeWholeSubtree, Filter: "(objectClass=*)",
		Attributes: []string{"objectClass", "cn", "ou"},
	}
}

// readAll runs a search that must end without an error.
func readAll(t *testing.T, c *conn, r searchRequest) (dns []string, end searchEnd) {
	t.Helper()
	end, err := c.search(t.Context(), r, func(e *entry) error {
		dns = append(dns, string(e.DN))
		return nil
	})
	if err != nil {
		t.Fatalf("search: %v", err)
	}
	return dns, end
}

func TestEveryTransportReadsTheSame(t *testing.T) {
	t.Parallel()
	s := testserver.Slapd(t, testserver.SlapdOptions{LDAPI: true})
	ldapi := "ldapi://" + strings.ReplaceAll(s.LDAPIPath, "/", "%2F")
	for _, tc := range []struct {
		name  string
		edit  func(*Config)
		steps string
	}{
		{"ldaps", func(*Config) {}, "resolve connect tls bind"},
		{"StartTLS", func(c *Config) { c.Servers, c.TLS.StartTLS = []string{s.URL}, true }, "resolve connect tls bind"},
		{"cleartext to loopback", func(c *Config) {
			c.Servers, c.TLS.InsecureCleartextForTests = []string{s.URL}, true
		}, "resolve connect bind"},
		{"ldapi", func(c *Config) { c.Servers = []string{ldapi} }, "connect bind"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := slapdConfig(s)
			tc.edit(c)
			var steps []Step
			nc, err := dial(t.Context(), options(c, &steps))
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			var names []string
			for _, s := range steps {
				names = append(names, s.Name)
				if s.Err != nil || s.Server != c.Servers[0] || s.Detail == "" {
					t.Errorf("step %+v", s)
				}
			}
			if got := strings.Join(names, " "); got != tc.steps {
				t.Errorf("steps %q, want %q", got, tc.steps)
			}
			for _, size := range []int{0, 2} {
				r := everything(s.Base)
				r.PageSize = size
				dns, end := readAll(t, nc, r)
				if !end.Complete || end.Entries != 5 || len(dns) != 5 || end.Bytes == 0 {
					t.Errorf("page size %d: %+v, %q", size, end, dns)
				}
			}
		})
	}
}

func TestTLSStepTellsTheCertificateChain(t *testing.T) {
	t.Parallel()
	s := testserver.Slapd(t, testserver.SlapdOptions{})
	var steps []Step
	nc, err := dial(t.Context(), options(slapdConfig(s), &steps))
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	for _, st := range steps {
		if st.Name == "tls" && strings.Contains(st.Detail, "TLS 1.3, certificate 1: CN=localhost (for localhost") &&
			strings.Contains(st.Detail, "issued by CN=usherd test CA, valid until 2049-01-01") {
			return
		}
	}
	t.Errorf("no chain in %+v", steps)
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	s := testserver.Slapd(t, testserver.SlapdOptions{})
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(s.LDAPSURL, "ldaps://"))
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name       string
		edit       func(*Config)
		kind       connector.Kind
		text, hint string
	}{
		{
			"wrong password", func(c *Config) { c.Bind.Password = connector.NewSecret("hunter2-wrong") },
			connector.Denied, "ldapsync: bind " + s.LDAPSURL + ": invalid credentials (code 49)", "bind.password",
		},
		{
			"empty password", func(c *Config) { c.Bind.Password = connector.Secret{} },
			connector.Invalid, "an empty password", "set bind.password",
		},
		{"no user", func(c *Config) { c.Bind.User = "" }, connector.Invalid, "no user", "bind.user"},
		{"unknown method", func(c *Config) { c.Bind.Method = "ntlm" }, connector.Invalid, `unknown method "ntlm"`, "external"},
		{
			"unknown authority", func(c *Config) { c.TLS.CAFile = "" }, connector.Refused,
			"certificate signed by unknown authority; the server showed certificate 1: CN=localhost", "tls.ca_file to the certificate of the authority that issued it: CN=usherd test CA",
		},
		{
			"wrong name", func(c *Config) { c.TLS.ServerName = "dc1.example.com" }, connector.Refused,
			"not dc1.example.com", `not for "dc1.example.com" but for localhost`,
		},
		{"CA file missing", func(c *Config) { c.TLS.CAFile = "/nowhere.pem" }, connector.Invalid, "tls.ca_file", "PEM"},
		{"CA file empty", func(c *Config) { c.TLS.CAFile = empty }, connector.Invalid, "no certificate in PEM form", "openssl"},
		{"client certificate missing", func(c *Config) { c.TLS.CertFile = "/nowhere.pem" }, connector.Invalid, "tls.cert_file", "key_file"},
		{"cleartext", func(c *Config) { c.Servers = []string{s.URL} }, connector.Invalid, "not be encrypted", "start_tls"},
		{
			"TLS on the port without", func(c *Config) { c.Servers = []string{"ldaps" + strings.TrimPrefix(s.URL, "ldap")} },
			connector.Unavailable, "tls", "handshake",
		},
		{"none on the port with", func(c *Config) {
			c.Servers, c.TLS.InsecureCleartextForTests = []string{"ldap://127.0.0.1:" + port}, true
		}, connector.Unavailable, "bind", "server's log"},
		{"unknown host", func(c *Config) { c.Servers = []string{"ldaps://nobody.invalid"} }, connector.Unavailable, "resolve", "DNS"},
		{"external without a certificate", func(c *Config) { c.Bind = Bind{Method: BindExternal} }, connector.Refused, "code", ""},
		{"no servers", func(c *Config) { c.Servers = nil }, connector.Invalid, "no servers", "domain"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := slapdConfig(s)
			tc.edit(c)
			var steps []Step
			nc, err := dial(t.Context(), options(c, &steps))
			if err == nil {
				nc.Close()
				t.Fatal("no error")
			}
			if connector.KindOf(err) != tc.kind || !strings.Contains(err.Error(), tc.text) || !strings.Contains(connector.HintOf(err), tc.hint) {
				t.Errorf("kind %d, %v\nhint: %s", connector.KindOf(err), err, connector.HintOf(err))
			}
			if all := fmt.Sprintf("%v %+v %#v", err, steps, c); strings.Contains(all, "hunter2") {
				t.Errorf("the password shows: %s", all)
			}
			if n := len(steps); n > 0 && steps[n-1].Err == nil && tc.name != "cleartext" {
				t.Errorf("the last step went well: %+v", steps[n-1])
			}
		})
	}
}

func TestFailOverGoesOnUntilAnAnswerAboutTheAccount(t *testing.T) {
	t.Parallel()
	s := testserver.Slapd(t, testserver.SlapdOptions{})
	dead := deadAddress(t)
	c := slapdConfig(s)
	c.Servers = []string{"ldaps://" + dead, s.LDAPSURL}
	if nc := dialT(t, c); nc.server != s.LDAPSURL {
		t.Errorf("server %s", nc.server)
	}

	c.Servers = []string{s.LDAPSURL, s.LDAPSURL}
	c.Bind.Password = connector.NewSecret("wrong-password")
	var steps []Step
	_, err := dial(t.Context(), options(c, &steps))
	binds := 0
	for _, st := range steps {
		if st.Name == "bind" {
			binds++
		}
	}
	if code, ok := resultCode(err); !ok || code != 49 || binds != 1 {
		t.Errorf("%d binds, %v", binds, err)
	}

	c.Servers = []string{"ldaps://" + dead, "ldaps://" + dead}
	_, err = dial(t.Context(), options(c, nil))
	if connector.KindOf(err) != connector.Unavailable || strings.Count(err.Error(), dead) < 2 || connector.HintOf(err) == "" {
		t.Errorf("all dead: %v", err)
	}
}

// deadAddress is one where nobody listens.
func deadAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestFrozenServerEndsWithTheNameOfTheStep(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never says a word
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	for _, tc := range []struct {
		name, scheme, want string
		startTLS           bool
	}{{"ldaps", "ldaps://", "tls", false}, {"StartTLS", "ldap://", "start TLS", true}, {"bind", "ldap://", "bind", false}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := &Config{
				Servers: []string{tc.scheme + l.Addr().String()}, ConnectTimeout: connector.Duration(50 * time.Millisecond),
				TLS:  TLS{StartTLS: tc.startTLS, InsecureCleartextForTests: true},
				Bind: Bind{User: "cn=x", Password: connector.NewSecret("secret")},
			}
			_, err := dial(context.Background(), options(c, nil))
			if connector.KindOf(err) != connector.Unavailable || !strings.Contains(err.Error(), "ldapsync: "+tc.want+" ") ||
				!strings.Contains(err.Error(), "no answer within 50ms") {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestCancelledDialGivesTheContextsError(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		c, err := l.Accept()
		if err == nil {
			cancel()
			defer c.Close()
			_, _ = c.Read(make([]byte, 1000))
		}
	}()
	c := &Config{Servers: []string{"ldaps://" + l.Addr().String()}, Bind: Bind{User: "x", Password: connector.NewSecret("secret")}}
	if _, err := dial(ctx, options(c, nil)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestFrozenServerEndsTheStream(t *testing.T) {
	t.Parallel()
	s := testserver.Slapd(t, testserver.SlapdOptions{})
	c := slapdConfig(s)
	c.ReadTimeout = connector.Duration(100 * time.Millisecond)
	nc := dialT(t, c)
	if err := s.Freeze(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Thaw() })
	var end searchEnd
	var err error
	for err == nil { // it may still answer for a moment
		end, err = nc.search(t.Context(), everything(s.Base), func(*entry) error { return nil })
	}
	if connector.KindOf(err) != connector.Incomplete || end.Complete || !strings.Contains(err.Error(), "sent nothing for 100ms") {
		t.Errorf("%+v, %v", end, err)
	}
}

func TestExternalBindOverTheUnixSocket(t *testing.T) {
	t.Parallel()
	s := testserver.Slapd(t, testserver.SlapdOptions{LDAPI: true})
	c := &Config{Servers: []string{"ldapi://" + strings.ReplaceAll(s.LDAPIPath, "/", "%2F")}, Bind: Bind{Method: BindExternal}}
	nc := dialT(t, c)
	dns, end := readAll(t, nc, searchRequest{Scope: ldap.ScopeBaseObject, Filter: "(objectClass=*)", Attributes: []string{"namingContexts"}})
	if !end.Complete || len(dns) != 1 {
		t.Errorf("root DSE: %+v", end)
	}
}

func TestManyConnectionsLeaveNothingBehind(t *testing.T) { // not parallel: it counts goroutines
	s := testserver.Slapd(t, testserver.SlapdOptions{})
	good, bad := slapdConfig(s), slapdConfig(s)
	bad.Bind.Password = connector.NewSecret("wrong-password")
	round := func() {
		nc, err := dial(t.Context(), options(good, nil))
		if err != nil {
			t.Fatal(err)
		}
		readAll(t, nc, everything(s.Base))
		nc.Close()
		if _, err := dial(t.Context(), options(bad, nil)); err == nil {
			t.Fatal("a wrong password was taken")
		}
	}
	round()
	before := runtime.NumGoroutine()
	for range 50 {
		round()
	}
	for deadline := time.After(5 * time.Second); runtime.NumGoroutine() > before; {
		select {
		case <-deadline:
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, then %d:\n%s", before, runtime.NumGoroutine(), buf[:runtime.Stack(buf, true)])
		default:
			runtime.Gosched()
		}
	}
}
