package csvfile

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"usherd/connector"
	"usherd/connector/csvtable"
)

// Columns that are not attributes of a profile.
const (
	ID     = "id"     // the key by which the file's own system knows the person for ever
	Active = "active" // whether the person may use the account
)

// Options are what a Source works with.
type Options struct {
	Name string // of the file, for reports
	// Open opens the file; it is called twice for each read, for doubles are looked for first.
	Open func(context.Context) (io.ReadCloser, error)
	// Attributes are the columns that the mapping reads.
	Attributes []string
	// ID names the column that tells people apart; "" = the column id or, where there is none, the user name.
	ID  string
	Now func() time.Time
}

// Source is a file as a source of people: a connector.Source. Its methods may be called by many goroutines at once.
type Source struct{ o Options }

// New returns a Source; nothing is opened yet.
func New(o Options) *Source { return &Source{o} }

// Read calls yield with a record for each row, in constant memory but for 24 bytes a row by which doubles are found. A row
// that is not understood, or whose key stands in another row too, is a record with a Fault, and nothing becomes of it. An
// error says that the file as a whole is none that can be imported: yield has then not been called, unless the file
// changed under the read.
func (s *Source) Read(ctx context.Context, yield func(*connector.Record) error) (connector.ReadResult, error) {
	start := s.o.Now()
	res := connector.ReadResult{Server: s.o.Name}
	twice, rows, err := s.doubles(ctx)
	if err == nil && rows == 0 {
		err = invalid("there is nobody in the file", "its first line names the columns, each other line is a person")
	}
	if err != nil {
		return res, err
	}
	var l *layout
	err = s.walk(ctx, func(found *layout, row csvtable.Row) error {
		l = found
		rec := l.record(row)
		if d, ok := twice[keyOf(rec.Anchor)]; ok && row.Fault == "" {
			other := d.first
			if row.Line == d.first {
				other = d.next
			}
			rec.Fault = fmt.Sprintf("line %d has the same %s: leave one of them out", other, l.idName)
		}
		res.Entries++
		return yield(rec)
	})
	if err != nil {
		return res, err
	}
	res.Complete, res.Warnings, res.Took = true, l.warnings, s.o.Now().Sub(start)
	return res, nil
}

// double are the lines of rows with one key.
type double struct{ first, next int }

// doubles reads the whole file once and finds the keys that stand in it more than once.
func (s *Source) doubles(ctx context.Context) (twice map[connector.Hash]double, rows int, err error) {
	twice = map[connector.Hash]double{}
	var seen connector.Hashes
	err = s.walk(ctx, func(l *layout, row csvtable.Row) error {
		if rows++; row.Fault != "" {
			return nil
		}
		key := keyOf(l.anchor(row))
		if first, ok := seen.Get(key); !ok {
			seen.Put(key, int32(row.Line)) //nolint:gosec // a file of two thousand million lines is none that is imported
		} else if _, known := twice[key]; !known {
			twice[key] = double{int(first), row.Line}
		}
		return nil
	})
	return twice, rows, err
}

func keyOf(a connector.Anchor) connector.Hash {
	sum := sha256.Sum256([]byte(a.Raw))
	return connector.Hash(sum[:len(connector.Hash{})])
}

// walk reads the file row by row.
func (s *Source) walk(ctx context.Context, do func(*layout, csvtable.Row) error) error {
	f, err := s.o.Open(ctx)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // nothing is written
	t, err := csvtable.New(f, 0)
	if err != nil {
		return err
	}
	l, err := s.layout(t.Header())
	if err != nil {
		return err
	}
	for {
		row, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = do(l, row)
		}
		if err != nil {
			return err
		}
	}
}

// Lookup never knows: that somebody does not stand in the file says nothing.
func (s *Source) Lookup(context.Context, connector.Anchor) (*connector.Record, connector.Presence, error) {
	return nil, connector.PresenceUnknown, nil
}

// Find returns the rows in which a field is the key, at most ten.
func (s *Source) Find(ctx context.Context, key string) ([]*connector.Record, error) {
	const most = 10
	var out []*connector.Record
	err := s.walk(ctx, func(l *layout, row csvtable.Row) error {
		if slices.ContainsFunc(row.Fields, func(f string) bool { return connector.Fold(strings.TrimSpace(f)) == connector.Fold(key) }) {
			out = append(out, l.record(row).Clone())
		}
		if len(out) == most {
			return io.EOF
		}
		return nil
	})
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return out, err
}

// layout says what the columns of a file mean.
type layout struct {
	file       string
	id, active int // columns, -1 = there is none
	idName     string
	byName     bool // the id is a user name: case does not count
	columns    []column
	rec        connector.Record
	warnings   []string
}

