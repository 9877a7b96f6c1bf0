package console

import (
	"net/http"
	"slices"
	"strconv"
	"unicode/utf8"

	"usherd/connector"
	"usherd/connector/mapping"
	"usherd/connector/provision"
)

// mappingPage is what becomes of the attributes of a source.
type mappingPage struct {
	Head    sourceHead
	Explain string // address; "" = there is no directory to ask, or this administrator may not
	Rows    []mappedRow
}

// mappedRow is the rule of one attribute, and of one entry what it makes.
type mappedRow struct {
	Label, Target string
	Required      bool
	Rules         []ruleRow
	Place         string
	Read          []string // of the entry: name = value
	Values        []string
	Fault         string // why the value does not fit
}

// ruleRow is one alternative of a rule; the first that gives a value wins.
type ruleRow struct {
	Expression string
	Used       bool // it is the one that gave it
}

func (v *visit) mapping() {
	x, ok := v.theSource()
	if !ok {
		return
	}
	m := v.configured(x.ID).Mapping
	if m == nil {
		v.say(http.StatusNotFound, "sources.noserver", nil)
		return
	}
	p := mappingPage{Head: v.head(x, "mapping"), Rows: v.mappedRows(x.ID, m, nil)}
	if v.may(inClear) && v.configured(x.ID).Scope != nil {
		p.Explain = v.link("/sources/" + x.ID + "/explain")
	}
	v.show(http.StatusOK, "source_mapping", v.sourceFrame(x, v.t("sources.tab.mapping", nil)), p)
}

// alwaysRequired are the attributes without which nobody can be created.
var alwaysRequired = []string{connector.UserName, connector.GivenName, connector.FamilyName, connector.Email}

// mappedRows are the rules of a source, in the order in which attributes are shown; of an entry with what they make of it.
func (v *visit) mappedRows(source string, m *mapping.Mapping, of *provision.Person) (rows []mappedRow) {
	for _, o := range m.Rules() {
		if len(rows) == 0 || rows[len(rows)-1].Target != o.Target {
			rows = append(rows, mappedRow{
				Label: v.s.catalogue.Label(o.Target, v.lang), Target: o.Target, Place: v.placeOf(source, "mapping.attributes."+o.Target),
				Required: slices.Contains(alwaysRequired, o.Target) || slices.Contains(v.org.Settings.Required, o.Target),
			})
		}
		row := &rows[len(rows)-1]
		row.Rules = append(row.Rules, ruleRow{Expression: o.Expression})
		if of != nil && of.Record != nil {
			for _, name := range o.Attributes {
				for _, value := range of.Record.Values(name) {
					if text := name + " = " + v.personal(shownValue(value)); !slices.Contains(row.Read, text) {
						row.Read = append(row.Read, text)
					}
				}
			}
		}
	}
	if of == nil || of.Record == nil {
		return rows
	}
	for i := range rows {
		v.fillMapped(&rows[i], m, of)
	}
	return rows
}

// fillMapped tells what a rule made of an entry.
func (v *visit) fillMapped(row *mappedRow, m *mapping.Mapping, of *provision.Person) {
	if used, ok := m.Used(of.Record, row.Target); ok && used.Index < len(row.Rules) {
		row.Rules[used.Index].Used = true
	}
	for _, f := range of.Mapped.Faults {
		if f.Attribute == row.Target {
			row.Fault = v.told(f.Detail)
		}
	}
	if row.Target == "package" {
		if of.Mapped.Package != "" {
			row.Values = []string{of.Mapped.Package}
		}
		return
	}
	for _, value := range of.Mapped.Profile[row.Target] {
		row.Values = append(row.Values, v.personal(shownValue([]byte(value))))
	}
}

// longest is how much of a value is shown.
const longest = 200

// shownValue is a value as a page shows it: bytes as how many they are.
func shownValue(value []byte) string {
	if !utf8.Valid(value) {
		return strconv.Itoa(len(value)) + " bytes"
	}
	if r := []rune(string(value)); len(r) > longest {
		return string(r[:longest]) + "…"
	}
	return string(value)
}

// placeOf is where a key of a source stands in the file, "" = it does not.
func (v *visit) placeOf(source, key string) string {
	c := v.configured(source)
	for _, s := range c.Settings {
		if s.Key == key {
			return c.File + ":" + strconv.Itoa(s.Line)
		}
	}
	return ""
}
