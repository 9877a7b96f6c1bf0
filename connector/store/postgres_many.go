package store

import (
	"context"
	"encoding/binary"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// A chunk of people is the same few statements a thousand times. Those that only insert, change or delete one row are sent
// once, with an array for each parameter: the server takes a fifth of the time for them.

var (
	manyInsert = regexp.MustCompile(`^INSERT INTO (\w+) \(([\w, \n]+)\)\s+VALUES \(\?(?:,\?)*\)((?:\s+ON CONFLICT \(([\w, ]+)\)[^?]*)?)$`)
	manyUpdate = regexp.MustCompile(`^UPDATE (\w+) SET ((?:\w+ = \?,\s+)*\w+ = \?) WHERE ((?:\w+ = \? AND )*\w+ = \?)$`)
	manyDelete = regexp.MustCompile(`^DELETE FROM (\w+) WHERE ((?:\w+ = \? AND )*\w+ = \?)$`)
	mark       = regexp.MustCompile(`(\w+) = \?`)
)

// many is the form of a statement for several rows.
type many struct {
	before, after string   // around the arrays
	key           []int    // the arguments that say which row it is, where it may be there already
	once          bool     // no row may come twice
	returns       bool     // it returns the keys of the rows that it has written
	columns       []string // that are inserted; nil for other statements
}

// manyOf returns the form of a statement for several rows, nil where it has none.
func manyOf(q string) *many {
	if p := manyInsert.FindStringSubmatch(q); p != nil {
		m := &many{before: "INSERT INTO " + p[1] + " (" + p[2] + ") SELECT * FROM unnest(", after: ")" + p[3]}
		for c := range strings.SplitSeq(p[2], ",") {
			m.columns = append(m.columns, strings.TrimSpace(c))
		}
		if p[4] != "" {
			m.returns, m.once = true, strings.Contains(p[3], "DO UPDATE")
			m.after += " RETURNING " + p[4]
			for c := range strings.SplitSeq(p[4], ",") {
				for i, name := range m.columns {
					if name == strings.TrimSpace(c) {
						m.key = append(m.key, i)
					}
				}
			}
		}
		return m
	}
	if p := manyUpdate.FindStringSubmatch(q); p != nil {
		n := 0
		numbered := func(word string) string {
			return mark.ReplaceAllStringFunc(word, func(s string) string {
				n++
				return strings.TrimSuffix(s, "?") + "v.c" + strconv.Itoa(n)
			})
		}
		set := numbered(p[2])
		where := "t." + strings.ReplaceAll(numbered(p[3]), " AND ", " AND t.")
		return &many{before: "UPDATE " + p[1] + " AS t SET " + set + " FROM unnest(", after: ") AS v (" + names(n) + ") WHERE " + where, once: true}
	}
	if p := manyDelete.FindStringSubmatch(q); p != nil {
		n := 0
		where := mark.ReplaceAllStringFunc(p[2], func(s string) string {
			n++
			return "t." + strings.TrimSuffix(s, "?") + "v.c" + strconv.Itoa(n)
		})
		return &many{before: "DELETE FROM " + p[1] + " AS t USING unnest(", after: ") AS v (" + names(n) + ") WHERE " + where}
	}
	return nil
}

func names(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = "c" + strconv.Itoa(i+1)
	}
	return strings.Join(list, ", ")
}

// arrays turns the arguments of several rows into one for each parameter and its type. It reports false where a column
// has values of several types.
func arrays(rows []*queued) (args []any, types []string, ok bool) {
	for i := range rows[0].args {
		var texts []string
		var numbers []int64
		var blobs [][]byte
		for _, r := range rows {
			switch v := r.args[i].(type) {
			case string:
				texts = append(texts, v)
			case int64:
				numbers = append(numbers, v)
			case []byte:
				blobs = append(blobs, v)
			case nil:
				blobs = append(blobs, nil)
			}
		}
		switch len(rows) {
		case len(texts):
			args, types = append(args, texts), append(types, "text[]")
		case len(numbers):
			args, types = append(args, numbers), append(types, "bigint[]")
		case len(blobs):
			args, types = append(args, blobs), append(types, "bytea[]")
		default:
			return nil, nil, false
		}
	}
	return args, types, true
}

