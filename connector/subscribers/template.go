package subscribers

import (
	"slices"

	"usherd/connector"
	"usherd/connector/policy"
)

// Activation is what people who activate themselves need beside a template.
type Activation struct {
	Portal string // the public address of the portal; "" = there is none
	Mail   bool   // mails are sent
}

// Check is one thing that has to be so for people to activate: portal, mail, partner, seats or required.
type Check struct {
	Name string
	OK   bool
}

// Checks are all that apply to a template, by the configuration in force.
func Checks(o *connector.Organization, t *connector.TemplateSettings, a Activation) []Check {
	var list []Check
	if t.Untrusted || t.Unannounced { // people have to come to the page themselves
		list = append(list, Check{"portal", a.Portal != ""}, Check{"mail", a.Mail})
	}
	pkg, known := o.Package(PackageOf(o, t))
	asked := append(Fields(t), connector.UserName)
	missing := slices.ContainsFunc(policy.Required(o), func(name string) bool { return !slices.Contains(asked, name) })
	return append(list, Check{"partner", o.PartnerID != ""}, Check{"seats", !known || pkg.Seats != 0}, Check{"required", !t.Unannounced || !missing})
}

// Ready reports whether all checks are well.
func Ready(list []Check) bool { return !slices.ContainsFunc(list, func(c Check) bool { return !c.OK }) }

// Fields are the attributes that the activation page of a template asks for.
func Fields(t *connector.TemplateSettings) []string {
	return append([]string{connector.Email}, t.Fields...)
}

// PackageOf is the package of subscribers who were announced without one; "" = none.
func PackageOf(o *connector.Organization, t *connector.TemplateSettings) string {
	if src := o.Source(t.ID); src != nil && src.Package != "" {
		return src.Package
	}
	return o.DefaultPackage
}

// Approved reports whether who activates under a template waits for an administrator.
func Approved(o *connector.Organization, t *connector.TemplateSettings) bool {
	src := o.Source(t.ID)
	return o.Approval || src != nil && src.Approval
}
