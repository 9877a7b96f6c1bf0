package wording

import (
	"strings"

	"usherd/connector/failure"
)

// Rest returns the pieces of a text for which there is no form.
func (s *Sentences) Rest(text string) []string {
	if quotedIn(text) == text {
		return nil
	}
	if f, values := s.find(text); f != nil {
		var rest []string
		for i, v := range values {
			if !isNumber(f.names[i]) && words[f.names[i]] == nil {
				rest = append(rest, s.Rest(v)...)
			}
		}
		return rest
	}
	cuts := divide(text)
	if len(cuts) == 0 {
		return []string{text}
	}
	cuts = append(cuts, cut{len(text), len(text)})
	var rest []string
	for from, i := 0, 0; i < len(cuts); {
		n, _ := s.longest("sv", text[from:], from, cuts[i:])
		piece := text[from:cuts[i+n].from]
		if f, _ := s.find(piece); f == nil {
			rest = append(rest, piece)
		} else {
			rest = append(rest, s.Rest(piece)...)
		}
		from, i = cuts[i+n].to, i+n+1
	}
	return rest
}

// Form is one of the forms, for tests.
type Form struct {
	Key   string
	Names []string
	parts []string
	f     *form
}

// Forms returns all forms.
func (s *Sentences) Forms() []Form {
	var list []Form
	for i := range s.forms {
		f := &s.forms[i]
		list = append(list, Form{f.key, f.names, f.parts, f})
	}
	return list
}

// Fill is the English sentence with those values.
func (f Form) Fill(values []string) string {
	var text strings.Builder
	text.WriteString(f.parts[0])
	for i, v := range values {
		text.WriteString(v + f.parts[i+1])
	}
	return text.String()
}

// Is reports whether the form is that of a text.
func (f Form) Is(s *Sentences, text string) bool {
	found, _ := s.find(text)
	return found != nil && found.key == f.Key
}

// Literal is how much of the form is no value, in bytes.
func (f Form) Literal() int { return f.f.literal }

// IsNumber reports whether the values of a place are numbers.
func IsNumber(name string) bool { return isNumber(name) }

// Raw is the text of the form in a language as it is written, in each of its plural forms.
func (f Form) Raw(lang string) []string {
	data := map[string]string{}
	for _, n := range f.Names {
		data[n] = "{{." + n + "}}"
	}
	counts := []int{1, 2, 5}
	if !f.f.plural {
		counts = counts[:1]
	}
	var list []string
	for _, n := range counts {
		list = append(list, f.f.texts.Count(failure.Match(lang), f.Key, n, data))
	}
	return list
}
