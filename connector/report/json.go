package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"time"

	"usherd/connector"
	"usherd/connector/failure"
)

// Change is one person of a run as JSON. Names of members never change.
type Change struct {
	Action      string                  `json:"action"`
	Held        bool                    `json:"held,omitempty"`   // has not happened: waits for approval
	Linked      bool                    `json:"linked,omitempty"` // a file has brought somebody who had a user already
	Subject     string                  `json:"subject"`
	DN          string                  `json:"dn,omitempty"`
	Anchor      string                  `json:"anchor,omitempty"`
	UserID      string                  `json:"user_id,omitempty"`
	Source      string                  `json:"source,omitempty"`
	Package     string                  `json:"package,omitempty"`
	StateBefore string                  `json:"state_before,omitempty"`
	StateAfter  string                  `json:"state_after,omitempty"`
	Transitions []connector.Transition  `json:"transitions,omitempty"`
	Changes     []connector.FieldChange `json:"changes,omitempty"` // pictures as their size
	Failures    []failure.Document      `json:"failures,omitempty"`
	Skip        string                  `json:"skip,omitempty"`
	Warnings    []string                `json:"warnings,omitempty"`
}

// hold is what waits for approval, as JSON.
type hold struct {
	Reason  string               `json:"reason"`
	Whole   bool                 `json:"whole"`
	Digest  string               `json:"digest,omitempty"`
	Expires time.Time            `json:"expires,omitzero"`
	Status  connector.HoldStatus `json:"status"`
	By      string               `json:"by,omitempty"`
	At      time.Time            `json:"at,omitzero"`
	Part    *part                `json:"part,omitempty"`  // what was approved of it, unless all
	First   *approval            `json:"first,omitempty"` // of the first of two administrators
	Rest    string               `json:"rest_of,omitempty"`
	Next    string               `json:"next,omitempty"` // the run that holds the rest, or took its place
}

// approval is the word of the first of two administrators, as JSON.
type approval struct {
	By   string    `json:"by"`
	At   time.Time `json:"at"`
	Part *part     `json:"part,omitempty"` // unless all
}

// part is what an administrator chose of a hold, as JSON.
type part struct {
	Only   []string         `json:"only,omitempty"`
	Except []string         `json:"except,omitempty"`
	Action connector.Action `json:"action,omitempty"`
	People int              `json:"people"`
	Of     int              `json:"of"`
}

// head is the run without its people, as JSON; it begins the document.
type head struct {
	ID       string                       `json:"id"`
	Org      string                       `json:"org"`
	Source   string                       `json:"source"`
	Mode     connector.Mode               `json:"mode"`
	Preview  bool                         `json:"preview"`
	Actor    string                       `json:"actor,omitempty"`
	Result   connector.Result             `json:"result"`
	Error    string                       `json:"error,omitempty"`
	Hint     string                       `json:"hint,omitempty"`
	Counts   connector.Counts             `json:"counts"`
	Groups   *connector.GroupCounts       `json:"groups,omitempty"` // not where none was changed
	Held     *groupHold                   `json:"groups_held,omitempty"`
	Started  time.Time                    `json:"started,omitzero"`
	Finished time.Time                    `json:"finished,omitzero"`
	Seconds  float64                      `json:"duration_seconds"`
	Entries  int                          `json:"entries_read"`
	Phases   map[string]float64           `json:"phases"` // seconds
	Skips    map[connector.SkipReason]int `json:"skips"`
	Seats    []connector.SeatCount        `json:"seats"`
	Hold     *hold                        `json:"hold,omitempty"`
	Due      int                          `json:"due_within_7_days,omitempty"` // users who will be deleted
	Approves string                       `json:"approves,omitempty"`
	Undoes   string                       `json:"undoes,omitempty"`
	UndoneBy []string                     `json:"undone_by,omitempty"`
	Server   string                       `json:"server,omitempty"`
	// Mechanism told the changes of a run of changes: syncrepl, dirsync, usn, timestamp.
	Mechanism string `json:"mechanism,omitempty"`
	// Missed are the people whom a full run found changed without the feed of changes having told of them.
	Missed   *int     `json:"missed,omitempty"`
	Revision string   `json:"revision,omitempty"`
	Warnings []string `json:"warnings"`
}

// JSON writes the report as exactly one JSON document: the run, then "failures" and "changes" person
// by person. If it returns an error, what was written is not complete JSON.
func JSON(w io.Writer, r Report) error {
	words, err := newWords(r.Lang, r.Catalogue)
	if err != nil {
		return err
	}
	out := &jsonWriter{w: bufio.NewWriterSize(w, 64<<10)}
	out.encoder = json.NewEncoder(&out.line)
	out.encoder.SetEscapeHTML(false)
	out.start(r.head())
	out.list("failures")
	for c, err := range r.changes() {
		if err != nil {
			return err
		}
		for _, f := range c.Failures {
			out.element(words.catalogue.Document(f, words.lang))
		}
		if out.err != nil {
			return out.err
		}
	}
	out.text("]")
	out.list("changes")
	for c, err := range r.changes() {
		if err != nil {
			return err
		}
		if out.element(words.change(c)); out.err != nil {
			return out.err
		}
	}
	out.text("]}\n")
	if out.err != nil {
		return out.err
	}
	return out.w.Flush()
}

