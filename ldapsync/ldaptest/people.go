package ldaptest

import (
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"
)

// PeopleOptions describe an example company. The same options always give the same people.
type PeopleOptions struct {
	People int    // how many
	Seed   uint64 // who they are
	// Domain is that of most addresses, OtherDomain that of one in nineteen. Defaults nordlys.example and
	// nordlys-labs.example.
	Domain, OtherDomain string
	Root                string // organizational unit above all others; default OU=Nordlys
}

func (o PeopleOptions) withDefaults() PeopleOptions {
	if o.Domain == "" {
		o.Domain = "nordlys.example"
	}
	if o.OtherDomain == "" {
		o.OtherDomain = "nordlys-labs.example"
	}
	if o.Root == "" {
		o.Root = "OU=Nordlys"
	}
	return o
}

// Person is somebody of the example company.
type Person struct {
	Index      int
	CN         string // unique in the company
	GivenName  string
	Surname    string // empty for a few
	Mail       string // empty for a few; a few share theirs with the person before
	LogonName  string // sAMAccountName, unique
	Department string
	Title      string
	Manager    int // index of another person, -1 for the heads of departments
	Phone      string
	City       string
	Country    string
	Language   string
	Disabled   bool
	Expired    bool
}

// People gives the first o.People people of the company, one after the other.
func People(o PeopleOptions) iter.Seq[Person] {
	return func(yield func(Person) bool) {
		g := newGenerator(o)
		for i := range o.People {
			if !yield(g.person(i)) {
				return
			}
		}
	}
}

// name is one name as shown and for addresses.
type name struct{ shown, address string }

type office struct {
	given, surname []name
	towns          []string
	culture
}

// generator makes the person with any index without those before it.
type generator struct {
	o           PeopleOptions
	offices     []office
	departments []department
	titles      [][]string
}

func newGenerator(o PeopleOptions) *generator {
	g := &generator{o: o.withDefaults(), departments: departments()}
	for _, c := range cultures() {
		g.offices = append(g.offices, office{
			given: nameList(c.given), surname: nameList(c.surname), towns: strings.Fields(c.towns), culture: c,
		})
	}
	for _, d := range g.departments {
		g.titles = append(g.titles, d.list())
	}
	return g
}

func nameList(s string) []name {
	var list []name
	for n := range strings.FieldsSeq(s) {
		shown, address := latin(n)
		list = append(list, name{shown, address})
	}
	return list
}

// mix scatters numbers (splitmix64), so that neighbours have little in common.
func mix(n uint64) uint64 {
	n += 0x9e3779b97f4a7c15
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}

// pick chooses below n by index and purpose.
func (g *generator) pick(index int, purpose uint64, n int) int {
	return int(mix(g.o.Seed^mix(uint64(index)<<8|purpose)) % uint64(n)) //nolint:gosec // an index is not negative
}

// fullName walks through all pairs of names of an office before it repeats one; the repetition gets a
// number, so that names, addresses and DNs are unique.
func (g *generator) fullName(index int) (of *office, given, surname name, number int) {
	of = &g.offices[index%len(g.offices)]
	n := index / len(g.offices)
	pairs := len(of.given) * len(of.surname)
	at := (n*131 + g.pick(0, 1, pairs)) % pairs // 131 is prime and greater than either list
	return of, of.given[at%len(of.given)], of.surname[at/len(of.given)], n/pairs + 1
}

func (g *generator) person(i int) Person {
	of, given, surname, number := g.fullName(i)
	p := Person{
		Index: i, GivenName: given.shown, Surname: surname.shown, Country: of.country, Language: of.language,
		City:     strings.ReplaceAll(of.towns[g.pick(i, 2, len(of.towns))], "_", " "),
		Phone:    fmt.Sprintf("%s %04d", of.phone, g.pick(i, 3, 10000)),
		Disabled: i%25 == 11, Expired: i%50 == 17,
	}
	p.CN = p.GivenName + " " + p.Surname
	local := given.address + "." + surname.address
	if number > 1 {
		p.CN += " " + strconv.Itoa(number)
		local += strconv.Itoa(number)
	}
	p.LogonName = given.address[:1] + strconv.Itoa(10000+i)
	p.Mail = local + "@" + g.o.Domain
	g.employ(&p)
	switch {
	case i%97 == 23:
		p.Surname = ""
	case i%83 == 31:
		p.Mail = ""
	case i%211 == 40:
		p.Mail = g.person(i - 1).Mail
	case i%19 == 5:
		p.Mail = local + "@" + g.o.OtherDomain
	}
	return p
}

// employ gives department, title and manager: the first people lead the departments.
func (g *generator) employ(p *Person) {
	d := g.pick(p.Index, 4, len(g.departments))
	if p.Index < len(g.departments) {
		d = p.Index
	}
	p.Department, p.Manager = g.departments[d].name, d
	titles := g.titles[d]
	p.Title = titles[1+g.pick(p.Index, 5, len(titles)-1)]
	if p.Index == d {
		p.Title, p.Manager = titles[0], -1
	}
}

// unit is the organizational unit of a department below base.
func (g *generator) unit(department, base string) string {
	return "OU=" + escapeRDN(department, false) + ",OU=People," + g.o.Root + "," + base
}

func (g *generator) dn(p Person, base string) string {
	return "CN=" + escapeRDN(p.CN, false) + "," + g.unit(p.Department, base)
}

// fileTime is the 100 ns since 1601 in which Active Directory counts.
func fileTime(t time.Time) string {
	const epoch = 11644473600 // seconds from 1601 to 1970
	return strconv.FormatInt((t.Unix()+epoch)*1e7, 10)
}

// attrs are the person's attributes on a kind of server.
func (g *generator) attrs(p Person, s *Server) Attrs {
	a := Attrs{
		"cn": {p.CN}, "givenName": {p.GivenName}, "displayName": {strings.TrimSpace(p.GivenName + " " + p.Surname)},
		"department": {p.Department}, "title": {p.Title}, "telephoneNumber": {p.Phone}, "l": {p.City},
		"preferredLanguage": {p.Language}, "employeeID": {strconv.Itoa(100000 + p.Index)},
	}
	set := func(name, value string) {
		if value != "" {
			a[name] = []string{value}
		}
	}
	set("sn", p.Surname)
	set("mail", p.Mail)
	if s.o.Kind != ActiveDirectory {
		set("uid", p.LogonName)
		if p.Surname == "" {
			set("sn", "-") // the schema of inetOrgPerson wants one
		}
		if p.Disabled && s.o.Kind == DS389 {
			set("nsAccountLock", "TRUE")
		} else if p.Disabled {
			set("pwdAccountLockedTime", "000001010000Z")
		}
		return a
	}
	set("co", p.Country)
	set("sAMAccountName", p.LogonName)
	set("userPrincipalName", p.LogonName+"@"+g.o.Domain)
	if p.Disabled {
		set("userAccountControl", "514")
	}
	if p.Expired {
		set("accountExpires", fileTime(s.tree.clock().AddDate(0, -1, 0)))
	}
	return a
}
