package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Bounds of a file. A thousand organizations fit.
const (
	maxFile  = 4 << 20
	maxDepth = 32
	// maxSearch is the size up to which the line of a wrong indentation is looked for by parsing again.
	maxSearch = 1 << 20
)

const tooLarge = "the file is larger than 4 MiB: that is no configuration"

// parseYAML returns the one document of the text. Its error never quotes the text: a secret could stand
// where it went wrong.
func parseYAML(path string, text []byte) (*yaml.Node, *Fault) {
	if len(text) > maxFile {
		return nil, &Fault{path, 1, 1, "", tooLarge}
	}
	if fault := checkText(path, text); fault != nil {
		return nil, fault
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, more yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF) || err == nil && (len(doc.Content) == 0 || isNull(doc.Content[0])):
		return nil, &Fault{path, 1, 1, "", "the file is empty: start from an example with: usherd check --example"}
	case err != nil:
		return nil, syntaxFault(path, text, err)
	}
	switch err := dec.Decode(&more); {
	case errors.Is(err, io.EOF):
		return doc.Content[0], nil
	case err != nil:
		return nil, syntaxFault(path, text, err)
	}
	return nil, &Fault{path, max(more.Line, 1), 1, "", "a second document (---) begins here: a configuration is one document"}
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// checkText finds what the parser would refuse without a position.
func checkText(path string, text []byte) *Fault {
	for i, line := range lines(text) {
		column := 0
		for len(line) > 0 {
			r, size := utf8.DecodeRune(line)
			column++
			switch {
			case r == utf8.RuneError && size == 1:
				return &Fault{path, i + 1, column, "", "this is not UTF-8: save the file in that encoding"}
			case r == '\ufeff' && i == 0 && column == 1: // a byte order mark takes no place
				column--
			case unicode.IsControl(r) && r != '\t' && r != '\u0085':
				return &Fault{path, i + 1, column, "", fmt.Sprintf("a control character (U+%04X) stands here: remove it", r)}
			}
			line = line[size:]
		}
	}
	return nil
}

// lines cuts text where YAML sees the end of a line (YAML 1.1 section 4.1.4).
func lines(text []byte) [][]byte {
	var out [][]byte
	for len(text) > 0 {
		end := bytes.IndexAny(text, "\n\r\u0085\u2028\u2029")
		if end < 0 {
			break
		}
		out = append(out, text[:end])
		_, size := utf8.DecodeRune(text[end:])
		if text[end] == '\r' && end+1 < len(text) && text[end+1] == '\n' {
			size = 2
		}
		text = text[end+size:]
	}
	return append(out, text)
}

