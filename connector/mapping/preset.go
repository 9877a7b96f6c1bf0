package mapping

import "usherd/connector"

// SCIM is the preset of sources that push: their records carry the names of the profile's attributes.
const SCIM = "scim"

// CSV is the preset of sources that are files: their columns carry the names of the profile's attributes, and package.
const CSV = "csv"

// SAML is the preset of sources where people sign in: their records carry attributes under the short names of LDAP where
// they have one, and under those that the identity provider gives them. The user name is not asked for under uid alone;
// the name by which the identity provider knows the person (subject) counts where it is made for people.
const SAML = "saml"

// Template is the preset of sources where people activate themselves: their records carry the names of the profile's
// attributes, and who has no user name is called by the address.
const Template = "template"

// presets are sets of rules for directories that keep to their usual schema. Photos are left out:
// they are large, and few want them copied.
var presets = map[string]map[string]Rule{
	"none": {},
	"active_directory": {
		"userName":          {"userPrincipalName ?? sAMAccountName"},
		"givenName":         {"givenName"},
		"familyName":        {"sn"},
		"email":             {"mail"},
		"otherEmails":       {`without(extract(proxyAddresses, "^smtp:(.+)$"), mail)`}, // SMTP: in capitals is the primary one
		"displayName":       {"displayName"},
		"formattedName":     {"cn"},
		"middleName":        {"middleName"},
		"honorificPrefix":   {"personalTitle"},
		"honorificSuffix":   {"generationQualifier"},
		"profileUrl":        {"wWWHomePage"},
		"title":             {"title"},
		"userType":          {"employeeType"},
		"employeeNumber":    {"employeeNumber ?? employeeID"},
		"department":        {"department"},
		"division":          {"division"},
		"organization":      {"company"},
		"manager":           {"manager"},
		"preferredLanguage": {"preferredLanguage"},
		"phone":             {"telephoneNumber"},
		"mobilePhone":       {"mobile"},
		"fax":               {"facsimileTelephoneNumber"},
		"otherPhones":       {"concat(otherTelephone, otherMobile)"},
		"streetAddress":     {"oneLine(streetAddress)"},
		"locality":          {"l"},
		"region":            {"st"},
		"postalCode":        {"postalCode"},
		"country":           {"c ?? co"},
	},
	SCIM:       asNamed(),
	CSV:        columns(),
	SAML:       saml(),
	Template:   announced(),
	"openldap": inetOrgPerson("without(mail, mail)"),
	"389ds":    inetOrgPerson("concat(without(mail, mail), without(mailAlternateAddress, mail))"),
}

// inetOrgPerson is RFC 2798 with what its parents bring. A bare mail is the first address where a
// text is wanted and all of them where a list is.
func inetOrgPerson(otherEmails string) map[string]Rule {
	return map[string]Rule{
		"userName":          {"uid"},
		"givenName":         {"givenName"},
		"familyName":        {"sn"},
		"email":             {"mail"},
		"otherEmails":       {otherEmails},
		"displayName":       {"displayName ?? cn"},
		"formattedName":     {"cn"},
		"honorificPrefix":   {"personalTitle"},
		"honorificSuffix":   {"generationQualifier"},
		"profileUrl":        {`extract(labeledURI, "^(\\S+)")`}, // "URI label", RFC 2079
		"title":             {"title"},
		"userType":          {"employeeType"},
		"employeeNumber":    {"employeeNumber"},
		"department":        {"departmentNumber ?? ou"},
		"organization":      {"o"},
		"manager":           {"manager"},
		"preferredLanguage": {"preferredLanguage"},
		"phone":             {"telephoneNumber"},
		"mobilePhone":       {"mobile"},
		"fax":               {"facsimileTelephoneNumber"},
		"otherPhones":       {"without(telephoneNumber, telephoneNumber)"},
		"streetAddress":     {`oneLine(street) ?? replace(postalAddress, "$", ", ")`},
		"locality":          {"l"},
		"region":            {"st"},
		"postalCode":        {"postalCode"},
		"country":           {"c ?? co"},
	}
}

// saml is inetOrgPerson with the other names that identity providers give to what is always required.
func saml() map[string]Rule {
	rules := inetOrgPerson("without(mail, mail)")
	rules["userName"] = Rule{"userName ?? uid ?? eduPersonPrincipalName ?? userPrincipalName ?? name ?? subject"}
	rules["givenName"] = Rule{"givenName ?? firstName"}
	rules["familyName"] = Rule{"sn ?? surname ?? lastName ?? familyName"}
	rules["email"] = Rule{"mail ?? email ?? emailAddress"}
	rules["phone"] = Rule{"telephoneNumber ?? phone"}
	rules["department"] = Rule{"departmentNumber ?? department ?? ou"}
	return rules
}

// asNamed takes every attribute of a profile from the one of the same name.
func asNamed() map[string]Rule {
	rules := map[string]Rule{}
	for _, a := range connector.Attributes() {
		rules[a.Name] = Rule{a.Name}
	}
	return rules
}

// announced is asNamed with a user name for everybody.
func announced() map[string]Rule {
	rules := asNamed()
	rules[connector.UserName] = Rule{connector.UserName + " ?? " + connector.Email}
	return rules
}

// columns is asNamed with the package, and without what no cell holds: pictures, and elements with types of their own.
func columns() map[string]Rule {
	rules := asNamed()
	for _, a := range connector.Attributes() {
		if a.Type == connector.BinaryType || a.Type == connector.ElementsType {
			delete(rules, a.Name)
		}
	}
	rules[packageTarget] = Rule{packageTarget}
	rules["streetAddress"] = Rule{"oneLine(streetAddress)"} // spreadsheets keep its lines
	return rules
}

// Presets returns the names of the sets of rules for directories; SCIM, SAML, Template and CSV are not among them.
func Presets() []string { return []string{"active_directory", "openldap", "389ds", "none"} }
