package console

import (
	"net/http"
	"strconv"

	"usherd/connector/sources"
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
	p := mappingPage{Head: v.head(x, "mapping"), Rows: v.mappedRows(x.ID, sources.Attributes(v.org.Settings, m))}
	if v.may(inClear) && v.configured(x.ID).Scope != nil {
		p.Explain = v.link("/sources/" + x.ID + "/explain")
	}
	v.show(http.StatusOK, "source_mapping", v.sourceFrame(x, v.t("sources.tab.mapping", nil)), p)
}

// mappedRows put the rules of a source in words, and what they make of an entry.
func (v *visit) mappedRows(source string, list []sources.Attribute) []mappedRow {
	rows := make([]mappedRow, len(list))
	for i, a := range list {
		row := mappedRow{
			Label: v.s.catalogue.Label(a.Target, v.lang), Target: a.Target, Place: v.placeOf(source, "mapping.attributes."+a.Target),
			Required: a.Required, Fault: v.told(a.Fault),
		}
		for n, rule := range a.Rules {
			row.Rules = append(row.Rules, ruleRow{rule, n == a.Used})
		}
		for _, x := range a.Read {
			row.Read = append(row.Read, x.Name+" = "+v.personal(shownValue(x.Value)))
		}
		for _, value := range a.Values {
			if a.Target != "package" {
				value = v.personal(shownValue([]byte(value)))
			}
			row.Values = append(row.Values, value)
		}
		rows[i] = row
	}
	return rows
}

// longest is how much of a value is shown.
const longest = 200

// shownValue is a value as a page shows it.
func shownValue(value []byte) string {
	text := sources.Text(value)
	if r := []rune(text); len(r) > longest {
		return string(r[:longest]) + "…"
	}
	return text
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
