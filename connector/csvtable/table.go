package csvtable

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"usherd/connector"
)

const (
	maxRow  = 1 << 20 // bytes of one row: a quote that nobody closes does not bring the rest of the file into memory
	maxPeek = 64 << 10
)

// Table reads a CSV file (RFC 4180) row by row in constant memory: UTF-8 with or without a byte order mark. Not safe for
// concurrent use.
type Table struct {
	header []string
	csv    *csv.Reader
	bound  *bounded
	line   int // of the last row
	before int // lines that stand before the header
}

// Row is one row of a Table. Fields are lent until the next row is read.
type Row struct {
	Line   int // in the file, on which the row begins; the first one is line 1
	Fields []string
	Fault  string // why the row cannot be read, for people; "" = it can
}

// Broken is why a file is no table, from a line on. It comes within an error of Kind Invalid that says what to do.
type Broken struct { //nolint:errname // it is about the file
	Line int // on which what is wrong begins; 0 = it is about the whole file
	What string
}

// Error names the line where there is one.
func (b *Broken) Error() string {
	if b.Line == 0 {
		return b.What
	}
	return fmt.Sprintf("line %d: %s", b.Line, b.What)
}

// New reads the header. Sep stands between the fields; 0 = a comma, semicolon or tab, whichever the header has most of, or what
// a first line such as sep=; names. What is no table at all is an error of Kind Invalid, see Broken.
func New(r io.Reader, sep rune) (*Table, error) {
	t := &Table{bound: &bounded{r: r}}
	t.bound.reset()
	in := bufio.NewReaderSize(t.bound, maxPeek)
	start, err := in.Peek(maxPeek)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return nil, err
	}
	if bytes.HasPrefix(start, []byte{0xff, 0xfe}) || bytes.HasPrefix(start, []byte{0xfe, 0xff}) {
		return nil, invalid(0, "the file is UTF-16, not UTF-8", "save it as \"CSV UTF-8\"")
	}
	if mark := []byte("\ufeff"); bytes.HasPrefix(start, mark) {
		start = start[len(mark):]
		_, _ = in.Discard(len(mark))
	}
	t.csv = csv.NewReader(in)
	t.csv.FieldsPerRecord, t.csv.ReuseRecord = -1, true
	t.csv.Comma = separator(start)
	if named, ok := namedSeparator(start); ok {
		t.csv.Comma, t.before = named, 1
		if _, err := in.ReadString('\n'); err != nil {
			return nil, errNoHeader
		}
	}
	if sep != 0 {
		t.csv.Comma = sep
	}
	return t, t.readHeader()
}

var errNoHeader = invalid(0, "the file is empty", "its first line names the columns")

func (t *Table) readHeader() error {
	row, err := t.Next()
	switch {
	case errors.Is(err, io.EOF):
		return errNoHeader
	case err != nil:
		return err
	case row.Fault != "":
		return invalid(0, "the header: "+row.Fault, "save the file as \"CSV UTF-8\"")
	}
	for _, f := range row.Fields {
		t.header = append(t.header, strings.TrimSpace(f))
	}
	return nil
}

// Header returns the names of the columns as they stand in the file, without blanks around them.
func (t *Table) Header() []string { return slices.Clone(t.header) }

// Next returns the next row that is not empty, io.EOF after the last one. Other errors say that the file is no table from
// here on.
func (t *Table) Next() (Row, error) {
	for {
		t.bound.reset()
		fields, err := t.csv.Read()
		if err != nil {
			return Row{}, t.broken(err)
		}
		row := Row{Fields: fields}
		row.Line, _ = t.csv.FieldPos(0)
		row.Line += t.before
		t.line = row.Line
		if !slices.ContainsFunc(fields, func(s string) bool { return strings.TrimSpace(s) != "" }) {
			continue // spreadsheets leave such rows at the end
		}
		if i := slices.IndexFunc(fields, func(s string) bool { return !utf8.ValidString(s) }); i >= 0 {
			row.Fault = fmt.Sprintf("field %d is not UTF-8: save the file as \"CSV UTF-8\"", i+1)
		} else if n := len(t.header); n > 0 && len(fields) != n {
			row.Fault = fmt.Sprintf("it has %d fields, and the header has %d: write a value with a separator in it in quotes", len(fields), n)
		}
		return row, nil
	}
}

func (t *Table) broken(err error) error {
	if errors.Is(err, errLong) {
		return invalid(t.line, fmt.Sprintf("the row behind it does not end within %d bytes", maxRow), "most often a quote is not closed: a quote in a value is written twice")
	}
	if parse, ok := errors.AsType[*csv.ParseError](err); ok {
		what := "a quote stands within a value that does not begin with one"
		if errors.Is(parse.Err, csv.ErrQuote) {
			what = "a quoted value is not closed, or something stands behind its end"
		}
		return invalid(parse.StartLine+t.before, what, "put the whole value in quotes, and write a quote in it twice")
	}
	return err
}

func invalid(line int, what, hint string) error {
	return &connector.Error{Kind: connector.Invalid, Op: "csv", Err: &Broken{line, what}, Hint: hint}
}

// namedSeparator is what the first line names, sep=; as spreadsheets write it.
func namedSeparator(start []byte) (rune, bool) {
	line, ok := bytes.CutPrefix(start, []byte("sep="))
	if !ok || len(line) < 2 || line[1] != '\r' && line[1] != '\n' || !strings.ContainsRune(",;\t|:", rune(line[0])) {
		return 0, false
	}
	return rune(line[0]), true
}

// separator is what the header has most of between its names.
func separator(start []byte) rune {
	count := map[byte]int{}
	quoted := false
	for _, c := range start {
		if c == '"' {
			quoted = !quoted
		}
		if quoted {
			continue
		}
		if c == '\n' {
			break
		}
		count[c]++
	}
	best := byte(',')
	for _, c := range []byte{';', '\t'} {
		if count[c] > count[best] {
			best = c
		}
	}
	return rune(best)
}

var errLong = errors.New("the row is too long")

// bounded ends a row that never ends.
type bounded struct {
	r    io.Reader
	left int
}

func (b *bounded) reset() { b.left = maxRow + maxPeek }

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errLong
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
