package console

import (
	"encoding/base64"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"usherd/connector"
	"usherd/connector/failure"
)

func cutPrefix(text, prefix string) (string, bool) { return strings.CutPrefix(text, prefix) }

// perPage is how many rows a list has.
const perPage = 50

// pager is where a list goes on, for the template "pager".
type pager struct {
	First string // address of the first page; "" = this is it
	Next  string // address of the next page; "" = this is the last
	Shown int
}

// pager makes one of what the store gave as next.
func (v *visit) pager(next string, shown int) pager {
	p := pager{Shown: shown}
	if next != "" {
		q := v.r.URL.Query()
		q.Set("after", base64.RawURLEncoding.EncodeToString([]byte(next)))
		p.Next = v.s.path + v.r.URL.Path + "?" + q.Encode()
	}
	if v.query("after") != "" {
		p.First = v.with("after", "")
	}
	return p
}

// scan fills a page of a list as connector.Sift does. It returns where the list goes on, "" after its end.
func scan[T any](from connector.ID, read func(from connector.ID, limit int) ([]T, error), row func(T) (place connector.ID, taken bool)) (string, error) {
	next, more, err := connector.Sift(perPage, from, read, row)
	if err != nil || !more {
		return "", err
	}
	return next.String(), nil
}

// afterID is after for lists whose rows go by their ids.
func (v *visit) afterID() (id connector.ID, err error) {
	if text := v.after(); text != "" {
		err = id.UnmarshalText([]byte(text))
	}
	return id, err
}

// tile is a number that leads to what it counts, for the template "tile".
type tile struct {
	Text, Number, Address string
	Note                  string // below the number; "" = nothing
	Kind                  string // as of a pill; "" = plain
	Share                 int    // percent of the bar below; -1 = none
}

// diffRow is one attribute before and after, for the template "differences".
type diffRow struct {
	Label  string
	Before []string
	After  []string
	Kind   string // added, changed, cleared
}

// diff are rows with their headings, for the template "differences".
type diff struct {
	Caption, What, Before, After string
	Rows                         []diffRow
}

// differences are changes of fields as people read them, nil for none; personal data is masked where it has to be.
func (v *visit) differences(changes []connector.FieldChange) *diff {
	if len(changes) == 0 {
		return nil
	}
	rows := make([]diffRow, 0, len(changes))
	for _, c := range changes {
		r := diffRow{Label: v.s.catalogue.Label(c.Field, v.lang), Before: v.personals(c.Before), After: v.personals(c.After), Kind: "changed"}
		switch c.Field { // what is no attribute of the person
		case connector.FieldState:
			r.Label, r.Before, r.After = v.t("users.statehead", nil), v.states(c.Before), v.states(c.After)
		case connector.FieldPackage:
			r.Label, r.Before, r.After = v.t("users.packagehead", nil), c.Before, c.After
		}
		if c.Field[0] >= 'A' && c.Field[0] <= 'Z' && c.Field != connector.FieldState {
			r.Before, r.After = c.Before, c.After
		}
		switch {
		case len(c.Before) == 0:
			r.Kind = "added"
		case len(c.After) == 0:
			r.Kind = "cleared"
		}
		rows = append(rows, r)
	}
	return &diff{v.t("console.diff.caption", nil), v.t("console.diff.what", nil), v.t("console.diff.before", nil), v.t("console.diff.after", nil), rows}
}

func (v *visit) personals(list []string) []string {
	out := make([]string, len(list))
	for i, text := range list {
		out[i] = v.personal(text)
	}
	return out
}

// personal is a text about a person as this administrator may see it: whole, or its beginning and the domain of an address.
func (v *visit) personal(text string) string {
	if v.may(inClear) {
		return text
	}
	return mask(text)
}

// mask leaves of a text its first character, and of an e-mail address its domain too. Its length is not told.
func mask(text string) string {
	if text == "" {
		return ""
	}
	local, domain, isAddress := strings.Cut(text, "@")
	_, size := utf8.DecodeRuneInString(local)
	masked := local[:size] + "•••"
	if isAddress {
		masked += "@" + domain
	}
	return masked
}

