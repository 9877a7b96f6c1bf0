package console

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"usherd/connector"
	"usherd/connector/mapping"
	"usherd/connector/sources"
)

// Each reason of the catalogue has pages that help, or is said to have none, and each page is one that there is.
func TestRemediesLeadToPages(t *testing.T) {
	t.Parallel()
	s, err := New(Options{URL: "http://127.0.0.1", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	org := &connector.Organization{ID: "acme", Packages: []connector.Package{{ID: "gold"}}, Templates: []connector.TemplateSettings{{ID: "shop"}}}
	kinds := map[string]connector.SourceKind{"": "", "gone": "", "shop": "", "office": connector.Directory, "okta": connector.SCIM, "entra": connector.SignIn, "file": connector.Import}
	for id, kind := range kinds {
		if kind != "" {
			org.Sources = append(org.Sources, connector.SourceSettings{ID: id, Kind: kind})
		}
	}
	set := &Settings{Organizations: []*Organization{{Settings: org, Sources: map[string]*sources.Source{"office": {Scope: &sources.Scope{}, Mapping: &mapping.Mapping{}}}}}}
	visitAs := func(role connector.Role) *visit {
		return &visit{
			s: s, w: httptest.NewRecorder(), r: httptest.NewRequest(http.MethodGet, "/", nil), set: set, lang: "en", org: set.Organizations[0], role: role,
			roles: map[string]connector.Role{"acme": role},
		}
	}
	reasons, used := map[connector.Reason]bool{}, map[string]bool{}
	for _, e := range s.catalogue.Codes("en") {
		for _, reason := range e.Reasons {
			reasons[reason] = true
			names, told := remedies[reason]
			if !told {
				t.Errorf("%s: say which pages help, or that none does", reason)
			}
			for source := range kinds {
				for _, f := range []connector.Failure{
					{Code: e.Code, Reason: reason, Source: source},
					{Code: e.Code, Reason: reason, Source: source, Package: "gold", Domain: "a.test", Subject: "ann@a.test", UserID: connector.ID{1}},
					{Code: e.Code, Reason: reason, Source: source, Package: "unknown", Subject: "x y/?&"},
				} {
					for _, name := range names {
						checkHelp(t, visitAs(connector.Owner), name, &f)
						used[name] = true
					}
					for _, link := range visitAs(connector.Auditor).helpsWith(&f) {
						if strings.Contains(link.Address, "ann") {
							t.Errorf("%s: an auditor sees %s", reason, link.Address)
						}
					}
				}
			}
		}
	}
	for reason := range remedies {
		if !reasons[reason] {
			t.Errorf("there is no reason %s", reason)
		}
	}
	for name := range helps {
		if !used[name] {
			t.Errorf("nothing leads to %s", name)
		}
	}
}

// checkHelp asks for the page of a help, and for its name in words.
func checkHelp(t *testing.T, v *visit, name string, f *connector.Failure) {
	t.Helper()
	x, there := helps[name]
	if !there {
		t.Fatalf("%s: there is no help %q", f.Reason, name)
	}
	if key := "errors.help." + name; v.t(key, nil) == key {
		t.Errorf("%s has no name", name)
	}
	path, pairs := x.at(v, f)
	if path == "" {
		return
	}
	u, err := url.Parse(v.link(path, pairs...))
	if err != nil || u.Path != path || len(pairs)%2 != 0 {
		t.Errorf("%s: %v %s", name, err, path)
	}
	if !v.mayGet(path) {
		t.Errorf("%s: there is no page %s", name, path)
	}
	if f.UserID == (connector.ID{1}) && name == "account" && !strings.HasPrefix(path, "/users/0100") {
		t.Error(path)
	}
}
