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
portal: { listen: 127.0.0.1:0, url: "https://account.acme.test" }
mail: { server: "127.0.0.1:25", tls: none, from: accounts@acme.test }
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

// A template by which people have to activate themselves needs a page and mails; one whose addresses are believed does not.
func TestTemplatesThatNobodyCanUse(t *testing.T) {
	t.Parallel()
	_, portal, _ := strings.Cut(someTemplates, "x.db\n")
	portal, mail, _ := strings.Cut(portal, "\n")
	mail, _, _ = strings.Cut(mail, "\n")
	for _, c := range []struct {
		without []string
		more    string // of the template
		want    []string
	}{
		{nil, "untrusted_email: true", nil},
		{[]string{portal, mail}, "domains: [acme.test]", nil},
		{[]string{portal, mail}, "untrusted_email: true", []string{"there is no portal block", "there is no mail block"}},
		{[]string{mail}, "untrusted_email: true", []string{"there is no mail block"}},
		{[]string{portal}, "unannounced: true, approval: true", []string{"mails with a link have nowhere to lead to", "there is no portal block"}},
	} {
		text := someTemplates
		for _, line := range c.without {
			text = strings.Replace(text, line+"\n", "", 1)
		}
		from, to := strings.Index(text, "      - { id: phones"), strings.Index(text, "    sources:")
		text = text[:from] + "      - { id: phones, " + c.more + " }\n" + text[to:]
		var got []string
		for _, w := range parsed(t, text).Warnings {
			if !strings.Contains(w.Message, "nobody can push") {
				got = append(got, w.Message)
			}
		}
		ok := len(got) == len(c.want)
		for i := range c.want {
			ok = ok && strings.Contains(got[i], c.want[i])
		}
		if !ok {
			t.Errorf("without %q, %s: %q, want %q", c.without, c.more, got, c.want)
		}
	}
}
