package console

import (
	"context"
	"net/http"
	"strings"
	"time"

	"usherd/connector"
	"usherd/connector/provision"
	"usherd/connector/sources"
)

// Directories tells of sources, and asks the servers behind them. Nothing of it changes anything.
type Directories interface {
	// Sources tells how the sources of an organization are.
	Sources(ctx context.Context, org string) ([]connector.SourceStanding, error)
	// Check walks the way to the server of a source, and tells of each step as it ends; ok is false where it does not lead there.
	Check(ctx context.Context, org, source string, tell func(connector.CheckStep)) (ok bool, err error)
	// Explain asks a directory for one entry, and decides as a run would.
	Explain(ctx context.Context, org, source, key string) (*provision.Person, error)
	// Browse asks a directory for the entries right below one.
	Browse(ctx context.Context, org, source string, q connector.BrowseRequest) (connector.BrowsePage, error)
}

func (s *Server) sources() {
	s.page("/sources", see, (*visit).allSources)
	s.body("sources", sourcesPage{})
	s.page("/sources/{source}", see, (*visit).source)
	s.body("source", sourcePage{})
	for _, mode := range []connector.Mode{connector.ModeFull, connector.ModePreview} {
		s.action("/sources/{source}/"+runPaths[mode], need{permission: run},
			func(v *visit) { v.askRead(mode) }, func(v *visit) { v.doRead(mode) })
	}
	s.page("/sources/{source}/connection", see, (*visit).connection)
	s.body("source_connection", connectionPage{})
	s.action("/sources/{source}/test", need{permission: run}, (*visit).askTest, (*visit).doTest)
	s.body("source_test", testPage{})
	s.page("/sources/{source}/scope", see, (*visit).scope)
	s.body("source_scope", scopePage{})
	s.page("/sources/{source}/mapping", see, (*visit).mapping)
	s.body("source_mapping", mappingPage{})
	s.page("/sources/{source}/explain", inClear, (*visit).explain)
	s.body("source_explain", explainPage{})
	s.page("/sources/{source}/schedule", see, (*visit).schedule)
	s.body("source_schedule", schedulePage{})
	s.page("/sources/{source}/safety", see, (*visit).safety)
	s.body("source_safety", safetyPage{})
	s.page("/sources/{source}/browse", inClear, (*visit).browse)
	s.body("source_browse", browsePage{})
}

// runPaths are the ends of the paths that start a run.
var runPaths = map[connector.Mode]string{connector.ModeFull: "run", connector.ModePreview: "preview"}

// sourcesPage is the list of sources, in order of priority: the configuration has them all.
type sourcesPage struct{ Rows []sourceRow }

// sourceRow is one source with what one can do about it.
type sourceRow struct {
	sourceCard
	Status         pill
	Why, Hint      string // it is not as it should be, and what helps
	LastFull, Next *instant
	Entries        string // in the last complete read; "" = it is not read
	Actions        []actionLink
}

func (v *visit) allSources() {
	standings, err := v.s.o.Runner.Sources(v.r.Context(), v.id())
	if err != nil {
		v.accident("sources", err)
		return
	}
	var p sourcesPage
	f := frame{Title: v.t("nav.sources", nil), State: v.t("sources.state", nil)}
	for _, x := range v.org.Settings.Sources {
		row, err := v.sourceRow(x, standingOf(standings, x.ID))
		if err != nil {
			v.accident("sources", err)
			return
		}
		if row.Running {
			f.Refresh = overviewEvery
		}
		p.Rows = append(p.Rows, row)
	}
	v.show(http.StatusOK, "sources", f, p)
}

// standingOf is that of one source, nil where nothing is known.
func standingOf(list []connector.SourceStanding, id string) *connector.SourceStanding {
	for i := range list {
		if list[i].Source == id {
			return &list[i]
		}
	}
	return nil
}

func (v *visit) sourceRow(x connector.SourceSettings, is *connector.SourceStanding) (sourceRow, error) {
	card, err := v.sourceCard(x)
	row := sourceRow{sourceCard: card, Status: v.sourcePill(is, card.Running), Actions: v.sourceActions(x)}
	if is == nil {
		return row, err
	}
	f := frame{v: v}
	row.Why, row.Hint = v.told(is.Error), v.told(is.Hint)
	if is.LastFull != nil {
		row.LastFull = f.At(*is.LastFull)
	}
	row.Next = f.At(v.nextRead(x.ID, is))
	if x.Kind == connector.Directory {
		row.Entries = v.number(is.People)
	}
	return row, err
}

// nextRead is when a source is read next by itself, zero = not.
func (v *visit) nextRead(id string, is *connector.SourceStanding) time.Time {
	if is.NextTry != nil && is.Failures > 0 {
		return *is.NextTry
	}
	return v.configured(id).Schedule.Next(v.now)
}

