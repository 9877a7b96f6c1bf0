package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/config"
	"usherd/connector"
)

func parsed(t *testing.T, text string) *config.File {
	t.Helper()
	f, err := config.Parse("usherd.yaml", []byte(text), options())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

const someTemplates = `
store: sqlite:x.db
organizations:
  - id: acme
    partner_id: "1"
    languages: [en]
    required: [custom.line]
    packages: [{ id: gold, seats: 1 }]
    templates:
      - { id: phones, package: gold, untrusted_email: true, domains: [Räksmörgås.test], languages: [sv], fields: [department, custom.line], approval: true }
      - { id: chat, unannounced: true, fields: [] }
    sources:
      - { id: idp, scim: {} }
`

// A template is a source behind all others, with rules for each attribute that it may bring.
func TestTemplatesAreSources(t *testing.T) {
	t.Parallel()
	f := parsed(t, someTemplates)
	org := f.Organizations[0].Org
	if len(org.Sources) != 3 || org.Sources[0].ID != "idp" {
		t.Fatalf("%+v", org.Sources)
	}
	phones := org.Sources[1]
	if phones.Kind != connector.Template || phones.Package != "gold" || !phones.Approval || phones.FirstRun != connector.FirstRunApply {
		t.Errorf("%+v", phones)
	}
	if d := cmp.Diff([]string{"xn--rksmrgs-5wao1o.test"}, phones.Domains); d != "" {
		t.Error(d)
	}
	want := []connector.TemplateSettings{
		{ID: "phones", Name: "phones", Untrusted: true, Languages: []string{"sv"}, Fields: []string{"department", "custom.line"}},
		{ID: "chat", Name: "chat", Unannounced: true, Fields: []string{}},
	}
	if d := cmp.Diff(want, org.Templates); d != "" {
		t.Error(d)
	}
	s := &connector.Subscriber{Name: "Line1@Phones", Profile: connector.Profile{"givenName": {"Ann"}, "custom.line": {"4711"}}}
	got := f.Organizations[0].Mappings["phones"].Map(s.Record("ann@acme.test"))
	if d := cmp.Diff(connector.Profile{"userName": {"ann@acme.test"}, "email": {"ann@acme.test"}, "givenName": {"Ann"}, "custom.line": {"4711"}}, got.Profile); d != "" {
		t.Error(d)
	}
	if lang := org.LanguagesOf(org.Template("chat")); lang[0] != "en" {
		t.Error(lang)
	}
	if len(f.Warnings) != 2 || !strings.Contains(f.Warnings[0].Message+f.Warnings[1].Message, "anybody in the world") {
		t.Errorf("%v", f.Warnings)
	}
}
