package check

import (
	"net/http"
	"slices"
	"strings"
)

// filterCase is a filter and who of three users it finds: a, b and c. In the filter {mark} is what all user names begin
// with, {a}, {b} and {c} are these, {mail}, {home}, {id}, {external} and {family} are of a, and {plain} is a simple
// text attribute, which c does not have.
type filterCase struct {
	id, name, filter, want string
	needs                  feature
	attribute              string // without which there is nothing to try
	section                string // 3.4.2.2 where it is left out
	should                 bool
}

var filterCases = []filterCase{
	{id: "filter-eq", name: "eq", filter: `userName eq "{a}"`, want: "a"},
	{id: "filter-ne", name: "ne", filter: `userName ne "{a}" and userName sw "{mark}"`, want: "bc"},
	{id: "filter-co", name: "co", filter: `userName co "{mark}-b"`, want: "b"},
	{id: "filter-sw", name: "sw", filter: `userName sw "{mark}-"`, want: "abc"},
	{id: "filter-ew", name: "ew", filter: `userName ew "{tail}" and userName sw "{mark}"`, want: "b"},
	{id: "filter-gt", name: "gt", filter: `userName gt "{a}" and userName sw "{mark}"`, want: "bc"},
	{id: "filter-ge", name: "ge", filter: `userName ge "{a}" and userName sw "{mark}"`, want: "abc"},
	{id: "filter-lt", name: "lt", filter: `userName lt "{b}" and userName sw "{mark}"`, want: "a"},
	{id: "filter-le", name: "le", filter: `userName le "{b}" and userName sw "{mark}"`, want: "ab"},
	{id: "filter-pr", name: "pr", filter: `{plain} pr and userName sw "{mark}"`, want: "ab"},
	{id: "filter-not-pr", name: "not of pr", filter: `not ({plain} pr) and userName sw "{mark}"`, want: "c"},
	{id: "filter-and", name: "and", filter: `userName sw "{mark}" and userName co "{mark}-a"`, want: "a"},
	{id: "filter-or", name: "or", filter: `userName eq "{a}" or userName eq "{c}"`, want: "ac"},
	{id: "filter-precedence", name: "and binds more than or", filter: `userName eq "{a}" or userName eq "{b}" and userName eq "{c}"`, want: "a"},
	{id: "filter-parentheses", name: "parentheses", filter: `(userName eq "{a}" or userName eq "{b}") and userName co "{mark}-b"`, want: "b"},
	{id: "filter-not", name: "not", filter: `userName sw "{mark}" and not (userName eq "{a}" or userName eq "{b}")`, want: "c"},
	{id: "filter-keywords", name: "operators and names in any case", filter: `USERNAME Eq "{a}" OR username EQ "{b}"`, want: "ab"},
	{id: "filter-case", name: "values of what is not caseExact in any case", filter: `userName eq "{A}"`, want: "a"},
	{id: "filter-escapes", name: "escapes in values", filter: `{plain} eq "b says \"\u0062\" {mark}"`, want: "b"},
	{id: "filter-sub", name: "a sub-attribute", filter: `name.familyName eq "{family}"`, want: "a", attribute: "name"},
	{id: "filter-multi", name: "a value among several", filter: `emails.value eq "{home}"`, want: "a", attribute: "emails"},
	{id: "filter-multi-short", name: "a multi-valued attribute means its values", filter: `emails co "{home}"`, want: "a", attribute: "emails"},
	{id: "filter-value-path", name: "terms in brackets", filter: `emails[type eq "work" and value eq "{mail}"]`, want: "a", attribute: "emails"},
	{id: "filter-value-path-one", name: "terms in brackets are about one value", filter: `emails[type eq "home" and value eq "{mail}"]`, want: "", attribute: "emails"},
	{id: "filter-value-path-and", name: "brackets and other terms", filter: `userName sw "{mark}" and emails[type eq "home"] and not (userName eq "{b}")`, want: "ac", attribute: "emails"},
	{id: "filter-urn", name: "a name with the URN of its schema", filter: userURN + `:userName eq "{a}"`, want: "a", section: "3.10"},
	{id: "filter-urn-case", name: "the URN in another case", filter: strings.ToUpper(userURN) + `:userName eq "{a}"`, want: "a", section: "3.10", should: true},
	{id: "filter-id", name: "id", filter: `id eq "{id}"`, want: "a"},
	{id: "filter-external-id", name: "externalId", filter: `externalId eq "{external}"`, want: "a"},
	{id: "filter-boolean", name: "a boolean", filter: `active eq false and userName sw "{mark}"`, want: "b", attribute: "active"},
	{id: "filter-modified", name: "a time", filter: `meta.lastModified gt "2001-02-03T04:05:06Z" and userName sw "{mark}"`, want: "abc"},
	{id: "filter-modified-instant", name: "times are compared as instants, whatever their zone", filter: `meta.lastModified lt "2001-02-03T04:05:06+09:00" and userName sw "{mark}"`, want: ""},
	{id: "filter-resource-type", name: "meta.resourceType", filter: `meta.resourceType eq "User" and userName eq "{a}"`, want: "a"},
	{id: "filter-extension", name: "an attribute of an extension", filter: enterpriseURN + `:employeeNumber eq "{mark}-7"`, want: "a", needs: enterprise},
	{id: "filter-mixed", name: "core and extension in one filter", filter: `userName sw "{mark}" and ` + enterpriseURN + `:employeeNumber pr`, want: "a", needs: enterprise},
	{id: "filter-null", name: "eq null finds who has no value", filter: `{plain} eq null and userName sw "{mark}"`, want: "c", should: true},
}

