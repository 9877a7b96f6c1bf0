package ldapsync

import (
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"usherd/connector"
)

// PeopleFilter is the filter that finds people: that of the configuration, or of the type.
func (c *Config) PeopleFilter() string { return c.filter() }

// Criteria takes a filter apart, so that it can be told in words. One that is malformed is a whole of its own.
func Criteria(filter string) connector.Criterion {
	p, err := ldap.CompileFilter(filter)
	if err != nil {
		return connector.Criterion{Kind: connector.CriterionOther, Value: filter}
	}
	return criterion(p)
}

// joined are the kinds of parts with parts.
var joined = map[ber.Tag]connector.CriterionKind{
	ldap.FilterAnd: connector.CriterionAll, ldap.FilterOr: connector.CriterionAny, ldap.FilterNot: connector.CriterionNot,
}

// compared are the kinds of parts with attribute and value.
var compared = map[ber.Tag]connector.CriterionKind{
	ldap.FilterEqualityMatch: connector.CriterionEqual, ldap.FilterApproxMatch: connector.CriterionEqual,
	ldap.FilterGreaterOrEqual: connector.CriterionAtLeast, ldap.FilterLessOrEqual: connector.CriterionAtMost,
}

func criterion(p *ber.Packet) connector.Criterion {
	if kind, ok := joined[p.Tag]; ok {
		c := connector.Criterion{Kind: kind}
		for _, child := range p.Children {
			c.Parts = append(c.Parts, criterion(child))
		}
		return c
	}
	if kind, ok := compared[p.Tag]; ok && len(p.Children) == 2 {
		return connector.Criterion{Kind: kind, Attribute: textOf(p.Children[0]), Value: textOf(p.Children[1])}
	}
	text, err := ldap.DecompileFilter(p)
	if err != nil {
		return connector.Criterion{Kind: connector.CriterionOther, Value: err.Error()}
	}
	inner := strings.TrimSuffix(strings.TrimPrefix(text, "("), ")")
	name, value, _ := strings.Cut(inner, "=")
	if p.Tag == ldap.FilterPresent {
		return connector.Criterion{Kind: connector.CriterionPresent, Attribute: name}
	}
	if p.Tag == ldap.FilterSubstrings {
		return connector.Criterion{Kind: connector.CriterionLike, Attribute: name, Value: value}
	}
	if attribute, bits := strings.CutSuffix(name, ":1.2.840.113556.1.4.803:"); bits { // LDAP_MATCHING_RULE_BIT_AND
		return connector.Criterion{Kind: connector.CriterionBits, Attribute: attribute, Value: value}
	}
	return connector.Criterion{Kind: connector.CriterionOther, Value: text}
}

func textOf(p *ber.Packet) string { return strings.ToValidUTF8(p.Data.String(), "\ufffd") }
