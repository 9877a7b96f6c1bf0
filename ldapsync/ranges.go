package ldapsync

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"usherd/connector"
)

// searcher is what the questions above the wire need of a connection.
type searcher interface {
	search(ctx context.Context, r searchRequest, yield func(*entry) error) (searchEnd, error)
}

// valueRange is the option by which Active Directory hands out long lists in parts ([MS-ADTS] section
// 3.1.1.3.1.3.3): range=0-1499, and range=1500-* for the last part.
type valueRange struct {
	from, to int // to is -1 in the last part
	last     bool
}

func parseRange(option string) (valueRange, bool) {
	text, ok := strings.CutPrefix(option, "range=")
	if !ok {
		return valueRange{}, false
	}
	low, high, ok := strings.Cut(text, "-")
	from, err := strconv.ParseUint(low, 10, 31)
	if !ok || err != nil {
		return valueRange{}, false
	}
	if high == "*" {
		return valueRange{int(from), -1, true}, true
	}
	to, err := strconv.ParseUint(high, 10, 31)
	if err != nil || to < from {
		return valueRange{}, false
	}
	return valueRange{int(from), int(to), false}, true
}

var errRange = errors.New("a range of values that does not follow the one before: some are missing")

// maxRanges bounds the parts of one list: 4,000,000 values in the parts of 1,500 of a default server.
const maxRanges = 3000

// readRanges takes the values of one attribute of the entry dn, of which first was the first part, to
// the part that ends in *: only then is the list whole.
func readRanges(ctx context.Context, c searcher, dn, name string, first *attribute, take func([][]byte) error) error {
	part, ok := parseRange(first.Option)
	if !ok || part.from != 0 {
		return incomplete(dn, name, errRange)
	}
	if err := take(first.Values); err != nil {
		return err
	}
	for range maxRanges {
		if part.last {
			return nil
		}
		next, err := readRange(ctx, c, dn, name, part.to+1, take)
		if err != nil {
			return err
		}
		part = next
	}
	return incomplete(dn, name, fmt.Errorf("more than %d ranges", maxRanges))
}

// readRange takes the part that begins at from.
func readRange(ctx context.Context, c searcher, dn, name string, from int, take func([][]byte) error) (valueRange, error) {
	var part valueRange
	found := false
	request := fmt.Sprintf("%s;range=%d-*", name, from)
	_, err := one(ctx, c, searchRequest{Base: dn, Filter: anyObject, Attributes: []string{request}}, func(e *entry) error {
		for i := range e.Attributes {
			a := &e.Attributes[i]
			p, ok := parseRange(a.Option)
			if a.Index != 0 || !ok {
				continue
			}
			if found || p.from != from {
				return incomplete(dn, name, errRange)
			}
			part, found = p, true
			if err := take(a.Values); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return part, err
	}
	if !found { // the list became shorter, or the right to read it was lost
		return part, incomplete(dn, name, fmt.Errorf("nothing came for range %d-*", from))
	}
	return part, nil
}

func incomplete(dn, name string, err error) error {
	return &connector.Error{
		Kind: connector.Incomplete, Op: fmt.Sprintf("ldapsync: read %s of %q", name, dn), Err: err,
		Hint: "the list may have changed while it was read: try again",
	}
}

// one asks for a single entry by a base search and calls yield with it. It reports false, without an
// error, when the entry does not match the filter; that it does not exist is the server's error.
func one(ctx context.Context, c searcher, r searchRequest, yield func(*entry) error) (bool, error) {
	r.Scope, r.PageSize = ldap.ScopeBaseObject, 0
	end, err := c.search(ctx, r, yield)
	switch {
	case err != nil:
		return false, err
	case !end.Complete:
		return false, &connector.Error{
			Kind: connector.Incomplete, Op: fmt.Sprintf("ldapsync: read %q", r.Base), Err: errors.New(end.Why),
		}
	case end.Entries > 1:
		return false, &connector.Error{
			Kind: connector.Incomplete, Op: fmt.Sprintf("ldapsync: read %q", r.Base),
			Err: fmt.Errorf("%d entries came where one was asked for", end.Entries),
		}
	case end.Entries == 0 && end.Referrals > 0:
		return false, serverError(fmt.Sprintf("ldapsync: read %q", r.Base), ldap.LDAPResultReferral, "")
	}
	return end.Entries == 1, nil
}

// missing reports whether err says that an entry does not exist, or may not be seen.
func missing(err error) bool {
	code, ok := resultCode(err)
	return ok && code == ldap.LDAPResultNoSuchObject
}
