package mapping

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"

	"usherd/connector"
)

// maxPattern bounds a regular expression, in bytes.
const maxPattern = 500

// otherWords are names that people bring from other languages, with what is written here.
var otherWords = map[string]string{
	"upcase": "use upper", "uppercase": "use upper", "toUpper": "use upper", "ucase": "use upper", "toUpperCase": "use upper",
	"downcase": "use lower", "lowercase": "use lower", "toLower": "use lower", "lcase": "use lower", "toLowerCase": "use lower",
	"capitalize": "use title", "titleCase": "use title", "properCase": "use title", "strip": "use trim",
	"coalesce": "use default, or ?? between the values", "ifEmpty": "use default, or ??", "ifNull": "use default, or ??",
	"iif": "use condition ? value : other", "if": "use condition ? value : other", "switch": "use condition ? value : other",
	"len": "use length for characters, count for the values of a list", "size": "use length for characters, count for the values of a list",
	"substr": "use substring", "mid": "use substring", "concatenate": "use + between texts, concat for lists", "append": "use + between texts, concat for lists",
	"contains": `use the operator: mail contains "@"`, "startsWith": `use the operator: mail startsWith "a"`, "endsWith": `use the operator: mail endsWith ".org"`,
	"matches": "use match", "test": "use match", "regexp": "use match or extract", "regex": "use match or extract", "capture": "use extract",
	"map": "use each", "filter": "use keep or drop with a regular expression", "find": "use first(keep(...))", "any": "use count(keep(...)) > 0",
	"uniq": "use unique", "distinct": "use unique", "string": "use text", "toString": "use text", "str": "use text",
	"int": "use number", "toInt": "use number", "float": "use number", "item": "use nth", "index": "use nth", "get": "use attr or nth",
	"toBase64": "use base64", "encodeBase64": "use base64", "bitand": "use bit", "flag": "use bit", "parent": "use ou",
	"now": "a mapping reads no clock", "today": "a mapping reads no clock", "date": "use generalizedTime or filetime",
}

func unknownFunction(name string) string {
	if advice, ok := otherWords[name]; ok {
		return "unknown function " + name + ": " + advice
	}
	known := append(slices.Collect(maps.Keys(functions)), "attr", "attrs", "default")
	if near := nearest(name, known); near != "" {
		return "unknown function " + name + ": did you mean " + near + "?"
	}
	slices.Sort(known)
	return "unknown function " + name + ": there are " + strings.Join(known, ", ")
}

// otherTargets are names that directories and people use for attributes of a profile.
var otherTargets = map[string]string{
	"firstName": "givenName", "forename": "givenName", "lastName": "familyName", "surname": "familyName", "sn": "familyName",
	"mail": "email", "emailAddress": "email", "emails": "otherEmails", "proxyAddresses": "otherEmails",
	"login": "userName", "logonName": "userName", "uid": "userName", "sAMAccountName": "userName", "userPrincipalName": "userName", "name": "displayName",
	"cn": "displayName", "fullName": "formattedName", "telephoneNumber": "phone", "telephone": "phone", "phoneNumber": "phone",
	"mobile": "mobilePhone", "cellPhone": "mobilePhone", "facsimileTelephoneNumber": "fax", "company": "organization", "o": "organization",
	"street": "streetAddress", "address": "streetAddress", "city": "locality", "town": "locality", "l": "locality",
	"state": "region", "st": "region", "province": "region", "zip": "postalCode", "zipCode": "postalCode", "c": "country", "co": "country",
	"employeeID": "employeeNumber", "employeeType": "userType", "language": "preferredLanguage", "timeZone": "timezone",
	"thumbnailPhoto": "photo", "jpegPhoto": "photo", "licence": "package", "license": "package", "packages": "package",
}

// otherPresets are other names of the directories that have a set of rules.
var otherPresets = map[string]string{
	"ad": "active_directory", "msad": "active_directory", "activedirectory": "active_directory", "samba": "active_directory",
	"ldap": "openldap", "slapd": "openldap", "inetorgperson": "openldap",
	"389": "389ds", "dirsrv": "389ds", "rhds": "389ds", "freeipa": "389ds",
}

func unknownTarget(name string) string {
	const what = "unknown attribute of a profile "
	for _, prefix := range []string{"custom", "Custom.", "custom:", "custom_"} {
		if strings.HasPrefix(name, prefix) {
			return what + name + ": an attribute of your own is written custom.NAME, NAME being up to 64 letters, digits, _ or -"
		}
	}
	known := map[string]string{packageTarget: packageTarget}
	for _, a := range connector.Attributes() {
		known[a.Name] = a.Name
	}
	maps.Copy(known, otherTargets)
	if near := nearest(name, slices.Collect(maps.Keys(known))); near != "" {
		return what + name + ": did you mean " + known[near] + "?"
	}
	return what + name + ": an attribute of your own is written custom." + identifierOr(name)
}

func identifierOr(name string) string {
	if customName.MatchString(name) {
		return name
	}
	return "NAME"
}

// nearest returns the word that differs least from name, "" where none is near. Of equals the first
// in order of the alphabet, so that a message is the same each time.
func nearest(name string, words []string) string {
	slices.Sort(words)
	best, least := "", max(1, min(2, len(name)/3))+1
	for _, w := range words {
		if strings.EqualFold(w, name) {
			return w
		}
		if len(w) < 2 || len(name) > 64 {
			continue
		}
		if d := distance(strings.ToLower(name), strings.ToLower(w)); d < least {
			best, least = w, d
		}
	}
	return best
}

