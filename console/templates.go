package console

import (
	"net/http"
	"slices"

	"usherd/connector"
	"usherd/connector/policy"
	"usherd/connector/subscribers"
)

func (s *Server) templates() {
	s.page("/templates", see, (*visit).templates)
	s.body("templates", templatesPage{})
	s.page("/templates/{template}", see, (*visit).template)
	s.body("template", templatePage{})
}

// templatesPage are all templates, in the order of the configuration.
type templatesPage struct{ Rows []templateRow }

// templateRow is one template.
type templateRow struct {
	Address, ID, Name string
	Package           string
	Ready             pill
	Approval          bool
	Untrusted         bool
	Unannounced       bool
}

func (v *visit) templates() {
	var p templatesPage
	for i := range v.org.Settings.Templates {
		p.Rows = append(p.Rows, v.templateRow(&v.org.Settings.Templates[i]))
	}
	v.show(http.StatusOK, "templates", frame{Title: v.t("nav.templates", nil), State: v.t("templates.state", nil)}, p)
}

func (v *visit) templateRow(t *connector.TemplateSettings) templateRow {
	row := templateRow{
		Address: v.link("/templates/" + t.ID), ID: t.ID, Name: t.Name, Untrusted: t.Untrusted, Unannounced: t.Unannounced,
		Approval: subscribers.Approved(v.org.Settings, t), Package: v.packageName(subscribers.PackageOf(v.org.Settings, t)), Ready: pill{v.t("templates.ready", nil), "good"},
	}
	if !subscribers.Ready(subscribers.Checks(v.org.Settings, t, v.set.Activation)) {
		row.Ready = pill{v.t("templates.notready", nil), "warn"}
	}
	return row
}

// templateCheck is one thing that has to be so for people to activate.
type templateCheck struct {
	OK   bool
	Text string
	Help string // where it is not so
}

// templateChecks are all of them, by the configuration in force.
func (v *visit) templateChecks(t *connector.TemplateSettings) (list []templateCheck) {
	for _, c := range subscribers.Checks(v.org.Settings, t, v.set.Activation) {
		list = append(list, templateCheck{c.OK, v.t("templates.check."+c.Name+".ok", nil), v.t("templates.check."+c.Name+".help", nil)})
	}
	return list
}

// templatePage is one template.
type templatePage struct {
	templateRow
	Link      string // that people are given; "" = there is no portal
	Checks    []templateCheck
	Fields    []doorField
	Languages string
	Domains   []string
	Packages  []packageRow
	Counts    []tile
	Status    string // address of the list of its subscribers
}

func (v *visit) template() {
	t := v.org.Settings.Template(v.r.PathValue("template"))
	if t == nil {
		v.say(http.StatusNotFound, "console.nowhere", nil)
		return
	}
	p := templatePage{
		templateRow: v.templateRow(t), Checks: v.templateChecks(t), Languages: languageNames(v.org.Settings.LanguagesOf(t)), Status: v.link("/provisioning", "template", t.ID),
	}
	if v.set.Activation.Portal != "" {
		p.Link = subscribers.ShareLink(v.set.Activation.Portal, v.id(), t.ID)
	}
	if src := v.org.Settings.Source(t.ID); src != nil {
		for _, name := range src.Domains {
			p.Domains = append(p.Domains, nameOf(name).Unicode)
		}
	}
	v.templateFields(&p, t)
	err := v.templateCounts(&p, t)
	if err != nil {
		v.accident("template", err)
		return
	}
	v.show(http.StatusOK, "template", frame{Title: t.Name, Crumbs: []crumb{{v.t("nav.templates", nil), v.link("/templates")}}}, p)
}

// templateFields are what the activation page asks for.
func (v *visit) templateFields(p *templatePage, t *connector.TemplateSettings) {
	required := policy.Required(v.org.Settings)
	for _, name := range subscribers.Fields(t) {
		info, _ := connector.AttributeByName(name)
		p.Fields = append(p.Fields, doorField{
			Label: v.s.catalogue.Label(name, v.lang), Name: name, Required: slices.Contains(required, name), Most: v.number(info.MaxLen),
		})
	}
}

// templateCounts are the seats of the packages and the subscribers by status.
func (v *visit) templateCounts(p *templatePage, t *connector.TemplateSettings) error {
	seats, err := v.s.o.Store.Seats(v.r.Context(), v.id())
	if err != nil {
		return err
	}
	for _, n := range seats {
		if _, configured := v.org.Settings.Package(n.Package); configured {
			p.Packages = append(p.Packages, v.packageRow(n, nil))
		}
	}
	counts, err := v.s.o.Store.CountSubscribers(v.r.Context(), v.id(), t.ID)
	for _, s := range connector.SubscriberStatuses() {
		if n := counts[s]; n > 0 {
			x := v.statusPill(s)
			p.Counts = append(p.Counts, tile{
				Text: x.Text, Number: v.number(n), Kind: x.Kind, Share: -1, Address: v.link("/provisioning", "template", t.ID, "status", string(s)),
			})
		}
	}
	return err
}
