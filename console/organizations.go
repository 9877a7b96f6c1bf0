package console

import (
	"net/http"
	"strings"
	"time"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/page"
)

func (s *Server) organizations() {
	s.page("/organizations", see, (*visit).organizations)
	s.body("organizations", organizationsPage{})
	s.page("/organizations/{org}", see, (*visit).organization)
	s.body("organization", organizationPage{})
}

// organizationsPage are the organizations in which the person has a role.
type organizationsPage struct{ Rows []organizationRow }

// organizationRow is one organization.
type organizationRow struct {
	Address, ID, Name string
	Role              string
	Partner           string // "" = nobody can be created
	People            string
	Sources           string
}

func (v *visit) organizations() {
	var p organizationsPage
	for _, o := range v.set.Organizations {
		if _, has := v.roles[o.Settings.ID]; !has {
			continue
		}
		row, err := v.organizationRow(o)
		if err != nil {
			v.accident("organizations", err)
			return
		}
		p.Rows = append(p.Rows, row)
	}
	v.show(http.StatusOK, "organizations", frame{Title: v.t("nav.organizations", nil), State: v.t("organizations.state", nil)}, p)
}

func (v *visit) organizationRow(o *Organization) (organizationRow, error) {
	x := o.Settings
	row := organizationRow{
		Address: v.of(o, "/organizations/"+x.ID), ID: x.ID, Name: x.Name, Partner: x.PartnerID, Role: v.t("words.role."+string(v.roles[x.ID]), nil), Sources: v.number(len(x.Sources)),
	}
	if row.Name == "" {
		row.Name = x.ID
	}
	counts, err := v.s.o.Store.CountUsers(v.r.Context(), x.ID)
	people := 0
	for state, n := range counts {
		if state.Live() {
			people += n
		}
	}
	row.People = v.number(people)
	return row, err
}

// of is a path of the console in another organization than the one that the page is about.
func (v *visit) of(o *Organization, path string) string {
	was := v.org
	v.org = o
	defer func() { v.org = was }()
	return v.link(path)
}

// organizationPage is one organization as the configuration has it.
type organizationPage struct {
	organizationRow
	Contact  []fact
	Rules    []fact
	Sources  []sourceLine
	Domains  []domainRow
	Packages []packageRow
}

// sourceLine is one source of an organization, in order of priority.
type sourceLine struct {
	Address, ID, Kind string
}

func (v *visit) organization() {
	o := v.organizationOf(v.r.PathValue("org"))
	if o == nil {
		v.say(http.StatusNotFound, "console.nowhere", nil)
		return
	}
	row, err := v.organizationRow(o)
	p := organizationPage{organizationRow: row, Contact: v.contactFacts(o.Settings), Rules: v.ruleFacts(o.Settings)}
	if err == nil {
		err = v.fillOrganization(&p, o)
	}
	if err != nil {
		v.accident("organization", err)
		return
	}
	v.show(http.StatusOK, "organization", frame{Title: row.Name, Crumbs: []crumb{{v.t("nav.organizations", nil), v.link("/organizations")}}}, p)
}

// organizationOf is the organization of that id in which the person has a role, nil = there is none.
func (v *visit) organizationOf(id string) *Organization {
	for _, o := range v.set.Organizations {
		if _, has := v.roles[id]; has && o.Settings.ID == id {
			return o
		}
	}
	return nil
}

// fillOrganization reads what is kept of an organization: it and not the one of the visit is what rows lead to.
func (v *visit) fillOrganization(p *organizationPage, o *Organization) error {
	was := v.org
	v.org = o
	defer func() { v.org = was }()
	for i := range o.Settings.Sources {
		s := &o.Settings.Sources[i]
		line := sourceLine{ID: v.doorName(s), Kind: v.t("words.kind."+string(s.Kind), nil), Address: v.link("/sources/" + s.ID)}
		if s.Kind == connector.Template {
			line.Address = v.link("/templates/" + s.ID)
		}
		p.Sources = append(p.Sources, line)
	}
	list, err := o.Domains.List(v.r.Context())
	if err != nil {
		return err
	}
	for i := range list {
		p.Domains = append(p.Domains, v.domainRow(&list[i]))
	}
	seats, err := v.s.o.Store.Seats(v.r.Context(), o.Settings.ID)
	for _, n := range seats {
		p.Packages = append(p.Packages, v.packageRow(n, nil))
	}
	return err
}

// contactFacts are whom people of the organization ask.
func (v *visit) contactFacts(o *connector.Organization) []fact {
	var list []fact
	for _, x := range []struct{ key, value string }{{"contact.name", o.Contact.Name}, {"contact.email", o.Contact.Email}, {"contact.phone", o.Contact.Phone}, {"contact.url", o.Contact.URL}} {
		if x.value != "" {
			list = append(list, fact{Name: v.t("organizations."+x.key, nil), Value: x.value})
		}
	}
	return list
}

// languageNames are the names of languages; where the configuration has none, it is the first of all.
func languageNames(tags []string) string {
	if len(tags) == 0 {
		tags = failure.Languages()[:1]
	}
	list := make([]string, len(tags))
	for i, tag := range tags {
		list[i] = page.LanguageName(tag)
	}
	return strings.Join(list, ", ")
}

// ruleFacts are the rules by which the organization decides.
func (v *visit) ruleFacts(o *connector.Organization) []fact {
	yes := func(b bool) string { return v.t(map[bool]string{true: "templates.yes", false: "templates.no"}[b], nil) }
	days := func(d time.Duration) string { return v.s.pages.Count(v.lang, "organizations.days", int(d.Hours()/24)) }
	var required []string
	for _, name := range o.Required {
		required = append(required, v.s.catalogue.Label(name, v.lang))
	}
	list := []fact{
		{Name: v.t("organizations.approval", nil), Value: yes(o.Approval)},
		{Name: v.t("organizations.second", nil), Value: yes(o.SecondApprover)},
		{Name: v.t("organizations.holds", nil), Value: yes(o.InactiveHoldsSeat)},
		{Name: v.t("organizations.deleteafter", nil), Value: days(o.DeleteAfter)},
		{Name: v.t("organizations.goneafter", nil), Value: days(o.GoneDeleteAfter)},
		{Name: v.t("templates.languages", nil), Value: languageNames(o.Languages)},
	}
	if len(required) > 0 {
		list = append(list, fact{Name: v.t("organizations.required", nil), Value: strings.Join(required, ", ")})
	}
	return list
}
