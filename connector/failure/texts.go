package failure

import (
	"fmt"
	"io/fs"
	"strings"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

// Languages returns the tags of the languages that every text exists in, English first.
func Languages() []string { return append([]string(nil), languages...) }

var languages = []string{"en", "pt-BR", "sv", "pl"}

// Match returns the one of Languages that fits a BCP 47 tag or an Accept-Language header best:
// pt gives pt-BR. What is unknown or unreadable gives en.
func Match(lang string) string { return Prefer(lang, languages[0]) }

// Prefer is Match for whoever may ask for none of Languages, as a browser in German does: then the answer is the one of
// Languages that fits fallback.
func Prefer(lang, fallback string) string {
	if l := match(lang); l != "" {
		return l
	}
	if l := match(fallback); l != "" {
		return l
	}
	return languages[0]
}

func match(lang string) string {
	for _, l := range languages {
		if l == lang {
			return l
		}
	}
	wanted, _, err := language.ParseAcceptLanguage(lang)
	if err != nil {
		return ""
	}
	for _, tag := range wanted {
		base, _ := tag.Base()
		for _, l := range languages {
			// The matcher of x/text would also give Swedish to a Dane: near, but not asked for.
			if own, _ := language.Make(l).Base(); own == base {
				return l
			}
		}
	}
	return ""
}

// Texts is a set of texts in all Languages. It is safe for concurrent use.
type Texts struct {
	fixed      map[string]map[string]string // language -> key -> text without placeholders
	localizers map[string]*i18n.Localizer
	plural     map[string]bool // keys with plural forms
	keys       map[string]bool
}

// LoadTexts reads en.json, pt-BR.json, sv.json and pl.json from files: nested objects of texts, in
// which a text may be an object of CLDR plural forms (one, few, many, other) instead. It is an error when
// a language lacks a key that another has, so that a text once loaded is never missing.
func LoadTexts(files fs.FS) (*Texts, error) {
	t := &Texts{
		fixed:      map[string]map[string]string{},
		localizers: map[string]*i18n.Localizer{},
		plural:     map[string]bool{},
		keys:       map[string]bool{},
	}
	bundle := i18n.NewBundle(language.English)
	for _, lang := range languages {
		file, err := bundle.LoadMessageFileFS(files, lang+".json")
		if err != nil {
			return nil, fmt.Errorf("texts of %s: %w", lang, err)
		}
		t.add(lang, file.Messages)
	}
	for _, lang := range languages {
		t.localizers[lang] = i18n.NewLocalizer(bundle, lang)
	}
	return t, t.complete(bundle)
}

func (t *Texts) add(lang string, messages []*i18n.Message) {
	fixed := map[string]string{}
	for _, m := range messages {
		t.keys[m.ID] = true
		if m.One != "" {
			t.plural[m.ID] = true
		} else if !strings.Contains(m.Other, "{{") {
			fixed[m.ID] = m.Other
		}
	}
	t.fixed[lang] = fixed
}

// complete asks for every text in every language: go-i18n answers a missing one in English and with
// an error, which must not wait for the person who meets it.
func (t *Texts) complete(bundle *i18n.Bundle) error {
	for _, lang := range languages {
		l := i18n.NewLocalizer(bundle, lang)
		for key := range t.keys {
			for _, n := range []int{1, 2, 5} {
				c := i18n.LocalizeConfig{MessageID: key, TemplateData: map[string]any{}}
				if t.plural[key] {
					c.PluralCount = n
				}
				text, err := l.Localize(&c)
				if err != nil {
					return fmt.Errorf("text %s of %s: %w", key, lang, err)
				}
				if text == "" {
					return fmt.Errorf("text %s of %s is empty", key, lang)
				}
			}
		}
	}
	return nil
}

// Has reports whether there is a text with that key.
func (t *Texts) Has(key string) bool { return t.keys[key] }

// Text returns the text with that key in one of Languages, its placeholders filled from data (a struct
// or map; nil where there are none). An unknown key gives the key.
func (t *Texts) Text(lang, key string, data any) string { return t.Count(lang, key, 0, data) }

// Count is Text for a text with plural forms, in the form that n asks for. Where data is nil, the text
// may hold {{.PluralCount}}.
func (t *Texts) Count(lang, key string, n int, data any) string {
	if s, ok := t.fixed[lang][key]; ok {
		return s
	}
	l := t.localizers[lang]
	if l == nil {
		return t.Count(Match(lang), key, n, data)
	}
	c := i18n.LocalizeConfig{MessageID: key, TemplateData: data}
	if t.plural[key] {
		c.PluralCount = n
	}
	text, err := l.Localize(&c)
	if err != nil && text == "" {
		return key
	}
	return text
}

// List returns the texts prefix.1, prefix.2 and so on.
func (t *Texts) List(lang, prefix string, data any) []string {
	var list []string
	for n := 1; ; n++ {
		key := fmt.Sprintf("%s.%d", prefix, n)
		if !t.keys[key] {
			return list
		}
		list = append(list, t.Text(lang, key, data))
	}
}
