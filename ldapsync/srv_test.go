package ldapsync

import (
	"context"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"

	"usherd/connector"
)

// nameServer answers SRV questions from a map, until the test ends. The resolver asks nobody else.
func nameServer(t *testing.T, zone map[string][]dnsmessage.SRVResource) *net.Resolver {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			if b, err := answerSRV(buf[:n], zone); err == nil {
				_, _ = pc.WriteTo(b, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
}

func answerSRV(question []byte, zone map[string][]dnsmessage.SRVResource) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(question); err != nil {
		return nil, err
	}
	q := m.Questions[0]
	records, ok := zone[strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))]
	m.Response, m.Authoritative, m.Additionals = true, true, nil
	if !ok || q.Type != dnsmessage.TypeSRV {
		m.RCode = dnsmessage.RCodeNameError
	}
	for _, r := range records {
		m.Answers = append(m.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 60}, Body: &r,
		})
	}
	return m.Pack()
}

func srv(priority uint16, host string, port uint16) dnsmessage.SRVResource {
	return dnsmessage.SRVResource{Priority: priority, Port: port, Target: dnsmessage.MustNewName(host + ".")}
}

func TestDomainControllersAreFoundByDNS(t *testing.T) {
	t.Parallel()
	zone := map[string][]dnsmessage.SRVResource{
		"_ldap._tcp.dc._msdcs.lab.test":              {srv(10, "dc3.lab.test", 389), srv(0, "dc2.lab.test", 389), srv(0, "dc1.lab.test", 389)},
		"_ldap._tcp.lund._sites.dc._msdcs.lab.test":  {srv(0, "DC1.lab.test", 389)},
		"_ldap._tcp.dc._msdcs.odd.test":              {srv(0, "dc.odd.test", 10389)},
		"_ldap._tcp.dc._msdcs.none.test":             {srv(0, "", 0)},
		"_ldap._tcp.malmo._sites.dc._msdcs.lab.test": {},
	}
	for i := range 20 {
		zone["_ldap._tcp.dc._msdcs.big.test"] = append(zone["_ldap._tcp.dc._msdcs.big.test"], srv(uint16(i), "dc"+string(rune('a'+i%26))+".big.test", uint16(1000+i)))
	}
	r := nameServer(t, zone)
	for _, tc := range []struct {
		name     string
		config   Config
		want     []string
		unsorted bool // of one priority
	}{
		{"all", Config{Domain: "lab.test"}, []string{"ldaps://dc1.lab.test:636", "ldaps://dc2.lab.test:636", "ldaps://dc3.lab.test:636"}, true},
		{"those of the site first", Config{Domain: "lab.test.", Site: "Lund"}, []string{"ldaps://DC1.lab.test:636", "ldaps://dc2.lab.test:636", "ldaps://dc3.lab.test:636"}, false},
		{"a site without any", Config{Domain: "lab.test", Site: "malmo", TLS: TLS{StartTLS: true}}, []string{"ldap://dc1.lab.test:389", "ldap://dc2.lab.test:389", "ldap://dc3.lab.test:389"}, true},
		{"another port", Config{Domain: "odd.test"}, []string{"ldaps://dc.odd.test:10389"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			o := dialOptions{Config: &tc.config, Resolver: r, Now: time.Now}
			list, err := o.targets(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range list {
				got = append(got, s.url)
			}
			if tc.unsorted { // RFC 2782: chance decides between equals, and the last is of another priority
				slices.Sort(got[:len(got)-1])
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Error(d)
			}
		})
	}
	o := dialOptions{Config: &Config{Domain: "big.test"}, Resolver: r, Now: time.Now}
	if list, err := o.targets(t.Context()); err != nil || len(list) != maxTargets {
		t.Errorf("%d servers, %v", len(list), err)
	}
	for _, domain := range []string{"none.test", "unknown.test"} {
		var steps []Step
		o := options(&Config{Domain: domain}, &steps)
		o.Resolver = r
		_, err := o.targets(t.Context())
		if connector.KindOf(err) != connector.Unavailable || !strings.Contains(err.Error(), domain) || !strings.Contains(connector.HintOf(err), "_ldap._tcp.dc._msdcs."+domain) {
			t.Errorf("%s: %v", domain, err)
		}
		if len(steps) != 1 || steps[0].Name != "resolve" || steps[0].Err == nil {
			t.Errorf("%+v", steps)
		}
	}
}

func TestServerAddresses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ in, want string }{
		{"ldaps://dc1.lab.test", "tcp dc1.lab.test:636 dc1.lab.test tls"},
		{"LDAPS://dc1.lab.test/", "tcp dc1.lab.test:636 dc1.lab.test tls"},
		{"ldap://dc1:3890", "tcp dc1:3890 dc1"},
		{"ldap://[::1]", "tcp [::1]:389 ::1"},
		{"ldapi://%2Frun%2Fslapd%2Fldapi", "unix /run/slapd/ldapi "},
		{"ldapi:///", "no path"},
		{"ldapi://%zz", "no path"},
		{"dc1.lab.test", "no scheme"},
		{"https://dc1", "unknown scheme"},
		{"ldaps://", "no host"},
		{"ldaps://dc1:x", "not an address"},
		{"ldaps://user@dc1", "more than a host"},
		{"ldaps://dc1/dc=lab,dc=test", "more than a host"},
		{"ldaps://dc1?cn", "more than a host"},
	} {
		if runtime.GOOS == "windows" && strings.HasPrefix(tc.in, "ldapi://%2F") {
			tc.want = "does not exist on Windows"
		}
		s, err := parseServer(tc.in)
		got := s.network + " " + s.address + " " + s.host
		if s.tls {
			got += " tls"
		}
		if err != nil {
			if connector.KindOf(err) != connector.Invalid || !strings.Contains(connector.HintOf(err), "ldaps://") {
				t.Errorf("%s: %v", tc.in, err)
			}
			got = err.Error()
		} else if s.url != tc.in {
			t.Errorf("%s is told as %s", tc.in, s.url)
		}
		if !strings.Contains(got, tc.want) {
			t.Errorf("%s: %s, want %s", tc.in, got, tc.want)
		}
	}
}

func TestCleartextIsForLoopbackOnly(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		addr net.Addr
		want bool
	}{
		{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}, true},
		{&net.TCPAddr{IP: net.IPv6loopback}, true},
		{&net.TCPAddr{IP: net.IPv4(10, 0, 0, 1)}, false},
		{&net.TCPAddr{}, false},
		{&net.UDPAddr{IP: net.IPv6loopback}, false},
	} {
		if local(tc.addr) != tc.want {
			t.Errorf("%v", tc.addr)
		}
	}
}