// distance counts the letters to insert, remove, replace or swap with their neighbour.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// unsupported says what to write instead of a part of expr's language that is not ours.
func unsupported(n ast.Node) string {
	switch n := n.(type) {
	case *ast.FloatNode:
		return "only whole numbers are known here"
	case *ast.NilNode:
		return `nil is not known here: an absent attribute is an empty text, as in mail == ""`
	case *ast.BytesNode:
		return `b"..." is not known here: write "..."`
	case *ast.MemberNode, *ast.ChainNode:
		if name, ok := dotted(n); ok {
			return fmt.Sprintf(`values have no parts; if %s is the name of an attribute, write attr("%s")`, name, name)
		}
		return "values have no parts: use nth(..., 0) for one of a list"
	case *ast.SliceNode:
		return "[from:to] is not known here: use substring(text, from, count)"
	case *ast.BuiltinNode:
		return unknownFunction(n.Name)
	case *ast.MapNode:
		return "{...} is not known here: the answers of a condition are written condition ? value : other"
	}
	return "this is no part of the language: an expression is one value, without let and ;"
}

// calledOn is for mail.lower().
func calledOn(n *ast.CallNode) string {
	if member, ok := n.Callee.(*ast.MemberNode); ok {
		name, ok := member.Property.(*ast.StringNode)
		if subject, also := dotted(member.Node); ok && also {
			return fmt.Sprintf("values have no functions of their own: write %s(%s)", name.Value, subject)
		}
	}
	return "values have no functions of their own: write lower(...)"
}

func dotted(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return n.Value, true
	case *ast.MemberNode:
		left, ok := dotted(n.Node)
		right, also := n.Property.(*ast.StringNode)
		if ok && also {
			return left + "." + right.Value, true
		}
	}
	return "", false
}

func arity(fn function) string {
	s := "argument"
	if fn.min != 1 || fn.variadic || fn.min != len(fn.params) {
		s = "arguments"
	}
	switch {
	case fn.variadic:
		return fmt.Sprintf("%d or more %s", fn.min, s)
	case fn.min != len(fn.params):
		return fmt.Sprintf("%d to %d %s", fn.min, len(fn.params), s)
	}
	return fmt.Sprintf("%d %s", fn.min, s)
}

// usage shows a function with the kinds of its parameters.
func usage(name string, fn function) string {
	words := map[kind]string{
		text: "text", list: "list", boolean: "condition", number: "number", raw: "attribute",
		pattern: "regex", scalar: "value", either: "text or list",
	}
	var b strings.Builder
	b.WriteString(name + "(")
	for i, p := range fn.params {
		switch {
		case i == 0:
		case i >= fn.min:
			b.WriteString("[, ")
		default:
			b.WriteString(", ")
		}
		b.WriteString(words[p])
		if i >= fn.min {
			b.WriteString("]")
		}
	}
	if fn.variadic {
		b.WriteString(", ...")
	}
	return b.String() + ")"
}

func patternMessage(err error) string {
	var bad *syntax.Error
	if !errors.As(err, &bad) {
		return "the regular expression cannot be compiled"
	}
	if bad.Code == syntax.ErrInvalidPerlOp || bad.Code == syntax.ErrInvalidEscape {
		return fmt.Sprintf("the regular expression is not understood at %q: it is RE2, without look-around and back-references", bad.Expr)
	}
	return fmt.Sprintf("the regular expression is not understood: %s at %q", bad.Code, bad.Expr)
}

var unexpectedToken = regexp.MustCompile(`^unexpected token (\w+)(?:\("(.*)"\))?$`)

// syntaxFault turns an error of expr into ours.
func (s *source) syntaxFault(err error) connector.Fault {
	var e *file.Error
	if !errors.As(err, &e) {
		return connector.Fault{Message: "this is no expression"}
	}
	fault := connector.Fault{Offset: s.offset(e.From), Message: "this is no expression: " + e.Message}
	if m := unexpectedToken.FindStringSubmatch(e.Message); m != nil {
		fault.Message = unexpected(m[1], strings.ReplaceAll(m[2], `\"`, `"`))
		if last := strings.Fields(s.text[:fault.Offset]); len(last) > 0 && last[len(last)-1] == "if" {
			fault.Message = unexpected("", "if")
		}
		if m[1] == "EOF" {
			fault.Offset = len(s.text)
		}
		return fault
	}
	switch {
	case strings.Contains(e.Message, "maximum allowed nodes"):
		return connector.Fault{Message: "the expression is too big: divide the rule into a list of expressions"}
	case strings.Contains(e.Message, "unexpected end"):
		fault.Offset, fault.Message = len(s.text), "the expression ends too early"
	case strings.Contains(e.Message, "literal not terminated"):
		fault.Message = "a text has no closing quote"
	case strings.Contains(e.Message, "unclosed comment"):
		fault.Message = "a comment has no closing */"
	case strings.Contains(e.Message, "unrecognized character"):
		r := []rune(s.text[fault.Offset:])
		fault.Message = "this character is no part of the language: texts stand between quotes, such as \"SE\""
		if len(r) > 0 && strings.ContainsRune("“”„‘’«»", r[0]) {
			fault.Message = `typographic quotes are not understood: write "..."`
		}
	}
	return fault
}

func unexpected(what, value string) string {
	switch {
	case what == "EOF":
		return "the expression ends too early"
	case value == "=":
		return "= is not known here: write == to compare"
	case value == "let" || value == ";":
		return "an expression is one value, without let and ;"
	case value == "{" || value == "if" || value == "else":
		return "if is not known here: write condition ? value : other"
	case what == "Identifier" || what == "String" || what == "Number":
		return fmt.Sprintf("%q is not expected here: join texts with +, separate arguments with a comma", value)
	}
	return fmt.Sprintf("%q is not expected here", value)
}
