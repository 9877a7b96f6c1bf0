package api_test

import (
	"net/http"
	"slices"
	"testing"

	"usherd/api"
	"usherd/connector"
	"usherd/connector/subscribers"
)

// A template says whether people can activate, what it asks them for, and where they are.
func TestTemplatesByAPI(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		edit  func(w *world, o *connector.Organization, t *connector.TemplateSettings)
		wrong []string // the checks that are not well
		link  string
	}{
		{"announced and believed", func(*world, *connector.Organization, *connector.TemplateSettings) {}, nil, ""},
		{"nothing for who has to come", func(_ *world, _ *connector.Organization, t *connector.TemplateSettings) { t.Untrusted = true }, []string{"portal", "mail"}, ""},
		{"a portal without mail", func(w *world, _ *connector.Organization, t *connector.TemplateSettings) {
			t.Untrusted, w.activation = true, subscribers.Activation{Portal: "https://account.acme.test/"}
		}, []string{"mail"}, "https://account.acme.test/activate/acme/phones"},
		{"nobody can be created", func(_ *world, o *connector.Organization, _ *connector.TemplateSettings) {
			o.PartnerID, o.Packages[0].Seats = "", 0
		}, []string{"partner", "seats"}, ""},
		{"strangers who are asked too little", func(w *world, o *connector.Organization, t *connector.TemplateSettings) {
			t.Unannounced, t.Fields, o.Required = true, []string{connector.GivenName, connector.FamilyName}, []string{"title"}
			w.activation = subscribers.Activation{Portal: "https://account.acme.test", Mail: true}
		}, []string{"required"}, "https://account.acme.test/activate/acme/phones"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(w *world) {
				phones(w)
				c.edit(w, w.orgs["acme"], &w.orgs["acme"].Templates[0])
			})
			list := get[api.Templates](w.client("acme", connector.APIRead), "/orgs/acme/templates")
			if len(list.Templates) != 1 {
				t.Fatalf("%+v", list)
			}
			got := list.Templates[0]
			var wrong []string
			for _, check := range got.Checks {
				if !check.OK {
					wrong = append(wrong, check.Name)
				}
			}
			if !slices.Equal(wrong, c.wrong) || got.Ready != (c.wrong == nil) || got.ShareLink != c.link || got.Package != "standard" || got.Name != "Phones" {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestOneTemplateByAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) {
		phones(w)
		o := w.orgs["acme"]
		o.Templates[0].Fields, o.Required, o.Languages = []string{connector.GivenName, "title"}, []string{"title"}, []string{"sv", "en"}
		o.Sources[1].Domains, o.Sources[1].Package, o.Sources[1].Approval = []string{"xn--bcher-kva.example"}, "guest", true
	})
	c := w.client("acme", connector.APIRead, connector.APISubscribers)
	c.want(http.StatusOK, http.MethodPost, "/orgs/acme/subscribers", `{"subscribers":[{"template":"phones","subscriber_id":"4712","email":"bo@home.test"}]}`)
	got := get[api.TemplateDetail](c.with("Accept-Language", "sv"), "/orgs/acme/templates/phones")
	if got.Package != "guest" || !got.Approval || got.Languages[0] != "sv" || got.Domains[0] != "xn--bcher-kva.example" || got.Subscribers[connector.SubscriberError] != 1 || len(got.Subscribers) != 1 {
		t.Errorf("%+v", got)
	}
	want := []api.TemplateField{{Name: "email", Label: "E-post", Required: true}, {Name: "givenName", Label: "Förnamn", Required: true}, {Name: "title", Label: "Befattning", Required: true}}
	for i, f := range got.Fields {
		if i >= len(want) || f.Name != want[i].Name || f.Label != want[i].Label || f.Required != want[i].Required || f.Most == 0 {
			t.Errorf("%+v", f)
		}
	}
	if len(got.Fields) != len(want) {
		t.Errorf("%+v", got.Fields)
	}
	c.refused(http.StatusNotFound, "not_found", http.MethodGet, "/orgs/acme/templates/nowhere", nil)
	if got := get[api.Templates](w.client("beta"), "/orgs/beta/templates"); got.Templates == nil || len(got.Templates) != 0 {
		t.Errorf("%+v", got)
	}
	w.client("beta").refused(http.StatusNotFound, "not_found", http.MethodGet, "/orgs/beta/templates/phones", nil)
}

// The organization is shown with its rules, and with what it has.
func TestOrganizationIsWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) {
		o := w.orgs["acme"]
		o.SecondApprover, o.InactiveHoldsSeat, o.Required = true, true, []string{"title", "uid"}
	})
	w.person("acme", "ann", func(r *connector.Record) {
		r.Attributes = append(r.Attributes, connector.Attribute{Name: "title", Values: [][]byte{[]byte("Ms")}})
	})
	w.person("beta", "bob", nil)
	got := get[api.About](w.client("acme", connector.APIRead), "/orgs/acme")
	if got.Partner != "P-1" || !got.Second || !got.Holds || got.DeleteAfter != 30 || got.GoneDeleteAfter != 7 || got.Users != 1 || got.Default != "standard" {
		t.Errorf("%+v", got)
	}
	if !slices.Contains(got.Required, "title") || !slices.Contains(got.Required, connector.Email) || slices.Contains(got.Required, "uid") {
		t.Errorf("%v", got.Required)
	}
	if len(got.Domains) != 1 || got.Domains[0].Domain != "acme.test" || !got.Domains[0].Verified || len(got.Packages) != 2 || got.Packages[1].Used+got.Packages[0].Used != 1 {
		t.Errorf("%+v", got)
	}
}
