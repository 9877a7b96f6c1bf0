package report

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"

	"usherd/connector"
)

// columns of the CSV form; new ones are only added at the end.
var columns = []string{
	"action", "held", "state_before", "state_after", "subject", "dn", "anchor", "user_id", "source", "package",
	"skip", "code", "reason", "fields", "title", "detail", "ref", "changed", "changes", "warnings",
}

// CSV writes one row for each person (RFC 4180, UTF-8, with a header in English that never changes). Several
// values in one cell are separated by "; ". A cell that a spreadsheet would take for a formula begins with
// an apostrophe.
func CSV(w io.Writer, r Report) error {
	words, err := newWords(r.Lang, r.Catalogue)
	if err != nil {
		return err
	}
	out := csv.NewWriter(w)
	if err := out.Write(columns); err != nil {
		return err
	}
	for c, err := range r.changes() {
		if err != nil {
			return err
		}
		row := words.row(c)
		for i := range row {
			row[i] = Unformula(row[i])
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func (w words) row(c *connector.Change) []string {
	before, after := states(c)
	var codes, reasons, fields, titles, details, refs []string
	for _, f := range c.Failures {
		codes = append(codes, strconv.Itoa(int(f.Code)))
		reasons = append(reasons, string(f.Reason))
		fields = append(fields, f.Fields...)
		titles = append(titles, w.catalogue.Title(f.Code, w.lang))
		if f.Detail != "" {
			details = append(details, f.Detail)
		}
		if f.Ref != "" {
			refs = append(refs, f.Ref)
		}
	}
	var changed, changes []string
	for _, f := range c.Fields {
		changed = append(changed, f.Field)
		changes = append(changes, f.Field+": "+strings.Join(raw(f.Field, f.Before), ", ")+" → "+strings.Join(raw(f.Field, f.After), ", "))
	}
	held := ""
	if c.Held {
		held = "true"
	}
	return []string{
		string(c.Action), held, string(before), string(after), c.Subject, c.DN, c.Anchor.String(), userID(c).String(),
		c.Source, packageOf(c), string(c.Skip), cell(codes), cell(reasons), cell(fields), cell(titles), cell(details), cell(refs),
		cell(changed), cell(changes), cell(c.Warnings),
	}
}

func cell(list []string) string { return strings.Join(list, "; ") }

// Unformula keeps spreadsheets from running a value: what a cell begins with decides, also in full-width
// form and behind blanks, and a tab or line end may split it (OWASP, "CSV Injection").
func Unformula(s string) string {
	rest := strings.TrimLeft(s, " \u00a0")
	if rest != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(rest)[0]) {
		return "'" + s
	}
	return s
}
