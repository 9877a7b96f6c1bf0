package ldifgen

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"unicode/utf16"
)

// Options say what to write. The zero value is the bare suffix with its two organizational units.
// Fields that end in a percentage take that share of the people, 0 to 100.
type Options struct {
	AD     bool   // user and group for Active Directory; else inetOrgPerson and groupOfNames
	Base   string // suffix; dc=example,dc=test, or DC=lab,DC=test with AD
	NoRoot bool   // leave out the suffix and the organizational units
	Seed   uint64 // other seeds give other people

	Users int // people u0000001, u0000002 and so on
	First int // number of the first one; 0 is 1

	Groups  int   // groups g00001, g00002 and so on
	Members int   // people in each of them; 0 is 50
	Big     []int // sizes of groups big1, big2 and so on; Active Directory cuts an attribute at 1,500 values
	Nest    int   // length of the chain nest1 > nest2 > ...; the last has Members people, the others one
	Cycle   bool  // the last of the chain contains the first; not with AD, which refuses members that do not exist yet

	Password     string // of every person; none when empty (slow with AD)
	DisabledAttr string // "name=value" that marks a disabled inetOrgPerson; employeeType=Inactive
	Domains      []string
	NameDN       bool // the name in the RDN, with an escaped comma: CN=Bauer\, Anna (u0000001)

	Disabled  int // percent disabled
	Expired   int // percent with accountExpires in the past (AD); the others have 0 or 9223372036854775807
	NoMail    int // percent without mail
	NoSurname int // percent without surname; inetOrgPerson has to have one: it is "-"
	MixedCase int // percent with mail in mixed case, the domain too
	Duplicate int // percent with the mail of the person before, in capitals
	UTF8      int // percent with names from other scripts
}

// Mess returns o with a bit of everything that is awkward about real directories, where o says nothing.
func Mess(o Options) Options {
	set := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	set(&o.Disabled, 5)
	set(&o.Expired, 1)
	set(&o.NoMail, 2)
	set(&o.NoSurname, 2)
	set(&o.MixedCase, 5)
	set(&o.Duplicate, 1)
	set(&o.UTF8, 10)
	if o.Domains == nil {
		o.Domains = []string{"example.test", "corp.example.test", "example.org"}
	}
	o.NameDN = true
	return o
}

// Write writes what o says to w as LDIF (RFC 2849), ready for slapadd, ldif2db and ldbadd: whatever an
// entry refers to comes before it. It returns the first error of w.
func Write(w io.Writer, o Options) error {
	g, err := newGenerator(w, o)
	if err != nil {
		return err
	}
	if !o.NoRoot {
		g.root()
	}
	for i := g.First; i < g.First+g.Users; i++ {
		g.user(i)
	}
	g.allGroups()
	return g.w.Flush()
}

// To returns Write with o as a function of the writer alone, the form in which servers take their entries.
func To(o Options) func(io.Writer) error {
	return func(w io.Writer) error { return Write(w, o) }
}

// generator writes; its bufio.Writer keeps the first error until Flush.
type generator struct {
	Options
	w              *bufio.Writer
	people, groups string // the two organizational units
	drawn          uint64 // groups written, which number their random draws
	offName        string // the attribute that marks a disabled inetOrgPerson
	offValue       string
}

func newGenerator(w io.Writer, o Options) (*generator, error) {
	if o.AD && o.Cycle {
		return nil, errors.New("ldifgen: Cycle is not possible with AD: add the last member with ldapmodify")
	}
	if o.Base == "" {
		o.Base = "dc=example,dc=test"
		if o.AD {
			o.Base = "DC=lab,DC=test"
		}
	}
	if o.First == 0 {
		o.First = 1
	}
	if o.Members == 0 {
		o.Members = 50
	}
	if o.DisabledAttr == "" {
		o.DisabledAttr = "employeeType=Inactive"
	}
	if len(o.Domains) == 0 {
		o.Domains = []string{"example.test"}
	}
	g := &generator{Options: o, w: bufio.NewWriterSize(w, 1<<20), people: "ou=People," + o.Base, groups: "ou=Groups," + o.Base}
	g.offName, g.offValue, _ = strings.Cut(o.DisabledAttr, "=")
	return g, nil
}

func (g *generator) root() {
	if !g.AD {
		dc := strings.TrimPrefix(strings.Split(g.Base, ",")[0], "dc=")
		fmt.Fprintf(g.w, "dn: %s\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: %s\n\n", g.Base, dc)
	}
	for _, ou := range []string{"People", "Groups"} {
		fmt.Fprintf(g.w, "dn: ou=%s,%s\nobjectClass: organizationalUnit\nou: %s\n\n", ou, g.Base, ou)
	}
}

func (g *generator) userDN(i int) string {
	switch {
	case g.NameDN:
		p := g.person(i)
		return fmt.Sprintf(`%s=%s\, %s (%s),%s`, g.rdn(), p.sn, p.given, p.uid, g.people)
	case g.AD:
		return fmt.Sprintf("CN=%s,%s", uid(i), g.people)
	default:
		return fmt.Sprintf("uid=%s,%s", uid(i), g.people)
	}
}

