package failure_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"usherd/connector"
	"usherd/connector/failure"
)

// flat reads a file of texts as key -> text, plural forms as keys of their own.
func flat(t *testing.T, lang string) map[string]string {
	t.Helper()
	raw, err := os.ReadFile("texts/" + lang + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := json.Unmarshal(raw, &tree); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	var walk func(prefix string, v any)
	walk = func(prefix string, v any) {
		switch v := v.(type) {
		case string:
			out[prefix] = v
		case map[string]any:
			for k, sub := range v {
				walk(strings.TrimPrefix(prefix+"."+k, "."), sub)
			}
		default:
			t.Fatalf("%s: neither text nor object", prefix)
		}
	}
	walk("", tree)
	return out
}

var action = regexp.MustCompile(`\{\{[^}]*\}\}`)

// actions are the placeholders of a text, sorted: their order is for the translator.
func actions(text string) []string {
	list := action.FindAllString(text, -1)
	slices.Sort(list)
	return list
}

func TestPlaceholdersAgreeInAllLanguages(t *testing.T) {
	t.Parallel()
	en := flat(t, "en")
	for _, lang := range failure.Languages()[1:] {
		for key, text := range flat(t, lang) {
			base := en[key]
			if base == "" { // a plural form that English does not have
				base = en[key[:strings.LastIndex(key, ".")]+".other"]
			}
			if !slices.Equal(actions(text), actions(base)) {
				t.Errorf("%s %s: %v, English has %v", lang, key, actions(text), actions(base))
			}
		}
	}
}

func TestNothingIsLeftInEnglish(t *testing.T) {
	t.Parallel()
	// Words that are the same in two languages, or names.
	same := map[string][]string{
		"pt-BR": {"label.fax"},
		"sv":    {"label.fax", "label.division", "label.region"},
		"pl":    {},
	}
	english := regexp.MustCompile(`(?i)\b(the|your|account|could|check|identity|provider|administrator's|seats? is|has been)\b`)
	en := flat(t, "en")
	for _, lang := range failure.Languages()[1:] {
		for key, text := range flat(t, lang) {
			if text == en[key] && !slices.Contains(same[lang], key) && text != "{{.Again}}" {
				t.Errorf("%s %s is the English text: %s", lang, key, text)
			}
			// Commands and names of the protocols are English everywhere.
			plain := regexp.MustCompile(`usherd [a-z -]+`).ReplaceAllString(text, "")
			if m := english.FindString(plain); m != "" {
				t.Errorf("%s %s holds the English word %q: %s", lang, key, m, text)
			}
		}
	}
}

func TestTypographyIsClean(t *testing.T) {
	t.Parallel()
	for _, lang := range failure.Languages() {
		for key, text := range flat(t, lang) {
			if strings.Contains(text, "  ") || strings.TrimSpace(text) != text || strings.Contains(text, "..") {
				t.Errorf("%s %s: blanks or full stops: %q", lang, key, text)
			}
			sentence := !strings.HasPrefix(key, "title.") && !strings.HasPrefix(key, "label.") && !strings.HasPrefix(key, "line.") &&
				!strings.HasSuffix(key, ".title")
			if sentence && !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "{{.Look}}") && !strings.HasSuffix(text, "{{.Again}}") {
				t.Errorf("%s %s does not end its sentence: %q", lang, key, text)
			}
		}
	}
}

func TestEveryTextIsComplete(t *testing.T) {
	t.Parallel()
	c := open(t)
	bad := regexp.MustCompile(`<no value>|\{\{|\}\}|  | [.,:;]|\(\)|[a-z]+\.[a-z_]+\.(message|when|remedy)`)
	check := func(t *testing.T, lang string, f connector.Failure) {
		t.Helper()
		text := c.Text(f, lang)
		all := append([]string{text.Title, text.Message, text.Contact, c.When(f.Reason, lang)}, text.Remedy...)
		if len(text.Remedy) == 0 {
			t.Errorf("%s %d %s has no remedy", lang, f.Code, f.Reason)
		}
		for _, s := range append(append(all, text.Never...), text.Before...) {
			if s == "" || bad.MatchString(s) {
				t.Errorf("%s %d %s: %q", lang, f.Code, f.Reason, s)
			}
		}
	}
	for _, lang := range failure.Languages() {
		for code := connector.Code(1); code <= 32; code++ {
			for _, r := range failure.Reasons(code) {
				check(t, lang, connector.Failure{Code: code, Reason: r})
				for n := 1; n <= 5; n++ {
					fields := []string{"userName", "givenName", "familyName", "email", "custom.badge"}[:n]
					check(t, lang, connector.Failure{Code: code, Reason: r, Fields: fields, Package: "Standard", Domain: "example.org"})
				}
			}
		}
	}
}

