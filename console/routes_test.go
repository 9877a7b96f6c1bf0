package console

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/page"
)

// roleTable is who may do what, as it was decided: the table of the code has to be this one.
var roleTable = map[permission]string{
	see: "owner operator helpdesk auditor", inClear: "owner operator helpdesk", export: "owner operator helpdesk auditor",
	run: "owner operator", decide: "owner operator", handle: "owner operator helpdesk", remove: "owner operator", manage: "owner",
	signedIn: "owner operator helpdesk auditor",
}

func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	if len(allowed) != len(roleTable) {
		t.Error("another number of permissions")
	}
	for p, want := range roleTable {
		var got []string
		for _, r := range connector.Roles() {
			if may(r, p) {
				got = append(got, string(r))
			}
		}
		if is := strings.Join(got, " "); is != want {
			t.Errorf("%s: %s, want %s", p, is, want)
		}
	}
	if may("", see) || may("guest", signedIn) {
		t.Error("somebody without a role may")
	}
}

func TestARouteNeedsAPermission(t *testing.T) {
	t.Parallel()
	s, err := New(Options{URL: "http://127.0.0.1", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a route without a permission was registered")
		}
	}()
	s.page("/new", "", (*visit).nowhere)
}

var variable = regexp.MustCompile(`\{[^}]+\}`)

// Each role asks for each route: whoever may not is answered 403, and nobody else is.
func TestEachRoleAtEachRoute(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	s, err := New(Options{URL: "http://127.0.0.1", Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	s.counts = nil // there is no store
	s.watch.put("acme", &alerts{at: now})
	set := &Settings{Organizations: []*Organization{{Settings: &connector.Organization{ID: "acme"}}}}
	if len(s.routes) < 10 {
		t.Fatal("there are no routes")
	}
	for _, r := range s.routes {
		for _, role := range connector.Roles() {
			method, path, _ := strings.Cut(r.pattern, " ")
			req := httptest.NewRequest(method, strings.TrimSuffix(variable.ReplaceAllString(path, "x"), "x"), nil)
			rec := httptest.NewRecorder()
			v := &visit{
				s: s, w: rec, r: req, set: set, now: now, lang: "en", session: &connector.Session{FreshAt: now}, org: set.Organizations[0], role: role,
				roles: map[string]connector.Role{"acme": role},
			}
			in := v.enterKnown(need{permission: r.permission, fresh: r.fresh})
			if want := may(role, r.permission); want != (in || method == http.MethodPost && rec.Code == http.StatusForbidden && strings.Contains(rec.Body.String(), "not from your session")) {
				t.Errorf("%s as %s: %v, %d", r.pattern, role, in, rec.Code)
			} else if !want && rec.Code != http.StatusForbidden {
				t.Errorf("%s as %s: %d", r.pattern, role, rec.Code)
			}
		}
	}
}

// What changes something is sent by POST: GET routes have no other method beside them than POST, and each POST names what it
// needs.
func TestMethodsOfRoutes(t *testing.T) {
	t.Parallel()
	s, err := New(Options{URL: "http://127.0.0.1", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range s.routes {
		if method, _, _ := strings.Cut(r.pattern, " "); method != http.MethodGet && method != http.MethodPost {
			t.Error(r.pattern)
		}
	}
	for _, n := range navigation {
		if text := s.pages.Text("en", "nav."+n.name, nil); strings.HasPrefix(text, "nav.") {
			t.Errorf("%s has no name", n.path)
		}
	}
}

// Each page asks its struct for nothing that it does not have: it is made with every field filled, and with every field empty.
func TestTemplatesFitTheirPages(t *testing.T) {
	t.Parallel()
	s, err := New(Options{URL: "http://127.0.0.1", Now: time.Now, Address: func(*http.Request) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	s.counts = nil // there is no store
	bodies := map[string]any{}
	for _, b := range s.bodies {
		bodies[b.name] = b.body
	}
	for _, name := range s.pages.Names() {
		body, there := bodies[name]
		if !there {
			t.Errorf("%s: no page is registered for this template (Server.body)", name)
			continue
		}
		for _, full := range []bool{false, true} {
			value := reflect.New(reflect.TypeOf(body)).Elem()
			if full {
				fill(value, 0)
			}
			v := s.visit(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
			v.session, v.org, v.role = &connector.Session{Name: "x"}, &Organization{Settings: &connector.Organization{ID: "acme"}}, connector.Owner
			v.roles = map[string]connector.Role{"acme": connector.Owner}
			f := &frame{Title: "x", v: v}
			if _, err := s.pages.Render(name, page.View{Lang: "en", Frame: f, Body: value.Interface()}); err != nil {
				t.Error(err)
			}
		}
	}
}

// fill puts something into each field that can be set, two levels of lists and pointers deep.
func fill(v reflect.Value, depth int) {
	if depth > 6 || !v.CanSet() {
		return
	}
	switch v.Kind() { //nolint:exhaustive // what pages are made of
	case reflect.String:
		v.SetString("<x>")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for _, field := range v.Fields() {
			fill(field, depth+1)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), depth+1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), depth+1)
	case reflect.Func:
		v.Set(reflect.MakeFunc(v.Type(), func(args []reflect.Value) []reflect.Value { return args[:1] }))
	}
}
