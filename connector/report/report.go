package report

import (
	"embed"
	"fmt"
	"io/fs"
	"iter"
	"sync"
	"time"

	"usherd/connector"
	"usherd/connector/failure"
	"usherd/connector/wording"
)

// Report is what is shown of a run. Only Run is required.
type Report struct {
	Run     *connector.Run
	Preview bool // nothing was changed; so is every run of connector.ModePreview

	// Changes gives the people of the run; it is called once or twice, and must give the same each time.
	// An error ends the report and is returned. nil = none.
	Changes func() iter.Seq2[*connector.Change, error]

	// Origin tells where an attribute of a source's people comes from; nil = not known.
	Origin func(org, source, attribute string) (Origin, bool)

	// UndoneBy are the runs that have put back what this one did.
	UndoneBy []connector.ID

	Catalogue *failure.Catalogue // nil = the built-in one
	Lang      string             // BCP 47; unknown or "" = English
	Now       time.Time          // when the report is made; zero = not told
}

// Origin is where an attribute comes from: the line of the mapping.
type Origin struct {
	File       string
	Line       int
	Expression string
	Attributes []string // of the source that the expression reads
}

//go:embed texts/*.json
var textFiles embed.FS

var loadTexts = sync.OnceValues(func() (*failure.Texts, error) {
	sub, err := fs.Sub(textFiles, "texts")
	if err != nil {
		return nil, err
	}
	return failure.LoadTexts(sub)
})

var loadCatalogue = sync.OnceValues(failure.New)

// words is everything that is needed to say something in one language.
type words struct {
	lang      string
	texts     *failure.Texts
	catalogue *failure.Catalogue
}

func newWords(lang string, catalogue *failure.Catalogue) (words, error) {
	texts, err := loadTexts()
	if err != nil {
		return words{}, fmt.Errorf("report: %w", err)
	}
	if catalogue == nil {
		if catalogue, err = loadCatalogue(); err != nil {
			return words{}, fmt.Errorf("report: %w", err)
		}
	}
	return words{failure.Match(lang), texts, catalogue}, nil
}

// told returns what a run has said, which is kept in English.
func (w words) told(text string) string { return wording.Say(w.lang, text) }

// say returns a text without placeholders.
func (w words) say(key string) string { return w.texts.Text(w.lang, key, nil) }

// named returns the text prefix.slug, or the slug where there is none: a word of a newer version.
func (w words) named(prefix, slug string) string {
	if key := prefix + "." + slug; w.texts.Has(key) {
		return w.say(key)
	}
	return failure.Clean(slug)
}

// count returns a text with a number in it, in the right plural form.
func (w words) count(key string, n int) string {
	return w.texts.Count(w.lang, key, n, struct{ N string }{w.number(n)})
}

// with returns a text with one value in it.
func (w words) with(key, value string) string {
	return w.texts.Text(w.lang, key, struct{ V string }{value})
}

// field returns the name of what has changed: an attribute or a field of the user.
func (w words) field(name string) string {
	if key := "field." + name; w.texts.Has(key) {
		return w.say(key)
	}
	return w.catalogue.Label(name, w.lang)
}

func (w words) state(s connector.State) string {
	if s == "" {
		return ""
	}
	return w.named("state", string(s))
}

// changes streams the people, none where the report has none.
func (r Report) changes() iter.Seq2[*connector.Change, error] {
	if r.Changes == nil {
		return func(func(*connector.Change, error) bool) {}
	}
	return r.Changes()
}

// name is the source with its organization.
func (r Report) name() string {
	name := r.Run.Source
	if r.Run.Org != "" {
		name = r.Run.Org + " / " + name
	}
	return failure.Clean(name)
}

// result is how the run ended; that a preview is held is what it is for.
func (r Report) result() connector.Result {
	if r.preview() && r.Run.Result == connector.ResultHeld {
		return connector.ResultOK
	}
	return r.Run.Result
}

// ending is the result, together with what is certain of a run that did not reach its end.
func (r Report) ending(result connector.Result) string {
	ended := result == connector.ResultFailed || result == connector.ResultCancelled
	switch {
	case r.nothingRead():
		return string(result) + "_unread"
	case ended && (r.preview() || r.unchanged()):
		return string(result) + "_unchanged"
	}
	return string(result)
}

// unchanged reports whether nothing was to be changed.
func (r Report) unchanged() bool {
	return r.Run.Counts.Changed()+r.Run.Counts.Held == 0 && r.Run.Groups == connector.GroupCounts{}
}

func (r Report) preview() bool { return r.Preview || r.Run.Mode == connector.ModePreview }

// waits reports whether something of the run can still be approved.
func (r Report) waits() bool {
	h := r.Run.Hold
	return h != nil && h.StatusAt(r.Now) == connector.HoldOpen
}

// nothingRead reports whether the run failed before it learned anything: its zeros are no answer. A
// rollback has no source to read.
func (r Report) nothingRead() bool {
	return r.Run.Mode != connector.ModeRollback && r.Run.Result == connector.ResultFailed && r.Run.Entries == 0 && r.Run.Counts == connector.Counts{}
}

// Word is how reports call something in a language, by what sort it is and its name: "mode" and a Mode, "skip" and a SkipReason,
// "group" and what is counted of groups. Where there is no word, it is the name.
func Word(lang, sort, name string) string {
	w, err := newWords(lang, nil)
	if err != nil {
		return failure.Clean(name)
	}
	return w.named(sort, name)
}
