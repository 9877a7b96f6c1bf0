package console

import (
	"encoding/csv"
	"io"
	"iter"
	"net/http"

	"usherd/connector/report"
)

// sheet answers with a table as a file for spreadsheets: RFC 4180 in UTF-8, with ?bom=1 marked as such, with ?sep=; parted by
// semicolons. What a spreadsheet would take for a formula begins with an apostrophe. Header are the keys of the columns: English, and
// never changed. Rows are sent as they come; a file that cannot be ended is cut off, so that nobody takes it for whole. The audit log
// says who took what along.
func (v *visit) sheet(name, target string, header []string, rows iter.Seq2[[]string, error]) {
	file := name + "_" + v.id() + "_" + v.now.UTC().Format("20060102T150405Z") + ".csv"
	if err := v.exported(target, file); err != nil {
		v.accident(name, err)
		return
	}
	v.w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	v.w.Header().Set("Content-Disposition", `attachment; filename="`+file+`"`)
	if err := v.writeSheet(header, rows); err != nil {
		v.logError(name, err)
		panic(http.ErrAbortHandler)
	}
}

func (v *visit) writeSheet(header []string, rows iter.Seq2[[]string, error]) error {
	if v.query("bom") == "1" {
		if _, err := io.WriteString(v.w, "\ufeff"); err != nil {
			return err
		}
	}
	out := csv.NewWriter(v.w)
	if v.query("sep") == ";" {
		out.Comma = ';'
	}
	if err := out.Write(header); err != nil {
		return err
	}
	for row, err := range rows {
		if err != nil {
			return err
		}
		for i := range row {
			row[i] = report.Unformula(row[i])
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
