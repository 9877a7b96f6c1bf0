package ldapsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp"

	"usherd/connector"
)

var people = searchRequest{
	Base: "ou=people", Scope: ldap.ScopeWholeSubtree, Filter: "(uid=*)", Attributes: []string{"uid", "mail"}, PageSize: 2,
}

// twoPages is a paged answer of three entries and one reference.
func twoPages() []answer {
	return []answer{
		func(id int) []byte {
			return join(entryMsg(id, "uid=a", attr{"uid", []string{"a"}}, attr{"mail", []string{"a@x", "b@x"}}),
				referenceMsg(id, "ldap://other"), entryMsg(id, "uid=b"), doneMsg(id, 0, "", paging("cookie")))
		},
		func(id int) []byte {
			return join(entryMsg(id, "uid=c", attr{"uid", []string{"c"}}), doneMsg(id, 0, "fine", paging("")))
		},
	}
}

func TestPagedReadIsComplete(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func([]byte) []byte{
		"short lengths": func(b []byte) []byte { return b }, "lengths in four bytes": long,
	} {
		t.Run(name, func(t *testing.T) {
			var answers []answer
			for _, a := range twoPages() {
				answers = append(answers, func(id int) []byte { return edit(a(id)) })
			}
			var got []string
			c := scripted(t, nil, answers...)
			end, err := c.search(t.Context(), people, func(e *entry) error {
				for _, a := range e.Attributes {
					got = append(got, fmt.Sprintf("%s %s=%q", e.DN, people.Attributes[a.Index], a.Values))
				}
				return nil
			})
			if err != nil || !end.Complete || end.Entries != 3 || end.Referrals != 1 || end.Code != 0 || end.Why != "" {
				t.Errorf("%+v, %v", end, err)
			}
			want := []string{`uid=a uid=["a"]`, `uid=a mail=["a@x" "b@x"]`, `uid=c uid=["c"]`}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestSecondPageCarriesTheCookie(t *testing.T) {
	t.Parallel()
	c := scripted(t, nil, twoPages()...)
	sent := &recorder{Conn: c.net}
	c.net = sent
	if _, err := c.search(t.Context(), people, func(*entry) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if len(sent.writes) != 2 {
		t.Fatalf("%d requests", len(sent.writes))
	}
	for i, cookie := range []string{"", "cookie"} {
		_, tag, _, controls, err := splitMessage(sent.writes[i])
		if err != nil || tag != tagSearch {
			t.Fatalf("request %d: %#x %v", i, tag, err)
		}
		var res result
		value, _, _ := expect(controls, tagSequence)
		if err := res.control(value); err != nil || !res.paged || string(res.cookie) != cookie {
			t.Errorf("request %d: %+v %v", i, res, err)
		}
	}
}

func TestHowASearchEnds(t *testing.T) {
	t.Parallel()
	one := func(msgs ...func(id int) []byte) []answer {
		return []answer{func(id int) []byte {
			b := entryMsg(id, "uid=a")
			for _, m := range msgs {
				b = append(b, m(id)...)
			}
			return b
		}}
	}
	done := func(code int, text string, controls ...ldap.Control) func(int) []byte {
		return func(id int) []byte { return doneMsg(id, code, text, controls...) }
	}
	unpaged := people
	unpaged.PageSize = 0
	two := unpaged
	two.SizeLimit = 1
	for _, tc := range []struct {
		name     string
		r        searchRequest
		answers  []answer
		complete bool
		why      string         // incomplete, without an error
		kind     connector.Kind // of the error, where text is given
		text     string
	}{
		{"unpaged", unpaged, one(done(0, "")), true, "", 0, ""},
		{"no paging control", people, one(done(0, "")), false, "without the paged results control after 1 entries", 0, ""},
		{"another control only", people, one(done(0, "", ldap.NewControlManageDsaIT(false))), false, "RFC 2696", 0, ""},
		{"time limit", people, one(done(3, "", paging(""))), false, "time limit ended the answer after 1 entries (code 3)", 0, ""},
		{"size limit", people, one(done(4, "", paging("x"))), false, "size limit ended the answer after 1 entries (code 4)", 0, ""},
		{"administrative limit", people, one(done(11, "")), false, "administrative limit ended the answer after 1 entries (code 11)", 0, ""},
		{"our own size limit", two, one(done(4, "")), false, "more than the 1 entries that were asked for", 0, ""},
		{"no such object", people, one(done(32, "")), false, "", connector.NotFound, `search "ou=people" on ldap://script: no such object (code 32)`},
		{"rights", people, one(done(50, "no read")), false, "", connector.Refused, `insufficient access rights (code 50): the server says "no read"`},
		{"referral", people, one(done(10, "")), false, "", connector.Invalid, "referral (code 10)"},
		{"busy", people, one(done(51, "")), false, "", connector.Unavailable, "busy (code 51)"},
		{"unavailable", people, one(done(52, "")), false, "", connector.Unavailable, "code 52"},
		{"unwilling", people, one(done(53, "")), false, "", connector.Refused, "code 53"},
		{"control unknown", people, one(done(12, "")), false, "", connector.Refused, "code 12"},
		{"TLS wanted", people, one(done(8, "")), false, "", connector.Refused, "code 8"},
		{"not bound", people, one(done(1, "000004DC: LdapErr: DSID-0C090A5C\x00")), false, "", connector.Refused, `the server says "000004DC: LdapErr: DSID-0C090A5C"`},
		{"a code nobody knows", people, one(done(4711, "")), false, "", connector.Refused, "unknown result (code 4711)"},
		{"closed", people, one(), false, "", connector.Incomplete, "after 1 entries: the server closed the connection"},
		{"notice of disconnection", people, one(func(int) []byte { return noticeMsg(52, "going down") }), false, "", connector.Incomplete, `after 1 entries: the server ends the connection: unavailable (code 52): the server says "going down"`},
		{"a broken notice", people, one(func(int) []byte { return long([]byte{0x30, 5, 2, 1, 0, 0x78, 0}) }), false, "", connector.Incomplete, "malformed"},
		{"another message id", people, one(func(int) []byte { return doneMsg(firstID, 0, "", paging("")) }), false, "", connector.Incomplete, "nobody asked for"},
		{"an entry of another search", people, one(func(int) []byte { return entryMsg(1, "x") }), false, "", connector.Incomplete, "nobody asked for"},
		{"another operation", people, one(func(id int) []byte {
			return envelope(id, resultOp(ldap.ApplicationBindResponse, 0, ""))
		}), false, "", connector.Incomplete, "operation 0x61"},
		{"not LDAP", people, []answer{fixed([]byte("HTTP/1.1 400 Bad Request\r\n"))}, false, "", connector.Incomplete, "malformed"},
		{"a message of 2 GiB", people, []answer{fixed([]byte{0x30, 0x84, 0x80, 0, 0, 0})}, false, "", connector.Incomplete, "larger than 64 MiB"},
		{"an indefinite length", people, []answer{fixed([]byte{0x30, 0x80, 2, 1})}, false, "", connector.Incomplete, "malformed"},
		{"intermediate messages", unpaged, one(func(id int) []byte {
			return long(appendTLV(nil, tagSequence, append(appendInt(nil, tagInteger, id), tagIntermediate, 0)))
		}, done(0, "")), true, "", 0, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			end, err := scripted(t, nil, tc.answers...).search(t.Context(), tc.r, func(*entry) error { return nil })
			if end.Complete != tc.complete || (end.Why == "") != (tc.why == "") || !strings.Contains(end.Why, tc.why) {
				t.Errorf("%+v", end)
			}
			if tc.text == "" {
				if err != nil {
					t.Errorf("%v", err)
				}
				return
			}
			if err == nil || connector.KindOf(err) != tc.kind || !strings.Contains(err.Error(), tc.text) {
				t.Errorf("kind %d: %v", connector.KindOf(err), err)
			}
			if _, answered := resultCode(err); answered == (tc.kind == connector.Incomplete) {
				t.Errorf("told as an answer %v: %v", answered, err)
			}
		})
	}
}

func TestAnswerCutAnywhereIsNeverComplete(t *testing.T) {
	t.Parallel()
	sizes := []int{len(twoPages()[0](firstID + 1)), len(twoPages()[1](firstID + 2))}
	for page, size := range sizes {
		for at := range size {
			answers := twoPages()[:page+1]
			whole := answers[page]
			answers[page] = func(id int) []byte { return whole(id)[:at] }
			t.Run(fmt.Sprintf("page %d byte %d", page+1, at), func(t *testing.T) {
				for _, frozen := range []bool{false, true} { // or closed
					synctest.Test(t, func(t *testing.T) {
						var hold chan struct{}
						if frozen {
							hold = make(chan struct{})
							defer close(hold)
						}
						end, err := scripted(t, hold, answers...).search(t.Context(), people, func(*entry) error { return nil })
						if end.Complete || connector.KindOf(err) != connector.Incomplete {
							t.Errorf("%+v, %v", end, err)
						}
						if silent := err != nil && strings.Contains(err.Error(), "sent nothing for 1m0s"); silent != frozen {
							t.Errorf("frozen %v: %v", frozen, err)
						}
					})
				}
			})
		}
	}
}

func TestWrongByteAnywhereNeverHidesAnEntry(t *testing.T) {
	t.Parallel()
	for page := range 2 {
		for at := range len(twoPages()[page](firstID + 1 + page)) {
			answers := twoPages()
			whole := answers[page]
			answers[page] = func(id int) []byte {
				b := slices.Clone(whole(id))
				b[at] ^= 0xff
				return b
			}
			synctest.Test(t, func(t *testing.T) {
				end, err := scripted(t, nil, answers...).search(t.Context(), people, func(*entry) error { return nil })
				if end.Complete && (end.Entries != 3 || err != nil) {
					t.Errorf("page %d byte %d: %+v %v", page+1, at, end, err)
				}
			})
		}
	}
}

func TestPagesWithoutAnEndAreGivenUp(t *testing.T) {
	t.Parallel()
	var answers []answer
	for range maxEmptyPages + 1 {
		answers = append(answers, func(id int) []byte { return doneMsg(id, 0, "", paging("again")) })
	}
	end, err := scripted(t, nil, answers...).search(t.Context(), people, func(*entry) error { return nil })
	if end.Complete || connector.KindOf(err) != connector.Incomplete || !strings.Contains(err.Error(), "1000 pages without an entry") {
		t.Errorf("%+v %v", end, err)
	}
}

func TestErrorOfYieldIsReturnedAndClosesTheConnection(t *testing.T) {
	t.Parallel()
	stop := errors.New("enough")
	c := scripted(t, nil, twoPages()...)
	end, err := c.search(t.Context(), people, func(*entry) error { return stop })
	if err != stop || end.Complete || end.Entries != 1 { //nolint:errorlint // as it is
		t.Errorf("%+v %v", end, err)
	}
	if _, err := c.search(t.Context(), people, func(*entry) error { return nil }); connector.KindOf(err) != connector.Incomplete {
		t.Errorf("the connection is used again: %v", err)
	}
}

func TestCancelledSearchGivesTheContextsError(t *testing.T) {
	t.Parallel()
	for _, tc := range []string{"while the server is silent", "in yield", "before"} {
		t.Run(tc, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hold := make(chan struct{})
				defer close(hold)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				first := twoPages()[0]
				c := scripted(t, hold, func(id int) []byte { return first(id)[:len(first(id))-3] })
				switch tc {
				case "before":
					cancel()
				case "while the server is silent":
					go func() { synctest.Wait(); cancel() }()
				}
				_, err := c.search(ctx, people, func(*entry) error {
					if tc == "in yield" {
						cancel()
					}
					return nil
				})
				if err != context.Canceled { //nolint:errorlint // as it is
					t.Errorf("%v", err)
				}
			})
		})
	}
}

func TestSlowConsumerDoesNotUseUpTheServersTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := scripted(t, nil, twoPages()...)
		end, err := c.search(t.Context(), people, func(*entry) error {
			return wait(t.Context(), 10*defaultReadTimeout)
		})
		if err != nil || !end.Complete {
			t.Errorf("%+v %v", end, err)
		}
	})
}

