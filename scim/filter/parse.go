package filter

import (
	"fmt"
	"strings"
	"unicode/utf8"

	filter "github.com/scim2/filter-parser/v2"

	"usherd/scim/schema"
)

// What a filter or path may at most be. It bounds stack, time and the size of what is made of it in SQL.
const (
	maxBytes = 4096
	maxDepth = 32 // of parentheses and brackets within each other
	maxTerms = 128
)

// Parse reads a filter (RFC 7644 section 3.4.2.2). Texts are decoded as JSON, numbers are json.Number; names and URNs
// stay as they were written, operators become lower case. Known beyond the RFC's grammar are
//
//	A[f].s op v	the same as A[f and s op v]
//	A[f] op v	the same as A[f and value op v]
//
// Nothing is known of attributes here: see Compile. The error is an *Error.
func Parse(text string) (filter.Expression, error) {
	p := parser{text: text}
	if err := p.check(); err != nil {
		return nil, err
	}
	x, err := p.or(false)
	if err != nil {
		return nil, err
	}
	if p.space(); p.at < len(text) {
		return nil, p.fail(p.at, `"and" or "or" is missing here, or a parenthesis too many was closed; a double quote within text is written \"`)
	}
	return x, nil
}

// ParsePath reads the path of a PATCH operation (RFC 7644 section 3.5.2) or of an attribute to sort by or return.
// The bare URN of a schema that usherd knows gives a Path with nothing but URIPrefix; of any other URN the last part
// is taken for the name of an attribute. The error is an *Error.
func ParsePath(text string) (filter.Path, error) {
	p := parser{text: strings.TrimRight(text, " ")}
	if err := p.check(); err != nil {
		return filter.Path{}, err
	}
	p.space()
	if urn := p.text[p.at:]; isSchema(urn) {
		return filter.Path{AttributePath: filter.AttributePath{URIPrefix: &urn}}, nil
	}
	a, err := p.attribute()
	if err != nil {
		return filter.Path{}, err
	}
	path := filter.Path{AttributePath: a}
	if p.bracket() {
		if path.ValueExpression, err = p.brackets(); err != nil {
			return filter.Path{}, err
		}
		if path.SubAttribute, err = p.subAttribute(); err != nil {
			return filter.Path{}, err
		}
	}
	if p.at < len(p.text) {
		return filter.Path{}, p.fail(p.at, `a path ends with the name of an attribute: name.givenName, or emails[type eq "work"].value`)
	}
	return path, nil
}

func isSchema(s string) bool {
	for _, t := range schema.Types() {
		if _, ok := t.URN(s); ok {
			return true
		}
	}
	return false
}

// parser reads one text from left to right, without ever going back.
type parser struct {
	text    string
	at      int
	depth   int
	deepest int
	terms   int
}

func (p *parser) fail(at int, message string) error {
	return &Error{Message: message, Offset: p.character(at)}
}

// character counts the characters before a byte of the text.
func (p *parser) character(at int) int { return utf8.RuneCountInString(p.text[:at]) }

func (p *parser) check() error {
	switch {
	case len(p.text) > maxBytes:
		return p.fail(maxBytes, fmt.Sprintf("it is longer than %d bytes: ask in several requests", maxBytes))
	case !utf8.ValidString(p.text):
		return p.fail(0, "it is not UTF-8")
	case strings.Trim(p.text, " \t\r\n") == "":
		return p.fail(0, "it is empty")
	}
	return nil
}

func (p *parser) or(inBrackets bool) (filter.Expression, error) {
	left, err := p.and(inBrackets)
	for err == nil && p.keyword("or") {
		var right filter.Expression
		right, err = p.and(inBrackets)
		left = &filter.LogicalExpression{Left: left, Operator: filter.OR, Right: right}
	}
	return left, err
}

func (p *parser) and(inBrackets bool) (filter.Expression, error) {
	left, err := p.term(inBrackets)
	for err == nil && p.keyword("and") {
		var right filter.Expression
		right, err = p.term(inBrackets)
		left = &filter.LogicalExpression{Left: left, Operator: filter.AND, Right: right}
	}
	return left, err
}

