package report

import (
	"bufio"
	"crypto/sha256"
	_ "embed" // page.html, page.css, page.js
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"iter"
	"sync"

	"usherd/connector"
)

// MaxPeople is how many people an HTML page shows; with more, browsers get slow, and the page points to
// the other forms.
const MaxPeople = 5_000

// samplePage is how many people a page names beside a group of failures and beside what is held; all of
// them stand in the table of people.
const samplePage = 25

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
	//go:embed page.js
	pageJS string
)

var pageTemplate = sync.OnceValues(func() (*template.Template, error) {
	return template.New("page").Parse(pageHTML)
})

// HTML writes the report as one page that needs nothing else: no other file, no network, and no script,
// which only adds search. Its own policy forbids the browser to load anything.
func HTML(w io.Writer, r Report) error {
	words, err := newWords(r.Lang, r.Catalogue)
	if err != nil {
		return err
	}
	tmpl, err := pageTemplate()
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	sum, err := r.summarize(samplePage)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 64<<10)
	p := &page{w: words, r: r, sum: sum}
	if err := tmpl.Execute(out, p); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if p.err != nil {
		return p.err
	}
	return out.Flush()
}

// page is what the template asks.
type page struct {
	w   words
	r   Report
	sum *summary
	err error // of the stream of people: a template cannot return it
}

