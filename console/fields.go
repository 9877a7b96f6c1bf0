package console

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/connector/policy"
	"usherd/connector/provision"
)

// FieldReader tells what doors ask for. provision.Provisioner is one.
type FieldReader interface {
	Fields(source string) ([]provision.Field, error)
	// Check tells what would become of a person whom a source gave like that, and writes nothing.
	Check(ctx context.Context, req provision.CheckRequest) (*connector.Change, error)
}

func (s *Server) fields() {
	s.page("/users/fields", see, (*visit).fields)
	s.body("fields", fieldsPage{})
	s.action("/users/fields/check", need{permission: handle}, (*visit).askCheck, (*visit).doCheck)
	s.body("fields_check", checkPage{})
}

// fieldsPage are the fields of each door.
type fieldsPage struct {
	Check string // address; "" = this administrator checks nobody
	Doors []door
}

// door is a source with what it is asked for.
type door struct {
	ID, Name, Kind string
	Fields         []doorField
}

// doorField is one attribute.
type doorField struct {
	Label, Name string
	Required    bool
	Rules       []string // by which it comes from what the source says
	Most        string   // how many characters
	Multi       bool
}

func (v *visit) fields() {
	var p fieldsPage
	if v.may(handle) && len(v.org.Settings.Sources) > 0 {
		p.Check = v.link("/users/fields/check")
	}
	for _, s := range v.org.Settings.Sources {
		list, err := v.org.Writer.Fields(s.ID)
		if err != nil {
			v.accident("fields", err)
			return
		}
		d := door{ID: s.ID, Name: v.doorName(&s), Kind: v.t("words.kind."+string(s.Kind), nil)}
		for _, f := range list {
			d.Fields = append(d.Fields, v.doorField(f))
		}
		p.Doors = append(p.Doors, d)
	}
	v.show(http.StatusOK, "fields", frame{Title: v.t("fields.title", nil), State: v.t("fields.state", nil), Crumbs: v.usersCrumb()}, p)
}

func (v *visit) usersCrumb() []crumb { return []crumb{{v.t("nav.users", nil), v.link("/users")}} }

// doorName is how people know a source.
func (v *visit) doorName(s *connector.SourceSettings) string {
	if t := v.org.Settings.Template(s.ID); t != nil {
		return t.Name
	}
	return s.ID
}

func (v *visit) doorField(f provision.Field) doorField {
	info, _ := connector.AttributeByName(f.Name)
	return doorField{Label: v.s.catalogue.Label(f.Name, v.lang), Name: f.Name, Required: f.Required, Rules: f.Rules, Most: v.number(info.MaxLen), Multi: info.Multi}
}

// checkPage asks for a person, and says what would become of that one.
type checkPage struct {
	Sources, Packages []option
	Fields            []checkField
	Fault, Back       string
	Answer            *checkAnswer // nil = nobody has been checked
}

// checkField is one field of the form.
type checkField struct {
	Name, Label, Value string
	Required, Wrong    bool
	Most               int
}

// checkAnswer is what would become of the person.
type checkAnswer struct {
	Accepted bool
	What     string
	State    pill
	Pending  bool
	Package  string
	Known    string // address of the account that it would be; "" = a new one
	Cards    []failCard
	Warnings []string
}

// checkFields are the attributes that can be written into the form: those that are required, and what more decides.
func (v *visit) checkFields() []string {
	list := policy.Required(v.org.Settings)
	for _, name := range append(slices.Clone(v.org.Settings.Matching), connector.DisplayName, connector.MemberStatus) {
		if !slices.Contains(list, name) && connector.Announceable(name) {
			list = append(list, name)
		}
	}
	return list
}

func (v *visit) checkPage() checkPage {
	p := checkPage{Back: v.link("/users/fields")}
	for _, s := range v.org.Settings.Sources {
		p.Sources = append(p.Sources, option{s.ID, v.doorName(&s) + " · " + v.t("words.kind."+string(s.Kind), nil), s.ID == v.value("source")})
	}
	for _, x := range v.org.Settings.Packages {
		p.Packages = append(p.Packages, option{x.ID, v.packageName(x.ID), x.ID == v.value("package")})
	}
	required := policy.Required(v.org.Settings)
	for _, name := range v.checkFields() {
		info, _ := connector.AttributeByName(name)
		p.Fields = append(p.Fields, checkField{
			Name: name, Label: v.s.catalogue.Label(name, v.lang), Value: v.value("f." + name), Required: slices.Contains(required, name), Most: info.MaxLen,
		})
	}
	return p
}

func (v *visit) askCheck() { v.showCheck(v.checkPage(), http.StatusOK) }

func (v *visit) showCheck(p checkPage, status int) {
	v.show(status, "fields_check", frame{
		Title: v.t("fields.check.title", nil), State: v.t("fields.check.state", nil),
		Crumbs: append(v.usersCrumb(), crumb{v.t("fields.title", nil), v.link("/users/fields")}),
	}, p)
}

// doCheck says what would become of the person of the form. Nothing is written, so the page is the answer.
func (v *visit) doCheck() {
	p := v.checkPage()
	profile := connector.Profile{}
	for _, f := range p.Fields {
		if f.Value != "" {
			profile.Set(f.Name, f.Value)
		}
	}
	source := v.value("source")
	if v.org.Settings.Source(source) == nil {
		p.Fault = v.t("fields.check.nosource", nil)
		v.showCheck(p, http.StatusUnprocessableEntity)
		return
	}
	ch, err := v.org.Writer.Check(v.r.Context(), provision.CheckRequest{Source: source, Profile: profile, Package: v.value("package")})
	if err != nil {
		v.accident("check", err)
		return
	}
	p.Answer = v.checkAnswer(ch)
	for _, x := range ch.Failures {
		for i := range p.Fields {
			p.Fields[i].Wrong = p.Fields[i].Wrong || slices.Contains(x.Fields, p.Fields[i].Name)
		}
	}
	v.showCheck(p, http.StatusOK)
}

func (v *visit) checkAnswer(ch *connector.Change) *checkAnswer {
	f := frame{v: v}
	a := &checkAnswer{Accepted: len(ch.Failures) == 0, What: v.t("words.action."+string(ch.Action), nil)}
	for _, x := range ch.Failures {
		a.Cards = append(a.Cards, v.failCard(x, x.At))
	}
	for _, w := range ch.Warnings {
		a.Warnings = append(a.Warnings, failure.Clean(v.told(w)))
	}
	if ch.After == nil || !a.Accepted {
		return a
	}
	a.State, a.Pending, a.Package = f.StatePill(ch.After.State), ch.After.PendingApproval, v.packageName(ch.After.Package)
	if ch.BaseVersion > 0 {
		a.Known = v.link("/users/" + ch.After.ID.String())
	}
	a.What = strings.TrimSpace(a.What)
	return a
}
