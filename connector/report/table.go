package report

import (
	"io"
	"strings"
	"unicode"

	"golang.org/x/text/width"

	"usherd/connector/failure"
)

// Column describes one column of a Table.
type Column struct {
	Title string
	Right bool // numbers
	Flex  bool // is cut when the table is wider than the terminal
	Spare bool // is left out when the table is wider than the terminal all the same, the last one first
}

// least is what is left of a column of that width when it is cut.
func (c Column) least(width int) int {
	if c.Flex {
		return min(width, minFlex)
	}
	return width
}

// tableBatch is how many rows are looked at to find the widths; a longer table is written in such
// batches with the widths of the first, so that its size is not bound by memory.
const tableBatch = 1000

// minFlex is the least that is left of a column that is cut.
const minFlex = 8

// Table writes rows in columns that line up, by the width that a terminal gives to each character: two for
// East Asian ones and emoji, none for combining marks. Control characters in cells become blanks.
type Table struct {
	w       io.Writer
	indent  string
	columns []Column
	limit   int // of the width; 0 = none
	bold    bool
	rows    [][]string
	widths  []int
	without []bool // columns that are left out
	err     error
}

// Empty reports whether there is no row.
func (t *Table) Empty() bool { return len(t.rows) == 0 && t.widths == nil }

// NewTable returns a table; limit is the width of the terminal, 0 for no limit. Without any title there
// is no header. Nothing is written before Flush or the first thousand rows.
func NewTable(w io.Writer, limit int, columns ...Column) *Table {
	return &Table{w: w, columns: columns, limit: limit}
}

// Row adds a row; cells that are missing are empty, those too many are left out.
func (t *Table) Row(cells ...string) {
	row := make([]string, len(t.columns))
	for i := range row {
		if i < len(cells) {
			row[i] = failure.Clean(cells[i])
			if lead := len(cells[i]) - len(strings.TrimLeft(cells[i], " ")); i == 0 {
				row[i] = strings.Repeat(" ", lead) + row[i]
			}
		}
	}
	t.rows = append(t.rows, row)
	if len(t.rows) == tableBatch {
		t.batch()
	}
}

// Flush writes what is left and returns the first error there was.
func (t *Table) Flush() error {
	t.batch()
	return t.err
}

func (t *Table) batch() {
	if t.widths == nil {
		t.measure()
		t.header()
	}
	for _, row := range t.rows {
		t.line(row, "")
	}
	t.rows = t.rows[:0]
}

func (t *Table) header() {
	titles := make([]string, len(t.columns))
	any := false
	for i, c := range t.columns {
		titles[i] = c.Title
		any = any || c.Title != ""
	}
	if !any {
		return
	}
	style := ""
	if t.bold {
		style = bold
	}
	t.line(titles, style)
}

func (t *Table) measure() {
	t.widths, t.without = make([]int, len(t.columns)), make([]bool, len(t.columns))
	total := Width(t.indent) + 2*(len(t.columns)-1)
	for i, c := range t.columns {
		t.widths[i] = Width(c.Title)
		for _, row := range t.rows {
			t.widths[i] = max(t.widths[i], Width(row[i]))
		}
		total += t.widths[i]
	}
	if t.limit <= 0 {
		return
	}
	total = t.leaveOut(total)
	for over := total - t.limit; over > 0; over-- {
		widest := -1
		for i, c := range t.columns {
			if c.Flex && !t.without[i] && t.widths[i] > minFlex && (widest < 0 || t.widths[i] > t.widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return
		}
		t.widths[widest]--
	}
}

// leaveOut leaves out columns that can be spared until the others fit, cut or not. It returns the width that is left.
func (t *Table) leaveOut(total int) int {
	least := total
	for i, c := range t.columns {
		least -= t.widths[i] - c.least(t.widths[i])
	}
	for i := len(t.columns) - 1; i >= 0 && least > t.limit; i-- {
		if c := t.columns[i]; c.Spare {
			t.without[i] = true
			total -= t.widths[i] + 2
			least -= c.least(t.widths[i]) + 2
		}
	}
	return total
}

func (t *Table) line(cells []string, style string) {
	var b strings.Builder
	for i, c := range t.columns {
		if t.without[i] {
			continue
		}
		cell := cells[i]
		if c.Flex {
			cell = Cut(cell, t.widths[i])
		}
		pad := strings.Repeat(" ", max(t.widths[i]-Width(cell), 0))
		if b.Len() > 0 {
			b.WriteString("  ")
		}
		if c.Right {
			b.WriteString(pad + cell)
		} else {
			b.WriteString(cell + pad)
		}
	}
	text := strings.TrimRight(b.String(), " ")
	if style != "" {
		text = style + text + reset
	}
	if t.err == nil {
		_, t.err = io.WriteString(t.w, strings.TrimRight(t.indent+text, " ")+"\n")
	}
}

// Width is how many columns of a terminal s takes.
func Width(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

func runeWidth(r rune) int {
	switch {
	case r < 0x20 || r == 0x7f:
		return 0
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	}
	if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
		return 2
	}
	return 1
}

// Cut shortens s to n columns; what was cut shows as an ellipsis.
func Cut(s string, n int) string {
	if Width(s) <= n {
		return s
	}
	used := 0
	for i, r := range s {
		w := runeWidth(r)
		if used+w > n-1 {
			return s[:i] + "…"
		}
		used += w
	}
	return s
}

// wrap breaks text into lines of at most n columns at blanks; a longer word stands alone.
func wrap(text string, n int) []string {
	var lines []string
	line, used := "", 0
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ' ' }) { // blanks that do not break stay
		w := Width(word)
		if line != "" && used+1+w > n {
			lines = append(lines, line)
			line, used = "", 0
		}
		if line != "" {
			line, used = line+" ", used+1
		}
		line, used = line+word, used+w
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
