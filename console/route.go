package console

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// route is what one can ask for, and what one must be allowed to for it.
type route struct {
	pattern    string
	permission permission
	fresh      bool // the sign-in must not be old
}

// freshFor is how long a sign-in is good for what is dangerous.
const freshFor = 10 * time.Minute

// need is what a route asks for.
type need struct {
	permission permission
	fresh      bool
}

// page registers a page: a GET that changes nothing.
func (s *Server) page(path string, p permission, show func(*visit)) {
	s.route(http.MethodGet+" "+path, need{permission: p}, show)
}

// action registers something that is done: GET shows what it would do, with a form, and POST on the same path does it. The form
// has been read then, and its key is fresh.
func (s *Server) action(path string, n need, show, do func(*visit)) {
	s.route(http.MethodGet+" "+path, n, show)
	s.route(http.MethodPost+" "+path, n, do)
}

// route registers what only those may ask for who have the permission in the organization.
func (s *Server) route(pattern string, n need, serve func(*visit)) {
	if len(allowed[n.permission]) == 0 {
		panic("console: " + pattern + " names no permission")
	}
	s.routes = append(s.routes, route{pattern, n.permission, n.fresh})
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		v := s.visit(w, r)
		if v.enter(n) { //nolint:contextcheck // a visit asks under the context of its request
			serve(v)
			if r.Method == http.MethodPost {
				s.watch.forget(v.id())
			}
		}
	})
}

// Routes are the patterns of all that asks for a permission, as net/http.ServeMux has them: what is tested and measured.
func (s *Server) Routes() []string {
	list := make([]string, len(s.routes))
	for i, r := range s.routes {
		list[i] = r.pattern
	}
	return list
}

// open is a page for everybody.
func (s *Server) open(serve func(*visit)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { serve(s.visit(w, r)) }
}

// enter lets in who is signed in and may, and answers everybody else.
func (v *visit) enter(n need) bool { return v.recognise() && v.enterKnown(n) }

// enterKnown is enter once it is known who asks.
func (v *visit) enterKnown(n need) bool {
	post := v.r.Method == http.MethodPost
	switch {
	case v.session == nil:
		v.askSignIn()
	case len(v.roles) == 0:
		v.say(http.StatusForbidden, "console.norole", nil)
	case v.org == nil:
		v.say(http.StatusNotFound, "console.noorg", nil)
	case !may(v.role, n.permission):
		v.say(http.StatusForbidden, "console.denied", map[string]string{"Role": v.t("words.role."+string(v.role), nil)})
	case n.fresh && v.now.Sub(v.session.FreshAt) > freshFor:
		v.seeOther("/reauth?" + url.Values{"next": {v.back()}}.Encode())
	case post:
		return v.readForm()
	default:
		return true
	}
	return false
}

// back is where somebody goes on who has to sign in first: the page that was asked for, or the one with the form.
func (v *visit) back() string {
	if v.r.URL.RawQuery != "" {
		return v.r.URL.Path + "?" + v.r.URL.RawQuery
	}
	return v.r.URL.Path
}

// inside is a path of ours, or the overview: nobody is sent elsewhere by what stands in an address.
func inside(path string) string {
	if u, err := url.Parse(path); err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.Contains(path, `\`) {
		return "/"
	}
	return path
}
