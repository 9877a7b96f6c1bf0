package ldapsync

import "fmt"

// place is a DN of the configuration.
type place struct {
	folded string // for comparing
	text   string // as it was written, for people
}

// scope decides by DN who belongs to the source. It is evaluated here and not by the server's filter,
// so that somebody who leaves it is seen leaving.
type scope struct {
	bases   []place
	include []place
	exclude []place
}

func newScope(c *Config) (*scope, error) {
	s := new(scope)
	for _, l := range []struct {
		to   *[]place
		from []string
	}{{&s.bases, c.Bases}, {&s.include, c.IncludeOUs}, {&s.exclude, c.ExcludeOUs}} {
		for _, dn := range l.from {
			folded, err := foldDN(dn)
			if err != nil {
				return nil, fmt.Errorf("%q is not a DN: %w", dn, err)
			}
			*l.to = append(*l.to, place{folded, dn})
		}
	}
	return s, nil
}

// outside says why an entry with that folded DN is not in scope; "" = it is.
func (s *scope) outside(dn []byte) string {
	if nearest(dn, s.bases) == nil {
		return "it stands below none of the bases"
	}
	in, out := nearest(dn, s.include), nearest(dn, s.exclude)
	switch {
	case out != nil && (in == nil || len(in.folded) < len(out.folded)):
		return "it stands in " + out.text + ", which exclude_ous leaves out"
	case in == nil && len(s.include) > 0:
		return "it stands in none of include_ous"
	}
	return ""
}

// nearest returns the lowest of the places that dn is or stands below; nil when there is none.
func nearest(dn []byte, places []place) *place {
	var found *place
	for i := range places {
		if p := &places[i]; isBelow(dn, p.folded) && (found == nil || len(p.folded) > len(found.folded)) {
			found = p
		}
	}
	return found
}