// configured is what the configuration says of a source; of one that it does not have it says nothing.
func (v *visit) configured(id string) *sources.Source {
	if x := v.org.Sources[id]; x != nil {
		return x
	}
	return &sources.Source{}
}

// sourcePill says how a source is.
func (v *visit) sourcePill(is *connector.SourceStanding, running bool) pill {
	kinds := map[string]string{"ok": "good", "failing": "warn", "quarantined": "bad", "waits_for_approval": "wait", "never_run": "off"}
	switch {
	case running:
		return pill{v.t("sources.status.running", nil), "info"}
	case is == nil:
		return pill{v.t("sources.status.never_run", nil), "off"}
	}
	kind, ok := kinds[is.Status]
	if !ok {
		kind = "info"
	}
	return pill{v.t("sources.status."+strings.ReplaceAll(is.Status, " ", "_"), nil), kind}
}

// sourceActions are what this administrator can do about a source.
func (v *visit) sourceActions(x connector.SourceSettings) (list []actionLink) {
	if !v.may(run) {
		return nil
	}
	path := "/sources/" + x.ID + "/"
	if x.Kind == connector.Directory {
		list = append(list, actionLink{Text: v.t("sources.preview.link", nil), Address: v.link(path + "preview")}, actionLink{Text: v.t("sources.run.link", nil), Address: v.link(path + "run")})
	}
	if v.configured(x.ID).Server {
		list = append(list, actionLink{Text: v.t("sources.test.link", nil), Address: v.link(path + "test")})
	}
	return list
}

// sourceHead is what all pages of a source begin with.
type sourceHead struct {
	ID, Kind string
	Tabs     []tab
}

// theSource is the source that the path names, and answers where there is none.
func (v *visit) theSource() (*connector.SourceSettings, bool) {
	x := v.org.Settings.Source(v.r.PathValue("source"))
	if x == nil {
		v.say(http.StatusNotFound, "sources.nosuch", nil)
	}
	return x, x != nil
}

// sourceTabs are the pages of a source, by the ends of their paths; need says which sources have them.
var sourceTabs = []struct {
	end        string
	permission permission
	has        func(x *connector.SourceSettings, c *sources.Source) bool
}{
	{"", see, func(*connector.SourceSettings, *sources.Source) bool { return true }},
	{"connection", see, func(_ *connector.SourceSettings, c *sources.Source) bool { return len(c.Settings) > 0 }},
	{"scope", see, isDirectory},
	{"mapping", see, func(_ *connector.SourceSettings, c *sources.Source) bool { return c.Mapping != nil }},
	{"explain", inClear, isDirectory},
	{"browse", inClear, isDirectory},
	{"schedule", see, isDirectory},
	{"safety", see, func(*connector.SourceSettings, *sources.Source) bool { return true }},
}

func isDirectory(_ *connector.SourceSettings, c *sources.Source) bool { return c.Scope != nil }

// head tells of which source a page is, and leads to the others.
func (v *visit) head(x *connector.SourceSettings, at string) sourceHead {
	h := sourceHead{ID: x.ID, Kind: v.t("words.kind."+string(x.Kind), nil)}
	for _, t := range sourceTabs {
		if !v.may(t.permission) || !t.has(x, v.configured(x.ID)) {
			continue
		}
		path, name := "/sources/"+x.ID, "status"
		if t.end != "" {
			path, name = path+"/"+t.end, t.end
		}
		h.Tabs = append(h.Tabs, tab{Text: v.t("sources.tab."+name, nil), Address: v.link(path), Current: t.end == at})
	}
	return h
}

// sourceFrame is around a page of a source; title is that of the page, "" = the first one.
func (v *visit) sourceFrame(x *connector.SourceSettings, title string) frame {
	f := frame{Title: x.ID, State: v.t("words.kind."+string(x.Kind), nil), Crumbs: []crumb{{v.t("nav.sources", nil), v.link("/sources")}}}
	if title != "" {
		f.Title, f.State = strings.TrimSuffix(title, "…"), ""
		f.Crumbs = append(f.Crumbs, crumb{x.ID, v.link("/sources/" + x.ID)})
	}
	return f
}

// sourcePage is how a source is and was.
type sourcePage struct {
	Head    sourceHead
	Row     sourceRow
	Copy    string // why it fails, to be told to others
	Held    string // address of the run that waits; "" = none
	HeldWhy string
	Facts   []fact
	Servers []string
	History []runRow
	All     string // address of all runs
	Reads   bool   // it is a directory
	Own     string // address of the page that tells how people come through it; "" = none
}

// lastRuns is how many runs the page of a source shows.
const lastRuns = 10

