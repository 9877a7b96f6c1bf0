package policy

import (
	"fmt"
	"slices"
	"strings"

	"usherd/connector"
)

// Input is everything that the rules look at for one person.
type Input struct {
	Org     *connector.Organization
	Source  *connector.SourceSettings // may be nil
	Record  *connector.Record         // raw, may be nil
	Profile connector.Profile         // as it would be stored
	Said    connector.Profile         // by the source itself; nil where that does not matter
	Package string                    // as it would be stored; "" = none
	Faults  []connector.AttributeFault
	// Domains is the standing of the domain of each e-mail address, by EmailDomain. One that is not
	// there is neither verified nor claimed.
	Domains map[string]connector.DomainStanding
	// TakenOver are the addresses (folded) whose users other organizations have claimed from this one. Nil when
	// there are none.
	TakenOver map[string]bool
	// Holder says whether another live person, stored or planned in this run, holds the key, and who
	// in words for a report ("CN=Ann,OU=..."). Nil when nobody else can.
	Holder func(connector.UserKey) (who string, held bool)
	Code   connector.Code // CodeCreation or CodeUpdate
}

// Check returns every refusal at once, one for each reason with all its fields, the most fundamental
// first; none when the person may be stored. UserID, Ref and At are left to the caller. It is safe for
// concurrent use as far as Holder is.
func Check(in Input) []connector.Failure {
	c := checker{in: &in}
	c.partner()
	c.memberStatus()
	c.required()
	c.faults(connector.AttributeInvalid)
	c.faults(connector.AttributeTooLong)
	c.addresses()
	c.domainAllowed()
	c.packageKnown()
	return c.failures
}

// maxNamed bounds how many values one Detail spells out.
const maxNamed = 5

type checker struct {
	in       *Input
	failures []connector.Failure
}

func (c *checker) fail(f connector.Failure) {
	f.Code = c.in.Code
	f.Org = c.in.Org.ID
	if c.in.Source != nil {
		f.Source = c.in.Source.ID
	}
	f.Subject = c.in.Profile.Subject()
	if f.Subject == "" && c.in.Record != nil {
		f.Subject = c.in.Record.DN
	}
	c.failures = append(c.failures, f)
}

func (c *checker) partner() {
	if strings.TrimSpace(c.in.Org.PartnerID) == "" {
		c.fail(connector.Failure{Reason: connector.PartnerIDMissing})
	}
}

// memberStatus refuses a record that carries a Member Status, which would be taken for the account's own.
func (c *checker) memberStatus() {
	found := ""
	if c.in.Record != nil {
		for i := range c.in.Record.Attributes {
			if a := &c.in.Record.Attributes[i]; len(a.Values) > 0 && isMemberStatus(a.Name) {
				found = fmt.Sprintf("the record carries %q", a.Name)
				break
			}
		}
	}
	if found == "" {
		for name := range c.in.Profile {
			if isMemberStatus(name) {
				found = fmt.Sprintf("the mapping gives %q", name)
				break
			}
		}
	}
	if found != "" {
		c.fail(connector.Failure{Reason: connector.MemberStatusPresent, Fields: []string{connector.MemberStatus}, Detail: found})
	}
}

// isMemberStatus compares letters only, in any case, of the last part of the name: a claim's URI, a
// SCIM URN and LDAP options (RFC 4512 2.5) stand around it.
func isMemberStatus(name string) bool {
	const want = "memberstatus"
	name, _, _ = strings.Cut(name, ";")
	name = name[strings.LastIndexAny(name, "/:#.")+1:]
	n := 0
	for i := range len(name) {
		b := name[i] | 0x20
		if b < 'a' || b > 'z' {
			continue
		}
		if n == len(want) || b != want[n] {
			return false
		}
		n++
	}
	return n == len(want)
}

// alwaysRequired stands before what the organization adds.
var alwaysRequired = []string{connector.UserName, connector.GivenName, connector.FamilyName, connector.Email}

