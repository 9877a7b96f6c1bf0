package wording

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"usherd/connector/failure"
)

//go:embed texts
var textFiles embed.FS

const (
	english = "en"
	// longest is the longest text that is looked at, in bytes, and mostParts at how many places it may be divided; beyond either it stays
	// English. What usherd writes is far below.
	longest   = 8 << 10
	mostParts = 64
	// ahead is over how many places a sentence may reach that is a part of a text.
	ahead = 8
)

// joints are what stands between sentences that were put together, and between the links of a chain of errors.
var joints = []string{"\n", "; ", ": ", ", "}

// Sentences words what usherd says. It is safe for concurrent use.
type Sentences struct {
	forms []form
	// begins are the forms that begin with a word, by that word; others are the rest.
	begins map[string][]*form
	others []*form
}

// Say returns a text of usherd, which is English, in the one of failure.Languages that fits lang best. It may be called concurrently. The
// texts are read when the first reader of another language comes. A program that was built with texts that are not complete, which the tests of
// this package rule out, says everything in English.
func Say(lang, text string) string {
	if lang = failure.Match(lang); lang == english || text == "" {
		return text
	}
	s, err := Load()
	if err != nil {
		return text
	}
	return s.Say(lang, text)
}

// Load returns the sentences of this program, which are read once. It fails only if it was built with texts that are not complete.
var Load = sync.OnceValues(func() (*Sentences, error) {
	areas, err := fs.ReadDir(textFiles, "texts")
	if err != nil {
		return nil, fmt.Errorf("wording: %w", err)
	}
	s := &Sentences{begins: map[string][]*form{}}
	for _, area := range areas {
		files, err := fs.Sub(textFiles, "texts/"+area.Name())
		if err == nil {
			err = s.load(files)
		}
		if err != nil {
			return nil, fmt.Errorf("wording: %s: %w", area.Name(), err)
		}
	}
	for i := range s.forms {
		f := &s.forms[i]
		if word, rest := firstWord(f.parts[0]); rest {
			s.begins[word] = append(s.begins[word], f)
		} else {
			s.others = append(s.others, f)
		}
	}
	return s, nil
})

func (s *Sentences) load(files fs.FS) error {
	texts, err := failure.LoadTexts(files)
	if err != nil {
		return err //nolint:wrapcheck // the caller names the area
	}
	english, err := fs.ReadFile(files, english+".json")
	if err != nil {
		return err //nolint:wrapcheck // as above
	}
	list, err := readForms(english, texts)
	s.forms = append(s.forms, list...)
	return err
}

// Say returns a text of usherd, which is English, in the one of failure.Languages that fits lang best.
func (s *Sentences) Say(lang, text string) string {
	if lang = failure.Match(lang); lang == english || text == "" || len(text) > longest {
		return text
	}
	return s.say(lang, text)
}

func (s *Sentences) say(lang, text string) string {
	if quotedIn(text) == text {
		return text
	}
	if said, ok := s.whole(lang, text); ok {
		return said
	}
	return s.parts(lang, text)
}

// whole is a text that is one sentence. Of several forms that fit, the one is meant that says most of it.
func (s *Sentences) whole(lang, text string) (string, bool) {
	f, values := s.find(text)
	if f == nil {
		return "", false
	}
	return f.in(lang, values, func(value string) string { return s.say(lang, value) }), true
}

func (s *Sentences) find(text string) (best *form, values []string) {
	word, _ := firstWord(text)
	for _, list := range [][]*form{s.begins[word], s.others} {
		for _, f := range list {
			if best != nil && f.literal <= best.literal {
				continue
			}
			if v, ok := f.take(text); ok {
				best, values = f, v
			}
		}
	}
	return best, values
}

// parts says those of the sentences that a text was put together of which have forms.
func (s *Sentences) parts(lang, text string) string {
	cuts := divide(text)
	if len(cuts) == 0 || len(cuts) > mostParts {
		return text
	}
	cuts = append(cuts, cut{len(text), len(text)})
	var out strings.Builder
	for from, i := 0, 0; i < len(cuts); {
		n, said := s.longest(lang, text[from:], from, cuts[i:])
		out.WriteString(said)
		at := cuts[i+n]
		out.WriteString(text[at.from:at.to])
		from, i = at.to, i+n+1
	}
	return out.String()
}

// longest is the longest beginning of a text that is a sentence, and over how many cuts it reaches; the text up to the first cut where none is.
func (s *Sentences) longest(lang, text string, from int, cuts []cut) (over int, said string) {
	for n := min(len(cuts), ahead) - 1; n >= 0; n-- {
		if said, ok := s.whole(lang, text[:cuts[n].from-from]); ok {
			return n, said
		}
	}
	return 0, text[:cuts[0].from-from]
}

// cut is where a joint stands in a text.
type cut struct{ from, to int }

func divide(text string) []cut {
	var cuts []cut
	for i := 0; i < len(text); i++ {
		if quoted := quotedIn(text[i:]); quoted != "" {
			i += len(quoted) - 1
			continue
		}
		for _, j := range joints {
			if strings.HasPrefix(text[i:], j) {
				cuts = append(cuts, cut{i, i + len(j)})
				i += len(j) - 1
				break
			}
		}
	}
	return cuts
}

// firstWord is the word that a text begins with; whole = something follows it.
func firstWord(text string) (word string, whole bool) {
	word, _, whole = strings.Cut(text, " ")
	return word, whole
}
