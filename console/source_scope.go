package console

import (
	"net/http"
	"strings"

	"usherd/connector"
)

// scopePage says who belongs to a source.
type scopePage struct {
	Head     sourceHead
	Words    []phrase
	Filter   string
	Criteria criterionRow
	Count    string // of the last complete read; "" = there was none
	Counted  *instant
	Preview  string // address of what counts anew; "" = this administrator may not
	Explain  string
	Settings []settingRow
}

// phrase is a part of a sentence, with what it is about.
type phrase struct {
	Text string
	List []string
}

// criterionRow is a part of a filter in words.
type criterionRow struct {
	Text  string
	Parts []criterionRow
}

// scopeKeys say who belongs to a source.
var scopeKeys = []string{
	"directory.bases", "directory.filter", "directory.include_ous", "directory.exclude_ous", "directory.groups", "directory.group_bases",
	"directory.group_filter", "directory.anchor", "directory.disabled", "directory.canaries",
}

func (v *visit) scope() {
	x, ok := v.theDirectory()
	if !ok {
		return
	}
	standings, err := v.s.o.Runner.Sources(v.r.Context(), v.id())
	if err != nil {
		v.accident("scope", err)
		return
	}
	c := v.configured(x.ID).Scope
	p := scopePage{Head: v.head(x, "scope"), Filter: c.Filter, Criteria: v.criterion(c.Criteria), Settings: v.settings(x.ID, scopeKeys...)}
	for _, w := range []struct {
		key  string
		list []string
	}{{"bases", c.Bases}, {"include", c.Include}, {"exclude", c.Exclude}, {"groups", c.Groups}, {"canaries", c.Canaries}, {"group_bases", c.GroupBases}} {
		if len(w.list) > 0 {
			p.Words = append(p.Words, phrase{v.t("sources.scope."+w.key, nil), w.list})
		}
	}
	if is := standingOf(standings, x.ID); is != nil && is.LastFull != nil {
		f := frame{v: v}
		p.Count, p.Counted = v.s.pages.Count(v.lang, "sources.scope.count", is.People), f.At(*is.LastFull)
	}
	if v.may(run) {
		p.Preview = v.link("/sources/" + x.ID + "/preview")
	}
	if v.may(inClear) {
		p.Explain = v.link("/sources/" + x.ID + "/explain")
	}
	v.show(http.StatusOK, "source_scope", v.sourceFrame(x, v.t("sources.tab.scope", nil)), p)
}

// theDirectory is theSource where it is a directory of which the configuration tells.
func (v *visit) theDirectory() (*connector.SourceSettings, bool) {
	x, ok := v.theSource()
	if ok && v.configured(x.ID).Scope == nil {
		v.say(http.StatusNotFound, "sources.noserver", nil)
		return x, false
	}
	return x, ok
}

// criterion is a part of a filter in words.
func (v *visit) criterion(c connector.Criterion) criterionRow {
	data := map[string]string{"Attribute": c.Attribute, "Value": c.Value}
	row := criterionRow{Text: v.t("sources.filter."+string(c.Kind), data)}
	known, ok := wellKnown[strings.ToLower(c.Attribute)+" "+string(c.Kind)+" "+c.Value]
	switch {
	case ok:
		row.Text = v.t("sources.filter."+known, nil)
	case c.Kind == connector.CriterionEqual && strings.EqualFold(c.Attribute, "objectClass"):
		row.Text = v.t("sources.filter.class", data)
	}
	for _, part := range c.Parts {
		row.Parts = append(row.Parts, v.criterion(part))
	}
	return row
}

// wellKnown are parts of filters that say something else than their letters do.
var wellKnown = map[string]string{
	"samaccounttype equal 805306368": "account", "useraccountcontrol bits 2": "disabled", "objectclass present ": "anything",
}
