package report_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"usherd/connector/report"
)

func TestTableLinesUp(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	tab := report.NewTable(&b, 40, report.Column{Title: "Name", Flex: true}, report.Column{Title: "n", Right: true}, report.Column{Title: "State"})
	tab.Row("王小明", "1", "Active")
	tab.Row("Zoe\u0308", "22", "Active") // a combining mark
	tab.Row("a name that is much longer than the terminal", "333", "Inactive")
	tab.Row("two\nlines\x1b[31m", "4")
	tab.Row("👍 ok", "5", "x", "too many")
	if err := tab.Flush(); err != nil {
		t.Fatal(err)
	}
	want := "" +
		"Name                         n  State\n" +
		"王小明                       1  Active\n" +
		"Zoe\u0308                         22  Active\n" +
		"a name that is much long…  333  Inactive\n" +
		"two lines [31m               4\n" +
		"👍 ok                        5  x\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// What can be spared goes before anything is wider than the terminal, and not before everything else is cut.
func TestColumnsThatCanBeSpared(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int]string{
		0:  "Key         From       Since       State\n0123456789  192.0.2.1  2026-11-27  waiting\n",
		42: "Key         From       Since       State\n0123456789  192.0.2.1  2026-11-27  waiting\n",
		40: "Key       From       Since       State\n0123456…  192.0.2.1  2026-11-27  waiting\n",
		39: "Key         From       State\n0123456789  192.0.2.1  waiting\n",
		17: "Key       State\n0123456…  waiting\n",
	} {
		var b strings.Builder
		tab := report.NewTable(&b, limit, report.Column{Title: "Key", Flex: true}, report.Column{Title: "From", Spare: true},
			report.Column{Title: "Since", Spare: true}, report.Column{Title: "State"})
		tab.Row("0123456789", "192.0.2.1", "2026-11-27", "waiting")
		if err := tab.Flush(); err != nil {
			t.Fatal(err)
		}
		if b.String() != want {
			t.Errorf("%d:\n%s\nwant\n%s", limit, b.String(), want)
		}
	}
}

func TestLongTableKeepsItsColumns(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	tab := report.NewTable(&b, 0, report.Column{Title: "Key"}, report.Column{Title: "Value"})
	for i := range 2500 {
		tab.Row(fmt.Sprintf("key%04d", i), "v")
	}
	if err := tab.Flush(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(lines) != 2501 || lines[2500] != "key2499  v" {
		t.Errorf("%d lines, the last is %q", len(lines), lines[len(lines)-1])
	}
}

func FuzzCut(f *testing.F) {
	for _, s := range []string{"", "abc", "王小明", "e\u0301\u0301", "\x00\xff", "👨‍👩‍👧"} {
		f.Add(s, 3)
	}
	f.Fuzz(func(t *testing.T, s string, n int) {
		if n < 1 || n > 200 {
			return
		}
		got := report.Cut(s, n)
		if report.Width(got) > n {
			t.Errorf("Cut(%q, %d) is %d wide", s, n, report.Width(got))
		}
		if utf8.ValidString(s) && !utf8.ValidString(got) {
			t.Errorf("Cut(%q, %d) is not UTF-8", s, n)
		}
	})
}
