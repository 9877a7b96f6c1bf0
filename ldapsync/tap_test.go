package ldapsync

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-ldap/ldap/v3"

	"usherd/connector"
)

func bindMsg(code int, text string) answer {
	return func(id int) []byte { return envelope(id, resultOp(ldap.ApplicationBindResponse, code, text)) }
}

// dialScript dials a server that plays answers, in the clear over a pipe.
func dialScript(ctx context.Context, c *Config, hold <-chan struct{}, answers ...answer) (*conn, error) {
	c.Servers, c.TLS.InsecureCleartextForTests = []string{"ldap://script"}, true
	if c.Bind.Method == "" {
		c.Bind.User, c.Bind.Password = "cn=sync", connector.NewSecret("hunter2!")
	}
	o := options(c, nil)
	o.Dial = func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		go play(there, hold, answers...)
		return here, nil
	}
	return dial(ctx, o)
}

func TestLentConnectionIsOursAgainAfterTheBind(t *testing.T) {
	t.Parallel()
	answers := append([]answer{bindMsg(0, "")}, twoPages()...)
	answers = append(append(answers, bindMsg(0, "")), twoPages()...)
	c, err := dialScript(t.Context(), &Config{}, nil, answers...)
	if err != nil {
		t.Fatal(err)
	}
	defer c.shut()
	for i := range 2 {
		if i > 0 { // lent again between two searches
			if err := with(t.Context(), c.net, c.raw, func(l *ldap.Conn) error { return l.Bind("cn=sync", "again") }); err != nil {
				t.Fatal(err)
			}
		}
		end, err := c.search(t.Context(), people, func(*entry) error { return nil })
		if err != nil || !end.Complete {
			t.Fatalf("%+v %v", end, err)
		}
	}
}

func TestBindAnswerCutAnywhereIsAnErrorInTime(t *testing.T) {
	t.Parallel()
	whole := bindMsg(0, "welcome")
	for at := range len(whole(1)) {
		for _, frozen := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				hold := make(chan struct{})
				if !frozen {
					close(hold)
				}
				start := time.Now()
				c, err := dialScript(t.Context(), &Config{}, hold, func(id int) []byte { return whole(id)[:at] })
				if err == nil {
					t.Errorf("byte %d, frozen %v: no error", at, frozen)
					c.shut()
				} else if connector.KindOf(err) != connector.Unavailable || !strings.Contains(err.Error(), "ldapsync: bind ldap://script: ") {
					t.Errorf("byte %d, frozen %v: %v", at, frozen, err)
				}
				if took := time.Since(start); took > defaultConnectTimeout {
					t.Errorf("byte %d: %v", at, took)
				}
				if frozen {
					close(hold)
				}
			})
		}
	}
}

func TestWrongByteInTheBindAnswerNeverHangs(t *testing.T) {
	t.Parallel()
	whole := bindMsg(0, "welcome")
	for at := range len(whole(1)) {
		synctest.Test(t, func(t *testing.T) {
			hold := make(chan struct{})
			c, err := dialScript(t.Context(), &Config{}, hold, func(id int) []byte {
				b := slices.Clone(whole(id))
				b[at] ^= 0xff
				return b
			})
			if err == nil { // go-ldap looks at nothing behind a code of 0
				c.shut()
				if at < 10 {
					t.Errorf("byte %d: no error", at)
				}
			}
			close(hold)
		})
	}
}

func TestMessageBehindTheBindAnswerIsSeen(t *testing.T) {
	t.Parallel()
	for range 50 { // go-ldap may read it or leave it to us
		synctest.Test(t, func(t *testing.T) {
			answers := append([]answer{func(id int) []byte { return join(bindMsg(0, "")(id), noticeMsg(52, "going down")) }}, twoPages()...)
			c, err := dialScript(t.Context(), &Config{}, nil, answers...)
			if err != nil {
				if !errors.Is(err, errUnexpectedMessage) {
					t.Errorf("%v", err)
				}
				return
			}
			defer c.shut()
			end, err := c.search(t.Context(), people, func(*entry) error { return nil })
			if end.Complete || connector.KindOf(err) != connector.Incomplete {
				t.Errorf("%+v %v", end, err)
			}
		})
	}
}