func (v *visit) source() {
	x, ok := v.theSource()
	if !ok {
		return
	}
	standings, err := v.s.o.Runner.Sources(v.r.Context(), v.id())
	if err != nil {
		v.accident("source", err)
		return
	}
	is := standingOf(standings, x.ID)
	p := sourcePage{Head: v.head(x, ""), Reads: x.Kind == connector.Directory, Own: v.ownPage(x), All: v.link("/runs", "source", x.ID, "quiet", "1"), Servers: v.servers(x.ID)}
	if p.Row, err = v.sourceRow(*x, is); err == nil {
		err = v.lastRuns(&p, x)
	}
	if err != nil {
		v.accident("source", err)
		return
	}
	if is != nil {
		v.standing(&p, x, is)
	}
	f := v.sourceFrame(x, "")
	if p.Row.Running {
		f.Refresh = overviewEvery
	}
	v.show(http.StatusOK, "source", f, p)
}

// ownPage is where it is told how people come through a source that is not read.
func (v *visit) ownPage(x *connector.SourceSettings) string {
	pages := map[connector.SourceKind]string{connector.SCIM: "/scim/clients/", connector.SignIn: "/sso/idps/", connector.Template: "/templates/"}
	if path := pages[x.Kind]; path != "" {
		return v.link(path + x.ID)
	}
	return ""
}

// lastRuns tells what the source has done of late.
func (v *visit) lastRuns(p *sourcePage, x *connector.SourceSettings) error {
	runs, err := v.s.o.Store.Runs(v.r.Context(), connector.RunFilter{Org: v.id(), Source: x.ID, Limit: lastRuns})
	for i, r := range runs {
		p.History = append(p.History, v.runRow(r))
		if i == 0 && r.Server != "" {
			p.Facts = append(p.Facts, fact{Name: v.t("sources.fact.server", nil), Value: r.Server})
		}
	}
	return err
}

// standing tells what is known of a source beside its runs.
func (v *visit) standing(p *sourcePage, x *connector.SourceSettings, is *connector.SourceStanding) {
	if is.Error != "" {
		p.Copy = v.id() + "/" + x.ID + ": " + is.Error + "\n" + is.Hint + "\n" + v.now.UTC().Format(time.DateTime+"Z")
	}
	if is.Held != "" {
		p.Held, p.HeldWhy = v.link("/runs/"+is.Held), v.told(is.HeldWhy)
	}
	if x.Kind != connector.Directory {
		return
	}
	add := func(key, value string) {
		if value != "" {
			p.Facts = append(p.Facts, fact{Name: v.t("sources.fact."+key, nil), Value: value})
		}
	}
	add("entries", p.Row.Entries)
	add("follows", v.follows(is.Follows))
	add("mechanism", is.Mechanism)
	add("changes", v.moment(is.LastChanges))
	add("since", v.moment(is.Since))
	if is.Failures > 0 {
		add("failures", v.number(is.Failures))
	}
	if is.Missed != nil {
		add("missed", v.number(*is.Missed))
	}
}

// follows says how changes between full reads are followed.
func (v *visit) follows(how string) string {
	switch every, is := strings.CutPrefix(how, "every "); {
	case is:
		var d connector.Duration
		if d.UnmarshalText([]byte(every)) == nil {
			every = v.lasting(time.Duration(d))
		}
		return v.t("sources.follows.every", map[string]string{"Every": every})
	case how == "live":
		return v.t("sources.follows.live", nil)
	}
	return v.t("sources.follows.full", nil)
}

// moment is how long ago a time was, "" where there is none.
func (v *visit) moment(t *time.Time) string {
	if t == nil {
		return ""
	}
	return v.relative(*t)
}

// servers are those that the configuration names.
func (v *visit) servers(id string) (list []string) {
	for _, s := range v.configured(id).Settings {
		switch s.Key {
		case "directory.servers", "directory.domain", "saml.metadata_url":
			for one := range strings.SplitSeq(strings.Trim(s.Value, "[]"), ", ") {
				list = append(list, one)
			}
		}
	}
	return list
}

func (v *visit) askRead(mode connector.Mode) {
	x, ok := v.theSource()
	if !ok {
		return
	}
	key := "sources." + runPaths[mode]
	c := confirm{Effect: []string{v.t(key+".effect", nil)}, Button: v.t(key+".button", nil), Back: v.link("/sources/" + x.ID)}
	if mode == connector.ModeFull {
		c.Effect = append(c.Effect, v.guardWords(x.Guard))
	}
	if x.Kind != connector.Directory {
		c.Button, c.Fault = "", v.t("sources.notread", nil)
	}
	v.show(http.StatusOK, "confirm", v.sourceFrame(x, v.t(key+".link", nil)), c)
}

// guardWords say how much a run may take away by itself.
func (v *visit) guardWords(g connector.Guard) string {
	return v.t("sources.guard", map[string]string{"Min": v.number(g.Min), "Percent": v.printer().Sprint(g.Percent)})
}

func (v *visit) doRead(mode connector.Mode) {
	x, ok := v.theSource()
	if !ok {
		return
	}
	id, err := v.s.o.Runner.Sync(v.r.Context(), v.id(), x.ID, mode, v.session.Actor())
	v.begun("runs.start.done", id, err)
}
