package console

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// list registers the page of a list that all who sign in may see. Its query box takes the filters as words, too: "code:31
// reason:no_seat anna" is the same as ?code=31&reason=no_seat&q=anna, which is where the browser is sent, so that the address says
// what is shown.
func (s *Server) list(path string, show func(*visit), filters ...string) {
	s.lists = append(s.lists, listWords{path, filters})
	s.page(path, see, func(v *visit) {
		if address := v.spread(filters); address != "" {
			v.redirect(address)
			return
		}
		show(v)
	})
}

// listWords are the filters of a list that its query box takes as words.
type listWords struct {
	path    string
	filters []string
}

// spread is the address of this list with the filters that stand in the query box as parameters, "" where there are none.
func (v *visit) spread(filters []string) string {
	typed := v.query("q")
	if !strings.Contains(typed, ":") {
		return ""
	}
	rest, found := splitWords(typed, filters)
	if len(found) == 0 {
		return ""
	}
	q := v.r.URL.Query()
	q.Del("after")
	q.Del("q")
	for name, value := range found {
		q.Del(name)
		if value != "" { // code: alone takes the filter away
			q.Set(name, value)
		}
	}
	if rest != "" {
		q.Set("q", rest)
	}
	return (&url.URL{Path: v.s.path + v.r.URL.Path, RawQuery: q.Encode()}).String()
}

// splitWords parts what was typed into filters, the last of each name, and the words that are looked for. A word whose name is no
// filter is looked for as it is: DNs and addresses have colons, too. A value in double quotes may have blanks.
func splitWords(typed string, filters []string) (rest string, found map[string]string) {
	found = map[string]string{}
	var words []string
	for _, word := range fields(typed) {
		name, value, has := strings.Cut(word, ":")
		name = strings.ToLower(name)
		if !has || !slices.Contains(filters, name) {
			words = append(words, word)
			continue
		}
		found[name] = strings.Trim(value, `"`)
	}
	return strings.Join(words, " "), found
}

// fields are the words of a text; blanks between double quotes part none.
func fields(text string) []string {
	quoted := false
	return strings.FieldsFunc(text, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return !quoted && unicode.IsSpace(r)
	})
}
