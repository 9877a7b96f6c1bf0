package connector

import "strings"

// AttributeType says what the values of an attribute look like in a Profile, where all are kept as
// canonical text.
type AttributeType int

// The types and their canonical text.
const (
	TextType     AttributeType = iota // Unicode text without control characters, blanks trimmed
	EmailType                         // an address as it came, checked by policy
	BoolType                          // true, false
	IntegerType                       // decimal
	TimeType                          // RFC 3339 in UTC
	BinaryType                        // base64 (RFC 4648, padded)
	ElementsType                      // a JSON array of objects: the elements of a complex attribute of RFC 7643
)

// AttributeInfo describes one attribute of a profile.
type AttributeInfo struct {
	Name   string
	Label  string // as people know it: "First Name"
	Type   AttributeType
	Multi  bool
	MaxLen int // in characters, of one value; for BinaryType in bytes before encoding
}

// The attributes that rules speak of by name.
const (
	UserName     = "userName"
	GivenName    = "givenName"
	FamilyName   = "familyName"
	Email        = "email"
	OtherEmails  = "otherEmails"
	DisplayName  = "displayName"
	MemberStatus = "memberStatus" // must not be there: see failure member_status_present
)

// customPrefix begins the name of an attribute that the organization has made up.
const customPrefix = "custom."

// attributes is the schema of profiles; names follow RFC 7643 where it has one. Those of ElementsType keep what
// the plain ones beside them cannot say of elements that were pushed: their types, their order.
var attributes = []AttributeInfo{
	{UserName, "User Name", TextType, false, 256},
	{GivenName, "First Name", TextType, false, 128},
	{FamilyName, "Last Name", TextType, false, 128},
	{Email, "Email", EmailType, false, 254},
	{OtherEmails, "Other Emails", EmailType, true, 254},
	{DisplayName, "Display Name", TextType, false, 256},
	{"formattedName", "Formatted Name", TextType, false, 256},
	{"middleName", "Middle Name", TextType, false, 128},
	{"honorificPrefix", "Honorific Prefix", TextType, false, 64},
	{"honorificSuffix", "Honorific Suffix", TextType, false, 64},
	{"nickName", "Nickname", TextType, false, 128},
	{"profileUrl", "Profile URL", TextType, false, 2048},
	{"title", "Title", TextType, false, 256},
	{"userType", "User Type", TextType, false, 128},
	{"employeeNumber", "Employee Number", TextType, false, 128},
	{"department", "Department", TextType, false, 256},
	{"division", "Division", TextType, false, 256},
	{"organization", "Organization", TextType, false, 256},
	{"costCenter", "Cost Center", TextType, false, 128},
	{"manager", "Manager", TextType, false, 1024},
	{"preferredLanguage", "Preferred Language", TextType, false, 64},
	{"locale", "Locale", TextType, false, 64},
	{"timezone", "Time Zone", TextType, false, 64},
	{"phone", "Phone", TextType, false, 64},
	{"mobilePhone", "Mobile Phone", TextType, false, 64},
	{"fax", "Fax", TextType, false, 64},
	{"otherPhones", "Other Phones", TextType, true, 64},
	{"streetAddress", "Street Address", TextType, false, 1024},
	{"locality", "City", TextType, false, 256},
	{"region", "Region", TextType, false, 256},
	{"postalCode", "Postal Code", TextType, false, 64},
	{"country", "Country", TextType, false, 128},
	{"roles", "Roles", TextType, true, 256},
	{"entitlements", "Entitlements", TextType, true, 256},
	{"photo", "Photo", BinaryType, false, 128 << 10},
	{"hireDate", "Hire Date", TimeType, false, 64},
	{"emails", "E-mail Details", ElementsType, false, 16384},
	{"phoneNumbers", "Phone Details", ElementsType, false, 16384},
	{"addresses", "Addresses", ElementsType, false, 16384},
	{"ims", "Instant Messaging", ElementsType, false, 16384},
	{"photos", "Photos", ElementsType, false, 65536},
	{"x509Certificates", "Certificates", ElementsType, false, 65536},
	{"roleDetails", "Role Details", ElementsType, false, 16384},
	{"entitlementDetails", "Entitlement Details", ElementsType, false, 16384},
	{MemberStatus, "Member Status", TextType, false, 256},
}

var attributeByName = func() map[string]AttributeInfo {
	m := make(map[string]AttributeInfo, len(attributes))
	for _, a := range attributes {
		m[a.Name] = a
	}
	return m
}()

// Attributes returns the schema in the order in which attributes are shown.
func Attributes() []AttributeInfo { return append([]AttributeInfo(nil), attributes...) }

// AttributeByName returns the description of an attribute. A name that begins with "custom." is
// always known: text, many values allowed, at most 1,024 characters each.
func AttributeByName(name string) (AttributeInfo, bool) {
	if a, ok := attributeByName[name]; ok {
		return a, true
	}
	if rest, ok := strings.CutPrefix(name, customPrefix); ok && rest != "" {
		return AttributeInfo{name, rest, TextType, true, 1024}, true
	}
	return AttributeInfo{}, false
}

// Label returns the name of an attribute as people know it.
func Label(name string) string {
	if a, ok := AttributeByName(name); ok {
		return a.Label
	}
	return name
}