// column is one attribute with the columns that hold its values.
type column struct {
	name string
	at   []int
}

// layout finds the columns by their names: those that the mapping reads, as they are called in a profile or as people know
// them (userName, User Name), in any case. A column that stands there more than once gives several values. What has no
// meaning is told and left out.
func (s *Source) layout(header []string) (*layout, error) {
	l := &layout{file: s.o.Name, id: -1, active: -1}
	var unknown []string
	at := map[string][]int{}
	for i, name := range header {
		attribute := s.attribute(name)
		switch {
		case name == "":
		case s.o.ID != "" && connector.Fold(name) == connector.Fold(s.o.ID), s.o.ID == "" && connector.Fold(name) == ID:
			l.id, l.idName = i, name
		case connector.Fold(name) == Active:
			l.active = i
		case attribute == "":
			unknown = append(unknown, name)
		}
		if attribute != "" {
			at[attribute] = append(at[attribute], i)
		}
	}
	if l.id < 0 && s.o.ID == "" && len(at[connector.UserName]) > 0 {
		l.id, l.idName, l.byName = at[connector.UserName][0], "user name", true
	}
	if l.id < 0 {
		return nil, s.nobodyKnown()
	}
	for _, name := range s.o.Attributes {
		if cols := at[name]; len(cols) > 0 {
			l.columns = append(l.columns, column{name, cols})
			l.rec.Attributes = append(l.rec.Attributes, connector.Attribute{Name: name})
		}
	}
	if len(unknown) > 0 {
		l.warnings = append(l.warnings, "columns that nobody reads: "+strings.Join(unknown, ", ")+"; they are called as attributes are: userName, givenName, …")
	}
	return l, nil
}

func invalid(what, hint string) error {
	return &connector.Error{Kind: connector.Invalid, Op: "csv", Err: errors.New(what), Hint: hint}
}

func (s *Source) nobodyKnown() error {
	if s.o.ID != "" {
		return invalid("there is no column "+s.o.ID, "it tells people apart (id_column of the source); its name stands in the first line of the file")
	}
	return invalid("there is no column id and none userName", "one of them tells people apart: name it in the first line, or name the column under id_column of the source")
}

// attribute is what the mapping calls a column, "" where it does not read it.
func (s *Source) attribute(header string) string {
	for _, name := range s.o.Attributes {
		if strings.EqualFold(name, header) {
			return name
		}
	}
	for _, name := range s.o.Attributes {
		if info, ok := connector.AttributeByName(name); ok && strings.EqualFold(info.Label, header) {
			return name
		}
	}
	return ""
}

// anchor is the key of a row's person. A row without one has its line: nobody is ever linked by that, for what tells people
// apart is missing.
func (l *layout) anchor(row csvtable.Row) connector.Anchor {
	raw := ""
	if l.id < len(row.Fields) && row.Fault == "" {
		raw = strings.TrimSpace(row.Fields[l.id])
	}
	if l.byName {
		raw = connector.Fold(raw)
	}
	if raw == "" {
		raw = lineOf(row)
	}
	return connector.Anchor{Kind: connector.TextAnchor, Raw: strings.Clone(raw)}
}

func lineOf(row csvtable.Row) string { return fmt.Sprintf("line %d", row.Line) }

// record is what a row says of a person, lent until the next one.
func (l *layout) record(row csvtable.Row) *connector.Record {
	r := &l.rec
	attributes := r.Attributes
	*r = connector.Record{Anchor: l.anchor(row), DN: l.file + " " + lineOf(row), Fault: row.Fault, Attributes: attributes}
	for i := range attributes {
		attributes[i].Values = attributes[i].Values[:0]
	}
	if row.Fault != "" {
		return r
	}
	for i, c := range l.columns {
		for _, at := range c.at {
			if v := row.Fields[at]; strings.TrimSpace(v) != "" {
				attributes[i].Values = append(attributes[i].Values, []byte(v))
			}
		}
	}
	if strings.TrimSpace(row.Fields[l.id]) == "" {
		r.Fault = "it has no " + l.idName
	}
	if l.active >= 0 {
		l.enabled(r, strings.TrimSpace(row.Fields[l.active]))
	}
	return r
}

func (l *layout) enabled(r *connector.Record, word string) {
	switch strings.ToLower(word) {
	case "":
	case "true", "yes", "1", "active":
		r.Enabled = connector.EnabledYes
	case "false", "no", "0", "inactive":
		r.Enabled, r.EnabledReason = connector.EnabledNo, "active is "+word+" in the file"
	default:
		r.Fault = "active is neither true nor false"
	}
}
