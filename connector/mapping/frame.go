package mapping

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/vm"

	"usherd/connector"
)

// Bounds of what one rule may make of one record.
const (
	maxValues = 1000    // of one target
	maxBytes  = 1 << 20 // of texts made or read while one target is computed
	maxLayout = 1024    // attributes of a record whose places are remembered
	keepBytes = 1 << 16 // of buffers that go back to the pool
)

// frame is what one call of Map works with. It is the environment of the expressions: their
// functions get it as first argument.
type frame struct {
	mapping *Mapping
	record  *connector.Record
	slots   [][][]byte // values by slot
	used    int        // of maxBytes
	machine vm.VM
	order   [][]byte        // values in order, of one lookup
	buf     []byte          // all canonical values
	spans   []span          // of buf, one for each value
	seen    map[string]bool // values of a target that has many
	results []result
}

type span struct{ from, to int }

// result is the part of spans that belongs to a rule.
type result struct{ rule, from, to int }

// place is where an attribute stood in the records seen so far; slot is -1 for one that no rule reads.
type place struct {
	name string
	slot int
}

// evalError is what is wrong with a value, in words that never hold the value itself.
type evalError string

func (e evalError) Error() string { return string(e) }

const (
	errTooMuch evalError = "more than 1 MiB of text for one attribute"
	errUTF8    evalError = "the source's value is not valid UTF-8 text"
)

func (m *Mapping) frame(r *connector.Record) *frame {
	f, ok := m.frames.Get().(*frame)
	if !ok {
		f = &frame{mapping: m, slots: make([][][]byte, len(m.attributes)), machine: vm.VM{MemoryBudget: maxBytes}}
	}
	f.record = r
	f.locate(r)
	return f
}

// release forgets the record, which is only lent, and everything made of it.
func (m *Mapping) release(f *frame) {
	f.record = nil
	clear(f.slots)
	clear(f.order[:cap(f.order)])
	clear(f.machine.Stack[:cap(f.machine.Stack)])
	f.buf, f.spans = f.buf[:0], f.spans[:0]
	if cap(f.buf) <= keepBytes {
		m.frames.Put(f)
	}
}

// locate finds the attributes that the rules read in one pass. Records of one source hold their
// attributes in one order, some left out, so the place where the next one stands is nearly always
// known.
func (f *frame) locate(r *connector.Record) {
	var layout []place
	if p := f.mapping.layout.Load(); p != nil {
		layout = *p
	}
	next := 0
	for i := range r.Attributes {
		a := &r.Attributes[i]
		slot, at := expected(layout, next, a.Name)
		if at < 0 {
			slot = f.mapping.slot(a.Name)
		} else {
			next = at + 1
		}
		if slot >= 0 && f.slots[slot] == nil {
			f.slots[slot] = a.Values
		}
	}
	if len(r.Attributes) > len(layout) && len(r.Attributes) <= maxLayout {
		f.mapping.remember(r)
	}
}

// expected looks for name at the next few places.
func expected(layout []place, next int, name string) (slot, at int) {
	for i := next; i < len(layout) && i < next+8; i++ {
		if layout[i].name == name {
			return layout[i].slot, i
		}
	}
	return -1, -1
}

// remember keeps the order of the fullest record so far; it is a hint only, so that goroutines
// which overwrite each other do no harm.
func (m *Mapping) remember(r *connector.Record) {
	layout := make([]place, len(r.Attributes))
	for i := range r.Attributes {
		name := strings.Clone(r.Attributes[i].Name)
		layout[i] = place{name, m.slot(name)}
	}
	m.layout.Store(&layout)
}