func TestBadFilterIsInvalid(t *testing.T) {
	t.Parallel()
	r := people
	r.Filter = "(uid=*"
	_, err := scripted(t, nil).search(t.Context(), r, nil)
	if connector.KindOf(err) != connector.Invalid || !strings.Contains(err.Error(), "(uid=*") {
		t.Errorf("%v", err)
	}
}

func TestLargeMessageIsReadWhole(t *testing.T) {
	t.Parallel()
	members := make([]string, 20_000)
	for i := range members {
		members[i] = fmt.Sprintf("uid=u%07d,ou=People,dc=example,dc=test", i)
	}
	r := searchRequest{Filter: "(cn=*)", Attributes: []string{"member"}}
	c := scripted(t, nil, func(id int) []byte {
		return join(entryMsg(id, "cn=small"), entryMsg(id, "cn=big", attr{"member", members}), entryMsg(id, "cn=small"), doneMsg(id, 0, ""))
	})
	var sizes []int
	end, err := c.search(t.Context(), r, func(e *entry) error {
		n := 0
		for _, a := range e.Attributes {
			n += len(a.Values)
			if got := string(a.Values[n-1]); got != members[n-1] {
				t.Errorf("last value %q", got)
			}
		}
		sizes = append(sizes, n)
		return nil
	})
	if err != nil || !end.Complete || !slices.Equal(sizes, []int{0, 20_000, 0}) {
		t.Errorf("%v %+v %v", sizes, end, err)
	}
}