func TestBindRefusalsSayWhatToDo(t *testing.T) {
	t.Parallel()
	ad := func(data string) string {
		return "80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data " + data + ", v4563\x00"
	}
	for _, tc := range []struct {
		code       int
		text       string
		kind       connector.Kind
		want, hint string
	}{
		{49, ad("525"), connector.Denied, "no such user", "bind.user"},
		{49, ad("52e"), connector.Denied, "wrong password", "only after an hour"},
		{49, ad("52f"), connector.Denied, "restriction", "restrictions"},
		{49, ad("530"), connector.Denied, "at this hour", "logon hours"},
		{49, ad("531"), connector.Denied, "from this machine", "Log On To"},
		{49, ad("532"), connector.Denied, "has expired", "new password"},
		{49, ad("533"), connector.Denied, "disabled", "enable"},
		{49, ad("568"), connector.Denied, "too many groups", "groups"},
		{49, ad("701"), connector.Denied, "account has expired", "expiry"},
		{49, ad("773"), connector.Denied, "must be changed", "password"},
		{49, ad("775"), connector.Denied, "locked", "unlock"},
		{49, ad("abc"), connector.Denied, "data abc", "bind.password"},
		{49, "80090346: LdapErr: DSID-0C09070F, comment: AcceptSecurityContext error, data 80090346, v4563", connector.Denied, "channel binding", "LdapEnforceChannelBinding"},
		{49, "", connector.Denied, "invalid credentials (code 49)", "bind.password"},
		{8, "", connector.Refused, "strong auth required (code 8)", "start_tls"},
		{48, "", connector.Refused, "code 48", "bind.method"},
		{51, "", connector.Unavailable, "busy", "later"},
		{49, "you said hunter2! to me", connector.Denied, "you said [hidden] to me", "bind.password"},
		{80, "hunter2!", connector.Unavailable, "[hidden]", "log"},
	} {
		t.Run(fmt.Sprintf("%d %.60s", tc.code, tc.text), func(t *testing.T) {
			t.Parallel()
			_, err := dialScript(t.Context(), &Config{}, nil, bindMsg(tc.code, tc.text))
			if err == nil || connector.KindOf(err) != tc.kind || !strings.Contains(err.Error(), tc.want) ||
				!strings.Contains(connector.HintOf(err), tc.hint) || strings.ContainsAny(err.Error(), "\x00\n") {
				t.Errorf("kind %d: %q\nhint: %s", connector.KindOf(err), err, connector.HintOf(err))
			}
			if strings.Contains(fmt.Sprintf("%v %+v", err, err), "hunter2!") {
				t.Errorf("the password shows: %v", err)
			}
			if code, ok := resultCode(err); !ok || int(code) != tc.code {
				t.Errorf("code %d %v", code, ok)
			}
		})
	}
}

func TestFramerNeverReadsBeyondAMessage(t *testing.T) {
	t.Parallel()
	msgs := [][]byte{bindMsg(0, "a")(1), long(bindMsg(0, strings.Repeat("b", 300))(2)), doneMsg(3, 0, strings.Repeat("c", 70_000))}
	here, there := net.Pipe()
	defer here.Close()
	go func() {
		defer there.Close()
		_, _ = there.Write(join(msgs...))
	}()
	var f framer
	buf := make([]byte, 4096)
	for i, want := range msgs {
		var got []byte
		for f.messages == int64(i) {
			n, err := f.read(here, buf)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, buf[:n]...)
			if f.torn() == (f.messages == int64(i+1)) {
				t.Fatalf("torn %v after %d of %d bytes", f.torn(), len(got), len(want))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("message %d: %d bytes, want %d", i, len(got), len(want))
		}
	}
}

func TestFramerRefuses(t *testing.T) {
	t.Parallel()
	for name, b := range map[string][]byte{
		"more than 1 MiB": {0x30, 0x84, 0, 0x10, 0, 1}, "4 GiB": {0x30, 0x84, 0xff, 0xff, 0xff, 0xff},
		"not a sequence": {0x04, 1, 0}, "indefinite length": {0x30, 0x80}, "text": []byte("HTTP/1.1 400"),
	} {
		c, err := dialScript(t.Context(), &Config{}, nil, fixed(b))
		if err == nil {
			c.shut()
			t.Errorf("%s: taken", name)
		}
		if connector.KindOf(err) != connector.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
}