// Required are the attributes that each user of the organization has to have, in the order in which they are shown.
func Required(org *connector.Organization) []string {
	list := slices.Clone(alwaysRequired)
	for _, name := range org.Required {
		if !neverRequired(name) && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

func (c *checker) required() {
	missing := slices.DeleteFunc(Required(c.in.Org), func(name string) bool { return !c.misses(name) })
	if len(missing) > 0 {
		c.fail(connector.Failure{Reason: connector.RequiredMissing, Fields: missing})
	}
}

func neverRequired(name string) bool {
	name = name[strings.LastIndexByte(name, '.')+1:]
	return strings.EqualFold(name, "uid") || strings.EqualFold(name, "updatetimestamp")
}

// misses reports whether the attribute has no value but blanks and no fault that says so better.
func (c *checker) misses(name string) bool {
	for _, v := range c.in.Profile[name] {
		if strings.TrimSpace(v) != "" {
			return false
		}
	}
	return !c.faulty(name)
}

func (c *checker) faulty(name string) bool {
	return slices.ContainsFunc(c.in.Faults, func(f connector.AttributeFault) bool { return f.Attribute == name })
}

func (c *checker) faults(reason connector.Reason) {
	var fields, details []string
	for _, f := range c.in.Faults {
		if (f.Reason == connector.AttributeTooLong) != (reason == connector.AttributeTooLong) {
			continue
		}
		if !slices.Contains(fields, f.Attribute) {
			fields = append(fields, f.Attribute)
		}
		if f.Detail != "" {
			details = append(details, f.Attribute+": "+f.Detail)
		}
	}
	if fields != nil {
		c.fail(connector.Failure{Reason: reason, Fields: fields, Detail: sentence(details)})
	}
}

// addresses checks form, uniqueness and domain of the user name and all addresses.
func (c *checker) addresses() {
	var invalid, taken, claimed finding
	for _, name := range []string{connector.Email, connector.OtherEmails} {
		for i, address := range c.in.Profile[name] {
			if strings.TrimSpace(address) == "" || name == connector.Email && i > 0 {
				continue
			}
			if err := CheckAddress(strings.TrimSpace(address)); err != nil { // blanks around it are none of it
				invalid.add(name, err.Error())
				continue
			}
			if who, held := c.holder(connector.Email, address); held {
				taken.add(name, "also carried by "+who)
			}
			if domain, ok := EmailDomain(address); ok && (c.in.Domains[domain].ClaimedElsewhere || c.in.TakenOver[connector.Fold(strings.TrimSpace(address))]) {
				claimed.add(name, domain)
			}
		}
	}
	if invalid.fields != nil {
		c.fail(connector.Failure{Reason: connector.EmailInvalid, Fields: invalid.fields, Detail: sentence(invalid.details)})
	}
	if who, held := c.holder(connector.UserName, c.in.Profile.Get(connector.UserName)); held {
		c.fail(connector.Failure{Reason: connector.UserNameTaken, Fields: []string{connector.UserName}, Detail: "also carried by " + who})
	}
	if taken.fields != nil {
		c.fail(connector.Failure{Reason: connector.EmailTaken, Fields: taken.fields, Detail: sentence(taken.details)})
	}
	if claimed.fields != nil {
		f := connector.Failure{Reason: connector.DomainClaimedElsewhere, Fields: claimed.fields, Domain: claimed.details[0]}
		if len(claimed.details) > 1 {
			f.Detail = "domains claimed by other organizations: " + list(claimed.details, ", ")
		}
		c.fail(f)
	}
}

// domainAllowed refuses an address that the source brings in a domain which it may not bring.
func (c *checker) domainAllowed() {
	if c.in.Source == nil || len(c.in.Source.Domains) == 0 {
		return
	}
	domain, ok := EmailDomain(c.in.Said.Get(connector.Email))
	if ok && !Below(domain, c.in.Source.Domains) {
		c.fail(connector.Failure{
			Reason: connector.DomainNotAllowed, Fields: []string{connector.Email}, Domain: domain, Detail: "allowed are " + list(c.in.Source.Domains, ", "),
		})
	}
}

// Below reports whether a domain, in ASCII form, is one of a list or stands below one.
func Below(domain string, list []string) bool {
	for _, up := range connector.ParentDomains(domain) {
		if slices.Contains(list, up) {
			return true
		}
	}
	return false
}

func (c *checker) holder(kind, value string) (string, bool) {
	if c.in.Holder == nil {
		return "", false
	}
	folded := connector.Fold(value)
	if folded == "" {
		return "", false
	}
	who, held := c.in.Holder(connector.UserKey{Kind: kind, Value: folded})
	if who == "" {
		who = "another user"
	}
	return who, held
}

// packageKnown refuses a package that the organization does not have: a mistake of mapping or source.
func (c *checker) packageKnown() {
	if c.in.Package == "" {
		return
	}
	if _, ok := c.in.Org.Package(c.in.Package); ok {
		return
	}
	ids := make([]string, len(c.in.Org.Packages))
	for i, p := range c.in.Org.Packages {
		ids[i] = p.ID
	}
	detail := "the organization has no packages"
	if len(ids) > 0 {
		detail = "the organization has " + list(ids, ", ")
	}
	c.fail(connector.Failure{Reason: connector.PackageUnknown, Package: c.in.Package, Detail: detail})
}

// finding collects the fields that share a reason, each once, and what is to be said, at most
// maxNamed+1 texts however many values there are.
type finding struct{ fields, details []string }

func (f *finding) add(field, detail string) {
	if !slices.Contains(f.fields, field) {
		f.fields = append(f.fields, field)
	}
	if len(f.details) <= maxNamed && !slices.Contains(f.details, detail) {
		f.details = append(f.details, detail)
	}
}

func sentence(parts []string) string { return list(parts, "; ") }

// list joins the first parts and says when there are more.
func list(parts []string, sep string) string {
	if len(parts) > maxNamed {
		return strings.Join(parts[:maxNamed], sep) + sep + "and more"
	}
	return strings.Join(parts, sep)
}
