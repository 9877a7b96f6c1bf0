package wording_test

import (
	"slices"
	"strings"
	"testing"

	"usherd/connector/failure"
	"usherd/connector/wording"
)

func TestSay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ lang, in, want string }{
		{"en", "the answer was not complete: no entry has mail", "the answer was not complete: no entry has mail"},
		{"de", "stopped before the end", "stopped before the end"},
		{"sv", "stopped before the end", "stoppad före slutet"},
		{"sv-SE", "stopped before the end", "stoppad före slutet"},
		{"sv", "", ""},
		{"sv", "what a newer version says", "what a newer version says"},
		{
			"sv", "12 removals are more than 10 and more than 5 % of 1,040 users: 12 not in the directory any more, most or all of them below OU=Sales,DC=acme,DC=test",
			"12 borttagningar är fler än 10 och fler än 5 % av 1\u00a0040 användare: 12 finns inte längre i katalogen, de flesta eller alla under OU=Sales,DC=acme,DC=test",
		},
		{"pl", "2 people would lose access: 2 disabled or expired", "2 osoby straciłyby dostęp: 2 z wyłączonym lub wygasłym kontem"},
		{"pl", "5 people would lose access: 5 out of scope", "5 osób straciłoby dostęp: 5 poza zakresem"},
		{
			"pl", "the answer has no entries at all where 1,200 were known: check that the account may still read the base and that base and filter are right",
			"odpowiedź nie ma żadnych wpisów, choć znano 1200: sprawdź, czy konto nadal może czytać bazę oraz czy baza i filtr są poprawne",
		},
		{
			"pt-BR", "1 person had changed without the directory's feed of changes telling of it: this run has found them",
			"1 pessoa havia mudado sem que o fluxo de mudanças do diretório o dissesse: esta execução a encontrou",
		},
		{
			"pt", "the groups stay as they are: they could not be read: x509: bad; stopped before the end",
			"os grupos ficam como estão: não puderam ser lidos: x509: bad; parada antes do fim",
		},
		{
			"sv", `ldapsync: search "OU=Head on Sales" on ldaps://dc1: no such object (code 32): the server says "no on"`,
			`ldapsync: sökning "OU=Head on Sales" på ldaps://dc1: inget sådant objekt (kod 32): servern säger "no on"`,
		},
		{
			"sv", "Display Name would change for 34 of 40 users, more than 50 %; ldapsync: read of it",
			"Visningsnamn skulle ändras för 34 av 40 användare, fler än 50 %; ldapsync: läsning av of it",
		},
		// What is between known sentences stays as it is, with what divides it.
		{"sv", "acme/ad: stopped before the end: 10.0.0.1: cut off\nit is tried again by itself", "acme/ad: stoppad före slutet: 10.0.0.1: avbruten\ndet försöks igen av sig självt"},
	} {
		if got := wording.Say(c.lang, c.in); got != c.want {
			t.Errorf("%s: %q\n got %q\nwant %q", c.lang, c.in, got, c.want)
		}
	}
}

// samples are values that could be taken for something else.
var samples = []string{"x", "OU=a; b, c: d,DC=x", `"7" of <b>{{.Why}}</b> & %s`, "=cmd|'/C calc'!A0", "\u202eevil\u202c", "stopped", strings.Repeat("long ", 300)}

func TestAFormTakesItsOwnSentences(t *testing.T) {
	t.Parallel()
	s := load(t)
	for _, f := range s.Forms() {
		values := make([]string, len(f.Names))
		for i, n := range f.Names {
			if values[i] = "Xy" + strings.ToLower(n); wording.IsNumber(n) {
				values[i] = "1,234"
			} else if strings.HasSuffix(n, "State") && n != "State" {
				values[i] = "active"
			}
		}
		text := f.Fill(values)
		if !f.Is(s, text) {
			t.Errorf("%s: %q is taken for another sentence", f.Key, text)
		}
		for _, lang := range failure.Languages()[1:] {
			said := s.Say(lang, text)
			for i, v := range values {
				if !wording.IsNumber(f.Names[i]) && v != "active" && !strings.Contains(said, v) {
					t.Errorf("%s: %s: %q has lost %q", lang, f.Key, said, v)
				}
			}
		}
	}
}

// A value of a server or of a person can only cost the translation, never itself.
func TestHostileValuesStay(t *testing.T) {
	t.Parallel()
	s := load(t)
	for _, f := range s.Forms() {
		for _, sample := range samples {
			values := make([]string, len(f.Names))
			for i := range values {
				values[i] = sample
			}
			text := f.Fill(values)
			for _, lang := range failure.Languages() {
				if said := s.Say(lang, text); len(values) > 0 && sample != "x" && sample != "stopped" && !strings.Contains(said, sample) {
					t.Errorf("%s: %s: %q has lost %q", lang, f.Key, said, sample)
				}
			}
		}
	}
}

func TestEachLanguageHasTheSamePlaces(t *testing.T) {
	t.Parallel()
	for _, f := range load(t).Forms() {
		if f.Literal() < 4 {
			t.Errorf("%s says too little to be known by", f.Key)
		}
		for _, lang := range failure.Languages() {
			for _, text := range f.Raw(lang) {
				var found []string
				for _, m := range placeOf.FindAllStringSubmatch(text, -1) {
					found = append(found, m[1])
				}
				if slices.Sort(found); !slices.Equal(found, slices.Sorted(slices.Values(f.Names))) {
					t.Errorf("%s: %s has the places %v, and English %v", lang, f.Key, found, f.Names)
				}
			}
		}
	}
}

func TestWhatIsTooLongStaysEnglish(t *testing.T) {
	t.Parallel()
	s := load(t)
	for _, text := range []string{strings.Repeat("stopped before the end: ", 100), strings.Repeat("x", 9<<10)} {
		if got := s.Say("sv", text); got != text {
			t.Errorf("%.80q… has become %.80q…", text, got)
		}
	}
}

func FuzzSay(f *testing.F) {
	for _, x := range append(slices.Clone(togetherCases), samples...) {
		f.Add(x)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := load(t)
		if got := s.Say("en", text); got != text {
			t.Errorf("%q has become %q", text, got)
		}
		if got := s.Say("sv", text); got == "" && text != "" {
			t.Errorf("%q has become nothing", text)
		}
	})
}

func BenchmarkSay(b *testing.B) {
	s, err := wording.Load()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s.Say("sv", togetherCases[1])
	}
}
