package notify

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"net/mail"
	"path"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/connector/policy"
)

//go:embed mail.html texts
var files embed.FS

// Texts are the words of all kinds of mails. They are safe for concurrent use.
type Texts struct {
	kinds     map[connector.MailKind]*failure.Texts
	common    *failure.Texts
	catalogue *failure.Catalogue
	html      *template.Template
}

// LoadTexts reads the texts that are built in: texts/KIND/LANGUAGE.json. A kind has "subject", "text.1" and on, "button" where it
// leads somewhere, "reason" where it tells one that was given, "after.1" and on, and "why" where it does not come because there is an account. They have places for Organization, Name, Until, and what is in Mail.Values.
func LoadTexts() (*Texts, error) {
	t := &Texts{kinds: map[connector.MailKind]*failure.Texts{}}
	var err error
	if t.catalogue, err = failure.New(); err != nil {
		return nil, err
	}
	if t.html, err = template.ParseFS(files, "mail.html"); err != nil {
		return nil, fmt.Errorf("notify: %w", err)
	}
	dirs, err := fs.Glob(files, "texts/*")
	if err != nil {
		return nil, fmt.Errorf("notify: %w", err)
	}
	for _, dir := range dirs {
		sub, err := fs.Sub(files, dir)
		if err != nil {
			return nil, fmt.Errorf("notify: %w", err)
		}
		texts, err := failure.LoadTexts(sub)
		if err != nil {
			return nil, fmt.Errorf("notify: %s: %w", dir, err)
		}
		t.kinds[connector.MailKind(path.Base(dir))] = texts
	}
	t.common = t.kinds["common"]
	delete(t.kinds, "common")
	return t, nil
}

// Letter is a mail in words.
type Letter struct {
	Lang    string
	Subject string
	Plain   string
	HTML    string
}

// content is what a letter is made of.
type content struct {
	Lang, Organization, Subject, Heading, Greeting string
	Lines                                          []string
	Sections                                       []section
	Button, Address, Paste                         string
	After, Footer                                  []string
}

// Letter puts a mail in words. Link is the one that it names, nil where it names none, and address where it leads, or, for a
// mail without a link, where the application is; "" = nowhere.
func (t *Texts) Letter(m connector.Mail, org *connector.Organization, link *connector.MailLink, address string) (Letter, error) {
	texts := t.kinds[m.Kind]
	if texts == nil {
		return Letter{}, fmt.Errorf("notify: there is no text for mails of the kind %q", m.Kind)
	}
	lang := language(&m, org)
	values := map[string]string{"Organization": org.Name, "Name": "", "Until": ""}
	maps.Copy(values, m.Values)
	for key, v := range values {
		values[key] = failure.Clean(v)
	}
	if link != nil {
		values["Until"] = link.Until.UTC().Format(time.DateOnly+" 15:04") + " UTC"
	}
	c := content{
		Lang: lang, Organization: failure.Clean(org.Name), Subject: texts.Text(lang, "subject", values), Lines: texts.List(lang, "text", values),
		After: texts.List(lang, "after", values), Footer: t.footer(org, lang, texts, values), Paste: t.common.Text(lang, "paste", nil),
	}
	if values["reason"] != "" && texts.Has("reason") {
		c.Lines = append(c.Lines, texts.Text(lang, "reason", values))
	}
	c.Heading = c.Subject
	if texts.Has("heading") {
		c.Heading = texts.Text(lang, "heading", values)
	}
	if c.Greeting = t.common.Text(lang, "greeting", values); values["Name"] == "" {
		c.Greeting = t.common.Text(lang, "stranger", nil)
	}
	if address != "" && texts.Has("button") {
		c.Button, c.Address = texts.Text(lang, "button", values), address
	}
	return t.letter(&c)
}

// letter is the content in both forms.
func (t *Texts) letter(c *content) (Letter, error) {
	var html bytes.Buffer
	if err := t.html.Execute(&html, c); err != nil {
		return Letter{}, fmt.Errorf("notify: %w", err)
	}
	return Letter{Lang: c.Lang, Subject: c.Subject, Plain: c.plain(), HTML: html.String()}, nil
}

// language is that of a mail in an organization.
func language(m *connector.Mail, org *connector.Organization) string {
	lang := m.Language
	if lang == "" && len(org.Languages) > 0 {
		lang = org.Languages[0]
	}
	return failure.Match(lang)
}

// footer says whom to ask, and why the mail came.
func (t *Texts) footer(org *connector.Organization, lang string, kind *failure.Texts, values map[string]string) []string {
	why := t.common
	if kind.Has("why") {
		why = kind
	}
	help := t.catalogue.TextWithContact(connector.Failure{}, org.Contact, lang).Contact
	return []string{help, why.Text(lang, "why", values)}
}

// plain is the letter as plain text.
func (c *content) plain() string {
	parts := append([]string{c.Greeting}, c.Lines...)
	for i := range c.Sections {
		parts = append(parts, c.Sections[i].plain())
	}
	if c.Button != "" {
		parts = append(parts, c.Button+":\n"+c.Address)
	}
	parts = append(parts, c.After...)
	return strings.Join(parts, "\n\n") + "\n\n-- \n" + c.Organization + "\n" + strings.Join(c.Footer, "\n") + "\n"
}

// message makes the mail that is sent of a letter. The Message-ID is that of the mail whatever the attempt.
func message(m connector.Mail, l Letter, c *Config) (*gomail.Msg, error) {
	from, err := mail.ParseAddress(c.From)
	if err != nil {
		return nil, fmt.Errorf("notify: the sender: %w", err)
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	msg.FromMailAddress(from)
	if c.ReplyTo != "" {
		if err := msg.ReplyTo(c.ReplyTo); err != nil {
			return nil, fmt.Errorf("notify: reply_to: %w", err)
		}
	}
	if err := msg.To(inASCII(m.To)); err != nil {
		return nil, fmt.Errorf("notify: the address: %w", err)
	}
	msg.Subject(l.Subject)
	msg.SetMessageIDWithValue(m.ID.String() + "@" + domain)
	msg.SetDateWithValue(m.At)
	msg.SetGenHeader("Content-Language", l.Lang)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: nobody's holiday is told to it
	msg.SetGenHeader("X-Auto-Response-Suppress", "All")
	msg.SetBodyString(gomail.TypeTextPlain, l.Plain)
	msg.AddAlternativeString(gomail.TypeTextHTML, l.HTML)
	return msg, nil
}

// inASCII is an address with its domain in ASCII form, which every server takes.
func inASCII(address string) string {
	local, _, _ := strings.Cut(address, "@")
	if domain, ok := policy.EmailDomain(address); ok {
		return local + "@" + domain
	}
	return address
}
