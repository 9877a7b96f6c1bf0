package sso

import (
	"bytes"
	"embed"
	"encoding/xml"
	"net/http"
	"strings"
	"sync"

	"go.uber.org/zap"

	"usherd/connector"
	"usherd/page"
)

//go:embed pages texts
var files embed.FS

// pages are the pages, texts and static files, which are the same for each server of a process: they are read once.
var pages = sync.OnceValues(func() (*page.Set, error) { return page.Load(files) })

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
		var text []byte
		text, err = v.s.pages.Render("failure", v.page(f, more, lang))
		body.Write(text)
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

// tried tells under which number the attempt of a test is found, where nobody waits for the browser to come back.
func (v *visit) tried() bool {
	view := page.View{Lang: v.language(), Static: "../../static", Organization: v.org.Settings.Name, Body: v.trail.id.String()}
	text, err := v.s.pages.Render("tried", view)
	if err != nil {
		v.s.o.Log.Error("the page of a test could not be made", zap.Error(err))
		return false
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Vary", "Accept-Language")
	_, _ = v.w.Write(text)
	return true
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

// language is the one of the page.
func (v *visit) language() string {
	if v.org != nil {
		return page.Language(v.r, v.org.Settings.Languages)
	}
	return page.Language(v.r, nil)
}

// page puts a failure in words. There is no choice of languages: what was posted here cannot be asked for again.
func (v *visit) page(f connector.Failure, more []connector.Failure, lang string) page.View {
	var contact connector.Contact
	view := page.View{Lang: lang, Static: "../../static"}
	if v.org != nil {
		contact, view.Organization = v.org.Settings.Contact, v.org.Settings.Name
	}
	card := v.s.pages.Failure(v.s.catalogue, f, more, contact, lang)
	if v.busy {
		card.Messages, card.Causes = []string{card.T("page.busy")}, nil
	}
	if v.provider != nil {
		card.Retry = "login"
	}
	view.Body = card
	return view
}
