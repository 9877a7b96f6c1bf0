package saml2

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// The bounds of a document. Responses have some dozen kilobytes, a few hundred elements and a depth below ten.
const (
	MaxBytes      = 512 << 10
	maxDepth      = 32
	maxElements   = 10_000
	maxAttributes = 64 // of one element
)

// scan reads a document once and says what is wrong with it before anything keeps it: it bounds size and depth, and
// refuses what no response needs and two parsers may read as two things: document types with their entities,
// processing instructions, comments (which split the text that stands around them, and which no signature covers),
// attributes or ids that are there twice.
func scan(doc []byte) error { return (&scanner{ids: map[string]bool{}, most: MaxBytes}).scan(doc) }

func (s *scanner) scan(doc []byte) error {
	if len(doc) > s.most {
		return fmt.Errorf("it has %d bytes, and %d are the most", len(doc), s.most)
	}
	d := xml.NewDecoder(bytes.NewReader(doc)) // strict, UTF-8, no entities but the five
	for first := true; ; first = false {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = s.token(token, first)
		}
		if err != nil {
			return err
		}
	}
	if s.elements == 0 {
		return errors.New("it has no element")
	}
	return nil
}

type scanner struct {
	most                   int  // bytes
	lenient                bool // comments may stand in it, and any number of elements: it is a file of an administrator
	depth, elements, roots int
	ids                    map[string]bool
}

func (s *scanner) token(token xml.Token, first bool) error {
	switch t := token.(type) {
	case xml.StartElement:
		return s.element(t)
	case xml.EndElement:
		s.depth--
	case xml.CharData:
		if s.depth == 0 && strings.TrimSpace(string(t)) != "" {
			return errors.New("there is text beside its root")
		}
	case xml.ProcInst:
		if !first || t.Target != "xml" {
			return errors.New("it has a processing instruction")
		}
	case xml.Directive:
		return errors.New("it has a document type, or another directive")
	case xml.Comment:
		if !s.lenient {
			return errors.New("it has a comment")
		}
	}
	return nil
}

func (s *scanner) element(e xml.StartElement) error {
	if s.depth == 0 {
		if s.roots++; s.roots > 1 {
			return errors.New("it has two roots")
		}
	}
	s.depth++
	s.elements++
	switch {
	case s.depth > maxDepth:
		return fmt.Errorf("it is nested deeper than %d elements", maxDepth)
	case s.elements > maxElements && !s.lenient:
		return fmt.Errorf("it has more than %d elements", maxElements)
	case len(e.Attr) > maxAttributes:
		return fmt.Errorf("an element has more than %d attributes", maxAttributes)
	case strings.Contains(e.Name.Local, ":"):
		return errors.New("the name of an element has two colons")
	}
	seen := make(map[xml.Name]bool, len(e.Attr))
	for _, a := range e.Attr {
		if strings.Contains(a.Name.Local, ":") {
			return errors.New("the name of an attribute has two colons")
		}
		if seen[a.Name] {
			return fmt.Errorf("an element has the attribute %s twice", clip(a.Name.Local))
		}
		seen[a.Name] = true
		if !strings.EqualFold(a.Name.Local, "id") || a.Name.Space == "xmlns" {
			continue
		}
		if s.ids[a.Value] {
			return fmt.Errorf("two elements have the id %s", clip(a.Value))
		}
		s.ids[a.Value] = true
	}
	return nil
}
