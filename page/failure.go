package page

import (
	"strings"
	"time"

	"usherd/connector"
	"usherd/connector/failure"
)

// Failure is what the template "failure" tells of one: title with the number, what it means for the person, who can help, a
// text to copy, and what administrators do.
type Failure struct {
	Help
	Title    string
	Messages []string // for the person
	Retry    string   // address at which the person tries again; "" = none
	Copy     string   // what is copied

	Causes                  []Cause // none: nothing is said to administrators
	NeverTitle, BeforeTitle string
	Never, Before           []string
}

// Cause is what administrators are told of one failure: when it comes about, and what to do.
type Cause struct {
	When   string
	Remedy []string
}

// Help is whom people can ask: what the template "help" shows.
type Help struct {
	Contact connector.Contact
	None    string // what is said where there is no contact

	set  *Set
	lang string
}

// T is Set.Text in the language of the page.
func (h Help) T(key string) string { return h.set.Text(h.lang, key, nil) }

// Help is whom people of an organization can ask, in words of a language.
func (s *Set) Help(cat *failure.Catalogue, contact connector.Contact, lang string) Help {
	none := cat.TextWithContact(connector.Failure{}, connector.Contact{}, lang)
	return Help{Contact: contact, None: none.Contact, set: s, lang: lang}
}

// Failure puts failures in words of a language; the first is the one that the page is about.
func (s *Set) Failure(cat *failure.Catalogue, f connector.Failure, more []connector.Failure, contact connector.Contact, lang string) Failure {
	text := cat.Text(f, lang)
	p := Failure{Help: s.Help(cat, contact, lang), Title: text.Title, Never: text.Never, Before: text.Before}
	p.NeverTitle, p.BeforeTitle = cat.ChecklistTitles(lang)
	var lines []string
	for i, x := range append([]connector.Failure{f}, more...) {
		if i > 0 {
			x.Ref = "" // one is enough to be found by
		}
		t := cat.Text(x, lang)
		p.Messages, p.Causes = append(p.Messages, t.Message), append(p.Causes, Cause{cat.When(x.Reason, lang), t.Remedy})
		lines = append(lines, cat.Line(x, lang))
	}
	p.Copy = strings.Join(append(lines, f.At.UTC().Format(time.DateTime+"Z")), "\n")
	return p
}
