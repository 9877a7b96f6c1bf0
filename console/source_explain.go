package console

import (
	"errors"
	"net/http"
	"strings"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/connector/sources"
)

// explainPage is what would become of one entry of a directory, step by step. Nothing is changed.
type explainPage struct {
	Head     sourceHead
	Entry    string
	Asked    bool
	Fault    *faultCard // the directory could not be asked
	DN       string
	Anchor   string
	User     string // address of the account; "" = there is none
	Steps    []explainStep
	Failures []failCard
	Changes  *diff
	Rows     []mappedRow
	Left     int          // rows that are left out: the entry says nothing, and nothing is needed
	Many     []actionLink // entries that were meant
}

// explainStep is one station of the way.
type explainStep struct {
	Name, Text string
	Result     pill
}

// maxEntry bounds what one asks for.
const maxEntry = 1000

func (v *visit) explain() {
	x, ok := v.theDirectory()
	if !ok {
		return
	}
	p := explainPage{Head: v.head(x, "explain"), Entry: v.query("entry")}
	if p.Asked = p.Entry != "" && len(p.Entry) <= maxEntry; p.Asked {
		person, err := v.s.o.Runner.Explain(v.r.Context(), v.id(), x.ID, p.Entry)
		if errors.Is(err, sources.ErrBusy) {
			v.say(http.StatusServiceUnavailable, "sources.busy", nil)
			return
		}
		if err != nil {
			p.Fault = v.faultCard(x, "explain", err)
		} else {
			v.fillExplain(&p, x, person)
		}
	}
	v.show(http.StatusOK, "source_explain", v.sourceFrame(x, v.t("sources.tab.explain", nil)), p)
}

func (v *visit) fillExplain(p *explainPage, x *connector.SourceSettings, of *provision.Person) {
	for _, s := range of.Steps {
		row := explainStep{Name: v.t("sources.way."+strings.ReplaceAll(s.Name, " ", "_"), nil), Text: v.stepWords(s), Result: pill{v.t("sources.way.yes", nil), "good"}}
		if !s.OK {
			row.Result = pill{v.t("sources.way.no", nil), "bad"}
		}
		p.Steps = append(p.Steps, row)
		if s.Say == "found_many" {
			for dn := range strings.SplitSeq(s.About["DNs"], "; ") {
				p.Many = append(p.Many, actionLink{Text: v.personal(dn), Address: v.link("/sources/"+x.ID+"/explain", "entry", dn)})
			}
		}
	}
	if of.Record != nil {
		p.DN, p.Anchor = v.personal(of.Record.DN), of.Record.Anchor.String()
		if m := v.configured(x.ID).Mapping; m != nil {
			for _, row := range v.mappedRows(x.ID, sources.AttributesOf(v.org.Settings, m, of.Record, &of.Mapped)) {
				if row.Required || row.Fault != "" || len(row.Read)+len(row.Values) > 0 {
					p.Rows = append(p.Rows, row)
				} else {
					p.Left++
				}
			}
		}
	}
	if of.User != nil {
		p.User = v.link("/users/" + of.User.ID.String())
	}
	if of.Change == nil {
		return
	}
	p.Changes = v.differences(of.Change.Fields)
	for _, f := range of.Change.Failures {
		p.Failures = append(p.Failures, v.failCard(f, f.At))
	}
}

// stepWords say what a station has found.
func (v *visit) stepWords(s provision.Step) string {
	data := map[string]string{}
	for name, value := range s.About {
		switch name {
		case "DN", "DNs", "User", "Key":
			value = v.personal(value)
		case "Why":
			value = v.told(value)
		case "To":
			value = v.t("words.state."+value, nil)
		case "Action":
			value = v.t("sources.would."+value, nil)
		case "Skip":
			if value != "" {
				value = v.t("sources.skip."+value, nil)
			}
		}
		data[name] = value
	}
	text := v.t("sources.said."+s.Say, data)
	if skip := data["Skip"]; skip != "" {
		text += ": " + skip
	}
	return text
}
