package failure

import "usherd/connector"

// ways is how people of a kind of source are looked at, and when one who was refused is tried again, as the part of
// the texts that says so. What is not in it has no way of its own.
var ways = map[connector.SourceKind]string{
	connector.Directory: "directory",
	connector.SCIM:      "scim",
	connector.SignIn:    "sso",
	connector.Template:  "template",
	connector.Import:    "file",
	connector.SiteLink:  "file",
}

// Kinds tells of which kind a source is; "" = it is not known.
type Kinds func(org, source string) connector.SourceKind

// WithKinds returns the catalogue with remedies that fit the kind of the source that has refused somebody. Where kinds
// does not know it, or the failure names no source, they name the way of each kind, as those of New do. kinds is called by as
// many goroutines as the catalogue is.
func (c *Catalogue) WithKinds(kinds Kinds) *Catalogue { return &Catalogue{c.texts, kinds} }

// OfKind returns the catalogue for a door all of whose sources are of one kind.
func (c *Catalogue) OfKind(kind connector.SourceKind) *Catalogue {
	return c.WithKinds(func(string, string) connector.SourceKind { return kind })
}

// Kind returns of which kind a source is; "" where the catalogue does not know.
func (c *Catalogue) Kind(org, source string) connector.SourceKind {
	if c.kinds == nil || source == "" {
		return ""
	}
	return c.kinds(org, source)
}

// way fills in what the remedies say of the kind of source.
func (c *Catalogue) way(v *values, f connector.Failure, lang string) {
	way, ok := ways[c.Kind(f.Org, f.Source)]
	if !ok {
		way = "any"
	}
	v.Look, v.Again = c.texts.Text(lang, "way."+way+".look", nil), c.texts.Text(lang, "way."+way+".again", nil)
}
