package mapping

import (
	"errors"
	"regexp/syntax"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser/lexer"
)

// source is the text of an expression. expr counts in characters, faults in bytes.
//
// In expr ?? binds tighter than anything and may not stand beside +, so that
// mail ?? lower(uid) + "@example.com" would be refused. Here it binds as || does: for the parser each
// ?? is written ||, and its place remembered.
type source struct {
	text    string
	parsed  string       // what the parser sees
	coalesc map[int]bool // characters at which a ?? stands
}

func newSource(expression string) (*source, error) {
	s := &source{text: expression, parsed: expression}
	tokens, err := lex(expression)
	if err != nil {
		return s, err
	}
	for _, t := range tokens {
		if t.Is(lexer.Operator, ";", "let") {
			return s, &file.Error{Location: t.Location, Message: "unexpected token " + t.String()}
		}
		if t.Is(lexer.Operator, "??") {
			if s.coalesc == nil {
				s.coalesc = map[int]bool{}
			}
			s.coalesc[t.From] = true
			at := s.offset(t.From)
			s.parsed = s.parsed[:at] + "||" + s.parsed[at+2:]
		}
	}
	return s, nil
}

// lex is lexer.Lex without the words if and else, which are no part of the language.
func lex(expression string) ([]lexer.Token, error) {
	l := lexer.New()
	l.DisableIfOperator = true
	l.Reset(file.NewSource(expression))
	var tokens []lexer.Token
	for {
		t, err := l.Next()
		if err != nil || t.Kind == lexer.EOF {
			return tokens, err
		}
		tokens = append(tokens, t)
	}
}

// isCoalesce reports whether the operator was a ??.
func (s *source) isCoalesce(n *ast.BinaryNode) bool {
	return n.Operator == "??" || n.Operator == "||" && s.coalesc[n.Location().From]
}

// offset turns a count of characters into one of bytes.
func (s *source) offset(characters int) int {
	at := 0
	for ; characters > 0 && at < len(s.text); characters-- {
		_, size := utf8.DecodeRuneInString(s.text[at:])
		at += size
	}
	return at
}

// inside finds the part of a constant regular expression that an error is about.
func (s *source) inside(n *ast.StringNode, err error) int {
	at := s.offset(n.Location().From)
	var bad *syntax.Error
	if errors.As(err, &bad) && bad.Expr != "" {
		if i := strings.Index(s.text[at:], bad.Expr); i > 0 {
			return at + i
		}
	}
	return at
}
