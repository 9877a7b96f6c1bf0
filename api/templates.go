package api

import (
	"context"
	"net/http"
	"slices"

	"usherd/connector"
	"usherd/connector/policy"
	"usherd/connector/subscribers"
)

func (s *Server) templates() {
	route(s, operation{
		id: "listTemplates", method: http.MethodGet, path: "/templates", scope: connector.APIRead, tag: subscribersTag,
		summary: "List the templates, under which people activate themselves, in the order of the configuration",
	}, s.listTemplates)
	route(s, operation{
		id: "getTemplate", method: http.MethodGet, path: "/templates/{template}", scope: connector.APIRead, tag: subscribersTag,
		summary: "Show a template: whether people can activate, what they are asked for, and how many are where",
	}, s.getTemplate)
}

// Template is what is set for people who activate themselves.
type Template struct {
	ID          string          `json:"id" example:"phones"`
	Name        string          `json:"name" example:"Phone users"`
	ShareLink   string          `json:"share_link,omitempty" doc:"The activation page, for its people; left out where there is no portal." example:"https://account.acme.test/activate/acme/phones"`
	Package     string          `json:"package,omitempty" doc:"Of those who are announced without one; left out: none." example:"standard"`
	Approval    bool            `json:"approval" doc:"Who activates waits for an administrator."`
	Untrusted   bool            `json:"untrusted_email" doc:"Announced addresses are not believed: people enter one, and prove it."`
	Unannounced bool            `json:"unannounced" doc:"People may activate whom nobody has announced."`
	Languages   []string        `json:"languages" doc:"Of its pages and mails, the first is the default; none: en."`
	Domains     []string        `json:"domains" doc:"In ASCII form, on which addresses have to be; none: any."`
	Ready       bool            `json:"ready" doc:"People can activate: every check is well."`
	Checks      []TemplateCheck `json:"checks"`
}

// TemplateCheck is one thing that has to be so for people to activate, by the configuration in force.
type TemplateCheck struct {
	Name string `json:"name" enum:"portal,mail,partner,seats,required" doc:"portal: there is an activation page; mail: links are sent; partner: the organization has a partner ID; seats: the package has any; required: all that is required is asked for or announced."`
	OK   bool   `json:"ok"`
}

// TemplateField is an attribute that the activation page asks for.
type TemplateField struct {
	Name     string `json:"name" example:"givenName"`
	Label    string `json:"label" doc:"In the language of Accept-Language." example:"First Name"`
	Required bool   `json:"required"`
	Most     int    `json:"max_length"`
}

// TemplateDetail is a template with its form and its people.
type TemplateDetail struct {
	Template
	Fields      []TemplateField                    `json:"fields" doc:"What the activation page asks for."`
	Subscribers map[connector.SubscriberStatus]int `json:"subscribers" doc:"By status; those without any are left out."`
}

// Templates are all of an organization.
type Templates struct {
	Templates []Template `json:"templates"`
}

type templatesOutput struct{ Body Templates }

func (s *Server) listTemplates(_ context.Context, c *call, _ *OrgPath) (*templatesOutput, error) {
	out := &templatesOutput{Templates{[]Template{}}}
	for i := range c.org.Settings.Templates {
		out.Body.Templates = append(out.Body.Templates, c.template(&c.org.Settings.Templates[i]))
	}
	return out, nil
}

func (c *call) template(t *connector.TemplateSettings) Template {
	o, a := c.org.Settings, c.org.Activation
	checks := subscribers.Checks(o, t, a)
	x := Template{
		ID: t.ID, Name: t.Name, Package: subscribers.PackageOf(o, t), Approval: subscribers.Approved(o, t), Untrusted: t.Untrusted, Unannounced: t.Unannounced,
		Languages: listed(o.LanguagesOf(t)), Domains: []string{}, Ready: subscribers.Ready(checks),
	}
	if a.Portal != "" {
		x.ShareLink = subscribers.ShareLink(a.Portal, o.ID, t.ID)
	}
	if src := o.Source(t.ID); src != nil {
		x.Domains = listed(src.Domains)
	}
	for _, check := range checks {
		x.Checks = append(x.Checks, TemplateCheck(check))
	}
	return x
}

// listed is a list that is shown as [] where it has nothing.
func listed(list []string) []string { return append([]string{}, list...) }

type templatePath struct {
	OrgPath
	Template string `path:"template" doc:"The id of the template." maxLength:"32" example:"phones"`
}

type templateOutput struct{ Body TemplateDetail }

func (s *Server) getTemplate(ctx context.Context, c *call, in *templatePath) (*templateOutput, error) {
	t := c.org.Settings.Template(in.Template)
	if t == nil {
		return nil, newProblem(http.StatusNotFound, "not_found", "the organization has no such template")
	}
	counts, err := s.o.Store.CountSubscribers(ctx, c.id(), t.ID)
	if err != nil {
		return nil, err
	}
	out := &templateOutput{TemplateDetail{Template: c.template(t), Subscribers: counts}}
	required := policy.Required(c.org.Settings)
	for _, name := range subscribers.Fields(t) {
		info, _ := connector.AttributeByName(name)
		out.Body.Fields = append(out.Body.Fields, TemplateField{name, s.catalogue.Label(name, c.lang), slices.Contains(required, name), info.MaxLen})
	}
	return out, nil
}
