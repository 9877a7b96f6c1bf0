package saml2

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/beevik/etree"
)

// The namespaces of what is read.
const (
	protocolNS  = "urn:oasis:names:tc:SAML:2.0:protocol"
	assertionNS = "urn:oasis:names:tc:SAML:2.0:assertion"
	signatureNS = "http://www.w3.org/2000/09/xmldsig#"
)

// parse makes a tree of a document that scan has passed.
func parse(doc []byte) (*etree.Element, error) {
	if err := scan(doc); err != nil {
		return nil, err
	}
	tree := etree.NewDocument()
	if err := tree.ReadFromBytes(doc); err != nil {
		return nil, err
	}
	if tree.Root() == nil {
		return nil, errors.New("it has no element")
	}
	return tree.Root(), nil
}

func is(e *etree.Element, space, tag string) bool { return e.Tag == tag && e.NamespaceURI() == space }

// children are the elements with that name directly below e.
func children(e *etree.Element, space, tag string) (list []*etree.Element) {
	for _, c := range e.ChildElements() {
		if is(c, space, tag) {
			list = append(list, c)
		}
	}
	return list
}

// only returns the one element with that name directly below e, nil where there is none.
func only(e *etree.Element, space, tag string) (*etree.Element, error) {
	list := children(e, space, tag)
	if len(list) > 1 {
		return nil, fmt.Errorf("%s has %d elements %s", e.Tag, len(list), tag)
	}
	if len(list) == 0 {
		return nil, nil //nolint:nilnil // there is none
	}
	return list[0], nil
}

// everywhere calls f with e and all elements below it.
func everywhere(e *etree.Element, f func(*etree.Element)) {
	f(e)
	for _, c := range e.ChildElements() {
		everywhere(c, f)
	}
}

// text is all that stands in an element that has text only.
func text(e *etree.Element) (string, error) {
	var b strings.Builder
	for _, c := range e.Child {
		data, ok := c.(*etree.CharData)
		if !ok {
			return "", fmt.Errorf("%s has something else in it than text", e.Tag)
		}
		b.WriteString(data.Data)
	}
	return strings.TrimSpace(b.String()), nil
}

// attr is the value of an attribute without a prefix, "" where there is none.
func attr(e *etree.Element, name string) string {
	for i := range e.Attr {
		if e.Attr[i].Space == "" && e.Attr[i].Key == name {
			return e.Attr[i].Value
		}
	}
	return ""
}

// instant reads an attribute that is a time; zero where there is none.
func instant(e *etree.Element, name string) (time.Time, error) {
	value := attr(e, name)
	if value == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, value)
	if err != nil { // SAML core 1.3.3: UTC, whose letter some leave out
		t, err = time.Parse("2006-01-02T15:04:05.999999999", value)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("%s of %s is no time: %q", name, e.Tag, clip(value))
	}
	return t.UTC(), nil
}
