package report

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"usherd/connector"
	"usherd/connector/failure"
)

// thousands are the separators between groups of three digits, as CLDR has them; the blanks do not
// break.
var thousands = map[string]string{"en": ",", "pt-BR": ".", "sv": "\u00a0", "pl": "\u00a0"}

// decimals are the decimal separators.
var decimals = map[string]string{"en": ".", "pt-BR": ",", "sv": ",", "pl": ","}

func (w words) number(n int) string {
	s := strconv.Itoa(n)
	head := 0
	if n < 0 {
		head = 1
	}
	if w.lang == "pl" && len(s)-head == 4 {
		return s // Polish separates from five digits on
	}
	for i := len(s) - 3; i > head; i -= 3 {
		s = s[:i] + thousands[w.lang] + s[i:]
	}
	return s
}

func (w words) decimal(f float64) string {
	return strings.Replace(strconv.FormatFloat(f, 'f', 1, 64), ".", decimals[w.lang], 1)
}

// took gives a duration in the two units that count: "200 ms", "1.8 s", "18 s", "1 m 43 s", "2 h 5 m".
func (w words) took(d time.Duration) string {
	switch {
	case d < 0:
		return ""
	case d < time.Second:
		return strconv.Itoa(int(d.Round(time.Millisecond).Milliseconds())) + "\u00a0ms"
	case d < 10*time.Second:
		return w.decimal(d.Seconds()) + "\u00a0s"
	case d < time.Minute:
		return fmt.Sprintf("%d\u00a0s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d\u00a0m %d\u00a0s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d\u00a0h %d\u00a0m", int(d.Hours()), int(d.Minutes())%60)
}

const clock = "2006-01-02 15:04:05"

// when gives an instant in UTC, the same in all languages (ISO 8601 with a blank).
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(clock) + " UTC"
}

// minute gives an instant in UTC without its seconds.
func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") + " UTC" }

// bytes gives a size as people write it.
func (w words) bytes(n int) string {
	if n < 1024 {
		return w.number(n) + "\u00a0B"
	}
	return w.decimal(float64(n)/1024) + "\u00a0KB"
}

// maxValues bounds how many values of one attribute a text or page shows.
const maxValues = 20

// shown gives the values of a field for people's eyes: states translated, pictures as their size, a
// long list cut.
func (w words) shown(field string, list []string) []string {
	out := make([]string, 0, min(len(list), maxValues+1))
	for i, v := range list {
		if i == maxValues {
			return append(out, w.count("more_values", len(list)-maxValues))
		}
		out = append(out, w.value(field, v))
	}
	return out
}

func (w words) value(field, v string) string {
	switch {
	case field == connector.FieldState || field == connector.FieldWas || field == connector.FieldResume:
		return w.state(connector.State(v))
	case field == connector.FieldPendingApproval || field == connector.FieldPackageFixed:
		return w.say("yes")
	case field == connector.FieldDeactivatedAt || field == connector.FieldDeleteAt:
		if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return minute(t)
		}
	case isBinary(field):
		return w.bytes(decodedLen(v))
	}
	return failure.Clean(v)
}

// Field tells one change of a person in a line, as reports do: "State: Active → Inactive", in the language
// lang (BCP 47; unknown or "" = English).
func Field(f connector.FieldChange, lang string) (string, error) {
	w, err := newWords(lang, nil)
	if err != nil {
		return "", err
	}
	return w.fieldLine(f), nil
}

func (w words) fieldLine(f connector.FieldChange) string {
	return w.field(f.Field) + ": " + w.values(f.Field, f.Before) + " → " + w.values(f.Field, f.After)
}

func isBinary(field string) bool {
	a, ok := connector.AttributeByName(field)
	return ok && a.Type == connector.BinaryType
}

func decodedLen(v string) int {
	return base64.RawStdEncoding.DecodedLen(len(strings.TrimRight(v, "=")))
}

// raw gives the values of a field for machines: as they are, pictures as their size.
func raw(field string, list []string) []string {
	if !isBinary(field) {
		return list
	}
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = fmt.Sprintf("%d bytes", decodedLen(v))
	}
	return out
}

// states returns the state of the person before and after a change; "" = there was, or is, none, or
// the change does not know it.
func states(c *connector.Change) (before, after connector.State) {
	i := slices.IndexFunc(c.Fields, func(f connector.FieldChange) bool { return f.Field == connector.FieldState })
	if i >= 0 {
		return connector.State(first(c.Fields[i].Before)), connector.State(first(c.Fields[i].After))
	}
	if len(c.Transitions) > 0 {
		return c.Transitions[0].From, c.Transitions[len(c.Transitions)-1].To
	}
	if c.After != nil {
		return c.After.State, c.After.State
	}
	return "", ""
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// userID returns the id of the account that the change is about, zero where there is none.
func userID(c *connector.Change) connector.ID {
	switch {
	case c.After != nil:
		return c.After.ID
	case c.Link != nil:
		return c.Link.User
	case len(c.Failures) > 0:
		return c.Failures[0].UserID
	}
	return connector.ID{}
}

// packageOf returns the package that the change is about.
func packageOf(c *connector.Change) string {
	switch {
	case c.After != nil && c.After.Package != "":
		return c.After.Package
	case c.TakeSeat != "":
		return c.TakeSeat
	}
	for _, f := range c.Failures {
		if f.Package != "" {
			return f.Package
		}
	}
	return c.FreeSeat
}

// subject names the person, by whatever is known.
func subject(c *connector.Change) string {
	for _, s := range []string{c.Subject, c.DN, c.Anchor.String()} {
		if s = failure.Clean(s); s != "" {
			return s
		}
	}
	return "?"
}

// actionOf is the action as counts see it: what is held has not happened.
func actionOf(c *connector.Change) string {
	if c.Held {
		return "held"
	}
	if c.Linked && c.Action == connector.Unchanged {
		return "linked"
	}
	return string(c.Action)
}
