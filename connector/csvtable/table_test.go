package csvtable

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
)

// rows reads a whole table as text: header, rows with their lines, and what ended it.
func rows(text string) (header []string, got [][]string, faults []string, err error) {
	t, err := New(strings.NewReader(text), 0)
	if err != nil {
		return nil, nil, nil, err
	}
	for {
		row, err := t.Next()
		if errors.Is(err, io.EOF) {
			return t.Header(), got, faults, nil
		}
		if err != nil {
			return t.Header(), got, faults, err
		}
		if row.Fault != "" {
			faults = append(faults, lineOf(row)+": "+row.Fault)
			continue
		}
		got = append(got, append([]string{lineOf(row)}, row.Fields...))
	}
}

func lineOf(row Row) string { return fmt.Sprintf("line %d", row.Line) }

func TestTable(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text   string
		header []string
		rows   [][]string
		faults []string
	}{
		"commas":                    {"a,b\n1,2\n", []string{"a", "b"}, [][]string{{"line 2", "1", "2"}}, nil},
		"semicolons, mark, no end":  {"\ufeffa;b\r\n1,5;2", []string{"a", "b"}, [][]string{{"line 2", "1,5", "2"}}, nil},
		"tabs":                      {"a\tb\n1\t2\n", []string{"a", "b"}, [][]string{{"line 2", "1", "2"}}, nil},
		"a separator that is named": {"sep=;\r\na,x;b\r\n1;2\r\n", []string{"a,x", "b"}, [][]string{{"line 3", "1", "2"}}, nil},
		"commas in a quoted header": {"\"a,b,c\";d\n1;2\n", []string{"a,b,c", "d"}, [][]string{{"line 2", "1", "2"}}, nil},
		"quoted line ends": {
			"a,b\n\"1\r\n1\",\"say \"\"x\"\"\"\n3,4\n",
			[]string{"a", "b"},
			[][]string{{"line 2", "1\n1", `say "x"`}, {"line 4", "3", "4"}},
			nil,
		},
		"one column":      {"a\n1\n\n2\n", []string{"a"}, [][]string{{"line 2", "1"}, {"line 4", "2"}}, nil},
		"empty rows":      {"a,b\n,\n1,2\n , \n", []string{"a", "b"}, [][]string{{"line 3", "1", "2"}}, nil},
		"blanks in names": {" a , b\n1,2\n", []string{"a", "b"}, [][]string{{"line 2", "1", "2"}}, nil},
		"wrong rows": {"a,b\n1\n1,2,3\nx,\xe5\n1,2\n", []string{"a", "b"}, [][]string{{"line 5", "1", "2"}}, []string{
			"line 2: it has 1 fields, and the header has 2: write a value with a separator in it in quotes",
			"line 3: it has 3 fields, and the header has 2: write a value with a separator in it in quotes",
			`line 4: field 2 is not UTF-8: save the file as "CSV UTF-8"`,
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header, got, faults, err := rows(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.header, header) + cmp.Diff(tt.rows, got) + cmp.Diff(tt.faults, faults); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNoTable(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ text, want string }{
		"nothing":              {"", "the file is empty"},
		"only a mark":          {"\ufeff", "the file is empty"},
		"only a separator":     {"sep=;\n", "the file is empty"},
		"UTF-16":               {"\xff\xfea\x00,\x00", "UTF-16"},
		"a header not UTF-8":   {"n\xe5me,b\n", "the header: field 1 is not UTF-8"},
		"a quote in a value":   {"a,b\n1,2\nx\"y,2\n", "line 3: a quote stands within"},
		"behind a quote":       {"a,b\n\"x\"y,2\n", "line 2: a quoted value is not closed"},
		"no separator named":   {"sep=\"\na\n", "line 1: a quote stands within"},
		"a quote not closed":   {"a,b\n\"x,2\n3,4\n", "line 2: a quoted value is not closed"},
		"a quote far too long": {"a,b\n1,2\n\"" + strings.Repeat("x\n", maxRow), "line 2: the row behind it does not end within"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, _, err := rows(tt.text)
			if err == nil || !strings.Contains(err.Error(), tt.want) || connector.KindOf(err) != connector.Invalid || connector.HintOf(err) == "" {
				t.Errorf("%v (%s)", err, connector.HintOf(err))
			}
		})
	}
}

func TestTheSeparatorCanBeGiven(t *testing.T) {
	t.Parallel()
	table, err := New(strings.NewReader("a;b,c\n1;2,3\n"), ',')
	if err != nil {
		t.Fatal(err)
	}
	row, err := table.Next()
	if diff := cmp.Diff([]string{"a;b", "c"}, table.Header()) + cmp.Diff([]string{"1;2", "3"}, row.Fields); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestWhatIsBrokenHasItsLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"":                            0,
		"a,b\n1,2\n\"x\"y,2\n":        3,
		"sep=,\na,b\n1,2\n\"x\"y,2\n": 4,
		"a,b\n1,2\n\"" + strings.Repeat("x", 2*maxRow): 2,
	} {
		_, _, _, err := rows(text)
		broken, ok := errors.AsType[*Broken](err)
		if !ok || broken.Line != want {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

// What is written as CSV is read as it was, and whatever else there is is rows under columns, in order, or an error that says
// what to do.
func FuzzTable(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "\ufeffa;b\r\n\"1\n\";2", "sep=\t\na\tb\n", "sep=\"\na", "\"a\"\"b\",c\nx,y,z\n", "a\n\xff\n", "\xfe\xff\x00a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		header, got, _, err := rows(text)
		if err != nil {
			if connector.KindOf(err) != connector.Invalid || connector.HintOf(err) == "" {
				t.Fatalf("%v (%s)", err, connector.HintOf(err))
			}
			return
		}
		if len(header) == 0 {
			t.Fatal("a table without columns")
		}
		last := 0
		for _, r := range got {
			var line int
			if _, err := fmt.Sscanf(r[0], "line %d", &line); err != nil || line <= last || len(r) != len(header)+1 {
				t.Fatalf("%q under %q, behind line %d", r, header, last)
			}
			last = line
		}
		// A line break in a field is one sign when it is read, and two marks at the beginning are not part of a name.
		if !strings.Contains(text, "\r") && !strings.HasPrefix(header[0], "sep=") && !strings.HasPrefix(header[0], "\ufeff") {
			again(t, header, got)
		}
	})
}

// again writes rows as CSV and reads them.
func again(t *testing.T, header []string, want [][]string) {
	t.Helper()
	var b strings.Builder
	w := csv.NewWriter(&b)
	list := [][]string{header}
	for _, r := range want {
		list = append(list, r[1:])
	}
	if err := w.WriteAll(list); err != nil {
		t.Fatal(err)
	}
	table, err := New(strings.NewReader(b.String()), ',')
	for i := 1; err == nil && i < len(list); i++ {
		var row Row
		if row, err = table.Next(); err == nil && row.Fault == "" {
			if !slices.Equal(list[i], row.Fields) { // cmp.Diff takes long for many fields
				t.Fatalf("row %d of %q: %q, want %q", i, b.String(), row.Fields, list[i])
			}
		}
	}
	if err != nil && b.Len() < maxRow {
		t.Fatalf("%q: %v", b.String(), err)
	}
}