// Policy is the content security policy: only the page's own style and script, by their hashes.
func (p *page) Policy() string {
	return fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'", hash(pageCSS), hash(pageJS))
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// Style is the page's style sheet.
func (p *page) Style() template.CSS {
	return template.CSS(pageCSS) //nolint:gosec // a constant of the program
}

// Script is the page's script.
func (p *page) Script() template.JS {
	return template.JS(pageJS) //nolint:gosec // a constant of the program
}

func (p *page) Lang() string              { return p.w.lang }
func (p *page) Say(key string) string     { return p.w.say(key) }
func (p *page) Run() *connector.Run       { return p.r.Run }
func (p *page) Name() string              { return p.r.name() }
func (p *page) Verdict() string           { return p.w.verdict(p.r, p.sum) }
func (p *page) Waits() bool               { return p.r.waits() && !p.r.preview() }
func (p *page) ShortID() string           { return p.r.Run.ID.Short() }
func (p *page) Expires() string           { return p.w.expires(p.r) }
func (p *page) Steps() []string           { return p.w.steps(p.r, p.sum) }
func (p *page) Mode() string              { return p.w.named("mode", string(p.r.Run.Mode)) }
func (p *page) HeldCount() string         { return p.w.count("people", max(p.r.Run.Counts.Held, p.sum.nHeld)) }
func (p *page) FailedCount() string       { return p.w.count("people", p.r.Run.Counts.Failed) }
func (p *page) MoreHeld() string          { return p.more(p.sum.nHeld - len(p.sum.held)) }
func (p *page) PeopleCount() string       { return p.w.count("people", p.sum.people) }
func (p *page) HasPeople() bool           { return p.sum.people > 0 }
func (p *page) ExpiresShown() bool        { return p.Waits() && p.Expires() != "" }
func (p *page) with(key, v string) string { return p.w.with(key, v) }
func (p *page) Decisions() []string       { return p.w.decisions(p.r.Run.Hold, p.r.Now) }
func (p *page) Approve() string           { return "usherd approve " + p.ShortID() + firstFlags(p.r.Run.Hold) }
func (p *page) ShownPattern() string      { return p.with("page.shown", "%") }

// Made says when the report was made.
func (p *page) Made() string {
	if p.r.Now.IsZero() {
		return ""
	}
	return p.with("meta.made", when(p.r.Now))
}

// TooMany says that people are missing, where they are.
func (p *page) TooMany() string {
	if p.sum.people <= MaxPeople {
		return ""
	}
	return p.w.count("too_many", MaxPeople)
}

func (p *page) more(n int) string {
	if n <= 0 {
		return ""
	}
	return p.w.count("more_people", n)
}

// Hold is what waits; a preview shows everything as what it would be instead.
func (p *page) Hold() *connector.Hold {
	if p.r.preview() {
		return nil
	}
	return p.r.Run.Hold
}

// Told is what the run has said, in the language of the page.
func (p *page) Told(text string) string { return p.w.told(text) }

// Remedy says what to do after a run that did not go well; "" = nothing is known.
func (p *page) Remedy() string {
	if p.r.Run.Hint == "" {
		return ""
	}
	return p.with("todo_is", p.w.told(p.r.Run.Hint))
}

// Tone names the colour and sign of the verdict.
func (p *page) Tone() string {
	switch tone(p.r) {
	case green:
		return "good"
	case red:
		return "bad"
	}
	return "warn"
}

// pair is a name with a value.
type pair struct{ Name, Value string }

// Meta are the facts below the heading.
func (p *page) Meta() []pair {
	run := p.r.Run
	period := when(run.Started)
	if d := duration(run); d > 0 {
		period += " · " + p.w.took(d)
	}
	list := []pair{
		{p.Say("meta.organization"), run.Org},
		{p.Say("col.mode"), p.Mode()},
		{p.Say("meta.period"), period},
		{p.Say("meta.actor"), run.Actor},
		{p.Say("meta.server"), run.Server},
		{p.Say("meta.revision"), run.Revision},
		{p.Say("meta.run"), run.ID.String()},
		{p.Say("meta.approves"), run.Approves.String()},
		{p.Say("meta.undoes"), run.Undoes.String()},
	}
	for _, id := range p.r.UndoneBy {
		list = append(list, pair{p.Say("meta.undone"), id.String()})
	}
	if run.Entries > 0 {
		list = append(list, pair{p.Say("col.source"), p.w.count("entries", run.Entries)})
	}
	kept := list[:0]
	for _, m := range list {
		if m.Value != "" {
			kept = append(kept, m)
		}
	}
	return kept
}

// tile is one count.
type tile struct {
	Action, Label, Sign, Number string
	Zero                        bool
}

// signs stand beside each action, so that colour is never alone.
var signs = map[string]string{
	"linked":  "∞",
	"created": "+", "updated": "~", "reactivated": "↺", "deactivated": "–", "deleted": "×",
	"failed": "!", "held": "‖", "skipped": "›", "unchanged": "=",
}

// Tiles are the counts; none where they would look like an answer that there was not.
func (p *page) Tiles() []tile {
	var list []tile
	if p.r.nothingRead() {
		return nil
	}
	for _, c := range countsOf(p.r.Run.Counts) {
		list = append(list, tile{c.action, p.Say("action." + c.action), signs[c.action], p.w.number(c.n), c.n == 0})
	}
	return list
}

// Actions are the tiles that are not zero, for the filter.
func (p *page) Actions() []tile {
	var list []tile
	for _, t := range p.Tiles() {
		if !t.Zero && t.Action != string(connector.Unchanged) {
			list = append(list, t)
		}
	}
	return list
}

// Skips are why people were skipped.
func (p *page) Skips() string { return p.w.skips(p.r.Run.Skips) }

// People streams the rows of the table of people.
func (p *page) People() iter.Seq[row] {
	return func(yield func(row) bool) {
		n := 0
		for c, err := range p.r.changes() {
			if err != nil {
				p.err = err
				return
			}
			if c.Action == connector.Unchanged {
				continue
			}
			if n++; n > MaxPeople || !yield(p.row(c)) {
				return
			}
		}
	}
}

// Held are the first people who wait for approval.
func (p *page) Held() []row {
	list := make([]row, len(p.sum.held))
	for i, c := range p.sum.held {
		list[i] = p.row(c)
		list[i].Label = p.w.named("act", string(c.Action))
	}
	return list
}
