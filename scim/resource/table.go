package resource

import "usherd/scim/schema"

// place is where a single-valued attribute of a profile stands in a User. Section is "" for the top, else the name
// of the complex attribute or the URN of the extension that it stands in.
type place struct {
	attribute string
	section   string
	name      string
}

var places = []place{
	{"userName", "", "userName"},
	{"formattedName", "name", "formatted"},
	{"familyName", "name", "familyName"},
	{"givenName", "name", "givenName"},
	{"middleName", "name", "middleName"},
	{"honorificPrefix", "name", "honorificPrefix"},
	{"honorificSuffix", "name", "honorificSuffix"},
	{"displayName", "", "displayName"},
	{"nickName", "", "nickName"},
	{"profileUrl", "", "profileUrl"},
	{"title", "", "title"},
	{"userType", "", "userType"},
	{"preferredLanguage", "", "preferredLanguage"},
	{"locale", "", "locale"},
	{"timezone", "", "timezone"},
	{"employeeNumber", schema.EnterpriseURN, "employeeNumber"},
	{"costCenter", schema.EnterpriseURN, "costCenter"},
	{"organization", schema.EnterpriseURN, "organization"},
	{"division", schema.EnterpriseURN, "division"},
	{"department", schema.EnterpriseURN, "department"},
}

// manager stands one level deeper than the others.
const manager = "manager"

// list is a multi-valued complex attribute.
type list struct {
	name    string // in the User
	details string // attribute of the profile that keeps whole elements
	// plain writes the elements that the plain attributes of the profile mean, and split gives the plain attributes that
	// the elements mean. Both are nil where there are none.
	plain func(w *elements, p Profile)
	split func(elements []element) Profile
}

var lists = []list{
	{"emails", "emails", plainEmails, splitEmails},
	{"phoneNumbers", "phoneNumbers", plainPhones, splitPhones},
	{"addresses", "addresses", plainAddresses, splitAddresses},
	{"roles", "roleDetails", plainValues("roles"), splitValues("roles")},
	{"entitlements", "entitlementDetails", plainValues("entitlements"), splitValues("entitlements")},
	{"ims", "ims", nil, nil},
	{"photos", "photos", nil, nil},
	{"x509Certificates", "x509Certificates", nil, nil},
}
