package ldapsync

import (
	"io"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"usherd/ldapsync/testserver"
	"usherd/ldapsync/testserver/ldifgen"
)

const benchUsers = 100_000

// BenchmarkRead reads 100,000 people from slapd, in pages of 1000 and without, beside ldapsearch in the
// same run. What counts is the CPU of the client: the time is mostly slapd's.
func BenchmarkRead(b *testing.B) {
	s := testserver.Slapd(b, testserver.SlapdOptions{LDIF: func(w io.Writer) error {
		return ldifgen.Write(w, ldifgen.Options{Users: benchUsers})
	}})
	attributes := []string{
		"uid", "cn", "sn", "givenName", "displayName", "mail", "telephoneNumber", "title", "departmentNumber",
		"employeeNumber", "employeeType", "l", "entryUUID",
	}
	run := func(name, scheme string, pageSize int) {
		b.Run(name, func(b *testing.B) {
			config := slapdConfig(s)
			if scheme == "ldap" {
				config.Servers, config.TLS.InsecureCleartextForTests = []string{s.URL}, true
			}
			c, err := dial(b.Context(), options(config, nil))
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			r := searchRequest{Base: "ou=People," + s.Base, Scope: 2, Filter: "(objectClass=inetOrgPerson)", Attributes: attributes, PageSize: pageSize}
			values := 0
			read := func() {
				end, err := c.search(b.Context(), r, func(e *entry) error {
					for i := range e.Attributes {
						values += len(e.Attributes[i].Values)
					}
					return nil
				})
				if err != nil || !end.Complete || end.Entries != benchUsers {
					b.Fatalf("%+v %v", end, err)
				}
			}
			read() // slapd's caches
			cpu, mallocs := cpuTime(syscall.RUSAGE_SELF), mallocs()
			for b.Loop() {
				read()
			}
			report(b, cpuTime(syscall.RUSAGE_SELF)-cpu)
			b.ReportMetric(float64(mallocsSince(mallocs))/benchUsers/float64(b.N), "allocs/entry")
		})
	}
	search := func(name, url string, more ...string) {
		b.Run(name, func(b *testing.B) {
			cpu := cpuTime(syscall.RUSAGE_CHILDREN)
			for b.Loop() {
				args := append([]string{"-x", "-LLL", "-H", url, "-D", s.SyncDN, "-w", s.SyncPassword, "-b", "ou=People," + s.Base}, more...)
				cmd := exec.CommandContext(b.Context(), "ldapsearch", append(append(args, "(objectClass=inetOrgPerson)"), attributes...)...)
				cmd.Env = s.ClientEnv()
				if err := cmd.Run(); err != nil {
					b.Fatal(err)
				}
			}
			report(b, cpuTime(syscall.RUSAGE_CHILDREN)-cpu)
		})
	}
	run("ldap/unpaged", "ldap", 0)
	search("ldapsearch/ldap/unpaged", s.URL)
	run("ldap/pages", "ldap", 1000)
	search("ldapsearch/ldap/pages", s.URL, "-E", "pr=1000/noprompt")
	run("ldaps/pages", "ldaps", 1000)
	search("ldapsearch/ldaps/pages", s.LDAPSURL, "-E", "pr=1000/noprompt")
}

func report(b *testing.B, cpu time.Duration) {
	b.Helper()
	b.ReportMetric(float64(cpu.Nanoseconds())/1000/benchUsers/float64(b.N), "us-cpu/entry")
	b.ReportMetric(benchUsers*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}

func cpuTime(who int) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

func mallocsSince(n uint64) uint64 { return mallocs() - n }

// BenchmarkDecode is the decoder alone.
func BenchmarkDecode(b *testing.B) {
	attrs := []attr{}
	names := []string{}
	for _, n := range []string{"uid", "cn", "sn", "givenName", "displayName", "mail", "telephoneNumber", "title", "departmentNumber", "employeeNumber", "employeeType", "l", "entryUUID"} {
		attrs, names = append(attrs, attr{n, []string{"a value of " + n}}), append(names, n)
	}
	msg := entryMsg(firstID, "uid=u0000001,ou=People,dc=example,dc=test", attrs...)
	d := newDecoder(names)
	b.ReportAllocs()
	for b.Loop() {
		_, _, op, _, err := splitMessage(msg)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := d.decode(op); err != nil {
			b.Fatal(err)
		}
	}
}
