package policy

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// The limits of RFC 5321 4.5.3.1 in octets; 254 is what a path of 256 leaves for the address.
const (
	maxLocal   = 64
	maxAddress = 254
)

// CheckAddress says what is wrong with an e-mail address, or nil. An address is local@domain: the
// local part a dot-atom (RFC 5322 3.2.3) of at most 64 ASCII characters, the domain a name with at
// least one dot, in Unicode or ASCII form, and not more than 254 octets in all with the domain in ASCII
// form. No display names, comments, quoted local parts or address literals. The text never holds the
// address.
func CheckAddress(s string) error {
	if s == "" {
		return errors.New("an address is needed, such as ann@example.com")
	}
	if len(s) > 4*maxAddress || !utf8.ValidString(s) {
		return errors.New("the address is too long or not UTF-8")
	}
	local, domain, ok := cutAddress(s)
	switch {
	case !ok:
		return errors.New("the address has no @: it must look like ann@example.com")
	case local == "":
		return errors.New("nothing stands before the @")
	case len(local) > maxLocal:
		return fmt.Errorf("the part before the @ has %d characters, at most %d are allowed", len(local), maxLocal)
	}
	if err := checkLocal(local); err != nil {
		return err
	}
	ascii, err := toASCII(domain)
	if err != nil {
		return fmt.Errorf("the part after the @: %w", err)
	}
	if n := len(local) + 1 + len(ascii); n > maxAddress {
		return fmt.Errorf("the address has %d characters, at most %d are allowed", n, maxAddress)
	}
	return nil
}

// cutAddress splits at the last @, so that a fault names the character that is wrong in the local part.
func cutAddress(s string) (local, domain string, ok bool) {
	i := strings.LastIndexByte(s, '@')
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

func checkLocal(local string) error {
	last := rune('.')
	for _, r := range local {
		if r == '.' && last == '.' {
			return errors.New("the part before the @ begins with a dot or has two dots in a row")
		}
		if r != '.' && !isAtext(r) {
			return fmt.Errorf("the character %q may not stand before the @", r)
		}
		last = r
	}
	if last == '.' {
		return errors.New("the part before the @ ends with a dot")
	}
	return nil
}

// isAtext is RFC 5322 3.2.3.
func isAtext(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return true
	}
	return r < 0x80 && strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
}

// EmailDomain returns the domain of an address in ASCII form, lower case; false where it has none that
// could be one. It does not look at the local part.
func EmailDomain(addr string) (ascii string, ok bool) {
	_, domain, ok := cutAddress(strings.TrimSpace(addr))
	if !ok {
		return "", false
	}
	ascii, err := toASCII(domain)
	return ascii, err == nil
}
