package console

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"usherd/connector"
)

const (
	// asksAtATime is how many pages ask a directory at the same time.
	asksAtATime = 4
	// answerFor is how long a page waits for one answer of a directory.
	answerFor = 10 * time.Second
	// placeFor is how long a page waits until fewer others ask.
	placeFor = 2 * time.Second
	// testFor is how long a connection test takes at most: it tries one server after the other.
	testFor = 30 * time.Second
)

// errBusy says that others ask directories.
var errBusy = errors.New("too many pages ask a directory at the moment")

// ask asks a directory, with as many others as may at the same time, and not for ever.
func (v *visit) ask(most time.Duration, question func(ctx context.Context) error) error {
	place, stop := context.WithTimeout(v.r.Context(), placeFor)
	defer stop()
	select {
	case v.s.asks <- struct{}{}:
		defer func() { <-v.s.asks }()
	case <-place.Done():
		return errBusy
	}
	ctx, cancel := context.WithTimeout(v.r.Context(), most)
	defer cancel()
	err := question(ctx)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = &connector.Error{
			Kind: connector.Unavailable, Op: "ask the directory", Err: errors.New("it has not answered within " + most.String()),
			Hint: "test the connection: it says at which step the time is lost",
		}
	}
	return err
}

// deniedFor is how long no page asks a directory again that does not accept the service account: each try could lock it. A
// connection test that succeeds, or another configuration, ends it at once.
const deniedFor = time.Hour

// denial is that a directory has not accepted the service account.
type denial struct {
	at  time.Time
	err error
}

// askOf asks the directory of a source, unless it has not accepted the service account of late: the same is told then.
func (v *visit) askOf(x *connector.SourceSettings, question func(ctx context.Context) error) error {
	key := v.id() + "/" + x.ID
	if d, ok := v.s.denials.Load(key); ok {
		if d, _ := d.(denial); v.now.Sub(d.at) < deniedFor {
			return d.err
		}
	}
	err := v.ask(answerFor, question)
	if connector.KindOf(err) == connector.Denied {
		v.s.denials.Store(key, denial{v.now, err})
	}
	return err
}

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
	err := v.ask(testFor, func(ctx context.Context) (err error) {
		p.OK, err = v.s.o.Runner.Check(ctx, v.id(), x.ID, func(s connector.CheckStep) { p.Steps = append(p.Steps, v.testStep(x, s)) })
		if err == nil {
			err = ctx.Err()
		}
		return err
	})
	switch {
	case errors.Is(err, errBusy):
		v.say(http.StatusServiceUnavailable, "sources.busy", nil)
		return
	case err != nil:
		p.OK = false
		p.Steps = append(p.Steps, v.testStep(x, connector.CheckStep{Name: "end", Err: err}))
	}
	if p.OK {
		v.s.denials.Delete(v.id() + "/" + x.ID)
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
