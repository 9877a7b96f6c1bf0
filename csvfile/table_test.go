package csvfile

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usherd/connector"
)

// rows reads a whole table as text: header, rows with their lines, and what ended it.
func rows(text string) (header []string, got [][]string, faults []string, err error) {
	t, err := NewTable(strings.NewReader(text))
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
		"a separator that is named": {"sep=;\r\na,x;b\r\n1;2\r\n", []string{"a,x", "b"}, [][]string{{"line 2", "1", "2"}}, nil},
		"commas in a quoted header": {"\"a,b,c\";d\n1;2\n", []string{"a,b,c", "d"}, [][]string{{"line 2", "1", "2"}}, nil},
		"quoted line ends": {
			"a,b\n\"1\r\n1\",\"say \"\"x\"\"\"\n3,4\n",
			[]string{"a", "b"},
			[][]string{{"line 2", "1\n1", `say "x"`}, {"line 4", "3", "4"}},
			nil,
		},
		"one column":      {"a\n1\n\n2\n", []string{"a"}, [][]string{{"line 2", "1"}, {"line 4", "2"}}, nil},
		"empty rows":      {"a,b\n,\n1,2\n,\n", []string{"a", "b"}, [][]string{{"line 3", "1", "2"}}, nil},
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
		"a quote not closed":   {"a,b\n\"x,2\n3,4\n", "line 2: a quoted value is not closed"},
		"a quote far too long": {"a,b\n1,2\n\"" + strings.Repeat("x\n", maxRow), "a row does not end within"},
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

func FuzzTable(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "\ufeffa;b\r\n\"1\n\";2", "sep=\t\na\tb\n", "\"a\"\"b\",c\nx,y,z\n", "a\n\xff\n", "\xfe\xff\x00a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		header, got, _, err := rows(text)
		if err != nil {
			return
		}
		if len(header) == 0 {
			t.Fatal("a table without columns")
		}
		for _, r := range got {
			if len(r) != len(header)+1 || !strings.HasPrefix(r[0], "line ") {
				t.Fatalf("%q under %q", r, header)
			}
		}
	})
}
