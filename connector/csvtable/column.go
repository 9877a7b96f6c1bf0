package csvtable

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"usherd/connector"
)

// Column reads a list out of a table: of each row the value of the first of these columns in which there is one, at most so many. The
// names of columns count in any case. A file with none of the columns, with a row that cannot be read, or with too many, is an error of
// Kind Invalid.
func Column(r io.Reader, most int, names ...string) ([]string, error) {
	t, err := New(r, 0)
	if err != nil {
		return nil, err
	}
	var columns []int
	for _, name := range names {
		if i := slices.IndexFunc(t.header, func(h string) bool { return connector.Fold(h) == connector.Fold(name) }); i >= 0 {
			columns = append(columns, i)
		}
	}
	if len(columns) == 0 {
		return nil, invalid(0, "the first line names the columns, and one of them has to be "+strings.Join(names, " or "), "add that line")
	}
	var list []string
	for {
		row, err := t.Next()
		switch {
		case errors.Is(err, io.EOF):
			return list, nil
		case err != nil:
			return nil, err
		case row.Fault != "":
			return nil, invalid(row.Line, row.Fault, "")
		}
		for _, i := range columns {
			if value := strings.TrimSpace(row.Fields[i]); value != "" {
				list = append(list, value)
				break
			}
		}
		if len(list) > most {
			return nil, invalid(row.Line, fmt.Sprintf("more than %d", most), "divide the file")
		}
	}
}