// term reads what and, or and not stand between.
func (p *parser) term(inBrackets bool) (filter.Expression, error) {
	p.space()
	if p.next() == '(' {
		return p.within(')', inBrackets)
	}
	start := p.at
	if p.keyword("not") {
		if p.space(); p.next() == '(' {
			x, err := p.within(')', inBrackets)
			return &filter.NotExpression{Expression: x}, err
		}
		p.at = start // an attribute of that name
	}
	a, err := p.attribute()
	if err != nil {
		return nil, err
	}
	if !p.bracket() {
		return p.comparison(a)
	}
	if inBrackets {
		return nil, p.fail(p.at, "brackets cannot stand within brackets")
	}
	return p.valuePath(a)
}

// within reads an expression from the bracket under the cursor to the one that closes it.
func (p *parser) within(closing byte, inBrackets bool) (filter.Expression, error) {
	open := p.at
	if p.depth++; p.depth > maxDepth {
		return nil, p.tooDeep(open)
	}
	p.deepest = max(p.deepest, p.depth)
	p.at++
	x, err := p.or(inBrackets)
	if err != nil {
		return nil, err
	}
	if p.space(); p.next() != closing {
		return nil, p.fail(p.at, fmt.Sprintf(`"%c", which closes what opens at character %d, or "and" or "or" is missing`, closing, p.character(open)+1))
	}
	p.at++
	p.depth--
	return x, nil
}

func (p *parser) tooDeep(at int) error {
	return p.fail(at, fmt.Sprintf("parentheses and brackets stand more than %d deep in each other", maxDepth))
}

func (p *parser) brackets() (filter.Expression, error) { return p.within(']', true) }

// valuePath reads A[f], and what may follow it beyond the RFC's grammar.
func (p *parser) valuePath(a filter.AttributePath) (filter.Expression, error) {
	start, outer := p.at, p.deepest
	p.deepest = p.depth
	f, err := p.brackets()
	if err != nil {
		return nil, err
	}
	inner := p.deepest
	p.deepest = max(inner, outer)
	sub, err := p.subAttribute()
	if err != nil {
		return nil, err
	}
	op, _ := p.peekOperator()
	switch {
	case sub == nil && op == "":
		return &filter.ValuePath{AttributePath: a, ValueFilter: f}, nil
	case sub == nil && op == filter.PR: // there is such a value
		_, err = p.operator()
		return &filter.ValuePath{AttributePath: a, ValueFilter: f}, err
	case sub == nil:
		sub = new("value")
	}
	last, err := p.comparison(filter.AttributePath{AttributeName: *sub})
	if err != nil {
		return nil, err
	}
	if l, ok := f.(*filter.LogicalExpression); ok && l.Operator == filter.OR && inner == maxDepth {
		return nil, p.tooDeep(start) // f needs parentheses now
	}
	f = &filter.LogicalExpression{Left: f, Operator: filter.AND, Right: last}
	return &filter.ValuePath{AttributePath: a, ValueFilter: f}, nil
}

// subAttribute reads ".name" after brackets, if it is there.
func (p *parser) subAttribute() (*string, error) {
	if p.next() != '.' {
		return nil, nil
	}
	p.at++
	start := p.at
	name := p.word()
	if !isName(name) {
		return nil, p.fail(start, "the name of a sub-attribute has to follow the dot")
	}
	return &name, nil
}

// comparison reads operator and value.
func (p *parser) comparison(a filter.AttributePath) (filter.Expression, error) {
	if p.terms++; p.terms > maxTerms {
		return nil, p.fail(p.at, fmt.Sprintf("it has more than %d comparisons: ask in several requests", maxTerms))
	}
	op, err := p.operator()
	if err != nil {
		return nil, err
	}
	x := &filter.AttributeExpression{AttributePath: a, Operator: op}
	if op == filter.PR {
		return x, nil
	}
	p.space()
	x.CompareValue, err = p.value()
	return x, err
}
