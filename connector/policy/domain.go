package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// The limits of RFC 1035 2.3.4 for names as text, in octets.
const (
	maxDomain = 253
	maxLabel  = 63
)

// Name is a domain in both of its forms.
type Name struct {
	ASCII   string // lower case, without a trailing dot: how it is stored and compared
	Unicode string // how it is shown
	// PrivateSuffix: strangers can have names below it (github.io). Accepted, but worth a warning,
	// since whoever verifies it verifies theirs too.
	PrivateSuffix bool
}

// ParseDomain reads a domain that an organization wants to call its own. It refuses public suffixes
// (com, co.uk), addresses, IP numbers, names without a dot, with empty labels, underscores or more than
// 253 octets; a trailing dot is dropped. The errors say what to write.
func ParseDomain(name string) (Name, error) {
	name = strings.TrimSpace(name)
	switch {
	case name == "":
		return Name{}, errors.New("a domain is needed, such as example.com")
	case strings.Contains(name, "@"):
		return Name{}, fmt.Errorf("%q is an address: write only what follows the @", clip(name))
	case strings.Contains(name, "/"):
		return Name{}, fmt.Errorf("%q is a web address: write only the domain, such as example.com", clip(name))
	case strings.HasPrefix(name, "*."):
		return Name{}, fmt.Errorf("write %q without the asterisk: a domain stands for its subdomains too", clip(name[2:]))
	}
	ascii, err := toASCII(strings.TrimSuffix(name, "."))
	if err != nil {
		return Name{}, fmt.Errorf("%q: %w", clip(name), err)
	}
	n := Name{ASCII: ascii, Unicode: ascii}
	if strings.Contains(ascii, "xn--") {
		if u, err := idna.Display.ToUnicode(ascii); err == nil {
			n.Unicode = u
		}
	}
	if suffix, icann := publicsuffix.PublicSuffix(ascii); suffix == ascii {
		if icann {
			return Name{}, fmt.Errorf("%q is a public suffix, below which anybody can have a name: write the organization's own domain", ascii)
		}
		n.PrivateSuffix = true
	}
	return n, nil
}

func clip(s string) string {
	if len(s) > maxDomain {
		return strings.ToValidUTF8(s[:60], "") + "..."
	}
	return s
}

// toASCII gives the ASCII form of a name with at least one dot, by the lookup profile of IDNA (UTS 46).
func toASCII(name string) (string, error) {
	ascii, ok := lowerPlain(name)
	if !ok {
		if len(name) > 4*maxDomain {
			return "", errTooLong
		}
		var err error
		if ascii, err = idna.Lookup.ToASCII(name); err != nil {
			return "", errLetters
		}
		// x/net/idna 0.62 makes A-labels of broken UTF-8 that it then refuses itself.
		if again, err := idna.Lookup.ToASCII(ascii); err != nil || again != ascii {
			return "", errLetters
		}
	}
	return ascii, checkName(ascii)
}

var (
	errTooLong = fmt.Errorf("a domain has at most %d characters, between two dots at most %d", maxDomain, maxLabel)
	errLetters = errors.New("a domain has letters, digits and hyphens between dots, such as example.com")
	errNoDot   = errors.New("a domain has at least two parts, such as example.com")
	errEmpty   = errors.New("a domain has something before, between and after its dots, such as example.com")
	errNumber  = errors.New("a domain is needed, not an IP address")
)

func checkName(ascii string) error {
	if len(ascii) > maxDomain {
		return errTooLong
	}
	last, labels := "", 0
	for label := range strings.SplitSeq(ascii, ".") {
		switch {
		case label == "":
			return errEmpty
		case len(label) > maxLabel:
			return errTooLong
		}
		last, labels = label, labels+1
	}
	if strings.Trim(last, "0123456789") == "" { // no top-level domain is a number (RFC 3696 2)
		return errNumber
	}
	if _, err := netip.ParseAddr(ascii); err == nil {
		return errNumber
	}
	if labels < 2 {
		return errNoDot
	}
	return nil
}

// lowerPlain is the short way for what nearly all names are: letters, digits and hyphens, which IDNA
// only lower-cases. It leaves everything else, A-labels too, to idna.
func lowerPlain(name string) (string, bool) {
	upper, start := false, 0
	for i := range len(name) {
		switch b := name[i]; {
		case 'a' <= b && b <= 'z', '0' <= b && b <= '9':
		case 'A' <= b && b <= 'Z':
			upper = true
		case b == '-':
			if i == start || i+1 == len(name) || name[i+1] == '.' || i-start == 3 && name[i-1] == '-' {
				return "", false
			}
		case b == '.':
			start = i + 1
		default:
			return "", false
		}
	}
	if upper {
		name = strings.ToLower(name)
	}
	return name, true
}
