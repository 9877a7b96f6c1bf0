package provision

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"usherd/connector"
	"usherd/connector/mapping"
	"usherd/connector/policy"
)

// Field is one attribute that a source can give.
type Field struct {
	Name     string
	Required bool     // nobody is created without it
	Rules    []string // by which it comes from what the source says, the first one that gives a value counts; none = it gives none
}

// Fields are what a source is asked for: the attributes that each user has to have, then the others for which it has a rule; of a
// template those only that its form asks for.
func (p *Provisioner) Fields(source string) ([]Field, error) {
	if p.o.Org.Source(source) == nil {
		return nil, noSource(source)
	}
	var list []Field
	for _, name := range policy.Required(p.o.Org) {
		list = append(list, Field{Name: name, Required: true})
	}
	m := p.o.Mappings[source]
	if m == nil {
		return list, nil
	}
	for _, o := range m.Rules() {
		i := slices.IndexFunc(list, func(f Field) bool { return f.Name == o.Target })
		if _, attribute := connector.AttributeByName(o.Target); i < 0 && !attribute {
			continue // the package
		}
		if i < 0 {
			list, i = append(list, Field{Name: o.Target}), len(list)
		}
		list[i].Rules = append(list[i].Rules, o.Expression)
	}
	if t := p.o.Org.Template(source); t != nil {
		list = slices.DeleteFunc(list, func(f Field) bool {
			return !f.Required && f.Name != connector.Email && !slices.Contains(t.Fields, f.Name)
		})
	}
	return list, nil
}

func noSource(id string) error {
	return &connector.Error{
		Kind: connector.NotFound, Op: "provision", Err: fmt.Errorf("there is no source %s", id),
		Hint: "the configuration names the sources; see them with: usherd check",
	}
}

// CheckRequest is a person as a source would have it.
type CheckRequest struct {
	Source  string
	Profile connector.Profile // after the mapping
	Package string            // "" = the source's, or the organization's
}

// Check tells what would become of a person whom a source gave like that for the first time, by the rules of every door, seats
// included: the change that would be made, or why it is refused. Nothing is written.
func (p *Provisioner) Check(ctx context.Context, req CheckRequest) (*connector.Change, error) {
	src := p.o.Org.Source(req.Source)
	if src == nil {
		return nil, noSource(req.Source)
	}
	preset, own := mapping.SCIM, map[string]mapping.Rule{} // whose rules take each attribute by its name
	if src.Kind == connector.Template {
		preset = mapping.Template
	}
	rec := &connector.Record{
		Anchor: connector.Anchor{Kind: connector.TextAnchor, Raw: "check " + connector.NewID(p.o.Now()).String()}, Enabled: connector.EnabledYes, Package: req.Package,
	}
	for _, name := range req.Profile.Names() {
		a := connector.Attribute{Name: name}
		for _, v := range req.Profile[name] {
			a.Values = append(a.Values, []byte(v))
		}
		rec.Attributes = append(rec.Attributes, a)
		if strings.HasPrefix(name, "custom.") {
			own[name] = mapping.Rule{fmt.Sprintf("attr(%q)", name)}
		}
	}
	m, faults := mapping.Compile(mapping.Config{Preset: preset, Attributes: own})
	if len(faults) > 0 {
		return nil, &connector.Error{Kind: connector.Invalid, Op: "check", Err: fmt.Errorf("%v", faults)}
	}
	ds, err := p.decideMapped(ctx, p.o.Store, newFacts(p.o.Now()), src, m, []*connector.Record{rec})
	if err != nil {
		return nil, err
	}
	d, err := p.seated(ctx, p.o.Store, ds[0])
	if err != nil {
		return nil, err
	}
	return d.change, nil
}