// slot returns the slot of a source attribute in any case, or -1.
func (m *Mapping) slot(name string) int {
	var b [64]byte
	if len(name) > len(b) {
		return m.foldedSlot(name)
	}
	for i := range len(name) {
		c := name[i]
		if c >= utf8.RuneSelf {
			return m.foldedSlot(name)
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b[i] = c
	}
	if s, ok := m.slots[string(b[:len(name)])]; ok {
		return s
	}
	return -1
}

func (m *Mapping) foldedSlot(name string) int {
	if s, ok := m.slots[connector.Fold(name)]; ok {
		return s
	}
	return -1
}

// values returns the values of a slot in order of their bytes. A directory's values have no order of
// their own (RFC 4511 section 4.1.7): without this, "the first" would be another one each time.
func (f *frame) values(slot int) [][]byte {
	v := f.slots[slot]
	if len(v) < 2 || slices.IsSortedFunc(v, bytes.Compare) {
		return v
	}
	f.order = append(f.order[:0], v...)
	slices.SortFunc(f.order, bytes.Compare)
	return f.order
}

// charge counts n bytes against the bound of the target being computed.
func (f *frame) charge(n int) error {
	if n > maxBytes-f.used {
		return errTooMuch
	}
	f.used += n
	return nil
}

// first is a bare name where text is wanted: the first value that is not blank.
func (f *frame) first(slot int) (string, error) {
	for _, v := range f.values(slot) {
		if len(bytes.TrimSpace(v)) == 0 {
			continue
		}
		if err := f.charge(len(v)); err != nil {
			return "", err
		}
		if !utf8.Valid(v) {
			return "", errUTF8
		}
		return string(v), nil
	}
	return "", nil
}

// raw is a bare name where bytes are wanted.
func (f *frame) raw(slot int) (string, error) {
	for _, v := range f.values(slot) {
		if len(v) > 0 {
			return string(v), f.charge(len(v))
		}
	}
	return "", nil
}

// list is a bare name where a list is wanted.
func (f *frame) list(slot int) ([]string, error) {
	values := f.values(slot)
	if len(values) == 0 {
		return nil, nil
	}
	out := make([]string, 0, len(values))
	for _, v := range values {
		if err := f.charge(len(v) + stringSize); err != nil {
			return nil, err
		}
		if !utf8.Valid(v) {
			return nil, errUTF8
		}
		out = append(out, string(v))
	}
	return out, nil
}

// stringSize is what an empty string costs in a list.
const stringSize = 16

// run computes a rule: the values are the spans it appends. It returns the alternative that gave
// them, -1 where none did.
func (f *frame) run(ru *rule) (int, *connector.AttributeFault) {
	f.used, f.seen = 0, nil
	from := len(f.spans)
	for i := range ru.pieces {
		p := &ru.pieces[i]
		if err := f.piece(ru, p); err != nil {
			return -1, faultOf(ru.info.Name, err)
		}
		if len(f.spans) > from {
			return p.index, nil
		}
	}
	return -1, nil
}

func (f *frame) piece(ru *rule, p *piece) error {
	switch {
	case p.program != nil:
		v, err := f.machine.Run(p.program, f)
		if err != nil {
			return err
		}
		return f.put(&ru.info, v)
	case p.constant != "":
		return f.put(&ru.info, p.constant)
	}
	from := len(f.spans)
	for _, v := range f.values(p.slot) {
		if err := f.putBytes(&ru.info, v, from); err != nil {
			return err
		}
		if !ru.info.Multi && len(f.spans) > from {
			break
		}
	}
	return nil
}

// faultOf makes a fault of an error. Only our own errors are shown: the machine's may quote a value.
func faultOf(target string, err error) *connector.AttributeFault {
	if long, ok := errors.AsType[tooLongError](err); ok {
		return &connector.AttributeFault{Attribute: target, Reason: connector.AttributeTooLong, Detail: long.Error()}
	}
	detail := "the expression cannot be computed for this record"
	if own, ok := errors.AsType[evalError](err); ok {
		detail = own.Error()
	}
	return &connector.AttributeFault{Attribute: target, Reason: connector.AttributeInvalid, Detail: detail}
}
