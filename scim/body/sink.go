package body

import "strconv"

// Sink takes a value one part after the other: there is one way to render a resource, into bytes or into a map.
// Names are of the schema, which need no escapes; in a list, and for the value as a whole, they are "".
type Sink interface {
	Object(name string) // begins an object
	List(name string)   // begins a list
	End()               // ends what was begun last
	Text(name, value string)
	Bool(name string, value bool)
	// Value takes any other value, which belongs to the sink from then on.
	Value(name string, v any)
}

// maxNested is how deep objects and lists may stand in each other.
const maxNested = 16

// Writer is a Sink that appends JSON to bytes, as encoding/json escapes it. Its zero value is ready.
type Writer struct {
	bytes []byte
	err   error
	more  bool // something stands before in the same object or list
	ends  [maxNested]byte
	depth int
}

// NewWriter returns a writer that appends to b.
func NewWriter(b []byte) *Writer { return &Writer{bytes: b} }

// Bytes are what was written; the error is that of the first value that is no JSON.
func (w *Writer) Bytes() ([]byte, error) { return w.bytes, w.err }

// Len is how many bytes were written since the beginning, or since Taken.
func (w *Writer) Len() int { return len(w.bytes) }

// Taken makes room: what was written so far has gone where it belongs.
func (w *Writer) Taken() { w.bytes = w.bytes[:0] }

func (w *Writer) name(name string) {
	if w.more {
		w.bytes = append(w.bytes, ',')
	}
	w.more = true
	if name != "" {
		w.bytes = append(append(append(w.bytes, '"'), name...), '"', ':')
	}
}

func (w *Writer) begin(name string, open, end byte) {
	w.name(name)
	w.bytes = append(w.bytes, open)
	w.ends[w.depth] = end
	w.depth++
	w.more = false
}

// Object begins an object.
func (w *Writer) Object(name string) { w.begin(name, '{', '}') }

// List begins a list.
func (w *Writer) List(name string) { w.begin(name, '[', ']') }

// End ends what was begun last.
func (w *Writer) End() {
	w.depth--
	w.bytes = append(w.bytes, w.ends[w.depth])
	w.more = true
}

// Text writes a text.
func (w *Writer) Text(name, value string) {
	w.name(name)
	w.bytes = AppendText(w.bytes, value)
}

// Bool writes true or false.
func (w *Writer) Bool(name string, value bool) {
	w.name(name)
	w.bytes = strconv.AppendBool(w.bytes, value)
}

// Int writes a whole number.
func (w *Writer) Int(name string, value int) {
	w.name(name)
	w.bytes = strconv.AppendInt(w.bytes, int64(value), 10)
}

// Value writes any other value, as Append does.
func (w *Writer) Value(name string, v any) {
	w.name(name)
	b, err := Append(w.bytes, v)
	w.bytes = b
	if w.err == nil {
		w.err = err
	}
}

// Builder is a Sink that makes what Parse would make of the JSON: maps, lists, texts and booleans. Its zero value is
// ready.
type Builder struct {
	open []container
	done any
}

// container is an object or a list that was begun.
type container struct {
	name   string
	object map[string]any
	list   []any
}

// Made is the value when all of it was ended.
func (b *Builder) Made() any { return b.done }

func (b *Builder) put(name string, v any) {
	if len(b.open) == 0 {
		b.done = v
		return
	}
	in := &b.open[len(b.open)-1]
	if in.object != nil {
		in.object[name] = v
	} else {
		in.list = append(in.list, v)
	}
}

// Object begins an object.
func (b *Builder) Object(name string) {
	b.open = append(b.open, container{name: name, object: map[string]any{}})
}

// List begins a list.
func (b *Builder) List(name string) {
	b.open = append(b.open, container{name: name, list: []any{}})
}

// End ends what was begun last.
func (b *Builder) End() {
	last := b.open[len(b.open)-1]
	b.open = b.open[:len(b.open)-1]
	if last.object != nil {
		b.put(last.name, last.object)
	} else {
		b.put(last.name, last.list)
	}
}

// Text puts a text.
func (b *Builder) Text(name, value string) { b.put(name, value) }

// Bool puts true or false.
func (b *Builder) Bool(name string, value bool) { b.put(name, value) }

// Value puts any other value.
func (b *Builder) Value(name string, v any) { b.put(name, v) }