// jsonWriter writes members and elements one after the other; the first error stays.
type jsonWriter struct {
	w       *bufio.Writer
	line    bytes.Buffer
	encoder *json.Encoder
	begun   bool // the list has an element
	err     error
}

func (o *jsonWriter) text(s string) {
	if o.err == nil {
		_, o.err = o.w.WriteString(s)
	}
}

// encode gives v on one line, without the line end.
func (o *jsonWriter) encode(v any) []byte {
	o.line.Reset()
	if err := o.encoder.Encode(v); err != nil && o.err == nil {
		o.err = err
	}
	return bytes.TrimSuffix(o.line.Bytes(), []byte("\n"))
}

// start writes an object and leaves it open for more members.
func (o *jsonWriter) start(v any) {
	o.text(string(bytes.TrimSuffix(o.encode(v), []byte("}"))))
}

func (o *jsonWriter) list(name string) {
	o.begun = false
	o.text(",\n\"" + name + "\":[")
}

func (o *jsonWriter) element(v any) {
	if o.begun {
		o.text(",")
	}
	o.begun = true
	o.text("\n")
	line := o.encode(v)
	if o.err == nil {
		_, o.err = o.w.Write(line)
	}
}

func (r Report) head() head {
	run := r.Run
	h := head{
		ID: run.ID.String(), Org: run.Org, Source: run.Source, Mode: run.Mode, Preview: r.preview(), Actor: run.Actor,
		Result: run.Result, Error: run.Error, Hint: run.Hint, Counts: run.Counts,
		Started: run.Started.UTC(), Finished: run.Finished.UTC(), Seconds: duration(run).Seconds(), Entries: run.Entries,
		Phases: map[string]float64{}, Skips: map[connector.SkipReason]int{}, Seats: []connector.SeatCount{},
		Due: run.Due, Approves: run.Approves.String(), Undoes: run.Undoes.String(), Server: run.Server, Mechanism: run.Mechanism, Missed: run.Missed, Revision: run.Revision, Warnings: []string{},
	}
	for _, id := range r.UndoneBy {
		h.UndoneBy = append(h.UndoneBy, id.String())
	}
	if run.Groups != (connector.GroupCounts{}) {
		h.Groups = &run.Groups
	}
	if g := run.GroupHold; g != nil {
		h.Held = &groupHold{g.Reason, g.Digest}
	}
	for _, p := range run.Phases {
		h.Phases[p.Name] += p.Took.Seconds()
	}
	maps.Copy(h.Skips, run.Skips)
	h.Seats = append(h.Seats, run.Seats...)
	h.Warnings = append(h.Warnings, run.Warnings...)
	h.Hold = newHold(run.Hold, r.Now)
	return h
}

func newHold(h *connector.Hold, now time.Time) *hold {
	if h == nil {
		return nil
	}
	out := &hold{
		Reason: h.Reason, Whole: h.Whole, Digest: h.Digest, Expires: h.Expires.UTC(), Status: h.StatusAt(now),
		By: h.By, At: h.At.UTC(), Part: newPart(h.Part), Rest: h.Rest.String(), Next: h.Next.String(),
	}
	if f := h.First; f != nil {
		out.First = &approval{f.By, f.At.UTC(), newPart(f.Part)}
	}
	return out
}

func newPart(p *connector.Part) *part {
	if p == nil {
		return nil
	}
	return &part{p.Only, p.Except, p.Action, p.People, p.Of}
}

// duration is zero while the run has no end.
func duration(run *connector.Run) time.Duration {
	if run.Finished.IsZero() || run.Started.IsZero() {
		return 0
	}
	return run.Finished.Sub(run.Started)
}

// ChangeOf returns one change in its JSON form, with the texts of its failures in the language that
// fits lang; c may be nil for the built-in catalogue.
func ChangeOf(ch *connector.Change, c *failure.Catalogue, lang string) (Change, error) {
	w, err := newWords(lang, c)
	if err != nil {
		return Change{}, err
	}
	return w.change(ch), nil
}

func (w words) change(c *connector.Change) Change {
	before, after := states(c)
	out := Change{
		Action: string(c.Action), Held: c.Held, Linked: c.Linked, Subject: c.Subject, DN: c.DN, Anchor: c.Anchor.String(),
		UserID: userID(c).String(), Source: c.Source, Package: packageOf(c),
		StateBefore: string(before), StateAfter: string(after),
		Transitions: c.Transitions, Skip: string(c.Skip), Warnings: c.Warnings,
	}
	for _, f := range c.Fields {
		out.Changes = append(out.Changes, connector.FieldChange{Field: f.Field, Before: raw(f.Field, f.Before), After: raw(f.Field, f.After)})
	}
	for _, f := range c.Failures {
		out.Failures = append(out.Failures, w.catalogue.Document(f, w.lang))
	}
	return out
}
