package ldapsync

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// fetch reads a few entries and keeps them, with all ranges of their attributes. When there are more
// than most, the end says that the answer is not complete.
func fetch(ctx context.Context, c searcher, r searchRequest, most int) ([]*entry, searchEnd, error) {
	var kept []*entry
	if r.PageSize == 0 { // slapd takes a size limit below the page's size for a reason not to page
		r.SizeLimit = most
	}
	end, err := c.search(ctx, r, func(e *entry) error {
		if len(kept) < most {
			kept = append(kept, cloneEntry(e))
		}
		return nil
	})
	if err != nil {
		return nil, end, err
	}
	if end.Entries > most { // paged, or the server ignores the size limit
		end.Complete, end.Why = false, fmt.Sprintf("more than %d entries", most)
	}
	for _, e := range kept {
		if err := wholeRanges(ctx, c, e, r.Attributes, r.Controls); err != nil {
			return nil, end, err
		}
	}
	return kept, end, nil
}

// wholeRanges reads on where an attribute came in part.
func wholeRanges(ctx context.Context, c searcher, e *entry, names []string, controls []ldap.Control) error {
	for i := range e.Attributes {
		a := &e.Attributes[i]
		if a.Index < 0 || !strings.HasPrefix(a.Option, "range=") {
			continue
		}
		var all [][]byte
		err := readRanges(ctx, withControls{c, controls}, string(e.DN), names[a.Index], a, func(values [][]byte) error {
			for _, v := range values {
				all = append(all, bytes.Clone(v))
			}
			return nil
		})
		if err != nil {
			return err
		}
		a.Values, a.Option = all, ""
	}
	return nil
}

// withControls adds the same controls to every search.
type withControls struct {
	searcher
	controls []ldap.Control
}

func (w withControls) search(ctx context.Context, r searchRequest, yield func(*entry) error) (searchEnd, error) {
	r.Controls = append(r.Controls, w.controls...)
	return w.searcher.search(ctx, r, yield)
}

func cloneEntry(e *entry) *entry {
	c := &entry{DN: bytes.Clone(e.DN), Attributes: make([]attribute, len(e.Attributes))}
	for i := range e.Attributes {
		c.Attributes[i] = cloneAttribute(&e.Attributes[i])
	}
	return c
}

func cloneAttribute(a *attribute) attribute {
	c := attribute{Index: a.Index, Option: a.Option, Values: make([][]byte, len(a.Values))}
	for i, v := range a.Values {
		c.Values[i] = bytes.Clone(v)
	}
	return c
}
