package ldapsync

import (
	"io"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"usherd/connector"
	"usherd/ldapsync/testserver"
	"usherd/ldapsync/testserver/ldifgen"
)

func TestRealLimitsAndDeaths(t *testing.T) {
	t.Parallel()
	const users = 2500
	s := testserver.Slapd(t, testserver.SlapdOptions{LDIF: func(w io.Writer) error {
		return ldifgen.Write(w, ldifgen.Options{Users: users})
	}})
	limited := slapdConfig(s)
	limited.Bind.User = s.LimitedDN
	r := searchRequest{Base: "ou=People," + s.Base, Scope: ldap.ScopeSingleLevel, Filter: "(uid=*)", Attributes: []string{"uid", "mail"}}
	for _, tc := range []struct {
		name          string
		page, limit   int
		entries, code int
		why           string
	}{
		{"unpaged", 0, 0, 500, 4, "size limit"},
		{"too many pages", 500, 0, 2000, 4, "size limit"},
		{"a page too large", 1001, 0, 0, 11, "administrative limit"},
		{"our own limit", 0, 2, 2, 4, "asked for"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := r
			r.PageSize, r.SizeLimit = tc.page, tc.limit
			all, end := readAll(t, dialT(t, limited), r)
			if end.Complete || end.Entries != tc.entries || len(all) != tc.entries || int(end.Code) != tc.code || !strings.Contains(end.Why, tc.why) {
				t.Errorf("%+v", end)
			}
		})
	}
	t.Run("unlimited", func(t *testing.T) {
		r := r
		r.PageSize = 999
		if _, end := readAll(t, dialT(t, slapdConfig(s)), r); !end.Complete || end.Entries != users {
			t.Errorf("%+v", end)
		}
	})
	t.Run("killed in the middle of a read", func(t *testing.T) {
		r := r
		r.PageSize = 100
		nc := dialT(t, slapdConfig(s))
		n := 0
		end, err := nc.search(t.Context(), r, func(*entry) error {
			if n++; n == 250 {
				s.Kill()
			}
			return nil
		})
		if end.Complete || connector.KindOf(err) != connector.Incomplete || end.Entries < 250 || end.Entries == users {
			t.Errorf("%+v %v", end, err)
		}
		if _, err := dial(t.Context(), options(slapdConfig(s), nil)); connector.KindOf(err) != connector.Unavailable {
			t.Errorf("%v", err)
		}
	})
}