func (v *visit) states(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = v.t("words.state."+s, nil)
	}
	return out
}

// hidden takes out of a text what it says of a person by name, where this administrator sees personal data masked.
func (v *visit) hidden(profiles ...connector.Profile) func(text string) string {
	if v.may(inClear) {
		return func(text string) string { return text }
	}
	var pairs []string
	for _, profile := range profiles {
		for _, name := range profile.Names() {
			for _, value := range profile[name] {
				if len(value) > 2 {
					pairs = append(pairs, value, mask(value))
				}
			}
		}
	}
	return strings.NewReplacer(pairs...).Replace
}

// failCard tells a failure, for the template "failcard".
type failCard struct {
	Title, Cause  string // the number in words, and when its reason is given; "" = nothing is known of it
	Told, Message string // that people are told, and what
	Reason, Ref   string
	Address       string // of the open failure; "" = it is not open, or this is its page
	Remedy        []string
	Links         []actionLink // pages where that is done
	Copy          string
	Since         *instant
}

// failCard puts a failure in words.
func (v *visit) failCard(f connector.Failure, since time.Time) failCard {
	text := v.s.catalogue.TextWithContact(f, v.org.Settings.Contact, v.lang)
	line := v.s.catalogue.Line(f, v.lang)
	if v.lang != failure.Languages()[0] {
		line += "\n" + v.s.catalogue.Line(f, failure.Languages()[0])
	}
	fr := frame{v: v}
	return failCard{
		Title: text.Title, Cause: v.s.catalogue.When(f.Reason, v.lang), Told: v.t("errors.told", nil), Message: text.Message, Reason: string(f.Reason), Ref: f.Ref, Remedy: text.Remedy, Links: v.helpsWith(&f),
		Copy: line + "\n" + f.At.UTC().Format(time.DateTime+"Z"), Since: fr.At(since),
	}
}

// printer writes numbers in the language of the visit.
func (v *visit) printer() *message.Printer { return message.NewPrinter(language.Make(v.lang)) }

// number is a number as it is written in the language.
func (v *visit) number(n int) string { return v.printer().Sprintf("%d", n) }

// Number is a number as it is written in the language.
func (f *frame) Number(n int) string { return f.v.number(n) }

// relative says how long ago a time is, or in how long it comes.
func (v *visit) relative(t time.Time) string {
	d, key := v.now.Sub(t), "ago"
	if d < 0 {
		d, key = -d, "in"
	}
	for _, unit := range []struct {
		name string
		of   time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}} {
		if d >= unit.of {
			return v.s.pages.Count(v.lang, "words."+key+"."+unit.name, int(d/unit.of))
		}
	}
	return v.t("words.now", nil)
}

// lasting is a duration of the configuration in words: 30 days, 12 h, 2 min. One day is 24 h, which no language inflects.
func (v *visit) lasting(d time.Duration) string {
	const day = 24 * time.Hour
	for _, unit := range []struct {
		name string
		of   time.Duration
	}{{"h", time.Hour}, {"min", time.Minute}, {"s", time.Second}} {
		switch {
		case d >= 2*day && d%day == 0:
			return v.s.pages.Count(v.lang, "words.lasts", int(d/day))
		case d > 0 && d%unit.of == 0:
			return v.number(int(d/unit.of)) + "\u00a0" + unit.name
		}
	}
	return connector.Duration(d).String()
}

// Took is a duration in a few characters: 40 ms, 1 m 43 s.
func (f *frame) Took(d time.Duration) string {
	if d < time.Second {
		return f.v.printer().Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
	}
	switch d = d.Round(100 * time.Millisecond); {
	case d < 10*time.Second:
		return f.v.printer().Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return f.v.printer().Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return f.v.printer().Sprintf("%d m %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return f.v.printer().Sprintf("%d h %d m", int(d.Hours()), int(d.Minutes())%60)
}