// badFilters have to be refused with 400 invalidFilter.
var badFilters = []filterCase{
	{id: "filter-bad-end", name: "an operator without a value is 400 invalidFilter", filter: `userName eq`},
	{id: "filter-bad-operator", name: "an unknown operator is 400 invalidFilter", filter: `userName xx "a"`},
	{id: "filter-bad-parenthesis", name: "an open parenthesis is 400 invalidFilter", filter: `(userName eq "a"`},
	{id: "filter-bad-boolean", name: "an order of booleans is 400 invalidFilter", filter: `active gt true`, attribute: "active"},
	{id: "filter-bad-attribute", name: "an unknown attribute is 400 invalidFilter", filter: `usherdNoSuchAttribute eq "a"`, should: true},
}

func filterArea() area {
	a := area{name: "filter", rfc: "7644", needs: filtering}
	add := func(list []filterCase, run func(s *step, f filterCase)) {
		for _, f := range list {
			section := f.section
			if section == "" {
				section = "3.4.2.2"
			}
			a.cases = append(a.cases, testCase{id: f.id, section: section, name: f.name, needs: f.needs, should: f.should, run: func(s *step) { run(s, f) }})
		}
	}
	add(filterCases, filterFinds)
	add(badFilters, filterRefused)
	return a
}

// people are the three users that filters look for, made once.
type people struct {
	mark, plain string
	a, b, c     *resource
}

func (s *step) people() *people {
	if s.sv.people != nil {
		return s.sv.people
	}
	p := &people{plain: s.plain()}
	i := 0
	p.mark, p.a, p.b, p.c = s.three(func(o object) {
		i++ // b is made first, then a
		switch i {
		case 1:
			o[p.plain], o["active"] = `b says "b" `+p.markOf(o), false
		case 2:
			o[p.plain], o["externalId"] = "a "+p.markOf(o), p.markOf(o)+"-External"
			if s.sv.has(enterprise) {
				o["schemas"], o[enterpriseURN] = []any{userURN, enterpriseURN}, object{"employeeNumber": p.markOf(o) + "-7"}
			}
		default:
			delete(o, p.plain)
		}
	})
	if !s.over() {
		s.sv.people = p
	}
	return p
}

// markOf is what the userName of one of three begins with.
func (p *people) markOf(o object) string {
	mark, _, _ := strings.Cut(text(o, "userName"), "@")
	return mark[:strings.LastIndexByte(mark, '-')]
}

// fill puts real values into a filter.
func (p *people) fill(s *step, filter string) string {
	name := text(p.a.sent, "userName")
	return strings.NewReplacer(
		"{mark}", p.mark, "{plain}", p.plain, "{a}", name, "{A}", strings.ToUpper(name), "{b}", text(p.b.sent, "userName"), "{c}", text(p.c.sent, "userName"),
		"{tail}", s.sv.mail("-b"), "{mail}", s.sv.mail(p.mark+"-a"), "{home}", s.sv.mail(p.mark+"-z-a"), "{family}", p.mark+"-a", "{id}", p.a.id,
		"{external}", p.mark+"-External",
	).Replace(filter)
}

func filterFinds(s *step, f filterCase) {
	if f.attribute != "" {
		s.wants(userURN, f.attribute)
	}
	p := s.people()
	filter := p.fill(s, f.filter)
	list := s.find(s.sv.endpoint(users), filter)
	found := ids(list)
	var got []string
	for _, u := range []struct {
		letter string
		r      *resource
	}{{"a", p.a}, {"b", p.b}, {"c", p.c}} {
		if i := slices.Index(found, u.r.id); i >= 0 {
			got = append(got, u.letter)
			found = slices.Delete(found, i, i+1)
		}
	}
	s.expect(len(found) == 0, "nobody else to be found by "+filter, found)
	s.expect(strings.Join(got, "") == f.want, filter+" to find “"+f.want+"” of the users a, b and c", strings.Join(got, ""))
}

func filterRefused(s *step, f filterCase) {
	if f.attribute != "" {
		s.wants(userURN, f.attribute)
	}
	s.refused(s.get(query(s.sv.endpoint(users), "filter", f.filter)), http.StatusBadRequest, "invalidFilter")
}