var (
	yamlLine      = regexp.MustCompile(`^line (\d+): `)
	unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced`)
)

// grammarErrors are those whose line the library counts from 0; that of others is right.
var grammarErrors = []string{
	"did not find expected key", "did not find expected node content", "did not find expected ',' or",
	"did not find expected '-' indicator", "did not find expected <", "found undefined tag handle", "found duplicate %",
}

// wholeBlocks are those that come with the line where the block begins that was cut short.
var wholeBlocks = []string{"did not find expected key", "did not find expected '-' indicator"}

// firstBad returns the line that brings that problem: a text that ends before it has another one, or none.
func firstBad(text []byte, all [][]byte, problem string) int {
	ends, at := make([]int, len(all)), 0
	for i, l := range all {
		at += len(l)
		if rest := text[at:]; len(rest) > 0 {
			_, size := utf8.DecodeRune(rest)
			if bytes.HasPrefix(rest, []byte("\r\n")) {
				size = 2
			}
			at += size
		}
		ends[i] = at
	}
	return 1 + sort.Search(len(all)-1, func(i int) bool {
		var n yaml.Node
		err := yaml.Unmarshal(text[:ends[i]], &n)
		return err != nil && strings.HasSuffix(err.Error(), problem)
	})
}

// explained are the library's words and ours.
var explained = []struct{ theirs, ours string }{
	{"found a tab character", "a tab stands here: indent with spaces"},
	{"found character that cannot start any token", "no value begins with @, %, a comma or a backtick: put it between quotes"},
	{"mapping values are not allowed", `a colon too many (a text with ": " in it stands between quotes), a line indented too far, or no blank after the colon in the line before`},
	{"did not find expected ',' or ']'", "a list opened with [ in this line is not closed with ], or a comma is missing in it"},
	{"did not find expected ',' or '}'", "a block opened with { in this line is not closed with }, or a comma is missing in it"},
	{"did not find expected key", "this line belongs to no block above it: look at its indentation, whether keys and list items are mixed, and whether a quotation mark before it is not closed"},
	{"did not find expected '-' indicator", "an item of a list begins with a hyphen: look at the indentation"},
	{"did not find expected node content", "a bracket or comma stands where a value belongs"},
	{"found unexpected end of stream", "the quotation mark that opens here is never closed"},
	{"found unexpected document indicator", "the quotation mark that opens here is never closed"},
	{"could not find expected ':'", "a key without a colon: write key: value"},
	{"found unknown escape character", badEscape},
	{"did not find expected hexdecimal number", badEscape},
	{"did not find expected <document start>", "more text after the end of the document (...): a configuration is one document"},
	{"found undefined tag handle", "tags (!name) are not used here: remove it; a text that begins with ! stands between quotes"},
	{"did not find the expected '>'", "tags (!name) are not used here: remove it; a text that begins with ! stands between quotes"},
	{"exceeded max depth", "nested too deeply"},
}

const badEscape = `a backslash within double quotes begins an escape: write \\, or use single quotes, as in 'ACME\usherd'`

const noAliases = "anchors and aliases (&name, *name) are not used here: write the value out; a text that begins with & or * stands between quotes"

// syntaxFault puts the library's error into words and at a line and column.
func syntaxFault(path string, text []byte, err error) *Fault {
	problem, line := strings.TrimPrefix(err.Error(), "yaml: "), 1
	if m := unknownAnchor.FindStringSubmatch(problem); m != nil {
		line, column := findAlias(text, m[1])
		return &Fault{path, line, column, "", "this is not YAML: " + noAliases}
	}
	m := yamlLine.FindStringSubmatch(problem)
	if m != nil {
		line, _ = strconv.Atoi(m[1])
		problem = problem[len(m[0]):]
	}
	if m != nil && slices.ContainsFunc(grammarErrors, func(p string) bool { return strings.HasPrefix(problem, p) }) {
		line++
	}
	all := lines(text)
	if len(text) <= maxSearch && slices.ContainsFunc(wholeBlocks, func(p string) bool { return strings.HasPrefix(problem, p) }) {
		line = firstBad(text, all, problem)
	}
	line = min(max(line, 1), len(all))
	rest := bytes.TrimLeft(bytes.TrimPrefix(all[line-1], []byte("\ufeff")), " ")
	column := utf8.RuneCount(all[line-1]) - utf8.RuneCount(rest) + 1
	if bytes.HasPrefix(rest, []byte("\t")) {
		problem = "found a tab character"
	}
	for _, e := range explained {
		if strings.HasPrefix(problem, e.theirs) {
			problem = e.ours
			break
		}
	}
	return &Fault{path, line, column, "", "this is not YAML: " + problem}
}

// findAlias looks for *name where a value can begin.
func findAlias(text []byte, name string) (line, column int) {
	for i, l := range lines(text) {
		for from := 0; ; {
			at := bytes.Index(l[from:], []byte("*"+name))
			if at < 0 {
				break
			}
			at += from
			if at == 0 || bytes.IndexByte([]byte(" \t[{,:-"), l[at-1]) >= 0 {
				return i + 1, utf8.RuneCount(l[:at]) + 1
			}
			from = at + 1
		}
	}
	return 1, 1
}

// plain refuses what YAML has beyond keys, lists and values. It goes through the whole tree, unknown keys
// included.
func (d *decoder) plain(n *yaml.Node, depth int) {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		d.fault(n, "", noAliases)
		d.broken = true
		if n.Kind == yaml.AliasNode {
			return
		}
	case n.Style&yaml.TaggedStyle != 0:
		d.fault(n, "", "tags (!name) are not used here: remove it; a text that begins with ! stands between quotes")
		d.broken = true
	case depth > maxDepth:
		d.fault(n, "", "nested too deeply")
		d.broken = true
		return
	}
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			if c.Kind == yaml.ScalarNode && c.Tag == "!!merge" {
				d.fault(c, "", "merge keys (<<) are not used here: write the keys out")
				d.broken = true
				continue
			}
			if c.Kind != yaml.ScalarNode {
				d.fault(c, "", "a key is a single word")
				d.broken = true
			}
		}
		d.plain(c, depth+1)
	}
}

// at returns where the byte at offset of a scalar's value stands in the text. It follows quotes and
// escapes; the beginning of the scalar where it is spread over lines.
func (d *decoder) at(n *yaml.Node, offset int) (line, column int) {
	line, column = max(n.Line, 1), max(n.Column, 1)
	if n.Kind != yaml.ScalarNode || offset <= 0 || offset > len(n.Value) || line > len(d.lines) ||
		n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return line, column
	}
	raw, at := d.lines[line-1], column
	if line == 1 {
		raw = bytes.TrimPrefix(raw, []byte("\ufeff"))
	}
	for range column - 1 {
		_, size := utf8.DecodeRune(raw)
		raw = raw[size:]
	}
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 && len(raw) > 0 {
		raw, at = raw[1:], at+1
	}
	for value := n.Value[:offset]; value != ""; {
		want, size := utf8.DecodeRuneInString(value)
		value = value[size:]
		width, ok := written(raw, want, n.Style)
		if !ok {
			return line, column
		}
		for range width {
			_, size := utf8.DecodeRune(raw)
			raw, at = raw[size:], at+1
		}
	}
	return line, at
}

// written says in how many characters raw begins with that one; not ok when it does not.
func written(raw []byte, want rune, style yaml.Style) (width int, ok bool) {
	switch {
	case len(raw) == 0:
		return 0, false
	case style&yaml.DoubleQuotedStyle != 0 && raw[0] == '\\' && len(raw) > 1:
		width = 2 + map[byte]int{'x': 2, 'u': 4, 'U': 8}[raw[1]]
		return width, width <= len(raw)
	case style&yaml.SingleQuotedStyle != 0 && bytes.HasPrefix(raw, []byte("''")):
		return 2, want == '\''
	}
	r, _ := utf8.DecodeRune(raw)
	return 1, r == want
}