func (g *generator) rdn() string {
	if g.AD {
		return "CN"
	}
	return "cn"
}

func (g *generator) user(i int) {
	p := g.person(i)
	g.attr("dn", g.userDN(i))
	if g.AD {
		g.adUser(p)
	} else {
		g.inetOrgPerson(&p)
	}
	if !p.noSN {
		g.attr("sn", p.sn)
	} else if !g.AD {
		g.attr("sn", "-")
	}
	g.attr("givenName", p.given)
	g.attr("displayName", p.name())
	if p.mail != "" {
		g.attr("mail", p.mail)
	}
	g.attr("employeeNumber", strconv.Itoa(1000000+i))
	g.attr("employeeType", p.typ)
	g.attr("title", p.title)
	g.attr("telephoneNumber", p.phone)
	g.attr("l", p.city)
	if i > g.First {
		g.attr("manager", g.userDN(p.boss))
	}
	g.end()
}

func (g *generator) adUser(p person) {
	uac := 0x200 // NORMAL_ACCOUNT
	if g.Password == "" {
		uac |= 0x20 // PASSWD_NOTREQD
	}
	if p.disabled {
		uac |= 0x2 // ACCOUNTDISABLE
	}
	expires := "0" // never, like the largest number
	if p.expired {
		expires = "132223104000000000" // 2020-01-01
	} else if p.neverExpires {
		expires = "9223372036854775807"
	}
	g.attr("objectClass", "user")
	g.attr("sAMAccountName", p.uid)
	g.attr("userPrincipalName", p.uid+"@"+strings.ToLower(strings.NewReplacer("DC=", "", "dc=", "", ",", ".").Replace(g.Base)))
	g.attr("userAccountControl", strconv.Itoa(uac))
	g.attr("accountExpires", expires)
	if g.Password != "" {
		g.attr("unicodePwd", UnicodePwd(g.Password))
	}
	g.attr("department", p.dept)
}

func (g *generator) inetOrgPerson(p *person) {
	g.attr("objectClass", "inetOrgPerson")
	g.attr("uid", p.uid)
	cn := p.name()
	if g.NameDN {
		cn = fmt.Sprintf("%s, %s (%s)", p.sn, p.given, p.uid)
	}
	g.attr("cn", cn)
	g.attr("departmentNumber", p.room)
	g.attr("ou", p.dept)
	if g.Password != "" {
		g.attr("userPassword", g.Password)
	}
	switch {
	case !p.disabled:
	case g.offName == "employeeType": // which everybody has
		p.typ = g.offValue
	default:
		g.attr(g.offName, g.offValue)
	}
}

// allGroups writes the groups; what a group contains comes before it, as Active Directory wants it.
func (g *generator) allGroups() {
	for j := 1; j <= g.Groups; j++ {
		g.group(fmt.Sprintf("g%05d", j), g.Members)
	}
	for j, size := range g.Big {
		g.group(fmt.Sprintf("big%d", j+1), size)
	}
	link := func(j int) string { return fmt.Sprintf("%s=nest%d,%s", g.rdn(), j, g.groups) }
	for j := g.Nest; j >= 1; j-- {
		name := fmt.Sprintf("nest%d", j)
		switch {
		case j < g.Nest:
			g.group(name, 1, link(j+1))
		case g.Cycle:
			g.group(name, g.Members, link(1))
		default:
			g.group(name, g.Members)
		}
	}
}

// group writes one group with the members given and size people drawn without repetition.
func (g *generator) group(name string, size int, members ...string) {
	g.drawn++
	r := rand.New(rand.NewPCG(g.Seed, 1<<40+g.drawn))
	class, naming := "groupOfNames", "cn"
	if g.AD {
		class, naming = "group", "sAMAccountName"
	}
	fmt.Fprintf(g.w, "dn: %s=%s,%s\nobjectClass: %s\n", g.rdn(), name, g.groups, class)
	g.attr(naming, name)
	for _, m := range members {
		g.attr("member", m)
	}
	seen := make(map[int]bool, size)
	for len(seen) < min(size, g.Users) {
		if m := g.First + r.IntN(g.Users); !seen[m] {
			seen[m] = true
			g.attr("member", g.userDN(m))
		}
	}
	g.end()
}

// attr writes one attribute, in base64 where RFC 2849 asks for it.
func (g *generator) attr(name, value string) {
	plain := value != "" && !strings.ContainsRune(" :<", rune(value[0])) && value[len(value)-1] != ' '
	for i := 0; plain && i < len(value); i++ {
		plain = value[i] < 0x80 && value[i] >= ' '
	}
	g.w.WriteString(name)
	if plain {
		g.w.WriteString(": ")
		g.w.WriteString(value)
	} else {
		g.w.WriteString(":: ")
		g.w.WriteString(base64.StdEncoding.EncodeToString([]byte(value)))
	}
	g.end()
}

func (g *generator) end() { g.w.WriteByte('\n') }

// UnicodePwd is the form in which Active Directory takes a password: in quotes, as UTF-16 little endian.
func UnicodePwd(password string) string {
	units := utf16.Encode([]rune(`"` + password + `"`))
	b := make([]byte, 0, 2*len(units))
	for _, u := range units {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}
