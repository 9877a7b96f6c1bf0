package wording

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"usherd/connector"
	"usherd/connector/failure"
)

// place is where a form has a value. One whose name begins with N and a capital, or is N, has a number; Attribute has one of ours by
// its label, and those of words one word.
var place = regexp.MustCompile(`\{\{\.([A-Z][A-Za-z]*)\}\}`)

// form is an English sentence with places for values.
type form struct {
	key    string
	texts  *failure.Texts
	parts  []string // what stands before, between and behind the places
	names  []string
	plural bool
	// literal is how many bytes of it are no values.
	literal int
}

// readForms makes the forms of the English texts, in the order of their keys. A text with plural forms is a form for each.
func readForms(file []byte, texts *failure.Texts) ([]form, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(file, &all); err != nil {
		return nil, fmt.Errorf("the English texts: %w", err)
	}
	var list []form
	for _, key := range slices.Sorted(maps.Keys(all)) {
		var one string
		if json.Unmarshal(all[key], &one) == nil {
			list = append(list, newForm(key, one, texts, false))
			continue
		}
		var several map[string]string
		if err := json.Unmarshal(all[key], &several); err != nil {
			return nil, fmt.Errorf("the English text %s: %w", key, err)
		}
		for _, text := range slices.Compact(slices.Sorted(maps.Values(several))) {
			list = append(list, newForm(key, text, texts, true))
		}
	}
	return list, nil
}

func newForm(key, text string, texts *failure.Texts, plural bool) form {
	f := form{key: key, texts: texts, plural: plural}
	end := 0
	for _, m := range place.FindAllStringSubmatchIndex(text, -1) {
		f.parts = append(f.parts, text[end:m[0]])
		f.names = append(f.names, text[m[2]:m[3]])
		end = m[1]
	}
	f.parts = append(f.parts, text[end:])
	for _, p := range f.parts {
		f.literal += len(p)
	}
	return f
}

// isNumber reports whether the values of a place are numbers.
func isNumber(name string) bool {
	return name[0] == 'N' && (len(name) == 1 || name[1] >= 'A' && name[1] <= 'Z')
}

// take returns the values that a text has in the places of the form; ok = it is of that form. Where a text can be taken apart in several
// ways, values are as short as can be, and the last one has the rest.
func (f *form) take(text string) (values []string, ok bool) {
	if len(text) < f.literal+len(f.names) {
		return nil, false
	}
	last := len(f.names)
	if last == 0 {
		return nil, text == f.parts[0]
	}
	text, ok = strings.CutPrefix(text, f.parts[0])
	if !ok {
		return nil, false
	}
	if text, ok = strings.CutSuffix(text, f.parts[last]); !ok {
		return nil, false
	}
	values = make([]string, 0, last)
	for i := range last - 1 {
		var v string
		if v, text, ok = upTo(text, f.parts[i+1]); !ok || !fits(f.names[i], v) {
			return nil, false
		}
		values = append(values, v)
	}
	values = append(values, text)
	return values, fits(f.names[last-1], text) && (f.parts[0] != "" || f.begins(values[0]))
}

// begins reports whether a form that begins with a place may begin with that value. What is called What or Why is sentences; anything else
// that has a joint in it is the end of a sentence before, and the beginning of this one.
func (f *form) begins(value string) bool {
	if f.names[0] == "What" || f.names[0] == "Why" {
		return true
	}
	return !strings.Contains(value, "\n") && !strings.Contains(value, ": ") && !strings.Contains(value, "; ")
}

// quotedIn is the name, or the words of a server, in quotes that a text begins with; "" = it begins otherwise.
func quotedIn(text string) string {
	if !strings.HasPrefix(text, `"`) {
		return ""
	}
	quoted, err := strconv.QuotedPrefix(text)
	if err != nil {
		return ""
	}
	return quoted
}

// upTo divides a text where the next part of a form stands: behind a quoted value, or else where it is first.
func upTo(text, part string) (value, rest string, ok bool) {
	if quoted := quotedIn(text); quoted != "" && strings.HasPrefix(text[len(quoted):], part) {
		return quoted, text[len(quoted)+len(part):], true
	}
	return strings.Cut(text, part)
}

// words are the places in which there is one word, and what it looks like: the name of an attribute of a directory (RFC 4512 section 2.5), of an
// element of XML, of a state. Without that, their forms would fit too much.
var words = map[string]*regexp.Regexp{
	"AttributeName": regexp.MustCompile(`^[A-Za-z0-9.;-]+$`),
	"Element":       regexp.MustCompile(`^[A-Za-z0-9]+$`),
	"Part":          regexp.MustCompile(`^[A-Za-z0-9]+$`),
	"FromState":     regexp.MustCompile(`^(not_verified|verified|active|inactive|claim_pending|converted_away|deleted)$`),
	"ToState":       regexp.MustCompile(`^(not_verified|verified|active|inactive|claim_pending|converted_away|deleted)$`),
}

func fits(name, value string) bool {
	switch word := words[name]; {
	case value == "":
		return false
	case isNumber(name):
		return strings.Trim(value, "0123456789,") == ""
	case word != nil:
		return word.MatchString(value)
	}
	return true
}

// in is the sentence in a language.
func (f *form) in(lang string, values []string, say func(string) string) string {
	data := make(map[string]string, len(values))
	count := 0
	for i, v := range values {
		switch name := f.names[i]; {
		case name == "Attribute":
			data[name] = label(lang, v, say)
		case !isNumber(name):
			data[name] = say(v)
		default:
			data[name] = grouped(lang, v)
			if name == "N" {
				count, _ = strconv.Atoi(strings.ReplaceAll(v, ",", ""))
			}
		}
	}
	return f.texts.Count(lang, f.key, count, data)
}

// attributes are those that have a name for people, by it.
var attributes = sync.OnceValue(func() map[string]string {
	m := map[string]string{}
	for _, a := range connector.Attributes() {
		m[a.Label] = a.Name
	}
	return m
})

// label is what an attribute is called in a language, or what say makes of a value that is none.
func label(lang, value string, say func(string) string) string {
	if name, ok := attributes()[value]; ok {
		if catalogue, err := failure.New(); err == nil {
			return catalogue.Label(name, lang)
		}
	}
	return say(value)
}

// blanks are the separators of thousands; they do not break.
var blanks = map[string]string{"pt-BR": ".", "sv": "\u00a0", "pl": "\u00a0"}

// grouped is a number whose thousands are divided as the language does it, if they were.
func grouped(lang, number string) string {
	if lang == "pl" && len(number) == len("1,000") { // Polish divides from five digits on
		return strings.ReplaceAll(number, ",", "")
	}
	return strings.ReplaceAll(number, ",", blanks[lang])
}
