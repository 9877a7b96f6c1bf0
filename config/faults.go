package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Fault is one thing wrong with the file.
type Fault struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"` // in characters, from 1
	Path    string `json:"path"`   // organizations[0].sources[1].directory.bind.user
	Message string `json:"message"`
}

// String gives file:line:column: path: message, which editors and terminals know how to follow.
func (f Fault) String() string {
	where := fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)
	if f.Path == "" {
		return where + ": " + f.Message
	}
	return where + ": " + f.Path + ": " + f.Message
}

// Faults is everything wrong with the file, in its order. It is the error of Load.
type Faults []Fault //nolint:errname // it is a list of faults before it is an error

// Error gives one line for each.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, x := range f {
		lines[i] = x.String()
	}
	return strings.Join(lines, "\n")
}

// sorted puts them in the order of the file, each once; those of one place stay in the order in which
// they were found.
func (f Faults) sorted() Faults {
	seen := map[Fault]bool{}
	f = slices.DeleteFunc(f, func(x Fault) bool {
		twice := seen[x]
		seen[x] = true
		return twice
	})
	slices.SortStableFunc(f, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return f
}

// similar returns the known word that a typing mistake could have meant, or "".
func similar(word string, known []string) string {
	if len(word) > 64 {
		return ""
	}
	best, least := "", 1+min(2, max(1, len(word)/2))
	for _, k := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(k)); d < least && d < len(k) {
			best, least = k, d
		}
	}
	return best
}

// distance is the number of letters to insert, remove or replace (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			above := row[j+1]
			row[j+1] = min(above+1, row[j]+1, corner+differ(a[i], b[j]))
			corner = above
		}
	}
	return row[len(b)]
}

func differ(a, b byte) int {
	if a == b {
		return 0
	}
	return 1
}
