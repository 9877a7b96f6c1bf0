package subscribers

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"usherd/connector"
	"usherd/connector/csvtable"
	"usherd/connector/policy"
)

// Fault is one thing wrong with a line of a list. Line 1 is the head.
type Fault struct { //nolint:errname // the word of lists and configurations
	Line    int    `json:"line"`
	Column  string `json:"column,omitempty"`
	Message string `json:"message"`
}

// Error gives line, column and message.
func (f Fault) Error() string {
	if f.Column == "" {
		return fmt.Sprintf("line %d: %s", f.Line, f.Message)
	}
	return fmt.Sprintf("line %d, %s: %s", f.Line, f.Column, f.Message)
}

// The columns of a list that are no attributes of a profile.
const (
	IDColumn      = "subscriber_id"
	packageColumn = "package"
	emailColumn   = connector.Email
)

const (
	// MaxLines bounds a list.
	MaxLines = 1_000_000
	// maxFaults bounds how many faults of a list are told.
	maxFaults = 1_000
	maxID     = 256 // bytes
)

// Read reads announcements from CSV (see csvtable) whose first line names the columns: subscriber_id, and as many of email,
// package and the attributes of a profile as there are. Sep separates the cells; 0 = what the head has most of. All faults are
// told, up to 1,000; with any there are no announcements. The error is that of the reader.
func Read(r io.Reader, org *connector.Organization, template string, sep rune) ([]connector.Announcement, []Fault, error) {
	l := &list{org: org, template: template, seen: map[string]int{}}
	table, err := csvtable.New(r, sep)
	if err != nil {
		return nil, l.faults, l.broken(err)
	}
	l.columns = l.head(table.Header())
	for len(l.faults) == 0 || l.hasColumns() && len(l.faults) < maxFaults {
		row, err := table.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			if err := l.broken(err); err != nil {
				return nil, nil, err
			}
			break
		}
		if l.line(row); len(l.out) > MaxLines {
			l.fault(row.Line, "", "a list has at most %d lines", MaxLines)
			break
		}
	}
	if len(l.faults) > 0 {
		return nil, l.faults, nil
	}
	return l.out, nil, nil
}

// broken tells that a file is no table; the error is one that has another reason.
func (l *list) broken(err error) error {
	wrong, ok := errors.AsType[*csvtable.Broken](err)
	if !ok {
		return err
	}
	l.fault(max(wrong.Line, 1), "", "%s: %s", wrong.What, connector.HintOf(err))
	return nil
}

// list is a list that is being read.
type list struct {
	org      *connector.Organization
	template string
	columns  []string // canonical names, "" = wrong
	seen     map[string]int
	out      []connector.Announcement
	faults   []Fault
}

func (l *list) fault(line int, column, format string, args ...any) {
	l.faults = append(l.faults, Fault{line, column, fmt.Sprintf(format, args...)})
}

func (l *list) hasColumns() bool { return slices.Contains(l.columns, IDColumn) }

// head finds out what the columns are.
func (l *list) head(names []string) []string {
	for i, n := range names {
		n = strings.TrimSpace(n)
		name := canonical(n)
		switch {
		case name == "":
			l.fault(1, n, "this is no attribute of a profile: write subscriber_id, email, package, or one of those in the configuration's reference")
		case slices.Contains(names[:i], name):
			l.fault(1, n, "this column is there twice: remove one")
			name = ""
		}
		names[i] = name
	}
	if !slices.Contains(names, IDColumn) {
		l.fault(1, "", "the column subscriber_id is missing: it holds how the upstream system calls each person")
	}
	return names
}

// canonical is how a column is called whose name may be written in any case; "" = there is no such column.
func canonical(name string) string {
	for _, known := range []string{IDColumn, packageColumn} {
		if strings.EqualFold(name, known) {
			return known
		}
	}
	for _, a := range connector.Attributes() {
		if strings.EqualFold(name, a.Name) && connector.Announceable(a.Name) {
			return a.Name
		}
	}
	if connector.Announceable(name) {
		return name
	}
	return ""
}

// line reads one person.
func (l *list) line(row csvtable.Row) {
	n := row.Line
	if row.Fault != "" {
		l.fault(n, "", "%s", row.Fault)
		return
	}
	a := connector.Announcement{Template: l.template, Profile: connector.Profile{}}
	for i, cell := range row.Fields {
		cell = strings.TrimSpace(cell)
		switch name := l.columns[i]; {
		case cell == "" || name == "":
		case name == IDColumn:
			a.Name = strings.Clone(cell)
		case name == packageColumn:
			a.Package = strings.Clone(cell)
			l.known(n, a.Package)
		default:
			l.value(n, name, cell)
			a.Profile.Set(name, strings.Clone(cell))
		}
	}
	l.named(n, a.Name)
	l.out = append(l.out, a)
}

func (l *list) known(n int, pkg string) {
	if _, ok := l.org.Package(pkg); !ok {
		l.fault(n, packageColumn, "there is no package %q: see them with usherd seats", clip(pkg))
	}
}

func (l *list) value(n int, name, cell string) {
	if info, ok := connector.AttributeByName(name); ok && utf8.RuneCountInString(cell) > info.MaxLen {
		l.fault(n, name, "this is longer than the %d characters that it may have", info.MaxLen)
		return
	}
	if name == emailColumn {
		if err := policy.CheckAddress(cell); err != nil {
			l.fault(n, name, "%s", err)
		}
	}
}

func (l *list) named(n int, name string) {
	key := connector.Fold(name)
	switch {
	case key == "":
		l.fault(n, IDColumn, "there is no subscriber id")
	case len(name) > maxID:
		l.fault(n, IDColumn, "this is longer than the %d bytes that it may have", maxID)
	case l.seen[key] > 0:
		l.fault(n, IDColumn, "line %d has the same subscriber id", l.seen[key])
	default:
		l.seen[key] = n
	}
}

func clip(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "..."
	}
	return s
}
