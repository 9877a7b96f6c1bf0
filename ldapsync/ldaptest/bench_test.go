package ldaptest

import (
	"bufio"
	"net"
	"runtime"
	"testing"

	"github.com/go-ldap/ldap/v3"
)

// BenchmarkSearch streams a whole company over one connection to a reader that only counts bytes.
func BenchmarkSearch(b *testing.B) {
	const people = 50000
	s := start(b, Options{MaxPageSize: -1, AllowAnonymous: true})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	if _, err := s.Populate(PeopleOptions{People: people}); err != nil {
		b.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	f, err := ldap.CompileFilter("(&(objectCategory=person)(objectClass=user))")
	if err != nil {
		b.Fatal(err)
	}
	w := writer{}
	m := w.open(tagSequence)
	w.int(tagInt, 1)
	at := w.open(opSearch)
	w.str(tagOctets, s.Base())
	for _, tag := range []byte{tagEnum, tagEnum, tagInt, tagInt} {
		w.int(tag, map[bool]int64{true: 2}[tag == tagEnum])
	}
	w.bool(false)
	w.b = append(w.b, f.Bytes()...)
	list := w.open(tagSequence)
	for _, n := range []string{
		"objectGUID", "cn", "givenName", "sn", "mail", "department", "title", "telephoneNumber",
		"sAMAccountName", "userPrincipalName", "userAccountControl", "accountExpires", "uSNChanged",
	} {
		w.str(tagOctets, n)
	}
	w.shut(list)
	w.shut(at)
	w.shut(m)
	c, err := net.Dial("tcp", s.ldap.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReaderSize(c, 64<<10)
	b.ResetTimer()
	for range b.N {
		if _, err := c.Write(w.b); err != nil {
			b.Fatal(err)
		}
		n := 0
		for done := false; !done; {
			msg, err := readMessage(r)
			if err != nil {
				b.Fatal(err)
			}
			got, err := parseMessage(msg)
			if err != nil {
				b.Fatal(err)
			}
			if done = got.op == opDone; !done {
				n++
			}
		}
		if n != people {
			b.Fatalf("%d entries", n)
		}
	}
	b.ReportMetric(float64(people*b.N)/b.Elapsed().Seconds(), "entries/s")
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/people, "B/entry")
}
