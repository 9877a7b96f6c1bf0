package ldapsync

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
)

func TestFiltersAreTakenApart(t *testing.T) {
	t.Parallel()
	leaf := func(kind connector.CriterionKind, attribute, value string) connector.Criterion {
		return connector.Criterion{Kind: kind, Attribute: attribute, Value: value}
	}
	for filter, want := range map[string]connector.Criterion{
		"(objectClass=inetOrgPerson)": leaf(connector.CriterionEqual, "objectClass", "inetOrgPerson"),
		"(&(mail=*)(|(sn=a*b*)(age>=18)(age<=99))(!(userAccountControl:1.2.840.113556.1.4.803:=2)))": {Kind: connector.CriterionAll, Parts: []connector.Criterion{
			leaf(connector.CriterionPresent, "mail", ""),
			{Kind: connector.CriterionAny, Parts: []connector.Criterion{
				leaf(connector.CriterionLike, "sn", "a*b*"), leaf(connector.CriterionAtLeast, "age", "18"), leaf(connector.CriterionAtMost, "age", "99"),
			}},
			{Kind: connector.CriterionNot, Parts: []connector.Criterion{leaf(connector.CriterionBits, "userAccountControl", "2")}},
		}},
		`(cn=<b>\28x\29)`: leaf(connector.CriterionEqual, "cn", "<b>(x)"),
		"(memberOf:1.2.840.113556.1.4.1941:=cn=a,dc=b)": leaf(connector.CriterionOther, "", "(memberOf:1.2.840.113556.1.4.1941:=cn=a,dc=b)"),
		"(((": leaf(connector.CriterionOther, "", "((("),
	} {
		if diff := cmp.Diff(want, Criteria(filter)); diff != "" {
			t.Errorf("%s\n%s", filter, diff)
		}
	}
	for _, kind := range []Type{ActiveDirectory, OpenLDAP, DS389, LDAP} {
		c := Config{Type: kind}
		if got := Criteria(c.PeopleFilter()); got.Kind != connector.CriterionEqual {
			t.Errorf("%s: %+v", kind, got)
		}
	}
}
