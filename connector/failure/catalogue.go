package failure

import (
	"embed"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"usherd/connector"
)

//go:embed texts/*.json
var files embed.FS

// Catalogue gives the texts of failures. It is safe for concurrent use.
type Catalogue struct {
	texts *Texts
	kinds Kinds // nil = nothing is known of sources
}

// New returns the catalogue that is built in, which is read once. It fails only if the program was built with texts that
// are not complete, which the tests of this package rule out.
func New() (*Catalogue, error) { return builtIn() }

var builtIn = sync.OnceValues(func() (*Catalogue, error) {
	sub, err := fs.Sub(files, "texts")
	if err != nil {
		return nil, fmt.Errorf("failure catalogue: %w", err)
	}
	t, err := LoadTexts(sub)
	if err != nil {
		return nil, fmt.Errorf("failure catalogue: %w", err)
	}
	return &Catalogue{texts: t}, nil
})

// Text is a failure in words of one language, as plain text: what is put into a page must be escaped.
type Text struct {
	Title   string   // with the number: "Auto account creation failed (31)"
	Message string   // for the person
	Contact string   // whom the person can ask, one sentence
	Remedy  []string // steps for the administrator

	// The two checklists of code 31; nil for the others.
	Never  []string // the account has never worked
	Before []string // it worked before
}

// values is what placeholders of the catalogue can name.
type values struct {
	Code    int
	Lead    string
	Fields  string // labels, separated by commas
	Package string
	Domain  string
	Contact string
	Look    string // how the person is looked at, a sentence
	Again   string // when the person is tried again, a sentence
}

// Text returns the words for f in the language that fits lang best (BCP 47; unknown gives English),
// without a contact. A reason or code that is not in the catalogue gives general words.
func (c *Catalogue) Text(f connector.Failure, lang string) Text {
	return c.TextWithContact(f, connector.Contact{}, lang)
}

// TextWithContact is Text that names the organization's contact.
func (c *Catalogue) TextWithContact(f connector.Failure, contact connector.Contact, lang string) Text {
	lang = Match(lang)
	v := c.values(f, lang)
	c.way(&v, f, lang)
	reason := "reason." + string(f.Reason)
	text := Text{
		Title:   c.title(f.Code, lang),
		Contact: c.contact(contact, lang),
		Remedy:  c.texts.List(lang, reason+".remedy", v),
	}
	key := sharedMessage(f.Reason)
	if key == own {
		key = reason + ".message"
	}
	if !c.texts.Has(key) {
		key = "message.unknown"
	}
	text.Message = c.texts.Count(lang, key, len(f.Fields), v)
	if text.Remedy == nil {
		text.Remedy = c.texts.List(lang, "remedy.unknown", v)
	}
	if f.Code == connector.CodeCreation {
		text.Never = c.checklist("never", neverSteps, lang)
		text.Before = c.checklist("before", beforeSteps, lang)
	}
	return text
}

// ChecklistTitles returns the headings of Text.Never and Text.Before.
func (c *Catalogue) ChecklistTitles(lang string) (never, before string) {
	lang = Match(lang)
	return c.texts.Text(lang, "checklist.never.title", nil), c.texts.Text(lang, "checklist.before.title", nil)
}

// Title returns the title of a code alone.
func (c *Catalogue) Title(code connector.Code, lang string) string { return c.title(code, Match(lang)) }

// Label returns the name of an attribute as people know it in their language; an attribute of the
// organization's own has the name that was given to it.
func (c *Catalogue) Label(attribute, lang string) string {
	if key := "label." + attribute; c.texts.Has(key) {
		return c.texts.Text(Match(lang), key, nil)
	}
	return Clean(connector.Label(attribute))
}

// Line returns f on one line, as logs, SCIM answers and terminals show it:
//
//	Error: Auto account creation failed (31). Reason: required_missing: First Name, Email. Ref: 7K2M-9QXA.
//
// Whatever f carries, it holds no line break and no other control character.
func (c *Catalogue) Line(f connector.Failure, lang string) string {
	lang = Match(lang)
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s.", c.texts.Text(lang, "line.error", nil), c.title(f.Code, lang))
	if f.Reason != "" {
		fmt.Fprintf(&b, " %s: %s.", c.texts.Text(lang, "line.cause", nil), c.cause(f, lang))
	}
	if f.Ref != "" {
		fmt.Fprintf(&b, " %s: %s.", c.texts.Text(lang, "line.ref", nil), Clean(f.Ref))
	}
	return b.String()
}

// cause is the slug with what it is about: "no_seat: Standard".
func (c *Catalogue) cause(f connector.Failure, lang string) string {
	v := c.values(f, lang)
	about := v.Fields
	switch {
	case about != "":
	case v.Package != "":
		about = v.Package
	case v.Domain != "":
		about = v.Domain
	}
	if about == "" {
		return Clean(string(f.Reason))
	}
	return Clean(string(f.Reason)) + ": " + about
}

func (c *Catalogue) values(f connector.Failure, lang string) values {
	labels := make([]string, len(f.Fields))
	for i, name := range f.Fields {
		labels[i] = c.Label(name, lang)
	}
	v := values{
		Code:    int(f.Code),
		Fields:  strings.Join(labels, ", "),
		Package: Clean(f.Package),
		Domain:  Clean(f.Domain),
	}
	code := f.Code
	if code != connector.CodeUpdate {
		code = connector.CodeCreation
	}
	v.Lead = c.texts.Text(lang, "lead."+strconv.Itoa(int(code)), nil)
	return v
}

func (c *Catalogue) title(code connector.Code, lang string) string {
	key := "title." + strconv.Itoa(int(code))
	if !c.texts.Has(key) {
		key = "title.unknown"
	}
	return c.texts.Text(lang, key, values{Code: int(code)})
}

func (c *Catalogue) contact(o connector.Contact, lang string) string {
	var parts []string
	for _, p := range []string{o.Name, o.Email, o.Phone, o.URL} {
		if p = Clean(p); p != "" {
			parts = append(parts, p)
		}
	}
	if parts == nil {
		return c.texts.Text(lang, "contact.none", nil)
	}
	return c.texts.Text(lang, "contact.given", values{Contact: strings.Join(parts, ", ")})
}

func (c *Catalogue) checklist(name string, steps []string, lang string) []string {
	list := make([]string, len(steps))
	for i, s := range steps {
		list[i] = c.texts.Text(lang, "checklist."+name+"."+s, nil)
	}
	return list
}

// Clean makes one visible line of a value that came from outside: control characters, line ends and
// the marks that turn the direction of writing become blanks, since they could forge a second log line
// or show another text than there is.
func Clean(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s))
}
