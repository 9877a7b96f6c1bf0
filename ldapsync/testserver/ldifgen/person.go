package ldifgen

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

var (
	givenNames = strings.Fields("Anna Ben Chloé Dmitri Elif Femi Grace Hugo Ines Jürgen Kaito Lena Mateo Nadia Olu Priya Quinn Rosa Søren Tara Umar Vera Wei Ximena Yusuf Zoë")
	surnames   = strings.Fields("Adeyemi Bauer Chen Díaz Eriksen Fischer García Haddad Ivanov Jones Kowalski Larsen Müller Nguyen O'Brien Patel Quiroga Rossi Schmidt Tanaka Ueda Varga Weber Xu Yılmaz Zhang")
	// Other scripts, a title-case digraph, a combining accent (not NFC), four-byte characters, right to left.
	givenNamesUTF8 = strings.Fields("Анна Νίκος 太郎 민준 محمد שרה Ǆon Zoe\u0308 𠮷野 İpek Ṛṣi")
	surnamesUTF8   = strings.Fields("Иванова Παπαδόπουλος 山田 김 الحسن כהן Straße Nguye\u0302\u0303n 𠮷田 Ðặng Şahin")
	departments    = strings.Fields("Engineering Sales Finance Legal Support Marketing People Security Facilities Research")
	titles         = strings.Fields("Engineer Analyst Manager Director Specialist Consultant Administrator")
	cities         = strings.Fields("Berlin Oslo Lagos Kyoto Lima Porto Tallinn Austin")
	employeeTypes  = []string{"FTE", "Contractor"}
)

// person is one invented employee.
type person struct {
	uid, given, sn, mail                  string
	disabled, expired, neverExpires, noSN bool
	typ, title, city, dept, phone, room   string
	boss                                  int
}

func (p person) name() string {
	if p.noSN {
		return p.given
	}
	return p.given + " " + p.sn
}

// person makes number i. Every draw is made whether it is used or not, so that an option moves no other draw.
func (g *generator) person(i int) person {
	r := rand.New(rand.NewPCG(g.Seed, uint64(i)))
	pick := func(s []string) string { return s[r.IntN(len(s))] }
	share := func(percent int) bool { return r.IntN(100) < percent }
	p := person{uid: uid(i), given: pick(givenNames), sn: pick(surnames)}
	given, sn := pick(givenNamesUTF8), pick(surnamesUTF8)
	if share(g.UTF8) {
		p.given, p.sn = given, sn
	}
	p.typ, p.title, p.city, p.dept = pick(employeeTypes), pick(titles), pick(cities), pick(departments)
	p.phone = fmt.Sprintf("+49 30 %07d", r.IntN(9999999))
	p.room = strconv.Itoa(r.IntN(900) + 100)
	p.boss = g.First + r.IntN(max(i-g.First, 1))
	p.disabled, p.expired, p.noSN, p.neverExpires = share(g.Disabled), share(g.Expired), share(g.NoSurname), share(50)
	bare, mixed, duplicate := share(g.NoMail), share(g.MixedCase), share(g.Duplicate)
	switch {
	case bare:
	case duplicate && i > g.First:
		p.mail = strings.ToUpper(g.mail(i - 1))
	case mixed:
		p.mail = "U" + strings.Replace(g.mail(i)[1:], "ex", "Ex", 1)
	default:
		p.mail = g.mail(i)
	}
	return p
}

func uid(i int) string { return fmt.Sprintf("u%07d", i) }

func (g *generator) mail(i int) string { return uid(i) + "@" + g.Domains[i%len(g.Domains)] }