// keyOf joins values so that they cannot run into each other.
func keyOf(values []any) string {
	var b []byte
	for _, v := range values {
		switch v := v.(type) {
		case string:
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...) //nolint:gosec // no value is that long
		case []byte:
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...) //nolint:gosec // no value is that long
		case int64:
			b = binary.BigEndian.AppendUint64(b, uint64(v)) //nolint:gosec // its bits
		}
	}
	return string(b)
}

func (m *many) keyOf(args []any) string {
	values := make([]any, len(m.key))
	for i, at := range m.key {
		values[i] = args[at]
	}
	return keyOf(values)
}

// group are statements with the same text.
type group struct {
	text string
	form *many // nil: they are run one by one
	rows []*queued
	args []any
	n    int // statements that it has become
}

// grouped puts statements of the same text together, those first whose first one comes first. Statements that are given to
// a pipeline must not mind: no two of different texts are about the same row, but those that delete it come before.
func (c *pgConn) grouped(list []queued) []*group {
	byText := map[string]*group{}
	var groups []*group
	for i := range list {
		q := &list[i]
		for j, a := range q.args {
			if s, ok := a.(string); ok {
				q.args[j] = cleanText(s)
			}
		}
		g := byText[q.text]
		if g == nil {
			g = &group{text: q.text}
			byText[q.text] = g
			groups = append(groups, g)
		}
		g.rows = append(g.rows, q)
	}
	for _, g := range groups {
		g.n = len(g.rows)
		if g.n == 1 {
			continue
		}
		m, known := c.forms[g.text]
		if !known {
			m = manyOf(g.text)
			if c.forms == nil {
				c.forms = map[string]*many{}
			}
			c.forms[g.text] = m
		}
		if m != nil {
			g.together(m)
		}
	}
	return groups
}

// together makes one statement of the group where that is the same.
func (g *group) together(m *many) {
	if !m.returns && m.columns == nil && slices.ContainsFunc(g.rows, func(q *queued) bool { return q.done != nil }) {
		return // it would not be known of which
	}
	if m.once && m.returns {
		seen := make(map[string]bool, len(g.rows))
		for _, r := range g.rows {
			seen[m.keyOf(r.args)] = true
		}
		if len(seen) < len(g.rows) {
			return // the later one is to win
		}
	}
	args, types, ok := arrays(g.rows)
	if !ok {
		return
	}
	var b strings.Builder
	b.WriteString(m.before)
	for i, t := range types {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("$" + strconv.Itoa(i+1) + "::" + t)
	}
	b.WriteString(m.after)
	g.text, g.form, g.args, g.n = b.String(), m, args, 1
}

// sendAll implements pipeline.
func (c *pgConn) sendAll(ctx context.Context, list []queued) (err error) {
	c.settle()
	c.written += int64(len(list))
	groups := c.grouped(list)
	b := &pgx.Batch{}
	for _, g := range groups {
		if g.form != nil {
			b.Queue(g.text, g.args...)
			continue
		}
		text := c.text(g.text, nil)
		for _, r := range g.rows {
			b.Queue(text, r.args...)
		}
	}
	results := c.pgx().SendBatch(ctx, b)
	for _, g := range groups {
		if err = g.read(results); err != nil {
			break
		}
	}
	if err = errors.Join(err, results.Close()); err != nil {
		return err
	}
	for i := range list {
		if list[i].done != nil {
			if err := list[i].done(list[i].wrote); err != nil {
				return err
			}
		}
	}
	return nil
}

// read notes which rows were written.
func (g *group) read(results pgx.BatchResults) error {
	if g.form == nil || !g.form.returns {
		for i := range g.n {
			tag, err := results.Exec()
			if err != nil {
				return err
			}
			if g.form == nil {
				g.rows[i].wrote = tag.RowsAffected() > 0
			}
		}
		if g.form != nil && g.form.columns != nil {
			for _, r := range g.rows {
				r.wrote = true
			}
		}
		return nil
	}
	rows, err := results.Query()
	if err != nil {
		return err
	}
	defer rows.Close()
	written := make(map[string]bool, len(g.rows))
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return err
		}
		written[keyOf(values)] = true
	}
	for _, r := range g.rows {
		key := g.form.keyOf(r.args)
		r.wrote = written[key]
		delete(written, key) // of two that are the same the first one is written
	}
	return rows.Err()
}
