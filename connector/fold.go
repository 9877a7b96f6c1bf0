package connector

import (
	"strings"
	"unicode"
)

// Fold gives the form in which user names, e-mail addresses and domains are compared: blanks
// around it removed and every letter case-folded. It is the only case folding in usherd; the store
// keeps its result in a column of its own. What is stored and shown keeps the case it came in.
func Fold(s string) string {
	return FoldPart(strings.TrimSpace(s))
}

// FoldPart folds a part of such a text, of which blanks around it belong to it.
func FoldPart(s string) string {
	for i := range len(s) {
		if c := s[i]; c >= 0x80 || 'A' <= c && c <= 'Z' {
			return strings.Map(foldRune, s)
		}
	}
	return s
}

// foldRune takes the smallest rune of the orbit of simple case folding, lower-cased, so that
// K and the Kelvin sign, S and the long s fall together.
func foldRune(r rune) rune {
	if r < 0x80 {
		return unicode.ToLower(r)
	}
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	return unicode.ToLower(least)
}