func TestReasonsOfTheRulesAreAllThere(t *testing.T) {
	t.Parallel()
	var all []connector.Reason
	for code := connector.Code(1); code <= 32; code++ {
		all = append(all, failure.Reasons(code)...)
	}
	for _, r := range []connector.Reason{
		connector.PartnerIDMissing, connector.AccountInactive, connector.AccountPendingApproval, connector.RequiredMissing,
		connector.NoSeat, connector.MemberStatusPresent, connector.EmailInvalid, connector.UserNameTaken, connector.EmailTaken,
		connector.AmbiguousMatch, connector.DomainClaimedElsewhere, connector.DomainNotAllowed, connector.PackageUnknown,
		connector.AttributeInvalid, connector.AttributeTooLong, connector.NoAccount, connector.SSONotAllowed, connector.AccountDeactivated,
	} {
		if !slices.Contains(all, r) {
			t.Errorf("%s has no code", r)
		}
	}
}

func TestLabelsAreTranslated(t *testing.T) {
	t.Parallel()
	c := open(t)
	for _, a := range connector.Attributes() {
		if got := c.Label(a.Name, "en"); got != a.Label {
			t.Errorf("%s: %q here, %q in connector", a.Name, got, a.Label)
		}
		for _, lang := range failure.Languages() {
			if got := c.Label(a.Name, lang); got == "" || got == a.Name {
				t.Errorf("%s has no label in %s", a.Name, lang)
			}
		}
	}
	if got := c.Label("custom.badge", "sv"); got != "badge" {
		t.Errorf("custom attribute: %q", got)
	}
}

func TestPolishPluralFormsFollowTheCount(t *testing.T) {
	t.Parallel()
	forms := `{"people": {"one": "{{.PluralCount}} osoba", "few": "{{.PluralCount}} osoby", "many": "{{.PluralCount}} osób", "other": "{{.PluralCount}} osoby"}}`
	two := `{"people": {"one": "{{.PluralCount}} a", "other": "{{.PluralCount}} b"}}`
	texts, err := failure.LoadTexts(fstest.MapFS{
		"en.json": {Data: []byte(two)}, "pt-BR.json": {Data: []byte(two)}, "sv.json": {Data: []byte(two)}, "pl.json": {Data: []byte(forms)},
	})
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]string{1: "1 osoba", 2: "2 osoby", 5: "5 osób", 12: "12 osób", 22: "22 osoby", 112: "112 osób"} {
		if got := texts.Count("pl", "people", n, nil); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := texts.Count("en-GB", "people", 2, nil); got != "2 b" {
		t.Errorf("unmatched language: %q", got)
	}
	if got := texts.Text("en", "nothing.here", nil); got != "nothing.here" {
		t.Errorf("unknown key: %q", got)
	}
}

func TestIncompleteTextsAreRefused(t *testing.T) {
	t.Parallel()
	full, short := []byte(`{"a": "A", "b": "B"}`), []byte(`{"a": "A"}`)
	plural, half := []byte(`{"a": {"one": "x", "other": "y"}}`), []byte(`{"a": {"one": "x", "other": "y"}}`)
	for name, files := range map[string]fstest.MapFS{
		"key":  {"en.json": {Data: full}, "pt-BR.json": {Data: full}, "sv.json": {Data: short}, "pl.json": {Data: full}},
		"file": {"en.json": {Data: full}, "pt-BR.json": {Data: full}, "sv.json": {Data: full}},
		"form": {"en.json": {Data: plural}, "pt-BR.json": {Data: plural}, "sv.json": {Data: plural}, "pl.json": {Data: half}},
		"json": {"en.json": {Data: []byte(`{`)}},
	} {
		if _, err := failure.LoadTexts(files); err == nil {
			t.Errorf("missing %s was accepted", name)
		}
	}
}
