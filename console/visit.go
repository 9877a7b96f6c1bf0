package console

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.uber.org/zap"

	"usherd/connector"
	"usherd/connector/wording"
	"usherd/page"
)

// visit is one request.
type visit struct {
	s    *Server
	w    http.ResponseWriter
	r    *http.Request
	set  *Settings
	now  time.Time
	lang string

	session *connector.Session // nil = nobody is signed in
	roles   map[string]connector.Role
	org     *Organization // that the page is about; nil = there is none for this person
	role    connector.Role
	form    url.Values // of a POST, once it is read
}

func (s *Server) visit(w http.ResponseWriter, r *http.Request) *visit {
	return &visit{s: s, w: w, r: r, set: s.settings.Load(), now: s.o.Now(), lang: page.Language(r, nil)}
}

// t is a text of the console in the language of the visit.
func (v *visit) t(key string, data any) string { return v.s.pages.Text(v.lang, key, data) }

// choose finds the organization that the page is about: the one that ?org= names, else the first in which the person has a role.
func (v *visit) choose() {
	named := v.r.URL.Query().Get("org")
	for _, o := range v.set.Organizations {
		role, has := v.roles[o.Settings.ID]
		if has && (named == "" || named == o.Settings.ID) {
			v.org, v.role = o, role
			v.lang = page.Language(v.r, o.Settings.Languages)
			return
		}
	}
}

// id is that of the organization.
func (v *visit) id() string { return v.org.Settings.ID }

// may reports whether the person may in this organization.
func (v *visit) may(p permission) bool { return may(v.role, p) }

// query is one parameter of the address, without blanks around it.
func (v *visit) query(name string) string { return strings.TrimSpace(v.r.URL.Query().Get(name)) }

// link is a path of the console with parameters, given in pairs, empty ones left out, and the organization where there are several.
func (v *visit) link(path string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Add(pairs[i], pairs[i+1])
		}
	}
	if len(v.roles) > 1 && v.org != nil {
		q.Set("org", v.id())
	}
	path, fragment, _ := strings.Cut(path, "#")
	path = v.s.path + path
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	if fragment != "" {
		path += "#" + fragment
	}
	return path
}

// with is the address of this page with one parameter changed, and from the first page on unless that is what is changed.
func (v *visit) with(name, value string) string {
	q := v.r.URL.Query()
	q.Del("after")
	q.Del("lang")
	if value == "" {
		q.Del(name)
	} else {
		q.Set(name, value)
	}
	if len(q) == 0 {
		return v.s.path + v.r.URL.Path
	}
	return v.s.path + v.r.URL.Path + "?" + q.Encode()
}

// after is where the page of a list begins: what the page before gave as next.
func (v *visit) after() string {
	text, err := base64.RawURLEncoding.DecodeString(v.query("after"))
	if err != nil {
		return ""
	}
	return string(text)
}

// seeOther sends the browser on to a path of the console, by GET.
func (v *visit) seeOther(path string) { v.redirect(v.s.path + path) }

// redirect sends the browser on to an address that begins with ours.
func (v *visit) redirect(address string) {
	if v.r.Header.Get("HX-Request") != "" { // a part of a page was asked for: the page goes on, not the part
		v.w.Header().Set("HX-Redirect", address)
		v.w.WriteHeader(http.StatusNoContent)
		return
	}
	http.Redirect(v.w, v.r, address, http.StatusSeeOther) //nolint:gosec // a path of ours
}

// live reports whether a page asks by itself for what goes on.
func (v *visit) live() bool { return v.r.Header.Get("HX-Target") == "live" }

// show answers with a page; title is that of its heading and of the window.
func (v *visit) show(status int, name string, f frame, body any) {
	view := page.View{Lang: v.lang, Static: v.s.path + "/assets", Body: body, Frame: v.complete(&f)}
	if v.org != nil {
		view.Organization = v.org.Settings.Name
	}
	if v.r.Method == http.MethodGet || v.r.Method == http.MethodHead { // what was posted cannot be asked for again
		view.Choices = page.Choices(v.r, v.lang)
	}
	part := "layout"
	if v.r.Header.Get("HX-Request") != "" {
		part = "main"
		if v.live() && f.Refresh == 0 { // what went on has ended: heading and all are another one
			v.w.Header().Set("HX-Refresh", "true")
		}
	}
	text, err := v.s.pages.Part(name, part, view)
	if err != nil {
		v.logError("the page "+name, err)
		http.Error(v.w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Vary", "Accept-Language, Cookie, HX-Request")
	v.w.WriteHeader(status)
	_, _ = v.w.Write(text) //nolint:gosec // html/template has escaped it
}

// notice is a page that says something.
type notice struct {
	Message string
	Copy    string // what is copied and told to who helps; "" = nothing
}

// say answers with a notice whose texts are AREA.KEY.title and AREA.KEY.message.
func (v *visit) say(status int, key string, data any) {
	v.show(status, "notice", frame{Title: v.t(key+".title", data)}, notice{Message: v.t(key+".message", data)})
}

// nowhere answers what there is no page for.
func (v *visit) nowhere() {
	if v.recognise() {
		v.say(http.StatusNotFound, "console.nowhere", nil)
	}
}

// accident answers what went wrong with us; it is told in the log, under the reference that the page shows. What is not there, or
// is refused because of what was asked, is told as such.
func (v *visit) accident(what string, err error) {
	switch connector.KindOf(err) { //nolint:exhaustive // the others are faults of ours
	case connector.NotFound:
		v.say(http.StatusNotFound, "console.nowhere", nil)
		return
	case connector.Invalid, connector.Conflict, connector.Refused:
		v.show(http.StatusConflict, "notice", frame{Title: v.t("console.refused.title", nil)}, notice{Message: v.words(err)})
		return
	}
	ref := v.logError(what, err)
	v.show(http.StatusServiceUnavailable, "notice", frame{Title: v.t("console.accident.title", nil)},
		notice{Message: v.t("console.accident.message", nil), Copy: ref + "\n" + v.now.UTC().Format(time.DateTime+"Z")})
}

// words are what an error says, and what to do about it.
func (v *visit) words(err error) string {
	text := v.told(err.Error())
	if hint := connector.HintOf(err); hint != "" {
		text += ": " + v.told(hint)
	}
	return text
}

// told is what usherd has said, which is kept in English, in the language of the visit.
func (v *visit) told(text string) string { return wording.Say(v.lang, text) }

// allTold is told for each of them.
func (v *visit) allTold(texts []string) []string {
	list := make([]string, len(texts))
	for i, text := range texts {
		list[i] = v.told(text)
	}
	return list
}

// logError tells the log what went wrong, and gives the reference.
func (v *visit) logError(what string, err error) string {
	org := ""
	if v.org != nil {
		org = v.org.Settings.ID
	}
	return v.s.logFault(what, org, v.w.Header().Get("X-Request-Id"), err)
}

// logFault is logError for what may outlive the request that asked for it.
func (s *Server) logFault(what, org, request string, err error) string {
	ref := connector.NewRef(org, connector.NewID(s.o.Now()).String())
	if !errors.Is(err, context.Canceled) {
		s.o.Log.Error("a page of the console could not be answered", zap.String("what", what), zap.String("org", org), zap.String("ref", ref),
			zap.String("request", request), zap.Error(err))
	}
	return ref
}
