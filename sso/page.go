package sso

import (
	"bytes"
	"embed"
	"encoding/xml"
	"fmt"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"go.uber.org/zap"

	"usherd/connector"
	"usherd/connector/failure"
)

//go:embed page.html static texts
var files embed.FS

// pages are the one page that people see here, and what it is made of.
type pages struct {
	catalogue *failure.Catalogue
	texts     *failure.Texts
	page      *template.Template
}

// page is what the failure page shows. Whatever is in it is escaped by the template.
type page struct {
	Lang         string
	Organization string
	Title        string   // with the number
	Messages     []string // for the person
	Retry        string   // address at which the sign-in begins anew, beside that of the page; "" = none
	Contact      connector.Contact
	ContactText  string // where there is no contact
	Remedy       []string
	NeverTitle   string
	Never        []string
	BeforeTitle  string
	Before       []string
	Copy         string // what is copied
	Words        map[string]string
}

// words are the texts of the page itself, by key.
var words = []string{"retry", "who", "admins", "copy", "copied", "text", "name", "email", "phone", "url"}

func newPages(cat *failure.Catalogue) (*pages, error) {
	sub, err := fs.Sub(files, "texts")
	if err != nil {
		return nil, err
	}
	texts, err := failure.LoadTexts(sub)
	if err != nil {
		return nil, fmt.Errorf("sso: %w", err)
	}
	t, err := template.ParseFS(files, "page.html")
	if err != nil {
		return nil, fmt.Errorf("sso: %w", err)
	}
	return &pages{catalogue: cat, texts: texts, page: t}, nil
}

// static serves style and script.
func (p *pages) static(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	text, err := files.ReadFile("static/" + name)
	if err != nil || strings.ContainsAny(name, `/\`) {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	w.Header().Set("Cache-Control", "public, max-age=3600")
	_, _ = w.Write(text) //nolint:gosec // a file of ours
}

// fail answers a refusal in the form that is asked for: a page, or XML or JSON where a program asks.
func (v *visit) fail(status int, f connector.Failure, more ...connector.Failure) {
	lang, h := v.language(), v.w.Header()
	var body bytes.Buffer
	var err error
	switch form(v.r.Header.Get("Accept")) {
	case "xml":
		h.Set("Content-Type", "application/xml; charset=utf-8")
		body.WriteString(xml.Header)
		err = xml.NewEncoder(&body).Encode(v.s.catalogue.FederatedSSO(f, lang))
	case "json":
		f.Detail = "" // what exactly was wrong helps a forger more than a person
		writeJSON(v.w, status, v.s.catalogue.Document(f, lang))
		return
	default:
		h.Set("Content-Type", "text/html; charset=utf-8")
		err = v.s.pages.page.Execute(&body, v.page(f, more, lang))
	}
	if err != nil {
		v.s.o.Log.Error("the page of a failure could not be made", zap.Error(err))
		http.Error(v.w, v.s.catalogue.Line(f, lang), status)
		return
	}
	h.Set("Vary", "Accept, Accept-Language")
	v.w.WriteHeader(status)
	_, _ = v.w.Write(body.Bytes())
}

// form is what an Accept header asks for: browsers ask for HTML, and say so.
func form(accept string) string {
	accept = strings.ToLower(accept)
	switch {
	case strings.Contains(accept, "text/html"), strings.Contains(accept, "application/xhtml"):
		return "html"
	case strings.Contains(accept, "application/xml"), strings.Contains(accept, "text/xml"):
		return "xml"
	case strings.Contains(accept, "application/json"):
		return "json"
	}
	return "html"
}

// language is the one that the browser asks for, else the first of the organization.
func (v *visit) language() string {
	if asked := v.r.Header.Get("Accept-Language"); asked != "" {
		return failure.Match(asked)
	}
	if v.org != nil && len(v.org.Settings.Languages) > 0 {
		return failure.Match(v.org.Settings.Languages[0])
	}
	return "en"
}

// page puts a failure in words.
func (v *visit) page(f connector.Failure, more []connector.Failure, lang string) page {
	cat := v.s.catalogue
	var contact connector.Contact
	p := page{Lang: lang, Words: map[string]string{}}
	if v.org != nil {
		contact, p.Organization = v.org.Settings.Contact, v.org.Settings.Name
	}
	text := cat.TextWithContact(f, contact, lang)
	p.Title, p.Contact, p.ContactText = text.Title, contact, text.Contact
	p.Never, p.Before = text.Never, text.Before
	p.NeverTitle, p.BeforeTitle = cat.ChecklistTitles(lang)
	lines := []string{cat.Line(f, lang)}
	p.Messages, p.Remedy = []string{text.Message}, text.Remedy
	for _, x := range more {
		other := cat.Text(x, lang)
		p.Messages, p.Remedy = append(p.Messages, other.Message), append(p.Remedy, other.Remedy...)
		lines = append(lines, cat.Line(x, lang))
	}
	p.Copy = strings.Join(lines, "\n") + "\n" + f.At.UTC().Format("2006-01-02 15:04:05Z")
	for _, w := range words {
		p.Words[w] = v.s.pages.texts.Text(lang, w, nil)
	}
	if v.provider != nil {
		p.Retry = "login"
	}
	return p
}
