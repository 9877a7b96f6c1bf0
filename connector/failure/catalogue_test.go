package failure_test

import (
	"encoding/json"
	"encoding/xml"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
	"usherd/connector/failure"
)

var update = flag.Bool("update", false, "write the golden files anew")

func open(tb testing.TB) *failure.Catalogue {
	tb.Helper()
	c, err := failure.New()
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func sample() connector.Failure {
	return connector.Failure{
		Code: connector.CodeCreation, Reason: connector.RequiredMissing,
		Fields: []string{connector.GivenName, connector.Email},
		Org:    "acme", Source: "corp-ad", Subject: "ann", Ref: "7K2M-9QXA",
		At: time.Date(2026, 11, 22, 3, 0, 4, 0, time.FixedZone("CET", 3600)),
	}
}

func TestLineIsTheSameFormEverywhere(t *testing.T) {
	t.Parallel()
	c := open(t)
	noSeat := connector.Failure{Code: 32, Reason: connector.NoSeat, Package: "standard"}
	domain := connector.Failure{Code: 31, Reason: connector.DomainClaimedElsewhere, Domain: "example.org"}
	for _, test := range []struct {
		f          connector.Failure
		lang, want string
	}{
		{sample(), "en", "Error: Auto account creation failed (31). Reason: required_missing: First Name, Email. Ref: 7K2M-9QXA."},
		{sample(), "pt", "Erro: A criação automática de conta falhou (31). Motivo: required_missing: Nome, E-mail. Ref.: 7K2M-9QXA."},
		{sample(), "sv", "Fel: Det gick inte att skapa kontot automatiskt (31). Orsak: required_missing: Förnamn, E-post. Ref.: 7K2M-9QXA."},
		{sample(), "pl", "Błąd: Automatyczne utworzenie konta nie powiodło się (31). Przyczyna: required_missing: Imię, E-mail. Nr ref.: 7K2M-9QXA."},
		{noSeat, "en", "Error: Auto account update failed (32). Reason: no_seat: standard."},
		{domain, "xx", "Error: Auto account creation failed (31). Reason: domain_claimed_elsewhere: example.org."},
		{failure.SignInFailure(18), "sv", "Fel: Ditt konto är inaktiverat. Kontakta din systemadministratör (18). Orsak: account_deactivated."},
		{connector.Failure{Code: 99}, "en", "Error: Error (99)."},
	} {
		if got := c.Line(test.f, test.lang); got != test.want {
			t.Errorf("%s\n got %s\nwant %s", test.lang, got, test.want)
		}
	}
}

func TestLineCannotBeForged(t *testing.T) {
	t.Parallel()
	f := connector.Failure{
		Code: 31, Reason: connector.PackageUnknown, Package: "x\r\nError: all is well\x1b[2J\u202e\u2028y", Ref: "A\nB",
	}
	line := open(t).Line(f, "en")
	if strings.ContainsAny(line, "\r\n\x1b\u202e\u2028") {
		t.Errorf("control characters came through: %q", line)
	}
}

func TestCodesAndReasonsNeverChange(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, e := range open(t).Codes("en") {
		for _, r := range e.Reasons {
			fmt.Fprintf(&b, "%d %s\n", e.Code, r)
		}
	}
	want, err := os.ReadFile("testdata/frozen.txt") // written by hand, never by -update: clients rely on it
	if err != nil {
		t.Fatal(err)
	}
	got := b.String()
	for line := range strings.Lines(string(want)) {
		if !strings.Contains("\n"+got, "\n"+line) {
			t.Errorf("gone: %s", line)
		}
	}
	if strings.Count(got, "\n") != strings.Count(string(want), "\n") {
		t.Errorf("codes or reasons were added: add them to testdata/frozen.txt too\n%s", got)
	}
}

func TestTextsReadWell(t *testing.T) {
	t.Parallel()
	c := open(t)
	for _, lang := range failure.Languages() {
		var b strings.Builder
		for _, e := range c.Codes(lang) {
			d, ok := c.Describe(e.Code, lang)
			if !ok {
				t.Fatalf("%d is not described", e.Code)
			}
			fmt.Fprintf(&b, "%s\n", d.Title)
			for _, r := range d.Reasons {
				fmt.Fprintf(&b, "  %s\n    ? %s\n    > %s\n", r.Reason, r.When, r.Message)
				for i, step := range r.Remedy {
					fmt.Fprintf(&b, "    %d %s\n", i+1, step)
				}
			}
			for i, list := range [][]string{d.Never, d.Before} {
				if list != nil {
					fmt.Fprintf(&b, "  %s\n    - %s\n", []string{d.NeverTitle, d.BeforeTitle}[i], strings.Join(list, "\n    - "))
				}
			}
		}
		golden(t, "describe."+lang+".txt", b.String())
	}
}

func TestTextsWithValuesReadWell(t *testing.T) {
	t.Parallel()
	c := open(t)
	for _, lang := range failure.Languages() {
		var b strings.Builder
		for _, r := range failure.Reasons(connector.CodeCreation) {
			f := connector.Failure{Code: 31, Reason: r, Fields: []string{"email"}, Package: "Standard", Domain: "example.org"}
			text := c.Text(f, lang)
			fmt.Fprintf(&b, "%s\n  %s\n  %s\n", r, text.Message, strings.Join(text.Remedy, "\n  "))
			f.Code = connector.CodeUpdate
			f.Fields = []string{"userName", "familyName", "custom.badge"}
			fmt.Fprintf(&b, "  %s\n", c.Text(f, lang).Message)
		}
		golden(t, "values."+lang+".txt", b.String())
	}
}

func TestContactIsNamedOnlyWhenThereIsOne(t *testing.T) {
	t.Parallel()
	c := open(t)
	f := failure.SignInFailure(connector.CodeDeactivated)
	contact := connector.Contact{Name: "IT Help", Email: "it@example.com"}
	if got, want := c.TextWithContact(f, contact, "en").Contact, "Your administrator: IT Help, it@example.com."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := c.Text(f, "sv").Contact; !strings.Contains(got, "IT-avdelning") {
		t.Errorf("without a contact: %q", got)
	}
	if got, want := c.Text(f, "en").Message, "Your account has been deactivated. Contact your administrator."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestUnknownReasonStillSaysSomething(t *testing.T) {
	t.Parallel()
	text := open(t).Text(connector.Failure{Code: 31, Reason: "from_the_future"}, "pl")
	if text.Title != "Automatyczne utworzenie konta nie powiodło się (31)" || text.Message == "" || len(text.Remedy) != 1 {
		t.Errorf("%+v", text)
	}
	if _, ok := open(t).Describe(33, "en"); ok {
		t.Error("33 is described but does not exist")
	}
}

func TestChecklistsFollowTheirSteps(t *testing.T) {
	t.Parallel()
	never, before := failure.ChecklistSteps()
	for _, lang := range failure.Languages() {
		text := open(t).Text(sample(), lang)
		if len(text.Never) != len(never) || len(text.Before) != len(before) {
			t.Errorf("%s: %d and %d steps", lang, len(text.Never), len(text.Before))
		}
	}
	if text := open(t).Text(connector.Failure{Code: 32, Reason: connector.NoSeat}, "en"); text.Never != nil || text.Before != nil {
		t.Error("32 has the checklists of 31")
	}
}

func TestDocumentAndXMLAreStable(t *testing.T) {
	t.Parallel()
	c := open(t)
	full := sample()
	full.Package, full.Domain, full.Detail, full.UserID = "standard", "example.org", "no givenName in the entry", connector.ID{1, 15: 2}
	var b strings.Builder
	for _, f := range []connector.Failure{full, failure.SignInFailure(8)} {
		doc, err := json.MarshalIndent(c.Document(f, "en"), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		x, err := xml.MarshalIndent(c.FederatedSSO(f, "en"), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s\n%s\n", doc, x)
	}
	golden(t, "forms.txt", b.String())
}

func TestLanguageIsMatched(t *testing.T) {
	t.Parallel()
	for lang, want := range map[string]string{
		"": "en", "en-GB": "en", "pt": "pt-BR", "pt-PT": "pt-BR", "pt_BR": "pt-BR", "sv-FI": "sv", "pl-PL": "pl", "PL": "pl",
		"da": "en", "de": "en", "zz-nonsense-": "en", "de, sv;q=0.8, en;q=0.5": "sv", "*": "en",
	} {
		if got := failure.Match(lang); got != want {
			t.Errorf("%q gives %s, want %s", lang, got, want)
		}
	}
}

func TestCatalogueIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	c := open(t)
	want := c.Line(sample(), "pl")
	for range 8 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			for range 200 {
				if got := c.Line(sample(), "pl"); got != want {
					t.Errorf("got %s", got)
				}
				_ = c.Document(sample(), "sv")
			}
		})
	}
}

func BenchmarkDocument(b *testing.B) {
	c, f := open(b), sample()
	for b.Loop() {
		_ = c.Document(f, "pl")
	}
}
