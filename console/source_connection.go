package console

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"usherd/connector"
	"usherd/connector/sources"
)

// settingRow is a key of the configuration with where it stands.
type settingRow struct{ Key, Value, Place string }

// settings are those of a source whose keys begin with one of these.
func (v *visit) settings(id string, prefixes ...string) (rows []settingRow) {
	c := v.configured(id)
	for _, s := range c.Settings {
		for _, p := range prefixes {
			if s.Key == p || strings.HasPrefix(s.Key, p+".") || strings.HasPrefix(s.Key, p+"[") {
				rows = append(rows, settingRow{s.Key, s.Value, c.File + ":" + strconv.Itoa(s.Line)})
				break
			}
		}
	}
	return rows
}

// connectionPage is how a source is reached.
type connectionPage struct {
	Head     sourceHead
	Test     string // address; "" = there is nothing to test, or this administrator may not
	Settings []settingRow
}

// connectionKeys say how a source is reached, or reaches us.
var connectionKeys = []string{
	"directory.type", "directory.servers", "directory.domain", "directory.site", "directory.tls", "directory.bind", "directory.page_size",
	"directory.connect_timeout", "directory.read_timeout", "directory.changes", "live", "changes_every", "scim", "saml", "import", "site_link",
}

func (v *visit) connection() {
	x, ok := v.theSource()
	if !ok {
		return
	}
	p := connectionPage{Head: v.head(x, "connection"), Settings: v.settings(x.ID, connectionKeys...)}
	if v.may(run) && v.configured(x.ID).Server {
		p.Test = v.link("/sources/" + x.ID + "/test")
	}
	v.show(http.StatusOK, "source_connection", v.sourceFrame(x, v.t("sources.tab.connection", nil)), p)
}

func (v *visit) askTest() {
	x, ok := v.theSource()
	if !ok {
		return
	}
	c := confirm{Effect: []string{v.t("sources.test.effect", nil)}, Button: v.t("sources.test.button", nil), Back: v.link("/sources/" + x.ID + "/connection")}
	if !v.configured(x.ID).Server {
		c.Button, c.Fault = "", v.t("sources.test.none", nil)
	}
	v.show(http.StatusOK, "confirm", v.sourceFrame(x, v.t("sources.test.link", nil)), c)
}

// testPage is what a connection test has found.
type testPage struct {
	OK          bool
	Took        string
	Steps       []testStep
	Again, Back string
}

// testStep is one step of a connection test.
type testStep struct {
	Name, Server, Took string
	Result             pill
	Detail             []string
	Fault              *faultCard
}

// faultCard is an accident with what to do about it.
type faultCard struct{ Code, Cause, Hint, Copy string }

// doTest walks the way to the server of the source that the path names.
func (v *visit) doTest() {
	if x, ok := v.theSource(); ok {
		v.test(x, v.sourceFrame(x, v.t("sources.test.title", nil)), v.link("/sources/"+x.ID+"/test"), v.link("/sources/"+x.ID+"/connection"))
	}
}

// test walks the way to the server of a source and shows what it finds. Nothing is kept of it: the answer is the page, and the key
// of the form has it done once only. Again and back are addresses.
func (v *visit) test(x *connector.SourceSettings, head frame, again, back string) {
	if !v.configured(x.ID).Server {
		v.say(http.StatusConflict, "sources.noserver", nil)
		return
	}
	p := testPage{Again: again, Back: back}
	began := v.s.o.Now()
	var err error
	p.OK, err = v.s.o.Runner.Check(v.r.Context(), v.id(), x.ID, func(s connector.CheckStep) { p.Steps = append(p.Steps, v.testStep(x, s)) })
	switch {
	case errors.Is(err, sources.ErrBusy):
		v.say(http.StatusServiceUnavailable, "sources.busy", nil)
		return
	case err != nil:
		p.Steps = append(p.Steps, v.testStep(x, connector.CheckStep{Name: "end", Err: err}))
	}
	f := frame{v: v}
	p.Took = f.Took(v.s.o.Now().Sub(began))
	v.show(http.StatusOK, "source_test", head, p)
}

func (v *visit) testStep(x *connector.SourceSettings, s connector.CheckStep) testStep {
	row := testStep{
		Name: v.t("sources.step."+strings.ReplaceAll(strings.ToLower(s.Name), " ", "_"), nil), Server: s.Server, Took: v.milliseconds(s.Took),
		Result: pill{v.t("sources.test.ok", nil), "good"},
	}
	for part := range strings.SplitSeq(s.Detail, "; ") {
		if part != "" {
			row.Detail = append(row.Detail, v.told(part))
		}
	}
	if s.Err != nil {
		row.Result, row.Fault = pill{v.t("sources.test.failed", nil), "bad"}, v.faultCard(x, s.Name, s.Err)
	}
	return row
}

// milliseconds is a short duration.
func (v *visit) milliseconds(d time.Duration) string {
	return v.printer().Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}

// faultCard puts an accident in words. What is copied is English, as it stands in the log.
func (v *visit) faultCard(x *connector.SourceSettings, what string, err error) *faultCard {
	c := &faultCard{Code: faultCodes[connector.KindOf(err)], Cause: v.told(err.Error()), Hint: v.told(connector.HintOf(err))}
	c.Copy = v.id() + "/" + x.ID + " " + what + " (" + c.Code + "): " + err.Error()
	if hint := connector.HintOf(err); hint != "" {
		c.Copy += "\nwhat to do: " + hint
	}
	c.Copy += "\n" + v.now.UTC().Format(time.DateTime+"Z")
	return c
}

// faultCodes name the kinds of accidents.
var faultCodes = map[connector.Kind]string{
	connector.Internal: "internal", connector.NotFound: "not_found", connector.Invalid: "invalid", connector.Conflict: "conflict",
	connector.Unavailable: "unavailable", connector.Refused: "refused", connector.Held: "held", connector.Incomplete: "incomplete", connector.Denied: "denied",
}
