package sso

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"usherd/connector"
	"usherd/sso/saml2"
)

const (
	// requestLife is how long somebody may take to sign in at the identity provider.
	requestLife = 30 * time.Minute
	// cookie binds a request to the browser that it was made for, so that nobody signs somebody else's browser in.
	cookie = "usherd-sign-in"
	// maxReturn bounds the place in the application to which somebody comes back.
	maxReturn = 1024
)

// asked is what is kept of a request while the browser is away.
type asked struct {
	Request string              `json:"request"`
	Return  string              `json:"return,omitempty"`
	Browser connector.TokenHash `json:"browser"` // of the cookie
	Trial   *Trial              `json:"trial,omitempty"`
}

// login sends the browser to the identity provider.
func (v *visit) login() {
	query := v.r.URL.Query()
	place := query.Get("return")
	if place != "" && !safePlace(place) {
		v.refuse(http.StatusBadRequest, string(saml2.Received), v.failure(30, "return is no path of the application"))
		return
	}
	verifier, code := v.verifier()
	if code != 0 {
		v.refuse(http.StatusServiceUnavailable, string(saml2.Received), v.failure(code, "the sign-in could not begin: the identity provider is not known"))
		return
	}
	if !v.welcome("login", 26) {
		return
	}
	if !v.allowed("login", loginRate) {
		v.later(26, "too many sign-ins begin at a time")
		return
	}
	var trial *Trial
	if query.Has("test") {
		var ok bool
		if trial, ok = v.trial(query.Get("test")); !ok {
			return
		}
	}
	relay, browser, now := newSecret(), v.browser(), v.s.o.Now()
	request := asked{Request: saml2.NewRequestID(), Return: place, Browser: hashOf(browser), Trial: trial}
	data, err := json.Marshal(request)
	if err != nil {
		v.accident("login", err)
		return
	}
	err = v.s.o.Store.PutTicket(v.r.Context(), connector.Ticket{
		Org: v.org.Settings.ID, Source: v.source, Kind: connector.RequestTicket, Hash: hashOf(relay), Until: now.Add(requestLife), Data: data,
	})
	if err != nil {
		v.accident("login", err)
		return
	}
	address, err := verifier.Request(request.Request, relay, now)
	if err != nil {
		v.refuse(http.StatusInternalServerError, string(saml2.Received), v.failure(26, err.Error()))
		return
	}
	v.setCookie(browser)
	http.Redirect(v.w, v.r, address, http.StatusSeeOther)
}

// setCookie binds the browser to its requests. It stays when one of them is answered: others may be open in other
// windows.
func (v *visit) setCookie(value string) {
	http.SetCookie(v.w, &http.Cookie{ //nolint:gosec // SameSite=None: the identity provider posts from a site of its own
		Name: cookie, Value: value, Path: v.s.path + v.path() + "/", MaxAge: int(requestLife.Seconds()),
		Secure: true, HttpOnly: true, SameSite: http.SameSiteNoneMode,
	})
}

// browser is the value of the cookie: the one that the browser has, so that two of its windows do not get in each
// other's way, or a new one.
func (v *visit) browser() string {
	if c, err := v.r.Cookie(cookie); err == nil && isSecret(c.Value) {
		return c.Value
	}
	return newSecret()
}

// safePlace reports whether text is a path, with a query perhaps, that cannot lead to another site: browsers take // and
// /\ for the beginning of one, and leave out tabs and line ends.
func safePlace(text string) bool {
	if len(text) > maxReturn || !strings.HasPrefix(text, "/") || strings.HasPrefix(text, "//") || strings.Contains(text, `\`) ||
		strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
		return false
	}
	u, err := url.Parse(text)
	return err == nil && u.Scheme == "" && u.Host == "" && u.User == nil
}
