package page

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"

	"usherd/connector/failure"
)

// policy lets a page use our own style and script, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// Headers keep what a door answers to itself. Secure says that browsers reach the door by https.
func Headers(h http.Header, secure bool) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin") // with no-referrer a browser would not say that a form is ours
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if secure {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

const (
	langParam  = "lang"
	langCookie = "usherd-lang"
	langLife   = 365 * 24 * 60 * 60 // seconds
)

// Language is the language of a page: ?lang=, else what was chosen before, else the one that the browser asks for, else
// the first one of the organization's, else English.
func Language(r *http.Request, organization []string) string {
	if lang, ok := chosen(r.URL.Query().Get(langParam)); ok {
		return lang
	}
	if c, err := r.Cookie(langCookie); err == nil {
		if lang, ok := chosen(c.Value); ok {
			return lang
		}
	}
	own := ""
	if len(organization) > 0 {
		own = organization[0]
	}
	return failure.Prefer(r.Header.Get("Accept-Language"), own)
}

// chosen reports whether a text is one of our languages.
func chosen(lang string) (string, bool) {
	for _, l := range failure.Languages() {
		if strings.EqualFold(l, lang) {
			return l, true
		}
	}
	return "", false
}

// Remember keeps in the browser which language ?lang= has chosen, for the pages below a path.
func Remember(w http.ResponseWriter, r *http.Request, path string, secure bool) {
	if lang, ok := chosen(r.URL.Query().Get(langParam)); ok {
		http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure wherever the door is
			Name: langCookie, Value: lang, Path: path, MaxAge: langLife, Secure: secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		})
	}
}

// names are the languages in their own words.
var names = map[string]string{"en": "English", "pt-BR": "Português", "sv": "Svenska", "pl": "Polski"}

// LanguageName is what a language of the pages is called in itself; of others it is the tag.
func LanguageName(tag string) string { return cmp.Or(names[tag], tag) }

// Choices are the languages that the page of a request can be shown in; the addresses are relative to it.
func Choices(r *http.Request, current string) []Choice {
	list := make([]Choice, 0, len(names))
	for _, tag := range failure.Languages() {
		q := url.Values{}
		for key, values := range r.URL.Query() {
			if key != langParam {
				q[key] = values
			}
		}
		q.Set(langParam, tag)
		list = append(list, Choice{Tag: tag, Name: names[tag], Address: "?" + q.Encode(), Current: tag == current})
	}
	return list
}
