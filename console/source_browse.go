package console

import (
	"errors"
	"net/http"
	"strings"

	"usherd/connector"
	"usherd/connector/sources"
)

// browsePage is one level of a directory.
type browsePage struct {
	Head   sourceHead
	At     string
	Begins string
	Up     []crumb // the entries above, from a base on
	Fault  *faultCard
	Cut    bool // there are more entries than were looked at
	Self   []browseAttribute
	Rows   []browseRow
	Pager  pager
}

// browseAttribute is an attribute of the entry at which the page stands.
type browseAttribute struct {
	Name   string
	Values []browseValue
	More   string // how many values are not shown; "" = none
}

// browseValue is a value as the directory has it, and what it means.
type browseValue struct {
	Text, Means string
	At          *instant
}

// browseRow is one entry.
type browseRow struct {
	Name, Classes string
	Down, Explain string // addresses; "" = it is no person
	Standing      pill
	Why           string
	IsPerson      bool
}

func (v *visit) browse() {
	x, ok := v.theDirectory()
	if !ok {
		return
	}
	p := browsePage{Head: v.head(x, "browse"), At: v.query("at"), Begins: v.query("begins")}
	switch {
	case p.At == "":
		v.bases(&p, x)
	case len(p.At)+len(p.Begins) > maxEntry:
		v.say(http.StatusNotFound, "console.nowhere", nil)
		return
	default:
		err := v.level(&p, x)
		if errors.Is(err, sources.ErrBusy) {
			v.say(http.StatusServiceUnavailable, "sources.busy", nil)
			return
		}
		if err != nil {
			p.Fault = v.faultCard(x, "browse", err)
		}
	}
	v.show(http.StatusOK, "source_browse", v.sourceFrame(x, v.t("sources.tab.browse", nil)), p)
}

// bases are where the browser begins: those that the configuration names.
func (v *visit) bases(p *browsePage, x *connector.SourceSettings) {
	for _, dn := range v.configured(x.ID).Scope.Roots() {
		p.Rows = append(p.Rows, browseRow{Name: dn, Down: v.browseLink(x, dn)})
	}
	p.Pager = v.pager("", len(p.Rows))
}

func (v *visit) browseLink(x *connector.SourceSettings, dn string) string {
	return v.link("/sources/"+x.ID+"/browse", "at", dn)
}

// level reads one level of the directory.
func (v *visit) level(p *browsePage, x *connector.SourceSettings) error {
	page, err := v.s.o.Runner.Browse(v.r.Context(), v.id(), x.ID, connector.BrowseRequest{At: p.At, Begins: p.Begins, After: v.after(), Limit: perPage})
	if err != nil {
		return err
	}
	p.Cut, p.Pager = page.Cut, v.pager(page.Next, len(page.Entries))
	if page.Up != "" {
		p.Up = append(p.Up, crumb{v.personal(page.Up), v.browseLink(x, page.Up)})
	}
	for _, a := range page.Self {
		p.Self = append(p.Self, v.attribute(a))
	}
	for _, e := range page.Entries {
		row := browseRow{Name: v.personal(e.Name), Classes: strings.Join(e.Classes, ", "), Down: v.browseLink(x, e.DN)}
		if e.Found {
			row.IsPerson, row.Explain = true, v.link("/sources/"+x.ID+"/explain", "entry", e.DN)
			row.Standing = pill{v.t("sources.browse.person", nil), "good"}
			if e.Outside != "" {
				row.Standing, row.Why = pill{v.t("sources.browse.outside", nil), "off"}, v.told(e.Outside)
			}
		}
		p.Rows = append(p.Rows, row)
	}
	return nil
}

// attribute shows an attribute with what its values mean.
func (v *visit) attribute(a connector.EntryAttribute) browseAttribute {
	f := frame{v: v}
	shown := browseAttribute{Name: a.Name}
	for _, value := range a.Values {
		one := browseValue{Text: v.personal(value.Text), At: f.At(value.At), Means: strings.Join(value.Flags, ", ")}
		switch {
		case value.Bytes > 0:
			one.Means = v.s.pages.Count(v.lang, "sources.browse.bytes", value.Bytes)
		case value.Never:
			one.Means = v.t("sources.browse.never", nil)
		}
		shown.Values = append(shown.Values, one)
	}
	if a.More > 0 {
		shown.More = v.s.pages.Count(v.lang, "sources.browse.more", a.More)
	}
	return shown
}
