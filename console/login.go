package console

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"usherd/connector"
	"usherd/console/password"
	"usherd/page"
)

// How often one may try to sign in by a password, in all replicas together. A name is locked for as long; an address may try more
// names.
const (
	triesOfName    = 10
	triesOfAddress = 30
	tryWindow      = 15 * time.Minute
)

// signIns are the pages by which one comes in and goes.
func (s *Server) signIns() {
	s.body("login", loginPage{})
	s.mux.HandleFunc("GET /login", s.open((*visit).showLogin))
	s.mux.HandleFunc("POST /login", s.open((*visit).login))
	s.mux.HandleFunc("GET /login/{provider}", s.open((*visit).goToProvider))
	s.mux.HandleFunc("GET /login/{provider}/callback", s.open((*visit).returned))
	s.route("GET /reauth", need{permission: signedIn}, (*visit).showReauth)
	s.route("POST /reauth", need{permission: signedIn}, (*visit).reauth)
	s.route("POST /logout", need{permission: signedIn}, (*visit).logout)
}

// loginPage is the form for a password, and the ways to providers.
type loginPage struct {
	Local     bool // there are local administrators
	Providers []way
	Next      string
	Name      string
	Fault     string
	Again     bool // the person is signed in, and proves it again
}

// way leads to a provider.
type way struct{ Name, Address string }

func (v *visit) loginPage(next string) loginPage {
	p := loginPage{Local: len(v.set.Admins) > 0, Next: inside(next)}
	for _, x := range v.set.Providers {
		p.Providers = append(p.Providers, way{x.Name, v.loginAddress(x, p.Next)})
	}
	return p
}

func (v *visit) showLogin() {
	if !v.recognise() {
		return
	}
	next := v.query("next")
	if v.session != nil {
		v.seeOther(inside(next))
		return
	}
	v.show(http.StatusOK, "login", frame{Title: v.t("login.title", nil)}, v.loginPage(next))
}

// login signs a local administrator in. What is answered to a wrong password, an unknown name and too many tries is the same.
func (v *visit) login() {
	if err := v.r.ParseForm(); err != nil {
		v.say(http.StatusBadRequest, "console.badform", nil)
		return
	}
	v.form = v.r.PostForm
	name, next := v.value("name"), v.value("next")
	admin, ok := v.password(name)
	if !ok {
		p := v.loginPage(next)
		p.Name, p.Fault = name, v.t("login.wrong", nil)
		v.show(http.StatusUnauthorized, "login", frame{Title: v.t("login.title", nil)}, p)
		return
	}
	v.signIn(connector.Session{Provider: connector.LocalProvider, Subject: admin.Name, Name: admin.Name}, next)
}

// password checks name and password of the form as often as that may be tried.
func (v *visit) password(name string) (*Admin, bool) {
	admin, hash := v.set.admin(name), v.s.nobody
	if admin != nil {
		hash = admin.PasswordHash
	}
	limits := []connector.TryLimit{{Key: "name " + clip(name), Tries: triesOfName}, {Key: "address " + page.Network(v.s.o.Address(v.r)), Tries: triesOfAddress}}
	may, err := v.s.o.Store.TakeTry(v.r.Context(), limits, tryWindow, v.now)
	if err != nil {
		v.logError("sign-in", err)
		return nil, false
	}
	right := v.right(hash)
	if !may || !right || admin == nil {
		if may { // what is not counted any more is not kept either: strangers fill nothing
			if err := v.note(connector.AuditSignInFailed, clip(name), nil); err != nil {
				v.logError("sign-in", err)
			}
		}
		return nil, false
	}
	if err := v.s.o.Store.ForgetTries(v.r.Context(), limits[0].Key); err != nil {
		v.logError("sign-in", err)
	}
	return admin, true
}

// hashesAtATime bounds how much of the machine sign-ins can have.
const hashesAtATime = 2

// right reports whether the password of the form is the one of a hash; it waits for its turn.
func (v *visit) right(hash string) bool {
	select {
	case v.s.hashing <- struct{}{}:
		defer func() { <-v.s.hashing }()
		return password.Right(v.form.Get("password"), hash)
	case <-v.r.Context().Done():
		return false
	}
}

// clip bounds a name that somebody has typed.
func clip(name string) string { return name[:min(len(name), 100)] }

// signIn begins a session, which is an entry of the audit log.
func (v *visit) signIn(s connector.Session, next string) {
	err := v.begin(s)
	if err == nil {
		err = v.note(connector.AuditSignedIn, s.Subject, map[string]string{"by": s.Provider})
	}
	if err != nil {
		v.accident("sign-in", err)
		return
	}
	v.seeOther(inside(next))
}

// showReauth asks somebody who is signed in to prove it again.
func (v *visit) showReauth() { v.askAgain(http.StatusOK, v.query("next"), "") }

func (v *visit) askAgain(status int, next, fault string) {
	p := v.loginPage(next)
	p.Again, p.Name, p.Fault, p.Local = true, v.session.Name, fault, v.session.Provider == connector.LocalProvider
	p.Providers = nil
	for _, x := range v.set.Providers {
		if x.ID == v.session.Provider {
			p.Providers = []way{{x.Name, v.loginAddress(x, p.Next)}}
		}
	}
	v.show(status, "login", frame{Title: v.t("login.again", nil)}, p)
}

func (v *visit) reauth() {
	next := v.value("next")
	if v.session.Provider != connector.LocalProvider {
		v.askAgain(http.StatusForbidden, next, "")
		return
	}
	if _, ok := v.password(v.session.Subject); !ok {
		v.askAgain(http.StatusUnauthorized, next, v.t("login.wrong", nil))
		return
	}
	v.signIn(*v.session, next)
}

func (v *visit) logout() {
	err := v.s.o.Store.EndSession(v.r.Context(), v.session.Hash)
	if err == nil {
		err = v.note(connector.AuditSignedOut, v.session.Subject, nil)
	}
	if err != nil {
		v.accident("sign-out", err)
		return
	}
	v.s.setCookie(v.w, sessionCookie, "", -1)
	v.seeOther("/login")
}

const (
	themeCookie = "usherd-theme"
	pauseCookie = "usherd-pause"
)

// preferences are what administrators choose for their browser.
func (s *Server) preferences() {
	s.route("POST /preferences", need{permission: signedIn}, (*visit).prefer)
}

// theme is light or dark where the person has chosen, else "".
func (v *visit) theme() string {
	if t := v.cookie(themeCookie); t == "light" || t == "dark" {
		return t
	}
	return ""
}

// pauses reports whether the person wants nothing asked for again by itself.
func (v *visit) pauses() bool { return v.cookie(pauseCookie) == "on" }

// preferFor is how long a preference is remembered.
const preferFor = 365 * 24 * 60 * 60

// prefer remembers a preference: the one that the form has.
func (v *visit) prefer() {
	if pause := v.value("pause"); pause != "" {
		v.remember(pauseCookie, pause, "on")
	} else {
		v.remember(themeCookie, v.value("theme"), "light", "dark")
	}
	v.redirect(v.s.path + inside(strings.TrimPrefix(v.value("next"), v.s.path)))
}

// remember keeps one of the values that a preference can have, and forgets it with any other.
func (v *visit) remember(cookie, value string, can ...string) {
	if slices.Contains(can, value) {
		v.s.setCookie(v.w, cookie, value, preferFor)
	} else {
		v.s.setCookie(v.w, cookie, "", -1)
	}
}
